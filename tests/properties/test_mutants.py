"""Break each row of the table in turn, in every small way: something must notice each time.

A mutant drops a row, turns its condition round, changes its effect, drops one operand of an AND
or an OR, one code of a list, one action, moves a limit by one, or stops asking for what is
unknown. It is noticed where it answers a case, or what lies one change from a case, otherwise
than the second reading does.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from itertools import takewhile
from typing import TypeVar

import pytest

from gateway.consent.condition import (
    ALWAYS,
    AllOf,
    AnyOf,
    Condition,
    IsTrue,
    Not,
    NotBelow,
    OneOf,
    facts_of,
)
from gateway.consent.decide import Duty, Effect, Ground, Policy, Rule, decide
from gateway.consent.facts import Action, Facts
from gateway.consent.rules import DUTIES, GROUNDS, POLICY, RULES
from tests.properties.cases import CASES, answered, told
from tests.properties.second_reading import Told

Row = TypeVar("Row", Rule, Ground, Duty)


def variants(condition: Condition) -> Iterator[tuple[str, Condition]]:
    """Change one part of a condition."""
    yield f"not {condition}", Not(condition)
    match condition:
        case AllOf() | AnyOf():
            yield from operand_variants(condition)
        case Not():
            for said, changed in variants(condition.term):
                yield said, Not(changed)
        case OneOf() if len(condition.codes) > 1:
            for code in condition.codes:
                rest = tuple(c for c in condition.codes if c != code)
                yield f"without {code}", replace(condition, codes=rest)
        case NotBelow():
            yield "a day early", replace(condition, least=condition.least - 1)
            yield "a day late", replace(condition, least=condition.least + 1)
        case _:
            return


def operand_variants(condition: AllOf | AnyOf) -> Iterator[tuple[str, Condition]]:
    """Drop each operand, and change one part of each."""
    for at, term in enumerate(condition.terms):
        before, after = condition.terms[:at], condition.terms[at + 1 :]
        yield f"without {term}", replace(condition, terms=before + after)
        for said, changed in variants(term):
            yield said, replace(condition, terms=(*before, changed, *after))


@dataclass(frozen=True, slots=True)
class TakesUnknownForNo(IsTrue):
    """A condition that goes on where a fact is missing."""

    condition: Condition = ALWAYS

    def holds(self, facts: Facts) -> bool:
        return self.condition.holds(facts) is True


def lenient(condition: Condition) -> Condition:
    return TakesUnknownForNo(facts_of(condition)[0], condition)


def broken(row: Row) -> Iterator[tuple[str, Row | None]]:
    yield "dropped", None
    for said, condition in variants(row.condition):
        yield said, replace(row, condition=condition)


def broken_rule(rule: Rule) -> Iterator[tuple[str, Rule | None]]:
    yield from broken(rule)
    yield "taking unknown for no", replace(rule, condition=lenient(rule.condition))
    for effect in set(Effect) - {rule.effect}:
        yield f"to {effect}", replace(rule, effect=effect)
    yield "another code", replace(rule, code="ANOTHER")


def broken_duty(duty: Duty) -> Iterator[tuple[str, Duty | None]]:
    yield from broken(duty)
    if set(facts_of(duty.condition)) - {"purpose"}:  # a purpose that is unknown permits nothing
        yield "known or not", replace(duty, only_if_known=not duty.only_if_known)
    if duty.code != "FALLBACK_SEND_DOCUMENT":  # a switch that is off always denies
        for effect in duty.effects:
            yield f"not on {effect}", replace(duty, effects=duty.effects - {effect})


def of_another_action(row: Row) -> Iterator[tuple[str, Row | None]]:
    for action in Action:
        yield f"{action} the other way", replace(row, actions=row.actions ^ {action})


def swapped(rows: Sequence[Row], row: Row, other: Row | None) -> tuple[Row, ...]:
    return tuple(r for r in (other if r is row else r for r in rows) if r is not None)


@cache
def expected() -> list[tuple[Facts, Told]]:
    """Answers of the second reading to the cases, then to what lies one change from them."""
    each = [answered(case) for case in CASES]
    return [known[0] for known in each] + [pair for known in each for pair in known[1:]]


def is_noticed(policy: Policy, old: Row | None = None, new: Row | None = None) -> bool:
    """Whether an answer is wrong; asked only where the old row or the new one says something."""
    return any(
        told_by(policy, facts) != said for facts, said in expected() if may_differ(facts, old, new)
    )


def may_differ(facts: Facts, old: Row | None, new: Row | None) -> bool:
    if old is None:
        return True
    before = old.condition.holds(facts)
    after = new.condition.holds(facts) if new else False
    is_same_condition = new is not None and new.condition == old.condition
    return before is not False if is_same_condition else before is not after


def told_by(policy: Policy, facts: Facts) -> Told | None:
    try:
        return told(decide(facts, policy))
    except IndexError:  # a PERMIT without a ground
        return None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_broken_rule_is_noticed(rule: Rule) -> None:
    assert [said for said, new in broken_rule(rule) if not rule_is_caught(rule, new)] == []


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda ground: ground.id)
def test_a_broken_ground_is_noticed(ground: Ground) -> None:
    assert [said for said, new in broken(ground) if not ground_is_caught(ground, new)] == []


@pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: f"{duty.code} {min(duty.actions)}")
def test_a_broken_obligation_is_noticed(duty: Duty) -> None:
    assert [said for said, new in broken_duty(duty) if not duty_is_caught(duty, new)] == []


def rule_is_caught(old: Rule, new: Rule | None) -> bool:
    return is_noticed(replace(POLICY, rules=swapped(RULES, old, new)), old, new)


def ground_is_caught(old: Ground, new: Ground | None) -> bool:
    return is_noticed(replace(POLICY, grounds=swapped(GROUNDS, old, new)), old, new)


def duty_is_caught(old: Duty, new: Duty | None) -> bool:
    return is_noticed(replace(POLICY, duties=swapped(DUTIES, old, new)), old, new)


@pytest.mark.parametrize("id_", sorted(POLICY.explains_missing_ground))
def test_a_hold_that_no_longer_explains_a_missing_ground_is_noticed(id_: str) -> None:
    rest = POLICY.explains_missing_ground - {id_}
    assert is_noticed(replace(POLICY, explains_missing_ground=rest))


@pytest.mark.soak
def test_a_rule_or_ground_of_one_action_more_or_less_is_noticed(soak_time: timedelta) -> None:
    """In random order, until the time is up: there are some hundreds."""
    broken = [
        *(
            (said, partial(rule_is_caught, rule, new))
            for rule in RULES
            for said, new in of_another_action(rule)
        ),
        *(
            (said, partial(ground_is_caught, g, new))
            for g in GROUNDS
            for said, new in of_another_action(g)
        ),
    ]
    random.Random().shuffle(broken)  # noqa: S311  # no secret
    last = time.monotonic() + soak_time.total_seconds()
    for said, is_caught in takewhile(lambda _: time.monotonic() < last, broken):
        assert is_caught(), said


@pytest.mark.soak
def test_a_policy_that_nobody_broke_is_not_noticed() -> None:
    assert not is_noticed(replace(POLICY, rules=tuple(RULES)))
