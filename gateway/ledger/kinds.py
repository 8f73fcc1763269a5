"""The closed lists of the ledger. Once released, a value is never respelt.

What enters: nothing. What leaves: the words that stand in entries, exactly as stored.
"""

from enum import StrEnum


class EntryKind(StrEnum):
    """Every kind of entry that this version writes. Once released, never respelt."""

    REFERRAL_RECEIVED = "referral.received"
    REFERRAL_REJECTED = "referral.rejected"
    REFERRAL_CANCELLED = "referral.cancelled"
    REFERRAL_CLOSED = "referral.closed"
    DECISION_MADE = "decision.made"
    DELIVERY_QUEUED = "delivery.queued"
    DELIVERY_RELEASED = "delivery.released"
    DELIVERY_DELIVERED = "delivery.delivered"
    DELIVERY_REFUSED = "delivery.refused"
    DELIVERY_UNKNOWN = "delivery.unknown"
    DELIVERY_DEAD_LETTERED = "delivery.dead_lettered"
    DELIVERY_REPLAYED = "delivery.replayed"
    DELIVERY_LEASE_LAPSED = "delivery.lease_lapsed"
    DELIVERY_STOPPED = "delivery.stopped"
    RECALL_QUEUED = "recall.queued"
    RECALL_RELEASED = "recall.released"
    RECALL_SENT = "recall.sent"
    HOLD_OPENED = "hold.opened"
    HOLD_RESOLVED = "hold.resolved"
    DIRECTORY_APPLIED = "directory.applied"
    POLICY_CHANGED = "policy.changed"
    LEDGER_VERIFIED = "ledger.verified"
    TOKEN_ISSUED = "token.issued"  # noqa: S105  # the kind's name, no secret
    TOKEN_REFUSED = "token.refused"  # noqa: S105  # the kind's name, no secret


class Door(StrEnum):
    """Which front door a message came through."""

    REST = "rest"
    BARS = "bars"


class Effect(StrEnum):
    """What a decision says."""

    PERMIT = "PERMIT"
    HOLD = "HOLD"
    DENY = "DENY"


class Cancellation(StrEnum):
    """What a sender said of its referral when it took it back. Source: FHIR request-status."""

    REVOKED = "revoked"
    ENTERED_IN_ERROR = "entered-in-error"


class Stage(StrEnum):
    """When a decision was taken."""

    ACCEPT = "accept"
    RELEASE = "release"
    REPLAY = "replay"
