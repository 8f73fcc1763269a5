"""A house in which everything has happened that a row and an entry are written for."""

import itertools
from pathlib import Path

import pytest

from gateway.errors import DestinationRefusedError
from gateway.journey.answer_recall import Said
from gateway.journey.cosign import Cosigner, cosign
from gateway.journey.deliver import deliver_next
from gateway.journey.notices import notices_of, record_acknowledged, record_sent
from gateway.journey.policies import put_in_force
from gateway.journey.publish import publish
from gateway.journey.recalls import answer, chase, list_open
from gateway.journey.replay import replay_referral
from gateway.referral.lifecycle import ReferralState
from gateway.referral.model import Referral
from gateway.referral.withdrawals import Ground, RecallAnswer
from tests.builders.evidence import id_in, referral, take_back, work
from tests.builders.house import House
from tests.builders.messages import consent, patient, service_request
from tests.builders.register import change, register, to_register, withdraw
from tests.builders.sharing import PRACTICE_ODS, move, set_to, sign
from tests.builders.signed import NEXT_SIGNER, SIGNER
from tests.builders.witnesses import near, notary_of

States = dict[ReferralState, Referral]
ANOTHER = "9990000026"
"""A person who takes nothing back."""


def one_in_each_state(house: House) -> States:
    """Send one referral into each state; return them as they were when they came."""
    ending = consent()
    ending["provision"]["period"] = {"end": "2026-11-22T09:05:00Z"}

    def send(*consents: dict[str, object]) -> Referral:
        tree = service_request(consents=list(consents) or None)
        answer = house.post("/ServiceRequest", tree)
        return referral(house, id_in(answer.headers["Location"]))

    at = {ReferralState.CLOSED: send(ending)}
    house.clock.move(minutes=6)
    work(house)
    at[ReferralState.DELIVERED] = send()
    work(house)
    at[ReferralState.HELD] = send()
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    at[ReferralState.IN_FLIGHT] = send()
    house.destination.failures.append(KeyboardInterrupt())  # type: ignore[arg-type]  # a worker's end
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker", house.gateway)
    at[ReferralState.RECALLING] = send()
    work(house)
    take_back(house, at[ReferralState.RECALLING].id)
    at[ReferralState.QUEUED] = send()
    return at


def live_through_everything(house: House, folder: Path) -> None:
    """Do all that is recorded, to a house that is new; `folder` is for a witness.

    Its seconds go by as they are asked for: a withdrawal waits for the lease of a worker that ended.
    """
    object.__setattr__(house.gateway, "monotonic", itertools.count(0.0, 1.0).__next__)
    put_in_force(house.gateway)
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 403
    house.destination.failures.append(DestinationRefusedError("no"))
    sent = house.post("/ServiceRequest", service_request())
    work(house)
    again = referral(house, id_in(sent.headers["Location"]))
    replay_referral(again.reference, house.gateway)
    work(house)
    _stop_one(house)
    house.post("/ServiceRequest", service_request(person=patient(ANOTHER)))
    work(house)
    one_in_each_state(house)
    _register(house)
    _share(house)
    _recall(house)
    house.clock.move(minutes=1)
    publish(house.gateway, [SIGNER])
    house.post("/ServiceRequest", service_request())
    work(house)
    publish(house.gateway, [NEXT_SIGNER, SIGNER])
    cosign(house.gateway, Cosigner(witness=near(notary_of(house, folder))))


def _stop_one(house: House) -> None:
    """Take a referral back before it has left."""
    sent = house.post("/ServiceRequest", service_request())
    assert take_back(house, id_in(sent.headers["Location"])).status_code == 200


def _register(house: House) -> None:
    kept = register(house, to_register("kept"))
    changed = change(house, kept, dateTime="2026-11-20T09:00:00Z")
    assert changed.status_code == 200
    withdraw(house, register(house, to_register("taken-back")))
    wrong = register(house, to_register("wrong", number="9990000018"))
    assert change(house, wrong, status="entered-in-error").status_code == 200


def _recall(house: House) -> None:
    """Bring the recalls of what was delivered: to one there is an answer, the others are late."""
    work(house)
    retained = Said(answer=RecallAnswer.RETAINED, ground=Ground.HEALTH_RECORD)
    first = list_open(house.gateway, actor="operator", overdue=False)[0]
    answer(house.gateway, first.recall.id, retained, actor="operator")
    house.clock.move(days=3)
    house.tokens.clear()
    chase(house.gateway)


def _share(house: House) -> None:
    set_to(house, "new_agreements", "on")
    sign(house)
    move(house, "suspended")
    move(house, "reinstated")
    move(house, "withdrawn")
    set_to(house, "secondary_sharing", "off")
    for notice in notices_of(PRACTICE_ODS, house.gateway):
        if notice.sent_at is None and notice.reinstated_at is None:
            record_sent(notice.id, house.gateway, actor="operator")
            record_acknowledged(notice.id, house.gateway, actor="operator")
    house.clock.move(days=1)
    house.tokens.clear()
    set_to(house, "secondary_sharing", "on")
