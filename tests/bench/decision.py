"""What one pure decision costs: facts in hand, no store, no message."""

from collections.abc import Mapping

from gateway.consent.decide import decide
from gateway.consent.facts import Facts
from gateway.consent.rules import POLICY
from tests.bench.times import A_MICROSECOND, Cost, Turns
from tests.builders.consent import facts_from

_QUESTIONS: Mapping[str, Mapping[str, object]] = {
    "occupational health, permitted": {},
    "direct care, permitted": {"purpose": "direct-care"},
    "consent withdrawn": {"consent": "withdrawn"},
    "extract, two reasons": {"action": "extract", "purpose": "planning", "type1": True},
    "no fact known": {name: None for name in Facts.__dataclass_fields__ if name != "sources"},
}


def decision_times(*, repeats: int = 5_000) -> dict[str, Cost]:
    """Time decisions on the same facts over and over. Microseconds."""
    return {name: _cost(facts_from(facts), repeats) for name, facts in _QUESTIONS.items()}


def _cost(facts: Facts, repeats: int) -> Cost:
    decide(facts, POLICY)  # the first picks the rows of its action and class
    turns = Turns(A_MICROSECOND)
    for _ in range(repeats):
        turns.take(lambda: decide(facts, POLICY))
    return turns.cost()
