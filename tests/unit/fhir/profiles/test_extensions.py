"""Extensions that are defined here: what they hold, and where they stand."""

from pathlib import Path
from typing import Any

import pytest

from gateway.referral.json import JsonObject
from tests.unit.fhir.profiles.files import extension, faults, load, structure, url

RANK = extension(
    "rank",
    {"id": "Extension.extension", "max": "0"},
    {"id": "Extension.value[x]", "min": 1, "type": [{"code": "positiveInt"}]},
    on="Patient.contact",
)
JOB = extension(
    "job",
    {"id": "Extension.extension:title", "min": 1, "max": "1"},
    {"id": "Extension.extension:title.url", "fixedUri": "title"},
    {"id": "Extension.extension:title.value[x]", "min": 1, "type": [{"code": "string"}]},
    {"id": "Extension.value[x]", "max": "0"},
)


def ranked(**more: Any) -> JsonObject:
    held = {"url": RANK["url"], **more}
    return {"resourceType": "Patient", "contact": [{"name": {"text": "a"}, "extension": [held]}]}


def titled(*parts: dict[str, Any], **more: Any) -> JsonObject:
    return {"resourceType": "Patient", "extension": [{"url": JOB["url"], "extension": [*parts]}]}


TITLE = {"url": "title", "valueString": "a"}


@pytest.mark.parametrize(
    ("tree", "wanted"),
    [
        (ranked(valuePositiveInt=1), []),
        (ranked(valueString="1"), [("Patient.contact[0].extension[0].value", "value")]),
        (titled(TITLE), []),
        (titled(TITLE, {"url": "other", "valueString": "b"}), []),
        (titled(TITLE, TITLE), [("Patient.extension[0].extension[1]", "extension")]),
        (
            titled({"url": "other", "valueString": "b"}),
            [("Patient.extension[0].extension", "extension")],
        ),
        (
            titled({"url": "title", "valueCode": "b"}),
            [("Patient.extension[0].extension[0].value", "value")],
        ),
        (
            {
                "resourceType": "Patient",
                "extension": [{"url": RANK["url"], "valuePositiveInt": 1}],
            },
            [("Patient.extension[0]", "extension")],
        ),
        (
            {
                "resourceType": "Patient",
                "modifierExtension": [{"url": JOB["url"], "extension": [TITLE]}],
            },
            [("Patient.modifierExtension[0]", "extension")],
        ),
    ],
)
def test_an_extension_that_is_defined_is_held_against_its_definition(
    tmp_path: Path, tree: JsonObject, wanted: list[tuple[str, str]]
) -> None:
    profiles = load(tmp_path, RANK, JOB)
    assert faults(profiles, tree) == wanted


def test_an_extension_must_have_what_its_definition_needs(tmp_path: Path) -> None:
    profiles = load(tmp_path, RANK, JOB)
    nested = ranked(extension=[{"url": "a", "valueString": "b"}])
    assert set(faults(profiles, nested)) == {
        ("Patient.contact[0].extension[0].value", "extension"),
        ("Patient.contact[0].extension[0].extension[0]", "extension"),
    }


@pytest.mark.parametrize(
    ("on", "is_right"),
    [
        ("Patient", False),
        ("Patient.birthDate", True),
        ("date", True),
        ("Element", True),
        ("DomainResource", False),
    ],
)
def test_an_extension_of_a_primitive_stands_where_its_definition_says(
    tmp_path: Path,
    on: str,
    is_right: bool,  # noqa: FBT001
) -> None:
    profiles = load(tmp_path, extension("e", {"id": "Extension.value[x]", "min": 1}, on=on))
    held: JsonObject = {"url": url("StructureDefinition", "e"), "valueString": "a"}
    tree: JsonObject = {"resourceType": "Patient", "_birthDate": {"extension": [held]}}
    assert faults(profiles, tree) == (
        [] if is_right else [("Patient.birthDate.extension[0]", "extension")]
    )


@pytest.mark.parametrize(
    ("on", "is_right"),
    [
        ("HumanName", True),
        ("Patient.name", True),
        ("Observation.value[x]", False),
        ("Element", True),
        ("Resource", False),
    ],
)
def test_an_extension_of_a_datatype_stands_where_its_definition_says(
    tmp_path: Path,
    on: str,
    is_right: bool,  # noqa: FBT001
) -> None:
    profiles = load(tmp_path, extension("e", on=on))
    held: dict[str, Any] = {"url": url("StructureDefinition", "e"), "valueString": "a"}
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Patient", "name": [{"text": "a", "extension": [held]}]}}
        ],
    }
    place = "Bundle.entry[0].resource.name[0].extension[0]"
    assert faults(profiles, bundle) == ([] if is_right else [(place, "extension")])


def test_an_extension_may_be_for_another_extension_or_a_choice(tmp_path: Path) -> None:
    outer = url("StructureDefinition", "outer")
    inner = extension("inner", context=[{"type": "extension", "expression": outer}])
    valued = extension("valued", on="Observation.value[x]")
    profiles = load(tmp_path, inner, valued)
    held = {"url": inner["url"], "valueString": "a"}
    tree: JsonObject = {
        "resourceType": "Patient",
        "extension": [{"url": outer, "extension": [held]}, held],
    }
    assert faults(profiles, tree) == [("Patient.extension[1]", "extension")]
    observation: JsonObject = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "a"},
        "_valueString": {"extension": [{"url": valued["url"], "valueString": "a"}]},
    }
    assert faults(profiles, observation) == []


def test_a_modifier_stands_among_modifiers_and_as_often_as_its_root_says(tmp_path: Path) -> None:
    root = {
        "id": "Extension",
        "max": "1",
        "isModifier": True,
        "isModifierReason": "it says whether the rest holds",
    }
    definition = extension("m")
    definition["differential"]["element"].insert(0, {**root, "path": "Extension"})
    profiles = load(tmp_path, definition)
    held = {"url": definition["url"], "valueBoolean": True}
    tree: JsonObject = {"resourceType": "Patient", "modifierExtension": [held]}
    assert faults(profiles, tree) == []
    assert faults(profiles, {"resourceType": "Patient", "extension": [held]}) == [
        ("Patient.extension[0]", "extension")
    ]
    tree["modifierExtension"] = [held, held]
    assert faults(profiles, tree) == [("Patient.modifierExtension[1]", "extension")]


def test_a_profile_asks_for_an_extension_by_its_definition(tmp_path: Path) -> None:
    typed = [{"code": "Extension", "profile": [JOB["url"]]}]
    profile = structure("p", "Patient", {"id": "Patient.extension:job", "min": 1, "type": typed})
    profiles = load(tmp_path, JOB, profile)
    assert faults(profiles, titled(TITLE), "p") == []
    assert faults(profiles, {"resourceType": "Patient"}, "p") == [
        ("Patient.extension", "extension")
    ]
    assert faults(profiles, titled(), "p") != []
