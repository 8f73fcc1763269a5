"""A pen: statements that go straight to the driver, inside a transaction of SQLAlchemy's.

What enters: SQL with `?` for each value. What leaves: rows, or nothing. For the few statements
of the hottest path only, which both databases understand as they stand.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.errors import StoreUnavailableError

_TROUBLE = (
    "the database did not take an entry of the ledger or of a feed: it was too busy, or is full"
)


@contextmanager
def in_one_go(connection: Connection) -> Iterator[None]:
    """Wait for PostgreSQL only where a row is read, and at the commit: not at each statement.

    They are still done one after the other, and each sees what was committed before it began.
    What is wrong with one that only writes is told at the next wait.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with ExitStack() as both:
        both.enter_context(driver.pipeline())
        try:
            yield
        finally:  # all that mattered was told before: at the commit, or as it was taken back
            with suppress(connection.dialect.loaded_dbapi.Error):
                both.close()


class Pen:
    """Writes with the driver of one open connection."""

    def __init__(self, connection: Connection) -> None:
        dialect = connection.dialect
        driver: Any = connection.connection.driver_connection
        self._is_sqlite = dialect.name == "sqlite"
        self._driver = driver
        self._cursor = driver.cursor()
        self._trouble: Any = dialect.loaded_dbapi.OperationalError
        self._error: Any = dialect.loaded_dbapi.Error

    def read(self, sql: str, values: Sequence[object]) -> Any | None:  # noqa: ANN401  # a row
        """Return the one row, or None."""
        return self.read_each([(sql, values)])[0]

    def read_each(self, asked: Sequence[tuple[str, Sequence[object]]]) -> list[Any | None]:
        """Ask one after the other, and then wait; return the one row of each, or None."""
        cursors = [self._driver.cursor() for _ in asked]  # one has room for one answer
        for cursor, (sql, values) in zip(cursors, asked, strict=True):
            self._run(cursor.execute, sql, values)
        with self._told_as_usual():
            return [cursor.fetchone() for cursor in cursors]

    def queue_for(self, name: str) -> None:
        """Wait for one's turn among those that write the same row, first come, first served.

        PostgreSQL lets the waiters for a row that is changed all the time overtake each other.
        """
        if not self._is_sqlite:
            place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            self._run(self._cursor.execute, "SELECT pg_advisory_xact_lock(?)", (place,))

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Execute once for each row."""
        if len(rows) == 1:
            self._run(self._cursor.execute, sql, rows[0])
        elif rows:
            self._run(self._cursor.executemany, sql, rows)

    def instant(self, at: datetime) -> object:
        """Return a UTC time as the column type `Instant` stores it."""
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self._is_sqlite else at

    def _run(self, execute: Any, sql: str, values: Sequence[Any]) -> None:  # noqa: ANN401
        dialect_sql = (
            sql.removesuffix(" FOR NO KEY UPDATE") if self._is_sqlite else sql.replace("?", "%s")
        )
        with self._told_as_usual():
            execute(dialect_sql, values)

    @contextmanager
    def _told_as_usual(self) -> Iterator[None]:
        """Raise what SQLAlchemy would have made of the driver's error."""
        try:
            yield
        except self._trouble as error:
            raise StoreUnavailableError(_TROUBLE) from error
        except self._error as error:
            raise DBAPIError.instance(None, None, error, self._error) from error
