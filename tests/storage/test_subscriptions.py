"""Subscriptions in the database: many notifiers at once, and what is sealed."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.errors import DeliveryError, DestinationBusyError, NotFoundError, StoreUnavailableError
from gateway.journey.notify import Letter, notify_next
from gateway.journey.stalls import watch
from gateway.referral.identifiers import OdsCode, SubscriptionId
from gateway.store import subscriptions
from gateway.store.tables_feeds import subscription
from tests.builders.house import House
from tests.builders.messages import PRACTICE, PROVIDER
from tests.builders.subscribers import (
    BASE_URL,
    FakePost,
    a_task,
    happen,
    numbers,
    row,
    secret_of,
    subscribed,
    tell_all,
)


class Crowded(FakePost):
    """A subscriber that fails now and then, and notes who comes while another is there."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.here, self.crowds = threading.Lock(), Counter[str](), 0

    def post(self, letter: Letter, *, deadline: float) -> None:
        with self.lock:
            self.here[letter.address] += 1
            self.crowds += self.here[letter.address] > 1
            is_bad = len(self.seen) % 5 == 2
            self.seen.append(letter)
        try:
            if is_bad:
                raise DestinationBusyError("busy", status=503, retry_after=timedelta(0))
            with self.lock:
                self.letters.append(letter)
        finally:
            with self.lock:
                self.here[letter.address] -= 1


def work(house: House, post: FakePost, stop: threading.Event, seen: list[Exception]) -> None:
    while not stop.is_set():
        try:
            if not notify_next(house.gateway, post, base_url=BASE_URL):
                stop.wait(0.005)
        except StoreUnavailableError:
            continue
        except Exception as error:  # noqa: BLE001  # told at the end
            seen.append(error)
            return


def test_many_notifiers_tell_each_subscriber_everything_in_order_one_at_a_time(
    house: House,
) -> None:
    task = a_task(house)
    made = [subscribed(house, f"https://oh.example/{number}") for number in range(3)]
    post, stop, seen = Crowded(), threading.Event(), list[Exception]()
    threads = [threading.Thread(target=work, args=(house, post, stop, seen)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(400):
        if round_ < 10:
            happen(house, task, 3)
        house.clock.move(seconds=0.5)  # far slower than leases end, in the time that attempts take
        if round_ > 10 and all(row(house, each).next_seq == 31 for each in made):
            break
        stop.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert (seen, post.crowds) == ([], 0)
    for number in range(3):
        own = [each for each in post.letters if each.address.endswith(f"/{number}")]
        assert flat(numbers(own)) == [*range(1, 31)]


def flat(found: Sequence[Sequence[int]]) -> list[int]:
    return [number for each in found for number in each]


def test_secrets_and_headers_stand_sealed_and_open_only_in_their_row(house: House) -> None:
    made = subscribed(house, header=["Authorization: hush hush"])
    with house.gateway.store.reading() as view:
        stored = view.connection.execute(select(subscription)).one()
        secret, headers = subscriptions.opened(view, SubscriptionId(made["id"]))
    assert not [value for value in stored if b"hush" in str(value).encode()]
    assert secret not in stored.sealed_secret
    assert headers == [("Authorization", "hush hush")]
    assert secret_of(made).startswith("whsec_")


def test_a_subscription_that_was_deleted_in_between_is_no_longer_there(house: House) -> None:
    made = subscribed(house)
    own = SubscriptionId(made["id"])
    with house.gateway.store.transaction(house.clock()) as tx:
        subscriptions.remove(tx, OdsCode(PROVIDER), own)
        assert subscriptions.lock(tx, own) is None
        with pytest.raises(NotFoundError):
            subscriptions.remove(tx, OdsCode(PRACTICE), own)


def test_a_position_never_moves_without_a_2xx(house: House) -> None:
    task = a_task(house)
    made = subscribed(house)
    happen(house, task, 9)
    post = FakePost()
    tell_all(house, post)
    happen(house, task, 4)
    failures: list[DeliveryError] = [DestinationBusyError("no", status=503)] * 6
    post.failures = failures
    for _ in range(6):
        house.clock.move(minutes=1)
        tell_all(house, post)
        assert row(house, made).next_seq == 10
    house.clock.move(minutes=1)
    tell_all(house, post)
    assert row(house, made).next_seq == 14


def test_of_many_watches_one_raises_the_alarm_and_one_ends_it(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    subscribed(house)
    house.clock.move(seconds=91)
    watch_at_once(house)
    assert ["is stalled" in each for each in caplog.messages if "ALERT" in each] == [True]
    tell_all(house, FakePost())
    watch_at_once(house)
    assert ["is told again" in each for each in caplog.messages if "ALERT" in each] == [False, True]


def watch_at_once(house: House) -> None:
    """Watch in three threads, each of which has read how all stand before one may write."""
    together = threading.Barrier(3)

    def clock() -> datetime:
        if threading.current_thread().name not in begun:
            begun.add(threading.current_thread().name)
        else:
            together.wait(5)  # the second reading of the clock is that of the transaction
        return house.clock()

    begun: set[str] = set()
    gateway = replace(house.gateway, clock=clock)
    threads = [threading.Thread(target=watch, args=(gateway,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
