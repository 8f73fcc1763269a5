"""What every test may ask for: databases, and how long a soak may last.

What takes long is made once a session and copied for each test: a schema, and the whole house.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import hypothesis
import pytest

from gateway.store.engine import make_engine
from gateway.store.schema import upgrade
from tests.builders.house import House, build_house, furnish
from tests.memory import folder_in_memory
from tests.postgres import PostgresMissingError, PostgresServer, Prepare, started_server

# A shared machine stalls now and then; pytest's own timeout catches what hangs.
hypothesis.settings.register_profile("default-here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default-here")
)


def pytest_configure() -> None:
    """Have every `tmp_path` lie in memory where there is room; PYTEST_DEBUG_TEMPROOT decides."""
    folder = folder_in_memory()
    if folder is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole session. In CI its absence is a failure, never a skip."""
    try:
        with started_server() as server:
            yield server
    except PostgresMissingError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(f"NOT TESTED ON POSTGRESQL. {missing}")


@pytest.fixture(scope="session")
def prepare_database() -> Prepare | None:
    """What makes the schema in an empty database; None leaves it empty."""

    def upgrade_at(url: str) -> None:
        engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
        upgrade(engine)
        engine.dispose()

    return upgrade_at


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database_url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    prepare_database: Prepare | None,
) -> Iterator[str]:
    """The SQLAlchemy URL of a database of this test's own, on each engine in turn.

    Where a test asks for the house as well, its directory is applied already.
    """
    prepare = furnish if "house" in request.fixturenames else prepare_database
    if request.param == "sqlite":
        path = tmp_path / "gateway.sqlite3"
        if prepare is not None:
            shutil.copyfile(_prepared_sqlite(prepare, tmp_path_factory), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.fresh_database(prepare)
    yield url
    server.drop_database(url)


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    """A whole gateway on a database of this test's own, on each engine in turn."""
    built = build_house(database_url, is_furnished=True)
    yield built
    built.gateway.store.close()


@pytest.fixture
def soak_time() -> timedelta:
    """How long one soak test may go on: SOAK_SECONDS, which `make soak` sets."""
    return timedelta(seconds=float(os.environ.get("SOAK_SECONDS", "30")))


_sqlite_templates: dict[Prepare, Path] = {}


def _prepared_sqlite(prepare: Prepare, folders: pytest.TempPathFactory) -> Path:
    if prepare not in _sqlite_templates:
        path = folders.mktemp("template") / "gateway.sqlite3"
        prepare(f"sqlite:///{path}")
        _sqlite_templates[prepare] = path
    return _sqlite_templates[prepare]
