"""The directory's rows: versioned, valid from one instant to another, never edited in place.

What a reader gets is the directory as of one instant.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, or_, select, update

from gateway.mapping.directory_file import DirectoryRow, Kind, Noun, noun_of
from gateway.referral.directory import (
    Agreement,
    Client,
    Endpoint,
    Practice,
    Provider,
    Service,
)
from gateway.referral.identifiers import ClientId, DosServiceId, EndpointId, OdsCode, ServiceId
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import directory_record as record

_N = TypeVar("_N", bound=Noun)


_NOW = (
    record.c.valid_from <= bindparam("at"),
    or_(record.c.valid_to.is_(None), record.c.valid_to > bindparam("at")),
)
_VALID = (
    select(record.c.body).where(record.c.kind == bindparam("kind"), *_NOW).order_by(record.c.key)
)
_PARTIES = (
    select(record.c.kind, record.c.body)
    .where(
        or_(
            and_(record.c.kind == Kind.PRACTICE, record.c.key == bindparam("practice")),
            and_(record.c.kind == Kind.PROVIDER, record.c.key == bindparam("provider")),
            and_(record.c.kind == Kind.AGREEMENT, record.c.also == bindparam("practice")),
        ),
        *_NOW,
    )
    .order_by(record.c.kind, record.c.key)
)
_BY = {
    "kind": _VALID,
    "key": _VALID.where(record.c.key == bindparam("key")),
    "also": _VALID.where(record.c.also == bindparam("also")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who would share with whom, and what they have agreed."""

    practice: Practice | None
    provider: Provider | None
    agreements: tuple[Agreement, ...]


class DirectoryAsOf:
    """The directory at one instant, read through one open transaction or reading."""

    def __init__(self, view: Reading | Transaction, at: datetime) -> None:
        self._connection = view.connection
        self._at = at

    def practice(self, ods: OdsCode) -> Practice | None:
        """Find a practice."""
        return self._one(Kind.PRACTICE, Practice, key=ods)

    def endpoint(self, key: EndpointId) -> Endpoint | None:
        """Find an endpoint."""
        return self._one(Kind.ENDPOINT, Endpoint, key=key)

    def client(self, key: ClientId) -> Client | None:
        """Find a registered client."""
        return self._one(Kind.CLIENT, Client, key=key)

    def service(self, key: ServiceId) -> Service | None:
        """Find a service by our key."""
        return self._one(Kind.SERVICE, Service, key=key)

    def service_known_as(self, dos_service_id: DosServiceId) -> Service | None:
        """Find a service by its Directory of Services id."""
        return self._one(Kind.SERVICE, Service, also=dos_service_id)

    def services(self) -> list[Service]:
        """List all services, by key."""
        return self._all(Kind.SERVICE, Service)

    def parties(self, practice: OdsCode, provider: OdsCode | None) -> "Parties":
        """Find who would share with whom, and their agreements, in one query."""
        rows = self._connection.execute(
            _PARTIES, {"at": self._at, "practice": practice, "provider": provider}
        )
        nouns = [noun_of(Kind(kind), body) for kind, body in rows]
        return Parties(
            practice=next((n for n in nouns if isinstance(n, Practice)), None),
            provider=next((n for n in nouns if isinstance(n, Provider)), None),
            agreements=tuple(
                n for n in nouns if isinstance(n, Agreement) and n.counterparty == provider
            ),
        )

    def _one(self, kind: Kind, noun: type[_N], **name: str) -> _N | None:
        found = self._all(kind, noun, **name)
        return found[0] if found else None

    def _all(self, kind: Kind, noun: type[_N], **name: str) -> list[_N]:
        """List what is valid; `key` or `also` narrows it to one name."""
        query = _BY[next(iter(name), "kind")]
        rows = self._connection.execute(query, {"kind": kind, "at": self._at, **name})
        nouns = [noun_of(kind, body) for (body,) in rows]
        return [n for n in nouns if isinstance(n, noun)]


def rows_as_of(view: Reading | Transaction, at: datetime) -> list[DirectoryRow]:
    """List every row valid at an instant."""
    rows = view.connection.execute(
        select(record).where(*_valid(at)).order_by(record.c.kind, record.c.key)
    )
    return [
        DirectoryRow(kind=Kind(row.kind), key=row.key, also=row.also, body=row.body) for row in rows
    ]


def replace_rows(tx: Transaction, rows: Sequence[DirectoryRow]) -> None:
    """Start a new version of each row now; the version before it ends now."""
    end_rows(tx, [(row.kind, row.key) for row in rows])
    for row in rows:
        tx.connection.execute(
            insert(record).values(
                kind=row.kind,
                key=row.key,
                version=_next_version(tx.connection, row),
                also=row.also,
                valid_from=tx.at,
                recorded_at=tx.at,
                body=row.body,
            )
        )


def end_rows(tx: Transaction, names: Iterable[tuple[Kind, str]]) -> None:
    """End the present version of each row now."""
    for kind, key in names:
        tx.connection.execute(
            update(record)
            .where(record.c.kind == kind, record.c.key == key, record.c.valid_to.is_(None))
            .values(valid_to=tx.at)
        )


def _valid(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        record.c.valid_from <= at,
        or_(record.c.valid_to.is_(None), record.c.valid_to > at),
    )


def _next_version(connection: Connection, row: DirectoryRow) -> int:
    latest = connection.execute(
        select(func.max(record.c.version)).where(record.c.kind == row.kind, record.c.key == row.key)
    ).scalar_one()
    return (latest or 0) + 1
