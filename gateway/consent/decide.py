"""The sharing decision: PERMIT, HOLD or DENY, with every reason.

What enters: Facts. What leaves: a Verdict. Every rule is evaluated, none is skipped; the
most restrictive effect wins; a PERMIT needs a ground that holds; a fact that is unknown
and matters holds. The table is `rules.RULES`; this module only combines.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.consent.facts import Facts


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table.

    `when` is three-valued: None means that a fact it needs is unknown. `condition` is the
    same in words; it is part of the policy's hash, so neither changes alone. `owner` is
    the role whose task a HOLD becomes.
    """

    id: str
    effect: Effect
    code: str
    condition: str
    when: Callable[[Facts], bool | None]
    staff_text: str
    patient_text: str
    external_text: str
    remedy: str
    spine_code: SpineCode = SpineCode.ACCESS_DENIED
    owner: str = "practice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A positive reason to permit."""

    id: str
    condition: str
    when: Callable[[Facts], bool | None]
    staff_text: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A set of rules and grounds, and the obligations that go with an effect."""

    rules: Sequence[Rule]
    grounds: Sequence[Ground]
    no_ground: Rule
    unknown: Rule
    explains_missing_ground: frozenset[str]
    obligations: Callable[[Effect, Facts], tuple[str, ...]]

    @property
    def version(self) -> str:
        """Hexadecimal SHA-256 of the table as text: ids, effects, codes and conditions.

        Texts, owners and obligations are not part of it.
        """
        rules = (*self.rules, self.no_ground, self.unknown)
        lines = [f"{r.id}|{r.effect}|{r.code}|{r.condition}" for r in rules]
        lines += [f"{g.id}|PERMIT|{g.condition}" for g in self.grounds]
        lines.append(f"explains|{','.join(sorted(self.explains_missing_ground))}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def decide(facts: Facts, policy: Policy) -> Verdict:
    """Answer one question.

    1. Evaluate every rule: true ones are hits, unknown ones are hits of R01.
    2. Evaluate every ground. Where none holds and nothing denies: an unknown ground holds;
       otherwise, unless a hit already explains what is missing, deny for want of a ground.
    3. The most restrictive effect wins; the first hit of that effect is the primary one.
    """
    hits = _hits(facts, policy)
    holding = [(ground, ground.when(facts)) for ground in policy.grounds]
    grounds = tuple(ground.id for ground, holds in holding if holds)
    if not grounds and not any(h.effect is Effect.DENY for h in hits):
        if any(holds is None for _, holds in holding):
            hits.append(_missing(policy, "ground", owner=policy.unknown.owner))
        elif not any(h.rule in policy.explains_missing_ground for h in hits):
            hits.append(_reason(policy.no_ground, policy.no_ground.code))
    effect = _most_restrictive(hits)
    primary = next((h for h in hits if h.effect is effect), None)
    return Verdict(
        effect=effect,
        primary_rule=primary.rule if primary else grounds[0],
        code=primary.code if primary else "PERMITTED",
        reasons=tuple(hits),
        grounds=grounds,
        obligations=policy.obligations(effect, facts),
        policy_version=policy.version,
    )


def _hits(facts: Facts, policy: Policy) -> list[Reason]:
    hits = []
    for rule in policy.rules:
        applies = rule.when(facts)
        if applies is None:
            hits.append(_missing(policy, rule.id, owner=rule.owner))
        elif applies:
            hits.append(_reason(rule, rule.code))
    return hits


def _missing(policy: Policy, what: str, *, owner: str) -> Reason:
    """Give the reason for an unknown; its task goes to whoever can mend what the rule asks."""
    return replace(_reason(policy.unknown, f"{policy.unknown.code}:{what}"), owner=owner)


def _reason(rule: Rule, code: str) -> Reason:
    return Reason(
        rule=rule.id,
        effect=rule.effect,
        code=code,
        staff_text=rule.staff_text,
        patient_text=rule.patient_text,
        external_text=rule.external_text,
        remedy=rule.remedy,
        spine_code=rule.spine_code,
        owner=rule.owner,
    )


def _most_restrictive(hits: Sequence[Reason]) -> Effect:
    effects = {hit.effect for hit in hits}
    for effect in (Effect.DENY, Effect.HOLD):
        if effect in effects:
            return effect
    return Effect.PERMIT
