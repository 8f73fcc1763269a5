"""Slices: how values are told apart, counted and asked."""

from pathlib import Path
from typing import Any

import pytest

from gateway.referral.json import JsonObject
from tests.unit.fhir.profiles.files import (
    ACT,
    codes,
    faults,
    full_faults,
    load,
    slicing,
    structure,
    url,
    value_set,
)

NHS = "https://fhir.nhs.uk/Id/nhs-number"


def identified(*rows: dict[str, Any], rules: str = "open") -> dict[str, Any]:
    return structure(
        "p",
        "Patient",
        {"id": "Patient.identifier", "slicing": slicing("system", rules=rules)},
        {"id": "Patient.identifier:nhs", "min": 1, "max": "1"},
        {"id": "Patient.identifier:nhs.system", "fixedUri": NHS},
        *rows,
    )


def patient(*identifiers: dict[str, Any], **more: Any) -> JsonObject:
    return {"resourceType": "Patient", "identifier": list(identifiers), **more}


OTHER = {"system": "https://other.example", "value": "1"}
OWN = {"system": NHS, "value": "a"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([OWN], []),
        ([OTHER, OWN, OTHER], []),
        ([OTHER], [("Patient.identifier", "required")]),
        ([OWN, OTHER, OWN], [("Patient.identifier[2]", "structure")]),
        ([OWN, {"system": NHS}], [("Patient.identifier[1]", "structure")]),
    ],
)
def test_the_values_of_a_slice_are_counted(
    tmp_path: Path, given: list[dict[str, Any]], wanted: list[tuple[str, str]]
) -> None:
    assert faults(load(tmp_path, identified()), patient(*given), "p") == wanted


def test_what_a_slice_asks_is_asked_of_its_own_values_only(tmp_path: Path) -> None:
    profiles = load(tmp_path, identified({"id": "Patient.identifier:nhs.value", "min": 1}))
    unvalued: dict[str, Any] = {"system": OTHER["system"]}
    assert faults(profiles, patient(unvalued, {"system": NHS}), "p") == [
        ("Patient.identifier[1].value", "required")
    ]


def test_a_missing_slice_is_told_by_what_it_is_known_by(tmp_path: Path) -> None:
    [fault] = full_faults(load(tmp_path, identified()), patient(OTHER), "p")
    assert f"system = {NHS}" in fault.diagnostics


def test_a_closed_slicing_permits_no_other_value(tmp_path: Path) -> None:
    profiles = load(tmp_path, identified(rules="closed"))
    assert faults(profiles, patient(OWN, OTHER), "p") == [("Patient.identifier[1]", "structure")]
    assert faults(profiles, patient(OWN), "p") == []


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


TELLING: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "a pattern on the value itself": (
        "$this",
        "pattern",
        [{"id": "ServiceRequest.category:s", "patternCodeableConcept": coded(ACT, "a")}],
    ),
    "a pattern above the path": (
        "coding.code",
        "value",
        [{"id": "ServiceRequest.category:s", "patternCodeableConcept": coded(ACT, "a")}],
    ),
    "a fixed value at the end of the path": (
        "coding.code",
        "value",
        [{"id": "ServiceRequest.category:s.coding.code", "fixedCode": "a"}],
    ),
    "a pattern between": (
        "coding.code",
        "pattern",
        [{"id": "ServiceRequest.category:s.coding", "patternCoding": {"code": "a"}}],
    ),
    "a required binding": (
        "$this",
        "value",
        [
            {
                "id": "ServiceRequest.category:s",
                "binding": {"strength": "required", "valueSet": url("ValueSet", "v")},
            }
        ],
    ),
}


@pytest.mark.parametrize("name", TELLING)
def test_a_slice_is_told_apart_by(tmp_path: Path, name: str) -> None:
    path, kind, rows = TELLING[name]
    rows = rows if rows[0]["id"] == "ServiceRequest.category:s" else [SLICE, *rows]
    profile = structure(
        "p",
        "ServiceRequest",
        {"id": "ServiceRequest.category", "slicing": slicing(path, kind)},
        {**rows[0], "min": 1},
        *rows[1:],
    )
    profiles = load(tmp_path, profile, value_set("v", codes(ACT, "a")))
    given: JsonObject = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
    }
    assert faults(profiles, given | {"category": [coded(ACT, "b"), coded(ACT, "a")]}, "p") == []
    assert faults(profiles, given | {"category": [coded(ACT, "b")]}, "p") == [
        ("ServiceRequest.category", "required")
    ]


SLICE: dict[str, Any] = {"id": "ServiceRequest.category:s"}


@pytest.mark.parametrize("says_so", [True, False])
def test_the_forms_of_a_choice_are_told_apart_by_type(tmp_path: Path, says_so: bool) -> None:  # noqa: FBT001
    rows: list[dict[str, Any]] = [
        {"id": "Observation.value[x]", "slicing": slicing("$this", "type")},
        {"id": "Observation.value[x]:valueQuantity", "type": [{"code": "Quantity"}]},
        {"id": "Observation.value[x]:valueQuantity.unit", "min": 1},
    ]
    profiles = load(tmp_path, structure("p", "Observation", *rows[0 if says_so else 1 :]))
    given: JsonObject = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "a"},
    }
    assert faults(profiles, given | {"valueString": "a"}, "p") == []
    assert faults(profiles, given | {"valueQuantity": {"value": 1}}, "p") == [
        ("Observation.value.unit", "required")
    ]


def test_two_discriminators_must_both_match(tmp_path: Path) -> None:
    both = {
        "discriminator": [{"type": "value", "path": "system"}, {"type": "value", "path": "use"}],
        "rules": "open",
    }
    profile = structure(
        "p",
        "Patient",
        {"id": "Patient.identifier", "slicing": both},
        {"id": "Patient.identifier:s", "max": "0"},
        {"id": "Patient.identifier:s.system", "fixedUri": NHS},
        {"id": "Patient.identifier:s.use", "fixedCode": "old"},
    )
    profiles = load(tmp_path, profile)
    assert faults(profiles, patient(OWN, {"use": "old", "value": "1"}), "p") == []
    assert faults(profiles, patient(OWN | {"use": "old"}), "p") == [
        ("Patient.identifier[0]", "structure")
    ]


def test_a_profile_may_ask_more_of_a_slice_of_its_base(tmp_path: Path) -> None:
    base = identified()
    derived = structure(
        "derived",
        "Patient",
        {"id": "Patient.identifier:nhs.value", "min": 1},
        baseDefinition=base["url"],
    )
    profiles = load(tmp_path, base, derived)
    assert faults(profiles, patient({"system": NHS}), "derived") == [
        ("Patient.identifier[0].value", "required")
    ]
