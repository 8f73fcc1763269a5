"""Silences: who has a referral and has said nothing of it for too long."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from gateway.referral.identifiers import DeliveryId
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.outcome import Standing
from gateway.referral.reminder import ReminderCode
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import delivery, referral
from gateway.store.tables_outcomes import outcome, reminder

_WAITS = (ReminderCode.PROVIDER_SILENT, ReminderCode.INFORMATION_WANTED)
"""While either is open, the silence is seen already, or it is the practice that is to speak."""


def silent(view: Reading | Transaction, before: datetime, *, limit: int) -> list[DeliveryId]:
    """List deliveries of which nothing was heard since `before`, in no order."""
    query = select(delivery.c.id).join(referral, referral.c.id == delivery.c.referral)
    rows = view.connection.execute(query.where(*_is_silent(before)).limit(limit))
    return [DeliveryId(row.id) for row in rows]


def is_silent(tx: Transaction, delivery_id: DeliveryId, before: datetime) -> bool:
    """Whether that is so of one delivery, which is locked."""
    query = select(delivery.c.id).join(referral, referral.c.id == delivery.c.referral)
    found = tx.connection.execute(query.where(delivery.c.id == delivery_id, *_is_silent(before)))
    return found.one_or_none() is not None


def _is_silent(before: datetime) -> tuple[ColumnElement[bool], ...]:
    """Say what silence is. An outcome that stays here is no word to the practice.

    Time counts from the last word; where there was none, from when the provider had it at the
    latest. A reminder that was closed gives the same time once more.
    """
    own = outcome.c.delivery == delivery.c.id
    word = select(func.max(outcome.c.received_at)).where(own, outcome.c.standing != Standing.KEPT)
    first = select(func.min(outcome.c.received_at)).where(own)
    since = func.coalesce(word.scalar_subquery(), first.scalar_subquery(), delivery.c.updated_at)
    is_seen = (
        select(reminder.c.id)
        .where(
            reminder.c.about == delivery.c.id,
            reminder.c.code.in_(_WAITS),
            reminder.c.closed_at.is_(None) | (reminder.c.closed_at > before),
        )
        .exists()
    )
    return (
        delivery.c.kind == DeliveryKind.REFERRAL,
        delivery.c.state == DeliveryState.DELIVERED,
        referral.c.state == ReferralState.DELIVERED,
        since <= before,
        ~is_seen,
    )
