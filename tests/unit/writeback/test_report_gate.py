import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.facts import VOCABULARY
from gateway.consent.rules import POLICY
from gateway.consent.vocabulary import GOOD_REFERRAL, read_facts
from gateway.referral.report import (
    Answer,
    CopyState,
    GpRoute,
    Recipient,
    ReportCopy,
    ReportKind,
    offer_sight,
    show,
    supply,
    take_answer,
    withhold_copy,
    write_anew,
)
from gateway.writeback.report_gate import (
    ACTION_OF,
    ConsentToRelease,
    Gate,
    RouteChoice,
    Step,
    Why,
    facts_of_copy,
    gate,
    route_to_gp,
    take_step,
)

CASES = Path(__file__).parents[2] / "vectors" / "consent" / "cases.json"
DAY = date(2026, 3, 2)
OH = "occupational-health"
COVERING = ConsentToRelease(
    state="active",
    authority="self",
    is_for_recipient=True,
    is_for_purpose=True,
    is_in_period=True,
    has_evidence=True,
)
ALL_AGREE = dict.fromkeys(Recipient, COVERING)
ALICE = RouteChoice(route=GpRoute.NAMED_CLINICIAN, clinician="C1234567")
INBOX = RouteChoice(route=GpRoute.INBOX)
NOBODY = RouteChoice(route=GpRoute.NOBODY)


def a_copy(
    recipient: Recipient = Recipient.EMPLOYER, kind: ReportKind = ReportKind.FUNCTIONAL
) -> ReportCopy:
    return ReportCopy(recipient=recipient, kind=kind, third_party=False)


def said(copy: ReportCopy, answer: Answer, on: date = DAY) -> ReportCopy:
    return take_answer(copy, answer, on, version=copy.version)


def days(number: int) -> date:
    return DAY + timedelta(days=number)


def verdict_on(
    copy: ReportCopy,
    *,
    today: date = DAY,
    purpose: str = OH,
    consents: Mapping[Recipient, ConsentToRelease] = ALL_AGREE,
) -> Verdict:
    asked = facts_of_copy(copy, purpose=purpose, consents=consents, today=today)
    rest = {name: value for name, value in GOOD.items() if name not in asked}
    return decide(read_facts({**rest, **asked}).facts, POLICY)


GOOD: Mapping[str, Any] = GOOD_REFERRAL
CASE = {case["name"]: case for case in json.loads(CASES.read_bytes())["cases"]}
DRAFT, AMRA = a_copy(), a_copy(kind=ReportKind.AMRA)
SHOWN = show(DRAFT, DAY)


@pytest.mark.parametrize(
    ("case", "copy", "day", "purpose"),
    [
        ("C59", DRAFT, 0, OH),
        ("C60", said(DRAFT, Answer.ASKS_SIGHT), 30, OH),
        ("C62", said(AMRA, Answer.ASKS_SIGHT), 21, "employment-report"),
        ("C63", said(SHOWN, Answer.OBJECTS), 0, OH),
    ],
)
def test_a_case_of_the_reference_is_decided_so_on_the_facts_of_a_copy(
    case: str, copy: ReportCopy, day: int, purpose: str
) -> None:
    asked = facts_of_copy(copy, purpose=purpose, consents=ALL_AGREE, today=days(day))
    wanted = {**GOOD, **CASE[case]["facts"]}
    assert {name: wanted[name] for name in asked} == dict(asked)
    verdict = verdict_on(copy, today=days(day), purpose=purpose)
    assert [verdict.effect, verdict.primary_rule, verdict.code] == [
        CASE[case][name] for name in ("effect", "rule", "code")
    ]


def test_every_fact_of_a_copy_is_one_that_the_rules_know_and_may_be() -> None:
    for recipient, kind in itertools.product(Recipient, ReportKind):
        asked = facts_of_copy(a_copy(recipient, kind), purpose=OH, consents={}, today=DAY)
        assert set(asked) <= set(VOCABULARY)
        assert read_facts(asked).facts.recipient_role is not None


READINGS = [
    (DRAFT, "PERMIT", 0, Step.OFFER, Why.NOT_OFFERED, None),
    (DRAFT, "HOLD", 0, Step.OFFER, Why.NOT_OFFERED, None),
    (offer_sight(DRAFT, DAY), "HOLD", 40, Step.WAIT, Why.OFFER_NOT_ANSWERED, None),
    (said(DRAFT, Answer.ASKS_SIGHT), "HOLD", 40, Step.SHOW, Why.SIGHT_ASKED, None),
    (SHOWN, "HOLD", 400, Step.WAIT, Why.NOT_ANSWERED, None),
    (SHOWN, "PERMIT", 400, Step.WAIT, Why.NOT_ANSWERED, None),
    (said(SHOWN, Answer.AGREES), "PERMIT", 0, Step.RELEASE, Why.PERMITTED, None),
    (said(SHOWN, Answer.AGREES), "HOLD", 0, Step.WAIT, Why.RULES_HOLD, None),
    (said(SHOWN, Answer.AGREES), "DENY", 0, Step.WITHHOLD, Why.RULES_DENY, None),
    (said(SHOWN, Answer.OBJECTS), "PERMIT", 0, Step.WITHHOLD, Why.PERSON_OBJECTS, None),
    (said(DRAFT, Answer.OBJECTS), "PERMIT", 0, Step.WITHHOLD, Why.PERSON_OBJECTS, None),
    (said(SHOWN, Answer.ASKS_AMENDMENT), "HOLD", 0, Step.WAIT, Why.AMENDMENT_ASKED, None),
    (said(SHOWN, Answer.ATTACHES_STATEMENT), "PERMIT", 0, Step.WAIT, Why.STATEMENT_ALONE, None),
    (
        said(said(SHOWN, Answer.ATTACHES_STATEMENT), Answer.AGREES),
        "PERMIT",
        0,
        Step.RELEASE_WITH_STATEMENT,
        Why.PERMITTED,
        None,
    ),
    (said(DRAFT, Answer.DECLINES_SIGHT), "PERMIT", 0, Step.RELEASE, Why.PERMITTED, None),
    (said(DRAFT, Answer.DECLINES_SIGHT), "HOLD", 0, Step.WAIT, Why.RULES_HOLD, None),
    (said(AMRA, Answer.ASKS_SIGHT), "HOLD", 20, Step.WAIT, Why.ACCESS_RUNS, days(21)),
    (said(AMRA, Answer.ASKS_SIGHT), "PERMIT", 20, Step.WAIT, Why.ACCESS_RUNS, days(21)),
    (said(AMRA, Answer.ASKS_SIGHT), "PERMIT", 21, Step.RELEASE, Why.ACCESS_LAPSED, None),
    (said(AMRA, Answer.ASKS_SIGHT), "HOLD", 21, Step.WAIT, Why.RULES_HOLD, None),
    (
        said(said(AMRA, Answer.ASKS_SIGHT), Answer.ASKS_SIGHT, days(3)),
        "HOLD",
        60,
        Step.SHOW,
        Why.SIGHT_ASKED,
        None,
    ),
    (
        show(said(AMRA, Answer.ASKS_SIGHT), days(3)),
        "PERMIT",
        60,
        Step.WAIT,
        Why.NOT_ANSWERED,
        None,
    ),
    (replace(DRAFT, third_party=None), "PERMIT", 0, Step.WAIT, Why.NOT_REVIEWED, None),
    (replace(DRAFT, third_party=True), "HOLD", 0, Step.WAIT, Why.THIRD_PARTY, None),
    (replace(DRAFT, would_harm=True), "HOLD", 0, Step.WAIT, Why.WOULD_HARM, None),
    (withhold_copy(DRAFT), "PERMIT", 0, Step.WITHHOLD, Why.WITHHELD_BEFORE, None),
    (supply(DRAFT, DAY), "DENY", 9, Step.KEEP, Why.SUPPLIED, date(2026, 9, 2)),
    (a_copy(Recipient.PERSON), "PERMIT", 0, Step.RELEASE, Why.PERMITTED, None),
    (a_copy(Recipient.PERSON), "HOLD", 0, Step.WAIT, Why.RULES_HOLD, None),
    (a_copy(Recipient.GP), "PERMIT", 0, Step.OFFER, Why.NOT_OFFERED, None),
    (a_copy(Recipient.HEALTH_AND_WORK), "PERMIT", 0, Step.OFFER, Why.NOT_OFFERED, None),
    (replace(SHOWN, answer=Answer.ASKS_SIGHT), "PERMIT", 0, Step.WAIT, Why.NOT_ANSWERED, None),
]
"""Read from the law and the sharing rules, not from the gate."""


@pytest.mark.parametrize(("copy", "effect", "day", "step", "why", "until"), READINGS)
def test_the_gate_says_what_the_law_and_the_rules_say(
    copy: ReportCopy, effect: str, day: int, step: Step, why: Why, until: date | None
) -> None:
    found = gate(copy, effect, days(day))
    assert (found.step, found.why, found.until) == (step, why, until)
    assert found.is_open == (step in {Step.RELEASE, Step.RELEASE_WITH_STATEMENT})
    assert found.reason.endswith(".")
    assert found.remedy.endswith(".")


def test_each_reason_of_the_gate_stands_in_the_reading() -> None:
    assert {why for _, _, _, _, why, _ in READINGS} == set(Why)


COPIES = [copy for copy, *_ in READINGS]


def test_the_gate_releases_nothing_that_the_rules_did_not_permit() -> None:
    for copy, effect, day in itertools.product(COPIES, ("HOLD", "DENY"), (0, 21, 400)):
        assert not gate(copy, effect, days(day)).is_open


def test_each_step_can_be_taken_and_leads_where_it_says() -> None:
    ends = {
        Step.SHOW: CopyState.SHOWN,
        Step.RELEASE: CopyState.RELEASED,
        Step.RELEASE_WITH_STATEMENT: CopyState.RELEASED_WITH_STATEMENT,
        Step.WITHHOLD: CopyState.WITHHELD,
    }
    taken = set()
    for copy, effect, day in itertools.product(COPIES, Effect, (0, 21, 400)):
        allowed = gate(copy, effect, days(day))
        after = take_step(allowed, days(day))
        taken.add(allowed.step)
        assert after.state is ends.get(allowed.step, copy.state)
        assert (after.supplied_on is not None) == (allowed.is_open or copy.has_left)
        assert (allowed.step is Step.OFFER) <= (after.offered_on == days(day))
    assert taken == set(Step)


def test_an_effect_that_no_rule_has_opens_nothing() -> None:
    with pytest.raises(ValueError, match="allow"):
        gate(said(SHOWN, Answer.AGREES), "allow", DAY)


@pytest.mark.parametrize("recipient", list(Recipient))
def test_a_consent_for_the_others_never_covers_a_recipient(recipient: Recipient) -> None:
    copy = said(show(a_copy(recipient), DAY), Answer.AGREES)
    others = {each: COVERING for each in Recipient if each is not recipient}
    assert verdict_on(copy).effect is Effect.PERMIT
    assert verdict_on(copy, consents=others).effect is Effect.HOLD
    refused = {**others, recipient: ConsentToRelease(state="none", authority="self")}
    assert verdict_on(copy, consents=refused).effect is Effect.DENY


@pytest.mark.parametrize(
    ("consent", "rule"),
    [
        (replace(COVERING, state="proposed"), "R30b"),
        (replace(COVERING, state="withdrawn"), "R31"),
        (replace(COVERING, is_in_period=False), "R32"),
        (replace(COVERING, is_for_recipient=False), "R33"),
        (replace(COVERING, is_for_purpose=False), "R33"),
        (replace(COVERING, has_evidence=False), "R34"),
        (replace(COVERING, authority="none"), "R08"),
    ],
)
def test_a_consent_that_fails_shuts_the_gate_by_its_own_rule(
    consent: ConsentToRelease, rule: str
) -> None:
    copy = said(SHOWN, Answer.AGREES)
    verdict = verdict_on(copy, consents={Recipient.EMPLOYER: consent})
    assert verdict.primary_rule == rule
    assert not gate(copy, verdict.effect, DAY).is_open


@pytest.mark.parametrize("recipient", [Recipient.EMPLOYER, Recipient.HR])
def test_an_employer_never_gets_a_clinical_report_whoever_agrees(recipient: Recipient) -> None:
    copy = said(show(a_copy(recipient, ReportKind.CLINICAL), DAY), Answer.AGREES)
    verdict = verdict_on(copy)
    assert verdict.primary_rule == "R50"
    assert gate(copy, verdict.effect, DAY).step is Step.WITHHOLD


def test_a_report_that_speaks_of_somebody_else_is_held_by_the_rules_too() -> None:
    copy = replace(said(SHOWN, Answer.AGREES), third_party=True)
    assert verdict_on(copy).primary_rule == "R44"


def test_the_walk_of_an_amended_report_with_a_statement() -> None:
    def ask(copy: ReportCopy, day: int) -> Gate:
        return gate(copy, verdict_on(copy, today=days(day)).effect, days(day))

    copy = take_step(ask(DRAFT, 0), DAY)
    copy = said(copy, Answer.ASKS_SIGHT, days(1))
    copy = take_step(ask(copy, 1), days(1))
    copy = said(copy, Answer.ASKS_AMENDMENT, days(2))
    assert ask(copy, 2).why is Why.AMENDMENT_ASKED
    copy = replace(write_anew(copy), third_party=False)
    copy = take_step(ask(copy, 3), days(3))
    copy = said(said(copy, Answer.ATTACHES_STATEMENT, days(4)), Answer.AGREES, days(5))
    copy = take_step(ask(copy, 5), days(5))
    assert (copy.state, copy.version) == (CopyState.RELEASED_WITH_STATEMENT, 2)


@pytest.mark.parametrize(
    ("is_employer", "chosen", "way"),
    [
        (False, None, INBOX),
        (False, INBOX, INBOX),
        (False, ALICE, ALICE),
        (False, NOBODY, NOBODY),
        (True, None, None),
        (True, INBOX, None),
        (True, ALICE, ALICE),
        (True, NOBODY, NOBODY),
        (None, None, None),
        (None, INBOX, None),
        (None, ALICE, ALICE),
        (None, NOBODY, NOBODY),
    ],
)
def test_nothing_goes_to_an_inbox_that_an_employer_reads_or_may_read(
    is_employer: bool | None,  # noqa: FBT001  # a column of the table
    chosen: RouteChoice | None,
    way: RouteChoice | None,
) -> None:
    assert route_to_gp(practice_is_employer=is_employer, chosen=chosen) == way


@pytest.mark.parametrize(
    ("route", "clinician"),
    [(GpRoute.NAMED_CLINICIAN, None), (GpRoute.NAMED_CLINICIAN, ""), (GpRoute.INBOX, "C1234567")],
)
def test_a_clinician_is_named_for_that_route_alone(route: GpRoute, clinician: str | None) -> None:
    with pytest.raises(ValueError, match="name a clinician"):
        RouteChoice(route=route, clinician=clinician)


def test_c99_an_outcome_for_the_inbox_of_the_employer_is_held_and_another_route_is_asked() -> None:
    facts = {**GOOD, "action": ACTION_OF[GpRoute.INBOX], "practice_is_employer": True}
    assert {**GOOD, **CASE["C99"]["facts"]} == facts
    verdict = decide(read_facts(facts).facts, POLICY)
    assert (verdict.effect, verdict.primary_rule) == (Effect.HOLD, "R52b")
    assert set(ACTION_OF) == set(GpRoute)
    to_clinician = read_facts({**facts, "action": ACTION_OF[GpRoute.NAMED_CLINICIAN]}).facts
    assert decide(to_clinician, POLICY).effect is Effect.PERMIT
