"""A provider's own list, pulled by cursor: nothing is missed, and nothing of anybody else's."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.errors import DestinationRefusedError
from gateway.inbound.feed_routes import EVENT_TAG, NEWEST_TAG, POSITION_TAG
from gateway.journey.erase import Authority, erase_subject
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.lifecycle import ReferralState
from tests.builders.evidence import entries, execute, id_in, issues, referral, take_back, work
from tests.builders.house import House
from tests.builders.messages import patient, service_request

OTHER_NUMBER = "9990000026"


def send(house: House, **changed: Any) -> str:
    answer = house.post("/ServiceRequest", service_request(**changed))
    assert answer.status_code == 201
    return id_in(answer.headers["Location"])


def pull(house: House, since: object, *, client: str = "oh-one", **query: Any) -> Any:
    answer = house.get("/Task", client=client, _since=since, **query)
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def position(page: Any) -> tuple[int, int]:
    """Where a page ends, and where the list does."""
    codes = {tag["system"]: tag["code"] for tag in page["meta"]["tag"]}
    return int(codes[POSITION_TAG]), int(codes[NEWEST_TAG])


def erased(page: Any) -> list[int]:
    return [int(tag["code"]) for tag in page["meta"]["tag"] if tag["system"] == EVENT_TAG]


def told(page: Any) -> list[tuple[str, str, list[tuple[int, str]]]]:
    """What each Task of a page asks, how it stands, and its events."""
    return [
        (
            task["code"]["coding"][0]["code"],
            task["status"],
            [(int(tag["code"]), tag["display"]) for tag in task["meta"]["tag"]],
        )
        for task in (entry["resource"] for entry in page.get("entry", []))
    ]


def links(page: Any) -> dict[str, str]:
    return {link["relation"]: link["url"] for link in page["link"]}


def follow(house: House, url: str) -> Any:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return house.get(parts.path.removeprefix("/FHIR/R4"), client="oh-one", **query).get_json()


def test_a_list_that_nothing_was_written_to_is_empty_and_says_so(house: House) -> None:
    page = pull(house, 0)
    assert (position(page), told(page)) == ((0, 0), [])
    assert links(page)["monitor"].endswith("/Task?_since=0")
    assert "next" not in links(page)


def test_what_is_brought_and_recalled_is_told_in_order(house: House) -> None:
    first = send(house)
    send(house)
    assert position(pull(house, 0)) == (0, 0), "nothing was brought yet"
    work(house)
    assert told(pull(house, 0)) == [
        ("fulfill", "received", [(1, "referral")]),
        ("fulfill", "received", [(2, "referral")]),
    ]
    take_back(house, first)
    page = pull(house, 2)
    assert told(page) == [("abort", "requested", [(3, "recall")])]
    work(house)
    page = pull(house, 2)
    assert told(page) == [("abort", "received", [(3, "recall"), (4, "changed")])]
    assert position(page) == (4, 4)
    assert position(pull(house, 4)) == (4, 4)
    assert reconcile(house.gateway).discrepancies == ()


def test_a_recall_that_cannot_be_brought_and_its_replay_are_told(house: House) -> None:
    own = send(house)
    work(house)
    take_back(house, own)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    assert told(pull(house, 1)) == [("abort", "rejected", [(2, "recall"), (3, "changed")])]
    assert referral(house, own).state is ReferralState.HELD
    replay_referral(referral(house, own).reference, house.gateway)
    assert told(pull(house, 3)) == [("abort", "requested", [(4, "changed")])]


def test_what_was_stopped_before_it_left_is_never_told(house: House) -> None:
    own = send(house)
    take_back(house, own)
    work(house)
    assert position(pull(house, 0)) == (0, 0)
    house.destination.failures.append(DestinationRefusedError("no"))
    send(house)
    work(house)
    assert position(pull(house, 0)) == (0, 0)


def test_pages_follow_each_other_without_a_gap_or_a_repeat(house: House) -> None:
    for _ in range(5):
        send(house)
    work(house)
    page, seen = pull(house, 0, _count=2), []
    while True:
        seen += [number for _, _, own in told(page) for number, _ in own]
        at = position(page)
        if "next" not in links(page):
            break
        page = follow(house, links(page)["next"])
    assert seen == [1, 2, 3, 4, 5]
    assert at == (5, 5)
    again = follow(house, links(page)["monitor"])
    assert (told(again), position(again)) == ([], (5, 5))
    send(house)
    work(house)
    assert told(follow(house, links(again)["monitor"])) == [
        ("fulfill", "received", [(6, "referral")])
    ]


def test_an_instant_says_where_to_begin(house: House) -> None:
    send(house)
    work(house)
    house.clock.move(minutes=10)
    house.tokens.clear()
    send(house)
    work(house)
    for since, numbers in (
        ("2026-11-22T09:00:00Z", [1, 2]),
        ("2026-11-22T10:05:00+01:00", [2]),
        ("2026-11-22T09:10:00.000001Z", []),
        ("2027-01-01T00:00:00Z", []),
    ):
        page = pull(house, since)
        assert [n for _, _, own in told(page) for n, _ in own] == numbers, since
        assert position(page) == (2, 2)


@pytest.mark.parametrize(
    "since",
    ["", "-1", "01", "1.0", "1e3", "9" * 19, "2026-11-22", "2026-11-22T09:00:00", "last",
     "2026-02-30T09:00:00Z"],
)  # fmt: skip
def test_a_cursor_that_is_neither_a_number_nor_an_instant_is_refused(
    house: House, since: str
) -> None:
    answer = house.get("/Task", client="oh-one", _since=since)
    assert answer.status_code == 400
    assert "_since" in answer.get_json()["issue"][0]["diagnostics"]


def test_a_cursor_past_the_end_tells_of_a_list_that_was_brought_back(house: House) -> None:
    send(house)
    work(house)
    answer = house.get("/Task", client="oh-one", _since=2)
    assert (answer.status_code, issues(answer)) == (409, [("conflict", None)])
    assert "older copy" in answer.get_json()["issue"][0]["diagnostics"]


def test_a_cursor_goes_with_no_other_condition(house: House) -> None:
    for other in ({"_lastUpdated": "2026-11-22"}, {"_after": "x"}, {"status": "received"}):
        assert house.get("/Task", client="oh-one", _since=0, **other).status_code == 400


def test_nobody_sees_another_ones_list(house: House) -> None:
    own = send(house)
    work(house)
    assert position(pull(house, 0, client="gp-one")) == (1, 1), "a practice has a list of its own"
    assert position(pull(house, 0, client="gp-two")) == (0, 0)
    # A practice that sent it sees its hops as before, and another nothing.
    assert len(house.get("/Task").get_json()["entry"]) == 2
    assert "entry" not in house.get("/Task", client="gp-two").get_json()
    assert house.get(f"/Task/{own}", client="oh-one").status_code == 404


def test_a_task_is_theirs_from_the_first_word_of_it(house: House) -> None:
    own = send(house)
    (queued,) = [
        e["resource"]["id"]
        for e in house.get("/Task").get_json()["entry"]
        if e["resource"]["id"] != own
    ]
    assert house.get(f"/Task/{queued}", client="oh-one").status_code == 404
    work(house)
    assert house.get(f"/Task/{queued}", client="oh-one").status_code == 200
    take_back(house, own)  # queued, not yet brought
    recall = pull(house, 1)["entry"][0]["resource"]
    shown = house.get(f"/Task/{recall['id']}", client="oh-one").get_json()
    assert shown["reasonCode"]["coding"][0]["code"] == "CANCELLED_BY_SENDER"
    assert shown["restriction"]["period"]["end"].startswith("2026-11-24")
    assert len(house.get("/Task", client="oh-one").get_json()["entry"]) == 2


def test_an_erased_person_leaves_numbers_and_nothing_else(house: House) -> None:
    first = send(house)
    send(house, person=patient(OTHER_NUMBER))
    work(house)
    erase_subject(
        house.gateway, referral(house, first).subject, authority=Authority.DATA_SUBJECT_REQUEST
    )
    page = pull(house, 0)
    assert erased(page) == [1]
    assert told(page) == [("fulfill", "received", [(2, "referral")])]
    assert position(page) == (2, 2)
    assert reconcile(house.gateway).discrepancies == ()


def test_what_is_shown_is_on_record_and_an_empty_page_is_not(house: House) -> None:
    send(house)
    work(house)
    pull(house, 0)
    pull(house, 1)
    (shown,) = entries(house, "record.read")
    assert (shown["actor"], shown["interaction"], shown["size"]) == ("oh-one", "search", 1)


def test_a_list_with_a_hole_is_named_by_reconciliation(house: House) -> None:
    send(house)
    work(house)
    execute(house, "UPDATE feed_head SET size = 2 WHERE subscriber = 'RX901'")
    (found,) = reconcile(house.gateway).discrepancies
    assert (found.about, found.text) == (
        "feed of RX901",
        "the numbers of its list are not 1 to its size",
    )
