"""The smallest changes that would turn an answer, each tried by deciding again.

What enters: facts and a policy. What leaves: for a HOLD or a DENY, sets of steps after which
the answer is PERMIT, or where none leads there, the least restrictive answer that any leads
to; for a PERMIT, each single step that ends it. Steps come from `steps`: what no person may
honestly change is never proposed, and the answer names it where it hangs on it. It is for the
practice's eyes: it may name what protects a person, so no outsider may be shown it.

How sets are found: an answer is better only when each reason for it is gone, and a reason goes
only when a step moves a fact that it looked at. So each set grows by the steps that touch one
reason, the one that fewest steps touch; no smallest set is missed. Source: the hitting sets of
R. Reiter, A theory of diagnosis from first principles (1987).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.consent.decide import Effect, Policy, Reason, Verdict, decide
from gateway.consent.facts import Facts
from gateway.consent.steps import ENDS, FIXED, MENDS, Step, Value, findings_from, steps_from

MOST_DECISIONS = 2_500  # for one aim, of at most two
_QUESTION = ("action", "purpose")
_RESTRICTION = list(Effect)
_Items: TypeAlias = frozenset[tuple[str, Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Steps that turn the answer if all are taken, and the answer then."""

    steps: tuple[Step, ...]
    effect: Effect
    primary_rule: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A fact that nobody here may change, its value, and why it stays."""

    fact: str
    value: Value
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """What would turn an answer.

    `effect` is the answer as it is. `found` has the fewest steps first. `hangs_on` says, where
    nothing leads to a PERMIT, what stands against it. `is_complete` is False where the search
    ran out of decisions: there may be better.
    """

    effect: Effect
    found: tuple[Flip, ...]
    hangs_on: tuple[Fixed, ...]
    is_complete: bool

    @property
    def best(self) -> Effect:
        """The least restrictive answer, as it is or after any flip."""
        return min((self.effect, *(f.effect for f in self.found)), key=_RESTRICTION.index)


def find_flips(
    facts: Facts, policy: Policy, *, limit: int = 10, most: int = MOST_DECISIONS
) -> Flips:
    """Find the smallest sets of steps that would change the answer.

    Of a HOLD or DENY: what gives PERMIT; where nothing does, of a DENY, what gives HOLD.
    Of a PERMIT: what ends it, step by step. The same facts always have the same flips.

    Args:
        facts: as they were decided on.
        policy: the rules to decide by.
        limit: how many sets are given at most, those with the fewest steps first.
        most: how often is decided for one aim; at most twice that in all.
    """
    verdict = decide(facts, policy)
    matter = _matter(facts, policy)
    if verdict.effect is Effect.PERMIT:
        ends = _ends(facts, policy, matter)
        return Flips(effect=Effect.PERMIT, found=ends[:limit], hangs_on=(), is_complete=True)
    steps = (*steps_from(MENDS, facts, matter), *findings_from(facts))
    search = _Search(facts, policy, steps, aim=Effect.PERMIT, most=most)
    found = search.run(limit)
    hangs_on = () if found else tuple(_fixed(search.stuck, facts))
    is_complete = search.is_complete
    if not found and verdict.effect is Effect.DENY:
        search = _Search(facts, policy, steps, aim=Effect.HOLD, most=most)
        found = search.run(limit)
        is_complete = is_complete and search.is_complete
    return Flips(effect=verdict.effect, found=found, hangs_on=hangs_on, is_complete=is_complete)


def _matter(facts: Facts, policy: Policy) -> frozenset[str]:
    """Name the facts that some rule or ground reads for this act and class of purpose."""
    asked = policy.asked(facts)
    rows = (*asked.rules, *asked.grounds)
    return frozenset(name for _, _, names in rows for name in names)


def _ends(facts: Facts, policy: Policy, matter: frozenset[str]) -> tuple[Flip, ...]:
    tried = [
        (step, decide(_after(facts, _items([step])), policy))
        for step in steps_from(ENDS, facts, matter)
    ]
    return tuple(_flip([step], end) for step, end in tried if end.effect is not Effect.PERMIT)


def _fixed(names: Iterable[str], facts: Facts) -> Iterator[Fixed]:
    """Say why each fact stays; the question itself only where nothing else stands there."""
    named = dict.fromkeys(name for name in names if name in FIXED)
    for name in [name for name in named if name not in _QUESTION] or named:
        yield Fixed(fact=name, value=getattr(facts, name), why=FIXED[name])


class _Search:
    """One search for the sets of steps after which an answer is no worse than an aim."""

    def __init__(
        self, facts: Facts, policy: Policy, steps: Sequence[Step], *, aim: Effect, most: int
    ) -> None:
        self.stuck: tuple[str, ...] = ()
        self.is_complete = True
        self._facts, self._policy, self._aim = facts, policy, aim
        self._steps = steps
        self._items = [_items([step]) for step in steps]
        self._movers = _movers(steps)
        self._left = most
        self._flips: dict[tuple[int, ...], tuple[_Items, Flip]] = {}
        self._seen: set[_Items] = set()

    def run(self, limit: int) -> tuple[Flip, ...]:
        """Go through the sets of no step, of one, of two: until enough are found."""
        level: Mapping[_Items, tuple[int, ...]] = {frozenset(): ()}
        while level and len(self._flips) < limit and self.is_complete:
            grown: dict[_Items, tuple[int, ...]] = {}
            for items, taken in sorted(level.items(), key=lambda each: (len(each[0]), each[1])):
                for more, steps in self._grow(items, taken):
                    if more not in self._seen:
                        self._seen.add(more)
                        grown[more] = steps
            level = grown
        ordered = sorted(self._flips, key=lambda taken: (len(taken), taken))
        return tuple(self._flips[taken][1] for taken in ordered[:limit])

    def _grow(
        self, items: _Items, taken: tuple[int, ...]
    ) -> Iterator[tuple[_Items, tuple[int, ...]]]:
        """Decide after these steps: keep them as a flip, or give each set of one step more."""
        if any(smaller <= items for smaller, _ in self._flips.values()):
            return
        if not self._left:
            self.is_complete = False
            return
        self._left -= 1
        verdict = decide(_after(self._facts, items), self._policy)
        against = [reason for reason in verdict.reasons if self._is_against(reason)]
        if not against:
            steps = [self._steps[at] for at in taken]
            self._flips[taken] = items, _flip(steps, verdict)
            return
        ways = [self._touching(self._looked_at(reason), items) for reason in against]
        if not all(ways):
            self._remember(reason for reason, way in zip(against, ways, strict=True) if not way)
            return
        for at, more in min(ways, key=len):
            yield more, tuple(sorted((*taken, at)))

    def _is_against(self, reason: Reason) -> bool:
        return _RESTRICTION.index(reason.effect) > _RESTRICTION.index(self._aim)

    def _looked_at(self, reason: Reason) -> tuple[str, ...]:
        """Name the facts that must move for a reason to go; a missing ground may be any ground."""
        missing = (self._policy.no_ground.code, f"{self._policy.unknown.code}:ground")
        if reason.code not in missing:
            return tuple(used.name for used in reason.facts_used)
        grounds = (names for _, _, names in self._policy.asked(self._facts).grounds)
        return tuple(name for names in (*grounds, _QUESTION) for name in names)

    def _touching(self, names: Iterable[str], items: _Items) -> list[tuple[int, _Items]]:
        """Give each step that moves one of these facts, and takes back no step that was taken."""
        moved = dict(items)
        able = {at for name in names for at in self._movers.get(name, ())}
        return [
            (at, items | its)
            for at, its in ((at, self._items[at]) for at in sorted(able))
            if not its <= items and all(moved.get(fact, value) == value for fact, value in its)
        ]

    def _remember(self, reasons: Iterable[Reason]) -> None:
        """Keep what the first dead end looked at: the fewest steps led there."""
        if not self.stuck:
            self.stuck = tuple(n for reason in reasons for n in self._looked_at(reason))


def _movers(steps: Sequence[Step]) -> Mapping[str, list[int]]:
    """Say of each fact which steps move it, by their places."""
    movers: dict[str, list[int]] = {}
    for at, step in enumerate(steps):
        for change in step.changes:
            movers.setdefault(change.fact, []).append(at)
    return movers


def _items(steps: Iterable[Step]) -> _Items:
    return frozenset((change.fact, change.after) for step in steps for change in step.changes)


def _after(facts: Facts, items: _Items) -> Facts:
    return replace(facts, **dict(items))  # type: ignore[arg-type]  # steps are checked against VOCABULARY


def _flip(steps: Sequence[Step], verdict: Verdict) -> Flip:
    return Flip(
        steps=tuple(steps),
        effect=verdict.effect,
        primary_rule=verdict.primary_rule,
        code=verdict.code,
    )
