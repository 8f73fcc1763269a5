"""What-if: a decision of the past, taken again by other rules or on other facts.

What enters: what a decision rested on and came to, a policy, and perhaps a change of its facts
(a switch, an agreement). What leaves: the two answers side by side. Nothing is stored, and
nothing is released: the answer of a what-if is no decision.

Not checked: whether the world still is as it was. The facts are those of that moment.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.consent.decide import Effect, Policy, Verdict, decide
from gateway.consent.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as it was kept: its facts, its effect, and the rules that spoke."""

    facts: Facts
    effect: Effect
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How an answer would differ. `gained` and `lost` are rules that speak now, or no longer."""

    before: Effect
    after: Effect
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def is_released(self) -> bool:
        """Whether what stayed would leave."""
        return self.before is not Effect.PERMIT and self.after is Effect.PERMIT

    @property
    def is_blocked(self) -> bool:
        """Whether what left would stay."""
        return self.before is Effect.PERMIT and self.after is not Effect.PERMIT


def spoken(verdict: Verdict) -> tuple[str, ...]:
    """Name the rules that spoke, each once, in their order."""
    return tuple(dict.fromkeys(reason.rule for reason in verdict.reasons))


def compare(
    decided: Decided, policy: Policy, *, change: Callable[[Facts], Facts] | None = None
) -> Shift:
    """Decide again.

    Args:
        decided: the decision of the past.
        policy: the rules to decide by now.
        change: what becomes of its facts; None leaves them as they were.
    """
    facts = change(decided.facts) if change else decided.facts
    verdict = decide(facts, policy)
    now = spoken(verdict)
    return Shift(
        before=decided.effect,
        after=verdict.effect,
        gained=tuple(rule for rule in now if rule not in decided.rules),
        lost=tuple(rule for rule in decided.rules if rule not in now),
    )
