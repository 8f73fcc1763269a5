"""Small profile files, and the folder they are read from."""

import json
from pathlib import Path
from typing import Any, Final

from gateway.errors import Fault
from gateway.fhir.profiles.load import load_profiles
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.validate import validate
from gateway.referral.json import JsonObject

BASE: Final = "https://profiles.example/"
R4: Final = "http://hl7.org/fhir/StructureDefinition/"
ACT: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def url(kind: str, name: str) -> str:
    return f"{BASE}{kind}/{name}"


def structure(name: str, type_name: str, *elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Make a profile. An element is written with its id alone; path and sliceName follow."""
    rows = [_element(each) for each in elements]
    kind = "resource" if type_name[0].isupper() and type_name not in DATATYPES else "complex-type"
    tree = {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": url("StructureDefinition", name),
        "name": name.title().replace("-", ""),
        "status": "active",
        "kind": kind,
        "abstract": False,
        "type": type_name,
        "baseDefinition": R4 + type_name,
        "derivation": "constraint",
        "differential": {"element": rows or [{"id": type_name, "path": type_name}]},
    }
    return {key: each for key, each in (tree | more).items() if each is not None}


DATATYPES: Final = frozenset({"Extension", "Identifier", "Coding", "CodeableConcept", "HumanName"})


def _element(row: dict[str, Any]) -> dict[str, Any]:
    steps = [step.partition(":") for step in row["id"].split(".")]
    named: dict[str, Any] = {"path": ".".join(name for name, _, _ in steps)}
    if steps[-1][2]:
        named["sliceName"] = steps[-1][2]
    return {**named, **row}


def extension(
    name: str, *elements: dict[str, Any], on: str = "Patient", **more: Any
) -> dict[str, Any]:
    own = url("StructureDefinition", name)
    rows = ({"id": "Extension.url", "fixedUri": own}, *elements)
    context = [{"type": "element", "expression": on}]
    return structure(name, "Extension", *rows, **{"context": context, **more})


def value_set(name: str, *includes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "id": name,
        "url": url("ValueSet", name),
        "status": "active",
        "compose": {"include": list(includes)},
    } | more


def codes(system: str, *listed: str) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in listed]}


def code_system(name: str, *listed: str, **more: Any) -> dict[str, Any]:
    tree = {
        "resourceType": "CodeSystem",
        "id": name,
        "url": url("CodeSystem", name),
        "status": "active",
        "content": "complete",
    }
    return tree | ({"concept": [{"code": code} for code in listed]} if listed else {}) | more


def message(name: str, *focus: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MessageDefinition",
        "id": name,
        "url": url("MessageDefinition", name),
        "name": name,
        "status": "active",
        "date": "2026-11-01",
        "eventCoding": {"system": url("CodeSystem", "events"), "code": "ask"},
        "focus": list(focus),
    } | more


def slicing(path: str, kind: str = "value", rules: str = "open") -> dict[str, Any]:
    return {"discriminator": [{"type": kind, "path": path}], "rules": rules}


def write(folder: Path, *trees: dict[str, Any]) -> Path:
    """Write each tree to a file that is called after its type and id."""
    folder.mkdir(exist_ok=True)
    for tree in trees:
        name = f"{tree.get('resourceType')}-{tree.get('id')}.json"
        (folder / name).write_text(json.dumps(tree), encoding="utf-8")
    return folder


def load(folder: Path, *trees: dict[str, Any]) -> Profiles:
    return load_profiles(write(folder, *trees))


def faults(profiles: Profiles, tree: JsonObject, *names: str) -> list[tuple[str | None, str]]:
    """Hold a resource against profiles by name. Returns: place and code of each fault."""
    return [(each.expression, each.code.value) for each in full_faults(profiles, tree, *names)]


def full_faults(profiles: Profiles, tree: JsonObject, *names: str) -> list[Fault]:
    expected = {str(tree["resourceType"]): [url("StructureDefinition", name) for name in names]}
    return validate(tree, profiles=profiles, expected=expected)
