"""A pen: statements that go straight to the driver, inside a transaction of SQLAlchemy's.

What enters: SQL with `?` for each value. What leaves: rows, or nothing. For the few statements
of the hottest path only, which both databases understand as they stand.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.errors import StoreUnavailableError


class Pen:
    """Writes with the driver of one open connection."""

    def __init__(self, connection: Connection) -> None:
        dialect = connection.dialect
        self._is_sqlite = dialect.name == "sqlite"
        self._cursor: Any = connection.connection.cursor()
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
            msg = "the database did not take an entry of the ledger or of a feed: it was too busy, or is full"
            raise StoreUnavailableError(msg) from error
