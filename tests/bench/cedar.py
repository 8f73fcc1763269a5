"""The rules of forwarding, written for Cedar, and timed beside ours in the same run.

What enters: POLICY and cases of facts. What leaves: a Cedar policy set for one class of
purpose, what it says of each case, and microseconds. A rule becomes a `forbid`, a ground a
`permit`; what the class decides is left out beforehand, as ours does.

What Cedar cannot express is not compared: a third value (facts that are unknown are left out,
and a condition that reads a missing attribute is an error, which Cedar passes over: it would
permit), HOLD beside DENY (both are no `permit`), obligations, one primary reason, and texts.
So it answers less than ours in its time. Source: docs.cedarpolicy.com, policy syntax.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, assert_never

import cedarpy

from gateway.consent.condition import (
    NEVER,
    AllOf,
    AnyOf,
    Beyond,
    Condition,
    IsTrue,
    Not,
    NotBelow,
    OneOf,
    given,
)
from gateway.consent.decide import Effect, decide
from gateway.consent.facts import VOCABULARY, Action, Facts, PurposeClass
from gateway.consent.rules import POLICY
from tests.bench.times import A_MICROSECOND, Cost, Turns
from tests.builders.consent import facts_from
from tests.properties.cases import CASES

_NOBODY_ELSE = {
    "principal": 'Gateway::"us"',
    "action": 'Action::"forward"',
    "resource": 'Referral::"it"',
}
_NO_ENTITIES = "[]"


def cedar_policies(purpose_class: PurposeClass) -> str:
    """Write what POLICY says of forwarding for this class of purpose."""
    rows = [
        *(("forbid", rule.id, rule.actions, rule.condition) for rule in POLICY.rules),
        *(("permit", ground.id, ground.actions, ground.condition) for ground in POLICY.grounds),
    ]
    return "\n".join(
        f'@id("{name}")\n{effect}(principal, action == Action::"forward", resource)'
        f" when {{ {_written(left)} }};"
        for effect, name, actions, condition in rows
        if Action.FORWARD in actions and (left := given(condition, purpose_class)) != NEVER
    )


def context_of(facts: Facts) -> dict[str, Any]:
    """Hand the known facts over; Cedar has no word for an unknown one."""
    named = ((name, getattr(facts, name)) for name in VOCABULARY)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in named
        if value is not None
    }


def is_permitted(facts: Facts, policies: str | cedarpy.PolicySet) -> bool:
    """Ask Cedar."""
    request = {**_NOBODY_ELSE, "context": context_of(facts)}
    answer = cedarpy.is_authorized(request, policies, _NO_ENTITIES)
    if answer.diagnostics.errors:
        raise ValueError(f"Cedar passed over a policy: {answer.diagnostics.errors}")
    return answer.allowed


def forwarded_cases() -> dict[str, Facts]:
    """List the cases of the rules that are about forwarding and leave no fact unknown."""
    return {
        name: facts_from(given)
        for name, given in CASES.items()
        if given["action"] == Action.FORWARD and None not in given.values()
    }


def disagreements(cases: Mapping[str, Facts]) -> Iterator[str]:
    """Name each case of which Cedar permits what ours does not, or the other way round."""
    for name, facts in cases.items():
        policies = _parsed(facts.purpose_class or PurposeClass.UNLISTED)
        ours = decide(facts, POLICY).effect is Effect.PERMIT
        if ours is not is_permitted(facts, policies):
            yield name


def cedar_times(cases: Mapping[str, Facts], *, repeats: int = 5_000) -> Mapping[str, Cost]:
    """Time ours and Cedar's on the cases of the explicit class, in turn. Microseconds."""
    asked = [f for f in cases.values() if f.purpose_class is PurposeClass.EXPLICIT]
    text = cedar_policies(PurposeClass.EXPLICIT)
    parsed, nobody = cedarpy.PolicySet.from_str(text), cedarpy.Entities.from_json_str(_NO_ENTITIES)
    requests = [{**_NOBODY_ELSE, "context": context_of(facts)} for facts in asked]
    ways: Mapping[str, Callable[[int], object]] = {
        "ours: every reason, obligations, texts": lambda n: decide(asked[n], POLICY),
        "cedarpy, policies parsed before": lambda n: cedarpy.is_authorized(
            requests[n], parsed, nobody
        ),
        "cedarpy, policies as text": lambda n: cedarpy.is_authorized(
            requests[n], text, _NO_ENTITIES
        ),
    }
    return {
        f"{len(asked)} cases, {name}": _cost(way, len(asked), repeats) for name, way in ways.items()
    }


@cache
def _parsed(purpose_class: PurposeClass) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_str(cedar_policies(purpose_class))


def _cost(way: Callable[[int], object], cases: int, repeats: int) -> Cost:
    for number in range(cases):
        way(number)  # ours picks its rows at the first question
    turns = Turns(A_MICROSECOND)
    for number in range(repeats):
        turns.take(partial(way, number % cases))
    return turns.cost()


def _written(condition: Condition) -> str:
    """Write a condition in Cedar's words: each fact is an attribute of the context."""
    match condition:
        case AllOf(terms):
            return " && ".join(f"({_written(term)})" for term in terms) or "true"
        case AnyOf(terms):
            return " || ".join(f"({_written(term)})" for term in terms)
        case Not(term):
            return f"!({_written(term)})"
        case IsTrue(fact):
            return f"context.{fact}"
        case OneOf(fact, codes):
            return f"{json.dumps(codes)}.contains(context.{fact})"
        case NotBelow(fact, least):
            return f"context.{fact} >= {least}"
        case Beyond(labels, others):
            return f"!context.{others}.containsAll(context.{labels})"
        case _:
            assert_never(condition)
