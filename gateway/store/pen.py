"""A pen: statements that go straight to the driver, inside a transaction of SQLAlchemy's.

What enters: SQL with `?` for each value. What leaves: rows, or nothing. For the few statements
of the hottest path only, which both databases understand as they stand. Several statements go to
PostgreSQL in one round trip, where they are still done one after the other: each sees what was
committed before it began.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.errors import StoreUnavailableError

_TROUBLE = (
    "the database did not take an entry of the ledger or of a feed: it was too busy, or is full"
)


class Pen:
    """Writes with the driver of one open connection."""

    def __init__(self, connection: Connection) -> None:
        dialect = connection.dialect
        self._is_sqlite = dialect.name == "sqlite"
        driver: Any = connection.connection.driver_connection
        self._connection = driver
        self._cursor = driver.cursor()
        self._trouble: Any = dialect.loaded_dbapi.OperationalError

    def read(self, sql: str, values: Sequence[object]) -> Any | None:  # noqa: ANN401  # a row
        """Return the one row, or None."""
        return self._execute(sql, values).fetchone()

    def write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Execute once for each row."""
        if len(rows) == 1:
            self._execute(sql, rows[0])
        elif rows:
            self._run(self._cursor.executemany, sql, rows)

    def read_each(self, asked: Sequence[tuple[str, Sequence[object]]]) -> list[Any | None]:
        """Ask one after the other, in one round trip; return the one row of each, or None."""
        if self._is_sqlite or len(asked) == 1:
            return [self.read(sql, values) for sql, values in asked]
        cursors = [self._connection.cursor() for _ in asked]
        try:
            with self._connection.pipeline():
                for cursor, (sql, values) in zip(cursors, asked, strict=True):
                    self._run(cursor.execute, sql, values)
            return [cursor.fetchone() for cursor in cursors]
        except self._trouble as error:
            raise StoreUnavailableError(_TROUBLE) from error

    def write_each(self, written: Sequence[tuple[str, Sequence[Sequence[object]]]]) -> None:
        """Execute each statement once for each of its rows, all in one round trip."""
        try:
            with self._together():
                for sql, rows in written:
                    self.write(sql, rows)
        except self._trouble as error:
            raise StoreUnavailableError(_TROUBLE) from error

    def _together(self) -> AbstractContextManager[object]:
        return nullcontext() if self._is_sqlite else self._connection.pipeline()

    def instant(self, at: datetime) -> object:
        """Return a UTC time as the column type `Instant` stores it."""
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self._is_sqlite else at

    def _execute(self, sql: str, values: Sequence[object]) -> Any:  # noqa: ANN401  # a cursor
        return self._run(self._cursor.execute, sql, values)

    def _run(self, execute: Any, sql: str, values: Sequence[Any]) -> Any:  # noqa: ANN401
        dialect_sql = sql.removesuffix(" FOR UPDATE") if self._is_sqlite else sql.replace("?", "%s")
        try:
            return execute(dialect_sql, values)
        except self._trouble as error:
            raise StoreUnavailableError(_TROUBLE) from error
