"""A withdrawal stops what waits, waits for what is on its way, and recalls what left."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationUnreachableError,
    NoReplyError,
)
from gateway.journey import withdraw
from gateway.journey.agreements import Wish, change_agreement
from gateway.journey.claim import claim_due
from gateway.journey.deliver import deliver, deliver_next
from gateway.journey.gateway import Acknowledgement, Gateway, Parcel
from gateway.journey.reconcile import reconcile
from gateway.journey.sharing import enter
from gateway.referral.directory import Transport
from gateway.referral.identifiers import AgreementId, ReferralId
from gateway.referral.lifecycle import DeliveryKind, ReferralState
from gateway.referral.sharing import AgreementMove
from gateway.referral.withdrawals import Acknowledged, Standing
from gateway.store import deliveries, referrals
from gateway.store.engine import Transaction
from tests.builders import register as consents
from tests.builders import withdrawn
from tests.builders.evidence import entries
from tests.builders.house import FakeDestination, House
from tests.builders.messages import PROVIDER, service_request
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, move, set_to

OH = "dsa-one-oh"


def posted(house: House) -> ReferralId:
    answer = house.post("/ServiceRequest", service_request())
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return ReferralId(answer.headers["Location"].split("/")[-3])


def state(house: House, referral: ReferralId) -> ReferralState:
    found = reconcile(house.gateway)
    assert found.discrepancies == ()
    with house.gateway.store.reading() as view:
        return referrals.get(view, referral).state


def own(house: House, referral: ReferralId, kind: DeliveryKind = DeliveryKind.REFERRAL) -> Any:
    with house.gateway.store.reading() as view:
        return [d for d in deliveries.of_referral(view, referral) if d.kind is kind]


def work(house: House) -> None:
    while deliver_next("worker", house.gateway):
        pass


def newest(house: House) -> Acknowledged:
    return withdrawn.newest(house.gateway, limit=1)[0]


def standings(house: House) -> list[str]:
    return sorted(each.standing for each in newest(house).covered)


# What waits.


def test_withdrawing_an_agreement_stops_what_waits(house: House) -> None:
    waiting = posted(house)
    move(house, "withdrawn", OH)
    assert standings(house) == [Standing.STOPPED]
    work(house)
    assert house.destination.received == []
    assert state(house, waiting) is ReferralState.CLOSED
    said = entries(house, "withdrawal.acknowledged")[-1]
    assert (said["cause"], said["about"], said["stopped"]) == ("agreement", OH, 1)


def test_reinstating_revives_nothing_that_was_stopped(house: House) -> None:
    waiting = posted(house)
    may_reinstate(house)
    move(house, "withdrawn", OH)
    house.clock.move(minutes=1)
    move(house, "reinstated", OH)
    work(house)
    assert house.destination.received == []
    assert state(house, waiting) is ReferralState.CLOSED
    later = posted(house)
    work(house)
    assert state(house, later) is ReferralState.DELIVERED


def test_a_person_who_takes_consent_back_stops_what_waits_of_theirs_alone(house: House) -> None:
    own_consent = consents.register(house)
    waiting = posted(house)
    house.clock.move(minutes=1)
    consents.withdraw(house, own_consent)
    assert standings(house) == [Standing.STOPPED]
    assert state(house, waiting) is ReferralState.CLOSED


def test_a_switch_stops_nothing_that_it_does_not_name(house: House) -> None:
    waiting = posted(house)
    set_to(house, "secondary_sharing", "off")
    set_to(house, "update_record", "off")
    assert newest(house).covered == ()
    work(house)
    assert state(house, waiting) is ReferralState.DELIVERED


def test_a_provider_whose_assurance_is_taken_back_gets_nothing_more_and_is_told(
    house: House,
) -> None:
    done = posted(house)
    work(house)
    house.clock.move(minutes=1)
    waiting = posted(house)
    first, *rest = house.directory["providers"]
    house.apply(providers=[first | {"assured_until": "2026-11-01"}, *rest])
    withdraw.acknowledge(house.gateway)
    (found,) = withdrawn.newest(house.gateway, limit=9)
    assert (found.withdrawal.cause, found.withdrawal.recipient) == ("assurance", PROVIDER)
    assert sorted(each.standing for each in found.covered) == ["delivered", "stopped"]
    assert state(house, waiting) is ReferralState.CLOSED
    assert state(house, done) is ReferralState.RECALLING


def test_what_is_claimed_but_not_released_is_stopped_and_its_worker_sends_nothing(
    house: House,
) -> None:
    waiting = posted(house)
    (claimed,) = claim_due("worker", house.gateway)
    move(house, "withdrawn", OH)
    deliver(claimed, house.gateway)
    assert house.destination.received == []
    assert standings(house) == [Standing.STOPPED]
    assert state(house, waiting) is ReferralState.CLOSED


# What left.


def test_what_was_delivered_is_recalled_once(house: House) -> None:
    may_reinstate(house)
    done = posted(house)
    work(house)
    house.clock.move(days=3)
    move(house, "withdrawn", OH)
    (covered,) = newest(house).covered
    assert covered.standing is Standing.DELIVERED
    assert covered.recall is not None
    assert state(house, done) is ReferralState.RECALLING
    work(house)
    assert [p.delivery.kind for p in house.destination.received] == ["referral", "recall"]
    house.clock.move(days=1)
    move(house, "reinstated", OH)
    move(house, "withdrawn", OH)
    assert newest(house).covered == ()
    assert len(own(house, done, DeliveryKind.RECALL)) == 1
    assert state(house, done) is ReferralState.CLOSED


def test_what_may_have_arrived_is_unknown_and_recalled(house: House) -> None:
    house.destination.failures.append(NoReplyError("gone"))
    waiting = posted(house)
    assert deliver_next("worker", house.gateway)
    move(house, "withdrawn", OH)
    (covered,) = newest(house).covered
    assert covered.standing is Standing.UNKNOWN
    assert covered.recall is not None
    assert state(house, waiting) is ReferralState.RECALLING
    house.clock.move(minutes=5)
    work(house)
    assert [p.delivery.kind for p in house.destination.received] == ["recall"]
    assert state(house, waiting) is ReferralState.CLOSED


def test_what_was_over_before_for_another_reason_is_not_covered(house: House) -> None:
    done = posted(house)
    work(house)
    move(house, "withdrawn", OH)
    house.clock.move(seconds=1)
    set_to(house, "secondary_sharing", "off")
    assert newest(house).covered == ()
    assert state(house, done) is ReferralState.RECALLING


# What is on its way.


class Slow(FakeDestination):
    """A provider that takes its time over a referral, and then ends as it is told to."""

    def __init__(self, outcome: DeliveryError | None = None) -> None:
        super().__init__()
        self.outcome = outcome
        self.began, self.may_end = threading.Event(), threading.Event()

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if parcel.delivery.kind is DeliveryKind.RECALL:
            return super().send(parcel, deadline=deadline)
        self.began.set()
        assert self.may_end.wait(20)
        if self.outcome is not None:
            raise self.outcome
        return super().send(parcel, deadline=deadline)


@pytest.mark.parametrize(
    ("outcome", "standing", "ends"),
    [
        (None, Standing.DELIVERED, ReferralState.RECALLING),
        (NoReplyError("gone"), Standing.UNKNOWN, ReferralState.RECALLING),
        (DestinationUnreachableError("down"), Standing.STOPPED, ReferralState.CLOSED),
    ],
    ids=["delivered", "no-reply", "never-left"],
)
def test_the_acknowledgement_waits_for_an_attempt_under_way_and_says_how_it_ended(
    house: House, outcome: DeliveryError | None, standing: Standing, ends: ReferralState
) -> None:
    slow = Slow(outcome)
    sending = replace(house.gateway, destinations={Transport.FHIR_REST: slow})
    waiting = posted(house)
    with ThreadPoolExecutor(2) as pool:
        attempt = pool.submit(deliver_next, "worker", sending)
        assert slow.began.wait(20)
        withdrawing = pool.submit(move, house, "withdrawn", OH)
        with pytest.raises(TimeoutError):
            withdrawing.result(timeout=0.3)
        slow.may_end.set()
        assert attempt.result(20)
        withdrawing.result(20)
    assert standings(house) == [standing]
    assert state(house, waiting) is ends
    work(house)
    house.clock.move(days=1)
    work(house)
    assert [p for p in house.destination.received if p.delivery.kind == "referral"] == []


def test_reinstating_while_an_attempt_is_under_way_gives_it_no_other(house: House) -> None:
    slow = Slow(DestinationUnreachableError("down"))
    sending = replace(house.gateway, destinations={Transport.FHIR_REST: slow})
    may_reinstate(house)
    waiting = posted(house)
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(deliver_next, "worker", sending)
        assert slow.began.wait(20)
        with house.gateway.store.transaction(house.clock.now) as tx:
            begin_only(tx, house)
        house.clock.move(seconds=1)
        reinstate_only(house)
        slow.may_end.set()
        assert attempt.result(20)
    house.clock.move(days=1)
    work(house)
    assert house.destination.received == []
    assert state(house, waiting) is ReferralState.CLOSED


def test_an_attempt_whose_worker_is_lost_is_waited_for_no_longer_than_its_lease(
    house: House,
) -> None:
    house.destination.failures.append(KeyboardInterrupt())  # type: ignore[arg-type]  # its end
    waiting = posted(house)
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker", house.gateway)
    move(replace(house, gateway=without_patience(house)), "withdrawn", OH)
    assert standings(house) == [Standing.UNKNOWN]
    assert state(house, waiting) is ReferralState.RECALLING


def test_whoever_begins_a_withdrawal_and_dies_is_relieved_by_a_worker(house: House) -> None:
    done = posted(house)
    work(house)
    with house.gateway.store.transaction(house.clock.now) as tx:
        begin_only(tx, house)
    withdraw.go_on(house.gateway)
    assert newest(house).withdrawal.acknowledged_at is None
    house.clock.move(minutes=1)
    withdraw.go_on(house.gateway)
    assert newest(house).withdrawal.acknowledged_at is not None
    assert standings(house) == [Standing.DELIVERED]
    assert state(house, done) is ReferralState.RECALLING


def test_one_that_takes_effect_later_is_carried_out_then(house: House) -> None:
    done = posted(house)
    work(house)
    move(house, "withdrawn", OH, at=house.clock.now + timedelta(days=2))
    waiting = posted(house)
    withdraw.go_on(house.gateway)
    assert newest(house).withdrawal.acknowledged_at is None
    house.clock.move(days=2, minutes=1)
    withdraw.go_on(house.gateway)
    assert standings(house) == [Standing.DELIVERED, Standing.STOPPED]
    assert state(house, waiting) is ReferralState.CLOSED
    assert state(house, done) is ReferralState.RECALLING


def may_reinstate(house: House) -> None:
    """Let the rules permit that the agreement is brought into force again."""
    assessed = [each | {"dpia_ref": "DPIA-1"} for each in house.directory["agreements"]]
    house.apply(agreements=assessed)
    set_to(house, "new_agreements", "on")


def without_patience(house: House) -> Gateway:
    """A gateway to which any wait is over at the first look."""
    return replace(house.gateway, monotonic=itertools.count(0.0, 1e6).__next__)


def begin_only(tx: Transaction, house: House) -> None:
    """Withdraw as a process does that dies before it has waited."""
    here = enter(tx, PRACTICE_ODS)
    wish = Wish(agreement=AgreementId(OH), move=AgreementMove.WITHDRAWN)
    assert change_agreement(tx, house.gateway, here, wish, OPERATOR).event


def reinstate_only(house: House) -> None:
    """Reinstate while whoever withdrew still waits."""
    with house.gateway.store.transaction(house.clock.now) as tx:
        here = enter(tx, PRACTICE_ODS)
        wish = Wish(agreement=AgreementId(OH), move=AgreementMove.REINSTATED)
        assert change_agreement(tx, house.gateway, here, wish, OPERATOR).event
