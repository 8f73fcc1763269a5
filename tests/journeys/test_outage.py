"""A destination that stops answering is left alone, and taken up again, for all workers at once."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.journey import outage
from gateway.journey.claim import claim_due
from gateway.journey.deliver import deliver_next
from gateway.journey.reconcile import reconcile
from gateway.referral.identifiers import EndpointId
from gateway.store import lanes
from gateway.store.lanes import Lane
from tests.builders.evidence import entries, work
from tests.builders.house import House, build_house
from tests.builders.messages import (
    BARS_USE_CASES,
    PHARMACY_SERVICE,
    bars_headers,
    bars_message,
    implied_consent,
    service_request,
)

OH = EndpointId("oh")
SILENCE = DestinationUnreachableError("no connection")


@dataclass
class Two:
    """Two gateways on one database and one clock, each with a worker; one far end."""

    one: House
    other: House

    def fail(self, number: int, failure: DeliveryError = SILENCE) -> None:
        """Let so many attempts fail, the gateways in turn."""
        for each in range(number):
            self.one.destination.failures.append(failure)
            house = (self.one, self.other)[each % 2]
            assert deliver_next("worker", house.gateway), "nothing was due"


@pytest.fixture
def two(house: House, database_url: str) -> Iterator[Two]:
    other = build_house(database_url, is_furnished=True)
    shared = replace(other.gateway, clock=house.clock, destinations=house.gateway.destinations)
    yield Two(one=house, other=replace(other, gateway=shared))
    other.gateway.store.close()


def queue(house: House, number: int) -> None:
    for _ in range(number):
        assert house.post("/ServiceRequest", service_request()).status_code == 201


def to_pharmacy(house: House) -> None:
    sent = bars_message(
        service=PHARMACY_SERVICE, use_case=(BARS_USE_CASES, "a5t1"), consents=[implied_consent()]
    )
    answer = house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))
    assert answer.status_code == 200


def lane(house: House) -> Lane:
    with house.gateway.store.reading() as view:
        return lanes.find(view, OH)


def told(house: House) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The entries on outages: kind, what they are about, and what they say."""
    return [
        (each["kind"], each["refs"], each["detail"])
        for each in entries(house)
        if each["kind"].startswith("outage.")
    ]


def alerts(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [
        (record.levelno, record.getMessage())
        for record in caplog.records
        if record.getMessage().startswith("ALERT")
    ]


def written(house: House, seconds: float = 0) -> str:
    at = house.clock.now + timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


BEGAN = ("outage.began", {"endpoint": "oh"}, {"failures": 5, "phase": "connect"})


# One alert at the start.


def test_the_start_of_an_outage_is_told_once_whichever_workers_notice(
    two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    queue(two.one, 5)
    two.fail(4)
    assert (told(two.one), alerts(caplog)) == ([], [])
    two.fail(1)
    assert told(two.one) == [BEGAN]
    for _ in range(3):
        two.one.clock.move(minutes=10)
        two.fail(1)
    assert told(two.one) == [BEGAN]
    assert lane(two.one).failures == 8
    [(level, text)] = alerts(caplog)
    assert level == logging.ERROR
    assert "oh does not answer (connect): 5 attempts in a row" in text
    assert reconcile(two.one.gateway).discrepancies == ()


def test_workers_that_notice_at_the_same_moment_tell_it_once(two: Two) -> None:
    together = Barrier(10)

    def notice(house: House) -> None:
        together.wait()
        outage.failed(OH, NoReplyError("no answer"), house.gateway)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(notice, [two.one, two.other] * 5))
    assert lane(two.one).failures == 10
    [(kind, _, said)] = told(two.one)
    assert (kind, said) == ("outage.began", {"failures": 5, "phase": "no-reply"})


def test_what_broke_off_before_it_was_sent_says_nothing_of_the_destination(house: House) -> None:
    for _ in range(6):
        outage.failed(OH, LeaseEndedError("too late"), house.gateway)
    assert (lane(house).failures, told(house)) == (0, [])


def test_only_failures_in_a_row_make_an_outage(two: Two) -> None:
    queue(two.one, 9)
    two.fail(4)
    assert deliver_next("worker", two.other.gateway)
    assert lane(two.one).failures == 0
    two.fail(4)
    assert (told(two.one), lane(two.one).opened_at) == ([], None)


# Left alone.


def test_nothing_goes_to_a_destination_in_an_outage_and_others_get_theirs(two: Two) -> None:
    queue(two.one, 6)
    two.fail(5)
    assert not deliver_next("worker", two.one.gateway)
    to_pharmacy(two.one)
    assert work(two.other) == 1
    assert [each.endpoint.id for each in two.one.destination.received] == ["pharmacy"]


def test_one_attempt_from_time_to_time_finds_out_less_and_less_often(two: Two) -> None:
    queue(two.one, 6)
    two.fail(5)
    for rest in (10, 20, 40):
        two.one.clock.move(seconds=rest - 1)
        assert not deliver_next("worker", two.one.gateway)
        two.one.clock.move(seconds=1)
        two.fail(1)


def test_only_one_worker_at_a_time_finds_out(two: Two) -> None:
    queue(two.one, 6)
    two.fail(5)
    two.one.clock.move(minutes=1)
    assert len(claim_due("worker-1", two.one.gateway, most=8)) == 1
    assert claim_due("worker-2", two.other.gateway, most=8) == []


# Retry-After.


def test_what_a_destination_asks_for_counts_for_all_that_waits_for_it(two: Two) -> None:
    queue(two.one, 2)
    two.fail(1, DestinationBusyError("busy", status=429, retry_after=timedelta(seconds=90)))
    two.one.clock.move(seconds=89)
    assert not deliver_next("worker", two.other.gateway)
    to_pharmacy(two.one)
    assert work(two.other) == 1
    two.one.clock.move(seconds=1)
    assert work(two.other) == 2
    assert told(two.one) == []


def test_an_attempt_that_was_under_way_and_succeeds_takes_no_wish_back(two: Two) -> None:
    queue(two.one, 1)
    busy = DestinationBusyError("busy", status=429, retry_after=timedelta(seconds=90))
    outage.failed(OH, busy, two.one.gateway)
    outage.answered(OH, two.other.gateway)
    two.one.clock.move(seconds=89)
    assert (lane(two.one).failures, work(two.one)) == (0, 0)
    two.one.clock.move(seconds=1)
    assert work(two.one) == 1


def test_the_longer_of_two_wishes_counts(house: House) -> None:
    for wish in (90, 5):
        busy = DestinationBusyError("busy", retry_after=timedelta(seconds=wish))
        outage.failed(OH, busy, house.gateway)
    assert lane(house).next_at == house.clock.now + timedelta(seconds=90)


# Recovery.


def test_the_end_of_an_outage_is_told_once_and_what_waited_goes_at_once(
    two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    queue(two.one, 7)
    two.fail(5)
    began = written(two.one)
    two.one.clock.move(minutes=10)
    assert work(two.other) == 7
    for each in (two.one, two.other):
        outage.answered(OH, each.gateway)
    assert told(two.one) == [BEGAN, ("outage.ended", {"endpoint": "oh"}, {"since": began})]
    [_, (level, text)] = alerts(caplog)
    assert (level, text) == (
        logging.WARNING,
        "ALERT: destination oh answers again after 600 s",
    )
    assert len(two.one.destination.received) == 7
    assert reconcile(two.one.gateway).discrepancies == ()


def test_an_answer_to_an_attempt_from_before_the_outage_ends_it_at_once(two: Two) -> None:
    queue(two.one, 7)
    two.fail(5)
    assert work(two.one) == 0
    outage.answered(OH, two.other.gateway)
    assert work(two.one) == 2


def test_a_second_outage_is_told_again(two: Two) -> None:
    queue(two.one, 10)
    two.fail(5)
    two.one.clock.move(minutes=10)
    assert deliver_next("worker", two.one.gateway)
    two.fail(5)
    assert [kind for kind, _, _ in told(two.one)] == [
        "outage.began", "outage.ended", "outage.began",
    ]  # fmt: skip


def test_a_refusal_is_an_answer(two: Two) -> None:
    queue(two.one, 12)
    two.fail(6, DestinationRefusedError("no", status=422))
    assert (told(two.one), lane(two.one).failures) == ([], 0)
    two.fail(5)
    two.one.clock.move(minutes=10)
    two.fail(1, DestinationRefusedError("no", status=422))
    assert [kind for kind, _, _ in told(two.one)] == ["outage.began", "outage.ended"]
    assert lane(two.one).opened_at is None
