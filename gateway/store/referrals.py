"""Referrals: the rows that make an accepted referral durable, and its reading back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, and_, func, insert, or_, select, update

from gateway.errors import NotFoundError, StoreUnavailableError
from gateway.referral.identifiers import (
    ClientId,
    CorrelationId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
)
from gateway.referral.lifecycle import ReferralState, move_referral
from gateway.referral.model import ANY_SYSTEM, Door, Hold, Identifier, Referral
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import referral, referral_identifier

_ADD = insert(referral)
_ADD_IDENTIFIER = insert(referral_identifier)
_COLUMNS = [c for c in referral.c if c.name not in ("wrapped_key", "sealed_body")]


def add(tx: Transaction, new: Referral, body: bytes, identifiers: Sequence[Identifier]) -> None:
    """Store a referral, its bytes as received, and the names by which it can be found."""
    key = tx.vault.new_key(f"referral/{new.id}")
    row: dict[str, Any] = {
        "id": new.id,
        "reference": new.reference,
        "practice": new.practice,
        "sender": new.sender,
        "subject": new.subject,
        "door": new.door,
        "request_id": new.request_id,
        "correlation_id": new.correlation_id,
        "purpose": new.purpose,
        "service": new.service,
        "provider": new.provider,
        "body_sha256": new.body_sha256,
        "received_at": new.received_at,
        "wrapped_key": key.wrapped,
        "sealed_body": tx.vault.seal(key, body, f"referral/{new.id}/body"),
    }
    tx.connection.execute(_ADD, row | _standing(new))
    names = {_name(tx, i) for i in identifiers}
    names |= {_name(tx, replace(i, system=ANY_SYSTEM)) for i in identifiers}
    if names:
        tx.connection.execute(_ADD_IDENTIFIER, [{"referral": new.id, "lookup": n} for n in names])


def change(tx: Transaction, present: Referral, changed: Referral) -> None:
    """Store a referral's move, if the lifecycle has it and nobody else moved it first.

    Raises:
        IllegalMoveError: the lifecycle has no such move.
        StoreUnavailableError: it was moved by another since it was read; try again.
    """
    if changed.state is not present.state:
        move_referral(present.state, changed.state)
    done = tx.connection.execute(
        update(referral)
        .where(referral.c.id == present.id, referral.c.version == present.version)
        .values(_standing(changed) | {"version": present.version + 1, "updated_at": tx.at})
    )
    if done.rowcount != 1:
        msg = "the referral was moved by somebody else at the same moment"
        raise StoreUnavailableError(msg)


def get(view: Reading | Transaction, referral_id: ReferralId) -> Referral:
    """Read one referral.

    Raises:
        NotFoundError: there is none under this id.
    """
    row = view.connection.execute(
        select(*_COLUMNS).where(referral.c.id == referral_id)
    ).one_or_none()
    if row is None:
        msg = "no referral has this id"
        raise NotFoundError(msg)
    return _referral(row)


def find_reference(view: Reading | Transaction, reference: ReferralReference) -> Referral:
    """Read the referral that a person quotes.

    Raises:
        NotFoundError: there is none under this reference.
    """
    row = view.connection.execute(
        select(*_COLUMNS).where(referral.c.reference == reference)
    ).one_or_none()
    if row is None:
        msg = "no referral has this reference"
        raise NotFoundError(msg)
    return _referral(row)


def body_of(view: Reading | Transaction, referral_id: ReferralId) -> bytes:
    """Open the bytes as received.

    Raises:
        DamagedRecordError: they do not open under their key.
    """
    row = view.connection.execute(
        select(referral.c.wrapped_key, referral.c.sealed_body).where(referral.c.id == referral_id)
    ).one()
    key = view.vault.open_key(row.wrapped_key, f"referral/{referral_id}")
    return view.vault.open(key, row.sealed_body, f"referral/{referral_id}/body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which referrals to list: all conditions hold together; `practice` always does.

    `subjects` None: any person. The content of a referral was last updated when it came in,
    whatever its state does since: so `updated_*` and `after`, the last (received_at, id) of
    the page before, are about that time, and no page shifts while referrals move.
    """

    practice: OdsCode
    id: ReferralId | None = None
    subjects: frozenset[Handle] | None = None
    identifiers: tuple[Identifier, ...] = ()
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def everyone(view: Reading) -> Iterator[Referral]:
    """Stream all referrals, by id. The view must be one moment."""
    rows = view.connection.execution_options(yield_per=1000).execute(
        select(*_COLUMNS).order_by(referral.c.id)
    )
    for row in rows:
        yield _referral(row)


def placed_by(
    view: Reading,
    practice: OdsCode,
    *,
    since: datetime | None,
    before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Referral]:
    """List a practice's referrals, oldest move first."""
    query = select(*_COLUMNS).where(referral.c.practice == practice)
    if since is not None:
        query = query.where(referral.c.updated_at >= since)
    if before is not None:
        query = query.where(referral.c.updated_at < before)
    if after is not None:
        query = query.where(_is_after(referral.c.updated_at, after))
    page = query.order_by(referral.c.updated_at, referral.c.id).limit(limit)
    return [_referral(row) for row in view.connection.execute(page)]


def search(view: Reading, wanted: Search) -> tuple[list[Referral], int]:
    """List one page of a practice's referrals, oldest first, and count them all."""
    query = _matching(view, wanted)
    total = view.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    if wanted.after is not None:
        query = query.where(_is_after(referral.c.received_at, wanted.after))
    page = query.order_by(referral.c.received_at, referral.c.id).limit(wanted.limit)
    return [_referral(row) for row in view.connection.execute(page)], total


def _is_after(column: Column[datetime], place: tuple[datetime, str]) -> ColumnElement[bool]:
    """Tell whether a row comes after the last one of the page before."""
    at, row_id = place
    return or_(column > at, and_(column == at, referral.c.id > row_id))


def _matching(view: Reading, wanted: Search) -> Select[Any]:
    query = select(*_COLUMNS).where(referral.c.practice == wanted.practice)
    if wanted.id is not None:
        query = query.where(referral.c.id == wanted.id)
    if wanted.subjects is not None:
        query = query.where(referral.c.subject.in_(wanted.subjects))
    if wanted.updated_from is not None:
        query = query.where(referral.c.received_at >= wanted.updated_from)
    if wanted.updated_before is not None:
        query = query.where(referral.c.received_at < wanted.updated_before)
    if wanted.identifiers:
        names = [_name(view, i) for i in wanted.identifiers]
        query = query.where(
            referral.c.id.in_(
                select(referral_identifier.c.referral).where(
                    or_(*(referral_identifier.c.lookup == name for name in names))
                )
            )
        )
    return query


def _name(view: Reading | Transaction, identifier: Identifier) -> bytes:
    return view.vault.lookup("identifier", identifier.system, identifier.value)


def _standing(r: Referral) -> dict[str, Any]:
    """What changes as a referral moves."""
    return {
        "state": r.state,
        "service": r.service,
        "provider": r.provider,
        "hold_code": r.hold.code if r.hold else None,
        "hold_text": r.hold.text if r.hold else None,
        "hold_remedy": r.hold.remedy if r.hold else None,
        "hold_owner": r.hold.owner if r.hold else None,
        "hold_due": r.hold.due if r.hold else None,
        "closed_because": r.closed_because,
        "version": r.version,
        "updated_at": r.updated_at,
    }


def _referral(row: Row[Any]) -> Referral:
    hold = None
    if row.hold_code is not None:
        hold = Hold(
            code=row.hold_code,
            text=row.hold_text,
            remedy=row.hold_remedy,
            owner=row.hold_owner,
            due=row.hold_due,
        )
    return Referral(
        id=ReferralId(row.id),
        reference=ReferralReference(row.reference),
        practice=OdsCode(row.practice),
        sender=ClientId(row.sender),
        subject=Handle(row.subject),
        door=Door(row.door),
        request_id=RequestId(row.request_id),
        correlation_id=CorrelationId(row.correlation_id),
        purpose=row.purpose,
        service=ServiceId(row.service),
        provider=OdsCode(row.provider),
        state=ReferralState(row.state),
        hold=hold,
        closed_because=row.closed_because,
        body_sha256=row.body_sha256,
        version=row.version,
        received_at=row.received_at,
        updated_at=row.updated_at,
    )
