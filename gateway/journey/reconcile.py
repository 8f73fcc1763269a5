"""Prove that every accepted referral is in exactly one state, and that the ledger agrees.

What enters: the database as it is now. What leaves: how many referrals are in each state,
and every one whose rows or entries contradict each other. Nothing is changed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.journey.gateway import Gateway
from gateway.ledger.kinds import EntryKind
from gateway.referral.identifiers import ReferralReference
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.store import deliveries, ledger, referrals

_LIVE = {
    ReferralState.QUEUED: DeliveryState.QUEUED,
    ReferralState.IN_FLIGHT: DeliveryState.IN_FLIGHT,
    ReferralState.DELIVERED: DeliveryState.DELIVERED,
}

_ARRIVED = {
    DeliveryKind.REFERRAL: EntryKind.DELIVERY_DELIVERED,
    DeliveryKind.RECALL: EntryKind.RECALL_SENT,
}


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One referral that is not in exactly one state, and why."""

    reference: ReferralReference
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The count of each state, what is overdue, and what contradicts itself."""

    states: Mapping[ReferralState, int]
    overdue_holds: int
    lapsed_leases: int
    discrepancies: tuple[Discrepancy, ...]


def reconcile(gateway: Gateway) -> Reconciliation:
    """Check every accepted referral against its deliveries and its ledger entries.

    All is read in one consistent view. A referral is in order when

    1. its one live delivery is in the same state (queued, in flight, delivered), or it has
       no live delivery (held, closed), or only recalls are live (recalling);
    2. a queued delivery has its next time, a flight its lease, a hold its owner and date;
    3. the ledger received it once, and closed, delivered or held it as often as its rows say.
    """
    now = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        entries = _entries(ledger.kinds_of_referrals(view.connection))
        of_referral = deliveries.by_referral(view)
        states: Counter[ReferralState] = Counter()
        found: list[Discrepancy] = []
        holds = leases = 0
        for referral in referrals.everyone(view):
            own = of_referral.get(referral.id, [])
            states[referral.state] += 1
            holds += referral.hold is not None and referral.hold.due <= now
            leases += any(_has_lapsed(d, now) for d in own)
            texts = [
                *_state_faults(referral, own),
                *_ledger_faults(referral, own, entries.pop(referral.id, Counter())),
            ]
            found += [Discrepancy(referral.reference, text) for text in texts]
    found += [
        Discrepancy(ReferralReference("RG-0000-0000"), "the ledger names a referral without a row")
        for _ in entries
    ]
    return Reconciliation(
        states=states, overdue_holds=holds, lapsed_leases=leases, discrepancies=tuple(found)
    )


def _entries(rows: Iterable[tuple[str, str, int]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for referral, kind, number in rows:
        found.setdefault(referral, Counter())[kind] = number
    return found


def _has_lapsed(delivery: Delivery, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until <= now


def _state_faults(referral: Referral, own: list[Delivery]) -> Iterable[str]:
    live = [d for d in own if d.state in _LIVE.values() and not _is_over(referral, d)]
    yield from _live_faults(referral, live)
    if referral.state is ReferralState.HELD and referral.hold is None:
        yield "it is held without a reason, an owner and a date"
    if referral.state is ReferralState.CLOSED and referral.closed_because is None:
        yield "it is closed without a reason"
    for delivery in live:
        if delivery.state is DeliveryState.IN_FLIGHT and delivery.lease_until is None:
            yield "it is in flight without a lease"


def _live_faults(referral: Referral, live: list[Delivery]) -> Iterable[str]:
    expected = _LIVE.get(referral.state)
    if referral.state is ReferralState.RECALLING:
        if not live or any(d.kind is not DeliveryKind.RECALL for d in live):
            yield "it is recalling, and yet no recall, or not only recalls, are on their way"
    elif expected is None and live:
        yield f"it is {referral.state}, and yet a delivery is {live[0].state}"
    elif expected is not None and [d.state for d in live] != [expected]:
        yield f"it is {referral.state}, but {len(live)} deliveries are live, or in another state"


def _is_over(referral: Referral, delivery: Delivery) -> bool:
    """Whether a delivery that arrived asks for nothing more: a recall, or what was taken back."""
    is_recall = delivery.kind is DeliveryKind.RECALL
    return delivery.state is DeliveryState.DELIVERED and (is_recall or referral.is_cancelled)


def _ledger_faults(referral: Referral, own: list[Delivery], kinds: Counter[str]) -> Iterable[str]:
    if kinds[EntryKind.REFERRAL_RECEIVED] != 1:
        yield f"the ledger received it {kinds[EntryKind.REFERRAL_RECEIVED]} times"
    for kind, entry in _ARRIVED.items():
        arrived = [d for d in own if d.kind is kind and d.state is DeliveryState.DELIVERED]
        if kinds[entry] != len(arrived):
            yield f"rows and ledger disagree on whether the {kind} was delivered"
    if kinds[EntryKind.REFERRAL_CANCELLED] != int(referral.is_cancelled):
        yield "rows and ledger disagree on whether it was taken back"
    closed = referral.state is ReferralState.CLOSED
    if kinds[EntryKind.REFERRAL_CLOSED] != int(closed):
        yield "rows and ledger disagree on whether it was closed"
    held = referral.state is ReferralState.HELD
    if kinds[EntryKind.HOLD_OPENED] - kinds[EntryKind.HOLD_RESOLVED] != int(held):
        yield "rows and ledger disagree on whether it is held"
