"""How rules and grounds combine, shown on policies of two or three rows."""

from collections.abc import Callable
from dataclasses import replace

from gateway.consent.decide import Effect, Ground, Policy, Rule, SpineCode, decide
from gateway.consent.facts import Facts
from gateway.consent.rules import POLICY
from tests.builders.consent import GOOD_FACTS

Answer = bool | None


def always(answer: Answer) -> Callable[[Facts], Answer]:
    return lambda _: answer


def a_rule(id_: str, effect: Effect, answer: Answer, owner: str = "practice") -> Rule:
    return Rule(
        id=id_,
        effect=effect,
        code=f"CODE_{id_}",
        condition="as told",
        when=always(answer),
        staff_text="staff",
        patient_text="patient",
        external_text="external",
        remedy="remedy",
        owner=owner,
    )


def a_ground(id_: str, *, answer: Answer) -> Ground:
    return Ground(id=id_, condition="as told", when=always(answer), staff_text="staff")


def a_policy(*rules: Rule, ground: Answer = True, explains: str = "R01") -> Policy:
    return replace(
        POLICY,
        rules=rules,
        grounds=(a_ground("G8", answer=False), a_ground("G9", answer=ground)),
        explains_missing_ground=frozenset({explains}),
    )


def test_a_ground_that_holds_permits_where_no_rule_speaks() -> None:
    verdict = decide(GOOD_FACTS, a_policy(a_rule("R1", Effect.DENY, answer=False)))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.PERMIT,
        "G9",
        "PERMITTED",
    )
    assert (verdict.reasons, verdict.primary, verdict.grounds) == ((), None, ("G9",))


def test_a_denial_outweighs_a_hold_that_stands_before_it() -> None:
    rules = a_rule("R1", Effect.HOLD, answer=True), a_rule("R2", Effect.DENY, answer=True)
    verdict = decide(GOOD_FACTS, a_policy(*rules))
    assert (verdict.effect, verdict.primary_rule) == (Effect.DENY, "R2")
    assert [reason.rule for reason in verdict.reasons] == ["R1", "R2"]
    assert verdict.primary == verdict.reasons[1]


def test_the_first_of_two_denials_is_the_primary_one() -> None:
    rules = a_rule("R1", Effect.DENY, answer=True), a_rule("R2", Effect.DENY, answer=True)
    assert decide(GOOD_FACTS, a_policy(*rules)).primary_rule == "R1"


def test_an_unknown_denial_holds_in_its_own_name() -> None:
    verdict = decide(GOOD_FACTS, a_policy(a_rule("R1", Effect.DENY, answer=None)))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.HOLD,
        "R01",
        "FACT_UNKNOWN:R1",
    )


def test_the_task_of_an_unknown_goes_to_the_owner_of_the_rule_that_asks() -> None:
    verdict = decide(GOOD_FACTS, a_policy(a_rule("R1", Effect.DENY, answer=None, owner="operator")))
    assert verdict.primary is not None
    assert verdict.primary.owner == "operator"


def test_no_ground_denies() -> None:
    verdict = decide(GOOD_FACTS, a_policy(ground=False))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.DENY,
        "R00",
        "NO_GROUND",
    )
    assert verdict.primary is not None
    assert verdict.primary.spine_code is SpineCode.ACCESS_DENIED


def test_an_unknown_ground_holds() -> None:
    verdict = decide(GOOD_FACTS, a_policy(ground=None))
    assert (verdict.effect, verdict.code) == (Effect.HOLD, "FACT_UNKNOWN:ground")


def test_a_hold_that_explains_the_missing_ground_stays_a_hold() -> None:
    rule = a_rule("R1", Effect.HOLD, answer=True)
    verdict = decide(GOOD_FACTS, a_policy(rule, ground=False, explains="R1"))
    assert (verdict.effect, verdict.primary_rule) == (Effect.HOLD, "R1")


def test_a_hold_that_explains_nothing_does_not_stand_in_for_a_ground() -> None:
    rule = a_rule("R1", Effect.HOLD, answer=True)
    verdict = decide(GOOD_FACTS, a_policy(rule, ground=False))
    assert (verdict.effect, verdict.primary_rule) == (Effect.DENY, "R00")


def test_a_denial_needs_no_second_one_for_want_of_a_ground() -> None:
    rule = a_rule("R1", Effect.DENY, answer=True)
    verdict = decide(GOOD_FACTS, a_policy(rule, ground=None))
    assert [reason.rule for reason in verdict.reasons] == ["R1"]


def test_the_version_changes_with_whatever_changes_a_decision() -> None:
    rule = a_rule("R1", Effect.HOLD, answer=True)
    versions = {
        a_policy().version,
        a_policy(rule).version,
        a_policy(replace(rule, condition="otherwise")).version,
        a_policy(replace(rule, effect=Effect.DENY)).version,
        a_policy(replace(rule, code="OTHER")).version,
        a_policy(rule, explains="R1").version,
        replace(a_policy(rule), grounds=()).version,
        replace(a_policy(rule), no_ground=replace(POLICY.no_ground, effect=Effect.HOLD)).version,
        replace(a_policy(rule), unknown=replace(POLICY.unknown, effect=Effect.DENY)).version,
    }
    assert len(versions) == 9


def test_a_verdict_names_the_version_that_made_it() -> None:
    assert decide(GOOD_FACTS, POLICY).policy_version == POLICY.version
