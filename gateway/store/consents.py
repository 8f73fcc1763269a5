"""The consent register: Consents, each with its versions, which are appended and never changed.

A version is sealed as it was received, under the Consent's own key. By whom it is and what it
is called is found by keyed hashes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from gateway.consent.register import HeldConsent, Registered, names_of
from gateway.errors import MovedMeanwhileError
from gateway.fhir.read_consent import standing
from gateway.fhir.text import read_resource
from gateway.referral.identifiers import ClientId, ConsentId, Handle, OdsCode
from gateway.referral.json import JsonObject
from gateway.referral.model import ANY_SYSTEM, Envelope, Identifier
from gateway.referral.sharing import Moment
from gateway.store.engine import Reading, Transaction
from gateway.store.referrals import lock_names
from gateway.store.tables import consent, consent_identifier, consent_version
from gateway.store.vault import RowKey

_COLUMNS = [c for c in consent.c if c.name != "wrapped_key"]
_ADD = insert(consent)
_ADD_VERSION = insert(consent_version)
_ADD_IDENTIFIER = insert(consent_identifier)
_OF_SUBJECT: Select[Any] = (
    select(
        consent.c.wrapped_key,
        consent_version.c.consent,
        consent_version.c.version,
        consent_version.c.effective_at,
        consent_version.c.recorded_at,
        consent_version.c.sealed_body,
    )
    .join(consent_version, consent_version.c.consent == consent.c.id)
    .where(consent.c.subject == bindparam("subject"))
    .order_by(consent_version.c.consent, consent_version.c.version)
)
_VERSIONS = (
    select(consent.c.wrapped_key, consent_version)
    .join(consent_version, consent_version.c.consent == consent.c.id)
    .where(consent.c.id == bindparam("consent_id"))
    .order_by(consent_version.c.version)
)
_TIMES = (
    select(consent_version.c.effective_at)
    .where(consent_version.c.consent == bindparam("consent_id"))
    .order_by(consent_version.c.version)
)
_NAMES = select(consent_identifier.c.lookup).where(
    consent_identifier.c.consent == bindparam("consent_id")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a Consent: from when it counts, when it was recorded, and its bytes."""

    version: int
    status: str
    effective_at: datetime
    recorded_at: datetime
    client: ClientId
    body: bytes


def held(view: Reading | Transaction, subject: Handle, moment: Moment) -> list[HeldConsent]:
    """List a person's Consents, each in the newest version that the moment sees.

    The cost grows with the Consents of this person alone.

    Raises:
        DamagedRecordError: one does not open under its key.
    """
    rows = view.connection.execute(_OF_SUBJECT, {"subject": subject}).all()
    found = []
    for _, versions in groupby(rows, key=lambda row: row.consent):
        seen = [row for row in versions if moment.sees(row.effective_at, row.recorded_at)]
        if seen:
            found.append(_held(view, seen))
    return found


def add(tx: Transaction, new: Registered, effective_at: datetime, sent: Envelope) -> None:
    """Store a Consent in its first version."""
    key = tx.vault.new_key(_name_of(new.id))
    row = {name: getattr(new, name) for name in Registered.__dataclass_fields__}
    tx.connection.execute(_ADD, row | {"wrapped_key": key.wrapped})
    _add_version(tx, new, effective_at, sent, key)


def supersede(
    tx: Transaction,
    present: Registered,
    changed: Registered,
    effective_at: datetime,
    sent: Envelope,
) -> None:
    """Append a version to a Consent.

    Raises:
        MovedMeanwhileError: another version was appended since it was read.
    """
    done = tx.connection.execute(
        update(consent)
        .where(consent.c.id == present.id, consent.c.version == present.version)
        .values(version=changed.version, status=changed.status, updated_at=changed.updated_at)
    )
    if done.rowcount != 1:
        msg = "the Consent was changed by somebody else at the same moment"
        raise MovedMeanwhileError(msg)
    wrapped = tx.connection.execute(
        select(consent.c.wrapped_key).where(consent.c.id == present.id)
    ).scalar_one()
    key = tx.vault.open_key(wrapped, _name_of(present.id))
    _add_version(tx, changed, effective_at, sent, key)


def find(view: Reading | Transaction, consent_id: ConsentId) -> Registered | None:
    """Read how one Consent stands; None if there is none under this id."""
    row = view.connection.execute(select(*_COLUMNS).where(consent.c.id == consent_id)).one_or_none()
    return _registered(row) if row else None


def times_of(view: Reading | Transaction, consent_id: ConsentId) -> list[datetime]:
    """List from when each version of a Consent counts, the oldest version first."""
    return list(view.connection.execute(_TIMES, {"consent_id": consent_id}).scalars())


def named(
    tx: Transaction, practice: OdsCode, names: Iterable[Identifier], *, status_not: str
) -> list[ConsentId]:
    """List a practice's Consents that go by any of these names and do not stand so.

    The names are locked until the transaction ends, so that whoever finds none may add one.
    """
    wanted = sorted({_lookup(tx, each) for each in names})
    lock_names(tx, wanted)
    rows = tx.connection.execute(
        select(consent.c.id)
        .where(
            consent.c.practice == practice,
            consent.c.status != status_not,
            _goes_by(wanted),
        )
        .order_by(consent.c.id)
    )
    return [ConsentId(row.id) for row in rows]


def versions_of(view: Reading | Transaction, consent_id: ConsentId) -> list[Version]:
    """Open every version of a Consent, the oldest first.

    Raises:
        DamagedRecordError: one does not open under its key.
    """
    rows = view.connection.execute(_VERSIONS, {"consent_id": consent_id}).all()
    return [
        Version(
            version=row.version,
            status=row.status,
            effective_at=row.effective_at,
            recorded_at=row.recorded_at,
            client=ClientId(row.client),
            body=_body(view, row, _opened(view, row)),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which Consents to list: all conditions hold together; `practice` always does.

    `subjects` and `statuses` None: any. `updated_*` and `after`, the last (updated_at, id) of
    the page before, are about the newest version.
    """

    practice: OdsCode
    id: ConsentId | None = None
    statuses: frozenset[str] | None = None
    subjects: frozenset[Handle] | None = None
    identifiers: tuple[Identifier, ...] = ()
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def search(view: Reading, wanted: Search) -> tuple[list[Registered], int]:
    """List one page of a practice's Consents, the longest unchanged first, and count them all."""
    query = select(*_COLUMNS).where(consent.c.practice == wanted.practice, *_fits(view, wanted))
    total = view.connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    page = _page(query, wanted)
    return [_registered(row) for row in view.connection.execute(page)], total


def _page(query: Select[Any], wanted: Search) -> Select[Any]:
    if wanted.after is not None:
        at, row_id = wanted.after
        later = consent.c.updated_at > at
        query = query.where(or_(later, and_(consent.c.updated_at == at, consent.c.id > row_id)))
    return query.order_by(consent.c.updated_at, consent.c.id).limit(wanted.limit)


def _fits(view: Reading, wanted: Search) -> Iterator[ColumnElement[bool]]:
    if wanted.id is not None:
        yield consent.c.id == wanted.id
    if wanted.statuses is not None:
        yield consent.c.status.in_(wanted.statuses)
    if wanted.subjects is not None:
        yield consent.c.subject.in_(wanted.subjects)
    if wanted.identifiers:
        yield _goes_by([_lookup(view, each) for each in wanted.identifiers])
    if wanted.updated_from is not None:
        yield consent.c.updated_at >= wanted.updated_from
    if wanted.updated_before is not None:
        yield consent.c.updated_at < wanted.updated_before


def _goes_by(names: Sequence[bytes]) -> ColumnElement[bool]:
    """Tell whether a Consent goes by any of these names."""
    return consent.c.id.in_(
        select(consent_identifier.c.consent).where(consent_identifier.c.lookup.in_(names))
    )


def add_names(tx: Transaction, consent_id: ConsentId, names: Iterable[Identifier]) -> None:
    """Keep the names by which a Consent can be found, beside those that it has."""
    wanted = {
        _lookup(tx, name) for each in names for name in (each, replace(each, system=ANY_SYSTEM))
    }
    known = tx.connection.execute(_NAMES, {"consent_id": consent_id}).scalars()
    new = sorted(wanted - {bytes(each) for each in known})
    if new:
        tx.connection.execute(
            _ADD_IDENTIFIER, [{"consent": consent_id, "lookup": name} for name in new]
        )


def _add_version(
    tx: Transaction, new: Registered, effective_at: datetime, sent: Envelope, key: RowKey
) -> None:
    tx.connection.execute(
        _ADD_VERSION,
        {
            "consent": new.id,
            "version": new.version,
            "status": new.status,
            "effective_at": effective_at,
            "recorded_at": new.updated_at,
            "client": sent.sender.client,
            "body_sha256": sent.body_sha256,
            "sealed_body": tx.vault.seal(key, sent.body, _place(new.id, new.version)),
        },
    )


def _held(view: Reading | Transaction, seen: Sequence[Row[Any]]) -> HeldConsent:
    """Read the newest of the versions that are seen; the others lend what they were about."""
    key = _opened(view, seen[0])
    trees: list[JsonObject] = [read_resource(_body(view, row, key)) for row in seen]
    newest = seen[-1]
    return HeldConsent(
        id=ConsentId(newest.consent),
        version=newest.version,
        tree=standing(trees[-1]),
        effective_at=newest.effective_at,
        recorded_at=newest.recorded_at,
        names=frozenset().union(*(names_of(tree) for tree in trees)),
        earlier=tuple(standing(tree) for tree in trees[:-1]),
    )


def _opened(view: Reading | Transaction, row: Row[Any]) -> RowKey:
    return view.vault.open_key(row.wrapped_key, _name_of(row.consent))


def _body(view: Reading | Transaction, row: Row[Any], key: RowKey) -> bytes:
    return view.vault.open(key, row.sealed_body, _place(row.consent, row.version))


def _name_of(consent_id: str) -> str:
    return f"consent/{consent_id}"


def _place(consent_id: str, version: int) -> str:
    return f"consent/{consent_id}/body/{version}"


def _lookup(view: Reading | Transaction, name: Identifier) -> bytes:
    return view.vault.lookup("identifier", name.system, name.value)


def _registered(row: Row[Any]) -> Registered:
    return Registered(
        id=ConsentId(row.id),
        practice=OdsCode(row.practice),
        subject=Handle(row.subject),
        version=row.version,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
