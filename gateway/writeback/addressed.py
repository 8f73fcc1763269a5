"""Who is asked: whether a request in a message is for the practice to do.

What enters: the whole message, once, then a request in it. What leaves: yes or no. Where nobody
is named, or somebody who cannot be made out, the practice is taken to be asked: it is worse to
miss a request than to show one too many. A booking is for the practice only where it is named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.referral.identifiers import ODS_CODE_SYSTEM, normal_system
from gateway.referral.json import Json, JsonObject, child, objects, string

MAX_DEPTH: Final = 100
"""Levels of objects and arrays. What nests deeper is not read, and is refused. Our choice."""

_FOLLOWED: Final = {"PractitionerRole": "organization", "HealthcareService": "providedBy"}
_FURTHEST: Final = 3
"""Links followed from a request to an organisation."""


@dataclass(slots=True)
class Index:
    """The resources of one message, by each name that a reference can use."""

    named: dict[str, list[JsonObject]] = field(default_factory=dict)
    focus: list[str] = field(default_factory=list)
    requests: list[JsonObject] = field(default_factory=list)
    is_response: bool = False

    def add(self, name: str | None, resource: JsonObject) -> None:
        """Note one name of a resource."""
        if name:
            self.named.setdefault(name, []).append(resource)

    def holds(self, name: str) -> bool:
        """Whether a resource of this name is in the message."""
        return name in self.named

    def is_focus(self, resource: JsonObject) -> bool:
        """Whether a message is about this resource: its header says so, or it is the one answered.

        The header of a response may name the receiver's Encounter instead. Source: BaRS App6.
        """
        if self.is_response and len(self.requests) == 1 and self.requests[0] is resource:
            return True
        return any(each is resource for name in self.focus for each in self.named.get(name, ()))


def index(tree: JsonObject) -> Index:
    """Note every resource of a message under its names."""
    found = Index()
    for node in _objects_of(tree, 0):
        resource = child(node, "resource")
        if resource is not None:
            found.add(string(node, "fullUrl"), resource)
        type_, id_ = string(node, "resourceType"), string(node, "id")
        if type_ is not None and id_ is not None:
            found.add(f"{type_}/{id_}", node)
            found.add(f"#{id_}", node)
        if type_ == "ServiceRequest":
            found.requests.append(node)
        if type_ == "MessageHeader":
            found.is_response = child(node, "response") is not None
            found.focus += [string(each, "reference") or "" for each in objects(node, "focus")]
    return found


def _objects_of(node: Json, depth: int) -> Iterator[JsonObject]:
    if depth > MAX_DEPTH:
        return
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _objects_of(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _objects_of(value, depth + 1)


def is_for(practice: str, request: JsonObject, known: Index) -> bool:
    """Whether a request is for the practice, or may be."""
    asked = [_organisations(each, known, 0) for each in _addressees(request)]
    if request.get("resourceType") == "Appointment":
        return any(practice in codes for codes in asked)
    return not asked or any(practice in codes or not codes for codes in asked)


def names(practice: str, request: JsonObject, known: Index) -> bool:
    """Whether a request names the practice as the one that is asked."""
    return any(practice in _organisations(each, known, 0) for each in _addressees(request))


def _addressees(request: JsonObject) -> list[JsonObject]:
    match request.get("resourceType"):
        case "Task":
            owner = child(request, "owner")
            return [owner] if owner else []
        case "CommunicationRequest":
            return objects(request, "recipient")
        case "Appointment":
            actors = (child(each, "actor") for each in objects(request, "participant"))
            return [actor for actor in actors if actor]
        case "CarePlan":
            details = (child(each, "detail") or {} for each in objects(request, "activity"))
            return [each for detail in details for each in objects(detail, "performer")]
        case "MedicationRequest":
            performer = child(request, "performer")
            return [performer] if performer else []
        case _:
            return objects(request, "performer")


def _organisations(reference: JsonObject, known: Index, followed: int) -> frozenset[str]:
    """Return the ODS codes that a reference leads to; none where it cannot be made out."""
    code = _ods_code(child(reference, "identifier") or {})
    if code is not None:
        return frozenset({code})
    codes: set[str] = set()
    for resource in known.named.get(string(reference, "reference") or "", ()):
        codes |= {c for each in objects(resource, "identifier") if (c := _ods_code(each))}
        link = child(resource, _FOLLOWED.get(string(resource, "resourceType") or "", ""))
        if link is not None and followed < _FURTHEST:
            codes |= _organisations(link, known, followed + 1)
    return frozenset(codes)


def _ods_code(identifier: JsonObject) -> str | None:
    if normal_system(string(identifier, "system") or "") != ODS_CODE_SYSTEM:
        return None
    value = string(identifier, "value")
    return value.strip().upper() if value else None
