"""What a message itself marks: protected persons, sensitive items, recorded objections, work.

What enters: the tree of one message. What leaves: Marks. A label that this house does not know
counts as restricted. Not read: free text, and what nobody coded.
Source: PDS for the mark of a protected person; SNOMED CT UK for objections in a GP record; our
own profiles for employment and absence.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gateway.consent.labels import RESTRICTED, is_everyday, label_of
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject, child, objects, string

_SNOMED = "http://snomed.info/sct"
_DECLINED_THIRD_PARTY = "320011000000108"
_TYPE_1 = "827241000000103"
_UNKNOWN_LABEL = "R"
_HANDLING = frozenset(
    "HTEST NORDSCLCD NOREUSE NOMOU NODSCLCDS MINEC REDACTED SUBSETTED DELAU CPLYCD".split()
)
"""Marks that tell how to handle data, or that they are test data; none says how sensitive."""
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
    labels: tuple[str, ...]
    dissent: bool
    type1: bool
    employed: bool | None
    absence_ok: bool
    practice_is_employer: bool | None


def marks_of(tree: JsonObject, at: datetime) -> Marks:
    """Read the marks of one message, as of an instant."""
    resources = list(_resources(tree))
    marked = [r for r in resources if "meta" in r]
    protected = {label for r in marked if _is_patient(r) for label in _labels(r)}
    labels = {label for r in marked if not _is_patient(r) for label in _labels(r)}
    coded = {code for r in resources if "code" in r and _counts(r) for code in _codes(r)}
    extended = [r for r in resources if "extension" in r]
    work = [part for r in extended for part in _parts(r, _EMPLOYMENT)]
    absence = [part for r in extended for part in _parts(r, _ABSENCE)]
    return Marks(
        is_protected=not protected.isdisjoint(RESTRICTED),
        labels=tuple(sorted(labels | (protected - RESTRICTED))),
        dissent=_DECLINED_THIRD_PARTY in coded,
        type1=_TYPE_1 in coded,
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


def _labels(resource: JsonObject) -> Iterator[str]:
    for coding in objects(child(resource, "meta") or {}, "security"):
        label = label_of(coding)
        if label is None and string(coding, "code") not in _HANDLING:
            label = _UNKNOWN_LABEL
        if label is not None and not is_everyday(label):
            yield label


def _counts(resource: JsonObject) -> bool:
    return resource.get("status") not in {"entered-in-error", "cancelled", "inactive"}


def _codes(resource: JsonObject) -> Iterator[str | None]:
    for coding in objects(child(resource, "code") or {}, "coding"):
        if coding.get("system") == _SNOMED:
            yield string(coding, "code")


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
