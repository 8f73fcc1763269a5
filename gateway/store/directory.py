"""The directory's rows: versioned, valid from one instant to another, never edited in place.

What a reader gets is the directory as of one instant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, insert, or_, select, update

from gateway.consent.agreements import agreements_at
from gateway.consent.switches import positions_at
from gateway.mapping.directory_file import (
    DirectoryRow,
    Kind,
    Noun,
    agreement_row,
    noun_of,
    practice_row,
)
from gateway.referral.directory import (
    Agreement,
    Client,
    Commissioner,
    Endpoint,
    Practice,
    Provider,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.identifiers import ClientId, DosServiceId, EndpointId, OdsCode, ServiceId
from gateway.referral.sharing import Moment, SwitchEvent
from gateway.store import sharing
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
        self._view = view
        self._at = at

    def practice(self, ods: OdsCode) -> Practice | None:
        """Find a practice; where its switches stand, `parties` says."""
        return self._one(Kind.PRACTICE, Practice, key=ods)

    def commissioner(self, ods: OdsCode) -> Commissioner | None:
        """Find a commissioner."""
        return self._one(Kind.COMMISSIONER, Commissioner, key=ods)

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

    def endpoints(self) -> list[Endpoint]:
        """List all endpoints, by key."""
        return self._all(Kind.ENDPOINT, Endpoint)

    def parties(
        self,
        practice: OdsCode,
        provider: OdsCode | None,
        moment: Moment | None = None,
        *,
        with_switches: bool = True,
    ) -> "Parties":
        """Find who would share with whom, how the switches stand, and what they have agreed.

        `with_switches` False leaves the switches unknown: no rule asks for them.
        """
        moment = moment or Moment(at=self._at)
        rows = self._view.connection.execute(
            _PARTIES, {"at": self._at, "practice": practice, "provider": provider}
        )
        nouns = [noun_of(Kind(kind), body) for kind, body in rows]
        here = next((n for n in nouns if isinstance(n, Practice)), None)
        set_by = (
            positions_at(sharing.switch_events(self._view, practice), moment)
            if with_switches
            else {}
        )
        agreed = (
            sharing.agreement_events(self._view, practice, counterparty=provider)
            if provider
            else ()
        )
        return Parties(
            practice=here and _with_switches(here, set_by),
            provider=next((n for n in nouns if isinstance(n, Provider)), None),
            agreements=tuple(agreements_at(agreed, moment)),
        )

    def _one(self, kind: Kind, noun: type[_N], **name: str) -> _N | None:
        found = self._all(kind, noun, **name)
        return found[0] if found else None

    def _all(self, kind: Kind, noun: type[_N], **name: str) -> list[_N]:
        """List what is valid; `key` or `also` narrows it to one name."""
        query = _BY[next(iter(name), "kind")]
        rows = self._view.connection.execute(query, {"kind": kind, "at": self._at, **name})
        nouns = [noun_of(kind, body) for (body,) in rows]
        return [n for n in nouns if isinstance(n, noun)]


def rows_as_of(view: Reading | Transaction, at: datetime) -> list[DirectoryRow]:
    """List every row valid at an instant, as a file would: with agreements and switches."""
    rows = view.connection.execute(
        select(record).where(*_valid(at)).order_by(record.c.kind, record.c.key)
    )
    found = [
        DirectoryRow(kind=Kind(row.kind), key=row.key, also=row.also, body=row.body) for row in rows
    ]
    moment = Moment(at=at, is_now=True)
    set_by: dict[str, list[SwitchEvent]] = {}
    for event in sharing.all_switch_events(view):
        set_by.setdefault(event.practice, []).append(event)
    written = [
        practice_row(row.body, _values(positions_at(set_by.get(row.key, ()), moment)))
        if row.kind is Kind.PRACTICE
        else row
        for row in found
    ]
    agreed = agreements_at(sharing.all_agreement_events(view), moment, counts_last_day=False)
    return written + [agreement_row(agreement) for agreement in agreed]


def replace_rows(tx: Transaction, rows: Sequence[DirectoryRow]) -> None:
    """Start a new version of each row now; the version before it ends now.

    Agreements and switches are no rows of the directory: see `sharing`.
    """
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


def _with_switches(practice: Practice, set_by: Mapping[Switch, SwitchEvent]) -> Practice:
    return replace(
        practice,
        switches=_values(set_by),
        switch_events={switch: event.seq for switch, event in set_by.items()},
    )


def _values(set_by: Mapping[Switch, SwitchEvent]) -> dict[Switch, SwitchValue]:
    return {switch: event.value for switch, event in set_by.items()}


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
