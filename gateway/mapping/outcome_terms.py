"""The words for outcomes: ours, ITK3's, those of BaRS and of FHIR Tasks, both ways.

What enters: a kind of outcome, or what a provider wrote. What leaves: the other one, as the
ConceptMaps of `mappings/outcomes/` say, with how near the two are; or a fault that lists what
would be understood. Must never: guess. A code that no map has is not read as one that it looks
like, and a kind that a vocabulary cannot say has no word there.

Nothing is read before the first question; `load_outcome_maps` reads them for whoever wants to
know at start-up that they are right. Source: ITK3 Response Codes; BaRS, App6 responses; FHIR R4
Task and ConceptMap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.outcome_maps import (
    APPOINTMENT_STATUS,
    BUSINESS_STATUS,
    ENCOUNTER_REASON,
    ENCOUNTER_STATUS,
    OUTPUT,
    Equivalence,
    Fact,
    OutcomeMap,
    Target,
    read_maps,
)
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.outcome import MOVES, OutcomeKind

OUTCOME_SYSTEM: Final = f"{OWN_BASE}/CodeSystem/outcome-kind"
"""What a provider writes into Task.businessStatus."""

BARS_REASONS: Final = "https://fhir.nhs.uk/CodeSystem/rejected-reasons-bars"
DOS_REASONS: Final = "https://fhir.nhs.uk/CodeSystem/dos-rejected-reasons-bars"
REASON_LISTS: Final = (BARS_REASONS, DOS_REASONS)
"""The two lists of BaRS that say why a provider declines."""

_FOLDER: Final = Path(__file__).parents[2] / "mappings" / "outcomes"
_DOCUMENT: Final = Fact(property=OUTPUT, value="document")


@dataclass(frozen=True, slots=True)
class Coded:
    """A code of a code system; the system in its normal spelling."""

    system: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The kind that something stands for, and how near it is to it."""

    kind: OutcomeKind
    equivalence: Equivalence


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsWords:
    """What a servicerequest-response says. `encounter` is the receiver's own; None: there is none.

    `request` is the status of the ServiceRequest.
    """

    request: str
    encounter: str | None = None
    appointment: str | None = None
    reason: Coded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWords:
    """What a Task says: `status`, and `business_status`, a code of `OUTCOME_SYSTEM`."""

    status: str
    business_status: str


def load_outcome_maps(folder: Path = _FOLDER) -> Mapping[str, OutcomeMap]:
    """Read and check the maps.

    Raises:
        ConfigError: one is missing or wrong; the text says which, and what.
    """
    return read_maps(folder)


@cache
def _maps() -> Mapping[str, OutcomeMap]:
    return load_outcome_maps()


def legal_after(last: OutcomeKind | None) -> str:
    """List what a provider may say after `last`, for people."""
    legal = [kind.value for kind in OutcomeKind if kind in MOVES[last]]
    return ", ".join(legal) if legal else "nothing more"


def to_itk3(kind: OutcomeKind) -> str | None:
    """Return the ITK3 code that says a kind; None: ITK3 has none."""
    return _maps()["outcome-to-itk3"].find(kind).code


def from_itk3(code: str) -> Meant:
    """Return the kind that an ITK3 code of a referral's status stands for.

    Raises:
        InvalidMessageError: it is none of them.
    """
    known = _maps()["itk3-to-outcome"]
    if code not in known.rows:
        raise _unknown(None, "This is no ITK3 code of a referral's status.", sorted(known.rows))
    return _meant(known.find(code))


def to_bars(kind: OutcomeKind, reason: Coded | None = None) -> BarsWords | None:
    """Return how BaRS says a kind; None: it cannot.

    A reason of BaRS's own lists that stands for the same kind is kept.
    """
    found = _maps()["outcome-to-bars"].find(kind)
    if found.code is None:
        return None
    said = {fact.property: fact for fact in found.product}
    words = BarsWords(
        request=found.code,
        encounter=_value(said, ENCOUNTER_STATUS),
        appointment=_value(said, APPOINTMENT_STATUS),
    )
    given = said.get(ENCOUNTER_REASON)
    if given is None:
        return words
    if reason is not None and _stands_for(reason, kind, words):
        return _with_reason(words, reason)
    return _with_reason(words, Coded(given.system or "", given.value))


def from_bars(words: BarsWords, where: str | None = None) -> Meant:
    """Return the kind that a response of BaRS stands for.

    A reason of another list changes nothing. `where` is the FHIRPath at which to mend it.

    Raises:
        InvalidMessageError: the statuses, or the reason, are none that stand for a kind.
    """
    known = _maps()["bars-to-outcome"]
    reason = words.reason if words.reason and words.reason.system in REASON_LISTS else None
    if reason is not None and reason.code not in _reasons(known, reason.system):
        text = f"The reason is none that is known of the list {reason.system}."
        raise _unknown(where, text, _reasons(known, reason.system))
    facts = _facts((ENCOUNTER_STATUS, words.encounter), (APPOINTMENT_STATUS, words.appointment)) | (
        {Fact(ENCOUNTER_REASON, reason.code, reason.system)} if reason else set()
    )
    found = known.find(words.request, facts)
    if found.code is None:
        text = (
            "These statuses say nothing of what became of the referral. Send the ServiceRequest"
            " revoked for a person who did not attend; else active, with the receiver's Encounter."
        )
        raise _unknown(where, text, _values(known, "active", ENCOUNTER_STATUS))
    return _meant(found)


def to_task(kind: OutcomeKind) -> TaskWords:
    """Return how a Task says a kind."""
    found = _maps()["outcome-to-task"].find(kind)
    [business] = found.product
    return TaskWords(status=found.code or "", business_status=business.value)


def from_task(
    status: str,
    business_status: str | None = None,
    *,
    has_document: bool = False,
    where: str = "Task",
) -> Meant:
    """Return the kind that a Task stands for.

    Args:
        status: its status.
        business_status: the code of `OUTCOME_SYSTEM` in its businessStatus, if any.
        has_document: whether it brings a document.
        where: the FHIRPath of the Task.

    Raises:
        InvalidMessageError: these stand for none, or contradict each other.
    """
    known = _maps()["task-to-outcome"]
    if status not in known.rows:
        raise _unknown(f"{where}.status", "No outcome has this status.", _telling(known))
    named = _values(known, status, BUSINESS_STATUS)
    if business_status is not None:
        if business_status not in named:
            text = f"This businessStatus does not go with the status {status}."
            raise _unknown(f"{where}.businessStatus", text, named)
        return _meant(known.find(status, _facts((BUSINESS_STATUS, business_status))))
    found = known.find(status, {_DOCUMENT} if has_document else frozenset())
    if found.code is None and named:
        text = f"The status {status} does not say what is waited for. Add a businessStatus of"
        raise _unknown(f"{where}.businessStatus", f"{text} {OUTCOME_SYSTEM}.", named)
    if found.code is None:
        text = f"The status {status} says nothing of what became of the referral."
        raise _unknown(f"{where}.status", text, _telling(known))
    return _meant(found)


def equivalence_of(kind: OutcomeKind, name: str) -> Equivalence:
    """Say how near a vocabulary comes to a kind: `name` is `itk3`, `bars` or `task`."""
    return _maps()[f"outcome-to-{name}"].find(kind).equivalence


def _with_reason(words: BarsWords, reason: Coded) -> BarsWords:
    return BarsWords(
        request=words.request,
        encounter=words.encounter,
        appointment=words.appointment,
        reason=reason,
    )


def _stands_for(reason: Coded, kind: OutcomeKind, words: BarsWords) -> bool:
    known = _maps()["bars-to-outcome"]
    if reason.system not in REASON_LISTS or reason.code not in _reasons(known, reason.system):
        return False
    return from_bars(_with_reason(words, reason)).kind is kind


def _meant(found: Target) -> Meant:
    return Meant(kind=OutcomeKind(found.code or ""), equivalence=found.equivalence)


def _facts(*given: tuple[str, str | None]) -> set[Fact]:
    return {Fact(name, value) for name, value in given if value is not None}


def _value(said: Mapping[str, Fact], name: str) -> str | None:
    fact = said.get(name)
    return fact.value if fact else None


def _values(known: OutcomeMap, code: str, name: str) -> list[str]:
    """List what the targets of one source ask of one property."""
    asked = {f.value for target in known.rows[code] for f in target.needs if f.property == name}
    return sorted(asked)


def _telling(known: OutcomeMap) -> list[str]:
    """List the sources that stand for something."""
    return sorted(code for code, row in known.rows.items() if any(each.code for each in row))


def _reasons(known: OutcomeMap, system: str) -> list[str]:
    targets = [target for row in known.rows.values() for target in row]
    return sorted({f.value for each in targets for f in each.needs if f.system == system})


def _unknown(where: str | None, text: str, legal: list[str]) -> InvalidMessageError:
    listed = f"{text} Understood are: {', '.join(legal)}."
    return InvalidMessageError(
        Fault(code=IssueCode.CODE_INVALID, expression=where, diagnostics=listed)
    )
