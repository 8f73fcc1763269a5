"""What an outcome holds for a GP record, put to the sharing rules and to the write guard.

What enters: an outcome's message, its content, and an open transaction. What leaves: a Judgement:
the guard's ruling with the two decisions that it rests on. It is asked when an outcome comes in
and again when its letter leaves, on the facts of each moment. Must never: send, or let what the
rules say of codes stop a document.

The facts are those of the referral that is answered: the same practice, person, provider and
purpose, with the action in place of forwarding. For direct care the practice's own referral stands
for an agreement; for every other purpose one is asked for. Source: the sharing rules, R25 to R28
and R52b; the write restriction, section 9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.facts import Action, AgreementFact, Dissent, Facts
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.consider import About, Answer, case_of, consider, keep, now
from gateway.journey.gateway import Gateway
from gateway.ledger.kinds import Stage
from gateway.ledger.values import Epochs
from gateway.mapping.readable_content import can_be_read
from gateway.referral.directory import (
    Format,
    Practice,
    ProviderRole,
    Purpose,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.identifiers import DecisionId, OdsCode
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Outcome
from gateway.routing.candidates import Candidate
from gateway.store import coding, deliveries, outcomes, referrals, sharing
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.content import Content, classify
from gateway.writeback.guard import rule
from gateway.writeback.learned import CodingEvent, CodingState, Position, Source, state_at
from gateway.writeback.proposal import (
    Objection,
    Payload,
    Proposal,
    RuleAnswer,
    RuleEffect,
    strictest,
)
from gateway.writeback.ruling import Ruling

_CATEGORY: Mapping[ProviderRole, SenderCategory] = {
    ProviderRole.COMMUNITY_PHARMACY: SenderCategory.COMMUNITY_PHARMACY,
    ProviderRole.OH_PROVIDER: SenderCategory.OH_PROVIDER,
    ProviderRole.NATIONAL_SERVICE: SenderCategory.HEALTH_AND_WORK,
}
_FOR_EMPLOYERS = frozenset({ProviderRole.EMPLOYER, ProviderRole.HR})
_SAID: Mapping[Position, str] = {
    Position.ON: "",
    Position.OFF: "The practice has switched coded entries by others off.",
    Position.UNKNOWN: "The practice has not said that it takes coded entries by others.",
}
_SNOMED = "http://snomed.info/sct"
_WRITES_CODES = 4
"""The only row by which codes go. Source: gateway/writeback/ruling.py."""
_NO_WORKFLOW = "NO_WORKFLOW_FOR_CODES"
"""Why codes stay here although the practice takes some: GP Connect does not reach it."""

_POSITIONS = {SwitchValue.ON: Position.ON, SwitchValue.OFF: Position.OFF}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An outcome with its referral, what brought that to the provider, and what it holds."""

    outcome: Outcome
    referral: Referral
    answered: Delivery
    tree: JsonObject = field(repr=False)
    content: Content
    payload: Payload


def find(tx: Transaction, outcome: Outcome, present: Referral) -> Found:
    """Open an outcome, and see what it holds."""
    tree = read_resource(outcomes.body_of(tx, outcome))
    content = classify(tree, present.practice)
    if content.payload is None:
        msg = "an outcome that goes to a record holds something for it"
        raise AssertionError(msg)
    return Found(
        outcome=outcome,
        referral=present,
        answered=deliveries.lock(tx, outcome.delivery),
        tree=tree,
        content=content,
        payload=content.payload,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the guard says of an outcome, and the decisions on codes and on a document."""

    ruling: Ruling
    payload: Payload
    sender: SenderCategory
    switch: Position
    write_back: Answer
    write_document: Answer

    @property
    def why_no_codes(self) -> str | None:
        """Say why codes are not written, to whoever reads the document; None: there are none."""
        if self.ruling.keeps_coded is None:
            return None
        return f"{self.ruling.text_outside} {_SAID[self.switch]}".rstrip()

    @property
    def binding(self) -> Answer:
        """The decision on what is sent: on the document, unless codes are."""
        return self.write_back if self.ruling.row == _WRITES_CODES else self.write_document


def judge(
    tx: Transaction,
    gateway: Gateway,
    found: Found,
    *,
    is_strict: bool = False,
    codes_refused: str | None = None,
) -> Judgement:
    """Put an outcome to the rules and to the guard, on the facts of this moment.

    Args:
        tx: holds the gates of practice and person.
        gateway: the live objects.
        found: the outcome.
        is_strict: it asked for codes or nothing.
        codes_refused: for which code codes were not taken before; None: nobody tried.
    """
    present, content = found.referral, found.content
    directory = DirectoryAsOf(tx, tx.at)
    answer = _facts_now(tx, gateway, present, directory.service(found.answered.service))
    parties = directory.parties(present.practice, found.answered.provider, now(tx))
    role = parties.provider.role if parties.provider else None
    sender = _CATEGORY.get(role, SenderCategory.OTHER) if role else SenderCategory.OTHER
    back = _asked(answer, Action.WRITE_BACK, gateway)
    document = _asked(answer, Action.WRITE_DOCUMENT, gateway)
    has_way = _has_workflow(directory, parties.practice)
    switch = coding_state(tx, present.practice, sender).value
    proposal = Proposal(
        objection=_objection(content, answer.facts),
        payload=found.payload,
        sender=sender,
        service=service_code(found.tree),
        switch=switch,
        has_agreement=_may_answer(answer.facts),
        is_employer_facing=role in _FOR_EMPLOYERS or present.purpose == Purpose.EMPLOYMENT_REPORT,
        is_routine=True,
        is_readable=content.is_readable or can_be_read(found.tree),
        is_strict=is_strict,
        has_workflow=has_way,
        write_back=_of_codes(back.verdict, codes_refused or (None if has_way else _NO_WORKFLOW)),
        write_document=_rule_answer(document.verdict),
    )
    return Judgement(
        ruling=rule(proposal),
        payload=found.payload,
        sender=sender,
        switch=switch,
        write_back=back,
        write_document=document,
    )


def _has_workflow(directory: DirectoryAsOf, practice: Practice | None) -> bool:
    """Whether GP Connect reaches a practice: its endpoint for letters speaks that."""
    if practice is None or practice.letters is None:
        return False
    endpoint = directory.endpoint(practice.letters)
    return endpoint is not None and endpoint.format is Format.GP_CONNECT


def _of_codes(verdict: Verdict, refused: str | None) -> RuleAnswer:
    """Say what the rules answer about codes; a refusal of before stands."""
    if refused is not None:
        return RuleAnswer(effect=RuleEffect.DENY, code=refused)
    return _rule_answer(verdict)


def keep_judgement(
    tx: Transaction, gateway: Gateway, judged: Judgement, about: About
) -> DecisionId:
    """Keep the decisions that a ruling rests on; return the one on what is sent.

    The decision on codes is kept where there are any, also when it stops them.
    """
    if judged.payload not in (Payload.DOCUMENT, Payload.ACTION):
        on_codes = keep(tx, gateway, judged.write_back, about)
        if judged.ruling.row == _WRITES_CODES:
            return on_codes
    return keep(tx, gateway, judged.write_document, about)


def coding_state(tx: Transaction, practice: OdsCode, sender: SenderCategory) -> CodingState:
    """Say how a practice's switch for coded entries stands for one kind of sender, now."""
    found = coding.of_practice(tx, practice)
    return state_at([*_said_by(tx, practice), *found], sender, tx.at)


def _said_by(tx: Transaction, practice: OdsCode) -> Sequence[CodingEvent]:
    """Read what the practice itself said: its switch is about every kind of sender.

    GP Connect as a whole stands so too, or its OFF would outlast a later ON.
    """
    events = [
        each
        for each in sharing.switch_events(tx, practice)
        if each.switch is Switch.UPDATE_RECORD
        and each.effective_at <= tx.at
        and each.value in _POSITIONS
    ]
    return [
        _event(practice, each.seq, sender, _POSITIONS[each.value], each.effective_at, each.actor)
        for each in events
        for sender in (None, *SenderCategory)
    ]


def _event(
    practice: OdsCode,
    seq: int,
    sender: SenderCategory | None,
    value: Position,
    at: datetime,
    by: str,
) -> CodingEvent:
    return CodingEvent(
        practice=practice,
        seq=seq,
        sender=sender,
        value=value,
        source=Source.PRACTICE,
        at=at,
        by=by,
    )


def service_code(tree: JsonObject) -> str | None:
    """Return the SNOMED CT code of the service: that of the first Composition's type."""
    entries = [child(each, "resource") or {} for each in objects(tree, "entry")]
    for resource in (tree, *entries, *objects(tree, "contained")):
        if string(resource, "resourceType") != "Composition":
            continue
        for coding_ in objects(child(resource, "type") or {}, "coding"):
            if string(coding_, "system") == _SNOMED:
                return string(coding_, "code")
    return None


def _facts_now(
    tx: Transaction, gateway: Gateway, present: Referral, service: Service | None
) -> Answer:
    received = referrals.body_of(tx, present.id)
    incoming = read_referral(read_resource(received))
    return consider(
        tx,
        gateway,
        case_of(present, incoming, received, now(tx)),
        Candidate(service=service, purpose=present.purpose),
        also=(Action.WRITE_BACK, Action.WRITE_DOCUMENT),
    )


def _asked(answer: Answer, action: Action, gateway: Gateway) -> Answer:
    """Ask the rules of the same facts about another action."""
    facts = replace(answer.facts, action=action)
    return replace(answer, facts=facts, verdict=decide(facts, gateway.policy))


def _objection(content: Content, facts: Facts) -> Objection:
    known = [Objection.NONE]
    if content.has_withheld_mark:
        known.append(Objection.WITHHOLD)
    if facts.s_flag:
        known.append(Objection.SENSITIVE)
    if facts.dissent is not Dissent.NONE:
        known.append(Objection.RECORD_DISSENT)
    return strictest(known)


def _may_answer(facts: Facts) -> bool:
    """Whether practice and provider have agreed; to direct care, the referral itself is that."""
    is_care = facts.purpose == Purpose.DIRECT_CARE.value
    return is_care or facts.agreement is AgreementFact.ACTIVE


def _rule_answer(verdict: Verdict) -> RuleAnswer:
    code = "PERMITTED" if verdict.effect is Effect.PERMIT else verdict.code
    return RuleAnswer(effect=RuleEffect(verdict.effect), code=code)


def about(found: Found, claimed: Delivery | None, fence: Epochs | None, *, actor: str) -> About:
    """Say what a decision on an outcome is about: its bytes, for its practice."""
    return About(
        stage=Stage.WRITE_BACK,
        practice=found.referral.practice,
        subject=found.referral.subject,
        referral=found.referral.id,
        delivery=claimed.id if claimed else found.answered.id,
        payload_sha256=found.outcome.body_sha256,
        actor=actor,
        epochs=fence,
        recipient=found.referral.practice,
    )
