"""A provider says what it did when it was asked to stop; the practice and officers see it."""

import json
from typing import Any

import pytest

from gateway.errors import DestinationRefusedError
from gateway.fhir.task import ANSWER_SYSTEM, BUSINESS_STATUS_SYSTEM, GROUND_SYSTEM
from gateway.journey.check_ledger import check_ledger
from gateway.journey.deliver import deliver_next
from gateway.journey.reconcile import reconcile
from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.store import details
from tests.builders.evidence import delivery, entries, id_in, issues, referral, take_back, work
from tests.builders.house import House
from tests.builders.messages import service_request

WORDS = "It is part of the record of an assessment on 3 November"


def recalled(house: House, *, is_brought: bool = True) -> tuple[str, str]:
    """A referral that was brought and taken back; return its id and that of the recall's Task."""
    sent = house.post("/ServiceRequest", service_request())
    own = id_in(sent.headers["Location"])
    work(house)
    take_back(house, own)
    if is_brought:
        work(house)
    return own, recall_task(house)["id"]


def recall_task(house: House, *, client: str = "oh-one") -> Any:
    page = house.get("/Task", client=client).get_json()
    (task,) = [
        each["resource"]
        for each in page["entry"]
        if each["resource"]["code"]["coding"][0]["code"] == "abort"
    ]
    return task


def said(task: Any, answer: str, status: str, ground: str | None = None) -> Any:
    """The Task as read, with an answer."""
    codings = [each for each in task["businessStatus"]["coding"] if each["system"] != ANSWER_SYSTEM]
    told = {"coding": [*codings, {"system": ANSWER_SYSTEM, "code": answer}]}
    changed = task | {"status": status, "businessStatus": told}
    if ground is not None:
        coding = [{"system": GROUND_SYSTEM, "code": ground}]
        changed["statusReason"] = {"coding": coding, "text": WORDS}
    return changed


def answer_with(house: House, task_id: str, *told: str, **headers: str) -> Any:
    """Read a recall's Task and answer it, as a provider's system does."""
    read = house.get(f"/Task/{task_id}", client="oh-one")
    given = {"If_Match": read.headers["ETag"], **headers}
    return house.put(f"/Task/{task_id}", said(read.get_json(), *told), client="oh-one", **given)


def patch(house: House, task_id: str, steps: Any, *, kind: str = "application/json-patch+json",
          **headers: str) -> Any:  # fmt: skip
    etag = house.get(f"/Task/{task_id}", client="oh-one").headers["ETag"]
    sent = {"Content-Type": kind, "If-Match": etag, **house.bearer("oh-one"), **headers}
    body = steps if isinstance(steps, bytes) else json.dumps(steps).encode()
    return house.web.patch(f"/FHIR/R4/Task/{task_id}", data=body, headers=sent)


def how_it_stands(task: Any) -> tuple[str, list[str]]:
    return task["status"], [each["code"] for each in task["businessStatus"]["coding"]]


@pytest.mark.parametrize("answer", ["stopped", "returned"])
def test_a_provider_that_stopped_says_so_and_everybody_sees_it(house: House, answer: str) -> None:
    own, task = recalled(house)
    before = house.get(f"/Task/{task}", client="oh-one")
    house.clock.move(minutes=1)
    kept = answer_with(house, task, answer, "completed")
    assert kept.status_code == 200
    assert how_it_stands(kept.get_json()) == ("completed", ["delivered", answer])
    assert kept.headers["ETag"] != before.headers["ETag"]
    assert kept.get_json()["lastModified"] > before.get_json()["lastModified"]
    assert how_it_stands(recall_task(house, client="gp-one")) == (
        "completed",
        ["delivered", answer],
    )
    (entry,) = entries(house, "recall.acknowledged")
    assert (entry["answer"], entry["actor"], entry["delivery"]) == (answer, "oh-one", task)
    events = house.get("/Task", client="oh-one", _since=3).get_json()["entry"][0]["resource"]
    assert [tag["display"] for tag in events["meta"]["tag"]] == ["answered"]
    assert referral(house, own).state is ReferralState.CLOSED
    assert reconcile(house.gateway).discrepancies == ()
    assert all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))


def test_to_keep_it_is_an_answer_with_a_ground_and_its_words_are_sealed(house: House) -> None:
    _, task = recalled(house)
    kept = answer_with(house, task, "retained", "rejected", "health-record")
    assert kept.status_code == 200
    shown = kept.get_json()
    assert how_it_stands(shown) == ("rejected", ["delivered", "retained"])
    assert shown["statusReason"]["coding"] == [{"system": GROUND_SYSTEM, "code": "health-record"}]
    assert WORDS not in kept.get_data(as_text=True)
    assert WORDS not in json.dumps(entries(house))
    (entry,) = entries(house, "recall.acknowledged")
    with house.gateway.store.reading() as view:
        opened = details.open_detail(view, entry["log"], entry["idx"])
    assert opened is not None
    assert json.loads(opened.detail) == {"ground": "health-record", "words": WORDS}


def test_the_same_answer_again_is_the_same_result_and_no_new_entry(house: House) -> None:
    _, task = recalled(house)
    read = house.get(f"/Task/{task}", client="oh-one")
    tree, etag = said(read.get_json(), "stopped", "completed"), read.headers["ETag"]
    first = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    # Its answer was lost: the client sends exactly the same, with the version that it knew.
    again = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.get_json() == again.get_json()
    assert len(entries(house, "recall.acknowledged")) == 1


def test_another_answer_later_is_a_new_entry_and_takes_its_place(house: House) -> None:
    _, task = recalled(house)
    answer_with(house, task, "retained", "rejected", "other")
    answer_with(house, task, "returned", "completed")
    told = [each["answer"] for each in entries(house, "recall.acknowledged")]
    assert told == ["retained", "returned"]
    shown = recall_task(house)
    assert how_it_stands(shown) == ("completed", ["delivered", "returned"])
    assert "statusReason" not in shown


def test_an_answer_to_an_older_version_is_refused(house: House) -> None:
    _, task = recalled(house)
    read = house.get(f"/Task/{task}", client="oh-one")
    answer_with(house, task, "stopped", "completed")
    late = house.put(
        f"/Task/{task}", said(recall_task(house), "retained", "rejected", "other"),
        client="oh-one", If_Match=read.headers["ETag"],
    )  # fmt: skip
    assert late.status_code == 412
    assert len(entries(house, "recall.acknowledged")) == 1


@pytest.mark.parametrize("etag", ["", "*", "1", 'W/""', 'W/"a b"'])
def test_an_answer_names_the_version_that_was_read(house: House, etag: str) -> None:
    _, task = recalled(house)
    answer = answer_with(house, task, "stopped", "completed", If_Match=etag)
    assert answer.status_code == 400
    assert "If-Match" in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("told", "where"),
    [
        (("stopped", "rejected"), "Task.businessStatus"),
        (("retained", "completed"), "Task.businessStatus"),
        (("stopped", "in-progress"), "Task.businessStatus"),
        (("burnt", "completed"), "Task.businessStatus"),
        (("retained", "rejected"), "Task.statusReason"),
        (("retained", "rejected", "because"), "Task.statusReason"),
    ],
)
def test_an_answer_that_is_not_clear_is_refused_with_how_to_mend_it(
    house: House, told: tuple[str, ...], where: str
) -> None:
    _, task = recalled(house)
    answer = answer_with(house, task, *told)
    assert (answer.status_code, issues(answer)) == (400, [("code-invalid", where)])
    assert entries(house, "recall.acknowledged") == []


def test_nothing_but_the_answer_can_be_changed(house: House) -> None:
    _, task = recalled(house)
    read = house.get(f"/Task/{task}", client="oh-one")
    changed = said(read.get_json(), "stopped", "completed") | {"description": "x"}
    answer = house.put(f"/Task/{task}", changed, client="oh-one", If_Match=read.headers["ETag"])
    assert (answer.status_code, issues(answer)) == (422, [("not-supported", "Task.description")])


def test_a_patch_says_the_same(house: House) -> None:
    _, task = recalled(house)
    where = {"system": BUSINESS_STATUS_SYSTEM, "code": "delivered"}
    done = {"system": ANSWER_SYSTEM, "code": "stopped"}
    answer = patch(
        house,
        task,
        [
            {"op": "test", "path": "/status", "value": "received"},
            {"op": "replace", "path": "/status", "value": "completed"},
            {"op": "replace", "path": "/businessStatus", "value": {"coding": [where, done]}},
        ],
    )
    assert answer.status_code == 200, answer.get_json()
    assert how_it_stands(answer.get_json()) == ("completed", ["delivered", "stopped"])


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"[]", 400),
        (b"[1]", 400),
        (b'[{}],"more":1', 400),
        ([{"op": "replace", "path": "/owner", "value": {}}], 422),
        ([{"op": "move", "path": "/status", "from": "/intent"}], 422),
        ([{"op": "replace", "path": "/businessStatus/coding/0", "value": {}}], 422),
        ([{"op": "test", "path": "/status", "value": "requested"}], 412),
        ([{"op": "remove", "path": "/status"}], 400),
        ([{"op": "replace", "path": "/status", "value": 7}], 400),
        ([{"op": "add", "path": "/status"}], 400),
        ([{"op": "replace", "path": "/status", "value": "completed"}], 400),
    ],
)
def test_a_patch_that_cannot_be_carried_out_changes_nothing(
    house: House, steps: Any, status: int
) -> None:
    _, task = recalled(house)
    assert patch(house, task, steps).status_code == status
    assert how_it_stands(recall_task(house)) == ("received", ["delivered"])


def test_a_patch_of_another_kind_is_refused(house: House) -> None:
    _, task = recalled(house)
    answer = patch(house, task, [], kind="application/fhir+json")
    assert answer.status_code == 415


def test_only_the_provider_that_was_asked_may_answer(house: House) -> None:
    own, task = recalled(house)
    read = house.get(f"/Task/{task}")  # the practice sees it
    told = said(read.get_json(), "stopped", "completed")
    for client in ("gp-one", "gp-two"):
        answer = house.put(f"/Task/{task}", told, client=client, If_Match=read.headers["ETag"])
        assert answer.status_code == 404, client
    assert house.put(f"/Task/{own}", told, client="oh-one", If_Match='"1"').status_code == 404
    assert entries(house, "recall.acknowledged") == []


def test_an_answer_before_our_own_word_was_brought_leaves_that_to_its_worker(house: House) -> None:
    own, task = recalled(house, is_brought=False)
    house.destination.failures.append(KeyboardInterrupt())  # type: ignore[arg-type]  # it is out now
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker", house.gateway)
    before = delivery(house, task)
    assert before.state is DeliveryState.IN_FLIGHT
    assert answer_with(house, task, "stopped", "completed").status_code == 200
    after = delivery(house, task)
    assert (after.state, after.version) == (before.state, before.version)
    assert how_it_stands(recall_task(house)) == ("completed", ["in-flight", "stopped"])
    house.clock.move(minutes=1)
    work(house)
    assert how_it_stands(recall_task(house)) == ("completed", ["delivered", "stopped"])
    assert referral(house, own).state is ReferralState.CLOSED
    assert reconcile(house.gateway).discrepancies == ()


def test_an_answer_ends_the_hold_of_a_recall_that_could_not_be_brought(house: House) -> None:
    own, task = recalled(house, is_brought=False)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    assert referral(house, own).state is ReferralState.HELD
    assert answer_with(house, task, "returned", "completed").status_code == 200
    assert how_it_stands(recall_task(house)) == ("completed", ["refused", "returned"])
    assert referral(house, own).state is ReferralState.CLOSED
    assert reconcile(house.gateway).discrepancies == ()
