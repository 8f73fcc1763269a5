"""The lifecycle: every legal move of a referral and of a delivery, in two tables.

An accepted referral is always in exactly one of five states, and so is owned::

    queued     ──► in-flight, held, closed
    in-flight  ──► queued, delivered, held, closed
    delivered  ──► closed
    held       ──► queued, closed
    closed     (final)

A delivery is the same walk seen from one destination, with its own endings. Whatever is
not in a table is refused with IllegalMoveError.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import IllegalMoveError


class ReferralState(StrEnum):
    """Where an accepted referral is. Exactly one holds at any time."""

    QUEUED = "queued"
    IN_FLIGHT = "in-flight"
    DELIVERED = "delivered"
    HELD = "held"
    CLOSED = "closed"


class DeliveryState(StrEnum):
    """Where the attempts to bring a referral to one service stand."""

    QUEUED = "queued"
    IN_FLIGHT = "in-flight"
    DELIVERED = "delivered"
    REFUSED = "refused"
    DEAD_LETTERED = "dead-lettered"


class TaskStatus(StrEnum):
    """Task.status as a hop shows it. Source: http://hl7.org/fhir/task-status, COW."""

    REQUESTED = "requested"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_PROGRESS = "in-progress"
    ON_HOLD = "on-hold"
    FAILED = "failed"


R, D = ReferralState, DeliveryState

REFERRAL_MOVES: Mapping[ReferralState, frozenset[ReferralState]] = {
    R.QUEUED: frozenset({R.IN_FLIGHT, R.HELD, R.CLOSED}),
    R.IN_FLIGHT: frozenset({R.QUEUED, R.DELIVERED, R.HELD, R.CLOSED}),
    R.DELIVERED: frozenset({R.CLOSED}),
    R.HELD: frozenset({R.QUEUED, R.CLOSED}),
    R.CLOSED: frozenset(),
}

DELIVERY_MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    D.QUEUED: frozenset({D.IN_FLIGHT, D.REFUSED, D.DEAD_LETTERED}),
    D.IN_FLIGHT: frozenset({D.QUEUED, D.DELIVERED, D.REFUSED, D.DEAD_LETTERED}),
    D.DELIVERED: frozenset(),
    D.REFUSED: frozenset({D.QUEUED}),
    D.DEAD_LETTERED: frozenset({D.QUEUED}),
}

REFERRAL_OF_DELIVERY: Mapping[DeliveryState, ReferralState] = {
    D.QUEUED: R.QUEUED,
    D.IN_FLIGHT: R.IN_FLIGHT,
    D.DELIVERED: R.DELIVERED,
    D.REFUSED: R.HELD,
    D.DEAD_LETTERED: R.HELD,
}
"""What a delivery's state makes of its referral: an undeliverable referral is held for a
person, never dropped. A delivery refused by the sharing rules closes its referral instead;
`journey.deliver` says so where it happens."""

PROVIDER_HOP: Mapping[DeliveryState, TaskStatus] = {
    D.QUEUED: TaskStatus.REQUESTED,
    D.IN_FLIGHT: TaskStatus.REQUESTED,
    D.DELIVERED: TaskStatus.RECEIVED,
    D.REFUSED: TaskStatus.REJECTED,
    D.DEAD_LETTERED: TaskStatus.FAILED,
}

GATEWAY_HOP: Mapping[ReferralState, TaskStatus] = {
    R.QUEUED: TaskStatus.ACCEPTED,
    R.IN_FLIGHT: TaskStatus.IN_PROGRESS,
    R.DELIVERED: TaskStatus.IN_PROGRESS,
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
