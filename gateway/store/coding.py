"""What was found out of practices' switches for coded entries; rows are only ever added."""

from typing import Any

from sqlalchemy import Row, insert, select

from gateway.referral.identifiers import OdsCode
from gateway.store.engine import Reading, Transaction
from gateway.store.tables_outcomes import coding_event
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.learned import CodingEvent, Position, Source


def add(tx: Transaction, event: CodingEvent) -> None:
    """Add the next event of a practice."""
    tx.connection.execute(
        insert(coding_event),
        {
            "practice": event.practice,
            "seq": event.seq,
            "sender": event.sender,
            "value": event.value,
            "source": event.source,
            "at": event.at,
            "by": event.by,
            "expires": event.expires,
        },
    )


def of_practice(view: Reading | Transaction, practice: OdsCode) -> list[CodingEvent]:
    """List what was found out of a practice, in order."""
    query = select(coding_event).where(coding_event.c.practice == practice)
    return [_read(row) for row in view.connection.execute(query.order_by(coding_event.c.seq))]


def _read(row: Row[Any]) -> CodingEvent:
    return CodingEvent(
        practice=OdsCode(row.practice),
        seq=row.seq,
        sender=SenderCategory(row.sender) if row.sender else None,
        value=Position(row.value),
        source=Source(row.source),
        at=row.at,
        by=row.by,
        expires=row.expires,
    )
