"""The clock that all machines share is the database's, however their own are set."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gateway.store.clock import EVERY, DatabaseClock
from gateway.store.engine import make_engine
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgresql
SECOND = timedelta(seconds=1)


@dataclass
class Machine:
    """A machine whose clock may be wrong, and whose ticking is moved by hand."""

    off: timedelta = timedelta(0)
    ticks: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off

    def count(self) -> float:
        return self.ticks


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    return postgres_server.fresh_database()


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(url: str, machine: Machine) -> Iterator[DatabaseClock]:
    engine = make_engine(url, timeout=SECOND, pool_size=1)
    yield DatabaseClock(engine, ticks=machine.count, own=machine.now)
    engine.dispose()


def test_a_machine_whose_clock_is_wrong_goes_by_the_database(
    clock: DatabaseClock, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.off = timedelta(hours=-1)
    assert abs(clock() - datetime.now(UTC)) < SECOND
    assert abs(clock.drift() + timedelta(hours=1)) < SECOND
    machine.ticks += EVERY.total_seconds()
    assert abs(clock() - datetime.now(UTC)) < SECOND
    machine.off = timedelta(0)
    machine.ticks += EVERY.total_seconds()
    clock()
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert told == [
        "ALERT: this machine's clock is -3600.0 s off the database's",
        "ALERT: this machine's clock agrees with the database's again",
    ]


def test_a_step_of_the_machines_clock_moves_nothing(clock: DatabaseClock, machine: Machine) -> None:
    first = clock()
    machine.off = timedelta(days=400)
    machine.ticks += 3.0
    assert clock() - first == timedelta(seconds=3)


def test_while_the_database_is_away_the_clock_goes_on(
    clock: DatabaseClock, machine: Machine, url: str, postgres_server: PostgresServer
) -> None:
    first = clock()
    postgres_server.drop_database(url)
    machine.ticks += 60.0
    assert clock() - first == timedelta(seconds=60)
    assert clock() - first == timedelta(seconds=60)


def test_without_any_answer_the_machines_own_clock_counts(
    clock: DatabaseClock, machine: Machine, url: str, postgres_server: PostgresServer
) -> None:
    postgres_server.drop_database(url)
    machine.off = timedelta(days=1)
    assert abs(clock() - machine.now()) < SECOND
