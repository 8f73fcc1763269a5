"""The store: one database, short transactions, and the ledger written with each of them.

What enters: a database URL. What leaves: `transaction()` and `reading()`. Inside a
transaction, `record()` collects ledger entries; they are appended last, just before the
commit, so that the ledger's head is locked for the shortest time and no act is committed
without its entries. A transaction never spans a network call.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gateway.errors import MovedMeanwhileError, StoreUnavailableError, TooSlowError
from gateway.ledger.entry import Entry
from gateway.store.feed_numbers import Told, number
from gateway.store.ledger import Recorded, Sealed, append
from gateway.store.pen import in_one_go
from gateway.store.vault import Vault

_READ_ONLY = "gateway_read_only"
_ANSWER_BY = "gateway_answer_by"
_FOREIGN_KEY = "23503"
"""A row that is referred to is gone: erased, while this transaction was open. Source: PostgreSQL."""
_BETWEEN_TRIES = 0.001
"""Seconds a SQLite writer sleeps before it asks for the write lock again."""


@dataclass(slots=True, kw_only=True)
class Transaction:
    """One open transaction: the connection, the instant, and what it will record.

    `wrapped_keys` are those of the persons that were met in it, by handle. `told` is what
    providers are told of: see `feeds.append`.
    """

    connection: Connection
    at: datetime
    vault: Vault
    wrapped_keys: dict[str, bytes] = field(default_factory=dict)
    recorded: list[Recorded] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def record(self, *entries: Entry) -> None:
        """Queue ledger entries; they are written in this order, just before the commit."""
        self.recorded.extend(Recorded(entry) for entry in entries)

    def record_sealed(self, entry: Entry, sealed: Sealed) -> None:
        """Queue one ledger entry with what is sealed beside it: see `details.record`."""
        self.recorded.append(Recorded(entry, sealed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One open read, no writes. `wrapped_keys` as in a transaction."""

    connection: Connection
    vault: Vault
    wrapped_keys: dict[str, bytes] = field(default_factory=dict)


class Store:
    """The database. Safe to share between threads, not between processes: see `close`."""

    def __init__(
        self, url: str, *, vault: Vault, ledger_origin: str, timeout: timedelta, pool_size: int
    ) -> None:
        self.engine = make_engine(url, timeout=timeout, pool_size=pool_size)
        self.vault = vault
        self.ledger_origin = ledger_origin
        self._timeout = timeout
        is_embedded = self.engine.dialect.name == "sqlite"
        self._writing = threading.Lock() if is_embedded else None

    @contextmanager
    def transaction(self, at: datetime, *, answer_by: float | None = None) -> Iterator[Transaction]:
        """Open a transaction that writes; commit at the end with its ledger entries.

        An exception inside rolls everything back, the entries with it.

        Args:
            at: the instant that everything in it is written as of.
            answer_by: a reading of `time.monotonic` after which nothing more is begun.

        Raises:
            StoreUnavailableError: the database did not answer in time. Nothing was written.
            TooSlowError: the time to answer ended. Nothing was written.
        """
        with self._one_writer(), self._connected() as opened:
            connection = opened.execution_options(**{_ANSWER_BY: answer_by})
            with ExitStack() as until_committed, connection.begin():
                tx = Transaction(connection=connection, at=at, vault=self.vault)
                yield tx
                try:
                    if tx.told or tx.recorded:  # others wait for their turn from here on
                        until_committed.enter_context(in_one_go(connection))
                    self._write_last(tx)
                    _check_time(answer_by)
                except BaseException:  # what is wrong is told only where nothing waits behind it
                    until_committed.close()
                    raise

    def _write_last(self, tx: Transaction) -> None:
        if tx.recorded:
            append(tx.connection, tx.recorded, origin=self.ledger_origin, at=tx.at)
        if tx.told:
            number(tx.connection, tx.told, at=tx.at)

    @contextmanager
    def reading(self, *, as_one_moment: bool = False) -> Iterator[Reading]:
        """Open a read that never blocks a writer.

        Args:
            as_one_moment: whether all its queries must see the database at one moment.

        Raises:
            StoreUnavailableError: the database did not answer in time.
        """
        options: dict[str, Any] = {_READ_ONLY: True}
        if self.engine.dialect.name == "postgresql":
            # Alone, a query is its own moment; without BEGIN and COMMIT it is one round trip.
            options["isolation_level"] = "REPEATABLE READ" if as_one_moment else "AUTOCOMMIT"
        with self._connected() as connection:
            view = connection.execution_options(**options)
            with view.begin():
                if as_one_moment:
                    without_time_limit(view)
                yield Reading(connection=view, vault=self.vault)

    def close(self) -> None:
        """Give every connection back. Call it in a child process after a fork."""
        self.engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except (OperationalError, PoolTimeoutError) as error:
            msg = "the database did not answer in time"
            raise StoreUnavailableError(msg) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                msg = "the connection to the database was lost"
                raise StoreUnavailableError(msg) from error
            if getattr(error.orig, "sqlstate", None) == _FOREIGN_KEY:
                msg = "what this refers to was removed at the same moment; send it again"
                raise MovedMeanwhileError(msg) from error
            raise

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Queue the writers of this process: SQLite takes one at a time and polls unfairly."""
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=self._timeout.total_seconds()):
            msg = "another writer held the database for too long"
            raise StoreUnavailableError(msg)
        try:
            yield
        finally:
            self._writing.release()


def _check_time(answer_by: float | None) -> None:
    if answer_by is not None and time.monotonic() >= answer_by:
        msg = "the time in which an answer is due ended; send it again later"
        raise TooSlowError(msg)


def _in_time(connection: Connection, *_statement: object) -> None:
    """Begin no statement of a request whose time to answer has ended."""
    _check_time(connection.get_execution_options().get(_ANSWER_BY))


def make_engine(url: str, *, timeout: timedelta, pool_size: int) -> Engine:
    """Make the engine for either database, every timeout set."""
    seconds = timeout.total_seconds()
    arguments: dict[str, Any] = {"pool_timeout": seconds, "pool_size": pool_size}
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": seconds}, **arguments)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _Beginner(seconds))
        event.listen(engine, "before_cursor_execute", _in_time)
        return engine
    limit = int(seconds * 1000)
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": max(2, int(seconds)),
            "options": f"-c statement_timeout={limit} -c lock_timeout={limit}"
            f" -c idle_in_transaction_session_timeout={limit * 6}",
        },
        isolation_level="READ COMMITTED",  # a lost connection costs one 503, then the pool is new
        max_overflow=0,
        **arguments,
    )
    event.listen(engine, "before_cursor_execute", _in_time)
    return engine


def without_time_limit(connection: Connection) -> None:
    """Let the statements of this transaction take as long as they need: a whole log, a migration."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # DB-API
    """Durable before fast: WAL with a full sync at each commit.

    What is deleted is overwritten, and a new database can give its space back (`purging.py`).
    """
    connection.isolation_level = None
    if not connection.execute("PRAGMA page_count").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # later it would ask for the lock
    for pragma in (
        "secure_delete=ON",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


class _Beginner:
    """Begins SQLite transactions: a writer takes the write lock at once, and waits for it here.

    What a writer read is so still true at its commit. SQLite's own wait sleeps longer and
    longer, up to 100 ms, which starves one process while another commits every few. Elsewhere
    it serves: the log of changes is locked for a moment when another process opens or closes it.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience = patience_seconds

    def __call__(self, connection: Connection) -> None:
        """Begin; a writer tries again each millisecond until patience ends."""
        driver: Any = connection.connection.driver_connection
        if connection.get_execution_options().get(_READ_ONLY, False):
            driver.execute("BEGIN")
            return
        driver.execute("PRAGMA busy_timeout=0")
        try:
            self._take_write_lock(driver)
        finally:
            driver.execute(f"PRAGMA busy_timeout={int(self._patience * 1000)}")

    def _take_write_lock(self, driver: Any) -> None:  # noqa: ANN401  # DB-API
        until = time.monotonic() + self._patience
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= until:
                    msg = "the database did not begin a transaction in time"
                    raise StoreUnavailableError(msg) from error
                time.sleep(_BETWEEN_TRIES)
            else:
                return
