"""Rules of StructureDefinition. See `gateway.fhir.invariants`.

The rules of a snapshot or differential that ask about the whole structure are asked of the
structure; the places they name are those of the elements.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from gateway.fhir.invariants.rule import Invariant, are_distinct, has, has_choice, is_one_of
from gateway.referral.json import JsonObject, child, objects, string

_HL7: Final = "http://hl7.org/fhir/StructureDefinition"
_SYSTEM_TYPE: Final = r"http://hl7\.org/fhirpath/System\.[A-Z][A-Za-z]+"
_FHIR_TYPE: Final = re.compile(rf"[a-zA-Z0-9]+|{_SYSTEM_TYPE}", re.ASCII).fullmatch
_FHIR_PATH_TYPE: Final = re.compile(rf"[a-zA-Z0-9.]+|{_SYSTEM_TYPE}", re.ASCII).fullmatch
_VIEWS: Final = ("snapshot", "differential")

IsWrong = Callable[[JsonObject], bool]


def _listed(structure: JsonObject, view: str) -> list[tuple[int, JsonObject]]:
    """Return the elements of a view, each with its true position."""
    members = (child(structure, view) or {}).get("element")
    every = enumerate(members if isinstance(members, list) else [])
    return [(index, each) for index, each in every if isinstance(each, dict)]


def _find(structure: JsonObject, views: tuple[str, ...], is_wrong: IsWrong) -> Iterator[str]:
    for view in views:
        for index, element in _listed(structure, view):
            if is_wrong(element):
                yield f".{view}.element[{index}]"


def _no_element(key: str, says: str, is_wrong: IsWrong, *views: str) -> Invariant:
    """Make a rule that no element of the views may break."""
    return Invariant(
        "StructureDefinition",
        key,
        says,
        lambda structure: next(_find(structure, views, is_wrong), None) is None,
        lambda structure: list(_find(structure, views, is_wrong)),
    )


def _is_root(element: JsonObject) -> bool:
    path = string(element, "path")
    return path is not None and "." not in path


def _first(structure: JsonObject, view: str) -> JsonObject:
    return next((element for _, element in _listed(structure, view)), {})


def _is_logical(structure: JsonObject) -> bool:
    return is_one_of(structure, "kind", "logical")


def _distinct(structure: JsonObject, view: str, name: str) -> bool:
    return are_distinct([element.get(name) for _, element in _listed(structure, view)])


def _snapshot_first_is_the_type(structure: JsonObject) -> bool:
    path = string(_first(structure, "snapshot"), "path")
    return _is_logical(structure) or path is None or path == string(structure, "type")


def _tail_starts_with(structure: JsonObject, view: str, root: str) -> bool:
    tail = _listed(structure, view)[1:]
    return all((string(each, "path") or "").startswith(root + ".") for _, each in tail)


def _snapshot_is_of_the_type(structure: JsonObject) -> bool:
    root = string(_first(structure, "snapshot"), "path")
    return root is None or (
        _snapshot_first_is_the_type(structure) and _tail_starts_with(structure, "snapshot", root)
    )


def _differential_is_of_the_type(structure: JsonObject) -> bool:
    path = string(_first(structure, "differential"), "path")
    if path is None:
        return True
    starts = _is_logical(structure) or path.startswith(string(structure, "type") or "")
    return starts and _tail_starts_with(structure, "differential", path.partition(".")[0])


def _differential_root_has_no_type(structure: JsonObject) -> bool:
    first = _first(structure, "differential")
    return _is_logical(structure) or not _is_root(first) or not has(first, "type")


def _has_context(structure: JsonObject) -> bool:
    return (
        not is_one_of(structure, "type", "Extension")
        or is_one_of(structure, "derivation", "specialization")
        or has(structure, "context")
    )


def _is_official(structure: JsonObject) -> bool:
    return (string(structure, "url") or "").startswith(_HL7)


def _uses_fhir_types(structure: JsonObject) -> bool:
    if not _is_official(structure):
        return True
    return all(
        is_type(string(typed, "code") or "")
        for view, is_type in zip(_VIEWS, (_FHIR_PATH_TYPE, _FHIR_TYPE), strict=True)
        for _, element in _listed(structure, view)
        for typed in objects(element, "type")
    )


def _has_default(structure: JsonObject, *views: str) -> bool:
    return any(
        has_choice(element, "defaultValue")
        for view in views
        for _, element in _listed(structure, view)
    )


def _is_described_at_the_root(element: JsonObject) -> bool:
    return _is_root(element) and any(has(element, n) for n in ("label", "code", "requirements"))


INVARIANTS: Final = (
    Invariant(
        "StructureDefinition",
        "sdf-1",
        "each path stands once in the snapshot of a specialization",
        lambda structure: (
            is_one_of(structure, "derivation", "constraint")
            or _distinct(structure, "snapshot", "path")
        ),
    ),
    Invariant(
        "StructureDefinition.mapping",
        "sdf-2",
        "a mapping needs a name or a uri",
        lambda mapping: has(mapping, "name") or has(mapping, "uri"),
    ),
    _no_element(
        "sdf-3",
        "an element of a snapshot needs definition, min and max",
        lambda element: not all(has(element, name) for name in ("definition", "min", "max")),
        "snapshot",
    ),
    Invariant(
        "StructureDefinition",
        "sdf-4",
        "a structure that is not abstract needs a baseDefinition",
        lambda structure: structure.get("abstract") is True or has(structure, "baseDefinition"),
    ),
    Invariant(
        "StructureDefinition",
        "sdf-5",
        "an extension says where it may stand: context",
        _has_context,
    ),
    Invariant(
        "StructureDefinition",
        "sdf-6",
        "give a differential or a snapshot",
        lambda structure: any(has(structure, view) for view in _VIEWS),
    ),
    Invariant(
        "StructureDefinition",
        "sdf-8",
        "the paths of a snapshot start with the type that is defined",
        _snapshot_is_of_the_type,
        lambda _structure: [".snapshot"],
    ),
    Invariant(
        "StructureDefinition",
        "sdf-8a",
        "the paths of a differential start with the type that is defined",
        _differential_is_of_the_type,
        lambda _structure: [".differential"],
    ),
    _no_element(
        "sdf-8b",
        "an element of a snapshot needs a base",
        lambda element: not has(element, "base"),
        "snapshot",
    ),
    _no_element(
        "sdf-9",
        "the first element has no label, code or requirements",
        _is_described_at_the_root,
        *_VIEWS,
    ),
    _no_element(
        "sdf-10",
        "a binding needs a valueSet or a description",
        lambda element: (
            has(element, "binding")
            and not any(
                has(child(element, "binding") or {}, name) for name in ("valueSet", "description")
            )
        ),
        "snapshot",
    ),
    Invariant(
        "StructureDefinition",
        "sdf-11",
        "the first path of the snapshot is the type that is defined",
        _snapshot_first_is_the_type,
        lambda _structure: [".snapshot.element[0].path"],
    ),
    _no_element("sdf-14", "an element needs an id", lambda each: not has(each, "id"), *_VIEWS),
    Invariant(
        "StructureDefinition",
        "sdf-15",
        "the first element of a snapshot has no type, but for a logical model",
        lambda structure: _is_logical(structure) or not has(_first(structure, "snapshot"), "type"),
        lambda _structure: [".snapshot.element[0].type"],
    ),
    Invariant(
        "StructureDefinition",
        "sdf-15a",
        "the root element of a differential has no type, but for a logical model",
        _differential_root_has_no_type,
        lambda _structure: [".differential.element[0].type"],
    ),
    Invariant(
        "StructureDefinition",
        "sdf-16",
        "the id of each element of the snapshot must be unique",
        lambda structure: _distinct(structure, "snapshot", "id"),
        lambda _structure: [".snapshot"],
    ),
    Invariant(
        "StructureDefinition",
        "sdf-17",
        "the id of each element of the differential must be unique",
        lambda structure: _distinct(structure, "differential", "id"),
        lambda _structure: [".differential"],
    ),
    Invariant(
        "StructureDefinition",
        "sdf-18",
        "only an extension has a contextInvariant",
        lambda structure: (
            is_one_of(structure, "type", "Extension") or not has(structure, "contextInvariant")
        ),
    ),
    Invariant(
        "StructureDefinition",
        "sdf-19",
        "a definition of FHIR itself uses the types of FHIR only",
        _uses_fhir_types,
    ),
    _no_element(
        "sdf-20",
        "the first element has no slicing",
        lambda element: _is_root(element) and has(element, "slicing"),
        "differential",
    ),
    Invariant(
        "StructureDefinition",
        "sdf-21",
        "only a specialization has default values",
        lambda structure: (
            is_one_of(structure, "derivation", "specialization")
            or not _has_default(structure, "differential")
        ),
    ),
    Invariant(
        "StructureDefinition",
        "sdf-22",
        "a definition of FHIR itself has no default values",
        lambda structure: not (_is_official(structure) and _has_default(structure, *_VIEWS)),
    ),
    _no_element(
        "sdf-23",
        "the first element has no sliceName",
        lambda element: _is_root(element) and has(element, "sliceName"),
        *_VIEWS,
    ),
)
