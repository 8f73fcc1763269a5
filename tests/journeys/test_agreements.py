"""A practice signs, withdraws, suspends and reinstates; the rules decide what may come into force."""

from datetime import date, timedelta
from typing import Any

import pytest

from gateway.errors import (
    ConsentRefusedError,
    IllegalMoveError,
    InvalidMessageError,
    NotFoundError,
)
from gateway.journey.agreements import agreement_history, agreements_of
from gateway.referral.directory import AgreementKind, AgreementStatus
from gateway.referral.identifiers import AgreementId, OdsCode
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.messages import service_request
from tests.builders.sharing import PRACTICE_ODS, move, set_to, sign

OH = "dsa-one-oh"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What storage can change is in tests/storage/test_sharing.py, on each engine."""


def stands(house: House, name: str = "dsa-eval") -> AgreementStatus | None:
    for each in agreements_of(PRACTICE_ODS, house.gateway):
        if each.id == name:
            return each.agreement.status if each.agreement else None
    return None


def moves(house: House, name: str = "dsa-eval") -> list[str]:
    found = agreement_history(PRACTICE_ODS, house.gateway, agreement=AgreementId(name))
    return [each.move.value for each in found]


def open_sign_up(house: House) -> House:
    set_to(house, "new_agreements", "on")
    return house


def refused(house: House) -> dict[str, Any]:
    return entries(house, "agreement.refused")[-1]


# Signing.


def test_signing_the_same_again_writes_nothing_unless_the_document_is_another(
    house: House,
) -> None:
    open_sign_up(house)
    sign(house, document_sha256="ab" * 32)
    before = entries(house)
    assert sign(house).event is None
    assert sign(house, document_sha256="ab" * 32).event is None
    assert entries(house) == before
    assert sign(house, document_sha256="cd" * 32).event is not None
    assert moves(house) == ["signed", "renewed"]


def test_a_freeze_refuses_what_is_wider_and_leaves_what_is_in_force(house: House) -> None:
    set_to(house, "new_agreements", "off")
    with pytest.raises(ConsentRefusedError):
        sign(house, OH, kind=AgreementKind.MIXED)
    assert refused(house)["change"] == "widened"
    assert stands(house, OH) is AgreementStatus.ACTIVE


def test_an_unchanged_renewal_under_a_freeze_needs_somebody_who_answers_for_it(
    house: House,
) -> None:
    open_sign_up(house)
    sign(house)
    set_to(house, "new_agreements", "off")
    longer = date(2030, 1, 1)
    with pytest.raises(ConsentRefusedError, match="RENEWAL_NEEDS_DECISION") as told:
        sign(house, ends_on=longer)
    assert "confirmed_by" in told.value.remedy
    done = sign(house, ends_on=longer, confirmed_by="the partners")
    assert done.event is not None
    assert done.event.reason == "Confirmed by the partners."
    assert moves(house) == ["signed", "renewed"]


def test_a_confirmation_opens_no_freeze_for_what_is_new(house: House) -> None:
    set_to(house, "new_agreements", "off")
    with pytest.raises(ConsentRefusedError, match="NEW_AGREEMENTS_FROZEN"):
        sign(house, confirmed_by="the partners")


def test_whether_sign_up_is_frozen_must_be_known(house: House) -> None:
    with pytest.raises(ConsentRefusedError, match="FACT_UNKNOWN:R23") as told:
        sign(house)
    assert "new_agreements" in told.value.remedy
    assert refused(house)["rule"] == "R01"


def test_the_freeze_of_the_time_of_effect_counts(house: House) -> None:
    open_sign_up(house)
    freeze_from, later = house.clock.now + timedelta(days=3), house.clock.now + timedelta(days=4)
    set_to(house, "new_agreements", "off", at=freeze_from)
    with pytest.raises(ConsentRefusedError, match="NEW_AGREEMENTS_FROZEN"):
        sign(house, at=later)
    assert sign(house).event is not None


def test_without_an_impact_assessment_an_agreement_is_kept_as_a_proposal(house: House) -> None:
    open_sign_up(house)
    done = sign(house, dpia_ref=None)
    assert done.event is not None
    assert done.objection is not None
    assert done.objection.code == "DPIA_MISSING"
    assert stands(house) is AgreementStatus.PROPOSED
    again = sign(house, dpia_ref=None)
    assert (again.event, again.objection is not None) == (None, True)
    sign(house)
    assert moves(house) == ["proposed", "signed"]


def test_an_agreement_in_force_is_not_set_back_for_want_of_an_impact_assessment(
    house: House,
) -> None:
    open_sign_up(house)
    sign(house)
    with pytest.raises(ConsentRefusedError, match="DPIA_MISSING") as told:
        sign(house, dpia_ref=None)
    assert "dpia_ref" in told.value.remedy
    assert stands(house) is AgreementStatus.ACTIVE


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"counterparty": OdsCode("RX999")}, NotFoundError, "no provider or commissioner RX999"),
        ({"counterparty": None}, InvalidMessageError, "say with whom"),
        ({"name": OH, "counterparty": OdsCode("FX901")}, InvalidMessageError, "under another id"),
        ({"ends_on": date(2020, 1, 1)}, IllegalMoveError, "a later ends_on"),
    ],
    ids=["unknown provider", "nobody", "another organisation", "over already"],
)
def test_what_cannot_be_signed_is_refused_before_anything_is_written(
    house: House, changed: dict[str, Any], error: type[Exception], text: str
) -> None:
    open_sign_up(house)
    before = entries(house)
    with pytest.raises(error, match=text):
        sign(house, **changed)
    assert entries(house) == before


def test_signing_does_not_count_from_the_past(house: House) -> None:
    open_sign_up(house)
    with pytest.raises(IllegalMoveError, match="from now on"):
        sign(house, at=house.clock.now - timedelta(seconds=1))


# Withdrawing, suspending, reinstating.


def test_a_planned_withdrawal_stops_from_its_time_on(house: House) -> None:
    move(house, "withdrawn", OH, at=house.clock.now + timedelta(days=1))
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    house.clock.move(days=1)
    house.tokens.clear()
    assert house.post("/ServiceRequest", service_request()).status_code == 403


def test_a_plan_can_be_brought_forward_and_taken_back(house: House) -> None:
    at = house.clock.now + timedelta(days=3)
    open_sign_up(house)
    sign(house)
    move(house, "withdrawn", at=at)
    move(house, "reinstated", at=at)
    house.clock.move(days=4)
    assert stands(house) is AgreementStatus.ACTIVE
    at = house.clock.now + timedelta(days=3)
    move(house, "withdrawn", at=at)
    move(house, "withdrawn")
    assert stands(house) is AgreementStatus.WITHDRAWN


def test_withdrawing_takes_back_a_plan_to_reinstate(house: House) -> None:
    open_sign_up(house)
    sign(house)
    move(house, "suspended")
    move(house, "reinstated", at=house.clock.now + timedelta(days=3))
    move(house, "withdrawn")
    house.clock.move(days=4)
    assert stands(house) is AgreementStatus.WITHDRAWN


def test_saying_it_twice_writes_nothing(house: House) -> None:
    open_sign_up(house)
    sign(house)
    for to in ("suspended", "withdrawn"):
        assert move(house, to).event is not None
        assert move(house, to).event is None
    assert move(house, "reinstated").event is not None
    assert move(house, "reinstated").event is None


def test_a_withdrawal_may_count_from_the_past(house: House) -> None:
    open_sign_up(house)
    sign(house)
    house.clock.move(days=2)
    move(house, "withdrawn", at=house.clock.now - timedelta(days=1))
    assert stands(house) is AgreementStatus.WITHDRAWN
    with pytest.raises(IllegalMoveError, match="from now on"):
        move(house, "reinstated", at=house.clock.now - timedelta(hours=1))


def test_a_withdrawal_from_before_the_beginning_is_refused(house: House) -> None:
    open_sign_up(house)
    sign(house)
    with pytest.raises(IllegalMoveError, match="it first counts from 2026-11-22"):
        move(house, "withdrawn", at=house.clock.now - timedelta(days=1))


def test_an_agreement_that_there_is_not_cannot_be_moved(house: House) -> None:
    for to in ("withdrawn", "suspended", "reinstated"):
        with pytest.raises(NotFoundError, match="no agreement dsa-none"):
            move(house, to, "dsa-none")
    with pytest.raises(NotFoundError, match="no agreement dsa-none"):
        agreement_history(PRACTICE_ODS, house.gateway, agreement=AgreementId("dsa-none"))
    with pytest.raises(NotFoundError, match="no practice G99999"):
        agreements_of(OdsCode("G99999"), house.gateway)


def test_what_was_withdrawn_cannot_be_suspended(house: House) -> None:
    move(house, "withdrawn", OH)
    with pytest.raises(IllegalMoveError, match="is withdrawn: it can be reinstated, signed"):
        move(house, "suspended", OH)


@pytest.mark.parametrize("stopped", ["suspended", "withdrawn"])
def test_reinstating_is_decided_as_a_renewal(house: House, stopped: str) -> None:
    open_sign_up(house)
    sign(house)
    move(house, stopped)
    set_to(house, "new_agreements", "off")
    with pytest.raises(ConsentRefusedError, match="RENEWAL_NEEDS_DECISION"):
        move(house, "reinstated")
    assert refused(house)["change"] == "renewal"
    assert stands(house) is AgreementStatus(stopped)
    assert move(house, "reinstated", confirmed_by="the partners").event is not None


def test_what_has_no_impact_assessment_is_signed_anew_and_not_reinstated(house: House) -> None:
    open_sign_up(house)
    move(house, "suspended", OH)
    with pytest.raises(ConsentRefusedError, match="DPIA_MISSING"):
        move(house, "reinstated", OH, confirmed_by="the partners")
    sign(house, OH, kind=AgreementKind.DIRECT, purposes=frozenset({"occupational-health"}))
    assert house.post("/ServiceRequest", service_request()).status_code == 201


def test_what_ended_on_its_last_day_is_not_reinstated(house: House) -> None:
    open_sign_up(house)
    sign(house, ends_on=date(2026, 11, 23))
    house.clock.move(days=3)
    assert stands(house) is AgreementStatus.EXPIRED
    with pytest.raises(IllegalMoveError, match="is expired"):
        move(house, "reinstated")
    with pytest.raises(IllegalMoveError, match="a later ends_on"):
        sign(house, ends_on=date(2026, 11, 23))
    assert sign(house, ends_on=date(2027, 11, 23)).event is not None
    assert moves(house) == ["signed", "renewed"]


def test_what_expired_can_still_be_withdrawn(house: House) -> None:
    open_sign_up(house)
    sign(house, ends_on=date(2026, 11, 23))
    house.clock.move(days=3)
    move(house, "withdrawn")
    assert stands(house) is AgreementStatus.WITHDRAWN
