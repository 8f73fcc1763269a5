"""The keeper signs on time whatever a witness does, and says how each of them stands."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import DamagedRecordError, NoReplyError, StoreUnavailableError
from gateway.journey.cosign import Cosigner, Reply
from gateway.journey.publish import Due
from gateway.outbound.keeper import Keeper
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute
from tests.builders.house import House
from tests.builders.witness import Notary, honest, served
from tests.builders.witnesses import SIGNER, Near, grow, near, notary_of, note, sign
from tests.contracts.test_witness import far
from tests.processes.receiver import until

PATIENCE = timedelta(seconds=10)
AT_ONCE = Due(every=timedelta(0), entries=1)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        sign(built)
        yield built


@pytest.fixture
def notary(small: House, tmp_path: Path) -> Notary:
    return notary_of(small, tmp_path)


def keeper_of(house: House, *witnesses: Near) -> Keeper:
    cosigners = [Cosigner(witness=each) for each in witnesses]
    return Keeper(house.gateway, [SIGNER], due=AT_ONCE, cosigners=cosigners)


def published(house: House) -> int:
    return len(entries(house, "checkpoint.published"))


def test_a_witness_that_hangs_delays_neither_signing_nor_another_witness(
    small: House, notary: Notary
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def hang(request: bytes) -> Reply:
        asked.set()
        may_answer.wait(PATIENCE.total_seconds())
        raise NoReplyError("too late")

    keeper = keeper_of(small, replace(near(notary), says=hang), near(notary))
    keeper.start()
    try:
        assert asked.wait(PATIENCE.total_seconds())
        until(lambda: len(notary.requests) == 1)
        grow(small)
        until(lambda: len(notary.requests) == 2)
        assert not keeper.stop(patience=timedelta(0))
    finally:
        may_answer.set()
        assert keeper.stop(patience=PATIENCE)
    assert published(small) == len(entries(small, "checkpoint.cosigned")) == 2


def test_what_is_due_when_the_keeper_stops_is_signed(small: House) -> None:
    looked = threading.Event()

    def clock() -> datetime:
        now = small.clock()
        looked.set()
        return now

    grow(small)
    gateway = replace(small.gateway, clock=clock)
    keeper = Keeper(gateway, [SIGNER], due=Due(every=timedelta(hours=1), entries=1000))
    keeper.start()
    assert looked.wait(PATIENCE.total_seconds())
    small.clock.move(hours=2)
    assert keeper.stop(patience=PATIENCE)
    assert published(small) == 2


def test_a_keeper_asks_a_witness_over_http(small: House, notary: Notary) -> None:
    with served(honest(notary)) as at:
        keeper = Keeper(
            small.gateway,
            [SIGNER],
            due=AT_ONCE,
            cosigners=[Cosigner(witness=far(at.url, notary))],
        )
        keeper.start()
        try:
            until(lambda: len(notary.requests) == 1)
        finally:
            assert keeper.stop(patience=PATIENCE)
    assert notary.name in note(small)


def test_a_fork_is_an_alarm_and_quotes_nobody(
    small: House, notary: Notary, caplog: pytest.LogCaptureFixture
) -> None:
    witness = replace(near(notary), says=lambda _: Reply(status=409, body=b"987654321\n"))
    keeper = keeper_of(small, witness)
    for _ in range(2):
        keeper.ask(Cosigner(witness=witness))
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL] * 2
    assert notary.name in caplog.text
    assert "987654321" not in caplog.text


def test_a_refusal_and_its_end_are_told_once(
    small: House, notary: Notary, caplog: pytest.LogCaptureFixture
) -> None:
    witness = near(notary)
    right, cosigner = witness.says, Cosigner(witness=witness)
    witness.says = lambda _: Reply(status=500, body=b"Avery Testperson")
    keeper = keeper_of(small)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            keeper.ask(cosigner)
            small.clock.move(hours=1)
        witness.says = right
        for _ in range(2):
            keeper.ask(cosigner)
    told = [(record.levelname, "again" in record.getMessage()) for record in caplog.records]
    assert told == [("WARNING", True), ("INFO", True)]
    assert "Avery" not in caplog.text


@pytest.mark.parametrize(
    ("error", "seconds", "level"),
    [
        (StoreUnavailableError("away"), 1, logging.WARNING),
        (DamagedRecordError("broken"), 300, logging.CRITICAL),
        (RuntimeError("Avery Testperson"), 1, logging.ERROR),
    ],
)
def test_whatever_fails_in_asking_it_goes_on(
    small: House,
    notary: Notary,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    seconds: int,
    level: int,
) -> None:
    def fail(request: bytes) -> Reply:
        raise error

    witness = replace(near(notary), says=fail)
    wait = keeper_of(small).ask(Cosigner(witness=witness))
    assert wait == timedelta(seconds=seconds)
    assert [record.levelno for record in caplog.records] == [level]
    assert "Avery" not in caplog.text


def test_a_broken_ledger_is_not_signed_and_seldom_looked_at(
    small: House, caplog: pytest.LogCaptureFixture
) -> None:
    grow(small)
    execute(small, "UPDATE ledger_entry SET leaf_hash = zeroblob(32) WHERE idx = 0")
    assert keeper_of(small).keep() == timedelta(minutes=5)
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
