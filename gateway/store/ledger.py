"""The ledger's rows: appended last in each transaction, never changed.

Appending speaks to the driver (`pen.py`): it stands in every transaction of the gateway, and
through SQLAlchemy it took several times as long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from gateway.errors import StoreUnavailableError
from gateway.ledger.entry import Entry
from gateway.ledger.merkle import Frontier
from gateway.ledger.seal import SealedEntry, log_name, seal
from gateway.ledger.verify import LedgerRow
from gateway.store.pen import Pen
from gateway.store.tables_ledger import ledger_entry, ledger_head

# The rows that refer to a head share its key: a stronger lock than this would wait for them.
_HEAD = "SELECT size, frontier FROM ledger_head WHERE log = ? FOR NO KEY UPDATE"
_FIRST_HEAD = (
    "INSERT INTO ledger_head (log, size, frontier) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
_ADD = (
    "INSERT INTO ledger_entry (log, idx, practice, subject, kind, referral, consent, at, actor,"
    " effect, policy, body, leaf_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_DETAIL = (
    "INSERT INTO ledger_detail (log, idx, subject, sealed_salt, sealed_detail)"
    " VALUES (?, ?, ?, ?, ?)"
)
_MOVE_HEAD = "UPDATE ledger_head SET size = ?, frontier = ? WHERE log = ?"
_LAST = (
    "SELECT (SELECT max(idx) FROM ledger_entry WHERE log = ? AND subject = ?),"
    " (SELECT max(idx) FROM ledger_entry WHERE log = ? AND practice = ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What is kept beside an entry: the commitment in its leaf, the sealed salt and detail.

    `detail` None: the detail is that of the decision which the entry names.
    """

    commit: str
    salt: bytes
    detail: bytes | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry that waits for the commit, and what is sealed beside it."""

    entry: Entry
    sealed: Sealed | None = None


def append(
    connection: Connection, recorded: Sequence[Recorded], *, origin: str, at: datetime
) -> None:
    """Append entries to the log of this year, in order.

    1. Lock the head; from here to the commit no other writer appends.
    2. Seal each entry at its place, linked to the ones before it on its subject and practice.
    3. Insert the entries, what is sealed beside them, and the new head.

    Raises:
        StoreUnavailableError: the database did not take them in time, or has no room.
    """
    log = log_name(origin, at)
    pen = Pen(connection)
    head, links = _locked(pen, log, recorded)
    rows, details = [], []
    for each in recorded:
        entry, beside, index = each.entry, each.sealed, head.size
        prev_subject, prev_practice = links.follow(entry, index)
        sealed = seal(
            entry,
            log=log,
            index=index,
            at=at,
            prev_subject=prev_subject,
            prev_practice=prev_practice,
            detail_commit=beside.commit if beside else None,
        )
        head = head.append(sealed.leaf_hash)
        rows.append(_row(pen, entry, sealed, log, index, at))
        if beside is not None:
            details.append((log, index, entry.subject, beside.salt, beside.detail))
    pen.write(_ADD, rows)
    pen.write(_ADD_DETAIL, details)
    pen.write(_MOVE_HEAD, [(head.size, head.to_bytes(), log)])


def _row(
    pen: Pen, entry: Entry, sealed: SealedEntry, log: str, index: int, at: datetime
) -> tuple[Any, ...]:
    return (
        log,
        index,
        entry.practice,
        entry.subject,
        entry.kind.value,
        getattr(entry, "referral", None),
        getattr(entry, "consent", None),
        pen.instant(at),
        entry.actor,
        getattr(entry, "effect", None),
        getattr(entry, "policy", None),
        sealed.body,
        sealed.leaf_hash,
    )


def _locked(pen: Pen, log: str, recorded: Sequence[Recorded]) -> tuple[Frontier, "_Links"]:
    """Lock the head; once it is ours, look up what the entries are linked to."""
    named = _named(recorded)
    asked = [(_HEAD, (log,)), *((_LAST, (log, subject, log, of)) for subject, of in named)]
    pen.queue_for(log)
    found, *last = pen.read_each(asked)
    if found is None:
        pen.write(_FIRST_HEAD, [(log, 0, b"")])
        found, *last = pen.read_each(asked)
    if found is None:
        msg = "the ledger's head vanished inside its own transaction"
        raise StoreUnavailableError(msg)
    return Frontier.from_bytes(found[0], found[1]), _Links(named, last)


def _named(recorded: Sequence[Recorded]) -> list[tuple[str | None, str | None]]:
    """List subjects with practices, each subject and each practice at least once."""
    subjects: set[str | None] = {None}
    practices: set[str | None] = {None}
    named = []
    for subject, practice in ((each.entry.subject, each.entry.practice) for each in recorded):
        if subject not in subjects or practice not in practices:
            named.append((subject, practice))
            subjects.add(subject)
            practices.add(practice)
    return named


class _Links:
    """The last index on each subject and each practice that a transaction names."""

    def __init__(
        self,
        named: Sequence[tuple[str | None, str | None]],
        last: Sequence[tuple[int | None, int | None] | None],
    ) -> None:
        self._subjects: dict[str | None, int | None] = {None: None}
        self._practices: dict[str | None, int | None] = {None: None}
        for (subject, practice), found in zip(named, last, strict=True):
            on_subject, on_practice = found or (None, None)
            self._subjects.setdefault(subject, on_subject)
            self._practices.setdefault(practice, on_practice)

    def follow(self, entry: Entry, index: int) -> tuple[int | None, int | None]:
        """Return the last index on the entry's subject and practice; the entry is next."""
        subject, practice = entry.subject, entry.practice
        links = self._subjects[subject], self._practices[practice]
        if subject is not None:
            self._subjects[subject] = index
        if practice is not None:
            self._practices[practice] = index
        return links


def logs(connection: Connection) -> list[tuple[str, Frontier]]:
    """List the logs whose entries are here, with their heads, oldest first."""
    query = select(ledger_head).where(ledger_head.c.purged_at.is_(None))
    rows = connection.execute(query.order_by(ledger_head.c.log))
    return [(row.log, Frontier.from_bytes(row.size, row.frontier)) for row in rows]


def head_of(connection: Connection, log: str) -> Frontier:
    """Return the head of one log as it is now; of a log that is not there, the empty head."""
    row = connection.execute(select(ledger_head).where(ledger_head.c.log == log)).one_or_none()
    return Frontier.from_bytes(row.size, row.frontier) if row else Frontier()


def last_on(
    connection: Connection, log: str, below: int, *, subject: str | None, practice: str | None
) -> int | None:
    """Return the last index below one on a subject, or else of a practice; None: there is none."""
    on = (
        ledger_entry.c.subject == subject
        if subject is not None
        else ledger_entry.c.practice == practice
    )
    found: int | None = connection.execute(
        select(func.max(ledger_entry.c.idx)).where(
            ledger_entry.c.log == log, ledger_entry.c.idx < below, on
        )
    ).scalar_one()
    return found


def bodies(connection: Connection, log: str, first: int, number: int) -> list[bytes]:
    """Return the bodies of so many entries from an index on, in order."""
    query = (
        select(ledger_entry.c.body)
        .where(ledger_entry.c.log == log, ledger_entry.c.idx >= first)
        .where(ledger_entry.c.idx < first + number)
        .order_by(ledger_entry.c.idx)
    )
    return list(connection.execute(query).scalars())


def entries(connection: Connection, log: str) -> Iterator[LedgerRow]:
    """Stream a log's entries in order. The view must be one moment."""
    rows = connection.execution_options(yield_per=1000).execute(
        select(ledger_entry.c.idx, ledger_entry.c.body, ledger_entry.c.leaf_hash)
        .where(ledger_entry.c.log == log)
        .order_by(ledger_entry.c.idx)
    )
    for row in rows:
        yield LedgerRow(index=row.idx, body=row.body, leaf_hash=row.leaf_hash)
