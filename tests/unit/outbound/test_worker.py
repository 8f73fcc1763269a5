"""The worker goes on whatever one delivery does to it, and stops when it is told to."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from gateway.errors import StoreUnavailableError
from gateway.journey.gateway import Acknowledgement, Destination, Parcel
from gateway.outbound.worker import Worker
from gateway.referral.directory import Transport
from tests.builders.house import FakeDestination, House
from tests.builders.messages import service_request
from tests.processes.receiver import until

POLL = timedelta(milliseconds=5)
PATIENCE = timedelta(seconds=10)


class Slow(FakeDestination):
    """A provider that takes its time, and says when it began."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.may_end = threading.Event(), threading.Event()

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        self.began.set()
        self.may_end.wait(PATIENCE.total_seconds())
        return super().send(parcel, deadline=deadline)


def working(house: House, destination: FakeDestination | None = None) -> Worker:
    destinations: dict[Transport, Destination]
    destinations = {Transport.FHIR_REST: destination or house.destination}
    gateway = replace(house.gateway, destinations=destinations)
    worker = Worker(gateway, threads=1, poll=POLL)
    worker.start()
    return worker


def post(house: House) -> None:
    assert house.post("/ServiceRequest", service_request()).status_code == 201


def test_a_worker_delivers_what_comes_while_it_waits(house: House) -> None:
    worker = working(house)
    try:
        post(house)
        until(lambda: len(house.destination.received) == 1)
    finally:
        assert worker.stop(patience=PATIENCE)


def test_an_unforeseen_error_is_named_without_its_words_and_delivery_goes_on(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.destination.failures.append(RuntimeError("Avery Testperson"))
    post(house)
    worker = working(house)
    try:
        until(lambda: "an unforeseen RuntimeError in delivery" in caplog.text)
        post(house)
        until(lambda: len(house.destination.received) == 1)
        house.clock.move(minutes=1)  # the lease of the first one ends
        until(lambda: len(house.destination.received) == 2)
    finally:
        assert worker.stop(patience=PATIENCE)
    assert "Avery" not in caplog.text


def test_a_database_that_does_not_answer_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Away:
        asked = 0

        def transaction(self, at: datetime) -> None:
            self.asked += 1
            msg = "away"
            raise StoreUnavailableError(msg)

    class Stub:
        store = Away()
        clock: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))

    worker = Worker(cast("Any", Stub()), threads=1, poll=POLL)
    with caplog.at_level(logging.WARNING):
        worker.start()
        until(lambda: Stub.store.asked > 2)
        assert worker.stop(patience=PATIENCE)
    assert "the database did not answer" in caplog.text


def test_stopping_waits_for_the_attempt_under_way_and_begins_no_other(house: House) -> None:
    slow = Slow()
    for _ in range(2):
        post(house)
    worker = working(house, slow)
    assert slow.began.wait(PATIENCE.total_seconds())
    assert not worker.stop(patience=timedelta(0))
    slow.may_end.set()
    assert worker.stop(patience=PATIENCE)
    assert len(slow.received) == 1
