"""Referrals: the rows that make an accepted referral durable, and its reading back."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, and_, func, insert, or_, select

from gateway.errors import IllegalMoveError, MovedMeanwhileError, NotFoundError
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
from gateway.referral.lifecycle import SENT_IN, ReferralState, RequestStatus, move_referral
from gateway.referral.model import ANY_SYSTEM, Door, Envelope, Hold, Identifier, Referral
from gateway.store import versioned
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import referral, referral_change, referral_identifier
from gateway.store.vault import Vault

_ADD = insert(referral)
_ADD_IDENTIFIER = insert(referral_identifier)
_ADD_CHANGE = insert(referral_change)
COLUMNS = [c for c in referral.c if c.name not in ("wrapped_key", "sealed_body")]
"""All but what is sealed, and under which key."""


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
        IllegalMoveError: the lifecycle has no such move, or it was taken back.
        MovedMeanwhileError: it was moved by another since it was read; try again.
    """
    if changed.state is not present.state:
        move_referral(present.state, changed.state)
        if changed.is_cancelled and changed.state in SENT_IN:
            msg = "a referral that its sender took back is not sent"
            raise IllegalMoveError(msg)
    if not versioned.write(tx, referral, present.id, present.version, _standing(changed)):
        msg = "the referral was moved by somebody else at the same moment"
        raise MovedMeanwhileError(msg)


def hold_still(tx: Transaction, referral_id: ReferralId) -> Referral:
    """Read one referral and let nobody move it until the transaction ends."""
    row = tx.connection.execute(
        select(*COLUMNS).where(referral.c.id == referral_id).with_for_update()
    ).one()
    return read(row)


def get(view: Reading | Transaction, referral_id: ReferralId) -> Referral:
    """Read one referral.

    Raises:
        NotFoundError: there is none under this id.
    """
    found = find(view, referral_id)
    if found is None:
        msg = "no referral has this id"
        raise NotFoundError(msg)
    return found


def find(view: Reading | Transaction, referral_id: ReferralId) -> Referral | None:
    """Read one referral; None if there is none under this id."""
    row = view.connection.execute(
        select(*COLUMNS).where(referral.c.id == referral_id)
    ).one_or_none()
    return read(row) if row else None


def find_reference(view: Reading | Transaction, reference: ReferralReference) -> Referral:
    """Read the referral that a person quotes.

    Raises:
        NotFoundError: there is none under this reference.
    """
    row = view.connection.execute(
        select(*COLUMNS).where(referral.c.reference == reference)
    ).one_or_none()
    if row is None:
        msg = "no referral has this reference"
        raise NotFoundError(msg)
    return read(row)


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


def find_named(
    tx: Transaction, practice: OdsCode, identifiers: Sequence[Identifier]
) -> list[ReferralId]:
    """List a practice's referrals that go by any of these identifiers; at most two.

    The names are locked until the transaction ends, so that whoever finds none may add one.
    """
    names = sorted({_name(tx, each) for each in identifiers})
    lock_names(tx, names)
    rows = tx.connection.execute(
        select(referral.c.id)
        .distinct()
        .join(referral_identifier, referral_identifier.c.referral == referral.c.id)
        .where(referral.c.practice == practice, referral_identifier.c.lookup.in_(names))
        .limit(2)
    )
    return [ReferralId(row.id) for row in rows]


def lock_names(tx: Transaction, names: Sequence[bytes]) -> None:
    """Let nobody else look for these names, given in order, until the transaction ends."""
    if tx.connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        for name in names:
            tx.connection.execute(
                select(func.pg_advisory_xact_lock(int.from_bytes(name[:8], "big", signed=True)))
            )


def add_change(tx: Transaction, changed: Referral, envelope: Envelope) -> None:
    """Keep the message by which a sender changed its referral; `changed` carries the version."""
    key = tx.vault.open_key(_wrapped_key(tx, changed.id), f"referral/{changed.id}")
    place = f"referral/{changed.id}/body/{changed.content_version}"
    tx.connection.execute(
        _ADD_CHANGE,
        {
            "referral": changed.id,
            "version": changed.content_version,
            "status": changed.status,
            "door": envelope.door,
            "sender": envelope.sender.client,
            "request_id": envelope.request_id,
            "correlation_id": envelope.correlation_id,
            "body_sha256": envelope.body_sha256,
            "sealed_body": tx.vault.seal(key, envelope.body, place),
            "at": changed.content_at,
        },
    )


@dataclass(frozen=True, slots=True)
class Changed:
    """One later version of a referral's content: when, to which status, by which bytes."""

    version: int
    status: RequestStatus
    at: datetime
    body: bytes


def changes_of(view: Reading | Transaction, referral_id: ReferralId) -> list[Changed]:
    """Open every later version of a referral's content, oldest first."""
    rows = view.connection.execute(
        select(referral_change)
        .where(referral_change.c.referral == referral_id)
        .order_by(referral_change.c.version)
    ).all()
    if not rows:
        return []
    key = view.vault.open_key(_wrapped_key(view, referral_id), f"referral/{referral_id}")
    return [
        Changed(
            row.version,
            RequestStatus(row.status),
            row.at,
            view.vault.open(key, row.sealed_body, f"referral/{referral_id}/body/{row.version}"),
        )
        for row in rows
    ]


def _wrapped_key(view: Reading | Transaction, referral_id: ReferralId) -> bytes:
    row = view.connection.execute(
        select(referral.c.wrapped_key).where(referral.c.id == referral_id)
    ).one()
    return bytes(row.wrapped_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which referrals to list: all conditions hold together; `practice` always does.

    `subjects` and `statuses` None: any. `updated_*` and `after`, the last (content_at, id)
    of the page before, are about when the sender last wrote or changed the referral: no page
    shifts while referrals move.
    """

    practice: OdsCode
    id: ReferralId | None = None
    statuses: frozenset[RequestStatus] | None = None
    subjects: frozenset[Handle] | None = None
    identifiers: tuple[Identifier, ...] = ()
    person: Identifier | None = None
    mark: bytes | None = None
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def everyone(view: Reading, ids: Collection[str] | None = None) -> Iterator[Referral]:
    """Stream all referrals, or those of some ids, by id. The view must be one moment."""
    query = select(*COLUMNS).order_by(referral.c.id)
    if ids is not None:
        query = query.where(referral.c.id.in_(ids))
    rows = view.connection.execution_options(yield_per=1000).execute(query)
    for row in rows:
        yield read(row)


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
    query = select(*COLUMNS).where(referral.c.practice == practice)
    if since is not None:
        query = query.where(referral.c.updated_at >= since)
    if before is not None:
        query = query.where(referral.c.updated_at < before)
    if after is not None:
        query = query.where(_is_after(referral.c.updated_at, after))
    page = query.order_by(referral.c.updated_at, referral.c.id).limit(limit)
    return [read(row) for row in view.connection.execute(page)]


def search(view: Reading, wanted: Search) -> tuple[list[Referral], int]:
    """List one page of a practice's referrals, oldest first, and count them all."""
    query = _matching(view, wanted)
    total = view.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    if wanted.after is not None:
        query = query.where(_is_after(referral.c.content_at, wanted.after))
    page = query.order_by(referral.c.content_at, referral.c.id).limit(wanted.limit)
    return [read(row) for row in view.connection.execute(page)], total


def _is_after(column: Column[datetime], place: tuple[datetime, str]) -> ColumnElement[bool]:
    """Tell whether a row comes after the last one of the page before."""
    at, row_id = place
    return or_(column > at, and_(column == at, referral.c.id > row_id))


def _matching(view: Reading, wanted: Search) -> Select[Any]:
    return select(*COLUMNS).where(
        referral.c.practice == wanted.practice, *_standing_as(wanted), *_named(view, wanted)
    )


def _standing_as(wanted: Search) -> Iterator[ColumnElement[bool]]:
    if wanted.id is not None:
        yield referral.c.id == wanted.id
    if wanted.statuses is not None:
        yield referral.c.status.in_(wanted.statuses)
    if wanted.updated_from is not None:
        yield referral.c.content_at >= wanted.updated_from
    if wanted.updated_before is not None:
        yield referral.c.content_at < wanted.updated_before


def _named(view: Reading, wanted: Search) -> Iterator[ColumnElement[bool]]:
    if wanted.subjects is not None:
        yield referral.c.subject.in_(wanted.subjects)
    if wanted.identifiers:
        yield _goes_by([_name(view, i) for i in wanted.identifiers])
    if wanted.person is not None:
        yield _goes_by([_name(view, wanted.person)])
    if wanted.mark is not None:
        yield _goes_by([wanted.mark])


def _goes_by(names: Sequence[bytes]) -> ColumnElement[bool]:
    """Tell whether a referral goes by any of these names."""
    return referral.c.id.in_(
        select(referral_identifier.c.referral).where(
            or_(*(referral_identifier.c.lookup == name for name in names))
        )
    )


def mark_of(vault: Vault, identifier: Identifier) -> bytes:
    """Return the keyed hash under which an identifier is kept."""
    return vault.lookup("identifier", identifier.system, identifier.value)


def _name(view: Reading | Transaction, identifier: Identifier) -> bytes:
    return mark_of(view.vault, identifier)


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
        "status": r.status,
        "content_version": r.content_version,
        "content_at": r.content_at,
        "version": r.version,
        "updated_at": r.updated_at,
    }


def read(row: Row[Any]) -> Referral:
    """Read a referral from a row with COLUMNS."""
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
        status=RequestStatus(row.status),
        content_version=row.content_version,
        content_at=row.content_at,
        body_sha256=row.body_sha256,
        version=row.version,
        received_at=row.received_at,
        updated_at=row.updated_at,
    )
