import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.consent.decide import Effect, decide
from gateway.consent.facts import VOCABULARY
from gateway.consent.rules import POLICY
from gateway.consent.vocabulary import GOOD_REFERRAL, read_facts
from gateway.writeback.shared_care import (
    CAPACITY_HOLDS_FOR,
    NO_AGREEMENT,
    PROPOSAL,
    CapacityWord,
    Party,
    PracticeDecision,
    Resourcing,
    Responsibility,
    SharedCareAgreement,
    SharedCareRequest,
    SharedWork,
    SpecialistSupport,
    facts_of_shared_care,
    return_to_provider,
)

CASES = Path(__file__).parents[2] / "vectors" / "consent" / "cases.json"
CASE = {case["name"]: case for case in json.loads(CASES.read_bytes())["cases"]}
TODAY = date(2026, 3, 2)
BEGINS = date(2026, 4, 1)
ASKED = SharedCareRequest(work=SharedWork.PRESCRIBE, begins_on=BEGINS)
SUPPORT = SpecialistSupport(contact="the clinic's advice line", confirmed_on=date(2026, 2, 1))
PRESCRIBES = Responsibility(SharedWork.PRESCRIBE, Party.PRACTICE)
FORMAL = SharedCareAgreement(
    was_read_whole=True,
    responsibilities=(
        PRESCRIBES,
        Responsibility(SharedWork.MONITOR, Party.SPECIALIST),
    ),
    support=SUPPORT,
    resourcing=Resourcing(funder="the ICB", works=frozenset({SharedWork.PRESCRIBE})),
    starts_on=date(2026, 3, 15),
    decision=PracticeDecision.ACCEPTED,
)
HAS_ROOM = CapacityWord(has_capacity=True, said_on=TODAY)
FULL = CapacityWord(has_capacity=False, said_on=TODAY)
NO_DAY = replace(ASKED, begins_on=None)


def facts(
    agreement: SharedCareAgreement | None,
    asked: SharedCareRequest = ASKED,
    capacity: CapacityWord | None = HAS_ROOM,
    today: date = TODAY,
) -> list[object]:
    """Formal, resourced, supported, capacity."""
    found = facts_of_shared_care(asked, agreement, capacity, today=today)
    return [found[name] for name in ("sc_formal", "sc_resourced", "sc_support", "sc_capacity")]


@pytest.mark.parametrize(
    ("agreement", "asked", "found"),
    [
        (FORMAL, ASKED, [True, True, True]),
        (NO_AGREEMENT, ASKED, [False, False, False]),
        (None, ASKED, [None, None, None]),
        (replace(FORMAL, responsibilities=None), ASKED, [False, True, True]),
        (replace(FORMAL, responsibilities=()), ASKED, [False, True, True]),
        (replace(FORMAL, responsibilities=(PRESCRIBES,)), ASKED, [False, True, True]),
        (FORMAL, replace(ASKED, work=SharedWork.MONITOR), [False, False, True]),
        (FORMAL, replace(ASKED, work=SharedWork.DO_WORK), [False, False, True]),
        (replace(FORMAL, starts_on=None), ASKED, [False, True, True]),
        (FORMAL, replace(ASKED, begins_on=date(2026, 3, 14)), [False, True, True]),
        (FORMAL, replace(ASKED, begins_on=date(2026, 3, 15)), [True, True, True]),
        (FORMAL, NO_DAY, [None, True, True]),
        (replace(FORMAL, ends_on=date(2026, 3, 31)), ASKED, [False, True, True]),
        (replace(FORMAL, ends_on=BEGINS), ASKED, [True, True, True]),
        (replace(FORMAL, ends_on=date(2026, 3, 1)), NO_DAY, [False, True, True]),
        (replace(FORMAL, decision=None), ASKED, [False, True, True]),
        (replace(FORMAL, decision=PracticeDecision.DECLINED), ASKED, [False, True, True]),
        (replace(FORMAL, resourcing=None), ASKED, [True, False, True]),
        (
            replace(FORMAL, resourcing=Resourcing(funder=" ", works=frozenset(SharedWork))),
            ASKED,
            [True, False, True],
        ),
        (replace(FORMAL, support=None), ASKED, [True, True, False]),
        (replace(FORMAL, support=replace(SUPPORT, contact="")), ASKED, [True, True, False]),
        (
            replace(FORMAL, support=replace(SUPPORT, confirmed_on=date(2026, 3, 3))),
            ASKED,
            [True, True, False],
        ),
        (
            replace(FORMAL, support=replace(SUPPORT, ends_on=date(2026, 3, 1))),
            ASKED,
            [True, True, False],
        ),
        (
            replace(FORMAL, support=replace(SUPPORT, ends_on=date(2026, 3, 20))),
            ASKED,
            [True, True, False],
        ),
        (replace(FORMAL, support=replace(SUPPORT, ends_on=BEGINS)), ASKED, [True, True, True]),
        (replace(FORMAL, support=replace(SUPPORT, ends_on=BEGINS)), NO_DAY, [None, True, None]),
    ],
)
def test_each_part_of_an_agreement_makes_its_own_fact(
    agreement: SharedCareAgreement | None, asked: SharedCareRequest, found: list[object]
) -> None:
    assert facts(agreement, asked)[:3] == found


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("responsibilities", 0),
        ("starts_on", 0),
        ("decision", 0),
        ("resourcing", 1),
        ("support", 2),
    ],
)
def test_a_part_that_nobody_read_is_unknown_and_never_there(part: str, place: int) -> None:
    in_part = replace(FORMAL, was_read_whole=False, **{part: None})
    wanted: list[object] = [True, True, True, True]
    wanted[place] = None
    assert facts(in_part) == wanted


def test_a_part_that_is_wrong_outweighs_one_that_is_unknown() -> None:
    declined = replace(
        FORMAL, was_read_whole=False, starts_on=None, decision=PracticeDecision.DECLINED
    )
    assert facts(declined)[0] is False


@pytest.mark.parametrize(
    ("capacity", "after", "found"),
    [
        (HAS_ROOM, timedelta(0), True),
        (FULL, timedelta(0), False),
        (HAS_ROOM, CAPACITY_HOLDS_FOR, True),
        (HAS_ROOM, CAPACITY_HOLDS_FOR + timedelta(days=1), None),
        (FULL, CAPACITY_HOLDS_FOR + timedelta(days=1), None),
        (HAS_ROOM, timedelta(days=-1), None),
        (None, timedelta(0), None),
    ],
)
def test_the_practices_word_on_its_capacity_counts_while_it_is_fresh(
    capacity: CapacityWord | None,
    after: timedelta,
    found: bool | None,  # noqa: FBT001  # a column of the table
) -> None:
    assert facts(FORMAL, capacity=capacity, today=TODAY + after)[3] is found


@pytest.mark.parametrize(
    ("agreement", "capacity", "effect", "rule"),
    [
        (FORMAL, HAS_ROOM, Effect.PERMIT, "G5s"),
        (NO_AGREEMENT, HAS_ROOM, Effect.DENY, "R27"),
        (FORMAL, FULL, Effect.HOLD, "R27b"),
        (FORMAL, None, Effect.HOLD, "R01"),
        (None, HAS_ROOM, Effect.HOLD, "R01"),
    ],
)
def test_the_rules_decide_on_these_facts_alone(
    agreement: SharedCareAgreement | None,
    capacity: CapacityWord | None,
    effect: Effect,
    rule: str,
) -> None:
    found = facts_of_shared_care(ASKED, agreement, capacity, today=TODAY)
    assert set(found) <= set(VOCABULARY)
    verdict = decide(read_facts(found).facts, POLICY)
    assert (verdict.effect, verdict.primary_rule) == (effect, rule)


@pytest.mark.parametrize(
    ("case", "agreement", "capacity"),
    [
        ("C23", replace(FORMAL, decision=None), HAS_ROOM),
        ("C26", FORMAL, FULL),
    ],
)
def test_a_case_of_the_reference_is_decided_so_on_the_facts_of_an_agreement(
    case: str, agreement: SharedCareAgreement, capacity: CapacityWord
) -> None:
    found = facts_of_shared_care(ASKED, agreement, capacity, today=TODAY)
    wanted = {**GOOD_REFERRAL, **CASE[case]["facts"]}
    assert {name: wanted[name] for name in found} == dict(found)
    verdict = decide(read_facts({**GOOD_REFERRAL, **found}).facts, POLICY)
    assert [verdict.effect, verdict.primary_rule, verdict.code] == [
        CASE[case][name] for name in ("effect", "rule", "code")
    ]


def test_an_informal_request_goes_back_with_each_reason_and_the_template() -> None:
    found = facts_of_shared_care(ASKED, NO_AGREEMENT, HAS_ROOM, today=TODAY)
    returned = return_to_provider(found)
    assert returned is not None
    assert len(returned.reasons) == 3
    assert returned.fields == PROPOSAL


def test_a_request_that_lacks_one_thing_goes_back_with_the_fields_for_that() -> None:
    found = facts_of_shared_care(ASKED, replace(FORMAL, resourcing=None), HAS_ROOM, today=TODAY)
    returned = return_to_provider(found)
    assert returned is not None
    assert [field.name for field in returned.fields] == ["funder", "paid-work"]
    assert len(returned.reasons) == 1


@pytest.mark.parametrize("agreement", [FORMAL, None])
def test_nothing_goes_back_of_what_is_formal_or_not_known(
    agreement: SharedCareAgreement | None,
) -> None:
    found = facts_of_shared_care(ASKED, agreement, FULL, today=TODAY)
    assert return_to_provider(found) is None


def test_each_field_of_the_template_serves_a_fact_that_can_be_missing() -> None:
    assert {field.serves for field in PROPOSAL} == {"sc_formal", "sc_resourced", "sc_support"}
    assert len({field.name for field in PROPOSAL}) == len(PROPOSAL)
