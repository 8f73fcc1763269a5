"""The employer's copy: function and adjustments, built from a declared minimum dataset.

What enters: the tree of a report (R4), the dataset (`mappings/employer-copy/minimum.json`), the
day of the report, and which notes the person has seen. What leaves: a new tree and its lines.

Nothing is ever taken out, because nothing is taken over. Codes and words are those of the dataset,
a day and a number are read and written again, and what the dataset does not name is not looked at.
One thing passes as it was written: a note that the provider put into the dataset's own item for the
employer, that the person has seen word for word, and in which nothing looks like a number of a
person, a date or a code.

Not checked: whether the words of a note are clinical. A person reads it, and that person is whom
it is about. Who it is about is not in the copy: whoever sends it knows.
Source: the sharing rules, R50 and section 11, no. 6; UK GDPR, article 5(1)(c).
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeAlias, assert_never

from gateway.errors import Fault, IssueCode, Severity
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.writeback.employer_minimum import EmployerMinimum, Item, ItemKind
from gateway.writeback.employer_note import why_refused

UCUM = "http://unitsofmeasure.org"
_SETTLED = frozenset({"final", "amended", "corrected"})
_NOT_UNDERSTOOD = ("modifierExtension", "implicitRules", "dataAbsentReason")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmployerCopy:
    """What the employer may read, as FHIR and as lines. `left_out`: what the provider must mend.

    `is_complete` says that nothing is missing which the dataset asks for; else it may not go.
    """

    tree: JsonObject = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    left_out: tuple[Fault, ...]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """One value as the copy writes it: how it sorts, the element of FHIR, and its words."""

    rank: int
    element: str
    value: Json
    words: str


_Read: TypeAlias = _Written | Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An Observation that states an item, and where it stands."""

    item: Item
    at: str
    tree: JsonObject


def digest_of_note(text: str) -> str:
    """Name the exact words of a note: SHA-256 of their UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def notes_to_show(report: JsonObject, minimum: EmployerMinimum) -> tuple[str, ...]:
    """List the notes for the employer that the person is to see, as they were written."""
    notes = (
        string(each.tree, "valueString")
        for each in _found(report, minimum)
        if each.item.kind is ItemKind.NOTE
    )
    return tuple(dict.fromkeys(note for note in notes if note is not None))


def build_employer_copy(
    report: JsonObject, minimum: EmployerMinimum, *, written_on: date, seen: Collection[str]
) -> EmployerCopy:
    """Build what an employer or HR service may read of a report.

    Args:
        report: an Observation, or a Bundle or another resource that holds some.
        minimum: the dataset.
        written_on: the day of the report; no day in the copy is before it.
        seen: `digest_of_note` of each note that the person has seen.
    """
    components: list[Json] = []
    lines: list[str] = []
    left_out: list[Fault] = []
    is_complete = True
    found = tuple(_found(report, minimum))
    for item in minimum.items:
        stated = [each for each in found if each.item is item]
        read = [_read(each, written_on, seen, minimum.system) for each in stated]
        left_out += [each for each in read if isinstance(each, Fault)]
        written = {each.words: each for each in read if isinstance(each, _Written)}
        if len(written) > 1 and not item.is_many:
            left_out.append(_fault(stated[0].at, _TWICE))
            written = {}
        for each in sorted(written.values(), key=lambda one: one.rank):
            code = _coding(minimum.system, item.code, item.label)
            components.append({"code": {"coding": [code]}, each.element: each.value})
            lines.append(f"{item.label}: {each.words}")
        is_complete = is_complete and (bool(written) or not item.is_required)
    return EmployerCopy(
        tree=_tree(minimum.system, written_on, components),
        lines=tuple(lines),
        left_out=tuple(left_out),
        is_complete=is_complete and bool(components),
    )


_TWICE = "It is said more than once, and differently: say it once."
_UNSETTLED = "It is not final: send it when it is, with status final, amended or corrected."
_LABELLED = "It bears a label of sensitivity: an employer gets no labelled part; leave it out."
_MODIFIED = "It bears an element that changes its meaning in a way not known here: leave that out."
_NO_CHOICE = "No code of it is in the closed list of the minimum dataset: choose one of the list."
_TWO_CHOICES = "Its codes name different entries of the closed list: choose one."
_NO_DAY = "valueDateTime is to be a whole day, not before the report and within the time allowed."
_NO_DURATION = "valueQuantity is to be a whole number of a unit of the dataset, within its limit."
_NO_NOTE = "valueString is missing: write the note there."
_UNSEEN = "The person has not seen these words: show them the note as it stands now."


def _fault(at: str, why: str) -> Fault:
    return Fault(
        severity=Severity.WARNING, code=IssueCode.BUSINESS_RULE, expression=at, diagnostics=why
    )


def _tree(system: str, written_on: date, components: list[Json]) -> JsonObject:
    tree: JsonObject = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [_coding(system, "employer-copy", "Fitness for work, for an employer")]},
        "effectiveDateTime": written_on.isoformat(),
    }
    return {**tree, "component": components} if components else tree


def _coding(system: str, code: str, display: str) -> JsonObject:
    return {"system": system, "code": code, "display": display}


def _found(report: JsonObject, minimum: EmployerMinimum) -> Iterator[_Found]:
    """Find the Observations that state an item of the dataset, in the order of the report."""
    for at, tree in _parts(report):
        if tree.get("resourceType") != "Observation":
            continue
        codes = {
            string(coding, "code")
            for coding in objects(child(tree, "code") or {}, "coding")
            if string(coding, "system") == minimum.system
        }
        for item in minimum.items:
            if item.code in codes:
                yield _Found(item=item, at=at, tree=tree)


def _parts(report: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Give a resource, what a Bundle holds, and what each of them contains."""
    name = "Bundle" if report.get("resourceType") == "Bundle" else "Resource"
    wholes = [(name, report)]
    entries = report.get("entry")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        held = child(entry, "resource") if isinstance(entry, dict) else None
        if held is not None:
            wholes.append((f"{name}.entry[{number}].resource", held))
    for at, whole in wholes:
        yield at, whole
        inner = whole.get("contained")
        for number, each in enumerate(inner if isinstance(inner, list) else []):
            if isinstance(each, dict):
                yield f"{at}.contained[{number}]", each


def _read(found: _Found, written_on: date, seen: Collection[str], system: str) -> _Read:
    """Read one statement; say why not where it cannot be understood or does not fit."""
    tree, item = found.tree, found.item
    why = _why_not_understood(tree)
    if why is not None:
        return _fault(found.at, why)
    match item.kind:
        case ItemKind.CHOICE:
            read = _read_choice(tree, item, system)
        case ItemKind.DATE:
            read = _read_day(tree, item, written_on)
        case ItemKind.DURATION:
            read = _read_duration(tree, item)
        case ItemKind.NOTE:
            read = _read_note(tree, item, seen)
        case _:
            assert_never(item.kind)
    return _fault(found.at, read) if isinstance(read, str) else read


def _why_not_understood(tree: JsonObject) -> str | None:
    if string(tree, "status") not in _SETTLED:
        return _UNSETTLED
    if (child(tree, "meta") or {}).get("security"):
        return _LABELLED
    return _MODIFIED if any(name in tree for name in _NOT_UNDERSTOOD) else None


def _read_choice(tree: JsonObject, item: Item, system: str) -> _Written | str:
    named = {
        (string(coding, "system"), string(coding, "code"))
        for coding in objects(child(tree, "valueCodeableConcept") or {}, "coding")
    }
    chosen = [
        (rank, choice)
        for rank, choice in enumerate(item.choices)
        if (system, choice.code) in named or not named.isdisjoint(choice.also)
    ]
    if len(chosen) != 1:
        return _TWO_CHOICES if chosen else _NO_CHOICE
    rank, choice = chosen[0]
    value: JsonObject = {"coding": [_coding(system, choice.code, choice.text)]}
    return _Written(rank=rank, element="valueCodeableConcept", value=value, words=choice.text)


def _read_day(tree: JsonObject, item: Item, written_on: date) -> _Written | str:
    try:
        day = date.fromisoformat(string(tree, "valueDateTime") or "")
    except ValueError:
        return _NO_DAY
    if not written_on <= day <= written_on + timedelta(days=item.most):
        return _NO_DAY
    text = day.isoformat()
    return _Written(rank=0, element="valueDateTime", value=text, words=text)


def _read_duration(tree: JsonObject, item: Item) -> _Written | str:
    quantity = child(tree, "valueQuantity") or {}
    number = quantity.get("value")
    unit = next((u for u in item.units if u.code == string(quantity, "code")), None)
    is_plain = string(quantity, "system") == UCUM and "comparator" not in quantity
    if unit is None or not is_plain or not isinstance(number, int) or isinstance(number, bool):
        return _NO_DURATION
    if not 1 <= number <= item.most:
        return _NO_DURATION
    value: JsonObject = {"value": number, "unit": unit.text, "system": UCUM, "code": unit.code}
    return _Written(rank=0, element="valueQuantity", value=value, words=f"{number} {unit.text}")


def _read_note(tree: JsonObject, item: Item, seen: Collection[str]) -> _Written | str:
    text = string(tree, "valueString")
    if text is None:
        return _NO_NOTE
    why = why_refused(text, longest=item.most)
    if why is not None:
        return why
    if digest_of_note(text) not in seen:
        return _UNSEEN
    return _Written(rank=0, element="valueString", value=text, words=text)
