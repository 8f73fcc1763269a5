"""`gateway subscription list`: how the subscriptions of providers stand."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from tests.builders.embedded import embedded_house
from tests.builders.evidence import execute
from tests.builders.house import House
from tests.builders.messages import PROVIDER
from tests.builders.subscribers import FakePost, a_task, confirmed, happen, subscribed
from tests.unit.cli.conftest import environment

LIST = ["subscription", "list"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house whose clock stands at the present: a command looks at its own."""
    with embedded_house(tmp_path) as built:
        built.clock.now = datetime.now(UTC)
        yield built


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path / "gateway.sqlite3")


def test_where_there_is_none_it_says_so(house: House, env: dict[str, str]) -> None:
    done = CliRunner().invoke(main, LIST, env=env)
    assert (done.exit_code, done.stdout) == (0, "there is no subscription\n")


def test_each_is_shown_with_how_far_it_was_told(house: House, env: dict[str, str]) -> None:
    task = a_task(house)
    made = confirmed(house, FakePost(), address="https://oh.example/desk?token=hush")
    happen(house, task, 2)
    done = CliRunner().invoke(main, LIST, env=env)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{made['id']}  {PROVIDER}")
    assert "https://oh.example/desk\n  0 of 2 events taken, the next one waits since" in done.stdout
    told = json.loads(CliRunner().invoke(main, [*LIST, "--json"], env=env).stdout)
    assert "hush" not in str(told)
    (one,) = told
    assert (one["status"], one["events"], one["taken"], one["stalled"]) == ("active", 2, 0, False)


def test_one_that_is_stalled_ends_it_with_status_1(house: House, env: dict[str, str]) -> None:
    subscribed(house)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    execute(house, "UPDATE subscription SET switched_on_at = :at", at=long_ago.isoformat(" ")[:26])
    done = CliRunner().invoke(main, LIST, env=env)
    assert done.exit_code == 1
    assert "STALLED" in done.stdout
    assert "Nothing reached the address" in done.stdout
