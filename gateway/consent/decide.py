"""The sharing decision: PERMIT, HOLD or DENY, with every reason.

What enters: Facts. What leaves: a Verdict. Every rule is evaluated, none is skipped; the
most restrictive effect wins; a PERMIT needs a ground that holds; a fact that is unknown
and matters holds. The rules are `table`'s; this module only combines.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias, TypeVar

from gateway.consent.condition import NEVER, Condition, facts_of, given
from gateway.consent.facts import CLASS_OF, Action, Facts, PurposeClass
from gateway.consent.minimum import MINIMUM, Minimum
from gateway.consent.words import NOT_FOUND, Words


class Effect(StrEnum):
    """What may happen, most permissive first."""

    PERMIT = "PERMIT"
    HOLD = "HOLD"
    DENY = "DENY"


class SpineCode(StrEnum):
    """What a GP system reads. Source: Spine-ErrorOrWarningCode."""

    NO_PATIENT_CONSENT = "NO_PATIENT_CONSENT"
    NO_ORGANISATION_CONSENT = "NO_ORGANISATION_CONSENT"
    ACCESS_DENIED = "ACCESS_DENIED"


ANY_ACTION = frozenset(Action)
_TELLS_NOTHING = "EXTERNAL_REASON_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table, with the words that go with it."""

    id: str
    effect: Effect
    code: str
    actions: frozenset[Action]
    condition: Condition
    words: Words
    spine_code: SpineCode = SpineCode.ACCESS_DENIED

    def __str__(self) -> str:
        texts = (self.words.staff, self.words.patient, self.words.external, self.words.remedy)
        return _line(self.id, self.effect, self.code, self.actions, self.condition) + _line(
            self.spine_code, self.words.owner, *texts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A positive reason to permit."""

    id: str
    actions: frozenset[Action]
    condition: Condition

    def __str__(self) -> str:
        return _line(self.id, self.actions, self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """An obligation that comes with some effects.

    `only_if_known`: an unknown condition does not bring it.
    """

    code: str
    effects: frozenset[Effect]
    actions: frozenset[Action]
    only_if_known: bool
    condition: Condition

    def __str__(self) -> str:
        return _line(self.code, self.effects, self.actions, self.only_if_known, self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactUsed:
    """One fact that a rule looked at, and where it came from as far as that is known."""

    name: str
    value: bool | int | str | tuple[str, ...] | None
    source: str | None
    version: str | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule that applied, or one fact that was missing."""

    rule: str
    effect: Effect
    code: str
    staff_text: str
    patient_text: str
    external_text: str
    remedy: str
    spine_code: SpineCode
    owner: str
    facts_used: tuple[FactUsed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer: effect, the reason that counts, all reasons, and the duties with it."""

    effect: Effect
    primary_rule: str
    code: str
    reasons: tuple[Reason, ...]
    grounds: tuple[str, ...]
    obligations: tuple[str, ...]
    policy_version: str

    @property
    def primary(self) -> Reason | None:
        """The reason that decided; None for a PERMIT."""
        return next((r for r in self.reasons if r.rule == self.primary_rule), None)

    @property
    def tells_nothing(self) -> bool:
        """Whether outside parties are told no more than that there is no such patient."""
        return _TELLS_NOTHING in self.obligations

    @property
    def code_outside(self) -> str:
        """The code that an outside party may read."""
        return "PATIENT_NOT_FOUND" if self.tells_nothing else self.code


Row = TypeVar("Row", Rule, Ground, Duty)
Question: TypeAlias = Callable[[Facts], bool | None]
Names: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The rows that one action and class of purpose leave: each with its question and facts."""

    rules: tuple[tuple[Rule, Question, Names], ...]
    grounds: tuple[tuple[Ground, Question, Names], ...]
    duties: tuple[tuple[Duty, Question, Names], ...]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A set of rules and grounds, the obligations that go with an effect, and what MINEC keeps."""

    rules: Sequence[Rule]
    grounds: Sequence[Ground]
    duties: Sequence[Duty]
    no_ground: Rule
    unknown: Rule
    explains_missing_ground: frozenset[str]
    minimum: Minimum = MINIMUM
    _asked: dict[tuple[Action | None, PurposeClass | None], Asked] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def version(self) -> str:
        """Hexadecimal SHA-256 of all that makes a decision: rows, words, classes of purposes."""
        rows = [*self.rules, self.no_ground, self.unknown, *self.grounds, *self.duties]
        lines = [str(row) for row in rows]
        lines.append(_line("explains", self.explains_missing_ground))
        lines += [_line("class", purpose, class_) for purpose, class_ in CLASS_OF.items()]
        lines.append(_line("minimum", self.minimum.text))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def asked(self, facts: Facts) -> Asked:
        """Pick the rows of this action, with what is left of their conditions for this class."""
        key = (facts.action, facts.purpose_class)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = Asked(
                rules=tuple(_askable(self.rules, *key)),
                grounds=tuple(_askable(self.grounds, *key)),
                duties=tuple(_askable(self.duties, *key)),
            )
        return found

    def reads(self, action: Action, purpose: str) -> frozenset[str]:
        """Name the facts that can matter to an action and purpose: no other need be gathered."""
        asked = self.asked(Facts(action=action, purpose=purpose))
        rows = (*asked.rules, *asked.grounds, *asked.duties)
        return frozenset(name for _, _, names in rows for name in names)

    def obligations(self, effect: Effect, facts: Facts) -> tuple[str, ...]:
        """Name the duties that come with an effect, in alphabetical order."""
        codes = set()
        for duty, holds, _ in self.asked(facts).duties:
            if effect in duty.effects:
                answer = holds(facts)
                if answer or (answer is None and not duty.only_if_known):
                    codes.add(duty.code)
        return tuple(sorted(codes))


def decide(facts: Facts, policy: Policy) -> Verdict:
    """Answer one question.

    1. Evaluate every rule: true ones are hits, unknown ones are hits of R01.
    2. Evaluate every ground. Where none holds and nothing denies: an unknown ground holds;
       otherwise, unless a hit already explains what is missing, deny for want of a ground.
    3. The most restrictive effect wins; the first hit of that effect is the primary one.
    """
    asked = policy.asked(facts)
    told = _Told(facts)
    hits = list(_hits(asked, facts, policy, told))
    holding = [(ground, holds(facts), names) for ground, holds, names in asked.grounds]
    grounds = tuple(ground.id for ground, holds, _ in holding if holds)
    if not grounds and not any(h.effect is Effect.DENY for h in hits):
        unknown = [names for _, holds, names in holding if holds is None]
        if unknown:
            used = dict.fromkeys(name for names in unknown for name in names)
            hits.append(told.reason(policy.unknown, ("action", *used), asked_by="ground"))
        elif not any(h.rule in policy.explains_missing_ground for h in hits):
            hits.append(told.reason(policy.no_ground, ("action", "purpose")))
    effect = _most_restrictive(hits)
    obligations = policy.obligations(effect, facts)
    if _TELLS_NOTHING in obligations:
        hits = [replace(hit, external_text=NOT_FOUND) for hit in hits]
    primary = next((h for h in hits if h.effect is effect), None)
    return Verdict(
        effect=effect,
        primary_rule=primary.rule if primary else grounds[0],
        code=primary.code if primary else "PERMITTED",
        reasons=tuple(hits),
        grounds=grounds,
        obligations=obligations,
        policy_version=policy.version,
    )


def _hits(asked: Asked, facts: Facts, policy: Policy, told: "_Told") -> Iterator[Reason]:
    """Give the reasons; an unknown's task goes to whoever can mend what the rule asks."""
    for rule, holds, names in asked.rules:
        applies = holds(facts)
        if applies is None:
            owner = rule.words.owner
            used = ("action", *names)
            yield told.reason(policy.unknown, used, asked_by=rule.id, owner=owner)
        elif applies:
            yield told.reason(rule, names)


def _askable(
    rows: Sequence[Row], action: Action | None, purpose_class: PurposeClass | None
) -> Iterator[tuple[Row, Question, Names]]:
    """Give the rows that may speak. Of an unknown action, only a row of any action says yes."""
    for row in rows:
        condition = row.condition if purpose_class is None else given(row.condition, purpose_class)
        if condition == NEVER or (action is not None and action not in row.actions):
            continue
        certain = action is not None or row.actions == ANY_ACTION
        question = condition.holds if certain else _at_most_unknown(condition)
        yield row, question, facts_of(row.condition)


def _at_most_unknown(condition: Condition) -> Question:
    return lambda facts: False if condition.holds(facts) is False else None


class _Told:
    """Writes the reasons of one decision. Each fact is looked up once, however many use it."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._used: dict[str, FactUsed] = {}

    def reason(
        self,
        rule: Rule,
        used: Sequence[str],
        *,
        asked_by: str | None = None,
        owner: str | None = None,
    ) -> Reason:
        words = rule.words
        return Reason(
            rule=rule.id,
            effect=rule.effect,
            code=f"{rule.code}:{asked_by}" if asked_by else rule.code,
            staff_text=words.staff,
            patient_text=words.patient,
            external_text=words.external,
            remedy=words.remedy,
            spine_code=rule.spine_code,
            owner=owner or words.owner,
            facts_used=tuple([self._used.get(name) or self._look_up(name) for name in used]),
        )

    def _look_up(self, name: str) -> FactUsed:
        source = next((s for s in self._facts.sources if name in s.facts), None)
        found = self._used[name] = FactUsed(
            name=name,
            value=getattr(self._facts, name),
            source=source.name if source else None,
            version=source.version if source else None,
            as_of=source.as_of if source else None,
        )
        return found


def _most_restrictive(hits: Sequence[Reason]) -> Effect:
    effects = {hit.effect for hit in hits}
    for effect in (Effect.DENY, Effect.HOLD):
        if effect in effects:
            return effect
    return Effect.PERMIT


def _line(*cells: object) -> str:
    """Spell some cells so that no two rows are spelt alike; a set in alphabetical order."""
    texts = (sorted(map(str, c)) if isinstance(c, frozenset) else str(c) for c in cells)
    return repr(tuple(texts)) + "\n"
