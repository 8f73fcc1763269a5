"""Feeds: one numbered list of events for each provider and each practice, without a gap.

What enters: that something happened to a delivery of theirs. What leaves: events from a
number on. The numbers of a list are 1 to its size, in the order in which the events were
committed; a number once read is never given to another event, and none comes later below one
that was read. An event names a delivery, never a person; where that was erased, it stays without.
Must never: show one organisation's list to another.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, select, update

from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.store.engine import Reading, Transaction
from gateway.store.feed_numbers import FeedKind, Told
from gateway.store.tables import delivery
from gateway.store.tables_feeds import feed_event, feed_head

__all__ = [
    "FeedEvent",
    "FeedKind",
    "append",
    "before",
    "events",
    "forget",
    "gaps",
    "names",
    "size",
    "untold",
]

_OF = feed_event.c.subscriber == bindparam("of_subscriber")
_EVENTS = (
    select(feed_event.c.seq, feed_event.c.at, feed_event.c.kind, feed_event.c.delivery)
    .where(_OF, feed_event.c.seq > bindparam("after"))
    .order_by(feed_event.c.seq)
    .limit(bindparam("most"))
)
_SIZE = select(feed_head.c.size).where(feed_head.c.subscriber == bindparam("of_subscriber"))
_FIRST_SINCE = (
    select(feed_event.c.seq)
    .where(_OF, feed_event.c.at >= bindparam("since"))
    .order_by(feed_event.c.at, feed_event.c.seq)
    .limit(1)
)

_NAMES = (
    select(feed_event.c.seq)
    .join(delivery, delivery.c.id == feed_event.c.delivery)
    .where(
        _OF,
        feed_event.c.delivery == bindparam("of_delivery"),
        delivery.c.provider == bindparam("of_subscriber"),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """One event of a provider's list. `delivery` None: what it was about is erased."""

    seq: int
    at: datetime
    kind: FeedKind
    delivery: DeliveryId | None


def append(tx: Transaction, subscriber: OdsCode, kind: FeedKind, delivery: DeliveryId) -> None:
    """Tell a provider of a delivery: it gets the next number of its list at the commit."""
    tx.told.append(Told(subscriber, kind, delivery))


def events(
    view: Reading | Transaction, subscriber: OdsCode, *, after: int, limit: int
) -> list[FeedEvent]:
    """List a provider's events that come after a number, by number."""
    asked = {"of_subscriber": subscriber, "after": after, "most": limit}
    return [
        FeedEvent(
            seq=row.seq,
            at=row.at,
            kind=FeedKind(row.kind),
            delivery=None if row.delivery is None else DeliveryId(row.delivery),
        )
        for row in view.connection.execute(_EVENTS, asked)
    ]


def size(view: Reading | Transaction, subscriber: OdsCode) -> int:
    """Tell how many events a provider's list has: the number of its newest; 0 for none."""
    found = view.connection.execute(_SIZE, {"of_subscriber": subscriber}).scalar_one_or_none()
    return found or 0


def before(view: Reading | Transaction, subscriber: OdsCode, since: datetime) -> int:
    """Tell the number of a provider's last event before an instant; 0 where there is none."""
    asked = {"of_subscriber": subscriber, "since": since}
    row = view.connection.execute(_FIRST_SINCE, asked).one_or_none()
    return size(view, subscriber) if row is None else int(row.seq) - 1


def names(view: Reading | Transaction, subscriber: OdsCode, delivery_id: DeliveryId) -> bool:
    """Tell whether a provider was ever told of a delivery of its own: then its Task is theirs.

    A practice is told of its providers' Tasks too; that makes none of them its own to answer.
    """
    asked = {"of_subscriber": subscriber, "of_delivery": delivery_id}
    return view.connection.execute(_NAMES, asked).first() is not None


def forget(tx: Transaction, referrals: Select[Any] | Collection[str]) -> None:
    """Take out which deliveries of some referrals the events were about; the numbers stay."""
    own = select(delivery.c.id).where(delivery.c.referral.in_(referrals))
    tx.connection.execute(
        update(feed_event).where(feed_event.c.delivery.in_(own)).values(delivery=None)
    )


def gaps(view: Reading) -> Iterator[OdsCode]:
    """Name the providers whose lists do not have exactly the numbers from 1 to their size."""
    of_each = select(
        feed_event.c.subscriber,
        func.count().label("number"),
        func.min(feed_event.c.seq).label("first"),
        func.max(feed_event.c.seq).label("last"),
    ).group_by(feed_event.c.subscriber)
    found = {row.subscriber: tuple(row)[1:] for row in view.connection.execute(of_each)}
    heads = view.connection.execute(select(feed_head.c.subscriber, feed_head.c.size))
    sizes: dict[str, int] = {row.subscriber: row.size for row in heads}
    for subscriber in sorted(sizes.keys() | found.keys()):
        size_said = sizes.get(subscriber, 0)
        if found.get(subscriber, (0, 0, 0)) != (size_said, 1, size_said):
            yield OdsCode(subscriber)


def untold(view: Reading) -> Iterator[DeliveryId]:
    """Name the deliveries that a provider has, and the recalls, of which it was never told."""
    has_it = and_(
        delivery.c.kind == DeliveryKind.REFERRAL, delivery.c.state == DeliveryState.DELIVERED
    )
    is_theirs = has_it | (delivery.c.kind == DeliveryKind.RECALL)
    query = select(delivery.c.id).where(is_theirs, ~is_told_of()).order_by(delivery.c.id)
    yield from (DeliveryId(row.id) for row in view.connection.execute(query))


def is_told_of() -> ColumnElement[bool]:
    """Say of a row of `delivery` that its own provider was told of it."""
    return exists().where(
        feed_event.c.delivery == delivery.c.id, feed_event.c.subscriber == delivery.c.provider
    )
