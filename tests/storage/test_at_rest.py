"""No patient stands in the database in clear, and no two practices share a name for one."""

from pathlib import Path

import pytest

from gateway.journey.cosign import Cosigner, cosign
from gateway.journey.opt_outs import load_answer
from gateway.journey.policies import put_in_force
from gateway.journey.publish import publish
from gateway.ledger.entry import TokenRefused
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.referral.outcome import OutcomeKind
from gateway.store import coding, persons
from gateway.store.tables import metadata
from gateway.writeback.learned import CodingEvent, Position, Source
from tests.builders.canary import (
    FREE_TEXT,
    LOCAL_ID,
    NHS_SYSTEM,
    NUMBER,
    canary_message,
    canary_referral,
    traces_in,
)
from tests.builders.database import every_value
from tests.builders.evidence import id_in, take_back, work
from tests.builders.house import House
from tests.builders.messages import OTHER_PRACTICE, PRACTICE, bars_headers
from tests.builders.register import register, to_register, withdraw
from tests.builders.reporting import (
    EMPLOYER,
    TO_EMPLOYER,
    TO_GP,
    choice,
    copies,
    do,
    to_release,
    with_employers,
)
from tests.builders.returning import (
    CODED,
    answer_letter,
    of_employer,
    report,
    say,
    task_of,
    told,
    with_letters,
)
from tests.builders.shared_care import agree, say_room
from tests.builders.signed import SIGNER
from tests.builders.subscribers import subscribed
from tests.builders.witnesses import grow, near, notary_of


def test_nothing_of_a_patient_stands_in_any_column_in_clear(house: House, tmp_path: Path) -> None:
    outcomes_of_the_canary(house)
    accepted = house.post("/ServiceRequest", canary_referral())
    assert accepted.status_code == 201
    assert house.post("/ServiceRequest", canary_referral(consents=[])).status_code == 403
    assert house.post("/$process-message", canary_message(), **bars_headers()).status_code == 200
    work(house)
    assert take_back(house, id_in(accepted.headers["Location"])).status_code == 200
    work(house)
    withdraw(house, register(house, to_register("the-canarys", number=NUMBER)))
    put_in_force(house.gateway)
    load_answer(f"{NUMBER},".encode(), b"", house.clock.now, house.gateway)
    body = {"value": "off"}
    set_to = house.web.put("/sharing/switches/new_agreements", json=body, headers=house.bearer())
    assert set_to.status_code == 200, "which drafts a notice"
    grow(house, by=256)  # a tile is full
    publish(house.gateway, [SIGNER])
    cosign(house.gateway, Cosigner(witness=near(notary_of(house, tmp_path))))
    subscribed(house)
    values = every_value(house)
    assert {place.split(".")[0] for place, _ in values} == set(metadata.tables)
    assert [place for place, raw in values if traces_in(raw.decode("latin-1"))] == []


def outcomes_of_the_canary(house: House) -> None:
    """Have a report about the canary, with codes and copies, come back and go on to its practice."""
    mesh = with_letters(house)
    with_employers(house)
    consents = to_release(TO_EMPLOYER, TO_GP)
    tree = canary_referral(consents=consents) | {"extension": of_employer(is_practice=False)}
    sent = house.post("/ServiceRequest", tree)
    assert sent.status_code == 201, sent.get_data(as_text=True)
    work(house)
    task = task_of(house, id_in(sent.headers["Location"]))
    wanted = told(OutcomeKind.MORE_INFORMATION, statusReason={"text": FREE_TEXT})
    assert say(house, task, **wanted).status_code == 200
    about = {"subject": {"identifier": {"system": NHS_SYSTEM, "value": NUMBER}}}
    parts = [each | about for each in (CODED, choice("fitness", "fit", words=FREE_TEXT))]
    assert say(house, task, **report(*parts, number=NUMBER, named=LOCAL_ID)).status_code == 202
    work(house)
    assert len(mesh.sent) == 1
    answer_letter(house, mesh.sent[0].delivery.id, "20013")
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "offer")
    do(house, copy, "answer", version=1, answer="asks-sight")
    do(house, copy, "shown", version=1)
    do(house, copy, "answer", version=1, answer="attaches-statement", statement=FREE_TEXT)
    agree(house)
    say_room(house)
    with house.gateway.store.transaction(house.clock.now) as tx:
        coding.add(
            tx,
            CodingEvent(
                practice=OdsCode(PRACTICE), seq=1, sender=None, value=Position.OFF,
                source=Source.PRACTICE, at=tx.at, by="operator", expires=None,
            ),
        )  # fmt: skip


def test_one_patient_has_another_handle_at_another_practice(house: House) -> None:
    number = NhsNumber("9990000018")
    with house.gateway.store.transaction(house.clock.now) as tx:
        here = persons.meet(tx, OdsCode(PRACTICE), number)
        there = persons.meet(tx, OdsCode(OTHER_PRACTICE), number)
        again = persons.meet(tx, OdsCode(PRACTICE), number)
    assert here == again
    assert here != there


def test_a_patient_without_a_number_is_nobody_known(house: House) -> None:
    with house.gateway.store.transaction(house.clock.now) as tx:
        handles = {persons.meet(tx, OdsCode(PRACTICE), None) for _ in range(3)}
    assert len(handles) == 3


def test_an_exception_rolls_back_the_act_and_its_entries(house: House) -> None:
    def fall() -> None:
        with house.gateway.store.transaction(house.clock.now) as tx:
            persons.meet(tx, OdsCode(PRACTICE), None)
            tx.record(TokenRefused(actor="unknown", practice=None, code="X"))
            raise RuntimeError

    before = len(every_value(house))
    with pytest.raises(RuntimeError):
        fall()
    assert len(every_value(house)) == before
