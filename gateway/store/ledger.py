"""The ledger's rows: appended last in each transaction, never changed, never deleted."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.entry import Entry
from gateway.ledger.merkle import Frontier
from gateway.ledger.seal import log_name, seal
from gateway.ledger.verify import LedgerRow
from gateway.store.tables import ledger_entry, ledger_head

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

_HEAD = select(ledger_head).where(ledger_head.c.log == bindparam("log")).with_for_update()
_ADD = insert(ledger_entry)
_MOVE_HEAD = update(ledger_head).where(ledger_head.c.log == bindparam("of_log"))
_LAST_ON_SUBJECT = (
    select(func.max(ledger_entry.c.idx))
    .where(ledger_entry.c.log == bindparam("log"), ledger_entry.c.subject == bindparam("subject"))
    .scalar_subquery()
)
_LAST_ON_PRACTICE = (
    select(func.max(ledger_entry.c.idx))
    .where(ledger_entry.c.log == bindparam("log"), ledger_entry.c.practice == bindparam("practice"))
    .scalar_subquery()
)
_LAST = select(_LAST_ON_SUBJECT, _LAST_ON_PRACTICE)


def append(connection: Connection, entries: Sequence[Entry], *, origin: str, at: datetime) -> None:
    """Append entries to the log of this year, in order.

    1. Lock the head; from here to the commit no other writer appends.
    2. Seal each entry at its place, linked to the ones before it on its subject and practice.
    3. Insert the entries and the new head.
    """
    log = log_name(origin, at)
    head = _locked_head(connection, log)
    links = _Links(connection, log)
    rows = []
    for entry in entries:
        index = head.size
        prev_subject, prev_practice = links.follow(entry, index)
        sealed = seal(
            entry,
            log=log,
            index=index,
            at=at,
            prev_subject=prev_subject,
            prev_practice=prev_practice,
        )
        head = head.append(sealed.leaf_hash)
        rows.append(_row(entry, log, index, sealed.body, sealed.leaf_hash))
    connection.execute(_ADD, rows)
    connection.execute(_MOVE_HEAD, {"of_log": log, "size": head.size, "frontier": head.to_bytes()})


def _row(entry: Entry, log: str, index: int, body: bytes, leaf: bytes) -> dict[str, Any]:
    return {
        "log": log,
        "idx": index,
        "practice": entry.practice,
        "subject": entry.subject,
        "kind": entry.kind.value,
        "referral": getattr(entry, "referral", None),
        "body": body,
        "leaf_hash": leaf,
    }


def _locked_head(connection: Connection, log: str) -> Frontier:
    row = connection.execute(_HEAD, {"log": log}).one_or_none()
    if row is None:
        first = _INSERTS[connection.dialect.name](ledger_head)
        connection.execute(first.values(log=log, size=0, frontier=b"").on_conflict_do_nothing())
        row = connection.execute(_HEAD, {"log": log}).one()
    return Frontier.from_bytes(row.size, row.frontier)


class _Links:
    """The last index on each subject and each practice, looked up once a transaction."""

    def __init__(self, connection: Connection, log: str) -> None:
        self._connection = connection
        self._log = log
        self._subjects: dict[str | None, int | None] = {None: None}
        self._practices: dict[str | None, int | None] = {None: None}

    def follow(self, entry: Entry, index: int) -> tuple[int | None, int | None]:
        """Return the last index on the entry's subject and practice; the entry is next."""
        subject, practice = entry.subject, entry.practice
        if subject not in self._subjects or practice not in self._practices:
            found = self._connection.execute(
                _LAST, {"log": self._log, "subject": subject, "practice": practice}
            ).one()
            self._subjects.setdefault(subject, found[0])
            self._practices.setdefault(practice, found[1])
        links = self._subjects[subject], self._practices[practice]
        if subject is not None:
            self._subjects[subject] = index
        if practice is not None:
            self._practices[practice] = index
        return links


def logs(connection: Connection) -> list[tuple[str, Frontier]]:
    """List the logs with their heads, oldest first."""
    rows = connection.execute(select(ledger_head).order_by(ledger_head.c.log))
    return [(row.log, Frontier.from_bytes(row.size, row.frontier)) for row in rows]


def entries(connection: Connection, log: str) -> Iterator[LedgerRow]:
    """Stream a log's entries in order. The view must be one moment."""
    rows = connection.execution_options(yield_per=1000).execute(
        select(ledger_entry.c.idx, ledger_entry.c.body, ledger_entry.c.leaf_hash)
        .where(ledger_entry.c.log == log)
        .order_by(ledger_entry.c.idx)
    )
    for row in rows:
        yield LedgerRow(index=row.idx, body=row.body, leaf_hash=row.leaf_hash)


def kinds_of_referrals(connection: Connection) -> Iterator[tuple[str, str, int]]:
    """Count each kind of entry about each referral: (referral, kind, number)."""
    rows = connection.execute(
        select(ledger_entry.c.referral, ledger_entry.c.kind, func.count())
        .where(ledger_entry.c.referral.is_not(None))
        .group_by(ledger_entry.c.referral, ledger_entry.c.kind)
        .order_by(ledger_entry.c.referral)
    )
    yield from ((row[0], row[1], row[2]) for row in rows)
