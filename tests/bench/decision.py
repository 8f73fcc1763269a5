"""What one pure decision costs: facts in hand, no store, no message."""

import statistics
import time
from collections.abc import Mapping

from gateway.consent.decide import decide
from gateway.consent.facts import Facts
from gateway.consent.rules import POLICY
from tests.builders.consent import facts_from

_QUESTIONS: Mapping[str, Mapping[str, object]] = {
    "occupational health, permitted": {},
    "direct care, permitted": {"purpose": "direct-care"},
    "consent withdrawn": {"consent": "withdrawn"},
    "extract, two reasons": {"action": "extract", "purpose": "planning", "type1": True},
    "no fact known": {name: None for name in Facts.__dataclass_fields__ if name != "sources"},
}


def decision_times(*, repeats: int = 5_000) -> dict[str, dict[str, float]]:
    """Time decisions on the same facts over and over. Microseconds."""
    return {name: _times(facts_from(facts), repeats) for name, facts in _QUESTIONS.items()}


def _times(facts: Facts, repeats: int) -> dict[str, float]:
    decide(facts, POLICY)  # the first picks the rows of its action and class
    times = []
    for _ in range(repeats):
        started = time.perf_counter_ns()
        decide(facts, POLICY)
        times.append((time.perf_counter_ns() - started) / 1_000)
    cuts = statistics.quantiles(times, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}
