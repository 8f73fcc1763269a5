"""Withdrawals: what was taken back, what of it had left, and what became of that.

Values only. A withdrawal covers each delivery that was permitted just before it and is not just
after. It is acknowledged once nothing that it covers can leave any more.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.referral.identifiers import (
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    WithdrawalId,
)


class Cause(StrEnum):
    """What was withdrawn."""

    CONSENT = "consent"
    AGREEMENT = "agreement"
    SWITCH = "switch"
    ASSURANCE = "assurance"


class Standing(StrEnum):
    """What became of a delivery that a withdrawal covers.

    LEAVING until the withdrawal is acknowledged: its bytes may be on their way. UNKNOWN:
    an attempt at it got no answer.
    """

    LEAVING = "leaving"
    STOPPED = "stopped"
    DELIVERED = "delivered"
    UNKNOWN = "unknown"


class RecallAnswer(StrEnum):
    """What a provider says it did with what it had; to keep it may be lawful."""

    STOPPED = "stopped"
    RETURNED = "returned"
    RETAINED = "retained"


class Ground(StrEnum):
    """On what ground of its own a provider keeps what it has. Source: UK GDPR, article 17(3)."""

    LEGAL_OBLIGATION = "legal-obligation"
    HEALTH_RECORD = "health-record"
    LEGAL_CLAIMS = "legal-claims"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Word to a provider that what it has is to be stopped, and what it answered.

    `id` is the recall's own delivery, `recalled` the one that it is about. `due` is when the
    answer is due; `overdue_at` when a person was asked to call. `ground` is said where the
    answer is that it is retained.
    """

    id: DeliveryId
    recalled: DeliveryId
    cause: str
    due: datetime
    sent_at: datetime | None = None
    answer: RecallAnswer | None = None
    ground: Ground | None = None
    answered_at: datetime | None = None
    overdue_at: datetime | None = None

    def is_overdue(self, now: datetime) -> bool:
        """Whether its answer is due, and there is none."""
        return self.answered_at is None and self.due <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One withdrawal. Each of `practice`, `recipient` and `subject` narrows what it concerns.

    `about` names what was withdrawn: an agreement, a switch, a Consent, a provider.
    """

    id: WithdrawalId
    cause: Cause
    about: str
    practice: OdsCode | None
    recipient: OdsCode | None
    subject: Handle | None
    actor: str
    withdrawn_at: datetime
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """A delivery that a withdrawal covers; `recall` where its provider was told to stop."""

    delivery: DeliveryId
    referral: ReferralId
    reference: ReferralReference
    provider: OdsCode
    standing: Standing
    recall: Recall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A withdrawal with all that it covers."""

    withdrawal: Withdrawal
    covered: tuple[Covered, ...]

    def count(self, *standings: Standing) -> int:
        """Count the deliveries that came to this."""
        return sum(each.standing in standings for each in self.covered)
