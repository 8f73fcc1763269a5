"""A provider is told of each of its events, in order and at least once, whatever goes wrong."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import (
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.fhir.text import read_resource
from gateway.fhir.validate import validate
from gateway.journey.stalls import watch
from gateway.referral.subscriptions import SubscriptionStatus
from tests.builders.evidence import execute
from tests.builders.house import House
from tests.builders.messages import PHARMACY
from tests.builders.subscribers import (
    BASE_URL,
    FakePost,
    a_subscription,
    a_task,
    confirmed,
    happen,
    is_signed,
    numbers,
    parameters_of,
    row,
    said,
    secret_of,
    subscribed,
    tell,
    tell_all,
)

REFUSED = DestinationRefusedError("no", status=404)


@pytest.fixture
def post() -> FakePost:
    return FakePost()


def status(house: House, made: dict[str, Any]) -> dict[str, Any]:
    house.tokens.clear()  # the clock may have moved far
    answer = house.get(f"/Subscription/{made['id']}/$status", client="oh-one")
    assert answer.status_code == 200
    (entry,) = answer.get_json()["entry"]
    return parameters_of(entry["resource"])


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each for each in caplog.messages if each.startswith("ALERT")]


# -- handshake


def test_a_subscription_is_active_only_once_its_address_took_the_handshake(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = subscribed(house)
    assert made["status"] == "requested"
    happen(house, task)
    post.failures = [NoReplyError("no answer")]
    assert tell_all(house, post) == 1
    assert status(house, made)["status"] == "error"
    assert (numbers(post.seen), said(post.seen[0])["type"]) == ([], "handshake")
    house.clock.move(seconds=5)
    assert tell_all(house, post) == 2
    assert [said(each)["type"] for each in post.letters] == ["handshake", "event-notification"]
    assert status(house, made)["status"] == "active"


def test_the_handshake_says_that_the_subscription_is_not_active_yet(
    house: House, post: FakePost
) -> None:
    made = subscribed(house)
    tell_all(house, post)
    told = said(post.letters[0])
    assert told["status"] == "requested"
    assert told["subscription"] == f"{BASE_URL}/Subscription/{made['id']}"
    assert told["events-since-subscription-start"] == "0"


# -- events


def test_events_are_told_by_number_in_order_and_by_their_task_only(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task, 3)
    assert tell_all(house, post) == 1
    told = said(post.letters[0])
    assert told["events"] == [(n, f"{BASE_URL}/Task/{task}") for n in (1, 2, 3)]
    assert told["events-since-subscription-start"] == "3"
    assert told["status"] == "active"


def test_numbers_count_from_the_start_and_say_where_that_is_in_the_list(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    happen(house, task, 4)
    made = confirmed(house, post)
    happen(house, task)
    tell_all(house, post)
    told = said(post.letters[0])
    assert [number for number, _ in told["events"]] == [1]
    assert told["feed-numbers-start-after"] == "4"
    assert status(house, made)["events-since-subscription-start"] == "1"


def test_a_long_list_comes_in_bounded_notifications_each_after_the_one_before(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = subscribed(house)
    happen(house, task, 120)
    assert tell_all(house, post) == 4
    assert numbers(post.letters) == [
        [*range(1, 51)], [*range(51, 101)], [*range(101, 121)]
    ]  # fmt: skip
    assert row(house, made).next_seq == 121


def test_what_was_not_taken_comes_again_under_its_name_with_its_events_and_no_more(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task, 2)
    post.failures = [NoReplyError("the answer was lost"), DestinationBusyError("no", status=503)]
    tell_all(house, post)
    happen(house, task, 3)
    for seconds in (5, 10):
        house.clock.move(seconds=seconds)
        tell_all(house, post)
    names = [each.headers["webhook-id"] for each in post.seen]
    assert len(set(names[:3])) == 1
    assert names[3] != names[0]
    assert numbers(post.seen) == [[1, 2], [1, 2], [1, 2], [3, 4, 5]]


def test_events_that_come_while_a_notification_is_under_way_come_next(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task)
    pending = [2]

    def meanwhile() -> None:
        if pending:
            happen(house, task, pending.pop())

    post.meanwhile = meanwhile
    assert tell_all(house, post) == 2
    assert numbers(post.letters) == [[1], [2, 3]]


def test_an_empty_subscriber_hears_numbers_and_nothing_of_what_they_are_about(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    confirmed(house, post, content="empty")
    happen(house, task, 2)
    tell_all(house, post)
    assert said(post.letters[0])["events"] == [(1, None), (2, None)]
    assert b"Task" not in post.letters[0].body
    assert b"topic" not in post.letters[0].body.lower()


def test_an_event_whose_task_was_erased_keeps_its_number(house: House, post: FakePost) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task, 2)
    execute(house, "UPDATE feed_event SET delivery = NULL WHERE seq = 1")
    tell_all(house, post)
    assert said(post.letters[0])["events"] == [(1, None), (2, f"{BASE_URL}/Task/{task}")]


def test_nobody_is_told_of_anothers_events(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task, subscriber=PHARMACY)
    assert tell_all(house, post) == 0
    assert status(house, made)["events-since-subscription-start"] == "0"


def test_every_notification_is_valid_and_signed_by_the_secret_that_was_shown_once(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = subscribed(house)
    happen(house, task)
    tell_all(house, post)
    house.clock.move(minutes=1)
    tell_all(house, post)
    assert len(post.letters) == 3
    for letter in post.letters:
        assert is_signed(secret_of(made), dict(letter.headers), letter.body)
        assert validate(read_resource(letter.body), profiles=house.gateway.profiles) == []
    shown = house.get(f"/Subscription/{made['id']}", client="oh-one").get_data(as_text=True)
    assert "whsec_" not in shown


def test_a_notification_in_xml_says_the_same(house: House, post: FakePost) -> None:
    task = a_task(house)
    subscribed(house, payload="application/fhir+xml")
    happen(house, task)
    tell_all(house, post)
    tree: Any = read_resource(post.letters[1].body)
    assert parameters_of(tree["entry"][0]["resource"])["events"] == [(1, f"{BASE_URL}/Task/{task}")]
    assert post.letters[1].headers["Content-Type"] == "application/fhir+xml"


def test_a_webhook_is_plain_json_one_event_each(house: House, post: FakePost) -> None:
    task = a_task(house)
    happen(house, task, 4)
    made = subscribed(house, payload="application/json")
    happen(house, task, 2)
    assert tell_all(house, post) == 3
    bodies = [json.loads(each.body) for each in post.letters]
    assert [each["type"] for each in bodies] == [
        "subscription.handshake", "task.referral", "task.referral"
    ]  # fmt: skip
    assert bodies[2]["data"] == {
        "subscription": f"{BASE_URL}/Subscription/{made['id']}",
        "status": "active",
        "events_since_subscription_start": 2,
        "event_number": 2,
        "feed_number": 6,
        "task": f"{BASE_URL}/Task/{task}",
    }
    assert bodies[2]["timestamp"].startswith("2026-11-22T09:00")
    assert {each.headers["Content-Type"] for each in post.letters} == {"application/json"}


def test_an_empty_webhook_does_not_say_what_happened(house: House, post: FakePost) -> None:
    task = a_task(house)
    confirmed_by = subscribed(house, payload="application/json", content="empty")
    happen(house, task)
    execute(house, "UPDATE feed_event SET kind = 'recall'")
    tell_all(house, post)
    body = json.loads(post.letters[1].body)
    assert (body["type"], "task" in body["data"]) == ("task.event", False)
    assert row(house, confirmed_by).next_seq == 2


def test_the_receivers_own_headers_are_sent_and_never_shown(house: House, post: FakePost) -> None:
    made = subscribed(house, header=["Authorization: Bearer of good news", "X-Desk: 7"])
    assert "header" not in made["channel"]
    tell_all(house, post)
    headers = post.letters[0].headers
    assert (headers["Authorization"], headers["X-Desk"]) == ("Bearer of good news", "7")
    for path in ("", f"/{made['id']}", f"/{made['id']}/$status"):
        shown = house.get(f"/Subscription{path}", client="oh-one").get_data(as_text=True)
        assert "good news" not in shown


# -- heartbeats


def test_a_heartbeat_goes_out_each_period_and_carries_the_newest_number(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task, 2)
    tell_all(house, post)
    for _ in range(3):
        house.clock.move(seconds=59)
        assert tell_all(house, post) == 0
        house.clock.move(seconds=1)
        assert tell_all(house, post) == 1
    told = [said(each) for each in post.letters[1:]]
    assert {each["type"] for each in told} == {"heartbeat"}
    assert {each["events-since-subscription-start"] for each in told} == {"2"}
    assert len({each.headers["webhook-id"] for each in post.letters}) == 4


# -- failures


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [
        (DestinationUnreachableError("down"), "unreachable"),
        (NoReplyError("slow"), "no-reply"),
        (DestinationBusyError("busy", status=500), "busy"),
        (DestinationRefusedError("moved", status=301), "refused"),
        (REFUSED, "refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_whatever_fails_is_tried_again_for_days_and_nothing_is_skipped(
    house: House, post: FakePost, failure: Any, trouble: str
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task, 2)
    post.failures = [failure] * 3
    waits = []
    for _ in range(3):
        assert tell_all(house, post) == 1
        waits.append((row(house, made).next_at - house.clock()).total_seconds())
        house.clock.now = row(house, made).next_at
    assert waits == [5, 10, 20]
    assert status(house, made)["troubles"] == [trouble]
    assert status(house, made)["status"] == "error"
    shown = house.get(f"/Subscription/{made['id']}", client="oh-one").get_json()
    assert shown["error"]
    tell_all(house, post)
    assert numbers(post.letters) == [[1, 2]]
    assert (status(house, made)["status"], status(house, made)["troubles"]) == ("active", [])


def test_an_address_that_asks_to_be_left_alone_is(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    wish = timedelta(minutes=20)
    post.failures = [DestinationBusyError("later", status=429, retry_after=wish)]
    tell_all(house, post)
    assert row(house, made).next_at - house.clock() == wish
    happen(house, task)
    house.clock.move(minutes=19)
    assert tell_all(house, post) == 0
    house.clock.move(minutes=1)
    tell_all(house, post)
    assert numbers(post.letters) == [[1], [2]]


def test_an_address_that_is_gone_is_left_and_keeps_its_place(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task, 2)
    post.failures = [DestinationRefusedError("gone", status=410)]
    tell_all(house, post)
    house.clock.move(days=1)
    happen(house, task)
    assert tell_all(house, post) == 0
    assert (status(house, made)["status"], status(house, made)["troubles"]) == ("off", ["gone"])
    switch(house, made, "requested")
    assert tell_all(house, post) == 3
    assert said(post.letters[0])["type"] == "handshake"
    assert numbers(post.letters) == [[1, 2], [3]]


def test_an_address_that_takes_nothing_for_days_is_given_up(house: House, post: FakePost) -> None:
    made = confirmed(house, post)
    house.clock.move(days=4.9)
    post.failures = [REFUSED] * 2
    tell_all(house, post)
    assert row(house, made).status is SubscriptionStatus.ACTIVE
    house.clock.move(days=0.1)
    tell_all(house, post)
    assert status(house, made)["troubles"] == ["given-up"]
    house.clock.move(days=9)
    assert tell_all(house, post) == 0


def test_waits_never_grow_longer_than_a_heartbeat(house: House, post: FakePost) -> None:
    made = confirmed(house, post, heartbeat=120)
    house.clock.move(minutes=2)
    post.failures = [REFUSED] * 8
    for _ in range(8):
        tell_all(house, post)
        wait = row(house, made).next_at - house.clock()
        house.clock.now = row(house, made).next_at
    assert wait == timedelta(minutes=2)


def test_an_attempt_that_had_no_time_left_is_no_failure(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    post.failures = [LeaseEndedError("late")]
    assert tell(house, post)
    assert row(house, made).failures == 0
    tell_all(house, post)
    assert numbers(post.letters) == [[1]]


# -- restarts, two notifiers, clocks


def test_a_notifier_that_never_came_back_is_followed_by_the_same_notification(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task, 2)

    def die() -> None:
        raise KeyboardInterrupt

    post.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        tell(house, post)
    post.meanwhile = lambda: None
    assert tell_all(house, post) == 0, "its lease is still good"
    house.clock.now = row(house, made).lease_until or house.clock()
    happen(house, task)
    tell_all(house, post)
    first, second, third = post.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert numbers([first, second, third]) == [[1, 2], [1, 2], [3]]


def test_two_notifiers_never_tell_one_subscriber_at_once(house: House, post: FakePost) -> None:
    task = a_task(house)
    confirmed(house, post)
    happen(house, task)
    others: list[bool] = []
    post.meanwhile = lambda: others.append(tell(house, FakePost()))
    tell_all(house, post)
    assert others == [False]


def test_who_lost_its_lease_moves_nothing(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    other = FakePost()

    def overslept() -> None:
        post.meanwhile = lambda: None
        house.clock.now = (row(house, made).lease_until or house.clock()) + timedelta(seconds=1)
        other.failures = [REFUSED]
        assert tell(house, other)

    post.meanwhile = overslept
    assert tell(house, post)
    assert (row(house, made).next_seq, row(house, made).failures) == (1, 1)
    house.clock.move(seconds=5)
    tell_all(house, post)
    assert numbers(post.seen) == [[1], [1]]
    assert len({each.headers["webhook-id"] for each in [*post.seen, *other.seen]}) == 1


@pytest.mark.parametrize("hours", [1, 30])
def test_a_clock_that_is_set_back_delays_neither_events_nor_heartbeats(
    house: House, post: FakePost, hours: int
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    post.failures = [REFUSED]
    tell_all(house, post)
    house.clock.move(hours=-hours)
    happen(house, task)
    tell_all(house, post)
    assert numbers(post.letters) == [[1], [2]]
    house.clock.move(minutes=1)
    assert tell_all(house, post) == 1
    assert said(post.letters[-1])["type"] == "heartbeat"
    assert row(house, made).next_at - house.clock() == timedelta(minutes=1)


def test_a_clock_set_back_during_an_attempt_does_not_stop_the_next_one(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    post.meanwhile = lambda: house.clock.move(hours=-5)
    tell(house, post)
    post.meanwhile = lambda: None
    assert row(house, made).next_at - house.clock() <= timedelta(minutes=1)
    house.clock.move(minutes=1)
    assert tell_all(house, post) == 1


# -- bulkheads


def test_some_notifiers_pass_over_addresses_that_fail(house: House, post: FakePost) -> None:
    task = a_task(house)
    ill = confirmed(house, post)
    house.clock.move(seconds=1)
    well = confirmed(house, post, address="https://oh.example/well")
    happen(house, task)
    execute(house, "UPDATE subscription SET failures = 2 WHERE id = :id", id=ill["id"])
    house.clock.move(minutes=2)
    assert tell(house, post, only_well=True)
    assert post.letters[0].address == "https://oh.example/well"
    assert not tell(house, post, only_well=True)
    assert row(house, well).next_seq == 2
    tell_all(house, post)
    assert row(house, ill).next_seq == 2


def test_what_does_not_open_delays_no_other_and_is_shown(house: House, post: FakePost) -> None:
    task = a_task(house)
    bad = subscribed(house)
    execute(house, "UPDATE subscription SET sealed_secret = :junk", junk=b"junk" * 20)
    good = subscribed(house, address="https://oh.example/good")
    happen(house, task)
    tell_all(house, post)
    assert {each.address for each in post.letters} == {"https://oh.example/good"}
    assert row(house, good).next_seq == 2
    assert status(house, bad)["troubles"] == ["damaged"]


# -- stalls


def test_a_stall_raises_one_alarm_within_two_heartbeats_and_ends_it_once(
    house: House, post: FakePost, caplog: pytest.LogCaptureFixture
) -> None:
    made = confirmed(house, post)
    watch(house.gateway)
    house.clock.move(seconds=90)
    watch(house.gateway)
    assert alerts(caplog) == []
    house.clock.move(seconds=1)
    for _ in range(2):
        watch(house.gateway)
    assert len(alerts(caplog)) == 1
    assert "silent" in alerts(caplog)[0]
    assert status(house, made)["troubles"] == ["silent"]
    tell_all(house, post)
    for _ in range(2):
        watch(house.gateway)
    assert len(alerts(caplog)) == 2
    assert "is told again" in alerts(caplog)[1]
    assert status(house, made)["troubles"] == []


def test_a_stall_is_shown_where_no_notifier_and_no_watch_runs(house: House, post: FakePost) -> None:
    made = subscribed(house)
    house.clock.move(seconds=91)
    assert status(house, made)["troubles"] == ["silent"]


def test_events_that_wait_behind_others_raise_the_alarm_too(
    house: House, post: FakePost, caplog: pytest.LogCaptureFixture
) -> None:
    task = a_task(house)
    made = confirmed(house, post, payload="application/json")
    happen(house, task, 4)
    for _ in range(2):
        house.clock.move(seconds=46)
        tell(house, post)
    watch(house.gateway)
    assert status(house, made)["troubles"] == ["behind"]
    assert "behind" in alerts(caplog)[0]


def test_a_subscription_that_is_off_is_not_stalled(
    house: House, post: FakePost, caplog: pytest.LogCaptureFixture
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    house.clock.move(seconds=91)
    watch(house.gateway)
    switch(house, made, "off")
    happen(house, task)
    house.clock.move(days=1)
    watch(house.gateway)
    assert ["was switched off" in each for each in alerts(caplog)] == [False, True]
    assert status(house, made)["troubles"] == []
    assert tell_all(house, post) == 0


# -- off, on, end, delete


def switch(house: House, made: dict[str, Any], to: str, **changes: Any) -> Any:
    """Put another status, and perhaps more, over the present version."""
    house.tokens.clear()
    path = f"/Subscription/{made['id']}"
    answer = house.get(path, client="oh-one")
    tree = answer.get_json() | {"status": to} | changes
    changed = house.put(path, tree, client="oh-one", If_Match=answer.headers["ETag"])
    assert changed.status_code == 200, changed.get_data(as_text=True)
    return changed.get_json()


def test_switched_off_and_on_again_it_goes_on_where_it_was(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    tell_all(house, post)
    switch(house, made, "off")
    happen(house, task, 2)
    house.clock.move(days=3)
    assert tell_all(house, post) == 0
    assert switch(house, made, "active")["status"] == "requested"
    tell_all(house, post)
    assert [said(each)["type"] for each in post.letters[1:]] == ["handshake", "event-notification"]
    assert numbers(post.letters) == [[1], [2, 3]]


def test_an_attempt_that_was_under_way_when_it_was_switched_off_moves_nothing(
    house: House, post: FakePost
) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    post.meanwhile = lambda: switch(house, made, "off")
    tell(house, post)
    assert (row(house, made).status, row(house, made).next_seq) == (SubscriptionStatus.OFF, 1)


def test_a_subscription_ends_when_it_said_it_would(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post, end="2026-11-22T10:00:00Z")
    happen(house, task)
    house.clock.move(hours=2)
    tell_all(house, post)
    assert post.letters == []
    assert (status(house, made)["status"], status(house, made)["troubles"]) == ("off", ["ended"])


def test_a_deleted_subscription_is_told_nothing_more(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = confirmed(house, post)
    happen(house, task)
    path = f"/FHIR/R4/Subscription/{made['id']}"

    def delete() -> None:
        assert house.web.delete(path, headers=house.bearer("oh-one")).status_code == 204

    post.meanwhile = delete
    assert tell(house, post)
    assert tell_all(house, post) == 0
    assert house.get(f"/Subscription/{made['id']}", client="oh-one").status_code == 404


# -- $events


def test_whoever_missed_events_fetches_them_by_number(house: House, post: FakePost) -> None:
    task = a_task(house)
    happen(house, task, 3)
    made = confirmed(house, post)
    happen(house, task, 5)
    path = f"/Subscription/{made['id']}/$events"
    answer = house.get(path, client="oh-one", eventsSinceNumber="2", eventsUntilNumber="4")
    bundle = answer.get_json()
    told = parameters_of(bundle["entry"][0]["resource"])
    assert (told["type"], told["events-since-subscription-start"]) == ("query-event", "5")
    assert told["events"] == [(n, f"{BASE_URL}/Task/{task}") for n in (2, 3, 4)]
    posted = house.post(
        path,
        {"resourceType": "Parameters",
         "parameter": [{"name": "eventsSinceNumber", "valueString": "5"},
                       {"name": "content", "valueCode": "empty"}]},
        client="oh-one",
    )  # fmt: skip
    assert parameters_of(posted.get_json()["entry"][0]["resource"])["events"] == [(5, None)]


def test_a_long_list_of_events_comes_in_pages_that_meet(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = subscribed(house)
    happen(house, task, 450)
    url: str | None = f"{BASE_URL}/Subscription/{made['id']}/$events"
    seen: list[int] = []
    while url is not None:
        bundle = house.web.get(url, headers=house.bearer("oh-one")).get_json()
        seen += [n for n, _ in parameters_of(bundle["entry"][0]["resource"])["events"]]
        links = {each["relation"]: each["url"] for each in bundle["link"]}
        url = links.get("next")
    assert seen == [*range(1, 451)]


def test_a_number_beyond_the_list_tells_of_a_restored_backup(house: House, post: FakePost) -> None:
    task = a_task(house)
    made = subscribed(house)
    happen(house, task, 2)
    path = f"/Subscription/{made['id']}/$events"
    assert house.get(path, client="oh-one", eventsSinceNumber="3").status_code == 200
    answer = house.get(path, client="oh-one", eventsSinceNumber="4")
    assert answer.status_code == 409
    assert "restored from a backup" in answer.get_data(as_text=True)


def test_no_log_line_names_an_address_or_a_header(
    house: House, post: FakePost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="gateway")
    subscribed(house, header=["Authorization: hush"])
    post.failures = [REFUSED]
    tell_all(house, post)
    house.clock.move(hours=1)
    watch(house.gateway)
    assert "hush" not in caplog.text
    assert "oh.example" not in caplog.text
    assert a_subscription()["channel"]["endpoint"] not in caplog.text
