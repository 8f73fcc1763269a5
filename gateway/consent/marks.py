"""What a message itself marks: protected persons, recorded objections, work.

What enters: the tree of one message. What leaves: Marks. A label that this house does not know
counts as restricted. Not read: free text, and what nobody coded. Sensitive items: `items`;
objections: `objections`. Source: PDS for the mark of a protected person; our own profiles for
employment and absence.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.consent.items import read_item
from gateway.consent.labels import RESTRICTED
from gateway.consent.objections import Objections, objections_of
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject, child, objects, string

_EMPLOYMENT = f"{OWN_BASE}/StructureDefinition/employment"
_ABSENCE = f"{OWN_BASE}/StructureDefinition/absence"
_EMPLOYED = {"employed": True, "agency": True, "not-employed": False, "self-employed": None}
_FOUR_WEEKS = timedelta(weeks=4)
_DAYS = {"d": 1, "wk": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What was found. `employed` and `absence_ok` are true where the message is silent.

    Whoever refers to the Health and Work service says by it that its conditions are met, in a
    letter as in a form; only the form's own fields can say otherwise.
    """

    is_protected: bool
    objections: Objections
    employed: bool | None
    absence_ok: bool
    practice_is_employer: bool | None


def marks_of(tree: JsonObject, at: datetime) -> Marks:
    """Read the marks of one message, as of an instant."""
    resources = list(_resources(tree))
    protected = {label for r in resources if _is_patient(r) for label in read_item(r).labels}
    extended = [r for r in resources if "extension" in r]
    work = [part for r in extended for part in _parts(r, _EMPLOYMENT)]
    absence = [part for r in extended for part in _parts(r, _ABSENCE)]
    return Marks(
        is_protected=not protected.isdisjoint(RESTRICTED),
        objections=objections_of(resources, at),
        employed=_EMPLOYED.get(_coded(work, "status") or "", True),
        absence_ok=_is_long(absence, at.date()),
        practice_is_employer=_flag(work, "practiceIsEmployer"),
    )


def _resources(tree: JsonObject) -> Iterator[JsonObject]:
    """Give a resource, what it contains, and what a Bundle carries."""
    yield tree
    yield from objects(tree, "contained")
    for entry in objects(tree, "entry"):
        resource = child(entry, "resource")
        if resource is not None:
            yield from _resources(resource)


def _is_patient(resource: JsonObject) -> bool:
    return resource.get("resourceType") == "Patient"


def _parts(resource: JsonObject, url: str) -> Iterator[JsonObject]:
    for extension in objects(resource, "extension"):
        if extension.get("url") == url:
            yield from objects(extension, "extension")


def _value(parts: list[JsonObject], url: str, name: str) -> Json:
    return next((p.get(name) for p in parts if p.get("url") == url), None)


def _coded(parts: list[JsonObject], url: str) -> str | None:
    concept = _value(parts, url, "valueCodeableConcept")
    codings = objects(concept, "coding") if isinstance(concept, dict) else []
    return next((string(c, "code") for c in codings), None)


def _flag(parts: list[JsonObject], url: str) -> bool | None:
    value = _value(parts, url, "valueBoolean")
    return value if isinstance(value, bool) else None


def _day(parts: list[JsonObject], url: str) -> date | None:
    value = _value(parts, url, "valueDate")
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_long(absence: list[JsonObject], today: date) -> bool:
    """Whether an absence has come to four weeks or may: false only where the form says less."""
    status = _coded(absence, "status")
    start, back = _day(absence, "start"), _day(absence, "expectedReturn")
    length = _value(absence, "expectedLength", "valueDuration")
    if status == "returned":
        return False
    if start is not None and today - start >= _FOUR_WEEKS:
        return True
    if start is not None and back is not None:
        return back - start >= _FOUR_WEEKS
    return _lasts(length) if isinstance(length, dict) else True


def _lasts(length: JsonObject) -> bool:
    value, days = length.get("value"), _DAYS.get(string(length, "code") or "")
    if days is None or value is None or isinstance(value, str | bool | list | dict):
        return True
    return value * days >= _FOUR_WEEKS.days
