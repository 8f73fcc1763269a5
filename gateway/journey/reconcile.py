"""Prove that every accepted referral is in exactly one state, and that the ledger agrees.

What enters: the database as it is now. What leaves: how many referrals are in each state,
and every row and entry that contradict each other. Nothing is changed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from gateway.journey.feed import feed_faults
from gateway.journey.gateway import Gateway
from gateway.journey.reconcile_consent import consent_faults
from gateway.journey.reconcile_ledger import (
    UNDONE,
    Fault,
    faults_of_entries,
    faults_of_pairs,
)
from gateway.journey.reconcile_recall import recall_faults, withdrawal_faults
from gateway.journey.reconcile_referral import Rows, ledger_faults
from gateway.journey.reconcile_returns import return_faults
from gateway.referral.identifiers import ReferralReference
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Referral
from gateway.store import (
    bijection,
    bijection_outcomes,
    bijection_recalls,
    bijection_rows,
    erasing,
    referrals,
)
from gateway.store.bijection import DeliveryRow
from gateway.store.engine import Reading

NOBODY = ReferralReference("RG-0000-0000")
"""The reference of a discrepancy that is about no referral that is here."""

MOST = 1000
"""Discrepancies that are told, at most; the last then says how many more there are."""

_AT_A_TIME = 500
"""Referrals that are in memory at once, with their entries."""

_MEND = (
    "Run `gateway ledger verify`. Where that is well, the rows were changed past the gateway or"
    " are partly an older copy: bring them back from a dump, as the entries say they must be."
)
_GONE = "Erase the person again (`gateway erase`); rows came back, as from a dump."

_LIVE = {
    ReferralState.QUEUED: frozenset({DeliveryState.QUEUED, DeliveryState.IN_FLIGHT}),
    ReferralState.IN_FLIGHT: frozenset({DeliveryState.IN_FLIGHT}),
    ReferralState.DELIVERED: frozenset({DeliveryState.DELIVERED}),
}
"""How the one live delivery of a referral stands: what was claimed is queued until it is released."""
_TAKEN_BACK = frozenset({ReferralState.RECALLING, ReferralState.CLOSED, ReferralState.HELD})
"""States of a referral whose delivery may have arrived and asks for nothing more."""
_IS_LIVE = frozenset().union(*_LIVE.values())


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What is not in exactly one state, or not as the ledger says: why, and how to mend it.

    `about` names the row or entry; `reference` is `NOBODY` where that is no referral.
    """

    reference: ReferralReference
    text: str
    about: str = ""
    mend: str = _MEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The count of each state, what is overdue, what contradicts itself; and what was looked at."""

    states: Mapping[ReferralState, int]
    overdue_holds: int
    overdue_recalls: int
    lapsed_leases: int
    discrepancies: tuple[Discrepancy, ...]
    entries: int


def reconcile(gateway: Gateway) -> Reconciliation:
    """Check that state rows and ledger entries are in bijection.

    All is read in one consistent view. A referral is in order when

    1. its one live delivery is in the same state (queued, in flight, delivered), or it has
       no live delivery (held, closed), or only recalls are live (recalling);
    2. a queued delivery has its next time, a flight its lease, a hold its owner and date;
    3. its entries, followed in order, lead to exactly its rows: its receipt, its sender's later
       messages, decisions, each delivery, its end and the answer to a recall, its hold, its closing.

    Every other row that an entry stands for has exactly that entry, with the same content, and
    the other way round; and what stands beside an entry belongs to it. An acknowledged withdrawal
    covers nothing that may still leave, or that arrived without a recall. The list of each provider
    has every number up to its size, and names what was brought to it.

    What only the ledger knows is in order where its person was erased, or its time was over, and
    the ledger says so; and of an erased person nothing may be left.
    """
    now = gateway.clock()
    states: Counter[ReferralState] = Counter()
    told = _Told()
    holds = leases = 0
    with gateway.store.reading(as_one_moment=True) as view:
        but = bijection_rows.exceptions(view)
        for rows, entries in _walks(view):
            referral = rows.referral
            states[referral.state] += 1
            holds += referral.hold is not None and referral.hold.due <= now
            leases += any(_has_lapsed(d, now) for d in rows.deliveries)
            texts = [*_state_faults(referral, rows.deliveries), *ledger_faults(rows, entries)]
            texts += recall_faults(rows.recalls, entries)
            texts += return_faults(rows.returns, entries)
            told.add(
                Discrepancy(referral.reference, text, f"referral {referral.id}") for text in texts
            )
        told.add(_missing_faults(view))
        for faults in (consent_faults, faults_of_entries, faults_of_pairs):
            told.add(_discrepancy(each) for each in faults(view, but))
        for beside in (feed_faults, withdrawal_faults):
            told.add(_discrepancy(each) for each in beside(view))
        recalls = bijection_recalls.overdue(view, now)
    return Reconciliation(
        states=states,
        overdue_holds=holds,
        overdue_recalls=recalls,
        lapsed_leases=leases,
        discrepancies=told.all,
        entries=but.entries,
    )


class _Told:
    """Discrepancies, as many as a person can use."""

    def __init__(self) -> None:
        self._first: list[Discrepancy] = []
        self._more = 0

    def add(self, found: Iterable[Discrepancy]) -> None:
        for each in found:
            if len(self._first) < MOST:
                self._first.append(each)
            else:
                self._more += 1

    @property
    def all(self) -> tuple[Discrepancy, ...]:
        text = f"{self._more} more, which are not told here"
        more = (Discrepancy(NOBODY, text, "rows and entries"),) if self._more else ()
        return (*self._first, *more)


def _walks(view: Reading) -> Iterator[tuple[Rows, Sequence[bijection.Said]]]:
    """Give each referral with all its rows and entries, some at a time."""
    everyone = referrals.everyone(view)
    while some := list(islice(everyone, _AT_A_TIME)):
        ids = [each.id for each in some]
        deliveries = bijection.deliveries_of(view, ids)
        changes = bijection.changes_of(view, ids)
        decisions = bijection_rows.decisions_of(view, ids)
        recalls = bijection_recalls.recalls_of(view, ids)
        returns = bijection_outcomes.returns_of(view, ids)
        entries = bijection.said_of_referrals(view, ids)
        for each in some:
            rows = Rows(
                referral=each,
                deliveries=deliveries[each.id],
                changes=changes[each.id],
                decisions=decisions[each.id],
                recalls=recalls[each.id],
                returns=returns[each.id],
            )
            yield rows, entries[each.id]


def _discrepancy(fault: Fault) -> Discrepancy:
    return Discrepancy(NOBODY, fault.text, fault.about, fault.mend)


def _missing_faults(view: Reading) -> Iterator[Discrepancy]:
    """Find referrals that went without a reason, and rows that should have gone with a person."""
    missing = list(bijection.referrals_without_a_row(view))
    gone = erasing.gone_for_a_reason(view) if missing else frozenset()
    for name in missing:
        if name not in gone:
            text = "the ledger names a referral without a row"
            yield Discrepancy(NOBODY, text, f"referral {name}", UNDONE)
    for each in erasing.left_behind(view):
        text = f"a person was erased, and yet rows are left in {each.table}: {each.rows}"
        yield Discrepancy(NOBODY, text, f"table {each.table}", _GONE)


def _has_lapsed(delivery: DeliveryRow, now: datetime) -> bool:
    return delivery.lease_until is not None and delivery.lease_until <= now


def _state_faults(referral: Referral, own: Sequence[DeliveryRow]) -> Iterable[str]:
    live = [
        d
        for d in own
        if d.kind is not DeliveryKind.LETTER and d.state in _IS_LIVE and not _is_over(referral, d)
    ]
    yield from _live_faults(referral, live)
    if referral.state is ReferralState.HELD and referral.hold is None:
        yield "it is held without a reason, an owner and a date"
    if referral.state is ReferralState.CLOSED and referral.closed_because is None:
        yield "it is closed without a reason"
    for delivery in live:
        if delivery.state is DeliveryState.IN_FLIGHT and delivery.lease_until is None:
            yield "it is in flight without a lease"


def _live_faults(referral: Referral, live: list[DeliveryRow]) -> Iterable[str]:
    expected = _LIVE.get(referral.state)
    if referral.state is ReferralState.RECALLING:
        if not live or any(d.kind is not DeliveryKind.RECALL for d in live):
            yield "it is recalling, and yet no recall, or not only recalls, are on their way"
    elif expected is None and live:
        yield f"it is {referral.state}, and yet a delivery is {live[0].state}"
    elif expected is not None and not (len(live) == 1 and live[0].state in expected):
        yield f"it is {referral.state}, but {len(live)} deliveries are live, or in another state"


def _is_over(referral: Referral, delivery: DeliveryRow) -> bool:
    """Whether a delivery that arrived asks for nothing more: a recall, or what was taken back."""
    is_recall = delivery.kind is DeliveryKind.RECALL
    is_taken_back = referral.is_cancelled or referral.state in _TAKEN_BACK
    return delivery.state is DeliveryState.DELIVERED and (is_recall or is_taken_back)
