"""Ask the sharing rules about one referral and one candidate, on facts as of a moment.

What enters: a referral, a candidate, and an open transaction or reading. What leaves: an
Answer, and, once it is kept, a decision row and its ledger entry. The flows that may let data
go, `accept`, `deliver` and `replay`, ask here, and so does `explain`: there is one corridor.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.directives import ConsentReading, read_consents
from gateway.consent.facts import Action, Facts
from gateway.consent.gather import OF_SWITCHES, facts_about
from gateway.consent.items import items_of
from gateway.consent.register import combine, versions_used
from gateway.consent.withhold import plan_for
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import DecisionMade, HoldOpened
from gateway.ledger.kinds import Effect as LedgerEffect
from gateway.ledger.kinds import Stage
from gateway.ledger.values import Epochs
from gateway.mapping.minimise import Minimised, minimise
from gateway.referral.directory import Provider, Service
from gateway.referral.identifiers import DecisionId, DeliveryId, Handle, OdsCode, ReferralId
from gateway.referral.model import Hold, IncomingReferral, Referral
from gateway.referral.sharing import Moment, OptOut
from gateway.routing.candidates import Candidate
from gateway.store import consents, decisions, details, gates, opt_outs
from gateway.store.decisions import Decision
from gateway.store.directory import DirectoryAsOf, Parties
from gateway.store.engine import Reading, Transaction

MAX_CODES = 64
"""Codes in one list of a ledger entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the rules said about one candidate, on which facts, and what of the message may leave."""

    candidate: Candidate
    minimised: Minimised
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a decision is about: stage, whose data, which delivery, which exact bytes.

    `payload_sha256` is of the bytes as received (accept), or as they would leave. `epochs`: those
    of the gates that the transaction holds; None: they are read when the decision is kept.
    `recipient`: who would have it, where that is not whoever offers the service.
    """

    stage: Stage
    practice: OdsCode
    subject: Handle
    referral: ReferralId | None
    delivery: DeliveryId | None
    payload_sha256: str
    actor: str
    epochs: Epochs | None = None
    recipient: OdsCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked about: a referral, for whom it was sent, and as of when.

    `subject` None: nobody here has met the person, so the register holds nothing of them.
    `received_at`: when the message came; what the register learned later counts before it.
    """

    referral: IncomingReferral
    practice: OdsCode
    subject: Handle | None
    received_at: datetime
    payload_hash_ok: bool | None
    moment: Moment


def consider(
    view: Reading | Transaction,
    gateway: Gateway,
    case: Case,
    candidate: Candidate,
    *,
    also: Collection[Action] = (),
) -> Answer:
    """Gather the facts for one candidate, and decide, storing nothing. `also`: what else is asked.

    1. Find who would share with whom, and what they have agreed.
    2. Read the patient's Consents, those that were sent and those that the register holds.
    3. Take out of the message what must stay behind for this purpose and recipient.
    4. Decide on what is left, and on the facts.
    """
    referral, moment, service = case.referral, case.moment, candidate.service
    reads = [gateway.policy.reads(each, candidate.purpose) for each in (Action.FORWARD, *also)]
    asked_for = frozenset().union(*reads)
    parties = _parties(view, case, service, with_switches=not OF_SWITCHES.isdisjoint(asked_for))
    held = consents.held(view, case.subject, moment) if case.subject else []
    reading = read_consents(
        combine(referral.consents, held, case.received_at),
        recipient=parties.provider.ods if parties.provider else None,
        purpose=candidate.purpose,
        organisations=referral.organisations,
        at=moment.at,
    )
    minimised = _minimised(gateway, referral, candidate.purpose, reading, parties.provider)
    facts = facts_about(
        referral,
        purpose=candidate.purpose,
        service=service,
        provider=parties.provider,
        practice=parties.practice,
        agreements=parties.agreements,
        reading=reading,
        withheld=minimised.withheld,
        consents_used=versions_used(referral.consents, held, case.received_at),
        opt_out=_opt_out(view, gateway, case) if "ndoo" in asked_for else None,
        payload_hash_ok=case.payload_hash_ok,
        received_at=case.received_at,
        at=moment.at,
    )
    return Answer(
        candidate=candidate,
        minimised=minimised,
        facts=facts,
        verdict=decide(facts, gateway.policy),
    )


def _parties(
    view: Reading | Transaction, case: Case, service: Service | None, *, with_switches: bool
) -> Parties:
    """Find who would share with whom, by what was known then."""
    moment = case.moment
    as_of = moment.at if moment.known_at is None else min(moment.at, moment.known_at)
    return DirectoryAsOf(view, as_of).parties(
        case.practice,
        service.provider if service else None,
        moment,
        with_switches=with_switches,
    )


def _minimised(
    gateway: Gateway,
    referral: IncomingReferral,
    purpose: str,
    reading: ConsentReading,
    provider: Provider | None,
) -> Minimised:
    """Take out of a message what must stay behind for a purpose and a recipient."""
    plan = plan_for(
        items_of(referral.tree),
        reading=reading,
        purpose=purpose,
        role=provider.role if provider else None,
        minimum=gateway.policy.minimum,
    )
    return minimise(plan)


def case_of(present: Referral, incoming: IncomingReferral, received: bytes, moment: Moment) -> Case:
    """Ask again about a referral that was accepted: by the bytes as they were received."""
    return Case(
        referral=incoming,
        practice=present.practice,
        subject=present.subject,
        received_at=present.received_at,
        payload_hash_ok=hashlib.sha256(received).hexdigest() == present.body_sha256,
        moment=moment,
    )


def now(tx: Transaction) -> Moment:
    """Return the present of a transaction: all that was recorded counts."""
    return Moment(at=tx.at, is_now=True)


def _opt_out(view: Reading | Transaction, gateway: Gateway, case: Case) -> OptOut | None:
    """Look the national opt-out up; None: unknown, or too old to count."""
    number = case.referral.patient.nhs_number
    found = opt_outs.find(view, number) if number is not None else None
    if found is None or not found.counts_at(case.moment.at, gateway.opt_out_age):
        return None
    return found


def best(answers: list[Answer]) -> Answer:
    """Choose the answer that counts: the first PERMIT, else the first HOLD, else the first."""
    for effect in (Effect.PERMIT, Effect.HOLD):
        for answer in answers:
            if answer.verdict.effect is effect:
                return answer
    return answers[0]


def keep(tx: Transaction, gateway: Gateway, answer: Answer, about: About) -> DecisionId:
    """Store a decision and record it. It is as binding as the act it stands beside."""
    verdict, service = answer.verdict, answer.candidate.service
    decision_id = DecisionId.of(gateway.new_uuid())
    recipient = about.recipient or (service.provider if service else None)
    detail = decisions.add(
        tx,
        Decision(
            id=decision_id,
            stage=about.stage,
            referral=about.referral,
            delivery=about.delivery,
            practice=about.practice,
            subject=about.subject,
            service=service.id if service else None,
            provider=recipient,
            purpose=answer.candidate.purpose,
            payload_sha256=about.payload_sha256,
            facts=answer.facts,
            verdict=verdict,
            taken_out=answer.minimised.withheld.taken_out,
            decided_at=tx.at,
        ),
    )
    made = DecisionMade(
        actor=about.actor,
        epochs=about.epochs or _epochs(tx, about, recipient),
        practice=about.practice,
        subject=about.subject,
        decision=decision_id,
        referral=about.referral,
        delivery=about.delivery,
        service=service.id if service else None,
        recipient=recipient,
        stage=about.stage,
        effect=LedgerEffect(verdict.effect),
        rule=verdict.primary_rule,
        code=verdict.code,
        rules=rules_of(verdict),
        obligations=verdict.obligations,
        policy=verdict.policy_version,
        payload_sha256=about.payload_sha256,
    )
    details.record_decided(tx, made, detail)
    return decision_id


def _epochs(tx: Transaction, about: About, recipient: OdsCode | None) -> Epochs:
    return gates.epochs(tx, practice=about.practice, recipient=recipient, subject=about.subject)


def rules_of(verdict: Verdict) -> tuple[str, ...]:
    """List the rules that spoke, or else the grounds, as many as an entry holds."""
    rules = tuple(dict.fromkeys(reason.rule for reason in verdict.reasons)) or verdict.grounds
    return rules[:MAX_CODES]


def hold_for(verdict: Verdict, tx: Transaction, gateway: Gateway) -> Hold:
    """Turn a HOLD into somebody's task, with a date."""
    reason = verdict.primary
    if reason is None:
        msg = "a hold has a reason"
        raise AssertionError(msg)
    return Hold(
        code=reason.code,
        text=reason.staff_text,
        remedy=reason.remedy,
        owner=reason.owner,
        due=tx.at + gateway.schedule.hold_due,
    )


def record_hold(
    tx: Transaction,
    held: Referral,
    *,
    decision: DecisionId | None,
    delivery: DeliveryId | None,
    actor: str,
) -> None:
    """Record that a referral waits for a person."""
    if held.hold is None:
        msg = "a held referral has a hold"
        raise AssertionError(msg)
    tx.record(
        HoldOpened(
            actor=actor,
            practice=held.practice,
            subject=held.subject,
            referral=held.id,
            decision=decision,
            delivery=delivery,
            code=held.hold.code,
            owner=held.hold.owner,
            due=held.hold.due,
        )
    )
