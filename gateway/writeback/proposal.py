"""What is proposed for a GP record: the question that the write guard answers.

Values only: who sends what, over which objection, and what the sharing rules said of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.writeback.allowed import SenderCategory
from gateway.writeback.learned import Position


class Objection(StrEnum):
    """What stands against sharing, strictest first. RECORD_DISSENT closes reading, not telling."""

    WITHHOLD = "withhold"
    SENSITIVE = "sensitive"
    RECORD_DISSENT = "record-dissent"
    NONE = "none"


class Payload(StrEnum):
    """What an outcome holds, by content."""

    CODED = "coded"
    DOCUMENT = "document"
    ACTION = "action"
    DOCUMENT_WITH_CODES = "document-with-codes"
    ACTION_WITH_CODES = "action-with-codes"


class RuleEffect(StrEnum):
    """What the sharing rules say of one action."""

    PERMIT = "PERMIT"
    HOLD = "HOLD"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """A sharing decision on write_back or write_document: its effect and its code."""

    effect: RuleEffect
    code: str

    @property
    def is_permit(self) -> bool:
        """Whether the rules let it through. A HOLD does not."""
        return self.effect is RuleEffect.PERMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is proposed for a record, and all that the table asks of it.

    `service` is the SNOMED CT code of the service (Composition.type). `has_agreement`: a
    sharing agreement of practice and sender is in force. `is_employer_facing`: made for an
    employer, not for the person's care. `is_routine`: a routine clinical communication about
    care that the person had. `is_readable`: a person can read it as it came. `is_strict`: the
    sender asked `Prefer: handling=strict`. `has_workflow`: Send Document may be used and the
    practice's mailbox takes it.
    """

    objection: Objection
    payload: Payload
    sender: SenderCategory
    service: str | None
    switch: Position
    has_agreement: bool
    is_employer_facing: bool
    is_routine: bool
    is_readable: bool
    is_strict: bool
    has_workflow: bool
    write_back: RuleAnswer
    write_document: RuleAnswer


P = Payload
WITHOUT_CODES = {
    P.CODED: P.DOCUMENT,
    P.DOCUMENT: P.DOCUMENT,
    P.ACTION: P.ACTION,
    P.DOCUMENT_WITH_CODES: P.DOCUMENT,
    P.ACTION_WITH_CODES: P.ACTION,
}
"""What is left when codes are written out as text."""


def strictest(objections: Iterable[Objection]) -> Objection:
    """Return the objection that counts where several are known; NONE where none is."""
    known = set(objections)
    return next((each for each in Objection if each in known), Objection.NONE)
