"""Letters: what each brings to a practice, and what was said of it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from gateway.referral.identifiers import DecisionId, DeliveryId, OutcomeId
from gateway.referral.letter import Letter
from gateway.store.engine import Reading, Transaction
from gateway.store.tables_outcomes import letter


def add(tx: Transaction, new: Letter) -> None:
    """Store what a letter brings; its delivery is there already."""
    tx.connection.execute(insert(letter), _row(new))


def change(tx: Transaction, changed: Letter) -> None:
    """Note what was said of a letter. Its delivery is locked."""
    row = _row(changed)
    tx.connection.execute(update(letter).where(letter.c.id == changed.id).values(row))


def find(view: Reading | Transaction, letter_id: DeliveryId) -> Letter | None:
    """Read one letter; None if there is none under this id."""
    row = view.connection.execute(select(letter).where(letter.c.id == letter_id)).one_or_none()
    return _read(row) if row else None


def get(view: Reading | Transaction, letter_id: DeliveryId) -> Letter:
    """Read what a delivery of that kind brings."""
    return _read(view.connection.execute(select(letter).where(letter.c.id == letter_id)).one())


def of_ids(view: Reading | Transaction, ids: Collection[DeliveryId]) -> list[Letter]:
    """List letters by their ids, in no order."""
    rows = view.connection.execute(select(letter).where(letter.c.id.in_(ids))) if ids else ()
    return [_read(row) for row in rows]


def of_outcomes(view: Reading | Transaction, outcomes: Collection[OutcomeId]) -> list[Letter]:
    """List the letters that bring some outcomes, by id."""
    query = select(letter).where(letter.c.outcome.in_(outcomes)).order_by(letter.c.id)
    return [_read(row) for row in view.connection.execute(query)]


def unanswered(view: Reading | Transaction, at: datetime, *, limit: int) -> list[Letter]:
    """List the letters whose answers are missed, the one due first at the head."""
    query = select(letter).where(letter.c.answer_due <= at).order_by(letter.c.answer_due)
    return [_read(row) for row in view.connection.execute(query.limit(limit))]


def _row(each: Letter) -> dict[str, Any]:
    return {
        "id": each.id,
        "outcome": each.outcome,
        "interaction": each.interaction,
        "recipient_type": each.recipient_type,
        "row": each.row,
        "decision": each.decision,
        "payload_sha256": each.payload_sha256,
        "number": each.number,
        "replaces": each.replaces,
        "infrastructure": each.infrastructure,
        "business": each.business,
        "returned": each.returned,
        "answer_due": each.answer_due,
        "answered_at": each.answered_at,
    }


def _read(row: Row[Any]) -> Letter:
    return Letter(
        id=DeliveryId(row.id),
        outcome=OutcomeId(row.outcome),
        interaction=row.interaction,
        recipient_type=row.recipient_type,
        row=row.row,
        decision=DecisionId(row.decision),
        payload_sha256=row.payload_sha256,
        number=row.number,
        replaces=DeliveryId(row.replaces) if row.replaces else None,
        infrastructure=row.infrastructure,
        business=row.business,
        returned=row.returned,
        answer_due=row.answer_due,
        answered_at=row.answered_at,
    )
