"""Take one referral through the front door.

What enters: an authenticated envelope and what was read from its bytes. What leaves: a
receipt, or a refusal that is already on record. Must never: answer before the commit, or
store a referral without its decision, its ledger entries and its next step.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.consent.decide import Effect, Verdict
from gateway.errors import (
    ConsentRefusedError,
    DuplicateRequestError,
    NotTheRequesterError,
)
from gateway.journey.consider import About, Answer, best, consider, hold_for, keep, record_hold
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import DeliveryQueued, ReferralReceived, ReferralRejected
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.ledger.kinds import Stage
from gateway.referral.directory import Service
from gateway.referral.identifiers import (
    REFERENCE_SYSTEM,
    DecisionId,
    DeliveryId,
    Handle,
    ReferralId,
)
from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.referral.model import (
    Delivery,
    Envelope,
    Identifier,
    IncomingReferral,
    Receipt,
    Referral,
)
from gateway.routing.candidates import Candidate, candidates
from gateway.store import deliveries, persons, referrals, requests
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.store.requests import Refusal


def accept_referral(referral: IncomingReferral, envelope: Envelope, gateway: Gateway) -> Receipt:
    """Take one referral through the front door.

    1. Check that the organisation that asks is the one that authenticated.
    --- one transaction ---
    2. Claim the request id; if this sender has sent it before, return the first answer.
    3. Meet the person under a handle.
    4. Choose candidate services, decide for each in turn, and keep the best answer.
    5. DENY: note the refusal. PERMIT: store the referral and queue its delivery.
       HOLD: store the referral and open a hold that has an owner.
    --- end ---
    6. Answer with a receipt that the sender can quote, or with the refusal.

    Raises:
        NotTheRequesterError: the message names another organisation as its requester.
        DuplicateRequestError: the request id was used for another message.
        UnsupportedMessageError: no service takes this kind of referral.
        ConsentRefusedError: the rules said DENY; it is on record, nothing is stored.
        StoreUnavailableError: nothing was written; the sender may send it again.
    """
    if referral.requester != envelope.sender.ods:
        raise NotTheRequesterError(
            "ServiceRequest.requester",
            "The requester's organisation is not the one that authenticated.",
        )
    try:
        outcome = _accept(referral, envelope, gateway)
    except DuplicateRequestError:
        repeated = first_answer(envelope, gateway)
        if repeated is None:
            raise
        return repeated
    if isinstance(outcome, Refusal):
        raise _refused(outcome)
    return Receipt(referral=outcome, repeated=False)


def first_answer(envelope: Envelope, gateway: Gateway) -> Receipt | None:
    """Return what this sender's request was answered with before; None if it is new.

    Raises:
        DuplicateRequestError: the request id was used for another message.
        ConsentRefusedError: the first answer was a refusal.
    """
    with gateway.store.reading() as view:
        before = requests.find(view, envelope.sender.client, envelope.request_id)
        if before is None:
            return None
        if before.body_sha256 != envelope.body_sha256:
            msg = "X-Request-Id was used before for another message. Use a new one."
            raise DuplicateRequestError(msg)
        if before.refusal is not None:
            raise _refused(before.refusal)
        if before.referral is None:
            return None
        return Receipt(referral=referrals.get(view, before.referral), repeated=True)


def reject(envelope: Envelope, codes: Sequence[str], gateway: Gateway) -> None:
    """Record that an authenticated sender's message was refused at the door."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            ReferralRejected(
                actor=envelope.sender.client,
                practice=envelope.sender.ods,
                door=LedgerDoor(envelope.door),
                request_sha256=envelope.body_sha256,
                codes=tuple(dict.fromkeys(codes))[:64],
            )
        )


def candidates_for(
    tx: Transaction, referral: IncomingReferral, envelope: Envelope
) -> list[Candidate]:
    """List the services that could take this referral, from the directory as of now."""
    directory = DirectoryAsOf(tx, tx.at)
    if referral.service_asked is not None:
        known = directory.service_known_as(referral.service_asked)
        return candidates(referral, [known] if known else [], None)
    practice = directory.practice(envelope.sender.ods)
    return candidates(referral, directory.services(), practice.commissioner if practice else None)


def _accept(referral: IncomingReferral, envelope: Envelope, gateway: Gateway) -> Referral | Refusal:
    """Steps 2 to 5, in one transaction."""
    with gateway.store.transaction(gateway.clock()) as tx:
        referral_id = ReferralId.of(gateway.new_uuid())
        requests.claim(tx, envelope, referral_id)
        practice = envelope.sender.ods
        subject = persons.meet(tx, practice, referral.patient.nhs_number)
        answer = best(
            [
                consider(tx, gateway, referral, each, practice=practice, payload_hash_ok=True)
                for each in candidates_for(tx, referral, envelope)
            ]
        )
        about = About(
            stage=Stage.ACCEPT,
            practice=practice,
            subject=subject,
            referral=None,
            delivery=None,
            payload_sha256=envelope.body_sha256,
            actor=envelope.sender.client,
        )
        service = answer.candidate.service
        if answer.verdict.effect is Effect.DENY or service is None:
            keep(tx, gateway, answer, about)
            refusal = _refusal(answer.verdict)
            requests.refuse(tx, envelope, refusal)
            return refusal
        accepted = _new_referral(tx, gateway, envelope, referral_id, subject, answer, service)
        _store(tx, accepted, envelope, referral)
        decision = keep(tx, gateway, answer, replace(about, referral=accepted.id))
        if accepted.hold is not None:
            record_hold(tx, accepted, decision=decision, delivery=None, actor=about.actor)
        else:
            queue(tx, gateway, accepted, service, decision, actor=about.actor)
        return accepted


def _new_referral(
    tx: Transaction,
    gateway: Gateway,
    envelope: Envelope,
    referral_id: ReferralId,
    subject: Handle,
    answer: Answer,
    service: Service,
) -> Referral:
    is_held = answer.verdict.effect is Effect.HOLD
    return Referral(
        id=referral_id,
        reference=gateway.new_reference(),
        practice=envelope.sender.ods,
        sender=envelope.sender.client,
        subject=subject,
        door=envelope.door,
        request_id=envelope.request_id,
        correlation_id=envelope.correlation_id,
        purpose=answer.candidate.purpose,
        service=service.id,
        provider=service.provider,
        state=ReferralState.HELD if is_held else ReferralState.QUEUED,
        hold=hold_for(answer.verdict, tx, gateway) if is_held else None,
        closed_because=None,
        body_sha256=envelope.body_sha256,
        version=1,
        received_at=tx.at,
        updated_at=tx.at,
    )


def _store(
    tx: Transaction,
    accepted: Referral,
    envelope: Envelope,
    referral: IncomingReferral,
) -> None:
    own = Identifier(REFERENCE_SYSTEM, accepted.reference)
    referrals.add(tx, accepted, envelope.body, [*referral.identifiers, own])
    tx.record(
        ReferralReceived(
            actor=envelope.sender.client,
            practice=accepted.practice,
            subject=accepted.subject,
            referral=accepted.id,
            door=LedgerDoor(envelope.door),
            request_sha256=envelope.body_sha256,
        )
    )


def queue(
    tx: Transaction,
    gateway: Gateway,
    accepted: Referral,
    service: Service,
    decision: DecisionId,
    *,
    actor: str,
    delivery_id: DeliveryId | None = None,
) -> Delivery:
    """Queue a permitted referral for one service, due at once."""
    new = Delivery(
        id=delivery_id or DeliveryId.of(gateway.new_uuid()),
        referral=accepted.id,
        service=service.id,
        provider=service.provider,
        state=DeliveryState.QUEUED,
        attempts=0,
        next_at=tx.at,
        give_up_at=tx.at + gateway.schedule.horizon,
        lease_owner=None,
        lease_until=None,
        reason=None,
        version=1,
        created_at=tx.at,
        updated_at=tx.at,
    )
    deliveries.add(tx, new)
    tx.record(
        DeliveryQueued(
            actor=actor,
            practice=accepted.practice,
            subject=accepted.subject,
            referral=accepted.id,
            delivery=new.id,
            recipient=new.provider,
            decision=decision,
            service=new.service,
            next_at=new.next_at,
        )
    )
    return new


def _refusal(verdict: Verdict) -> Refusal:
    reason = verdict.primary
    if reason is None:
        msg = "a refusal has a reason"
        raise AssertionError(msg)
    return Refusal(
        code=reason.code,
        spine_code=reason.spine_code,
        external_text=reason.external_text,
        remedy=reason.remedy,
    )


def _refused(refusal: Refusal) -> ConsentRefusedError:
    return ConsentRefusedError(
        code=refusal.code,
        spine_code=refusal.spine_code,
        external_text=refusal.external_text,
        remedy=refusal.remedy,
    )
