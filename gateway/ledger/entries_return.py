"""What the ledger says of letters to practices, of what waits for somebody, and of what was learned.

What enters and leaves, and what may never stand here: `entry.py`.
Source: the write restriction, section 9; GP Connect, acknowledgements and learned states.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from gateway.ledger.entries_outcome import WhichRoute
from gateway.ledger.kinds import CodingSource, EntryKind
from gateway.ledger.line import Line, OnDelivery, OnReferral
from gateway.ledger.values import Code, Count, Instant, Name, Ods, Uuid, one_of

WhichCodingSource = Annotated[CodingSource, one_of(CodingSource)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterQueued(OnDelivery):
    """What an outcome, `artefact`, holds waits to be brought to the practice.

    `row` is the row of the write guard's table that let it.
    """

    kind = EntryKind.LETTER_QUEUED
    artefact: Uuid
    decision: Uuid
    next_at: Instant
    route: WhichRoute
    row: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterAnswered(OnDelivery):
    """The practice's system, or whoever carries the letter, said something of it."""

    kind = EntryKind.LETTER_ANSWERED
    artefact: Uuid
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderOpened(OnReferral):
    """Something of the referral waits for its owner, until `due`."""

    kind = EntryKind.REMINDER_OPENED
    reminder: Uuid
    code: Code
    due: Instant
    owner: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderClosed(OnReferral):
    """It waits no longer."""

    kind = EntryKind.REMINDER_CLOSED
    reminder: Uuid
    code: Code
    resolution: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingLearned(Line):
    """An answer or a look-up showed that the practice takes no codes from a kind of sender."""

    kind = EntryKind.CODING_LEARNED
    practice: Ods
    subject: ClassVar[None] = None
    code: Code
    coding_source: WhichCodingSource
    expires: Instant
    sender: Name
    version: Count


ReturnEntry: TypeAlias = (
    LetterQueued | LetterAnswered | ReminderOpened | ReminderClosed | CodingLearned
)
