"""Deliveries: the outbox. Claimed under a lease, one worker at a time."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from gateway.errors import MovedMeanwhileError
from gateway.referral.identifiers import DeliveryId, EndpointId, OdsCode, ReferralId, ServiceId
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, Reached, move_delivery
from gateway.referral.model import Delivery, Referral
from gateway.store import referrals, versioned
from gateway.store.engine import Reading, Transaction
from gateway.store.feeds import is_told_of
from gateway.store.tables import delivery, referral

_ADD = insert(delivery)
_IS_DUE = or_(
    and_(delivery.c.state == DeliveryState.QUEUED, delivery.c.next_at <= bindparam("at")),
    and_(delivery.c.state == DeliveryState.IN_FLIGHT, delivery.c.lease_until <= bindparam("at")),
)
_DUE_OF_LANE = (
    select(delivery)
    .where(delivery.c.lane == bindparam("of_lane"), _IS_DUE)
    .order_by(delivery.c.next_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CLAIMED = (
    "state", "lease_owner", "lease_until", "released_at", "attempts", "lapses",
    "may_have_arrived", "version", "updated_at",
)  # fmt: skip
_CLAIM = (
    update(delivery)
    .where(delivery.c.id == bindparam("of_id"))
    .values({name: bindparam(f"new_{name}") for name in _CLAIMED})
)
_UNDER_WAY = select(func.count()).where(
    delivery.c.lane == bindparam("of_lane"),
    delivery.c.state == DeliveryState.IN_FLIGHT,
    delivery.c.lease_until > bindparam("at"),
)
_RELEASE = (
    update(delivery)
    .where(delivery.c.id == bindparam("of_id"))
    .values(
        released_at=bindparam("released"),
        lease_until=bindparam("until"),
        version=bindparam("new_version"),
        updated_at=bindparam("released"),
    )
)


def add(tx: Transaction, new: Delivery) -> None:
    """Queue a delivery."""
    tx.connection.execute(_ADD, _row(new) | {"withdrawn": False})


def claim(
    tx: Transaction, lane: EndpointId, *, worker: str, lease_until: datetime, most: int
) -> list[tuple[Delivery, Delivery]]:
    """Lease the deliveries of a lane that are due longest, or whose workers died.

    The lane's row is locked by the caller. Returns: each as it was (its old state tells a fresh
    one from a lapsed lease) and as it is now, in flight.
    """
    rows = tx.connection.execute(_DUE_OF_LANE, {"of_lane": lane, "at": tx.at, "most": most}).all()
    before = [read(row) for row in rows]
    claimed = [
        replace(
            each,
            state=DeliveryState.IN_FLIGHT,
            lease_owner=worker,
            lease_until=lease_until,
            released_at=None,
            attempts=each.attempts + 1,
            lapses=each.lapses + (each.state is DeliveryState.IN_FLIGHT),
            may_have_arrived=each.may_have_arrived or each.released_at is not None,
            version=each.version + 1,
            updated_at=tx.at,
        )
        for each in before
    ]
    if claimed:
        tx.connection.execute(_CLAIM, [_claimed(each) for each in claimed])
    return list(zip(before, claimed, strict=True))


def under_way(tx: Transaction, lane: EndpointId) -> int:
    """Count the attempts of a lane whose leases last."""
    return tx.connection.execute(_UNDER_WAY, {"of_lane": lane, "at": tx.at}).scalar_one()


def past_their_time(view: Reading, at: datetime, *, limit: int) -> list[Delivery]:
    """List those that wait though the time of their retries is over."""
    rows = view.connection.execute(
        select(delivery)
        .where(delivery.c.state == DeliveryState.QUEUED, delivery.c.give_up_at <= at)
        .limit(limit)
    )
    return [read(row) for row in rows]


def move_lane(tx: Transaction, service: ServiceId, lane: EndpointId) -> None:
    """Let all that waits for a service wait for the endpoint that it has now."""
    tx.connection.execute(
        update(delivery)
        .where(
            delivery.c.service == service,
            delivery.c.state == DeliveryState.QUEUED,
            delivery.c.lane != lane,
        )
        .values(lane=lane, version=delivery.c.version + 1, updated_at=tx.at)
    )


def release(tx: Transaction, claimed: Delivery, *, lease_until: datetime) -> Delivery:
    """Note that the bytes of this attempt may leave from now until the lease ends."""
    released = replace(
        claimed,
        released_at=tx.at,
        lease_until=lease_until,
        version=claimed.version + 1,
        updated_at=tx.at,
    )
    tx.connection.execute(
        _RELEASE,
        {
            "of_id": claimed.id,
            "released": tx.at,
            "until": lease_until,
            "new_version": released.version,
        },
    )
    return released


def is_still_leased(tx: Transaction, claimed: Delivery) -> bool:
    """Lock a claimed delivery and tell whether nobody has touched it since."""
    version = tx.connection.execute(
        select(delivery.c.version).where(delivery.c.id == claimed.id).with_for_update()
    ).scalar_one()
    return bool(version == claimed.version)


def hold_still(tx: Transaction, delivery_id: str) -> tuple[Delivery, Referral]:
    """Lock a delivery and then its referral, and read both."""
    row = tx.connection.execute(
        select(delivery).where(delivery.c.id == delivery_id).with_for_update()
    ).one()
    found = read(row)
    return found, referrals.hold_still(tx, found.referral)


def let_no_more_leave(tx: Transaction, delivery_id: str) -> None:
    """Note that the attempt under way is the last one; whoever makes it still settles it."""
    tx.connection.execute(
        update(delivery).where(delivery.c.id == delivery_id).values(withdrawn=True)
    )


def is_withdrawn(tx: Transaction, delivery_id: DeliveryId) -> bool:
    """Whether a withdrawal came while an attempt was under way: no other is made."""
    query = select(delivery.c.withdrawn).where(delivery.c.id == delivery_id)
    return bool(tx.connection.execute(query).scalar_one())


def change(tx: Transaction, present: Delivery, changed: Delivery) -> None:
    """Store a delivery's move.

    Raises:
        IllegalMoveError: the lifecycle has no such move.
        MovedMeanwhileError: it was moved by another since it was read; try again.
    """
    if changed.state is not present.state:
        move_delivery(present.state, changed.state)
    if not versioned.write(tx, delivery, present.id, present.version, _row(changed)):
        msg = "the delivery was moved by somebody else at the same moment"
        raise MovedMeanwhileError(msg)


def touch(tx: Transaction, delivery_id: DeliveryId) -> None:
    """Note that something was said of a delivery; where it stands is left to its worker."""
    tx.connection.execute(
        update(delivery).where(delivery.c.id == delivery_id).values(updated_at=tx.at)
    )


def of_referral(view: Reading | Transaction, referral_id: ReferralId) -> list[Delivery]:
    """List a referral's deliveries, oldest first."""
    rows = view.connection.execute(
        select(delivery)
        .where(delivery.c.referral == referral_id)
        .order_by(delivery.c.created_at, delivery.c.id)
    )
    return [read(row) for row in rows]


def by_referral(view: Reading) -> dict[ReferralId, list[Delivery]]:
    """Read all deliveries, by referral."""
    found: dict[ReferralId, list[Delivery]] = {}
    for row in view.connection.execute(select(delivery).order_by(delivery.c.created_at)):
        found.setdefault(ReferralId(row.referral), []).append(read(row))
    return found


def find(view: Reading | Transaction, delivery_id: DeliveryId) -> Delivery | None:
    """Read one delivery; None if there is none under this id."""
    row = view.connection.execute(
        select(delivery).where(delivery.c.id == delivery_id)
    ).one_or_none()
    return read(row) if row else None


def of_ids(view: Reading, ids: Collection[DeliveryId]) -> list[Delivery]:
    """Read some deliveries."""
    rows = view.connection.execute(select(delivery).where(delivery.c.id.in_(ids)))
    return [read(row) for row in rows]


def find_receipt(view: Reading | Transaction, receipt: str) -> Delivery | None:
    """Read the delivery that a transport knows by this name; None if there is none."""
    row = view.connection.execute(select(delivery).where(delivery.c.receipt == receipt)).first()
    return read(row) if row else None


def lock(tx: Transaction, delivery_id: DeliveryId) -> Delivery:
    """Read a delivery and let nobody move it until the transaction ends."""
    query = select(delivery).where(delivery.c.id == delivery_id).with_for_update()
    return read(tx.connection.execute(query).one())


def only_accepted(
    view: Reading, lanes: Collection[EndpointId], *, after: str, limit: int
) -> list[Delivery]:
    """List what a transport has and nobody is known to have collected, by id from after one."""
    rows = view.connection.execute(
        select(delivery)
        .where(
            delivery.c.reached == literal_column(f"'{Reached.ACCEPTED}'"),
            delivery.c.lane.in_(lanes),
            delivery.c.id > after,
        )
        .order_by(delivery.c.id)
        .limit(limit)
    )
    return [read(row) for row in rows]


def owned_by(
    view: Reading,
    provider: OdsCode,
    *,
    since: datetime | None,
    before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Delivery]:
    """List the deliveries that a provider was told of, oldest move first."""
    query = select(delivery).where(delivery.c.provider == provider, is_told_of())
    return _page(view, query, since=since, before=before, after=after, limit=limit)


def placed_by(
    view: Reading,
    practice: OdsCode,
    *,
    since: datetime | None,
    before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Delivery]:
    """List the deliveries of a practice's referrals, oldest move first."""
    query = (
        select(delivery)
        .join(referral, referral.c.id == delivery.c.referral)
        .where(referral.c.practice == practice)
    )
    return _page(view, query, since=since, before=before, after=after, limit=limit)


def _page(
    view: Reading,
    query: Select[Any],
    *,
    since: datetime | None,
    before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Delivery]:
    if since is not None:
        query = query.where(delivery.c.updated_at >= since)
    if before is not None:
        query = query.where(delivery.c.updated_at < before)
    if after is not None:
        query = query.where(_is_after(after))
    page = query.order_by(delivery.c.updated_at, delivery.c.id).limit(limit)
    return [read(row) for row in view.connection.execute(page)]


def _is_after(place: tuple[datetime, str]) -> ColumnElement[bool]:
    """Tell whether a row comes after the last one of the page before."""
    moved_at, row_id = place
    later = delivery.c.updated_at > moved_at
    return or_(later, and_(delivery.c.updated_at == moved_at, delivery.c.id > row_id))


def _row(d: Delivery) -> dict[str, Any]:
    return {
        "id": d.id,
        "kind": d.kind,
        "referral": d.referral,
        "service": d.service,
        "part": d.part,
        "provider": d.provider,
        "state": d.state,
        "attempts": d.attempts,
        "next_at": d.next_at,
        "give_up_at": d.give_up_at,
        "lease_owner": d.lease_owner,
        "lease_until": d.lease_until,
        "reason": d.reason,
        "may_have_arrived": d.may_have_arrived,
        "lane": d.lane,
        "released_at": d.released_at,
        "lapses": d.lapses,
        "receipt": d.receipt,
        "reached": d.reached,
        "version": d.version,
        "created_at": d.created_at,
        "updated_at": d.updated_at,
    }


def _claimed(d: Delivery) -> dict[str, Any]:
    row = _row(d)
    return {"of_id": d.id} | {f"new_{name}": row[name] for name in _CLAIMED}


def read(row: Row[Any]) -> Delivery:
    """Read a delivery from its row."""
    return Delivery(
        id=DeliveryId(row.id),
        kind=DeliveryKind(row.kind),
        referral=ReferralId(row.referral),
        service=ServiceId(row.service),
        provider=OdsCode(row.provider),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        give_up_at=row.give_up_at,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        reason=row.reason,
        may_have_arrived=row.may_have_arrived,
        lane=EndpointId(row.lane),
        released_at=row.released_at,
        lapses=row.lapses,
        receipt=row.receipt,
        reached=Reached(row.reached) if row.reached else None,
        part=row.part,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
