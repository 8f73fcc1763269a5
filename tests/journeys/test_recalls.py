"""A recall waits for its answer: whoever is late is on record, once, and a call may end it."""

import logging
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.errors import DestinationRefusedError, IllegalMoveError, NotFoundError
from gateway.journey.answer_recall import Said
from gateway.journey.recalls import answer, chase, list_open
from gateway.journey.reconcile import reconcile
from gateway.referral.identifiers import DeliveryId
from gateway.referral.lifecycle import ReferralState
from gateway.referral.withdrawals import Ground, Recall, RecallAnswer
from gateway.store import recalls
from tests.builders.evidence import entries, execute, id_in, referral, take_back, work
from tests.builders.house import House
from tests.builders.messages import PROVIDER, service_request

STOPPED = Said(answer=RecallAnswer.STOPPED)
RETAINED = Said(answer=RecallAnswer.RETAINED, ground=Ground.LEGAL_OBLIGATION)
NOBODY = DeliveryId("11111111-1111-4111-8111-111111111111")


def recalled(house: House) -> str:
    """Have a referral delivered and taken back; its recall waits to be brought."""
    sent = house.post("/ServiceRequest", service_request())
    own = id_in(sent.headers["Location"])
    work(house)
    assert take_back(house, own).status_code == 200
    return own


def the_recall(house: House) -> Recall:
    with house.gateway.store.reading() as view:
        (only,) = recalls.unanswered(view, limit=9)
    return only


def found(house: House, recall: Recall) -> Recall:
    with house.gateway.store.reading() as view:
        now = recalls.find(view, recall.id)
    assert now is not None
    return now


def is_in_order(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == ()


def test_an_answer_that_is_late_is_on_record_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    recalled(house)
    work(house)
    recall = the_recall(house)
    chase(house.gateway)
    house.clock.now = recall.due
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            chase(house.gateway)
    (said,) = entries(house, "recall.overdue")
    assert (said["delivery"], said["recipient"], said["actor"]) == (recall.id, PROVIDER, "gateway")
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert "1 recalls were not answered in time" in caplog.text
    assert found(house, recall).overdue_at == recall.due
    assert reconcile(house.gateway).overdue_recalls == 1
    assert is_in_order(house)


def test_two_workers_that_see_the_same_late_answer_make_one_entry(house: House) -> None:
    recalled(house)
    work(house)
    house.clock.now = the_recall(house).due
    looks = iter(range(9))

    def clock() -> datetime:
        if next(looks) == 1:  # it has read what is late, and is about to note it
            chase(house.gateway)
        return house.clock.now

    chase(replace(house.gateway, clock=clock))
    assert next(looks) == 2
    assert len(entries(house, "recall.overdue")) == 1
    assert is_in_order(house)


def test_one_that_was_answered_in_time_is_never_late(house: House) -> None:
    recalled(house)
    work(house)
    recall = the_recall(house)
    answer(house.gateway, recall.id, STOPPED, actor="operator")
    house.clock.now = recall.due
    chase(house.gateway)
    assert entries(house, "recall.overdue") == []
    assert reconcile(house.gateway).overdue_recalls == 0


def test_one_that_could_not_be_brought_is_late_all_the_same(house: House) -> None:
    own = recalled(house)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    assert referral(house, own).state is ReferralState.HELD
    recall = the_recall(house)
    house.clock.now = recall.due
    chase(house.gateway)
    assert len(entries(house, "recall.overdue")) == 1
    assert is_in_order(house)


def test_what_a_provider_said_on_the_telephone_is_kept_and_on_record(house: House) -> None:
    recalled(house)
    work(house)
    recall = the_recall(house)
    done = answer(house.gateway, recall.id, RETAINED, actor="operator")
    assert (done.recall.answer, done.recall.ground) == (RETAINED.answer, RETAINED.ground)
    assert done.recall.answered_at == house.clock.now
    (said,) = entries(house, "recall.acknowledged")
    assert (said["answer"], said["actor"], said["recipient"]) == ("retained", "operator", PROVIDER)
    with pytest.raises(IllegalMoveError):
        answer(house.gateway, recall.id, RETAINED, actor="operator")
    house.clock.move(minutes=1)
    answer(house.gateway, recall.id, STOPPED, actor="operator")
    assert len(entries(house, "recall.acknowledged")) == 2
    assert found(house, recall).ground is None
    assert is_in_order(house)


def test_an_answer_after_all_ends_what_was_held_because_the_recall_was_not_brought(
    house: House,
) -> None:
    own = recalled(house)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    recall = the_recall(house)
    answer(house.gateway, recall.id, STOPPED, actor="operator")
    ended = referral(house, own)
    assert (ended.state, ended.hold) == (ReferralState.CLOSED, None)
    (resolved,) = entries(house, "hold.resolved")
    assert (resolved["resolution"], resolved["delivery"]) == ("RECALL_ANSWERED", recall.id)
    assert is_in_order(house)


def test_an_answer_ends_no_hold_that_another_cause_has(house: House) -> None:
    own = recalled(house)
    work(house)
    execute(
        house,
        "UPDATE referral SET state = 'held', closed_because = NULL, hold_code = 'X',"
        " hold_text = 'x', hold_remedy = 'x', hold_owner = 'operator', hold_due = updated_at",
    )
    answer(house.gateway, the_recall(house).id, STOPPED, actor="operator")
    assert referral(house, own).state is ReferralState.HELD


def test_an_answer_leaves_a_recall_that_is_on_its_way_to_its_worker(house: House) -> None:
    own = recalled(house)
    answer(house.gateway, the_recall(house).id, STOPPED, actor="operator")
    assert referral(house, own).state is ReferralState.RECALLING
    work(house)
    assert [each.delivery.kind for each in house.destination.received] == ["referral", "recall"]
    assert referral(house, own).state is ReferralState.CLOSED
    assert is_in_order(house)


def test_the_list_shows_what_waits_and_that_it_was_read_is_on_record(house: House) -> None:
    recalled(house)
    house.clock.move(minutes=5)
    recalled(house)
    work(house)
    waiting = list_open(house.gateway, actor="officer", overdue=False)
    assert len(waiting) == 2
    assert waiting[0].recall.due < waiting[1].recall.due
    house.clock.now = waiting[0].recall.due
    (late,) = list_open(house.gateway, actor="officer", overdue=True)
    assert late.recall.id == waiting[0].recall.id
    assert [(each["actor"], each["size"]) for each in entries(house, "audit.read")] == [
        ("officer", 2),
        ("officer", 1),
    ]


def test_there_is_no_answer_to_what_is_no_recall(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    with pytest.raises(NotFoundError):
        answer(house.gateway, NOBODY, STOPPED, actor="operator")
    assert entries(house, "recall.acknowledged") == []
