"""What a practice took back, over HTTP: the answer says what became of it, and so does the list."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute, id_in, nhs_codes, work
from tests.builders.house import House
from tests.builders.messages import PRACTICE, PROVIDER, service_request
from tests.builders.register import change, register, to_register
from tests.builders.sharing import call, let_share

OH = "/agreements/dsa-one-oh"
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as house:
        let_share(house)
        yield house


def two(house: House) -> tuple[str, str]:
    """Have one referral delivered, and another wait; return their references."""
    return posted(house, is_delivered=True), posted(house)


def posted(house: House, *, is_delivered: bool = False) -> str:
    answer = house.post("/ServiceRequest", service_request())
    own = id_in(answer.headers["Location"])
    if is_delivered:
        work(house)
    task: str = house.get(f"/Task/{own}").get_json()["groupIdentifier"]["value"]
    return task


def test_a_withdrawal_is_answered_with_what_became_of_each_delivery(door: House) -> None:
    delivered, waiting = two(door)
    answer = call(door, "POST", f"{OH}/withdraw")
    assert answer.status_code == 200
    (told,) = answer.get_json()["withdrawn"]
    assert (told["cause"], told["about"], told["practice"]) == (
        "agreement", "dsa-one-oh", PRACTICE,
    )  # fmt: skip
    assert (told["stopped"], told["delivered"], told["unknown"]) == (1, 1, 0)
    assert told["acknowledged_at"] == told["withdrawn_at"] == door.clock.now.isoformat()
    of_each = {each["reference"]: each for each in told["deliveries"]}
    assert of_each[waiting] == {
        "reference": waiting, "provider": PROVIDER, "standing": "stopped",
    }  # fmt: skip
    recall = of_each[delivered].pop("recall")
    assert of_each[delivered]["standing"] == "delivered"
    assert (recall["overdue"], recall["cause"]) == (False, "AGREEMENT_NOT_IN_FORCE")
    assert recall["due"] == (door.clock.now + timedelta(days=2)).isoformat()


def test_a_switch_is_answered_likewise_and_a_repeat_has_nothing_more_to_tell(door: House) -> None:
    two(door)
    answer = call(door, "PUT", "/switches/shared_care", {"value": "off"})
    assert [each["deliveries"] for each in answer.get_json()["withdrawn"]] == [[]]
    again = call(door, "PUT", "/switches/shared_care", {"value": "off"})
    assert (again.get_json()["outcome"], again.get_json()["withdrawn"]) == ("already", [])


def test_what_was_withdrawn_is_listed_with_counts_the_newest_first(door: House) -> None:
    two(door)
    call(door, "PUT", "/switches/shared_care", {"value": "off"})
    door.clock.move(seconds=1)
    call(door, "POST", f"{OH}/withdraw")
    listed = call(door, "GET", "/withdrawals").get_json()["entries"]
    assert [each["about"] for each in listed] == ["dsa-one-oh", "shared_care"]
    assert (listed[0]["stopped"], listed[0]["delivered"]) == (1, 1)
    assert "deliveries" not in listed[0]
    only = call(door, "GET", "/withdrawals?about=shared_care").get_json()["entries"]
    assert [each["id"] for each in only] == [listed[1]["id"]]
    assert len(call(door, "GET", "/withdrawals?_count=1").get_json()["entries"]) == 1
    assert call(door, "GET", "/withdrawals", client="gp-two").get_json()["entries"] == []


def test_one_is_shown_a_page_at_a_time_and_each_person_shown_is_an_entry(door: House) -> None:
    references = sorted(posted(door) for _ in range(3))
    call(door, "POST", f"{OH}/withdraw")
    (own,) = call(door, "GET", "/withdrawals").get_json()["entries"]
    before = len(entries(door, "record.read"))
    path, seen = f"/withdrawals/{own['id']}?_count=2", []
    while path:
        page = call(door, "GET", path).get_json()
        assert page["stopped"] == 3
        seen += [each["reference"] for each in page["deliveries"]]
        path = page.get("next", "").removeprefix("http://gateway.example/sharing")
    assert seen == references
    told = entries(door, "record.read")[before:]
    assert [(each["interaction"], each["size"]) for each in told] == [("read", 2), ("read", 1)]
    assert {each["subject"] for each in told} == {entries(door, "referral.received")[0]["subject"]}


def test_anothers_withdrawal_is_not_there_and_the_question_is_on_record(door: House) -> None:
    call(door, "POST", f"{OH}/withdraw")
    (own,) = call(door, "GET", "/withdrawals").get_json()["entries"]
    for name in (own["id"], ID):
        answer = call(door, "GET", f"/withdrawals/{name}", client="gp-two")
        assert (answer.status_code, nhs_codes(answer)) == (404, {"REC_NOT_FOUND"})
    told = entries(door, "record.read")[-2:]
    assert [(e["actor"], e["subject"], e["size"]) for e in told] == [("gp-two", None, 0)] * 2


def test_what_is_asked_about_goes_into_no_hash_unless_it_is_there(door: House) -> None:
    for number in ("9990000018", "9990000026"):
        assert call(door, "GET", f"/withdrawals?about={number}").status_code == 200
    first, second = entries(door, "audit.read")
    assert first["query_sha256"] == second["query_sha256"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/withdrawals/1", 404),
        (f"/withdrawals/{ID}?_after=x", 400),
        (f"/withdrawals/{ID}?_count=0", 400),
        ("/withdrawals?since=2026", 400),
        ("/withdrawals?about=a&about=b", 400),
    ],
)
def test_what_is_asked_wrongly_is_told_as_any_error(door: House, path: str, status: int) -> None:
    answer = call(door, "GET", path)
    assert answer.status_code == status
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_a_consent_that_takes_sharing_back_links_to_what_became_of_it(door: House) -> None:
    alone = door.post("/Consent", to_register("before-all"))
    assert "Link" not in alone.headers
    own = register(door, to_register("of-now"))
    posted(door, is_delivered=True)
    door.clock.move(minutes=1)
    taken_back = change(door, own, status="inactive")
    link = taken_back.headers["Link"]
    assert link == f'<http://gateway.example/sharing/withdrawals?about={own}>; rel="related"'
    (told,) = call(door, "GET", f"/withdrawals?about={own}").get_json()["entries"]
    assert (told["cause"], told["delivered"]) == ("consent", 1)


@contextmanager
def away(door: House) -> Iterator[None]:
    """Have what an acknowledgement needs not answer; what is withdrawn needs it not."""
    execute(door, "ALTER TABLE withdrawal_delivery RENAME TO elsewhere")
    yield
    execute(door, "ALTER TABLE elsewhere RENAME TO withdrawal_delivery")


def is_told_to_count(answer: Any) -> bool:
    (issue,) = answer.get_json()["issue"]
    told = (answer.status_code, answer.headers["Retry-After"], issue["code"])
    return told == (503, "5", "transient") and "recorded and counts" in issue["diagnostics"]


def test_what_cannot_be_awaited_is_told_to_count_and_the_next_request_awaits_it(
    door: House,
) -> None:
    posted(door, is_delivered=True)
    with away(door):
        assert is_told_to_count(call(door, "POST", f"{OH}/withdraw"))
    assert len(entries(door, "agreement.withdrawn")) == 1
    assert entries(door, "withdrawal.acknowledged") == []
    again = call(door, "POST", f"{OH}/withdraw").get_json()
    assert again["outcome"] == "already"
    assert [each["delivered"] for each in again["withdrawn"]] == [1]
    assert len(entries(door, "agreement.withdrawn")) == 1


def test_a_consent_whose_withdrawal_cannot_be_awaited_is_kept_and_its_repeat_awaits_it(
    door: House,
) -> None:
    own = register(door)
    posted(door, is_delivered=True)
    door.clock.move(minutes=1)
    read = door.get(f"/Consent/{own}")
    tree = read.get_json() | {"status": "inactive"}
    sent = {"If_Match": read.headers["ETag"], "X_Request_Id": ID}
    with away(door):
        assert is_told_to_count(door.put(f"/Consent/{own}", tree, **sent))
    again = door.put(f"/Consent/{own}", tree, **sent)
    assert (again.status_code, again.headers["ETag"]) == (200, 'W/"2"')
    assert [each["delivered"] for each in entries(door, "withdrawal.acknowledged")] == [1]
    assert len(entries(door, "consent.withdrawn")) == 1
