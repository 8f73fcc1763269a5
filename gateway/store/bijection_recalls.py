"""Recalls and withdrawals as their rows have them, to be held against the ledger.

What enters: one consistent view of the database. What leaves: the recalls of some referrals; and
which withdrawals say that they are acknowledged, and yet something of them is not as that asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, or_, select

from gateway.ledger.values import write_instant
from gateway.referral.withdrawals import Standing
from gateway.store.engine import Reading
from gateway.store.tables import delivery, recall, withdrawal, withdrawal_delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallRow:
    """A recall as its row has it; times as entries write them."""

    id: str
    recalled: str
    cause: str
    due: str
    sent_at: str | None
    answer: str | None
    answered_at: str | None
    overdue_at: str | None


def recalls_of(view: Reading, ids: Sequence[str]) -> dict[str, list[RecallRow]]:
    """Read the recalls of some referrals."""
    query = (
        select(recall, delivery.c.referral)
        .join(delivery, delivery.c.id == recall.c.id)
        .where(delivery.c.referral.in_(ids))
        .order_by(recall.c.id)
    )
    found: dict[str, list[RecallRow]] = {each: [] for each in ids}
    for row in view.connection.execute(query):
        found[row.referral].append(
            RecallRow(
                id=row.id,
                recalled=row.recalled,
                cause=row.cause,
                due=write_instant(row.due),
                sent_at=_written(row.sent_at),
                answer=row.answer,
                answered_at=_written(row.answered_at),
                overdue_at=_written(row.overdue_at),
            )
        )
    return found


def _written(at: datetime | None) -> str | None:
    return None if at is None else write_instant(at)


def unsettled(view: Reading) -> Iterator[tuple[str, int]]:
    """Name acknowledged withdrawals that cover what may still leave, or was not recalled.

    Source: the sharing rules, section 11, items 13 and 18.
    """
    column = withdrawal_delivery.c
    reached = column.standing.in_((Standing.DELIVERED, Standing.UNKNOWN))
    is_told = exists().where(recall.c.recalled == column.delivery)
    is_open = or_(column.standing == Standing.LEAVING, and_(reached, ~is_told))
    query = (
        select(withdrawal.c.id, func.count().label("rows"))
        .join(withdrawal_delivery, column.withdrawal == withdrawal.c.id)
        .where(withdrawal.c.acknowledged_at.is_not(None), is_open)
        .group_by(withdrawal.c.id)
        .order_by(withdrawal.c.id)
    )
    yield from ((row.id, row.rows) for row in view.connection.execute(query))


def overdue(view: Reading, at: datetime) -> int:
    """Count the recalls whose answer is due, and that have none."""
    query = select(func.count()).where(recall.c.answered_at.is_(None), recall.c.due <= at)
    return int(view.connection.execute(query).scalar_one())
