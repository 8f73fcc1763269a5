"""Take deliveries that are due, for as long as a lease lasts.

What enters: a worker with time on its hands. What leaves: deliveries of the lanes whose turn it
is, leased to it, each lane within the limits of its endpoint. Committed before anything is
opened, so that a message that kills its worker costs a lease, and blocks none behind it.
"""

from collections.abc import Collection, Mapping
from math import ceil

from gateway.journey import settle
from gateway.journey.gateway import Gateway
from gateway.journey.outbox import named
from gateway.ledger.entry import DeliveryLeaseLapsed
from gateway.referral.identifiers import EndpointId
from gateway.referral.lifecycle import DeliveryState
from gateway.referral.model import Delivery
from gateway.store import deliveries, lanes, leased, referrals
from gateway.store.engine import Transaction
from gateway.store.lanes import Lane


def claim_due(
    worker: str,
    gateway: Gateway,
    *,
    most: int = 1,
    busy: Mapping[EndpointId, int] | None = None,
    share: int | None = None,
) -> list[Delivery]:
    """Lease deliveries that are due, from as many lanes as have any.

    --- one transaction ---
    1. Take the lanes that have something due, in turn; lock each.
    2. Lease what is due longest in each, no more than its endpoint takes at once.
    3. Note the leases that lapsed: their workers did not come back.
    --- end ---

    Args:
        worker: who takes them.
        gateway: the live objects.
        most: how many deliveries to take at most.
        busy: how many of each lane this worker has under way.
        share: how many of one lane it may have under way; None: any number.

    Returns: the deliveries, in flight.
    """
    busy = busy or {}
    full = [lane for lane, count in busy.items() if share is not None and count >= share]
    with gateway.store.transaction(gateway.clock()) as tx:
        taken: list[Delivery] = []
        for lane in lanes.whose_turn(tx, most=most, without=full):
            own = most if share is None else share - busy.get(lane.endpoint, 0)
            room = min(_room(tx, lane), own, most - len(taken))
            taken += _claim(tx, gateway, lane, worker, room)
    return taken


def _room(tx: Transaction, lane: Lane) -> int:
    """Count what may begin now; towards a destination that does not answer, one at a time."""
    under_way = deliveries.under_way(tx, lane.endpoint)
    if lane.opened_at is not None:
        return max(1 - under_way, 0)
    begin = ceil(lane.per_minute / 60) if lane.per_minute else lane.concurrency
    return max(min(lane.concurrency - under_way, begin), 0)


def _claim(
    tx: Transaction, gateway: Gateway, lane: Lane, worker: str, room: int
) -> Collection[Delivery]:
    if room <= 0:
        return ()
    until = tx.at + gateway.schedule.lease + gateway.schedule.margin
    claimed = deliveries.claim(tx, lane.endpoint, worker=worker, lease_until=until, most=room)
    lanes.began(tx, lane, len(claimed))
    for before, after in claimed:
        _note_lapse(tx, before, after)
    return [after for _, after in claimed]


def _note_lapse(tx: Transaction, before: Delivery, claimed: Delivery) -> None:
    """Step 3."""
    if before.state is DeliveryState.IN_FLIGHT and before.lease_until is not None:
        present = referrals.get(tx, claimed.referral)
        tx.record(
            DeliveryLeaseLapsed(
                **named(before, present, actor=settle.ACTOR),
                attempt=before.attempts,
                lease_until=before.lease_until,
            )
        )


def end_overdue(gateway: Gateway, *, most: int = 100) -> int:
    """Give up deliveries that still wait after the time of their retries; tell how many."""
    with gateway.store.reading() as view:
        overdue = deliveries.past_their_time(view, gateway.clock(), limit=most)
    for each in overdue:
        with gateway.store.transaction(gateway.clock()) as tx:
            present = leased.hold_still(tx, each)
            if present is not None:
                settle.give_up(tx, each, present, gateway, reason="GIVEN_UP.NOT_TRIED")
    return len(overdue)
