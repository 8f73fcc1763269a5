"""Closing the loop: what a practice sees of its referrals, by poll and by subscription."""

from typing import Any

import pytest

from gateway.journey.check_ledger import check_ledger
from gateway.journey.reconcile import reconcile
from gateway.referral.identifiers import OWN_BASE, REFERENCE_SYSTEM
from gateway.referral.outcome import OutcomeKind
from gateway.referral.reminder import ReminderCode
from gateway.store import reminders
from tests.builders.evidence import entries, id_in, referral, work
from tests.builders.house import House
from tests.builders.messages import consent, patient, service_request
from tests.builders.returning import (
    answer_letter,
    brought,
    of_employer,
    report,
    say,
    told,
    with_letters,
)
from tests.builders.subscribers import FakePost, a_subscription, let_out, said, tell_all

TASK = {"system": f"{OWN_BASE}/CodeSystem/task-kind", "code": "letter"}


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        each.ok for each in check_ledger(house.gateway, lambda _rows: None)
    )


def listed(house: House, since: int = 0, client: str = "gp-one") -> tuple[list[Any], int]:
    """The Tasks of a page of the caller's own list, and the number at which it ends."""
    page = house.get("/Task", client=client, _since=str(since)).get_json()
    tags = {each["system"].rpartition("/")[2]: each["code"] for each in page["meta"]["tag"]}
    tasks = [each["resource"] for each in page.get("entry", ())]
    return tasks, int(tags["feed-position"])


def waiting(house: House, own: str) -> list[Any]:
    with house.gateway.store.reading() as view:
        return [each for each in reminders.of_referral(view, own) if each.is_open]  # type: ignore[arg-type]


def letter_task(house: House) -> Any:
    page = house.get("/Task").get_json()
    (task,) = [
        each["resource"] for each in page["entry"] if TASK in each["resource"]["code"]["coding"]
    ]
    return task


def test_a_practice_has_its_own_list_of_what_happened(house: House) -> None:
    _, task = brought(house)
    tasks, position = listed(house)
    assert [each["id"] for each in tasks] == [task]
    assert tasks[0]["status"] == "received"
    say(house, task, **told(OutcomeKind.ACCEPTED))
    tasks, later = listed(house, position)
    assert [(each["id"], each["status"]) for each in tasks] == [(task, "accepted")]
    assert listed(house, later) == ([], later)
    assert listed(house, client="gp-two")[0] == []


def test_what_is_held_or_stays_here_is_no_event_of_the_practice(house: House) -> None:
    with_letters(house)
    _, task = brought(house)
    _, position = listed(house)
    draft = report()["contained"]
    draft[0]["docStatus"] = "preliminary"
    assert say(house, task, **report(contained=draft)).status_code == 202
    assert listed(house, position) == ([], position)


def test_a_practice_is_told_by_its_subscription(house: House) -> None:
    let_out(house)
    made = house.post("/Subscription", a_subscription("https://gp.example/told"))
    assert made.status_code == 201, made.get_data(as_text=True)
    post = FakePost()
    tell_all(house, post)
    post.letters.clear()
    _, task = brought(house)
    say(house, task, **told(OutcomeKind.DID_NOT_ATTEND))
    tell_all(house, post)
    events = [each for letter in post.letters for each in said(letter)["events"]]
    assert [number for number, _ in events] == [1, 2]
    assert {focus.rpartition("/")[2] for _, focus in events} == {task}


def test_a_letter_is_shown_for_what_anybody_said_of_it_and_no_more(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    say(house, task, **report())
    seen = []

    def look() -> None:
        shown = letter_task(house)
        state = shown["businessStatus"]["coding"][0]
        assert state["system"].endswith("/letter-state")
        seen.append((shown["status"], state["code"]))

    look()
    work(house)
    look()
    for code in ("20013", "30001"):
        answer_letter(house, mesh.sent[0].delivery.id, code)
        look()
    assert seen == [
        ("requested", "waits"),
        ("requested", "sent"),
        ("received", "read-by-system"),
        ("accepted", "in-workflow"),
    ]
    shown = letter_task(house)
    document = house.get(f"/{shown['focus']['reference']}").get_json()
    assert document["context"]["related"][0]["reference"] == f"ServiceRequest/{own}"
    etag = house.get(f"/Task/{shown['id']}").headers["ETag"]
    answer = house.put(f"/Task/{shown['id']}", shown, client="gp-one", If_Match=etag)
    assert answer.status_code in (403, 404)


@pytest.mark.parametrize("by", ["id", "reference"])
def test_a_reply_to_what_a_provider_wants_to_know_is_a_referral_that_names_the_first(
    house: House, by: str
) -> None:
    own, task = brought(house)
    say(house, task, **told(OutcomeKind.MORE_INFORMATION))
    assert [each.code for each in waiting(house, own)] == [ReminderCode.INFORMATION_WANTED]
    named = {
        "id": {"reference": f"ServiceRequest/{own}"},
        "reference": {
            "identifier": {"system": REFERENCE_SYSTEM, "value": referral(house, own).reference}
        },
    }
    tree = service_request(basedOn=[named[by]], extension=of_employer(is_practice=False))
    sent = house.post("/ServiceRequest", tree)
    assert sent.status_code == 201, sent.get_data(as_text=True)
    assert waiting(house, own) == []
    (closed,) = entries(house, "reminder.closed")
    assert (closed["referral"], closed["resolution"]) == (own, "REPLIED")
    work(house)
    reply = house.get(f"/ServiceRequest/{id_in(sent.headers['Location'])}", client="oh-one")
    assert reply.get_json()["basedOn"] == [named[by]]
    assert is_sound(house)


def test_nobody_replies_for_another_person_or_practice(house: House) -> None:
    own, task = brought(house)
    say(house, task, **told(OutcomeKind.MORE_INFORMATION))
    based = [{"reference": f"ServiceRequest/{own}"}]
    other = service_request(basedOn=based, person=patient("9990000026"))
    assert house.post("/ServiceRequest", other).status_code in (201, 202)
    refused = service_request(basedOn=based, consents=[])
    assert house.post("/ServiceRequest", refused).status_code == 403
    held = service_request(basedOn=based, consents=[consent(recipient="RX999")])
    assert house.post("/ServiceRequest", held).status_code == 202
    assert len(waiting(house, own)) == 1
