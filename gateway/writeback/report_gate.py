"""The report gate: when a copy of a report may leave, for each of its recipients.

What enters: a copy, the consents, what the sharing rules answered, and the day. What leaves: the
facts of that copy for the rules; and what is to be done now, why, what mends it, and the day on
which it changes by itself. The gate only narrows: it never releases what the rules did not permit.

Must never: let the consent for one recipient cover another; count silence for an agreement, but
where AMRA does; bring anything to an inbox that the person's employer reads.

Not decided here: that it was the person who answered. Source: the sharing rules, R08, R30 to R35,
R44, R50 to R52b; Access to Medical Reports Act 1988 (AMRA), sections 4, 5 and 7; GMC,
Confidentiality, paragraph 115.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import assert_never

from gateway.referral.report import (
    Answer,
    CopyState,
    GpRoute,
    Recipient,
    ReportCopy,
    offer_sight,
    show,
    supply,
    withhold_copy,
)
from gateway.writeback.proposal import RuleEffect

_ROLE_OF: Mapping[Recipient, str] = {
    Recipient.GP: "care-provider",
    Recipient.EMPLOYER: "employer",
    Recipient.HR: "hr",
    Recipient.HEALTH_AND_WORK: "national-service",
    Recipient.PERSON: "person",
}
"""What a recipient is in the sharing rules. Their list of roles is open; no rule names the person."""

SEEN_FIRST = frozenset(Recipient) - {Recipient.PERSON}
"""Whose copies the person is to see first. The rules ask it for employer and HR; the gate asks it
for each but the person's own, who may always decline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentToRelease:
    """What the consents say of one recipient's copy; None: not known. As the rules spell it.

    `state` is that of `consent`, `authority` by what right the signer signed.
    """

    state: str | None = None
    authority: str | None = None
    is_for_recipient: bool | None = None
    is_for_purpose: bool | None = None
    is_in_period: bool | None = None
    has_evidence: bool | None = None


_NOBODY_LOOKED = ConsentToRelease()


def facts_of_copy(
    copy: ReportCopy,
    *,
    purpose: str,
    consents: Mapping[Recipient, ConsentToRelease],
    today: date,
) -> Mapping[str, object]:
    """Say what the rules about the release of a report ask of this copy; None: unknown.

    Args:
        copy: the copy that would leave.
        purpose: why it would, as the rules spell it.
        consents: what is known of each recipient's; one that is left out is unknown, and holds.
        today: the day on which the rules are asked; `sight_days` are counted to it.

    The facts of person, practice and recipient's organisation are added by whoever asks.
    """
    consent = consents.get(copy.recipient, _NOBODY_LOOKED)
    return {
        "action": "release_report",
        "purpose": purpose,
        "recipient_role": _ROLE_OF[copy.recipient],
        "report": copy.kind.value,
        "sight": copy.sight.value,
        "sight_days": copy.days_without_word(today),
        "third_party": copy.third_party,
        "authority": consent.authority,
        "consent": consent.state,
        "consent_recipient": consent.is_for_recipient,
        "consent_purpose": consent.is_for_purpose,
        "consent_in_period": consent.is_in_period,
        "consent_evidence": consent.has_evidence,
    }


class Step(StrEnum):
    """What may be done with a copy now. KEEP: it has left, and is kept."""

    OFFER = "offer"
    SHOW = "show"
    WAIT = "wait"
    RELEASE = "release"
    RELEASE_WITH_STATEMENT = "release-with-statement"
    WITHHOLD = "withhold"
    KEEP = "keep"


class Why(StrEnum):
    """Why that is the step."""

    SUPPLIED = "supplied"
    WITHHELD_BEFORE = "withheld-before"
    PERSON_OBJECTS = "person-objects"
    RULES_DENY = "rules-deny"
    NOT_REVIEWED = "not-reviewed"
    THIRD_PARTY = "third-party"
    WOULD_HARM = "would-harm"
    NOT_OFFERED = "not-offered"
    OFFER_NOT_ANSWERED = "offer-not-answered"
    SIGHT_ASKED = "sight-asked"
    ACCESS_RUNS = "access-runs"
    NOT_ANSWERED = "not-answered"
    AMENDMENT_ASKED = "amendment-asked"
    STATEMENT_ALONE = "statement-alone"
    RULES_HOLD = "rules-hold"
    ACCESS_LAPSED = "access-lapsed"
    PERMITTED = "permitted"


_WORDS: Mapping[Why, tuple[Step, str, str]] = {
    Why.SUPPLIED: (Step.KEEP, "The copy was supplied.", "Keep it until the day given."),
    Why.WITHHELD_BEFORE: (
        Step.WITHHOLD,
        "The copy is withheld.",
        "Write it anew and show it; or leave it.",
    ),
    Why.PERSON_OBJECTS: (
        Step.WITHHOLD,
        "The person objects to its release.",
        "Nothing is released unless the person agrees.",
    ),
    Why.RULES_DENY: (
        Step.WITHHOLD,
        "The sharing rules refuse its release to this recipient.",
        "Do what the decision asks; then write it anew.",
    ),
    Why.NOT_REVIEWED: (
        Step.WAIT,
        "Nobody has said whether it speaks of somebody else.",
        "Let a clinician review it before anybody sees it.",
    ),
    Why.THIRD_PARTY: (
        Step.WAIT,
        "It speaks of somebody else.",
        "Take out what is about them, or obtain their consent; then write it anew.",
    ),
    Why.WOULD_HARM: (
        Step.WAIT,
        "A clinician says that seeing it could harm the person seriously.",
        "Let the clinician tell the person which part is kept back, and decide by hand.",
    ),
    Why.NOT_OFFERED: (
        Step.OFFER,
        "Nobody has offered the person to see it first.",
        "Offer it, and record the answer.",
    ),
    Why.OFFER_NOT_ANSWERED: (
        Step.WAIT,
        "The person was offered to see it first and has not answered.",
        "Ask the person again.",
    ),
    Why.SIGHT_ASKED: (Step.SHOW, "The person wishes to see it first.", "Show it."),
    Why.ACCESS_RUNS: (
        Step.WAIT,
        "The person asked for access and has not been heard of since.",
        "Ask the person how they wish to see it; from the day given it need not wait.",
    ),
    Why.NOT_ANSWERED: (
        Step.WAIT,
        "The person has seen it and has not answered.",
        "Ask the person again; silence is no agreement.",
    ),
    Why.AMENDMENT_ASKED: (
        Step.WAIT,
        "The person asks for an amendment.",
        "Write it anew; or refuse, and offer to attach the person's statement.",
    ),
    Why.STATEMENT_ALONE: (
        Step.WAIT,
        "The person attached a statement and has not said whether it may go.",
        "Ask whether it may go with the statement.",
    ),
    Why.RULES_HOLD: (
        Step.WAIT,
        "The sharing rules hold its release to this recipient.",
        "Do what the decision asks.",
    ),
    Why.ACCESS_LAPSED: (
        Step.RELEASE,
        "The 21 days have passed that the law gives the person, without word from them.",
        "Release it.",
    ),
    Why.PERMITTED: (Step.RELEASE, "The rules permit it, and so does the person.", "Release it."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is to be done with one copy now. `until`: the day on which that changes by itself."""

    copy: ReportCopy
    step: Step
    why: Why
    reason: str
    remedy: str
    until: date | None = None

    @property
    def is_open(self) -> bool:
        """Whether the copy may leave."""
        return self.step in {Step.RELEASE, Step.RELEASE_WITH_STATEMENT}


def gate(copy: ReportCopy, effect: str, today: date) -> Gate:
    """Say what may be done with a copy on a day.

    1. What left is kept; what was withheld, objected to or refused by the rules stays.
    2. Nobody sees it before somebody said that it speaks of nobody else.
    3. The person sees it first, or does not wish to, or lets AMRA's time pass.
    4. It leaves where the rules permit it, with the person's statement.

    Args:
        copy: the copy, as it stands.
        effect: what the rules answered on `facts_of_copy` of this copy and this day.
        today: the day.

    Raises:
        ValueError: the effect is none of the rules'.
    """
    why = _why_shut(copy, RuleEffect(effect)) or _why_unseen(copy, today)
    if why is None or why is Why.ACCESS_LAPSED:
        permitted = RuleEffect(effect) is RuleEffect.PERMIT
        why = (why or Why.PERMITTED) if permitted else Why.RULES_HOLD
    step, reason, remedy = _WORDS[why]
    if step is Step.RELEASE and copy.has_statement:
        step = Step.RELEASE_WITH_STATEMENT
    until = _until(copy, why)
    return Gate(copy=copy, step=step, why=why, reason=reason, remedy=remedy, until=until)


def take_step(allowed: Gate, on: date) -> ReportCopy:
    """Return the gate's own copy after its step; where it waits or is kept, as it was."""
    copy = allowed.copy
    match allowed.step:
        case Step.OFFER:
            return offer_sight(copy, on)
        case Step.SHOW:
            return show(copy, on)
        case Step.RELEASE | Step.RELEASE_WITH_STATEMENT:
            return supply(copy, on)
        case Step.WITHHOLD:
            return copy if copy.state is CopyState.WITHHELD else withhold_copy(copy)
        case Step.WAIT | Step.KEEP:
            return copy
        case _:
            assert_never(allowed.step)


def _why_shut(copy: ReportCopy, effect: RuleEffect) -> Why | None:
    """Say why nobody is to see it now, whatever the person wishes; None: nothing stands against."""
    reasons = (
        (copy.has_left, Why.SUPPLIED),
        (copy.state is CopyState.WITHHELD, Why.WITHHELD_BEFORE),
        (copy.answer is Answer.OBJECTS, Why.PERSON_OBJECTS),
        (effect is RuleEffect.DENY, Why.RULES_DENY),
        (copy.third_party is None, Why.NOT_REVIEWED),
        (copy.third_party is True, Why.THIRD_PARTY),
        (copy.would_harm, Why.WOULD_HARM),
    )
    return next((why for holds, why in reasons if holds), None)


_WAITS_ON: Mapping[Answer | None, Why | None] = {
    None: Why.NOT_ANSWERED,
    Answer.ASKS_AMENDMENT: Why.AMENDMENT_ASKED,
    Answer.ATTACHES_STATEMENT: Why.STATEMENT_ALONE,
    Answer.ASKS_SIGHT: Why.NOT_ANSWERED,
    Answer.AGREES: None,
}


def _why_unseen(copy: ReportCopy, today: date) -> Why | None:
    """Say what of the person's sight is missing; None: nothing. A lapse is told as one."""
    if copy.recipient not in SEEN_FIRST or copy.answer is Answer.DECLINES_SIGHT:
        return None
    if copy.state is CopyState.SHOWN:
        return _WAITS_ON[copy.answer]
    lapses = copy.access_lapses_on
    if lapses is not None:
        return Why.ACCESS_LAPSED if today >= lapses else Why.ACCESS_RUNS
    if copy.access_asked_on is not None:
        return Why.SIGHT_ASKED
    return Why.OFFER_NOT_ANSWERED if copy.offered_on else Why.NOT_OFFERED


def _until(copy: ReportCopy, why: Why) -> date | None:
    match why:
        case Why.SUPPLIED:
            return copy.kept_until
        case Why.ACCESS_RUNS:
            return copy.access_lapses_on
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChoice:
    """What the person chose. `clinician` names who alone is to read it; it is no inbox.

    Raises:
        ValueError: a clinician is named for another route, or none for that one.
    """

    route: GpRoute
    clinician: str | None = None

    def __post_init__(self) -> None:
        if (self.route is GpRoute.NAMED_CLINICIAN) != bool(self.clinician):
            raise ValueError("name a clinician for the route named-clinician, and for no other")


_INBOX = RouteChoice(route=GpRoute.INBOX)

ACTION_OF: Mapping[GpRoute, str | None] = {
    GpRoute.INBOX: "write_document",
    GpRoute.NAMED_CLINICIAN: "release_report",
    GpRoute.NOBODY: None,
}
"""What the sharing rules are asked for a route. To one clinician it is no document for the inbox."""


def route_to_gp(
    *, practice_is_employer: bool | None, chosen: RouteChoice | None
) -> RouteChoice | None:
    """Say how the GP's copy goes; None: nothing goes before the person has chosen.

    Where the practice is the employer, or nobody knows whether it is, the inbox is no choice.
    Elsewhere it is the way, unless the person chose another. Source: the sharing rules, R52b.
    """
    if practice_is_employer is False:
        return chosen or _INBOX
    return None if chosen == _INBOX else chosen
