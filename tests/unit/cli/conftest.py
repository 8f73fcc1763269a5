"""Commands as an operator types them, each on a database of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli.main import main
from tests.builders.house import KEK, LEDGER_SEED, LOOKUP, directory, key

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a directory, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("operator")
    database = folder / "gateway.sqlite3"
    listed = directory({name: key(name) for name in ("gp-one", "gp-two", "oh-one")})
    file = folder / "directory.yaml"
    file.write_text(yaml.safe_dump(listed), encoding="utf-8")
    env = environment(database)
    for command in (["db", "upgrade"], ["directory", "apply", str(file)]):
        made = CliRunner().invoke(main, command, env=env)
        assert made.exit_code == 0, made.output
    return database


def environment(database: Path) -> dict[str, str]:
    return {
        "GATEWAY_DATABASE_URL": f"sqlite:///{database}",
        "GATEWAY_KEY_ENCRYPTION_KEYS": KEK,
        "GATEWAY_LOOKUP_KEY": LOOKUP,
        "GATEWAY_LEDGER_KEYS": LEDGER_SEED,
    }


@pytest.fixture
def run(template: Path, tmp_path: Path) -> Run:
    """Run a command on a database of this test's own."""
    database = tmp_path / "gateway.sqlite3"
    for suffix in ("", "-wal"):
        there = template.with_name(template.name + suffix)
        if there.exists():
            database.with_name(database.name + suffix).write_bytes(there.read_bytes())

    def invoke(*words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(w) for w in words], env=environment(database))

    return invoke
