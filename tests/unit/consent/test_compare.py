"""What a decision of the past would be by other rules, or on other facts."""

from dataclasses import replace

from gateway.consent.compare import Decided, Shift, compare, spoken
from gateway.consent.decide import Effect, decide
from gateway.consent.facts import Facts, OnOff
from gateway.consent.rules import POLICY
from tests.builders.consent import facts_from


def a_decision(**changes: object) -> Decided:
    facts = facts_from(changes)
    verdict = decide(facts, POLICY)
    return Decided(facts=facts, effect=verdict.effect, rules=spoken(verdict))


def freeze(facts: Facts) -> Facts:
    return replace(facts, sw_freeze=OnOff.ON)


def test_the_same_rules_on_the_same_facts_shift_nothing() -> None:
    shift = compare(a_decision(agreement="none"), POLICY)
    assert shift == Shift(before=Effect.DENY, after=Effect.DENY, gained=(), lost=())
    assert (shift.is_released, shift.is_blocked) == (False, False)


def test_a_rule_less_may_release() -> None:
    draft = replace(POLICY, rules=[rule for rule in POLICY.rules if rule.id != "R55"])
    shift = compare(a_decision(funded=False), draft)
    assert shift == Shift(before=Effect.HOLD, after=Effect.PERMIT, gained=(), lost=("R55",))
    assert (shift.is_released, shift.is_blocked) == (True, False)


def test_another_switch_may_block() -> None:
    decided = a_decision(action="activate_agreement", purpose="practice-admin", agr_change="new")
    shift = compare(decided, POLICY, change=freeze)
    assert shift == Shift(before=Effect.PERMIT, after=Effect.DENY, gained=("R23",), lost=())
    assert (shift.is_released, shift.is_blocked) == (False, True)


def test_a_shift_from_hold_to_denial_neither_releases_nor_blocks() -> None:
    rules = [replace(r, effect=Effect.DENY) if r.id == "R55" else r for r in POLICY.rules]
    shift = compare(a_decision(funded=False), replace(POLICY, rules=rules))
    assert (shift.before, shift.after) == (Effect.HOLD, Effect.DENY)
    assert (shift.gained, shift.lost) == ((), ())
    assert (shift.is_released, shift.is_blocked) == (False, False)


def test_a_rule_that_speaks_twice_is_named_once() -> None:
    verdict = decide(facts_from({"registered": None, "fresh": None}), POLICY)
    assert spoken(verdict) == ("R01",)
    assert len(verdict.reasons) == 2
