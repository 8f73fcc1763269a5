"""What the ledger says of bringing a referral to a recipient, and of telling it to stop.

What enters and leaves, and what may never stand here: `entry.py`.
"""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from gateway.errors import Phase
from gateway.ledger.kinds import EntryKind, RecallAnswer
from gateway.ledger.line import OnDelivery
from gateway.ledger.values import (
    Code,
    Codes,
    Count,
    HttpStatus,
    Instant,
    Name,
    Sha256,
    Uuid,
    one_of,
)

WhichPhase = Annotated[Phase, one_of(Phase)]
WhichAnswer = Annotated[RecallAnswer, one_of(RecallAnswer)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryQueued(OnDelivery):
    """A permitted referral waits to be brought to one service, first at `next_at`."""

    kind = EntryKind.DELIVERY_QUEUED
    decision: Uuid
    service: Name
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReleased(OnDelivery):
    """Exactly these bytes may now leave, in this attempt, until the lease ends."""

    kind = EntryKind.DELIVERY_RELEASED
    decision: Uuid
    attempt: Count
    payload_sha256: Sha256
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDelivered(OnDelivery):
    """The recipient answered that it has the referral."""

    kind = EntryKind.DELIVERY_DELIVERED
    attempt: Count
    status: HttpStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRefused(OnDelivery):
    """The delivery is over: the recipient, or a decision of our own, refused it.

    `decision` is the decision that refused; None where the recipient did. `attempt` is 0
    where none was made.
    """

    kind = EntryKind.DELIVERY_REFUSED
    decision: Uuid | None
    attempt: Count
    phase: WhichPhase
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUnknown(OnDelivery):
    """An attempt failed or its outcome is not known; it is made again at `next_at`."""

    kind = EntryKind.DELIVERY_UNKNOWN
    attempt: Count
    phase: WhichPhase
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDeadLettered(OnDelivery):
    """No further attempt will be made unless somebody orders it."""

    kind = EntryKind.DELIVERY_DEAD_LETTERED
    attempt: Count
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReplayed(OnDelivery):
    """An operator ordered the delivery to be tried again."""

    kind = EntryKind.DELIVERY_REPLAYED
    reason: Code
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLeaseLapsed(OnDelivery):
    """A worker did not come back in time; its lease was taken over."""

    kind = EntryKind.DELIVERY_LEASE_LAPSED
    attempt: Count
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStopped(OnDelivery):
    """No further attempt is made: the referral was taken back. `attempt` is the last one's."""

    kind = EntryKind.DELIVERY_STOPPED
    attempt: Count
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryExpired(OnDelivery):
    """A worker found its own lease ended before it had sent anything; nothing left."""

    kind = EntryKind.DELIVERY_EXPIRED
    attempt: Count
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallQueued(OnDelivery):
    """The recipient of an earlier delivery, `recalled`, is to be told to stop.

    `delivery` is the recall's own id; its attempts are recorded as any delivery's.
    """

    kind = EntryKind.RECALL_QUEUED
    recalled: Uuid
    cause: Code
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallReleased(OnDelivery):
    """Exactly these bytes, which tell nothing of the person, may leave in this attempt."""

    kind = EntryKind.RECALL_RELEASED
    attempt: Count
    payload_sha256: Sha256
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallSent(OnDelivery):
    """The recipient answered that it has the recall; what it then does is its own answer."""

    kind = EntryKind.RECALL_SENT
    attempt: Count
    status: HttpStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAcknowledged(OnDelivery):
    """The recipient said what it did with what it had; to keep it is a lawful answer."""

    kind = EntryKind.RECALL_ACKNOWLEDGED
    answer: WhichAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallRefused(OnDelivery):
    """The recipient would not take the recall."""

    kind = EntryKind.RECALL_REFUSED
    attempt: Count
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallOverdue(OnDelivery):
    """No answer to a recall came by `due`; somebody has to call."""

    kind = EntryKind.RECALL_OVERDUE
    due: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionApplied(OnDelivery):
    """Items were taken out before release; `payload_sha256` is of what is left, and may leave.

    `obligations` say which duties of the decision this discharges. What was taken out stands
    in the sealed decision, never here: a count or a type may already tell too much.
    """

    kind = EntryKind.REDACTION_APPLIED
    decision: Uuid
    obligations: Codes
    payload_sha256: Sha256


DeliveryEntry: TypeAlias = (
    DeliveryQueued
    | DeliveryReleased
    | DeliveryDelivered
    | DeliveryRefused
    | DeliveryUnknown
    | DeliveryDeadLettered
    | DeliveryReplayed
    | DeliveryLeaseLapsed
    | DeliveryStopped
    | DeliveryExpired
    | RecallQueued
    | RecallReleased
    | RecallSent
    | RecallAcknowledged
    | RecallRefused
    | RecallOverdue
    | RedactionApplied
)
