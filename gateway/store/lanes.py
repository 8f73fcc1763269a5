"""Lanes: how each destination stands, shared by all workers.

What enters: who answered, and who did not. What leaves: whose turn it is. A lane's row is
locked by whoever takes deliveries from it, so the limits of its endpoint hold over all workers
on all machines. Must never: let one lane wait for another, or let two workers both tell that an
outage began.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, case, exists, false, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import EndpointId
from gateway.referral.lifecycle import DeliveryState
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import delivery, lane

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """How one destination stands.

    `failures` counts the attempts in a row that got no answer. Nothing begins before `next_at`.
    `opened_at` says since when it is taken not to answer; None: it answers. While it does not,
    one attempt at a time finds out.
    """

    endpoint: EndpointId
    concurrency: int
    per_minute: int | None
    failures: int
    next_at: datetime
    claimed_at: datetime
    opened_at: datetime | None


_OF_LANE = delivery.c.lane == lane.c.endpoint
# Two questions, since each is one look into the index and their OR would read the whole lane.
_HAS_QUEUED = exists().where(
    _OF_LANE, delivery.c.state == DeliveryState.QUEUED, delivery.c.next_at <= bindparam("at")
)
_HAS_LAPSED = exists().where(
    _OF_LANE,
    delivery.c.state == DeliveryState.IN_FLIGHT,
    delivery.c.lease_until <= bindparam("at"),
)
_UNDER_WAY = (
    select(func.count())
    .where(
        _OF_LANE,
        delivery.c.state == DeliveryState.IN_FLIGHT,
        delivery.c.lease_until > bindparam("at"),
    )
    .scalar_subquery()
)
_TURNS = (
    select(lane)
    .where(
        lane.c.next_at <= bindparam("at"),
        lane.c.endpoint.not_in(bindparam("without", expanding=True)),
        # Of most lanes nothing is due: only of the others is anything counted.
        case((or_(_HAS_QUEUED, _HAS_LAPSED), lane.c.concurrency > _UNDER_WAY), else_=false()),
    )
    .order_by(lane.c.claimed_at, lane.c.endpoint)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_FIND = select(lane).where(lane.c.endpoint == bindparam("of_endpoint"))
_LOCK = _FIND.with_for_update()
_CHANGE = (
    update(lane)
    .where(lane.c.endpoint == bindparam("of_endpoint"))
    .values(
        failures=bindparam("new_failures"),
        next_at=bindparam("new_next_at"),
        claimed_at=bindparam("new_claimed_at"),
        opened_at=bindparam("new_opened_at"),
    )
)


def keep(tx: Transaction, endpoints: Iterable[Endpoint]) -> None:
    """Make a lane for each endpoint that has none; bring the limits of each up to date."""
    for each in endpoints:
        limits = {"concurrency": each.concurrency, "per_minute": each.per_minute}
        made = _INSERTS[tx.connection.dialect.name](lane).values(
            endpoint=each.id,
            failures=0,
            next_at=_LONG_AGO,
            claimed_at=_LONG_AGO,
            **limits,
        )
        tx.connection.execute(made.on_conflict_do_update(index_elements=["endpoint"], set_=limits))


def whose_turn(tx: Transaction, *, most: int, without: Collection[EndpointId]) -> list[Lane]:
    """Lock the lanes that have something due, the one that waited longest for its turn first.

    A lane that another worker has locked, that is full, or whose destination is to be left
    alone, is not among them.
    """
    asked = {"at": tx.at, "most": most, "without": sorted(without)}
    rows = tx.connection.execute(_TURNS, asked)
    return [_lane(row) for row in rows]


def find(view: Reading | Transaction, endpoint: EndpointId) -> Lane:
    """Read one lane."""
    return _lane(view.connection.execute(_FIND, {"of_endpoint": endpoint}).one())


def lock(tx: Transaction, endpoint: EndpointId) -> Lane:
    """Lock one lane, and read it."""
    return _lane(tx.connection.execute(_LOCK, {"of_endpoint": endpoint}).one())


def change(tx: Transaction, changed: Lane) -> None:
    """Store how a lane stands; its row is locked."""
    tx.connection.execute(
        _CHANGE,
        {
            "of_endpoint": changed.endpoint,
            "new_failures": changed.failures,
            "new_next_at": changed.next_at,
            "new_claimed_at": changed.claimed_at,
            "new_opened_at": changed.opened_at,
        },
    )


def began(tx: Transaction, present: Lane, count: int) -> None:
    """Note that so many attempts of a lane begin now: it waits for its next turn.

    Where its endpoint takes only so many a minute, the lane rests for as long as these take.
    """
    rest = timedelta(minutes=count / present.per_minute) if present.per_minute else timedelta(0)
    change(
        tx,
        replace(
            present,
            next_at=max(present.next_at, tx.at) + rest if rest else present.next_at,
            claimed_at=tx.at,
        ),
    )


def all_of_them(view: Reading) -> list[Lane]:
    """List every lane, by endpoint."""
    return [_lane(row) for row in view.connection.execute(select(lane).order_by(lane.c.endpoint))]


def _lane(row: Row[Any]) -> Lane:
    return Lane(
        endpoint=EndpointId(row.endpoint),
        concurrency=row.concurrency,
        per_minute=row.per_minute,
        failures=row.failures,
        next_at=row.next_at,
        claimed_at=row.claimed_at,
        opened_at=row.opened_at,
    )
