"""Ask the sharing rules about one referral and one candidate, on facts as of now.

What enters: a referral, a candidate, and an open transaction. What leaves: an Answer, and,
once it is kept, a decision row and its ledger entry. Both flows that may let data go,
`accept` and `deliver`, ask here, so there is one corridor.
"""

from dataclasses import dataclass

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.directives import read_consents
from gateway.consent.facts import Facts
from gateway.consent.gather import facts_about
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import DecisionMade, HoldOpened
from gateway.ledger.kinds import Effect as LedgerEffect
from gateway.ledger.kinds import Stage
from gateway.referral.identifiers import DecisionId, DeliveryId, Handle, OdsCode, ReferralId
from gateway.referral.model import Hold, IncomingReferral, Referral
from gateway.routing.candidates import Candidate
from gateway.store import decisions
from gateway.store.decisions import Decision
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction

MAX_CODES = 64
"""Codes in one list of a ledger entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the rules said about one candidate, and on which facts."""

    candidate: Candidate
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a decision is about: stage, whose data, which delivery, which exact bytes.

    `payload_sha256` is of the bytes as received (accept), or as they would leave.
    """

    stage: Stage
    practice: OdsCode
    subject: Handle
    referral: ReferralId | None
    delivery: DeliveryId | None
    payload_sha256: str
    actor: str


def consider(
    tx: Transaction,
    gateway: Gateway,
    referral: IncomingReferral,
    candidate: Candidate,
    *,
    practice: OdsCode,
    payload_hash_ok: bool,
) -> Answer:
    """Gather the facts of this moment for one candidate, and decide."""
    directory = DirectoryAsOf(tx, tx.at)
    service = candidate.service
    parties = directory.parties(practice, service.provider if service else None)
    recipient = parties.provider.ods if parties.provider else None
    facts = facts_about(
        referral,
        purpose=candidate.purpose,
        service=service,
        provider=parties.provider,
        practice=parties.practice,
        agreements=parties.agreements,
        reading=read_consents(
            referral.consents,
            recipient=recipient,
            purpose=candidate.purpose,
            organisations=referral.organisations,
            at=tx.at,
        ),
        payload_hash_ok=payload_hash_ok,
        at=tx.at,
    )
    return Answer(candidate=candidate, facts=facts, verdict=decide(facts, gateway.policy))


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
    decisions.add(
        tx,
        Decision(
            id=decision_id,
            stage=about.stage,
            referral=about.referral,
            delivery=about.delivery,
            practice=about.practice,
            subject=about.subject,
            service=service.id if service else None,
            provider=service.provider if service else None,
            purpose=answer.candidate.purpose,
            payload_sha256=about.payload_sha256,
            facts=answer.facts,
            verdict=verdict,
            decided_at=tx.at,
        ),
    )
    rules = tuple(dict.fromkeys(reason.rule for reason in verdict.reasons)) or verdict.grounds
    tx.record(
        DecisionMade(
            actor=about.actor,
            practice=about.practice,
            subject=about.subject,
            decision=decision_id,
            referral=about.referral,
            delivery=about.delivery,
            service=service.id if service else None,
            recipient=service.provider if service else None,
            stage=about.stage,
            effect=LedgerEffect(verdict.effect),
            rule=verdict.primary_rule,
            code=verdict.code,
            rules=rules[:MAX_CODES],
            obligations=verdict.obligations,
            policy=verdict.policy_version,
            payload_sha256=about.payload_sha256,
        )
    )
    return decision_id


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
