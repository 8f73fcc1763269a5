"""What a real subscriber in another process gets, over real TLS, when things go wrong."""

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    NoReplyError,
)
from gateway.journey.notify import Letter, notify_next
from gateway.journey.reach import Reach, read_hosts
from gateway.outbound.addresses import look_up
from gateway.outbound.notifier import Notifier
from gateway.outbound.rest_hook import RestHook
from gateway.referral.subscriptions import SubscriptionStatus
from tests.builders.embedded import embedded_house
from tests.builders.house import House
from tests.builders.subscribers import (
    BASE_URL,
    a_subscription,
    a_task,
    happen,
    let_out,
    row,
    secret_of,
)
from tests.contracts.parcels import line, within
from tests.processes.certificates import CA_FILE
from tests.processes.receiver import until
from tests.processes.subscriber import Subscriber, running_subscriber

SHORT = timedelta(seconds=1)
POLL = timedelta(milliseconds=5)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def subscriber(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    with running_subscriber(tmp_path_factory.mktemp("subscriber")) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house whose clock runs, since a signature says when it was made."""
    with embedded_house(tmp_path) as built:
        built.gateway = replace(built.gateway, clock=now)
        built.clock.now = now()
        yield built


def reach(subscriber: Subscriber) -> Reach:
    hosts = " ".join(
        f"localhost:{subscriber.port(name)} {CA_FILE}" for name in ("good", "other-ca", "elsewhere")
    )
    return Reach(look_up=look_up, named=read_hosts(hosts))


def hook(subscriber: Subscriber) -> RestHook:
    return RestHook(line(subscriber.folder, connect=SHORT, reply=SHORT), reach(subscriber))


def letter(address: str) -> Letter:
    body = b'{"entry":[{"resource":{"parameter":[{"name":"type","valueCode":"heartbeat"}]}}]}'
    headers = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    return Letter(address=address, headers=headers, body=body)


@pytest.mark.parametrize("conduct", ["ok", "no-content", "junk", "huge"])
def test_a_2xx_is_an_acknowledgement_whatever_else_it_says(
    subscriber: Subscriber, conduct: str
) -> None:
    hook(subscriber).post(letter(subscriber.address(conduct)), deadline=within())


@pytest.mark.parametrize(
    ("conduct", "server", "error", "status", "wish"),
    [
        ("500", "good", DestinationBusyError, 500, None),
        ("429", "good", DestinationBusyError, 429, 1200),
        ("404", "good", DestinationRefusedError, 404, None),
        ("410", "good", DestinationRefusedError, 410, None),
        ("301", "good", DestinationRefusedError, 301, None),
        ("slow", "good", NoReplyError, None, None),
        ("ok", "other-ca", DestinationUnreachableError, None, None),
    ],
)
def test_each_other_answer_is_told_apart_and_never_quoted(
    subscriber: Subscriber, conduct: str, server: str, error: Any, status: Any, wish: Any
) -> None:
    elsewhere = len(subscriber.posts(server="elsewhere"))
    with pytest.raises(DeliveryError) as caught:
        hook(subscriber).post(letter(subscriber.address(conduct, server)), deadline=within())
    assert (type(caught.value), caught.value.status) == (error, status)
    told = caught.value.retry_after
    assert (told.total_seconds() if told else None) == wish
    assert "it broke" not in str(caught.value)
    assert len(subscriber.posts(server="elsewhere")) == elsewhere, "a redirect was followed"
    assert subscriber.posts(server="other-ca") == []


class Trusting(Reach):
    """A reach whose every address shows a certificate that is trusted."""

    def ca_file(self, address: str) -> str | None:
        return CA_FILE


class Careless(Trusting):
    """One that would post to any address, so that only where it leads can stop it."""

    def is_within(self, address: str) -> bool:
        return True


class Blind(Trusting):
    """One that would take any connection, so that only its address can stop it."""

    def may_connect(self, address: str, peer: str) -> bool:
        return True


def test_a_name_that_leads_to_a_neighbour_by_now_is_told_nothing(subscriber: Subscriber) -> None:
    """The name was public when it was asked about; only the connection shows where it leads."""
    public = Careless(look_up=lambda _: ["8.8.8.8"])
    assert public.refusal("https://localhost/ok") is None
    before = len(subscriber.posts())
    with pytest.raises(DestinationUnreachableError, match="does not accept connections"):
        RestHook(line(subscriber.folder), public).post(
            letter(subscriber.address()), deadline=within()
        )
    assert len(subscriber.posts()) == before


def test_an_address_whose_host_is_no_longer_named_is_not_called(subscriber: Subscriber) -> None:
    blind = Blind(look_up=lambda _: ["8.8.8.8"])
    with pytest.raises(DestinationUnreachableError, match="no longer"):
        RestHook(line(subscriber.folder), blind).post(
            letter(subscriber.address()), deadline=within()
        )


def subscribed(house: House, subscriber: Subscriber, conduct: str, **asked: Any) -> dict[str, Any]:
    let_out(house, reach(subscriber))
    tree = a_subscription(subscriber.address(conduct), **asked)
    answer = house.post("/Subscription", tree, client="oh-one")
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made: dict[str, Any] = answer.get_json()
    subscriber.trust(secret_of(made))
    return made


def notifier(house: House, subscriber: Subscriber, threads: int = 2) -> Notifier:
    started = Notifier(
        house.gateway, hook(subscriber), base_url=BASE_URL, threads=threads, poll=POLL
    )
    started.start()
    return started


def test_a_subscriber_gets_signed_numbered_events_in_order(
    house: House, subscriber: Subscriber
) -> None:
    task = a_task(house)
    made = subscribed(house, subscriber, "no-content", header=["Authorization: Bearer me"])
    running = notifier(house, subscriber)
    try:
        until(lambda: row(house, made).status is SubscriptionStatus.ACTIVE)
        for _ in range(3):
            happen(house, task, 2)
        until(lambda: row(house, made).next_seq == 7)
    finally:
        assert running.stop(patience=timedelta(seconds=10))
    came = subscriber.posts(path="no-content", is_good=True)
    assert all(each["is_fresh"] for each in came)
    assert {each["authorization"] for each in came} == {"Bearer me"}
    assert came[0]["type"] == "handshake"
    assert list(itertools.chain(*(each["numbers"] for each in came))) == [1, 2, 3, 4, 5, 6]


def test_two_notifiers_never_post_to_one_subscriber_at_once(
    house: House, subscriber: Subscriber
) -> None:
    task = a_task(house)
    made = subscribed(house, subscriber, "dawdling")
    running = [notifier(house, subscriber) for _ in range(2)]
    try:
        for _ in range(10):
            happen(house, task)
            time.sleep(0.02)
        until(lambda: row(house, made).next_seq == 11)
    finally:
        for each in running:
            assert each.stop(patience=timedelta(seconds=10))
    came = subscriber.posts(path="dawdling", is_good=True)
    assert all(each["is_alone"] for each in came)
    assert list(itertools.chain(*(each["numbers"] for each in came))) == [*range(1, 11)]


def test_a_slow_subscriber_delays_no_other(house: House, subscriber: Subscriber) -> None:
    task = a_task(house)
    subscribed(house, subscriber, "slow")
    made = subscribed(house, subscriber, "ok")
    running = notifier(house, subscriber)
    try:
        happen(house, task)
        began = time.monotonic()
        until(lambda: row(house, made).next_seq == 2)
        assert time.monotonic() - began < 2
    finally:
        assert running.stop(patience=timedelta(seconds=10))


def test_after_a_restart_in_the_middle_the_same_notification_comes_again(
    house: House, subscriber: Subscriber
) -> None:
    task = a_task(house)
    made = subscribed(house, subscriber, "junk")
    real = hook(subscriber)
    notify_next(house.gateway, real, base_url=BASE_URL)
    happen(house, task, 2)

    class Dying:
        def post(self, letter: Letter, *, deadline: float) -> None:
            real.post(letter, deadline=deadline)
            raise KeyboardInterrupt  # it was taken, and nobody lived to note it

    with pytest.raises(KeyboardInterrupt):
        notify_next(house.gateway, Dying(), base_url=BASE_URL)
    later = replace(house.gateway, clock=lambda: now() + timedelta(seconds=13))
    assert notify_next(later, real, base_url=BASE_URL)
    came = subscriber.posts(path="junk", type="event-notification", is_good=True)
    assert [each["numbers"] for each in came] == [[1, 2], [1, 2]]
    assert came[0]["id"] == came[1]["id"]
    assert row(house, made).next_seq == 3


def test_a_look_up_that_takes_too_long_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver cannot be told to hurry; so it is replaced by one that never answers."""
    never = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: never.wait(5) and [])
    began = time.monotonic()
    assert look_up("oh.example", patience=timedelta(seconds=0.1)) == ()
    assert time.monotonic() - began < 1
    never.set()


def test_a_name_without_an_address_finds_nothing() -> None:
    assert look_up("nowhere.invalid") == ()
    assert "127.0.0.1" in look_up("localhost")
