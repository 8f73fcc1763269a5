"""The numbers of a provider's list: none left out, none given twice, whoever writes at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.journey.feed import feed_faults
from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.store import feeds
from gateway.store.feeds import FeedKind
from tests.builders.embedded import embedded_house
from tests.builders.evidence import execute, the_delivery, work
from tests.builders.house import START, House
from tests.builders.messages import service_request

ONE, TWO, THREE = OdsCode("RX911"), OdsCode("RX912"), OdsCode("RX913")
WRITERS, EACH = 4, 12


class GivenUpError(Exception):
    """A writer that thinks better of it."""


def a_delivery(house: House) -> DeliveryId:
    house.post("/ServiceRequest", service_request())
    work(house)
    return the_delivery(house).id


def tell(house: House, about: DeliveryId, *whom: OdsCode, gives_up: bool = False) -> None:
    """Tell some providers in one transaction, in this order."""
    with suppress(GivenUpError), house.gateway.store.transaction(house.clock()) as tx:
        for each in whom:
            feeds.append(tx, each, FeedKind.CHANGED, about)
        if gives_up:
            raise GivenUpError


def numbers(house: House, subscriber: OdsCode) -> list[int]:
    with house.gateway.store.reading() as view:
        return [e.seq for e in feeds.events(view, subscriber, after=0, limit=10_000)]


def size(house: House, subscriber: OdsCode) -> int:
    with house.gateway.store.reading() as view:
        return feeds.size(view, subscriber)


def faults(house: House) -> list[str]:
    with house.gateway.store.reading(as_one_moment=True) as view:
        return [f"{each.about}: {each.text}" for each in feed_faults(view)]


def test_writers_at_once_leave_no_gap_and_no_reader_ever_sees_one(house: House) -> None:
    about = a_delivery(house)
    together = threading.Barrier(WRITERS + 1)
    over = threading.Event()
    holes: list[list[int]] = []

    def write(number: int) -> None:
        together.wait(timeout=20)
        for turn in range(EACH):
            # In opposite orders, so that writers who lock as they are told would wait in a ring.
            whom = (ONE, TWO, ONE) if number % 2 else (TWO, ONE)
            tell(house, about, *whom, gives_up=(number + turn) % 3 == 0)

    def watch() -> None:
        together.wait(timeout=20)
        while not over.is_set():
            seen = numbers(house, ONE)
            if seen != list(range(1, len(seen) + 1)):
                holes.append(seen)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        watching = pool.submit(watch)
        list(pool.map(write, range(WRITERS)))
        over.set()
        watching.result()
    kept = [
        2 if number % 2 else 1
        for number in range(WRITERS)
        for turn in range(EACH)
        if (number + turn) % 3
    ]
    assert holes == []
    assert numbers(house, ONE) == list(range(1, sum(kept) + 1))
    assert numbers(house, TWO) == list(range(1, len(kept) + 1))
    assert (size(house, ONE), size(house, TWO)) == (sum(kept), len(kept))
    assert faults(house) == []


def test_a_number_that_was_given_back_is_the_next_one(house: House) -> None:
    about = a_delivery(house)
    tell(house, about, ONE)
    tell(house, about, ONE, ONE, gives_up=True)
    tell(house, about, ONE)
    assert numbers(house, ONE) == [1, 2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, DeliveryId]]:
    with embedded_house(tmp_path_factory.mktemp("feeds")) as built:
        yield built, a_delivery(built)


STEPS = st.lists(
    st.tuples(st.lists(st.sampled_from([ONE, TWO, THREE]), max_size=4), st.booleans()), max_size=12
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_whatever_commits_and_whatever_does_not_each_list_counts_what_it_was_told(
    shared: tuple[House, DeliveryId], steps: list[tuple[list[OdsCode], bool]]
) -> None:
    house, about = shared
    before = {each: size(house, each) for each in (ONE, TWO, THREE)}
    for whom, gives_up in steps:
        tell(house, about, *whom, gives_up=gives_up)
    for each in (ONE, TWO, THREE):
        told = sum(whom.count(each) for whom, gives_up in steps if not gives_up)
        assert size(house, each) == before[each] + told
        assert numbers(house, each) == list(range(1, size(house, each) + 1))


def test_a_page_goes_on_after_a_number_and_is_no_longer_than_asked(house: House) -> None:
    about = a_delivery(house)
    for _ in range(5):
        tell(house, about, ONE)
    with house.gateway.store.reading() as view:
        page = feeds.events(view, ONE, after=2, limit=2)
        assert [(e.seq, e.kind, e.delivery) for e in page] == [
            (3, FeedKind.CHANGED, about),
            (4, FeedKind.CHANGED, about),
        ]
        assert feeds.events(view, ONE, after=5, limit=2) == []
        assert (feeds.size(view, THREE), feeds.events(view, THREE, after=0, limit=9)) == (0, [])


def test_time_never_goes_back_in_a_list_and_finds_the_place_to_begin(house: House) -> None:
    about = a_delivery(house)
    tell(house, about, ONE)
    house.clock.move(minutes=10)
    tell(house, about, ONE)
    house.clock.move(minutes=-5)  # somebody sets the clock
    tell(house, about, ONE)
    house.clock.move(minutes=10)
    tell(house, about, ONE)
    with house.gateway.store.reading() as view:
        times = [e.at - START for e in feeds.events(view, ONE, after=0, limit=9)]
        assert times == [timedelta(minutes=m) for m in (0, 10, 10, 15)]
        begin = [feeds.before(view, ONE, START + timedelta(minutes=m)) for m in (0, 1, 10, 11, 16)]
        assert begin == [0, 1, 1, 3, 4]
        assert feeds.before(view, THREE, START) == 0


def test_what_is_erased_leaves_its_numbers(house: House) -> None:
    about = a_delivery(house)
    tell(house, about, ONE, TWO)
    with house.gateway.store.transaction(house.clock()) as tx:
        feeds.forget(tx, [the_delivery(house).referral])
    with house.gateway.store.reading() as view:
        assert [(e.seq, e.delivery) for e in feeds.events(view, ONE, after=0, limit=9)] == [
            (1, None)
        ]
    assert [each for each in faults(house) if each.startswith("feed of")] == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM feed_event WHERE subscriber = 'RX911' AND seq = 2",
        "DELETE FROM feed_event WHERE subscriber = 'RX911' AND seq = 1",
        "DELETE FROM feed_event WHERE subscriber = 'RX911'",
        "UPDATE feed_head SET size = 4 WHERE subscriber = 'RX911'",
        "DELETE FROM feed_head WHERE subscriber = 'RX911'",
    ],
)
def test_a_list_with_a_gap_is_found(tmp_path: Path, statement: str) -> None:
    with embedded_house(tmp_path) as house:
        about = a_delivery(house)
        tell(house, about, ONE, ONE, ONE)
        assert faults(house) == []
        execute(house, statement)
        assert faults(house) == ["feed of RX911: the numbers of its list are not 1 to its size"]


def test_a_delivery_of_which_nobody_was_told_is_found(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        about = a_delivery(house)
        execute(house, "UPDATE feed_event SET delivery = NULL")
        assert faults(house) == [f"delivery {about}: its provider's list does not name it"]
