"""How rules and grounds combine, shown on policies of two or three rows."""

from dataclasses import replace
from datetime import UTC, datetime

from gateway.consent.condition import ALWAYS, read_condition
from gateway.consent.decide import ANY_ACTION, Effect, FactUsed, Ground, Policy, Rule, decide
from gateway.consent.facts import Action, Source
from gateway.consent.rules import POLICY
from gateway.consent.words import Words
from tests.builders.consent import GOOD_FACTS

YES, NO, UNKNOWN = "fresh", "NOT fresh", "minimum"
FACTS = replace(GOOD_FACTS, fresh=True, minimum=None)


def a_rule(
    id_: str,
    effect: Effect,
    condition: str = YES,
    *,
    owner: str = "practice",
    only: Action | None = None,
) -> Rule:
    return Rule(
        id=id_,
        effect=effect,
        code=f"CODE_{id_}",
        actions=frozenset({only}) if only else ANY_ACTION,
        condition=read_condition(condition),
        words=Words("staff", "patient", "external", "remedy", owner),
    )


def a_ground(id_: str, condition: str) -> Ground:
    return Ground(id=id_, actions=ANY_ACTION, condition=read_condition(condition))


def a_policy(*rules: Rule, ground: str = YES, explains: str = "R01") -> Policy:
    return replace(
        POLICY,
        rules=rules,
        grounds=(a_ground("G8", NO), a_ground("G9", ground)),
        explains_missing_ground=frozenset({explains}),
    )


def test_a_ground_that_holds_permits_where_no_rule_speaks() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.DENY, NO)))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.PERMIT,
        "G9",
        "PERMITTED",
    )
    assert (verdict.reasons, verdict.primary, verdict.grounds) == ((), None, ("G9",))


def test_a_denial_outweighs_a_hold_that_stands_before_it() -> None:
    rules = a_rule("R1", Effect.HOLD), a_rule("R2", Effect.DENY)
    verdict = decide(FACTS, a_policy(*rules))
    assert (verdict.effect, verdict.primary_rule) == (Effect.DENY, "R2")
    assert [reason.rule for reason in verdict.reasons] == ["R1", "R2"]
    assert verdict.primary == verdict.reasons[1]


def test_the_first_of_two_denials_is_the_primary_one() -> None:
    rules = a_rule("R1", Effect.DENY), a_rule("R2", Effect.DENY)
    assert decide(FACTS, a_policy(*rules)).primary_rule == "R1"


def test_an_unknown_denial_holds_in_its_own_name() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.DENY, UNKNOWN)))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.HOLD,
        "R01",
        "FACT_UNKNOWN:R1",
    )


def test_the_task_of_an_unknown_goes_to_the_owner_of_the_rule_that_asks() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.DENY, UNKNOWN, owner="operator")))
    assert verdict.primary is not None
    assert verdict.primary.owner == "operator"


def test_no_ground_denies() -> None:
    verdict = decide(FACTS, a_policy(ground=NO))
    assert (verdict.effect, verdict.primary_rule, verdict.code) == (
        Effect.DENY,
        "R00",
        "NO_GROUND",
    )


def test_an_unknown_ground_holds() -> None:
    verdict = decide(FACTS, a_policy(ground=UNKNOWN))
    assert (verdict.effect, verdict.code) == (Effect.HOLD, "FACT_UNKNOWN:ground")


def test_a_hold_that_explains_the_missing_ground_stays_a_hold() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.HOLD), ground=NO, explains="R1"))
    assert (verdict.effect, verdict.primary_rule) == (Effect.HOLD, "R1")


def test_a_hold_that_explains_nothing_does_not_stand_in_for_a_ground() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.HOLD), ground=NO))
    assert (verdict.effect, verdict.primary_rule) == (Effect.DENY, "R00")


def test_a_denial_needs_no_second_one_for_want_of_a_ground() -> None:
    verdict = decide(FACTS, a_policy(a_rule("R1", Effect.DENY), ground=UNKNOWN))
    assert [reason.rule for reason in verdict.reasons] == ["R1"]


def test_a_rule_of_another_action_is_false_and_not_unknown() -> None:
    for condition in (YES, UNKNOWN):
        rule = a_rule("R1", Effect.DENY, condition, only=Action.EXTRACT)
        assert decide(FACTS, a_policy(rule)).effect is Effect.PERMIT


def test_of_an_unknown_action_a_rule_of_some_actions_is_unknown() -> None:
    unsaid = replace(FACTS, action=None)
    some = a_rule("R1", Effect.DENY, only=Action.EXTRACT)
    assert decide(unsaid, a_policy(some)).code == "FACT_UNKNOWN:R1"
    never = a_rule("R1", Effect.DENY, NO, only=Action.EXTRACT)
    assert decide(unsaid, a_policy(never)).effect is Effect.PERMIT
    assert decide(unsaid, a_policy(a_rule("R1", Effect.DENY))).primary_rule == "R1"


def test_a_fact_used_says_where_it_came_from() -> None:
    at = datetime(2026, 10, 14, tzinfo=UTC)
    source = Source(name="directory", version="v7", as_of=at, facts=("fresh",))
    facts = replace(FACTS, sources=(source,))
    verdict = decide(facts, a_policy(a_rule("R1", Effect.DENY, f"{YES} OR {UNKNOWN}")))
    assert verdict.reasons[0].facts_used == (
        FactUsed(name="fresh", value=True, source="directory", version="v7", as_of=at),
        FactUsed(name="minimum", value=None, source=None, version=None, as_of=None),
    )


def test_the_version_changes_with_whatever_changes_an_answer() -> None:
    rule = a_rule("R1", Effect.HOLD)
    duty = POLICY.duties[0]
    versions = {
        a_policy().version,
        a_policy(rule).version,
        a_policy(replace(rule, condition=read_condition(NO))).version,
        a_policy(replace(rule, effect=Effect.DENY)).version,
        a_policy(replace(rule, code="OTHER")).version,
        a_policy(replace(rule, actions=frozenset({Action.EXTRACT}))).version,
        a_policy(replace(rule, words=replace(rule.words, patient="Other"))).version,
        a_policy(replace(rule, words=replace(rule.words, owner="operator"))).version,
        a_policy(rule, a_rule("R2", Effect.DENY)).version,
        a_policy(a_rule("R2", Effect.DENY), rule).version,
        a_policy(rule, explains="R1").version,
        a_policy(rule, ground=NO).version,
        replace(a_policy(rule), grounds=()).version,
        replace(a_policy(rule), duties=()).version,
        replace(a_policy(rule), duties=(replace(duty, condition=ALWAYS, code="X"),)).version,
        replace(a_policy(rule), duties=(duty,)).version,
        replace(a_policy(rule), duties=(replace(duty, only_if_known=True),)).version,
        replace(a_policy(rule), no_ground=replace(POLICY.no_ground, effect=Effect.HOLD)).version,
        replace(a_policy(rule), unknown=replace(POLICY.unknown, effect=Effect.DENY)).version,
    }
    assert len(versions) == 19


def test_the_version_is_the_same_in_every_process() -> None:
    # Sets have no order of their own; the hash must not depend on how they are walked.
    again = replace(POLICY, explains_missing_ground=frozenset([*POLICY.explains_missing_ground]))
    assert again.version == POLICY.version
    assert len(POLICY.version) == 64


def test_a_verdict_names_the_version_that_made_it() -> None:
    assert decide(GOOD_FACTS, POLICY).policy_version == POLICY.version
