"""National data opt-outs: asked for those whom they concern, kept, and unknown when old."""

from datetime import timedelta

import pytest

from gateway.consent.decide import Effect
from gateway.errors import OptOutListError
from gateway.journey.explain import explain_referral, moment_of
from gateway.journey.opt_outs import list_to_ask, load_answer
from gateway.mapping.opt_out_list import read_list
from gateway.referral.identifiers import NhsNumber
from tests.builders.evidence import entries, the_referral
from tests.builders.house import House
from tests.builders.messages import service_request

ASKED = b"9990000018,\n"
NOBODY_LEFT = b""


@pytest.fixture
def held(house: House) -> House:
    """A house with a service whose purpose is planning, and a referral that waits for it."""
    first, *rest = house.directory["services"]
    offers = [{"use_case": "oh-referral", "purpose": "planning", "codes": ["306152009"]}]
    purposes = ["occupational-health", "planning"]
    here, *others = house.directory["practices"]
    house.apply(
        services=[first | {"offers": offers}, *rest],
        agreements=[
            house.directory["agreements"][0]
            | {"purposes": purposes, "confidentiality_basis": "s251"}
        ],
        practices=[here | {"switches": {"secondary_sharing": "on"}}, *others],
    )
    assert house.post("/ServiceRequest", service_request()).status_code == 202
    return house


def outcome(house: House) -> tuple[Effect, set[str]]:
    moment = moment_of(None, house.gateway, as_known_then=False)
    verdict = explain_referral(the_referral(house).reference, house.gateway, moment).verdict
    return verdict.effect, {reason.code for reason in verdict.reasons}


def test_an_opt_out_that_nobody_asked_about_is_unknown(held: House) -> None:
    assert "FACT_UNKNOWN:R37" in outcome(held)[1]


def test_the_list_to_ask_names_those_whose_referral_waits_for_it(held: House) -> None:
    assert list_to_ask(held.gateway) == ASKED


def test_whoever_is_missing_from_the_answer_has_opted_out(held: House) -> None:
    assert load_answer(ASKED, NOBODY_LEFT, held.clock.now, held.gateway) == 1
    effect, codes = outcome(held)
    assert (effect, "NATIONAL_DATA_OPT_OUT" in codes) == (Effect.DENY, True)


def test_whoever_is_in_the_answer_has_not(held: House) -> None:
    load_answer(ASKED, ASKED, held.clock.now, held.gateway)
    codes = outcome(held)[1]
    assert not {"NATIONAL_DATA_OPT_OUT", "FACT_UNKNOWN:R37"} & codes
    assert list_to_ask(held.gateway) == b""


def test_an_answer_is_asked_for_again_before_it_is_too_old_and_then_unknown(held: House) -> None:
    load_answer(ASKED, ASKED, held.clock.now, held.gateway)
    held.clock.move(seconds=held.gateway.opt_out_age.total_seconds())
    assert list_to_ask(held.gateway) == ASKED
    assert "FACT_UNKNOWN:R37" not in outcome(held)[1]
    held.clock.move(seconds=1)
    assert "FACT_UNKNOWN:R37" in outcome(held)[1]


def test_a_later_answer_is_not_overwritten_by_an_earlier_one(held: House) -> None:
    load_answer(ASKED, NOBODY_LEFT, held.clock.now, held.gateway)
    earlier = held.clock.now - timedelta(hours=1)
    assert load_answer(ASKED, ASKED, earlier, held.gateway) == 0
    assert "NATIONAL_DATA_OPT_OUT" in outcome(held)[1]


def test_the_load_is_an_entry_without_anybody_in_it(held: House) -> None:
    load_answer(ASKED, ASKED, held.clock.now, held.gateway)
    (entry,) = entries(held, "optout.loaded")
    assert entry["detail"].keys() == {"as_of", "size"}


@pytest.mark.parametrize(
    ("asked", "returned", "fault"),
    [
        (b"9990000018,\nabc\n", b"", "line 2 is no NHS number"),
        (b"9990000019,\n", b"", "line 1 is no NHS number"),
        (ASKED, b"9990548609,\n", "belongs to another list"),
    ],
    ids=["words", "check digit", "another list"],
)
def test_a_damaged_answer_changes_nothing(
    held: House, asked: bytes, returned: bytes, fault: str
) -> None:
    with pytest.raises(OptOutListError, match=fault):
        load_answer(asked, returned, held.clock.now, held.gateway)
    assert entries(held, "optout.loaded") == []


def test_an_answer_of_tomorrow_is_refused(held: House) -> None:
    with pytest.raises(OptOutListError, match="future"):
        load_answer(ASKED, ASKED, held.clock.now + timedelta(days=1), held.gateway)


def test_a_list_may_end_its_lines_with_commas_or_not() -> None:
    assert read_list(b"9990000018\r\n\n999 054 8609,\n") == {
        NhsNumber("9990000018"),
        NhsNumber("9990548609"),
    }
