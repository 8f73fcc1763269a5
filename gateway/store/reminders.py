"""Reminders: what waits for somebody, each once for what it is about."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from gateway.referral.identifiers import OdsCode, ReferralId, ReminderId
from gateway.referral.reminder import Owner, Reminder, ReminderCode
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import referral
from gateway.store.tables_outcomes import reminder


def add(tx: Transaction, new: Reminder) -> None:
    """Store a reminder. What it is about is locked, so that there is one of its code."""
    tx.connection.execute(insert(reminder), _row(new))


def close(tx: Transaction, closed: Reminder) -> None:
    """Note that somebody has seen to it."""
    tx.connection.execute(
        update(reminder)
        .where(reminder.c.id == closed.id)
        .values(
            closed_at=closed.closed_at, closed_by=closed.closed_by, resolution=closed.resolution
        )
    )


def reopen(tx: Transaction, again: Reminder) -> None:
    """Have a reminder that was seen to wait once more."""
    tx.connection.execute(update(reminder).where(reminder.c.id == again.id).values(_row(again)))


def find(view: Reading | Transaction, reminder_id: ReminderId) -> Reminder | None:
    """Read one reminder; None if there is none under this id."""
    row = view.connection.execute(
        select(reminder).where(reminder.c.id == reminder_id)
    ).one_or_none()
    return _read(row) if row else None


def about(
    view: Reading | Transaction, subject: str, codes: Collection[ReminderCode] = tuple(ReminderCode)
) -> list[Reminder]:
    """List the reminders about one delivery or outcome, open or not."""
    query = select(reminder).where(reminder.c.about == subject, reminder.c.code.in_(codes))
    return [_read(row) for row in view.connection.execute(query.order_by(reminder.c.code))]


def of_referral(view: Reading | Transaction, referral_id: ReferralId) -> list[Reminder]:
    """List the reminders of a referral, the oldest first."""
    query = select(reminder).where(reminder.c.referral == referral_id)
    rows = view.connection.execute(query.order_by(reminder.c.opened_at, reminder.c.id))
    return [_read(row) for row in rows]


def waiting(
    view: Reading | Transaction,
    *,
    until: datetime | None = None,
    practice: OdsCode | None = None,
    owners: Collection[Owner] = tuple(Owner),
    limit: int,
) -> list[Reminder]:
    """List what waits, the one due first at the head.

    `until`: only what is due by then; `practice`: only of its referrals.
    """
    query = select(reminder).where(reminder.c.closed_at.is_(None), reminder.c.owner.in_(owners))
    if practice is not None:
        own = select(referral.c.id).where(referral.c.practice == practice)
        query = query.where(reminder.c.referral.in_(own))
    if until is not None:
        query = query.where(reminder.c.due <= until)
    rows = view.connection.execute(query.order_by(reminder.c.due, reminder.c.id).limit(limit))
    return [_read(row) for row in rows]


def _row(each: Reminder) -> dict[str, Any]:
    return {
        "id": each.id,
        "referral": each.referral,
        "about": each.about,
        "code": each.code,
        "owner": each.owner,
        "opened_at": each.opened_at,
        "due": each.due,
        "closed_at": each.closed_at,
        "closed_by": each.closed_by,
        "resolution": each.resolution,
    }


def _read(row: Row[Any]) -> Reminder:
    return Reminder(
        id=ReminderId(row.id),
        referral=ReferralId(row.referral),
        about=row.about,
        code=ReminderCode(row.code),
        owner=Owner(row.owner),
        opened_at=row.opened_at,
        due=row.due,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        resolution=row.resolution,
    )
