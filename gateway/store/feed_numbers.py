"""The numbers of the feeds: given last in a transaction, so that none is left out or changed.

What enters: what providers are to be told of. What leaves: events, each with the next number of
its provider's list. A list's head stays locked from here to the commit: whoever rolls back gives
its numbers back, and who reads number n can read every number before it. Heads are locked in one
order by all writers, after the ledger's, so that nobody waits for one who waits for the ledger;
nothing else is locked after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from gateway.errors import StoreUnavailableError
from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.store.pen import Pen

_LENGTHEN = (
    "INSERT INTO feed_head (subscriber, size, at) VALUES (?, ?, ?)"
    " ON CONFLICT (subscriber) DO UPDATE SET size = feed_head.size + excluded.size,"
    " at = CASE WHEN feed_head.at > excluded.at THEN feed_head.at ELSE excluded.at END"
    " RETURNING size, at"
)
_ADD = "INSERT INTO feed_event (subscriber, seq, at, kind, delivery) VALUES (?, ?, ?, ?, ?)"


class FeedKind(StrEnum):
    """What happened to a Task, as far as whoever is told can see.

    A referral was brought to a provider; it is asked to stop one; a Task stands otherwise than
    before; a provider's answer was taken. A practice is told of the last two.
    """

    REFERRAL = "referral"
    RECALL = "recall"
    CHANGED = "changed"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider is to be told of at the commit."""

    subscriber: OdsCode
    kind: FeedKind
    delivery: DeliveryId


def number(connection: Connection, told: Sequence[Told], *, at: datetime) -> None:
    """Append to each provider's list what it is told of, in the order in which it was told.

    An event is never earlier than the one before it, whatever the clock says.

    Raises:
        StoreUnavailableError: the database did not take them in time, or has no room.
    """
    pen = Pen(connection)
    for subscriber in sorted({each.subscriber for each in told}):
        own = [each for each in told if each.subscriber == subscriber]
        head = pen.read(_LENGTHEN, (subscriber, len(own), pen.instant(at)))
        if head is None:
            msg = "the head of a provider's list vanished inside its own transaction"
            raise StoreUnavailableError(msg)
        size, since = head
        first = size - len(own) + 1
        rows = [
            (subscriber, seq, since, each.kind.value, each.delivery)
            for seq, each in enumerate(own, start=first)
        ]
        pen.write(_ADD, rows)
