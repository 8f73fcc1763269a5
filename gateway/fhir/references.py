"""References inside one message: what each of them points to.

What enters: a resource with contained ones, or a Bundle. What leaves: an Index.
Not checked: references to things outside the message, such as the journey's EpisodeOfCare.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.referral.identifiers import ODS_CODE_SYSTEM, OdsCode, normal_system
from gateway.referral.json import JsonObject, child, objects, string


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a message: where it stands (a FHIRPath), and its type."""

    path: str
    resource: JsonObject
    type: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", string(self.resource, "resourceType") or "")


@dataclass(frozen=True, slots=True)
class Index:
    """Every resource of a message, by position and by each reference that names it."""

    parts: tuple[Part, ...]
    by_reference: Mapping[str, Part]
    roles: Mapping[str, Sequence[Part]]
    """The PractitionerRoles of each Practitioner, by its path."""

    def of_type(self, name: str) -> list[Part]:
        """List the resources of one type, in order."""
        return [part for part in self.parts if part.type == name]

    def follow(self, reference: JsonObject | None) -> Part | None:
        """Return what a Reference points to; None if it is outside the message."""
        if reference is None:
            return None
        return self.by_reference.get(string(reference, "reference") or "")

    def organisation(self, reference: JsonObject | None) -> OdsCode | None:
        """Return the ODS code of the organisation that a Reference leads to, if any.

        A Reference may carry the code itself, or point to an Organization, or to a
        PractitionerRole, or to a Practitioner whose only role in the message has one.
        """
        if reference is None:
            return None
        code = _ods_of([child(reference, "identifier") or {}])
        if code is not None:
            return code
        part = self.follow(reference)
        if part is None:
            return None
        if part.type == "Organization":
            return _ods_of(objects(part.resource, "identifier"))
        if part.type == "PractitionerRole":
            return self._organisation_of_role(part)
        if part.type == "Practitioner":
            codes = {self._organisation_of_role(role) for role in self.roles.get(part.path, ())}
            return codes.pop() if len(codes) == 1 else None
        return None

    def _organisation_of_role(self, role: Part) -> OdsCode | None:
        reference = child(role.resource, "organization")
        target = self.follow(reference)
        # A role leads to an Organization, or nowhere: so no two roles can lead in a circle.
        return self.organisation(reference) if _is_end(target) else None


def index(message: JsonObject) -> Index:
    """Index a resource with those that it contains, or the entries of a Bundle.

    Raises:
        InvalidMessageError: two different resources answer to one reference.
    """
    if string(message, "resourceType") == "Bundle":
        parts = tuple(_entries(message))
    else:
        own = string(message, "resourceType") or "ServiceRequest"
        parts = (Part(own, message), *_contained(message, own))
    named: dict[str, Part] = {}
    for part, names in _names(message, parts):
        for name in names:
            if named.setdefault(name, part) is not part:
                raise InvalidMessageError(
                    Fault(
                        code=IssueCode.INVALID,
                        expression=part.path,
                        diagnostics="Another resource of this message has the same fullUrl or"
                        " id. Give each resource its own.",
                    )
                )
    return Index(parts, named, _roles(parts, named))


def _is_end(target: Part | None) -> bool:
    return target is None or target.type == "Organization"


def _roles(parts: tuple[Part, ...], named: Mapping[str, Part]) -> Mapping[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        if part.type == "PractitionerRole":
            reference = child(part.resource, "practitioner") or {}
            practitioner = named.get(string(reference, "reference") or "")
            if practitioner is not None:
                found.setdefault(practitioner.path, []).append(part)
    return found


def _entries(bundle: JsonObject) -> Iterator[Part]:
    entries = bundle.get("entry")
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        resource = child(entry, "resource") if isinstance(entry, dict) else None
        if resource is not None:
            yield Part(f"Bundle.entry[{position}].resource", resource)


def _contained(resource: JsonObject, own: str) -> Iterator[Part]:
    for position, inner in enumerate(objects(resource, "contained")):
        yield Part(f"{own}.contained[{position}]", inner)


def _names(message: JsonObject, parts: tuple[Part, ...]) -> Iterator[tuple[Part, list[str]]]:
    if string(message, "resourceType") != "Bundle":
        for part in parts[1:]:
            yield part, [f"#{string(part.resource, 'id') or ''}"]
        return
    urls = [
        string(e, "fullUrl") for e in objects(message, "entry") if child(e, "resource") is not None
    ]
    for part, url in zip(parts, urls, strict=True):
        own = string(part.resource, "id")
        yield part, [name for name in (url, f"{part.type}/{own}" if own else None) if name]


def _ods_of(identifiers: list[JsonObject]) -> OdsCode | None:
    for identifier in identifiers:
        if normal_system(string(identifier, "system") or "") == ODS_CODE_SYSTEM:
            try:
                return OdsCode(string(identifier, "value") or "")
            except ValueError:
                return None
    return None
