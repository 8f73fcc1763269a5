"""Recalls: what each is about, until when its provider is to answer, and what it answered."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from gateway.referral.identifiers import DeliveryId
from gateway.referral.withdrawals import Ground, Recall, RecallAnswer
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import recall as table


def add(tx: Transaction, new: Recall) -> None:
    """Keep a new recall."""
    tx.connection.execute(
        insert(table).values(id=new.id, recalled=new.recalled, cause=new.cause, due=new.due)
    )


def find(view: Reading | Transaction, recall_id: DeliveryId) -> Recall | None:
    """Read one recall by its own id."""
    row = view.connection.execute(select(table).where(table.c.id == recall_id)).one_or_none()
    return _recall(row) if row else None


def of_ids(view: Reading, ids: Collection[DeliveryId]) -> list[Recall]:
    """Read some recalls by their own ids."""
    rows = view.connection.execute(select(table).where(table.c.id.in_(ids)))
    return [_recall(row) for row in rows]


def of_deliveries(
    view: Reading | Transaction, recalled: Sequence[DeliveryId]
) -> dict[DeliveryId, Recall]:
    """Read the recalls of some deliveries, by what they recall."""
    rows = view.connection.execute(select(table).where(table.c.recalled.in_(list(recalled))))
    found = [_recall(row) for row in rows]
    return {each.recalled: each for each in found}


def note_sent(tx: Transaction, recall_id: DeliveryId) -> None:
    """Note that the provider has the recall."""
    _change(tx, recall_id, sent_at=tx.at)


def answer(
    tx: Transaction,
    recall_id: DeliveryId,
    said: RecallAnswer,
    at: datetime,
    ground: Ground | None = None,
) -> None:
    """Note what the provider did; a later answer takes the place of an earlier one."""
    _change(tx, recall_id, answer=said, ground=ground, answered_at=at)


def note_overdue(tx: Transaction, recall_id: DeliveryId) -> None:
    """Note that a person was asked to call."""
    _change(tx, recall_id, overdue_at=tx.at)


def overdue(view: Reading | Transaction, at: datetime, *, limit: int) -> list[Recall]:
    """List the recalls whose answer is late, and about which nobody was asked to call yet."""
    rows = view.connection.execute(
        select(table)
        .where(table.c.answered_at.is_(None), table.c.due <= at, table.c.overdue_at.is_(None))
        .order_by(table.c.due)
        .limit(limit)
    )
    return [_recall(row) for row in rows]


def unanswered(view: Reading, *, limit: int) -> list[Recall]:
    """List the recalls that wait for an answer, the one due first at the head."""
    rows = view.connection.execute(
        select(table).where(table.c.answered_at.is_(None)).order_by(table.c.due).limit(limit)
    )
    return [_recall(row) for row in rows]


def _change(tx: Transaction, recall_id: DeliveryId, **changed: object) -> None:
    tx.connection.execute(update(table).where(table.c.id == recall_id).values(**changed))


def _recall(row: Row[Any]) -> Recall:
    return Recall(
        id=DeliveryId(row.id),
        recalled=DeliveryId(row.recalled),
        cause=row.cause,
        due=row.due,
        sent_at=row.sent_at,
        answer=RecallAnswer(row.answer) if row.answer else None,
        ground=Ground(row.ground) if row.ground else None,
        answered_at=row.answered_at,
        overdue_at=row.overdue_at,
    )
