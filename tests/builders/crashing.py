"""Processes that die of SIGKILL at one chosen write, rename or signature, and nowhere else.

A child is forked from the test, with a house whose connections were given back: it opens its own.
The gateway knows nothing of it: the driver's cursors count what they are asked to write, and
Python's own audit events tell of files.
"""

import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event

from gateway.store.engine import Store
from tests.builders.house import House

_WRITES = ("INSERT", "UPDATE", "DELETE")
KILLED, ENDED = -signal.SIGKILL, 0


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def in_a_child(house: House, act: Callable[[], object]) -> int:
    """Do something in a process of its own; return how that ended, as `KILLED` or `ENDED`."""
    house.gateway.store.close()
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001  # a child never goes on with the parent's tests
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Countdown:
    """Dies at the n-th step that it is told of."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self, *_told: object) -> None:
        self._left -= 1
        if self._left == 0:
            die()


def die_at_write(store: Store, number: int) -> None:
    """Have this process die just before its n-th write: a statement that writes, or a commit.

    To die just after a commit is to die before the write that follows it.
    """
    count = Countdown(number)

    def told(sql: object) -> None:
        if str(sql).lstrip().upper().startswith(_WRITES):
            count()

    wrapped = _lite(told) if store.engine.dialect.name == "sqlite" else _postgres(told)

    def connecting(_dialect: Any, _record: Any, _positional: Any, named: dict[str, Any]) -> None:
        named.update(wrapped)

    event.listen(store.engine, "do_connect", connecting)
    event.listen(store.engine, "commit", count)


def _lite(told: Callable[[object], None]) -> dict[str, Any]:
    """Tell of each statement of a SQLite connection's cursors."""

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *values: Any) -> Any:
            told(sql)
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> Any:
            told(sql)
            return super().executemany(sql, *values)

    class Connection(sqlite3.Connection):
        def cursor(self, *_factory: Any) -> Any:
            return super().cursor(Cursor)

    return {"factory": Connection}


def _postgres(told: Callable[[object], None]) -> dict[str, Any]:
    """Tell of each statement of a PostgreSQL connection's cursors."""

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **how: Any) -> Any:
            told(query)
            return super().execute(query, *values, **how)

        def executemany(self, query: Any, *values: Any, **how: Any) -> Any:
            told(query)
            return super().executemany(query, *values, **how)

    return {"cursor_factory": Cursor}


def die_at_rename(folder: Path, number: int) -> None:
    """Have this process die just before the n-th file in a folder gets its name."""
    count = Countdown(number)

    def heard(name: str, told: tuple[Any, ...]) -> None:
        if name == "os.rename" and str(told[0]).startswith(str(folder)):
            count()

    sys.addaudithook(heard)
