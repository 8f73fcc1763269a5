"""A gateway on SQLite alone, for tests that no database engine can change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from gateway.store.engine import make_engine
from gateway.store.schema import upgrade
from tests.builders.house import House, build_house


@contextmanager
def embedded_house(folder: Path) -> Iterator[House]:
    """Build a gateway on a new SQLite database in this folder."""
    url = f"sqlite:///{folder / 'gateway.sqlite3'}"
    engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
    upgrade(engine)
    engine.dispose()
    built = build_house(url)
    yield built
    built.gateway.store.close()
