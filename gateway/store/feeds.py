"""Feeds: one numbered list of events for each provider, without a gap.

What enters: that something happened to a delivery of a provider's. What leaves: events from a
number on. The numbers of a list are 1 to its size, in the order in which the events were
committed; a number once read is never given to another event, and none comes later below one
that was read. An event names a delivery, never a person; where that was erased, it stays without.
Must never: show one provider's list to another.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, bindparam, select

from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.store.engine import Reading, Transaction
from gateway.store.feed_numbers import FeedKind, Told
from gateway.store.tables_feeds import feed_event, feed_head

__all__ = ["FeedEvent", "FeedKind", "append", "before", "events", "size"]

_OF = feed_event.c.subscriber == bindparam("of_subscriber")
_EVENTS = (
    select(feed_event.c.seq, feed_event.c.at, feed_event.c.kind, feed_event.c.delivery)
    .where(_OF, feed_event.c.seq > bindparam("after"))
    .order_by(feed_event.c.seq)
    .limit(bindparam("most"))
)
_SIZE = select(feed_head.c.size).where(feed_head.c.subscriber == bindparam("of_subscriber"))
_FIRST_SINCE: Select[tuple[int]] = (
    select(feed_event.c.seq)
    .where(_OF, feed_event.c.at >= bindparam("since"))
    .order_by(feed_event.c.at, feed_event.c.seq)
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
    first = view.connection.execute(_FIRST_SINCE, asked).scalar_one_or_none()
    return size(view, subscriber) if first is None else first - 1
