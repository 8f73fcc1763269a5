"""What a message asks a practice to take over, and from when.

What enters: a message, and where `gateway.writeback.content` found such requests. What leaves: a
request for each kind of work that one asks for. The kind is told by the resource's type, never by
what it says of itself; where the day is not said whole, it is not known. Must never: keep any
other word of the message. Source: FHIR R4; the sharing rules, section 1.

| Type | Work | Begins |
|---|---|---|
| MedicationRequest | prescribe | dispenseRequest.validityPeriod.start |
| CarePlan | monitor, and what the kinds of its activities are | period.start |
| ServiceRequest | do-work | occurrenceDateTime, or occurrencePeriod.start |
| Task | do-work | restriction.period.start |
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from gateway.referral.instants import day_of, read_instant
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.writeback.content import Found
from gateway.writeback.shared_care import SharedCareRequest, SharedWork

_WORK: Final[Mapping[str, SharedWork]] = {
    "MedicationRequest": SharedWork.PRESCRIBE,
    "CarePlan": SharedWork.MONITOR,
}
_BEGINS: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "MedicationRequest": (("dispenseRequest", "validityPeriod", "start"),),
    "CarePlan": (("period", "start"),),
    "ServiceRequest": (("occurrenceDateTime",), ("occurrencePeriod", "start")),
    "Task": (("restriction", "period", "start"),),
}
_STEP: Final = re.compile(r"\.([A-Za-z]+)|\[(\d{1,6})\]")


def shared_care_of(tree: JsonObject, found: Sequence[Found]) -> tuple[SharedCareRequest, ...]:
    """Say what is asked of the practice, in the order of the message."""
    return tuple(asked for each in found for asked in _asked(tree, each))


def _asked(tree: JsonObject, found: Found) -> Iterator[SharedCareRequest]:
    resource = _at(tree, found)
    begins_on = _begins_on(resource, found.what)
    for work in _works(resource, found.what):
        yield SharedCareRequest(work=work, begins_on=begins_on)


def _works(resource: JsonObject, type_: str) -> Sequence[SharedWork]:
    works = {_WORK.get(type_, SharedWork.DO_WORK)}
    for activity in objects(resource, "activity"):
        kind = string(child(activity, "detail") or {}, "kind")
        if kind is not None:
            works.add(_WORK.get(kind, SharedWork.DO_WORK))
    return sorted(works)


def _begins_on(resource: JsonObject, type_: str) -> date | None:
    """Return the day on which it begins, where the message says exactly that."""
    for path in _BEGINS.get(type_, ()):
        *way, last = path
        node: JsonObject | None = resource
        for name in way:
            node = child(node or {}, name)
        text = string(node or {}, last)
        if text is not None:
            return _day(text)
    return None


def _day(text: str) -> date | None:
    try:
        return day_of(read_instant(text))
    except ValueError:
        return None


def _at(tree: JsonObject, found: Found) -> JsonObject:
    """Find a resource by its place; nothing where that leads elsewhere."""
    node: Json = tree
    for name, number in _STEP.findall(found.expression):
        if isinstance(node, dict) and name:
            node = node.get(name)
        elif isinstance(node, list) and number and int(number) < len(node):
            node = node[int(number)]
        else:
            return {}
    is_it = isinstance(node, dict) and node.get("resourceType") == found.what
    return node if is_it and isinstance(node, dict) else {}
