"""Part of a resource, for a reader who asked for part of it.

What enters: a resource, or a Bundle of them, and which part is wanted. What leaves: copies
with only that part, tagged SUBSETTED so that nobody takes them for the whole, and claiming no
profile, of which a part may lack what it asks; never the reader's input changed. What a resource cannot do without, what changes the meaning of the
rest, and contained resources that what is kept points to are kept whatever is asked: a part
breaks no rule but those that look at several elements at once. Source: FHIR R4 search.html, sections 3.1.1.5.8 and 3.1.1.5.9.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.referral.json import Json, JsonObject, child, objects, string

_ALWAYS: Final = frozenset({"resourceType", "id", "meta"})
_WHOLE_TYPES: Final = frozenset({"Extension", "Meta"})
"""Types of which no part makes sense alone."""

_SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}


class Summary(StrEnum):
    """The values of `_summary`."""

    TRUE = "true"
    TEXT = "text"
    DATA = "data"
    COUNT = "count"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of each resource is wanted: of both members, one at most is set."""

    summary: Summary = Summary.FALSE
    elements: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Say whether nothing is to be left out."""
        return self.summary is Summary.FALSE and not self.elements


def part_of(tree: JsonObject, part: Part) -> JsonObject:
    """Leave out what is not wanted: of a resource, or of each resource in a Bundle.

    An OperationOutcome is always whole. Of a count, the Bundle keeps all but its entries.
    """
    if part.is_whole:
        return tree
    if string(tree, "resourceType") != "Bundle":
        return _narrowed(tree, part)
    if part.summary is Summary.COUNT:
        return {key: value for key, value in tree.items() if key != "entry"}
    entries: list[Json] = [_entry(entry, part) for entry in objects(tree, "entry")]
    return {**tree, "entry": entries} if entries else tree


def _entry(entry: JsonObject, part: Part) -> JsonObject:
    resource = child(entry, "resource")
    return entry if resource is None else {**entry, "resource": _narrowed(resource, part)}


def _narrowed(resource: JsonObject, part: Part) -> JsonObject:
    spec = load_tables().types.get(string(resource, "resourceType") or "")
    if spec is None or spec.name == "OperationOutcome":
        return resource
    if part.summary is Summary.TRUE:
        kept = _summarised(resource, spec)
        contained = [_summary_of(each) for each in objects(resource, "contained")]
    else:
        wanted = _chooser(spec, part)
        kept = {key: value for key, value in resource.items() if wanted(key.removeprefix("_"))}
        contained = objects(resource, "contained")
    if "contained" not in kept and (needed := _pointed_to(kept, contained)):
        kept["contained"] = needed
    return _tagged(kept)


def _chooser(spec: TypeSpec, part: Part) -> Callable[[str], bool]:
    """Say of each property of a resource whether it is wanted."""
    if part.summary is Summary.DATA:
        return lambda name: name != "text"
    always = _ALWAYS | _mandatory(spec)
    if part.summary is Summary.TEXT:
        return lambda name: name in always or name == "text"
    asked = {name.removeprefix(f"{spec.name}.") for name in part.elements}

    def wanted(name: str) -> bool:
        element = spec.elements.get(name)
        if name in always or name in asked:
            return True
        return element is not None and (element.is_modifier or element.label in asked)

    return wanted


@cache
def _mandatory(spec: TypeSpec) -> frozenset[str]:
    return frozenset(name for _, names in spec.required for name in names)


def _summary_of(resource: JsonObject) -> JsonObject:
    spec = load_tables().types.get(string(resource, "resourceType") or "")
    return resource if spec is None else _summarised(resource, spec)


def _summarised(node: JsonObject, spec: TypeSpec) -> JsonObject:
    """Keep what the definitions count to the summary, here and further down."""
    kept: JsonObject = {}
    for key, value in node.items():
        element = spec.elements.get(key.removeprefix("_"))
        if element is None or not _is_kept(element, spec):
            continue
        if element.inner is None or element.type_name in _WHOLE_TYPES:
            kept[key] = value
        elif (smaller := _smaller(value, element.inner)) or element.name in _mandatory(spec):
            kept[key] = smaller or value
    return kept


def _is_kept(element: ElementSpec, spec: TypeSpec) -> bool:
    return (
        element.summary
        or element.is_modifier
        or element.name in _ALWAYS
        or element.name in _mandatory(spec)
    )


def _smaller(value: Json, spec: TypeSpec) -> Json:
    """Summarise one object or each of an array; those of which nothing is left are left out."""
    if isinstance(value, list):
        kept = [_summarised(each, spec) for each in value if isinstance(each, dict)]
        return [each for each in kept if each]
    return _summarised(value, spec) if isinstance(value, dict) else value


def _pointed_to(kept: JsonObject, contained: list[JsonObject]) -> list[Json]:
    """Return the contained resources to which what is kept leads, by any number of steps."""
    by_id = {string(each, "id"): each for each in contained}
    found: set[str | None] = set()
    waiting = list(_local_references(kept))
    while waiting:
        name = waiting.pop()
        if name in by_id and name not in found:
            found.add(name)
            waiting += _local_references(by_id[name])
    return [each for name, each in by_id.items() if name in found]


def _local_references(node: Json) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _local_references(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str) and value.startswith("#"):
                yield value[1:]
            else:
                yield from _local_references(value)


def _tagged(resource: JsonObject) -> JsonObject:
    meta = child(resource, "meta") or {}
    tags = objects(meta, "tag")
    if any(string(tag, "code") == "SUBSETTED" for tag in tags):
        return resource
    own: JsonObject = {**_SUBSETTED}
    shown: JsonObject = {"resourceType": None, "id": None, **resource}
    whole: list[Json] = [*tags, own]
    claims_none = {key: value for key, value in meta.items() if key != "profile"}
    shown["meta"] = {**claims_none, "tag": whole}
    return {key: value for key, value in shown.items() if value is not None}
