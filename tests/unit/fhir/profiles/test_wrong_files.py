"""A wrong file stops start-up, and the text says which, where and how to mend it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ProfileError
from gateway.fhir.profiles.load import load_profiles
from tests.unit.fhir.profiles.files import (
    ACT,
    R4,
    code_system,
    codes,
    extension,
    load,
    message,
    slicing,
    structure,
    url,
    value_set,
    write,
)

ELEMENT = "StructureDefinition.differential.element"


def said(folder: Path, *trees: dict[str, Any]) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        load(folder, *trees)
    return str(caught.value).splitlines()


def request(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    rows = [{**each, "id": f"ServiceRequest.{each['id']}"} for each in elements]
    return structure("p", "ServiceRequest", *rows, **more)


def bound(canonical: str, strength: str = "required", on: str = "code") -> dict[str, Any]:
    return request({"id": on, "binding": {"strength": strength, "valueSet": canonical}})


def leads_to(name: str, on: str = "subject") -> dict[str, Any]:
    return request({"id": on, "type": [{"code": "Reference", "targetProfile": [name]}]})


BASE = structure(
    "base",
    "ServiceRequest",
    {"id": "ServiceRequest.category", "min": 1, "max": "3", "slicing": slicing("text")},
    {"id": "ServiceRequest.note", "slicing": slicing("text", rules="closed")},
    {"id": "ServiceRequest.note:a"},
    {"id": "ServiceRequest.note:a.text", "fixedMarkdown": "a"},
)


def derived(*elements: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return BASE, request(*elements, baseDefinition=BASE["url"])


P = "StructureDefinition-p.json"

WRONG: dict[str, tuple[tuple[dict[str, Any], ...], str, str]] = {
    # what is wrong: the files, the file and place that are named, and a word of the reason
    "not valid FHIR": ((request(status="live"),), f"{P}: StructureDefinition.status", "one of"),
    "a property that FHIR does not know": (
        (request({"id": "code", "minimum": 1}),),
        f"{P}: {ELEMENT}[0]",
        "does not know",
    ),
    "no url": ((request(url=None),), f"{P}: StructureDefinition.url", "needs"),
    "no id": ((request(id=None),), "StructureDefinition.id", "needs"),
    "another kind of resource": (
        ({"resourceType": "Patient", "id": "p"},),
        "Patient-p.json",
        "examples",
    ),
    "one url twice": (
        (request(), request(id="q")),
        "StructureDefinition-q.json: url",
        P,
    ),
    "the url of R4's own": ((request(url=R4 + "Task"),), f"{P}: StructureDefinition.url", "R4"),
    "an unknown base": (
        (request(baseDefinition=url("StructureDefinition", "none")),),
        f"{P}: StructureDefinition.baseDefinition",
        "no profile",
    ),
    "a base of another type": (
        (request(baseDefinition=R4 + "Task"),),
        f"{P}: StructureDefinition.baseDefinition",
        "type",
    ),
    "a type that is not read here": (
        (structure("p", "Account"),),
        f"{P}: StructureDefinition.baseDefinition",
        "read here",
    ),
    "a base that is its own base": (
        (request(baseDefinition=url("StructureDefinition", "p")),),
        f"{P}: StructureDefinition.baseDefinition",
        "cannot be used",
    ),
    "a specialization": (
        (request(derivation="specialization"),),
        f"{P}: StructureDefinition.derivation",
        "constraint",
    ),
    "another version of FHIR": (
        (request(fhirVersion="3.0.1"),),
        f"{P}: StructureDefinition.fhirVersion",
        "4.0.1",
    ),
    "no differential": (
        (
            request(
                differential=None,
                snapshot={
                    "element": [
                        {
                            "id": "ServiceRequest",
                            "path": "ServiceRequest",
                            "definition": "a",
                            "min": 0,
                            "max": "*",
                            "base": {"path": "ServiceRequest", "min": 0, "max": "*"},
                        }
                    ]
                },
            ),
        ),
        f"{P}: StructureDefinition",
        "differential",
    ),
    "an unknown path": ((request({"id": "codes", "min": 1}),), f"{P}: {ELEMENT}[0]", "codes"),
    "an unknown path below": (
        (request({"id": "code.text.more", "min": 1}),),
        f"{P}: {ELEMENT}[0]",
        "no element more",
    ),
    "a path that is not its id": (
        (request({"id": "code", "path": "ServiceRequest.category", "min": 1}),),
        f"{P}: {ELEMENT}[0].id",
        "path",
    ),
    "a slice name that is not in the id": (
        (request({"id": "code", "sliceName": "a"}),),
        f"{P}: {ELEMENT}[0].id",
        "sliceName",
    ),
    "an id that cannot be read": (
        (request({"id": "code:a/b", "path": "ServiceRequest.code"}),),
        f"{P}: {ELEMENT}[0].id",
        "name:slice",
    ),
    "fewer than the base needs": (
        derived({"id": "category", "min": 0}),
        f"{P}: {ELEMENT}[0].min",
        "at least 1",
    ),
    "fewer than R4 needs": (
        (request({"id": "subject", "min": 0}),),
        f"{P}: {ELEMENT}[0].min",
        "at least 1",
    ),
    "more than the base permits": (
        derived({"id": "category", "max": "4"}),
        f"{P}: {ELEMENT}[0].max",
        "at most 3",
    ),
    "more than R4 permits": (
        (request({"id": "code", "max": "*"}),),
        f"{P}: {ELEMENT}[0].max",
        "at most 1",
    ),
    "more needed than permitted": (
        derived({"id": "category", "min": 4}),
        f"{P}: {ELEMENT}[0]",
        "above the max",
    ),
    "a type that the element does not have": (
        (request({"id": "occurrence[x]", "type": [{"code": "string"}]}),),
        f"{P}: {ELEMENT}[0].type[0].code",
        "types",
    ),
    "a type that the base took away": (
        (
            structure(
                "base",
                "ServiceRequest",
                {"id": "ServiceRequest.occurrence[x]", "type": [{"code": "Period"}]},
            ),
            request(
                {"id": "occurrence[x]", "type": [{"code": "dateTime"}]}, baseDefinition=BASE["url"]
            ),
        ),
        f"{P}: {ELEMENT}[0].type[0].code",
        "types",
    ),
    "a reference that leads further than R4 lets it": (
        (leads_to(R4 + "Task"),),
        f"{P}: {ELEMENT}[0].type[0].targetProfile",
        "Task",
    ),
    "a reference to an unknown profile": (
        (leads_to(url("StructureDefinition", "none")),),
        f"{P}: {ELEMENT}[0].type[0].targetProfile",
        "no profile",
    ),
    "a reference to something else": (
        (leads_to(url("ValueSet", "v")), value_set("v", codes(ACT, "a"))),
        f"{P}: {ELEMENT}[0].type[0].targetProfile",
        "another kind",
    ),
    "a profile of another type": (
        (request({"id": "code", "type": [{"code": "CodeableConcept", "profile": [R4 + "Task"]}]}),),
        f"{P}: {ELEMENT}[0].type[0].profile",
        "no profile of",
    ),
    "targets of a canonical": (
        (
            request(
                {
                    "id": "instantiatesCanonical",
                    "type": [{"code": "canonical", "targetProfile": [R4 + "Task"]}],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0].type[0].targetProfile",
        "references only",
    ),
    "an aggregation": (
        (request({"id": "subject", "type": [{"code": "Reference", "aggregation": ["bundled"]}]}),),
        f"{P}: {ELEMENT}[0].type[0].aggregation",
        "leave it out",
    ),
    "a fixed value of another type": (
        (request({"id": "intent", "fixedString": "plan"}),),
        f"{P}: {ELEMENT}[0].fixedString",
        "type",
    ),
    "a fixed value that R4 refuses": (
        (request({"id": "intent", "fixedCode": "hope"}),),
        f"{P}: {ELEMENT}[0].fixedCode",
        "R4 wants",
    ),
    "a pattern for a choice that is still open": (
        (request({"id": "occurrence[x]", "patternDateTime": "2026"}),),
        f"{P}: {ELEMENT}[0].patternDateTime",
        "one type",
    ),
    "parts of a choice that is still open": (
        (request({"id": "occurrence[x].start", "min": 1}),),
        f"{P}: {ELEMENT}[0]",
        "one type",
    ),
    "a constraint in FHIRPath": (
        (
            request(
                {
                    "id": "code",
                    "constraint": [
                        {"key": "a-1", "severity": "error", "human": "a", "expression": "true"}
                    ],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0].constraint",
        "leave it out",
    ),
    "a least value": (
        (request({"id": "occurrenceDateTime", "minValueDateTime": "2026"}),),
        f"{P}: {ELEMENT}[0].minValueDateTime",
        "leave it out",
    ),
    "something asked of the root": (
        (
            structure(
                "p",
                "ServiceRequest",
                {"id": "ServiceRequest", "maxLength": 3},
            ),
        ),
        f"{P}: {ELEMENT}[0].maxLength",
        "leave it out",
    ),
    "an unknown value set": (
        (bound(url("ValueSet", "none")),),
        f"{P}: {ELEMENT}[0].binding.valueSet",
        "no value set",
    ),
    "another version of a value set": (
        (bound(url("ValueSet", "v") + "|2"), value_set("v", codes(ACT, "a"), version="1")),
        f"{P}: {ELEMENT}[0].binding.valueSet",
        "no value set",
    ),
    "a binding of what has no code": (
        (bound(url("ValueSet", "v"), on="subject"), value_set("v", codes(ACT, "a"))),
        f"{P}: {ELEMENT}[0].binding",
        "coded type",
    ),
    "a binding that is weaker than R4's": (
        (bound("http://hl7.org/fhir/ValueSet/request-intent", "preferred", "intent"),),
        f"{P}: {ELEMENT}[0].binding.strength",
        "required",
    ),
    "a logical model": (
        (request(kind="logical"),),
        f"{P}: StructureDefinition.kind",
        "resource and complex-type",
    ),
    "an extension where only a value is read": (
        (
            request(
                {"id": "code", "min": 1, "_min": {"extension": [{"url": ACT, "valueCode": "a"}]}}
            ),
        ),
        f"{P}: {ELEMENT}[0].min",
        "say nothing",
    ),
    "a fixed value that is only an extension": (
        (request({"id": "intent", "_fixedCode": {"extension": [{"url": ACT, "valueCode": "a"}]}}),),
        f"{P}: {ELEMENT}[0].fixedCode",
        "value is needed",
    ),
    "a modifier": (
        (request({"id": "note", "isModifier": True, "isModifierReason": "a"}),),
        f"{P}: {ELEMENT}[0].isModifier",
        "leave it out",
    ),
    "a url of another kind where a value set belongs": (
        (bound(url("CodeSystem", "s")), code_system("s", "a")),
        f"{P}: {ELEMENT}[0].binding.valueSet",
        "no value set",
    ),
    "two profiles of one value": (
        (
            request(
                {
                    "id": "code",
                    "type": [
                        {
                            "code": "CodeableConcept",
                            "profile": [R4 + "CodeableConcept", R4 + "CodeableConcept"],
                        }
                    ],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0].type[0].profile",
        "only one",
    ),
    "a profile of one form of an open choice": (
        (
            structure("c", "CodeableConcept"),
            request(
                {
                    "id": "asNeeded[x]",
                    "type": [
                        {"code": "boolean"},
                        {
                            "code": "CodeableConcept",
                            "profile": [url("StructureDefinition", "c")],
                        },
                    ],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0].type",
        "one type only",
    ),
    "two profiles of one type that a reference leads to": (
        (
            request(
                {
                    "id": "subject",
                    "type": [
                        {"code": "Reference", "targetProfile": [R4 + "Patient", R4 + "Patient"]}
                    ],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0].type[0].targetProfile",
        "only one profile",
    ),
    "an extension named without a slice": (
        (
            extension("e", on="ServiceRequest"),
            request(
                {
                    "id": "extension",
                    "type": [{"code": "Extension", "profile": [url("StructureDefinition", "e")]}],
                }
            ),
        ),
        f"{P}: {ELEMENT}[0]",
        "in slices",
    ),
    "extensions told apart by something else": (
        (
            request(
                {"id": "extension", "slicing": slicing("id")},
                {"id": "extension:a"},
                {"id": "extension:a.url", "fixedUri": "https://a.example"},
            ),
        ),
        f"{P}: {ELEMENT}[0]",
        "value of url",
    ),
    "slices without slicing": (
        (request({"id": "category:a"}),),
        f"{P}: {ELEMENT}[0]",
        "slicing",
    ),
    "slicing in order": (
        (request({"id": "category", "slicing": slicing("text") | {"ordered": True}}),),
        f"{P}: {ELEMENT}[0].slicing",
        "supported",
    ),
    "slicing that is open at its end": (
        (request({"id": "category", "slicing": slicing("text", rules="openAtEnd")}),),
        f"{P}: {ELEMENT}[0].slicing.rules",
        "open and closed",
    ),
    "slicing by what exists": (
        (request({"id": "category", "slicing": slicing("text", "exists")}),),
        f"{P}: {ELEMENT}[0].slicing.discriminator[0].type",
        "value, pattern and type",
    ),
    "slicing by what a reference leads to": (
        (
            request(
                {"id": "performer", "slicing": slicing("resolve()")},
                {"id": "performer:a", "min": 1},
            ),
        ),
        f"{P}: {ELEMENT}[1]",
        "resolve()",
    ),
    "a slice that nothing tells apart": (
        (request({"id": "category", "slicing": slicing("text")}, {"id": "category:a", "min": 1}),),
        f"{P}: {ELEMENT}[1]",
        "fixed[x]",
    ),
    "slicing by an unknown path": (
        (
            request(
                {"id": "category", "slicing": slicing("txt")},
                {"id": "category:a", "patternCodeableConcept": {"text": "a"}},
            ),
        ),
        f"{P}: {ELEMENT}[1]",
        "txt",
    ),
    "slices of slices": (
        (
            request(
                {"id": "category", "slicing": slicing("text")},
                {
                    "id": "category:a",
                    "patternCodeableConcept": {"text": "a"},
                    "slicing": slicing("text"),
                },
            ),
        ),
        f"{P}: {ELEMENT}[1]",
        "slices of slices",
    ),
    "slices that need more than there may be": (
        (
            request(
                {"id": "category", "max": "1", "slicing": slicing("text")},
                {"id": "category:a", "min": 1, "patternCodeableConcept": {"text": "a"}},
                {"id": "category:b", "min": 1, "patternCodeableConcept": {"text": "b"}},
            ),
        ),
        f"{P}: {ELEMENT}[0]",
        "more values",
    ),
    "a slice added to a closed slicing": (
        derived({"id": "note:b"}, {"id": "note:b.text", "fixedMarkdown": "b"}),
        f"{P}: {ELEMENT}[0]",
        "closed",
    ),
    "a filter in a value set": (
        (
            value_set(
                "v",
                {
                    "system": ACT,
                    "filter": [{"property": "concept", "op": "is-a", "value": "a"}],
                },
            ),
        ),
        "ValueSet-v.json: ValueSet.compose.include[0]",
        "filters",
    ),
    "an exclude in a value set": (
        (value_set("v", compose={"include": [codes(ACT, "a")], "exclude": [codes(ACT, "b")]}),),
        "ValueSet-v.json: ValueSet.compose",
        "exclude",
    ),
    "an unknown code system": (
        (value_set("v", {"system": url("CodeSystem", "none")}),),
        "ValueSet-v.json: ValueSet.compose.include[0].system",
        "no code system",
    ),
    "a code that the system does not have": (
        (value_set("v", codes(url("CodeSystem", "s"), "b")), code_system("s", "a")),
        "ValueSet-v.json: ValueSet.compose.include[0]",
        "no code b",
    ),
    "a value set within itself": (
        (value_set("v", {"valueSet": [url("ValueSet", "v")]}),),
        "ValueSet-v.json: ValueSet.compose.include[0].valueSet[0]",
        "itself",
    ),
    "a supplement": (
        (code_system("s", "a", content="supplement"),),
        "CodeSystem-s.json: CodeSystem.content",
        "supported",
    ),
    "the same code twice": ((code_system("s", "a", "a"),), "CodeSystem-s.json", "csd-1"),
    "an extension for a place that R4 does not know": (
        (extension("e", on="Patient.nose"),),
        "StructureDefinition-e.json: StructureDefinition.context[0].expression",
        "path",
    ),
    "an extension where a FHIRPath says": (
        (extension("e", context=[{"type": "fhirpath", "expression": "Patient"}]),),
        "StructureDefinition-e.json: StructureDefinition.context[0].type",
        "element and extension",
    ),
    "an extension with another url": (
        (
            structure(
                "e",
                "Extension",
                {"id": "Extension.url", "fixedUri": "https://a.example"},
                context=[{"type": "element", "expression": "Patient"}],
            ),
        ),
        f"StructureDefinition-e.json: {ELEMENT}[0].fixedUri",
        "url of the profile",
    ),
    "a message with an unknown profile": (
        (message("m", {"code": "Task", "min": 1, "profile": url("StructureDefinition", "none")}),),
        "MessageDefinition-m.json: MessageDefinition.focus[0].profile",
        "no profile",
    ),
    "a message with a profile of another type": (
        (message("m", {"code": "Patient", "min": 1, "profile": R4 + "Task"}),),
        "MessageDefinition-m.json: MessageDefinition.focus[0].profile",
        "Patient",
    ),
    "a message that needs more than it may have": (
        (message("m", {"code": "Patient", "min": 2, "max": "1"}),),
        "MessageDefinition-m.json: MessageDefinition.focus[0]",
        "above max",
    ),
    "a message that names a type twice": (
        (message("m", {"code": "Patient", "min": 1}, {"code": "Patient", "min": 0}),),
        "MessageDefinition-m.json: MessageDefinition.focus",
        "once",
    ),
    "a message whose event has no code": (
        (message("m", {"code": "Patient", "min": 1}, eventCoding={"system": ACT}),),
        "MessageDefinition-m.json: MessageDefinition.eventCoding",
        "code",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_named_with_its_place_and_its_reason(tmp_path: Path, name: str) -> None:
    trees, place, reason = WRONG[name]
    lines = [each for each in said(tmp_path, *trees) if place in each]
    assert any(reason in each.split(": ", 1)[1] for each in lines), said(tmp_path, *trees)


@pytest.mark.parametrize("name", WRONG)
def test_one_mistake_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    trees, _, _ = WRONG[name]
    assert len(said(tmp_path, *trees)) <= 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"{", ""),
        (b"[]", ""),
        (b'{"resourceType": "ValueSet", "id": "a", "id": "b"}', "twice"),
        (b"\xff", ""),
        (b'{"resourceType": "Values"}', "resourceType"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: bytes, reason: str) -> None:
    (tmp_path / "a.json").write_bytes(text)
    [line, *_] = said(tmp_path)
    assert line.startswith("a.json: ")
    assert reason in line


def test_two_files_of_one_type_and_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    other = request(url=url("StructureDefinition", "other"))
    (tmp_path / "inner" / "other.json").write_text(json.dumps(other))
    assert said(tmp_path, request()) == [
        "inner/other.json: id: another file has this type and id; give each its own."
    ]


def test_a_folder_that_is_empty_or_missing_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ProfileError, match="no profile here"):
            load_profiles(folder)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    lines = said(
        tmp_path,
        request({"id": "nose", "min": 1}, {"id": "intent", "fixedCode": "hope"}),
        code_system("s", "a", content="example"),
        value_set("v", {"system": url("CodeSystem", "none")}),
        message("m", {"code": "Patient", "min": 2, "max": "1"}),
    )
    assert len(lines) == 5
    assert {line.partition(":")[0] for line in lines} == {
        P,
        "CodeSystem-s.json",
        "ValueSet-v.json",
        "MessageDefinition-m.json",
    }


def test_who_leads_to_a_broken_file_is_not_blamed(tmp_path: Path) -> None:
    lines = said(
        tmp_path,
        bound(url("ValueSet", "v")),
        value_set("v", codes(ACT, "a"), status="live"),
        structure("b", "Patient", status="live"),
        message("m", {"code": "Patient", "min": 1, "profile": url("StructureDefinition", "b")}),
    )
    assert {line.partition(":")[0] for line in lines} == {
        "ValueSet-v.json",
        "StructureDefinition-b.json",
    }


def test_files_in_folders_are_read_and_examples_are_not(tmp_path: Path) -> None:
    for name in ("values", "examples"):
        (tmp_path / name).mkdir()
    write(tmp_path / "values", value_set("v", codes(ACT, "a")))
    write(tmp_path / "examples", {"resourceType": "Patient", "id": "e"})
    profiles = load(tmp_path, bound(url("ValueSet", "v")))
    assert set(profiles.documents_by_id) == {("ValueSet", "v"), ("StructureDefinition", "p")}
