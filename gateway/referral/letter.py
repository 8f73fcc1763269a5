"""Letters: what brings an outcome to a practice, and what the practice's system answered.

Values only. Each state is another fact than the one before it, and none says that anything
stands in a record: a practice may still turn a document down, and tells nobody. Source: GP
Connect, Send Document, acknowledgements; ITK3 Response Codes; the write restriction, section 9.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.referral.identifiers import DecisionId, DeliveryId, OutcomeId
from gateway.referral.lifecycle import DeliveryState, Reached
from gateway.referral.model import Delivery


class LetterState(StrEnum):
    """How far a letter has come, as far as anybody said.

    COLLECTED: the practice's system has it, fetched or handed over; whether it read it, nobody said.
    """

    WAITS = "waits"
    SENT = "sent"
    COLLECTED = "collected"
    READ_BY_SYSTEM = "read-by-system"
    IN_WORKFLOW = "in-workflow"
    CAME_BACK = "came-back"
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one letter brings, and what was said of it.

    `interaction` is a GP Connect workflow, or FHIR_DOCUMENT. `row` is the write guard's that let it.
    `decision` queued it, and is named in the document; `payload_sha256` is of the bytes that left.
    `number` is the version of the document, `replaces` the letter that brought the one before.
    `infrastructure` and `business` are codes of ITK3, `returned` why it came back. `answer_due`:
    when an answer is missed; None: none is awaited. `answered_at` without a code: the practice's
    own server took it, and says no more.
    """

    id: DeliveryId
    outcome: OutcomeId
    interaction: str
    recipient_type: str
    row: int
    decision: DecisionId
    payload_sha256: str | None = None
    number: int = 1
    replaces: DeliveryId | None = None
    infrastructure: str | None = None
    business: str | None = None
    returned: str | None = None
    answer_due: datetime | None = None
    answered_at: datetime | None = None


def state_of(letter: Letter, delivery: Delivery) -> LetterState:
    """Say how far a letter has come."""
    if letter.returned is not None:
        return LetterState.CAME_BACK
    if letter.business is not None:
        return LetterState.IN_WORKFLOW
    if letter.infrastructure is not None:
        return LetterState.READ_BY_SYSTEM
    if delivery.state in (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT):
        return LetterState.WAITS
    if delivery.state is not DeliveryState.DELIVERED:
        return LetterState.NOT_SENT
    is_theirs = delivery.reached not in (None, Reached.ACCEPTED)
    was_collected = is_theirs or letter.answered_at is not None
    return LetterState.COLLECTED if was_collected else LetterState.SENT
