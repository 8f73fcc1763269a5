"""What would have come of other rules, another switch, another agreement. Nothing is changed.

What enters: a draft policy or one change of a practice, and a period. What leaves: which
referrals would newly be released or blocked, by week, and which of them wait now. The facts are
those on which each decision was taken then, as they were sealed with it; only what is drafted
differs. That past decisions were read is an entry, and all that is stored. Must never: send
anything, or name a patient.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from gateway.consent.agreements import agreements_at
from gateway.consent.compare import Decided, Shift, compare, spoken
from gateway.consent.decide import Policy, decide
from gateway.consent.facts import Facts
from gateway.consent.gather import with_agreements, with_switch
from gateway.consent.record import decided_of
from gateway.errors import NotFoundError
from gateway.journey.disclose import Question, record_audit
from gateway.journey.gateway import Gateway
from gateway.ledger.kinds import Interaction
from gateway.referral.directory import AgreementStatus, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.json import Json, JsonObject
from gateway.referral.sharing import AgreementEvent, Moment
from gateway.store import decisions, sharing
from gateway.store.decisions import Kept
from gateway.store.engine import Reading

ACTOR = "operator"

Redrafted = Callable[[Kept, Facts], Facts]
"""What becomes of the facts of one decision."""

RECENT = timedelta(weeks=8)
"""How far back an impact looks unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """One decision that would have come out otherwise."""

    decision: Kept
    shift: Shift

    @property
    def week(self) -> date:
        """The Monday of the week in which it was taken."""
        day = self.decision.decided_at.date()
        return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """What a draft comes to. `unreadable`: kept by a version whose facts this one has not."""

    since: datetime
    until: datetime
    considered: int
    unreadable: int
    touched: tuple[Touched, ...]

    @property
    def waiting(self) -> tuple[Touched, ...]:
        """Those that have not left: what a change made now would act on."""
        return tuple(each for each in self.touched if each.decision.is_waiting)

    def by_week(self) -> dict[date, tuple[int, int]]:
        """Count those newly released and newly blocked, by the Monday of their week."""
        counts: dict[date, tuple[int, int]] = {}
        for each in self.touched:
            released, blocked = counts.get(each.week, (0, 0))
            counts[each.week] = (
                released + each.shift.is_released,
                blocked + each.shift.is_blocked,
            )
        return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Which decisions are taken again: those of a time, of one practice or of all."""

    since: datetime
    until: datetime
    practice: OdsCode | None = None


def replay_decisions(
    gateway: Gateway,
    period: Period,
    *,
    policy: Policy | None = None,
    redrafted: Redrafted | None = None,
    progress: Callable[[], None] = lambda: None,
    actor: str = ACTOR,
) -> WhatIf:
    """Take the decisions of a period again, and record who read them.

    Args:
        gateway: whose decisions, and, unless `policy` is given, whose rules.
        period: which decisions.
        policy: a draft of the rules.
        redrafted: what becomes of the facts of each decision.
        progress: called after each decision.
        actor: who asks: a client, or a role.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        found = _replayed(view, period, policy or gateway.policy, redrafted, progress)
    _record(gateway, actor, period, found)
    return found


def _record(gateway: Gateway, actor: str, period: Period, found: WhatIf) -> None:
    """Record that the decisions of a period were read; where that fails, nothing is told."""
    by = {"since": period.since, "until": period.until, "practice": period.practice}
    question = Question(type="Decision", interaction=Interaction.SEARCH, by=by)
    record_audit(gateway, actor, question, period.practice, found.considered)


def impact_of_switch(
    gateway: Gateway,
    period: Period,
    switch: Switch,
    value: SwitchValue,
    *,
    actor: str = ACTOR,
) -> WhatIf:
    """Tell what a practice's decisions would have been with a switch elsewhere."""
    return replay_decisions(
        gateway,
        period,
        redrafted=lambda _, facts: with_switch(facts, switch, value),
        actor=actor,
    )


def impact_of_agreement(
    gateway: Gateway,
    period: Period,
    agreement: AgreementId,
    status: AgreementStatus,
    *,
    actor: str = ACTOR,
) -> WhatIf:
    """Tell what a practice's decisions would have been with an agreement standing otherwise.

    Other agreements with the same counterparty count as they did then.

    Raises:
        NotFoundError: the practice has no such agreement.
    """
    if period.practice is None:
        msg = "an agreement is one practice's"
        raise ValueError(msg)
    with gateway.store.reading(as_one_moment=True) as view:
        events = sharing.agreement_events(view, period.practice)
        if all(event.agreement != agreement for event in events):
            msg = f"practice {period.practice} has no agreement {agreement}"
            raise NotFoundError(msg)
        redrafted = _with_agreement(events, agreement, status)
        found = _replayed(view, period, gateway.policy, redrafted, lambda: None)
    _record(gateway, actor, period, found)
    return found


def _with_agreement(
    events: Sequence[AgreementEvent], agreement: AgreementId, status: AgreementStatus
) -> Redrafted:
    counterparty = next(e.counterparty for e in events if e.agreement == agreement)
    between = [e for e in events if e.counterparty == counterparty]

    def redrafted(kept: Kept, facts: Facts) -> Facts:
        if kept.provider != counterparty:
            return facts
        then = Moment(at=kept.decided_at, known_at=kept.decided_at)
        stood = agreements_at(between, then)
        return with_agreements(
            facts, [replace(a, status=status) if a.id == agreement else a for a in stood]
        )

    return redrafted


def _replayed(
    view: Reading,
    period: Period,
    policy: Policy,
    redrafted: Redrafted | None,
    progress: Callable[[], None],
) -> WhatIf:
    considered = unreadable = 0
    touched: list[Touched] = []
    for kept in _kept(view, period):
        considered += 1
        try:
            decided = decided_of(kept.detail)
        except ValueError:
            unreadable += 1
            continue
        if redrafted is not None:
            # What the change alone would do: both answers are by the same rules.
            present = decide(decided.facts, policy)
            facts = redrafted(kept, decided.facts)
            decided = Decided(facts=facts, effect=present.effect, rules=spoken(present))
        shift = compare(decided, policy)
        if shift.before is not shift.after:
            touched.append(Touched(decision=kept, shift=shift))
        progress()
    return WhatIf(
        since=period.since,
        until=period.until,
        considered=considered,
        unreadable=unreadable,
        touched=tuple(touched),
    )


def _kept(view: Reading, period: Period) -> Iterator[Kept]:
    return decisions.newest(view, since=period.since, until=period.until, practice=period.practice)


def told(found: WhatIf) -> JsonObject:
    """Lay out what a draft comes to, as JSON, without anything of a patient."""
    weeks: list[Json] = [
        {"week_of": week.isoformat(), "newly_released": released, "newly_blocked": blocked}
        for week, (released, blocked) in found.by_week().items()
    ]
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "considered": found.considered,
        "unreadable": found.unreadable,
        "waiting": len(found.waiting),
        "weeks": weeks,
        "touched": [_told(each) for each in found.touched],
    }


def _told(each: Touched) -> JsonObject:
    kept, shift = each.decision, each.shift
    return {
        "reference": kept.reference,
        "decision": kept.id,
        "practice": kept.practice,
        "provider": kept.provider,
        "purpose": kept.purpose,
        "decided_at": kept.decided_at.isoformat(),
        "state": kept.state,
        "before": shift.before,
        "after": shift.after,
        "gained": [*shift.gained],
        "lost": [*shift.lost],
    }
