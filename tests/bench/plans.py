"""How a database means to find what it is asked for."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

_SCANS = {"sqlite": "SCAN ", "postgresql": "Seq Scan on "}


def plans_of(connection: Connection, ask: Callable[[], object]) -> list[str]:
    """Return the lines of the plan of each statement that is executed meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [
        str(row[-1])
        for statement, parameters in asked
        for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)
    ]


def tables_scanned(connection: Connection, ask: Callable[[], object]) -> tuple[str, ...]:
    """Name the tables that these statements read from end to end."""
    marked = _SCANS[connection.dialect.name]
    lines = [line for line in plans_of(connection, ask) if marked in line]
    return tuple(line.partition(marked)[2].split()[0] for line in lines)
