"""Subscriptions to the feeds: where each provider wants to be told, and how far it has been.

What enters: subscriptions, their secrets and their receivers' headers. What leaves: those of
one subscriber, and the one whose turn it is. Secrets and headers are sealed under a key of the
row. Who sees what is a condition of the query. Must never: move a position backwards, or for
anybody but the holder of the lease.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from gateway.errors import DuplicateRequestError, NotFoundError
from gateway.referral.identifiers import ClientId, OdsCode, SubscriptionId
from gateway.referral.subscriptions import (
    Channel,
    Content,
    Subscription,
    SubscriptionStatus,
    Terms,
)
from gateway.store.engine import Reading, Transaction
from gateway.store.tables_feeds import feed_event, feed_head
from gateway.store.tables_feeds import subscription as row
from gateway.store.vault import RowKey

SKEW = timedelta(minutes=1)
"""A turn that was taken further ahead than this was taken by a clock that has since been set
back: what was timed by that clock counts no longer."""

_COLUMNS = [c for c in row.c if c.name not in ("wrapped_key", "sealed_secret", "sealed_headers")]
_OF_OWN = (row.c.subscriber == bindparam("of_subscriber")) & (row.c.id == bindparam("of_id"))
_IS_ON = row.c.status != SubscriptionStatus.OFF
_WAITING = (
    select(feed_event.c.at)
    .where(feed_event.c.subscriber == row.c.subscriber, feed_event.c.seq == row.c.next_seq)
    .scalar_subquery()
)
"""When the first event that was not yet taken happened; empty: none waits."""
_SIZE = select(feed_head.c.size).where(feed_head.c.subscriber == row.c.subscriber).scalar_subquery()
_OF_ANOTHER_CLOCK = row.c.claimed_at > bindparam("ahead")
_DUE: ColumnElement[bool] = and_(
    _IS_ON,
    or_(row.c.lease_until.is_(None), row.c.lease_until <= bindparam("at"), _OF_ANOTHER_CLOCK),
    or_(
        row.c.next_at <= bindparam("at"),
        row.c.end_at <= bindparam("at"),
        _OF_ANOTHER_CLOCK,
        and_(row.c.status == SubscriptionStatus.ACTIVE, row.c.failures == 0, row.c.next_seq <= _SIZE),
    ),
)  # fmt: skip
_PEEK = select(row.c.id).where(_DUE, row.c.failures <= bindparam("most_failures")).limit(1)
_TURN: Select[Any] = (
    select(*_COLUMNS)
    .where(_DUE, row.c.failures <= bindparam("most_failures"))
    .order_by(row.c.claimed_at, row.c.id)
    .limit(1)
    .with_for_update(skip_locked=True, of=row)
)
_FIND = select(*_COLUMNS).where(_OF_OWN)
_LOCK = select(*_COLUMNS).where(row.c.id == bindparam("of_id")).with_for_update()
_SEALED = select(row.c.wrapped_key, row.c.sealed_secret, row.c.sealed_headers).where(
    row.c.id == bindparam("of_id")
)
_ANY_FAILURES = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A subscription, and since when the first event that it was not yet told waits."""

    subscription: Subscription
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a subscriber searches its own for; None: any."""

    ids: Collection[SubscriptionId] | None = None
    statuses: Collection[SubscriptionStatus] | None = None
    address: str | None = None


def add(
    tx: Transaction, new: Subscription, secret: bytes, headers: Sequence[tuple[str, str]]
) -> None:
    """Store a new subscription.

    Raises:
        DuplicateRequestError: this subscriber has one to this address.
    """
    key = tx.vault.new_key(_place(new.id))
    try:
        tx.connection.execute(
            insert(row).values(
                id=new.id,
                subscriber=new.subscriber,
                client=new.client,
                channel=new.terms.channel,
                address=new.terms.address,
                payload=new.terms.content,
                heartbeat_seconds=int(new.terms.heartbeat.total_seconds()),
                timeout_seconds=int(new.terms.timeout.total_seconds()),
                max_count=new.terms.max_count,
                started_after=new.started_after,
                created_at=new.created_at,
                wrapped_key=key.wrapped,
                sealed_secret=tx.vault.seal(key, secret, f"{_place(new.id)}/secret"),
                sealed_headers=_sealed_headers(tx, key, new.id, headers),
                **_moving(new),
            )
        )
    except IntegrityError as error:
        msg = (
            "your organisation has a subscription to this address. Read it, and delete it first"
            " if its secret was lost"
        )
        raise DuplicateRequestError(msg) from error


def count(tx: Transaction, subscriber: OdsCode) -> int:
    """Count a subscriber's subscriptions."""
    found = tx.connection.execute(
        select(func.count()).select_from(row).where(row.c.subscriber == subscriber)
    )
    return int(found.scalar_one())


def find(view: Reading | Transaction, subscriber: OdsCode, own: SubscriptionId) -> Subscription:
    """Read one of a subscriber's own.

    Raises:
        NotFoundError: there is none, or it is another subscriber's.
    """
    return _one(view, _FIND, subscriber, own)


def lock_own(tx: Transaction, subscriber: OdsCode, own: SubscriptionId) -> Subscription:
    """Lock one of a subscriber's own, and read it.

    Raises:
        NotFoundError: there is none, or it is another subscriber's.
    """
    return _one(tx, _FIND.with_for_update(), subscriber, own)


def search(view: Reading, subscriber: OdsCode | None, wanted: Search) -> list[Waiting]:
    """List a subscriber's own, or (None) everybody's, oldest first."""
    query = select(*_COLUMNS, _WAITING.label("waiting")).order_by(row.c.created_at, row.c.id)
    if subscriber is not None:
        query = query.where(row.c.subscriber == subscriber)
    if wanted.ids is not None:
        query = query.where(row.c.id.in_(list(wanted.ids)))
    if wanted.statuses is not None:
        query = query.where(row.c.status.in_(list(wanted.statuses)))
    if wanted.address is not None:
        query = query.where(row.c.address == wanted.address)
    rows: Iterable[Row[Any]] = view.connection.execute(query)
    return [_waiting(each) for each in rows]


def watched(view: Reading) -> list[Waiting]:
    """List those that are on, and those whose alarm is up."""
    query = select(*_COLUMNS, _WAITING.label("waiting")).where(
        or_(_IS_ON, row.c.stalled_at.is_not(None))
    )
    rows: Iterable[Row[Any]] = view.connection.execute(query)
    return [_waiting(each) for each in rows]


def is_any_due(view: Reading, at: datetime, *, only_well: bool) -> bool:
    """Tell whether a subscription has something to be told now; locks nothing."""
    return view.connection.execute(_PEEK, _asked(at, only_well=only_well)).first() is not None


def whose_turn(tx: Transaction, *, only_well: bool) -> Subscription | None:
    """Lock the subscription whose turn it is: the one that had its last turn longest ago.

    Args:
        tx: the transaction.
        only_well: pass over those whose last attempt failed.
    """
    found = tx.connection.execute(_TURN, _asked(tx.at, only_well=only_well)).one_or_none()
    return None if found is None else _subscription(found)


def lock(tx: Transaction, own: SubscriptionId) -> Subscription | None:
    """Lock a subscription, and read it; None where it was deleted."""
    found = tx.connection.execute(_LOCK, {"of_id": own}).one_or_none()
    return None if found is None else _subscription(found)


def waiting_since(view: Reading | Transaction, own: SubscriptionId) -> datetime | None:
    """Tell when the first event that was not yet taken happened."""
    found = view.connection.execute(select(_WAITING).select_from(row).where(row.c.id == own))
    moment: datetime | None = found.scalar_one()
    return moment


def save(tx: Transaction, changed: Subscription) -> None:
    """Store how a subscription stands now; its row is locked. Its address and terms stay."""
    tx.connection.execute(update(row).where(row.c.id == changed.id).values(**_moving(changed)))


def put_headers(tx: Transaction, own: SubscriptionId, headers: Sequence[tuple[str, str]]) -> None:
    """Replace the receiver's own headers; its row is locked."""
    sealed = tx.connection.execute(_SEALED, {"of_id": own}).one()
    key = tx.vault.open_key(sealed.wrapped_key, _place(own))
    tx.connection.execute(
        update(row)
        .where(row.c.id == own)
        .values(sealed_headers=_sealed_headers(tx, key, own, headers))
    )


def opened(
    view: Reading | Transaction, own: SubscriptionId
) -> tuple[bytes, Sequence[tuple[str, str]]]:
    """Open a subscription's secret, and its receiver's headers.

    Raises:
        KeyMissingError: the key-encryption key is not configured.
        DamagedRecordError: they do not open.
    """
    sealed = view.connection.execute(_SEALED, {"of_id": own}).one()
    key = view.vault.open_key(sealed.wrapped_key, _place(own))
    secret = view.vault.open(key, sealed.sealed_secret, f"{_place(own)}/secret")
    if sealed.sealed_headers is None:
        return secret, ()
    text = view.vault.open(key, sealed.sealed_headers, f"{_place(own)}/headers")
    return secret, [(name, value) for name, value in json.loads(text)]


def remove(tx: Transaction, subscriber: OdsCode, own: SubscriptionId) -> None:
    """Delete one of a subscriber's own, its secret with it.

    Raises:
        NotFoundError: there is none, or it is another subscriber's.
    """
    done = tx.connection.execute(
        delete(row).where(_OF_OWN), {"of_subscriber": subscriber, "of_id": own}
    )
    if done.rowcount != 1:
        raise _none()


def _one(
    view: Reading | Transaction, query: Select[Any], subscriber: OdsCode, own: SubscriptionId
) -> Subscription:
    asked = {"of_subscriber": subscriber, "of_id": own}
    found = view.connection.execute(query, asked).one_or_none()
    if found is None:
        raise _none()
    return _subscription(found)


def _none() -> NotFoundError:
    return NotFoundError("no subscription has this id")


def _asked(at: datetime, *, only_well: bool) -> dict[str, object]:
    return {"at": at, "ahead": at + SKEW, "most_failures": 0 if only_well else _ANY_FAILURES}


def _place(own: SubscriptionId) -> str:
    return f"subscription/{own}"


def _sealed_headers(
    tx: Transaction, key: RowKey, own: SubscriptionId, headers: Sequence[tuple[str, str]]
) -> bytes | None:
    if not headers:
        return None
    text = json.dumps([list(each) for each in headers]).encode()
    return tx.vault.seal(key, text, f"{_place(own)}/headers")


def _moving(own: Subscription) -> dict[str, Any]:
    """Return what may change of a row."""
    return {
        "status": own.status,
        "end_at": own.terms.end_at,
        "next_seq": own.next_seq,
        "batch_until": own.batch_until,
        "next_at": own.next_at,
        "claimed_at": own.claimed_at,
        "failures": own.failures,
        "switched_on_at": own.switched_on_at,
        "confirmed_at": own.confirmed_at,
        "last_sent_at": own.last_sent_at,
        "last_ok_at": own.last_ok_at,
        "stalled_at": own.stalled_at,
        "error": own.error,
        "lease_owner": own.lease_owner,
        "lease_until": own.lease_until,
        "version": own.version,
        "updated_at": own.updated_at,
    }


def _waiting(found: Row[Any]) -> Waiting:
    return Waiting(subscription=_subscription(found), since=found.waiting)


_PLAIN = (
    "started_after", "next_seq", "batch_until", "next_at", "claimed_at", "failures",
    "switched_on_at", "confirmed_at", "last_sent_at", "last_ok_at", "stalled_at", "error",
    "lease_owner", "lease_until", "version", "created_at", "updated_at",
)  # fmt: skip
"""What stands in the row as it stands in the value."""


def _subscription(found: Row[Any]) -> Subscription:
    terms = Terms(
        channel=Channel(found.channel),
        address=found.address,
        content=Content(found.payload),
        heartbeat=timedelta(seconds=found.heartbeat_seconds),
        timeout=timedelta(seconds=found.timeout_seconds),
        max_count=found.max_count,
        end_at=found.end_at,
    )
    return Subscription(
        id=SubscriptionId(found.id),
        subscriber=OdsCode(found.subscriber),
        client=ClientId(found.client),
        terms=terms,
        status=SubscriptionStatus(found.status),
        **{name: getattr(found, name) for name in _PLAIN},
    )
