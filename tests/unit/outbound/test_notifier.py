"""The notifier goes on whatever happens, watches by itself, and stops when it is told to."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.errors import StoreUnavailableError
from gateway.journey.gateway import Gateway
from gateway.outbound.notifier import Notifier
from tests.builders.embedded import embedded_house
from tests.builders.house import House
from tests.builders.subscribers import BASE_URL, FakePost, a_task, happen, numbers, row, subscribed
from tests.processes.receiver import until

POLL = timedelta(milliseconds=5)
PATIENCE = timedelta(seconds=10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        yield built


def notifying(gateway: Gateway, post: FakePost, threads: int = 1) -> Notifier:
    made = Notifier(gateway, post, base_url=BASE_URL, threads=threads, poll=POLL, watch_every=POLL)
    made.start()
    return made


def test_what_happens_is_told_soon(house: House) -> None:
    task = a_task(house)
    subscribed(house)
    post = FakePost()
    running = notifying(house.gateway, post)
    try:
        happen(house, task)
        until(lambda: numbers(post.letters) == [[1]])
    finally:
        assert running.stop(patience=PATIENCE)


def test_an_unforeseen_error_is_named_without_its_words_and_it_goes_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    made = subscribed(house)
    post = FakePost()
    post.failures = [cast("Any", RuntimeError("words of nobody's choosing"))]
    running = notifying(house.gateway, post)
    try:
        until(lambda: any("unforeseen RuntimeError" in each for each in caplog.messages))
        house.clock.now = row(house, made).lease_until or house.clock()
        until(lambda: len(post.letters) == 1)
    finally:
        assert running.stop(patience=PATIENCE)
    assert "nobody's" not in caplog.text


def test_a_database_that_is_away_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def reading(self, **_: object) -> None:
            raise StoreUnavailableError("away")

    class Closed:
        store = Away()

        def clock(self) -> None: ...

    with caplog.at_level(logging.WARNING):
        running = notifying(cast("Gateway", Closed()), FakePost())
        until(
            lambda: (
                caplog.messages.count("the database did not answer; subscribers will be told later")
                > 3
            )
        )
        assert running.stop(patience=PATIENCE)


def test_the_alarm_is_raised_also_while_every_thread_waits_for_an_answer(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    subscribed(house)
    post = FakePost()
    post.meanwhile = lambda: until(lambda: "ALERT" in caplog.text)
    running = notifying(house.gateway, post)
    try:
        until(lambda: len(post.seen) == 1)
        house.clock.move(seconds=91)
        until(lambda: "is stalled" in caplog.text)
    finally:
        assert running.stop(patience=PATIENCE)
