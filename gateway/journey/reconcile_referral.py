"""One referral: what its rows say, and what comes out when its entries are followed in order.

What enters: a referral, its deliveries, its later messages, its decisions, and every entry that
names it. What leaves: each way in which they contradict each other, by which id. The entries
alone say where each delivery and the hold stand; the rows must say the same.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.journey.reconcile_entries import told_of_decision
from gateway.ledger.kinds import EntryKind
from gateway.ledger.values import write_instant
from gateway.referral.lifecycle import TAKEN_BACK_CODES, DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Referral
from gateway.store.bijection import ChangeRow, DeliveryRow, Said
from gateway.store.bijection_outcomes import ReturnRows
from gateway.store.bijection_recalls import RecallRow
from gateway.store.bijection_rows import TOLD, Fact, Pair

_K, _D = EntryKind, DeliveryState
_QUEUES: Mapping[str, DeliveryKind] = {
    _K.DELIVERY_QUEUED: DeliveryKind.REFERRAL,
    _K.RECALL_QUEUED: DeliveryKind.RECALL,
    _K.LETTER_QUEUED: DeliveryKind.LETTER,
}
_WAITS = frozenset({_D.QUEUED, _D.IN_FLIGHT})
"""A worker claims a delivery without an entry, so what is queued may be in flight by now."""
_FLIES = frozenset({_D.IN_FLIGHT})
_MOVES: Mapping[str, frozenset[DeliveryState]] = {
    _K.DELIVERY_QUEUED: _WAITS,
    _K.RECALL_QUEUED: _WAITS,
    _K.LETTER_QUEUED: _WAITS,
    _K.DELIVERY_UNKNOWN: _WAITS,
    _K.DELIVERY_REPLAYED: _WAITS,
    _K.DELIVERY_RELEASED: _FLIES,
    _K.RECALL_RELEASED: _FLIES,
    _K.DELIVERY_LEASE_LAPSED: _FLIES,
    _K.DELIVERY_EXPIRED: _WAITS,
    _K.DELIVERY_DELIVERED: frozenset({_D.DELIVERED}),
    _K.RECALL_SENT: frozenset({_D.DELIVERED}),
    _K.DELIVERY_REFUSED: frozenset({_D.REFUSED}),
    _K.DELIVERY_DEAD_LETTERED: frozenset({_D.DEAD_LETTERED}),
    _K.DELIVERY_STOPPED: frozenset({_D.STOPPED}),
}
"""In which states a delivery may be after an entry on it."""
_NOT_BROUGHT = frozenset({_D.REFUSED, _D.DEAD_LETTERED})
_HOLDS = (_K.HOLD_OPENED, _K.HOLD_ASSIGNED, _K.HOLD_OVERDUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Everything that the tables hold on one referral."""

    referral: Referral
    deliveries: Sequence[DeliveryRow]
    changes: Sequence[ChangeRow]
    decisions: Sequence[Fact]
    recalls: Sequence[RecallRow]
    returns: ReturnRows


@dataclass(slots=True)
class _Followed:
    """Where the entries on one referral lead."""

    numbers: Counter[str] = field(default_factory=Counter)
    received: Said | None = None
    cancelled: list[Said] = field(default_factory=list)
    closed: Said | None = None
    hold: Said | None = None
    queued: dict[str, Said] = field(default_factory=dict)
    last: dict[str, Said] = field(default_factory=dict)
    decisions: Counter[Fact] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def ledger_faults(rows: Rows, entries: Sequence[Said]) -> Iterator[str]:
    """Say where the rows of a referral, and the entries on it, contradict each other."""
    followed = _follow(entries)
    yield from _receipt_faults(rows.referral, followed)
    yield from _cancellation_faults(rows, followed)
    yield from _ending_faults(rows.referral, followed)
    yield from _hold_faults(rows.referral, followed)
    yield from _delivery_faults(rows.deliveries, followed)
    yield from _decision_faults(rows.decisions, followed)


def _follow(entries: Sequence[Said]) -> _Followed:
    """Read the entries in order."""
    found = _Followed()
    for said in entries:
        found.numbers[said.kind] += 1
        if said.kind == _K.REFERRAL_RECEIVED:
            found.received = said
        elif said.kind == _K.REFERRAL_CANCELLED:
            found.cancelled.append(said)
        elif said.kind == _K.REFERRAL_CLOSED:
            found.closed = said
        elif said.kind == _K.DECISION_MADE:
            found.decisions[Fact(Pair.DECISION, said["decision"], told_of_decision(said))] += 1
        else:
            _follow_hold(found, said)
            _follow_delivery(found, said)
    return found


def _follow_hold(found: _Followed, said: Said) -> None:
    if said.kind in _HOLDS:
        found.hold = said
    elif said.kind == _K.HOLD_RESOLVED:
        found.hold = None


def _follow_delivery(found: _Followed, said: Said) -> None:
    name = said["delivery"]
    if said.kind in _QUEUES:
        if name in found.queued:
            found.doubled.append(name)
        found.queued[name] = said
    if said.kind in _MOVES:
        before = found.last.get(name)
        if before is not None and not _may_follow(before.kind, said):
            found.broken.append(name)
        found.last[name] = said


def _may_follow(before: str, said: Said) -> bool:
    """Whether a delivery goes on after an entry: what is at its end, only by an order.

    What a transport has taken, it or the recipient may yet give back.
    """
    if _MOVES[before] <= _WAITS:
        return True
    if said.kind == _K.DELIVERY_REFUSED:
        return _MOVES[before] == {_D.DELIVERED} and said["code"].startswith(TAKEN_BACK_CODES)
    return _MOVES[before] <= _NOT_BROUGHT and said.kind == _K.DELIVERY_REPLAYED


def _receipt_faults(referral: Referral, followed: _Followed) -> Iterator[str]:
    number = followed.numbers[_K.REFERRAL_RECEIVED]
    if number != 1 or followed.received is None:
        yield f"the ledger received it {number} times"
        return
    said = followed.received
    pairs = {
        "practice": (said.practice, referral.practice),
        "subject": (said.subject, referral.subject),
        "sender": (said.actor, referral.sender),
        "door": (said["door"], referral.door),
        "body_sha256": (said["request_sha256"], referral.body_sha256),
        "received_at": (said.at, write_instant(referral.received_at)),
    }
    differing = [name for name, (there, here) in pairs.items() if there != here]
    if differing:
        yield f"its row and its receipt in the ledger differ in {', '.join(differing)}"


def _cancellation_faults(rows: Rows, followed: _Followed) -> Iterator[str]:
    if followed.numbers[_K.REFERRAL_CANCELLED] != int(rows.referral.is_cancelled):
        yield "rows and ledger disagree on whether it was taken back"
    said = [
        ChangeRow(
            status=each["status"],
            door=each["door"],
            sender=each.actor,
            body_sha256=each["request_sha256"],
            at=each.at,
        )
        for each in followed.cancelled
    ]
    if said != list(rows.changes):
        yield (
            f"its sender's later messages differ: {len(rows.changes)} are kept, and the ledger"
            f" took in {len(said)}, or their bytes, door or time are others"
        )
    if rows.referral.content_version != 1 + len(rows.changes):
        yield "the version of its content is not that of its sender's last message"


def _ending_faults(referral: Referral, followed: _Followed) -> Iterator[str]:
    is_closed = referral.state is ReferralState.CLOSED
    if followed.numbers[_K.REFERRAL_CLOSED] != int(is_closed):
        yield "rows and ledger disagree on whether it was closed"
    elif followed.closed is not None:
        because = referral.closed_because
        if because not in (None, followed.closed["reason"]):
            yield "rows and ledger disagree on why it was closed"


def _hold_faults(referral: Referral, followed: _Followed) -> Iterator[str]:
    is_held = referral.state is ReferralState.HELD
    stands = followed.numbers[_K.HOLD_OPENED] - followed.numbers[_K.HOLD_RESOLVED]
    if stands != int(is_held) or (followed.hold is not None) != is_held:
        yield "rows and ledger disagree on whether it is held"
    elif followed.hold is not None and referral.hold is not None:
        said, hold = followed.hold, referral.hold
        there = (said["code"], said["owner"], said["due"])
        if there != (hold.code, hold.owner, write_instant(hold.due)):
            yield "rows and ledger disagree on why it is held, by whom it is mended, or by when"


def _delivery_faults(rows: Sequence[DeliveryRow], followed: _Followed) -> Iterator[str]:
    here = {row.id: row for row in rows}
    for name in (*followed.doubled, *sorted(followed.last.keys() - followed.queued.keys())):
        yield f"delivery {name} was queued twice in the ledger, or never, and yet goes on there"
    for name in followed.broken:
        yield f"delivery {name} goes on in the ledger after its end, and nobody ordered it"
    for name in sorted(followed.queued.keys() - here.keys()):
        yield f"delivery {name} is in the ledger, and there is no row"
    for row in rows:
        said = followed.queued.get(row.id)
        if said is None:
            yield f"delivery {row.id} has a row, and the ledger never queued it"
        else:
            yield from _one_delivery_faults(row, said, followed.last[row.id])


def _one_delivery_faults(row: DeliveryRow, queued: Said, last: Said) -> Iterator[str]:
    told: dict[str, tuple[object, object]] = {
        "kind": (_QUEUES[queued.kind], row.kind),
        "provider": (queued["recipient"], row.provider),
        "created_at": (queued.at, row.created_at),
    }
    if row.kind is DeliveryKind.REFERRAL:
        told["service"] = (queued["service"], row.service)
    elif row.kind is DeliveryKind.RECALL:
        told["cause"] = (queued["cause"], row.reason)
    differing = [name for name, (there, here) in told.items() if there != here]
    if differing:
        yield f"delivery {row.id} and its entry differ in {', '.join(differing)}"
    if (row.state is _D.DELIVERED) != (_MOVES[last.kind] == {_D.DELIVERED}):
        yield f"rows and ledger disagree on whether the {row.kind} was delivered"
    elif row.state not in _MOVES[last.kind]:
        yield f"delivery {row.id} is {row.state}, and its last entry is {last.kind}"
    elif row.state not in _WAITS and last["attempt"] != row.attempts:
        yield f"rows and ledger disagree on how many attempts delivery {row.id} took"


def _decision_faults(rows: Sequence[Fact], followed: _Followed) -> Iterator[str]:
    here = Counter(rows)
    missing, more = followed.decisions - here, here - followed.decisions
    told = {fact.key: fact for fact in more}
    for fact in sorted(missing, key=lambda fact: fact.key):
        other = told.pop(fact.key, None)
        if other is None:
            yield f"decision {fact.key} is in the ledger once more than there are rows"
            continue
        names = zip(TOLD[Pair.DECISION], fact.told, other.told, strict=True)
        differing = ", ".join(name for name, there, row in names if there != row)
        yield f"decision {fact.key} and its entry differ in {differing}"
    for key in sorted(told):
        yield f"decision {key} has a row, and the ledger never made it"
