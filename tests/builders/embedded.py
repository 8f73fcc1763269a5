"""A gateway on SQLite alone, for tests that no database engine can change."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.builders.house import House, build_house, furnish


@cache
def furnished_sqlite() -> bytes:
    """A furnished SQLite database, made once; whoever needs one writes a copy."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.sqlite3"
        furnish(f"sqlite:///{path}")
        return path.read_bytes()


@contextmanager
def embedded_house(folder: Path) -> Iterator[House]:
    """Build a gateway on a new SQLite database in this folder."""
    path = folder / "gateway.sqlite3"
    path.write_bytes(furnished_sqlite())
    built = build_house(f"sqlite:///{path}", is_furnished=True)
    yield built
    built.gateway.store.close()
