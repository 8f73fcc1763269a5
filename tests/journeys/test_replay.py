"""A held referral, decided again at an operator's order."""

import pytest

from gateway.errors import (
    DamagedRecordError,
    DestinationRefusedError,
    IllegalMoveError,
    NoReplyError,
    NotFoundError,
)
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.identifiers import ReferralReference
from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.referral.model import Referral
from tests.builders.evidence import (
    entries,
    execute,
    kinds,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import House
from tests.builders.messages import service_request


def accepting(house: House, *, yes: bool) -> None:
    first, *rest = house.directory["services"]
    house.apply(services=[first | {"accepting": yes}, *rest])


@pytest.fixture
def held(house: House) -> House:
    """A house with one referral that waits for capacity."""
    accepting(house, yes=False)
    assert house.post("/ServiceRequest", service_request()).status_code == 202
    return house


@pytest.fixture
def refused(house: House) -> House:
    """A house with one referral that its provider refused."""
    house.post("/ServiceRequest", service_request())
    house.destination.failures.append(DestinationRefusedError("no", status=422))
    work(house)
    assert the_referral(house).state is ReferralState.HELD
    return house


def replay(house: House) -> Referral:
    return replay_referral(the_referral(house).reference, house.gateway)


def in_order(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == ()


def test_a_hold_whose_reason_is_gone_is_resolved_and_the_referral_delivered(held: House) -> None:
    accepting(held, yes=True)
    assert replay(held).state is ReferralState.QUEUED
    assert kinds(held)[-3:] == ["decision.made", "hold.resolved", "delivery.queued"]
    assert entries(held, "hold.resolved")[0]["resolution"] == "DECIDED.PERMIT"
    assert work(held) == 1
    assert the_referral(held).state is ReferralState.DELIVERED
    assert in_order(held)


def test_a_hold_whose_reason_stands_is_held_anew(held: House) -> None:
    held.clock.move(days=3)
    assert reconcile(held.gateway).overdue_holds == 1
    again = replay(held)
    assert again.hold is not None
    assert again.hold.code == "RECIPIENT_NO_CAPACITY"
    assert reconcile(held.gateway).overdue_holds == 0
    assert kinds(held)[-3:] == ["decision.made", "hold.resolved", "hold.opened"]
    assert in_order(held)


def test_a_replay_that_the_rules_deny_closes_the_referral(held: House) -> None:
    held.apply(agreements=[held.directory["agreements"][0] | {"status": "withdrawn"}])
    assert replay(held).closed_because == "AGREEMENT_NOT_IN_FORCE"
    assert kinds(held)[-3:] == ["decision.made", "hold.resolved", "referral.closed"]
    assert in_order(held)


def test_a_replay_after_a_refusal_uses_the_same_delivery_and_key(refused: House) -> None:
    before = the_delivery(refused)
    replay(refused)
    again = the_delivery(refused)
    assert (again.id, again.state, again.reason) == (before.id, DeliveryState.QUEUED, None)
    assert kinds(refused)[-3:] == ["decision.made", "hold.resolved", "delivery.replayed"]
    assert work(refused) == 1
    assert the_referral(refused).state is ReferralState.DELIVERED
    assert in_order(refused)


def test_a_replayed_delivery_has_its_whole_horizon_again(refused: House) -> None:
    refused.clock.move(days=6)
    replay(refused)
    refused.destination.failures.append(NoReplyError("gone"))
    work(refused)
    assert the_delivery(refused).state is DeliveryState.QUEUED


def test_a_referral_that_is_not_held_is_not_replayed(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    before = kinds(house)
    with pytest.raises(IllegalMoveError, match="queued, not held"):
        replay(house)
    assert kinds(house) == before


def test_a_reference_that_nobody_has_is_not_found(house: House) -> None:
    with pytest.raises(NotFoundError):
        replay_referral(ReferralReference("RG-0000-0000"), house.gateway)


def test_a_replay_of_another_message_than_was_received_holds(held: House) -> None:
    accepting(held, yes=True)
    execute(held, "UPDATE referral SET body_sha256 = :other", other="0" * 64)
    again = replay(held)
    assert again.hold is not None
    assert again.hold.code == "PAYLOAD_CHANGED"


def test_a_replay_of_a_damaged_message_changes_nothing(held: House) -> None:
    before = kinds(held)
    execute(held, "UPDATE referral SET sealed_body = wrapped_key")
    with pytest.raises(DamagedRecordError):
        replay(held)
    assert kinds(held) == before
