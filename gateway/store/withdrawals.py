"""Withdrawals, and the deliveries that each covers."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.errors import NotFoundError
from gateway.referral.identifiers import (
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    WithdrawalId,
)
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.referral.model import Delivery
from gateway.referral.withdrawals import Cause, Covered, Standing, Withdrawal
from gateway.store import deliveries, recalls
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import delivery, recall, referral, withdrawal, withdrawal_delivery

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
LIVE = (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT)
"""States of a delivery that a worker will still act on."""


def add(tx: Transaction, new: Withdrawal) -> None:
    """Keep a new withdrawal."""
    tx.connection.execute(
        insert(withdrawal).values(
            id=new.id,
            cause=new.cause,
            about=new.about,
            practice=new.practice,
            recipient=new.recipient,
            subject=new.subject,
            actor=new.actor,
            withdrawn_at=new.withdrawn_at,
        )
    )


def cover(
    tx: Transaction, of: WithdrawalId, covered: DeliveryId, standing: Standing, told: str | None
) -> None:
    """Note that a withdrawal covers a delivery, and how that stands now."""
    row = {"standing": standing, "recall": told}
    tx.connection.execute(
        _INSERTS[tx.connection.dialect.name](withdrawal_delivery)
        .values(withdrawal=of, delivery=covered, **row)
        .on_conflict_do_update(index_elements=["withdrawal", "delivery"], set_=row)
    )


def acknowledge(tx: Transaction, of: WithdrawalId) -> bool:
    """Note that nothing of it leaves any more; tell whether nobody had noted it before."""
    done = tx.connection.execute(
        update(withdrawal)
        .where(withdrawal.c.id == of, withdrawal.c.acknowledged_at.is_(None))
        .values(acknowledged_at=tx.at)
    )
    return bool(done.rowcount)


def unacknowledged(
    view: Reading | Transaction,
    at: datetime,
    *,
    practice: OdsCode | None = None,
    subject: Handle | None = None,
    limit: int = 100,
) -> list[Withdrawal]:
    """List the withdrawals that count by now and are not acknowledged, the oldest first."""
    query = select(withdrawal).where(
        withdrawal.c.acknowledged_at.is_(None), withdrawal.c.withdrawn_at <= at
    )
    if practice is not None:
        query = query.where(withdrawal.c.practice == practice)
    if subject is not None:
        query = query.where(withdrawal.c.subject == subject)
    ordered = query.order_by(withdrawal.c.withdrawn_at, withdrawal.c.id).limit(limit)
    return [_withdrawal(row) for row in view.connection.execute(ordered)]


def get(view: Reading | Transaction, wanted: WithdrawalId) -> Withdrawal:
    """Read one withdrawal.

    Raises:
        NotFoundError: there is none under this id.
    """
    found = find(view, wanted)
    if found is None:
        msg = "no withdrawal has this id"
        raise NotFoundError(msg)
    return found


def find(view: Reading | Transaction, wanted: WithdrawalId) -> Withdrawal | None:
    """Read one withdrawal; None: there is none under this id."""
    row = view.connection.execute(select(withdrawal).where(withdrawal.c.id == wanted)).one_or_none()
    return _withdrawal(row) if row else None


def newest(
    view: Reading, *, practice: OdsCode | None, about: str | None = None, limit: int
) -> list[Withdrawal]:
    """List withdrawals, the newest first; of one practice, or of all; of one thing, or of any."""
    query = select(withdrawal)
    if practice is not None:
        query = query.where(withdrawal.c.practice == practice)
    if about is not None:
        query = query.where(withdrawal.c.about == about)
    ordered = query.order_by(withdrawal.c.withdrawn_at.desc(), withdrawal.c.id).limit(limit)
    return [_withdrawal(row) for row in view.connection.execute(ordered)]


def tallies(
    view: Reading, of: Sequence[WithdrawalId]
) -> dict[WithdrawalId, Mapping[Standing, int]]:
    """Count what each of some withdrawals covers, by standing."""
    found: dict[WithdrawalId, Counter[Standing]] = {each: Counter() for each in of}
    column = withdrawal_delivery.c
    query = (
        select(column.withdrawal, column.standing, func.count().label("rows"))
        .where(column.withdrawal.in_(list(of)))
        .group_by(column.withdrawal, column.standing)
    )
    for row in view.connection.execute(query):
        found[WithdrawalId(row.withdrawal)][Standing(row.standing)] = row.rows
    return dict(found)


def covered_by(
    view: Reading | Transaction,
    of: WithdrawalId,
    *,
    after: tuple[str, str] | None = None,
    limit: int | None = None,
) -> tuple[Covered, ...]:
    """List what a withdrawal covers, by reference, with the recalls.

    `after`: reference and delivery of the last one of the page before; `limit` None: all.
    """
    query = (
        select(
            withdrawal_delivery.c.delivery,
            withdrawal_delivery.c.standing,
            delivery.c.provider,
            referral.c.id.label("referral"),
            referral.c.reference,
        )
        .join(delivery, delivery.c.id == withdrawal_delivery.c.delivery)
        .join(referral, referral.c.id == delivery.c.referral)
        .where(withdrawal_delivery.c.withdrawal == of)
        .order_by(referral.c.reference, withdrawal_delivery.c.delivery)
        .limit(limit)
    )
    if after is not None:
        place = tuple_(referral.c.reference, withdrawal_delivery.c.delivery)
        query = query.where(place > after)
    rows = view.connection.execute(query).all()
    told = recalls.of_deliveries(view, [DeliveryId(row.delivery) for row in rows])
    return tuple(
        Covered(
            delivery=DeliveryId(row.delivery),
            referral=ReferralId(row.referral),
            reference=ReferralReference(row.reference),
            provider=OdsCode(row.provider),
            standing=Standing(row.standing),
            recall=told.get(DeliveryId(row.delivery)),
        )
        for row in rows
    )


def candidates(
    view: Reading | Transaction,
    concerned: Withdrawal,
    *,
    live: bool,
    but: Collection[DeliveryId] = (),
) -> Sequence[Delivery]:
    """List the deliveries of referrals that a withdrawal may cover, the oldest first.

    Args:
        view: where to read.
        concerned: narrows them by practice, recipient and person.
        live: those that wait or are under way; else those that arrived, or may have, and whose
            provider had not been told before.
        but: not these.
    """
    brought = delivery.alias("brought")
    told = exists().where(
        recall.c.recalled == delivery.c.id,
        brought.c.id == recall.c.id,
        brought.c.created_at < concerned.withdrawn_at,
    )
    reached = and_(
        or_(delivery.c.state == DeliveryState.DELIVERED, delivery.c.may_have_arrived),
        delivery.c.state.not_in(LIVE),
        ~told,
    )
    query = (
        select(delivery)
        .join(referral, referral.c.id == delivery.c.referral)
        .where(
            delivery.c.kind == DeliveryKind.REFERRAL,
            delivery.c.created_at <= concerned.withdrawn_at,
            delivery.c.state.in_(LIVE) if live else reached,
            *_concerns(concerned),
        )
        .order_by(delivery.c.created_at, delivery.c.id)
    )
    found = [deliveries.read(row) for row in view.connection.execute(query)]
    return [each for each in found if each.id not in but]


def _concerns(concerned: Withdrawal) -> list[ColumnElement[bool]]:
    wanted = {
        referral.c.practice: concerned.practice,
        delivery.c.provider: concerned.recipient,
        referral.c.subject: concerned.subject,
    }
    return [column == value for column, value in wanted.items() if value is not None]


def _withdrawal(row: Row[Any]) -> Withdrawal:
    return Withdrawal(
        id=WithdrawalId(row.id),
        cause=Cause(row.cause),
        about=row.about,
        practice=OdsCode(row.practice) if row.practice else None,
        recipient=OdsCode(row.recipient) if row.recipient else None,
        subject=Handle(row.subject) if row.subject else None,
        actor=row.actor,
        withdrawn_at=row.withdrawn_at,
        acknowledged_at=row.acknowledged_at,
    )
