"""Changes of many practices from one file: all lines of a practice together, or none of them.

What enters: the lines of a file whose form is right. What leaves: what each practice's lines
came to. Each practice is a transaction of its own, so a fault in one leaves the others. Lines
that say what stands already change nothing: the same file may be applied again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from gateway.errors import MessageError, StateError, StoreUnavailableError
from gateway.journey.agreements import Wish, change_agreement
from gateway.journey.gateway import Gateway
from gateway.journey.notices import draft_notices
from gateway.journey.sharing import Word, enter, once_more
from gateway.journey.signing import refusal
from gateway.journey.switches import SwitchWish, change_switch
from gateway.ledger.entry import AgreementRefused
from gateway.mapping.bulk_file import AgreementTo, BulkLine, SwitchTo
from gateway.referral.directory import Practice
from gateway.referral.identifiers import OdsCode
from gateway.referral.sharing import AgreementEvent, SwitchEvent
from gateway.store.engine import Transaction


class Outcome(StrEnum):
    """What a line came to. UNDONE: it was good, but another of its practice was not."""

    CHANGED = "changed"
    ALREADY = "already"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What one line came to; `fault` says why it failed, and how to mend it.

    `note` says what else came of it: what a freeze took back, or a plan that stands all the same.
    """

    line: BulkLine
    outcome: Outcome
    fault: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeResult:
    """What became of one practice's lines, and how many notices were drafted."""

    practice: OdsCode
    lines: tuple[LineResult, ...]
    notices: int

    @property
    def is_good(self) -> bool:
        """Whether every line did what it should."""
        return all(each.fault is None for each in self.lines)


class _UndoError(Exception):
    """Takes back what was done for a practice: one of its lines failed, or it was a rehearsal."""

    def __init__(self, result: PracticeResult, refused: AgreementRefused | None = None) -> None:
        super().__init__("taken back")
        self.result = result
        self.refused = refused


def practices_in(lines: Sequence[BulkLine]) -> dict[OdsCode, list[BulkLine]]:
    """Put the lines of each practice together, in their order."""
    of_each: dict[OdsCode, list[BulkLine]] = {}
    for line in lines:
        of_each.setdefault(line.practice, []).append(line)
    return of_each


def apply_lines(
    lines: Sequence[BulkLine], word: Word, gateway: Gateway, *, is_rehearsal: bool
) -> Iterator[PracticeResult]:
    """Apply the lines of each practice in turn, in a transaction each.

    A rehearsal does the same, and takes each transaction back; it records no refusal.
    """
    for practice, of_one in practices_in(lines).items():
        try:
            yield once_more(partial(_together, practice, of_one, word, gateway, is_rehearsal))
        except _UndoError as undone:
            if undone.refused is not None and not is_rehearsal:
                _record_refusal(undone.refused, gateway)
            yield undone.result
        except (StateError, StoreUnavailableError) as error:
            yield _failed(practice, of_one, of_one[0], str(error))


def _together(
    practice: OdsCode,
    lines: Sequence[BulkLine],
    word: Word,
    gateway: Gateway,
    is_rehearsal: bool,  # noqa: FBT001  # `partial` hands it over
) -> PracticeResult:
    """Apply all lines of a practice, or none.

    Raises:
        NotFoundError: the directory has no such practice.
        _UndoError: a line failed, or it was a rehearsal.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        here = enter(tx, practice)
        events: list[AgreementEvent | SwitchEvent] = []
        results = []
        for line in lines:
            written, note = _applied(tx, gateway, here, lines, line, word)
            events += written
            outcome = Outcome.CHANGED if written else Outcome.ALREADY
            results.append(LineResult(line=line, outcome=outcome, note=note))
        drafted = draft_notices(tx, gateway, here, events, actor=word.actor)
        result = PracticeResult(practice=practice, lines=tuple(results), notices=len(drafted))
        if is_rehearsal:
            raise _UndoError(result)
    return result


def _applied(
    tx: Transaction,
    gateway: Gateway,
    practice: Practice,
    lines: Sequence[BulkLine],
    line: BulkLine,
    word: Word,
) -> tuple[list[AgreementEvent | SwitchEvent], str | None]:
    """Apply one line; return what was written (nothing: it stands so already), and a note.

    Raises:
        _UndoError: it cannot be applied.
    """
    said = replace(word, reason=line.reason or word.reason)
    try:
        if isinstance(line.change, SwitchTo):
            set_so = change_switch(tx, gateway, practice, _switch_wish(line, line.change), said)
            return set_so.written, set_so.note or _told_back(set_so.taken_back)
        wish = _agreement_wish(line, line.change)
        done = change_agreement(tx, gateway, practice, wish, said)
    except (StateError, MessageError) as error:
        raise _UndoError(_failed(practice.ods, lines, line, str(error))) from error
    if done.refused is not None and done.objection is not None:
        refused = refusal(done.objection)
        fault = f"{refused.external_text} {refused.remedy} Reason: {refused.code}."
        raise _UndoError(_failed(practice.ods, lines, line, fault), done.refused)
    return [done.event] if done.event else [], done.note


def _told_back(taken_back: Sequence[AgreementEvent]) -> str | None:
    names = ", ".join(event.agreement for event in taken_back)
    return f"not signed under this freeze, taken back: {names}" if names else None


def _switch_wish(line: BulkLine, to: SwitchTo) -> SwitchWish:
    return SwitchWish(switch=to.name, value=to.value, effective_at=line.effective_at)


def _agreement_wish(line: BulkLine, to: AgreementTo) -> Wish:
    return Wish(
        agreement=to.name,
        move=to.value,
        effective_at=line.effective_at,
        confirmed_by=line.confirmed_by,
    )


def _failed(
    practice: OdsCode, lines: Sequence[BulkLine], at: BulkLine, fault: str
) -> PracticeResult:
    """Say which line failed; the others of its practice are undone with it."""
    results = (
        LineResult(line=line, outcome=Outcome.FAILED, fault=fault)
        if line is at
        else LineResult(line=line, outcome=Outcome.UNDONE)
        for line in lines
    )
    return PracticeResult(practice=practice, lines=tuple(results), notices=0)


def _record_refusal(refused: AgreementRefused, gateway: Gateway) -> None:
    """Record what the rules refused, after all that came with it was taken back."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(refused)
