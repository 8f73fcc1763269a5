"""A decision as it is kept: the facts, and the verdict with every reason.

What enters: facts and the verdict on them. What leaves: one tree for JSON, whose times are
still times. Holds what a decision looked at, so it is kept sealed, never logged.
"""

from gateway.consent.decide import FactUsed, Reason, Verdict
from gateway.consent.facts import Facts, Source


def detail_of(facts: Facts, verdict: Verdict) -> dict[str, dict[str, object]]:
    """Lay out a decision by its names, as `dataclasses.asdict` would, without its copying."""
    kept = _members(facts) | {"sources": [_members(source) for source in facts.sources]}
    reasons = [_with_facts(reason) for reason in verdict.reasons]
    return {"facts": kept, "verdict": _members(verdict) | {"reasons": reasons}}


def _with_facts(reason: Reason) -> dict[str, object]:
    return _members(reason) | {"facts_used": [_members(used) for used in reason.facts_used]}


def _members(value: Facts | Source | Verdict | Reason | FactUsed) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}
