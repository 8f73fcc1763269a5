"""The lifecycle: every legal move of a referral and of a delivery, in two tables.

An accepted referral is always in exactly one of six states, and so is owned::

    queued     ──► in-flight, recalling, held, closed
    in-flight  ──► queued, delivered, recalling, held, closed
    delivered  ──► recalling, held, closed
    recalling  ──► held, closed
    held       ──► queued, recalling, closed
    closed     (final)

A delivery is the same walk seen from one destination, with its own endings. One that a
transport took, stored, and then could not bring is refused after it was delivered. A recall is a
delivery too: it brings word that a referral is cancelled to a destination that may have it.
Whatever is not in a table is refused with IllegalMoveError.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import IllegalMoveError


class ReferralState(StrEnum):
    """Where an accepted referral is. Exactly one holds at any time."""

    QUEUED = "queued"
    IN_FLIGHT = "in-flight"
    DELIVERED = "delivered"
    RECALLING = "recalling"
    HELD = "held"
    CLOSED = "closed"


class DeliveryState(StrEnum):
    """Where the attempts to bring a referral to one service stand."""

    QUEUED = "queued"
    IN_FLIGHT = "in-flight"
    DELIVERED = "delivered"
    REFUSED = "refused"
    DEAD_LETTERED = "dead-lettered"
    STOPPED = "stopped"


class DeliveryKind(StrEnum):
    """What a delivery brings: the referral; word that it is cancelled; or, to the practice, a letter.

    A letter brings what a provider sent of a referral. Whatever becomes of it, the referral
    stays where it is.
    """

    REFERRAL = "referral"
    RECALL = "recall"
    LETTER = "letter"


class RequestStatus(StrEnum):
    """ServiceRequest.status, which only the sender sets. Source: FHIR R4, request-status."""

    ACTIVE = "active"
    REVOKED = "revoked"
    ENTERED_IN_ERROR = "entered-in-error"


CANCELLED = "CANCELLED_BY_SENDER"
"""Why a referral is closed, or a delivery stopped or recalled, that its sender took back."""


CLOSED_BY_PROVIDER = "CLOSED_BY_PROVIDER"
"""Why a referral is closed to which its provider says no more; what it said last follows."""

DECLINED_BY_PROVIDER = f"{CLOSED_BY_PROVIDER}.REJECTED"
"""The same, where it will not take it."""

WITHDRAWN = "WITHDRAWN"
"""Why a delivery ended whose last attempt was under way when sharing was withdrawn."""


class TaskStatus(StrEnum):
    """Task.status as a hop shows it. Source: http://hl7.org/fhir/task-status, COW."""

    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reached(StrEnum):
    """How far a transport that stores and forwards is known to have brought a delivery.

    Each is another fact than the one before it: it has it; the recipient's system took it; that
    system read it; the recipient says that it is theirs. None says what they did with it.
    """

    ACCEPTED = "accepted"
    COLLECTED = "collected"
    READ = "read"
    CONFIRMED = "confirmed"


RETURNED_BY_MESH = "RETURNED_BY_MESH"
"""Why a delivery is refused that MESH took and could not bring; its own code follows."""

REFUSED_BY_RECIPIENT = "REFUSED_BY_RECIPIENT"
"""Why a delivery is refused whose recipient took it and then answered no; its code follows."""

TAKEN_BACK_CODES = (RETURNED_BY_MESH, REFUSED_BY_RECIPIENT)
"""How the codes begin with which a delivery may be refused that was delivered."""


R, D = ReferralState, DeliveryState

REFERRAL_MOVES: Mapping[ReferralState, frozenset[ReferralState]] = {
    R.QUEUED: frozenset({R.IN_FLIGHT, R.RECALLING, R.HELD, R.CLOSED}),
    R.IN_FLIGHT: frozenset({R.QUEUED, R.DELIVERED, R.RECALLING, R.HELD, R.CLOSED}),
    R.DELIVERED: frozenset({R.RECALLING, R.HELD, R.CLOSED}),
    R.RECALLING: frozenset({R.HELD, R.CLOSED}),
    R.HELD: frozenset({R.QUEUED, R.RECALLING, R.CLOSED}),
    R.CLOSED: frozenset(),
}

DELIVERY_MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    D.QUEUED: frozenset({D.IN_FLIGHT, D.REFUSED, D.DEAD_LETTERED, D.STOPPED}),
    D.IN_FLIGHT: frozenset({D.QUEUED, D.DELIVERED, D.REFUSED, D.DEAD_LETTERED, D.STOPPED}),
    D.DELIVERED: frozenset({D.REFUSED}),
    D.REFUSED: frozenset({D.QUEUED}),
    D.DEAD_LETTERED: frozenset({D.QUEUED}),
    D.STOPPED: frozenset(),
}

SENT_IN = frozenset({R.QUEUED, R.IN_FLIGHT})
"""States that lead to sending; a referral that was taken back never enters one again."""

REFERRAL_OF_DELIVERY: Mapping[DeliveryState, ReferralState] = {
    D.QUEUED: R.QUEUED,
    D.IN_FLIGHT: R.IN_FLIGHT,
    D.DELIVERED: R.DELIVERED,
    D.REFUSED: R.HELD,
    D.DEAD_LETTERED: R.HELD,
    D.STOPPED: R.CLOSED,
}
"""What a delivery's state makes of its referral (a recall's, only where it is held): an undeliverable referral is held for a
person, never dropped. A delivery refused by the sharing rules closes its referral instead;
`journey.deliver` says so where it happens."""

PROVIDER_HOP: Mapping[DeliveryState, TaskStatus] = {
    D.QUEUED: TaskStatus.REQUESTED,
    D.IN_FLIGHT: TaskStatus.REQUESTED,
    D.DELIVERED: TaskStatus.RECEIVED,
    D.REFUSED: TaskStatus.REJECTED,
    D.DEAD_LETTERED: TaskStatus.FAILED,
    D.STOPPED: TaskStatus.CANCELLED,
}

GATEWAY_HOP: Mapping[ReferralState, TaskStatus] = {
    R.QUEUED: TaskStatus.ACCEPTED,
    R.IN_FLIGHT: TaskStatus.IN_PROGRESS,
    R.DELIVERED: TaskStatus.IN_PROGRESS,
    R.RECALLING: TaskStatus.IN_PROGRESS,
    R.HELD: TaskStatus.ON_HOLD,
    R.CLOSED: TaskStatus.REJECTED,
}


def move_referral(present: ReferralState, wanted: ReferralState) -> ReferralState:
    """Return `wanted` where the table allows the move; raise IllegalMoveError otherwise."""
    if wanted not in REFERRAL_MOVES[present]:
        msg = f"a referral that is {present} cannot become {wanted}"
        raise IllegalMoveError(msg)
    return wanted


def move_delivery(present: DeliveryState, wanted: DeliveryState) -> DeliveryState:
    """Return `wanted` where the table allows the move; raise IllegalMoveError otherwise."""
    if wanted not in DELIVERY_MOVES[present]:
        msg = f"a delivery that is {present} cannot become {wanted}"
        raise IllegalMoveError(msg)
    return wanted
