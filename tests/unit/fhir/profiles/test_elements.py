"""What a profile asks of elements, and that nothing else is asked."""

from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Severity
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.validate import validate
from gateway.referral.json import JsonObject
from tests.unit.fhir.profiles.files import (
    ACT,
    code_system,
    codes,
    faults,
    full_faults,
    load,
    structure,
    url,
    value_set,
)

SNOMED = "http://snomed.info/sct"


def request(**more: Any) -> JsonObject:
    tree = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
    }
    return {key: each for key, each in (tree | more).items() if each is not None}


def concept(*pairs: str) -> dict[str, Any]:
    return {"coding": [{"system": ACT, "code": code} for code in pairs]}


def rule(id_: str, **asks: Any) -> dict[str, Any]:
    return {"id": f"ServiceRequest.{id_}", **asks}


COUNTS = [
    ("a needed element", rule("code", min=1), {"code": concept("a")}, {}, "code", "required"),
    (
        "two needed",
        rule("category", min=2),
        {"category": [concept("a"), concept("b")]},
        {"category": [concept("a")]},
        "category",
        "required",
    ),
    (
        "at most one of many",
        rule("category", max="1"),
        {"category": [concept("a")]},
        {"category": [concept("a"), concept("b")]},
        "category[1]",
        "structure",
    ),
    ("none at all", rule("note", max="0"), {}, {"note": [{"text": "a"}]}, "note[0]", "structure"),
    (
        "a needed choice",
        rule("occurrence[x]", min=1),
        {"occurrenceDateTime": "2026-11-01"},
        {},
        "occurrence",
        "required",
    ),
    (
        "a form of a choice by its own name",
        rule("occurrencePeriod", min=1),
        {"occurrencePeriod": {"start": "2026-11-01"}},
        {"occurrenceDateTime": "2026-11-01"},
        "occurrence",
        "required",
    ),
    (
        "a part that is needed where its whole is",
        rule("requester.display", min=1),
        {"requester": {"display": "a"}},
        {"requester": {"reference": "Practitioner/1"}},
        "requester.display",
        "required",
    ),
    (
        "a part of each of many",
        rule("note.time", min=1),
        {"note": [{"text": "a", "time": "2026-11-01"}]},
        {"note": [{"text": "a", "time": "2026-11-01"}, {"text": "b"}]},
        "note[1].time",
        "required",
    ),
    (
        "a part where its whole is absent",
        rule("requester.display", min=1),
        {},
        {"requester": {"type": "Practitioner"}},
        "requester.display",
        "required",
    ),
]

VALUES = [
    (
        "a fixed code",
        rule("intent", fixedCode="plan"),
        {"intent": "plan"},
        {"intent": "order"},
        "intent",
        "value",
    ),
    (
        "a fixed code that is only an extension",
        rule("intent", fixedCode="order"),
        {"intent": "order"},
        {
            "intent": None,
            "_intent": {"extension": [{"url": "https://a.example/b", "valueString": "order"}]},
        },
        "intent",
        "value",
    ),
    (
        "a fixed boolean",
        rule("doNotPerform", fixedBoolean=False),
        {"doNotPerform": False},
        {"doNotPerform": True},
        "doNotPerform",
        "value",
    ),
    (
        "a fixed object is the same in every part",
        rule("code", fixedCodeableConcept=concept("a")),
        {"code": concept("a")},
        {"code": concept("a") | {"text": "b"}},
        "code",
        "value",
    ),
    (
        "a pattern may be exceeded",
        rule("code", patternCodeableConcept=concept("a")),
        {"code": concept("b", "a") | {"text": "b"}},
        {"code": concept("b")},
        "code",
        "value",
    ),
    (
        "a pattern is asked of each of many",
        rule("category", patternCodeableConcept=concept("a")),
        {"category": [concept("a")]},
        {"category": [concept("a"), concept("b")]},
        "category[1]",
        "value",
    ),
    (
        "a pattern of text",
        rule("requisition.system", patternUri="https://a.example"),
        {"requisition": {"system": "https://a.example"}},
        {"requisition": {"system": "https://b.example"}},
        "requisition.system",
        "value",
    ),
    (
        "a length",
        rule("patientInstruction", maxLength=3),
        {"patientInstruction": "abc"},
        {"patientInstruction": "abcd"},
        "patientInstruction",
        "too-long",
    ),
    (
        "a form of a choice",
        rule("occurrence[x]", type=[{"code": "Period"}]),
        {"occurrencePeriod": {"start": "2026-11-01"}},
        {"occurrenceDateTime": "2026-11-01"},
        "occurrence",
        "value",
    ),
    (
        "where a reference leads",
        rule(
            "requester",
            type=[
                {
                    "code": "Reference",
                    "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Practitioner"],
                }
            ],
        ),
        {"requester": {"reference": "Practitioner/1"}},
        {"requester": {"reference": "Organization/1"}},
        "requester",
        "value",
    ),
    (
        "an extension beside a primitive",
        rule("status.extension", max="0"),
        {"_status": {"id": "a"}},
        {"_status": {"extension": [{"url": "https://a.example/b", "valueString": "a"}]}},
        "status.extension[0]",
        "extension",
    ),
]


@pytest.mark.parametrize(
    ("row", "right", "wrong", "place", "code"),
    [each[1:] for each in COUNTS + VALUES],
    ids=[each[0] for each in COUNTS + VALUES],
)
def test_what_a_profile_asks_is_kept_to(
    tmp_path: Path,
    row: dict[str, Any],
    right: dict[str, Any],
    wrong: dict[str, Any],
    place: str,
    code: str,
) -> None:
    profiles = load(tmp_path, structure("p", "ServiceRequest", row))
    assert faults(profiles, request(**right), "p") == []
    assert faults(profiles, request(**wrong), "p") == [(f"ServiceRequest.{place}", code)]
    assert validate(request(**wrong), profiles=profiles) == []


BOUND = value_set("v", codes(ACT, "a", "b"))


@pytest.mark.parametrize(
    ("strength", "given", "severity"),
    [
        ("required", concept("a"), None),
        ("required", concept("c", "b"), None),
        ("required", concept("c"), "error"),
        ("required", {"coding": [{"system": SNOMED, "code": "a"}]}, "error"),
        ("required", {"text": "a"}, "error"),
        ("extensible", concept("a"), None),
        ("extensible", concept("c"), "warning"),
        ("extensible", {"coding": [{"system": SNOMED, "code": "1"}]}, "warning"),
        ("preferred", concept("c"), "warning"),
        ("preferred", concept("c", "a"), None),
        ("preferred", {"coding": [{"system": SNOMED, "code": "1"}]}, None),
        ("preferred", {"text": "a"}, None),
        ("example", concept("c"), None),
    ],
)
def test_a_binding_is_kept_to_as_strongly_as_it_says(
    tmp_path: Path, strength: str, given: JsonObject, severity: str | None
) -> None:
    binding = {"strength": strength, "valueSet": BOUND["url"]}
    profile = structure("p", "ServiceRequest", rule("code", binding=binding))
    found = full_faults(load(tmp_path, profile, BOUND), request(code=given), "p")
    assert [each.severity.value for each in found] == ([severity] if severity else [])
    assert all(each.code == "code-invalid" for each in found)


@pytest.mark.parametrize(
    ("type_name", "id_", "right", "wrong"),
    [
        ("Task", "Task.status", {"status": "ready"}, {"status": "draft"}),
        (
            "Encounter",
            "Encounter.class",
            {"class": {"system": ACT, "code": "a"}},
            {"class": {"system": SNOMED, "code": "a"}},
        ),
        (
            "Observation",
            "Observation.valueQuantity",
            {"valueQuantity": {"system": ACT, "code": "a"}},
            {"valueQuantity": {"system": ACT, "code": "c"}},
        ),
    ],
)
def test_a_code_a_coding_and_a_quantity_are_bound_too(
    tmp_path: Path, type_name: str, id_: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    least: dict[str, dict[str, Any]] = {
        "Task": {"intent": "order"},
        "Encounter": {"status": "planned"},
        "Observation": {"status": "final", "code": {"text": "a"}},
    }
    bound = value_set("w", codes(ACT, "a"), codes("http://hl7.org/fhir/task-status", "ready"))
    binding = {"strength": "required", "valueSet": bound["url"]}
    profiles = load(tmp_path, structure("p", type_name, {"id": id_, "binding": binding}), bound)
    start: JsonObject = {"resourceType": type_name, **least[type_name]}
    assert faults(profiles, start | right, "p") == []
    assert [code for _, code in faults(profiles, start | wrong, "p")] == ["code-invalid"]


def test_a_whole_code_system_a_nested_set_and_an_intersection(tmp_path: Path) -> None:
    system = url("CodeSystem", "s")
    trees = (
        code_system("s", concept=[{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]),
        value_set("all", {"system": system}),
        value_set("some", codes(system, "b", "c")),
        value_set("nested", {"valueSet": [url("ValueSet", "some")]}, codes(ACT, "x")),
        value_set("both", {"valueSet": [url("ValueSet", "some"), url("ValueSet", "all")]}),
        value_set("twice", codes(system, "a"), codes(system, "b")),
        value_set("within", {"system": system, "valueSet": [url("ValueSet", "nested")]}),
    )
    permitted = {
        "all": {"a", "b", "c"},
        "some": {"b", "c"},
        "nested": {"b", "c", "x"},
        "both": {"b", "c"},
        "twice": {"a", "b"},
        "within": {"b", "c"},
    }
    for name, wanted in permitted.items():
        binding = {"strength": "required", "valueSet": url("ValueSet", name)}
        profile = structure("p", "ServiceRequest", rule("code", binding=binding))
        profiles = load(tmp_path / name, profile, *trees)
        found = set()
        for code in "abcx":
            both = [{"system": system, "code": code}, {"system": ACT, "code": code}]
            given = request(code={"coding": both[:1] if code != "x" else both[1:]})
            if not faults(profiles, given, "p"):
                found.add(code)
        assert found == wanted


def test_a_code_system_that_others_keep_permits_any_code(tmp_path: Path) -> None:
    kept = code_system("k", url=SNOMED, content="not-present")
    binding = {"strength": "required", "valueSet": url("ValueSet", "any")}
    profile = structure("p", "ServiceRequest", rule("code", binding=binding))
    profiles = load(tmp_path, profile, kept, value_set("any", {"system": SNOMED}))
    assert not faults(profiles, request(code={"coding": [{"system": SNOMED, "code": "1"}]}), "p")
    assert faults(profiles, request(code=concept("1")), "p")


def test_a_value_set_of_r4_needs_no_file(tmp_path: Path) -> None:
    valued = "http://hl7.org/fhir/ValueSet/request-intent"
    binding = {"strength": "required", "valueSet": valued}
    profiles = load(tmp_path, structure("p", "ServiceRequest", rule("intent", binding=binding)))
    assert faults(profiles, request(), "p") == []


def test_a_profile_asks_what_its_base_asks(tmp_path: Path) -> None:
    base = structure("base", "ServiceRequest", rule("category", min=1), rule("note", max="1"))
    derived = structure(
        "derived", "ServiceRequest", rule("category", min=2), baseDefinition=base["url"]
    )
    profiles = load(tmp_path, base, derived)
    assert faults(profiles, request(), "derived") == [("ServiceRequest.category", "required")]
    both = request(category=[concept("a")], note=[{"text": "a"}, {"text": "b"}])
    assert faults(profiles, both, "derived", "base") == [
        ("ServiceRequest.category", "required"),
        ("ServiceRequest.note[1]", "structure"),
    ]
    assert "Derived" in full_faults(profiles, both, "base", "derived")[0].diagnostics


def test_the_profile_that_a_resource_claims_is_asked_wherever_it_stands(tmp_path: Path) -> None:
    profile = structure("p", "ServiceRequest", rule("code", min=1), version="1.2.0")
    profiles = load(tmp_path, profile)
    for claim in (profile["url"], profile["url"] + "|1.2.0"):
        own = request(meta={"profile": ["https://other.example/p", claim]})
        assert faults(profiles, own) == [("ServiceRequest.code", "required")]
        bundle: JsonObject = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": request()}, {"resource": own}],
        }
        assert faults(profiles, bundle) == [("Bundle.entry[1].resource.code", "required")]
        holder: JsonObject = {
            "resourceType": "Patient",
            "contained": [own | {"id": "r"}],
            "extension": [{"url": "https://a.example/b", "valueReference": {"reference": "#r"}}],
        }
        assert faults(profiles, holder) == [("Patient.contained[0].code", "required")]
        parameters: JsonObject = {
            "resourceType": "Parameters",
            "parameter": [{"name": "a", "resource": own}],
        }
        assert faults(profiles, parameters) == [
            ("Parameters.parameter[0].resource.code", "required")
        ]
    assert faults(profiles, request(meta={"profile": [profile["url"] + "|2.0.0"]})) == []


def test_the_claim_of_a_profile_of_another_type_is_a_fault(tmp_path: Path) -> None:
    profiles = load(tmp_path, structure("p", "Patient"))
    claim = {"profile": [url("StructureDefinition", "p")]}
    assert faults(profiles, request(meta=claim)) == [("ServiceRequest.meta.profile[0]", "value")]


def test_an_expected_profile_is_asked_of_each_resource_of_its_type(tmp_path: Path) -> None:
    profiles = load(tmp_path, structure("p", "ServiceRequest", rule("code", min=1)))
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": request()}, {"resource": {"resourceType": "Patient"}}],
    }
    expected = {"ServiceRequest": [url("StructureDefinition", "p")]}
    [fault] = validate(bundle, profiles=profiles, expected=expected)
    assert fault.expression == "Bundle.entry[0].resource.code"
    [fault] = validate(request(), root="Parameters.x", profiles=profiles, expected=expected)
    assert fault.expression == "Parameters.x.code"


def test_the_expected_profile_of_a_message_is_not_asked_of_a_bundle_in_it(tmp_path: Path) -> None:
    profiles = load(tmp_path, structure("p", "Bundle", {"id": "Bundle.timestamp", "min": 1}))
    inner: JsonObject = {"resourceType": "Bundle", "type": "collection"}
    bundle = inner | {"entry": [{"resource": inner}]}
    expected = {"Bundle": [url("StructureDefinition", "p")]}
    [fault] = validate(bundle, profiles=profiles, expected=expected)
    assert fault.expression == "Bundle.timestamp"
    inner["meta"] = {"profile": [url("StructureDefinition", "p")]}
    found = validate(bundle, profiles=profiles, expected=expected)
    assert "Bundle.entry[0].resource.timestamp" in [each.expression for each in found]


def test_what_a_reference_leads_to_is_held_against_the_profile_named(tmp_path: Path) -> None:
    person = structure("person", "Patient", {"id": "Patient.gender", "min": 1})
    leads = [{"code": "Reference", "targetProfile": [person["url"]]}]
    profiles = load(tmp_path, person, structure("p", "ServiceRequest", rule("subject", type=leads)))
    inside = request(
        subject={"reference": "#pat"}, contained=[{"resourceType": "Patient", "id": "pat"}]
    )
    assert faults(profiles, inside, "p") == [("ServiceRequest.contained[0].gender", "required")]
    name = "urn:uuid:00000000-0000-4000-8000-000000000001"
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": request(subject={"reference": name})},
            {"fullUrl": name, "resource": {"resourceType": "Patient"}},
        ],
    }
    expected = {"ServiceRequest": [url("StructureDefinition", "p")]}
    [fault] = validate(bundle, profiles=profiles, expected=expected)
    assert fault.expression == "Bundle.entry[1].resource.gender"
    assert faults(profiles, request(subject={"reference": "Group/1"}), "p") == [
        ("ServiceRequest.subject", "value")
    ]
    assert faults(profiles, request(subject={"display": "a"}), "p") == []


def test_profiles_that_lead_in_a_circle_are_asked_once_each(tmp_path: Path) -> None:
    own = [{"code": "Reference", "targetProfile": [url("StructureDefinition", "p")]}]
    profile = structure("p", "ServiceRequest", rule("replaces", type=own), rule("code", min=1))
    name = "urn:uuid:00000000-0000-4000-8000-000000000001"
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": name, "resource": request(replaces=[{"reference": name}])}],
    }
    expected = {"ServiceRequest": [url("StructureDefinition", "p")]}
    assert len(validate(bundle, profiles=load(tmp_path, profile), expected=expected)) == 1


def test_a_profile_of_a_datatype_is_asked_where_an_element_names_it(tmp_path: Path) -> None:
    number = structure("number", "Identifier", {"id": "Identifier.value", "min": 1})
    typed = [{"code": "Identifier", "profile": [number["url"]]}]
    profiles = load(
        tmp_path, number, structure("p", "ServiceRequest", rule("identifier", type=typed))
    )
    given = request(identifier=[{"value": "1"}, {"system": "https://a.example"}])
    assert faults(profiles, given, "p") == [("ServiceRequest.identifier[1].value", "required")]


def test_a_profile_of_a_message_names_those_of_its_entries(tmp_path: Path) -> None:
    header = structure("header", "MessageHeader", {"id": "MessageHeader.sender", "min": 1})
    bundle = structure(
        "bundle",
        "Bundle",
        {"id": "Bundle.timestamp", "min": 1},
        {
            "id": "Bundle.entry",
            "slicing": {"discriminator": [{"type": "type", "path": "resource"}], "rules": "open"},
        },
        {"id": "Bundle.entry:header", "min": 1, "max": "1"},
        {
            "id": "Bundle.entry:header.resource",
            "min": 1,
            "type": [{"code": "MessageHeader", "profile": [header["url"]]}],
        },
    )
    profiles = load(tmp_path, header, bundle)
    entry: dict[str, Any] = {
        "resource": {
            "resourceType": "MessageHeader",
            "eventUri": "https://a.example/e",
            "source": {"endpoint": "https://a.example"},
        }
    }
    tree: JsonObject = {"resourceType": "Bundle", "type": "message", "entry": [entry]}
    assert faults(profiles, tree, "bundle") == [
        ("Bundle.timestamp", "required"),
        ("Bundle.entry[0].resource.sender", "required"),
    ]
    collection: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": "2026-11-01T00:00:00Z",
        "entry": [{"resource": {"resourceType": "Patient"}}],
    }
    assert faults(profiles, collection, "bundle") == [("Bundle.entry", "required")]


def test_what_the_standard_says_is_not_said_again(tmp_path: Path) -> None:
    bound = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/request-status"}
    profile = structure("p", "ServiceRequest", rule("status", min=1, binding=bound))
    profiles = load(tmp_path, profile)
    assert faults(profiles, request(status=None), "p") == [("ServiceRequest.status", "required")]
    assert faults(profiles, request(status="x"), "p") == [("ServiceRequest.status", "code-invalid")]


def test_a_slot_for_resources_may_be_kept_for_some_types(tmp_path: Path) -> None:
    kept = {"id": "Bundle.entry.resource", "type": [{"code": "Patient"}, {"code": "Task"}]}
    profiles = load(tmp_path, structure("p", "Bundle", kept))
    tree: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Patient"}}, {"resource": request()}],
    }
    assert faults(profiles, tree, "p") == [("Bundle.entry[1].resource", "value")]


def test_contained_resources_lead_to_each_other(tmp_path: Path) -> None:
    person = structure("person", "Patient", {"id": "Patient.gender", "min": 1})
    leads = [{"code": "Reference", "targetProfile": [person["url"]]}]
    profiles = load(tmp_path, person, structure("p", "ServiceRequest", rule("subject", type=leads)))
    inner = request(id="r", subject={"reference": "#pat"})
    tree: JsonObject = {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "focus": {"reference": "#r"},
        "contained": [inner, {"resourceType": "Patient", "id": "pat"}],
    }
    expected = {"ServiceRequest": [url("StructureDefinition", "p")]}
    [fault] = validate(tree, profiles=profiles, expected=expected)
    assert fault.expression == "Task.contained[1].gender"


def test_faults_of_each_entry_stand_together(tmp_path: Path) -> None:
    profiles = load(tmp_path, structure("p", "ServiceRequest", rule("code", min=1)))
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": request(status="x")}, {"resource": request(status="x")}],
    }
    expected = {"ServiceRequest": [url("StructureDefinition", "p")]}
    found = validate(bundle, profiles=profiles, expected=expected)
    assert [str(each.expression).rpartition("resource.")[2] for each in found] == [
        "status",
        "code",
        "status",
        "code",
    ]


def test_the_list_of_faults_ends_at_its_limit_for_profiles_too(tmp_path: Path) -> None:
    profiles = load(tmp_path, structure("p", "ServiceRequest", rule("note.time", min=1)))
    found = full_faults(profiles, request(note=[{"text": "a"}] * (MAX_FAULTS + 5)), "p")
    assert len(found) == MAX_FAULTS + 1
    assert found[-1].severity is Severity.INFORMATION


def test_changing_a_profile_file_changes_what_is_asked(tmp_path: Path) -> None:
    before = load(tmp_path, structure("p", "ServiceRequest", rule("code", min=1)))
    after = load(tmp_path, structure("p", "ServiceRequest", rule("code", max="0")))
    for given in (request(), request(code=concept("a"))):
        assert bool(faults(before, given, "p")) != bool(faults(after, given, "p"))


def test_a_fault_names_the_profile_and_quotes_its_value_never_the_messages(
    tmp_path: Path,
) -> None:
    profiles = load(
        tmp_path,
        structure("oh-referral", "ServiceRequest", rule("intent", fixedCode="plan")),
    )
    [fault] = full_faults(profiles, request(intent="order"), "oh-referral")
    assert "OhReferral" in fault.diagnostics
    assert "plan" in fault.diagnostics
    assert "order" not in fault.diagnostics
