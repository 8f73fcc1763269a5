"""Take one referral through the front door.

What enters: an authenticated envelope and what was read from its bytes. What leaves: a
receipt, or a refusal that is already on record. Must never: answer before the commit, or
store a referral without its decision, its ledger entries and its next step.
"""

from dataclasses import replace
from datetime import datetime

from gateway.consent.decide import Effect, SpineCode, Verdict
from gateway.errors import NotTheRequesterError, PreconditionFailedError
from gateway.fhir.demographics import demographic_names
from gateway.fhir.references import index
from gateway.journey.consider import (
    About,
    Answer,
    Case,
    best,
    consider,
    hold_for,
    keep,
    now,
    record_hold,
)
from gateway.journey.gateway import Gateway
from gateway.journey.outbox import To, named, put
from gateway.journey.reply import settle_replied
from gateway.journey.take_up import refused
from gateway.ledger.entry import DeliveryQueued, ReferralReceived
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.ledger.kinds import Stage
from gateway.referral.directory import Service
from gateway.referral.identifiers import (
    REFERENCE_SYSTEM,
    DecisionId,
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
)
from gateway.referral.lifecycle import (
    DeliveryKind,
    ReferralState,
    RequestStatus,
)
from gateway.referral.model import (
    Delivery,
    Envelope,
    Identifier,
    IncomingReferral,
    Receipt,
    Referral,
)
from gateway.routing.candidates import Candidate, candidates
from gateway.store import details, persons, referrals, requests
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction
from gateway.store.requests import Refusal


def accept_referral(
    referral: IncomingReferral,
    envelope: Envelope,
    gateway: Gateway,
    *,
    unless: Identifier | None = None,
) -> Receipt:
    """Take one referral through the front door; its request id is claimed (see `take_up`).

    1. Check that the organisation that asks is the one that authenticated.
    --- one transaction ---
    2. Where the sender asks for it (`unless`), look whether it is here under that name.
    3. Meet the person under a handle.
    4. Choose candidate services, decide for each in turn, and keep the best answer.
    5. DENY: note the refusal. PERMIT: store the referral and queue its delivery.
       HOLD: store the referral and open a hold that has an owner.
    6. Note what the request came to.
    --- end ---
    7. Answer with a receipt that the sender can quote, or with the refusal.

    Raises:
        NotTheRequesterError: the message names another organisation as its requester.
        UnsupportedMessageError: no service takes this kind of referral.
        PreconditionFailedError: more than one referral has the name that was asked about.
        ConsentRefusedError: the rules said DENY; it is on record, nothing is stored.
        StoreUnavailableError, TooSlowError: nothing was written; it may be sent again.
    """
    if referral.requester != envelope.sender.ods:
        raise NotTheRequesterError(
            "ServiceRequest.requester",
            "The requester's organisation is not the one that authenticated.",
        )
    with gateway.store.transaction(gateway.clock(), answer_by=envelope.answer_by) as tx:
        outcome = _find(tx, envelope, unless) or _accept(tx, referral, envelope, gateway)
        if isinstance(outcome, Refusal):
            requests.settle(tx, envelope, refusal=outcome)
        else:
            requests.settle(tx, envelope, referral=outcome.referral.id)
    if isinstance(outcome, Refusal):
        raise refused(outcome)
    return outcome


def _find(tx: Transaction, envelope: Envelope, name: Identifier | None) -> Receipt | None:
    """Find the one referral of the sender's organisation that has a name already."""
    found = referrals.find_named(tx, envelope.sender.ods, [name]) if name else []
    if len(found) > 1:
        msg = "more than one referral has this identifier"
        raise PreconditionFailedError(msg)
    return Receipt(referral=referrals.get(tx, found[0]), found=True) if found else None


def candidates_for(
    view: Reading | Transaction, referral: IncomingReferral, sender: OdsCode, at: datetime
) -> list[Candidate]:
    """List the services that could take this referral, from the directory as of an instant."""
    directory = DirectoryAsOf(view, at)
    if referral.service_asked is not None:
        known = directory.service_known_as(referral.service_asked)
        return candidates(referral, [known] if known else [], None)
    practice = directory.practice(sender)
    return candidates(referral, directory.services(), practice.commissioner if practice else None)


def _accept(
    tx: Transaction, referral: IncomingReferral, envelope: Envelope, gateway: Gateway
) -> Receipt | Refusal:
    """Steps 3 to 5."""
    practice = envelope.sender.ods
    subject = persons.meet(tx, practice, referral.patient.nhs_number)
    case = Case(
        referral=referral,
        practice=practice,
        subject=subject,
        received_at=tx.at,
        payload_hash_ok=True,
        moment=now(tx),
    )
    found = candidates_for(tx, referral, practice, tx.at)
    answer = best([consider(tx, gateway, case, each) for each in found])
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
        return _refusal(answer.verdict)
    accepted = _new_referral(tx, gateway, envelope, subject, answer, service)
    _store(tx, accepted, envelope, referral)
    decision = keep(tx, gateway, answer, replace(about, referral=accepted.id))
    if accepted.hold is not None:
        record_hold(tx, accepted, decision=decision, delivery=None, actor=about.actor)
    else:
        queue(tx, gateway, accepted, service, decision, actor=about.actor)
        settle_replied(tx, accepted, referral, actor=about.actor)
    return Receipt(referral=accepted, withheld=len(answer.minimised.withheld.openly))


def _new_referral(
    tx: Transaction,
    gateway: Gateway,
    envelope: Envelope,
    subject: Handle,
    answer: Answer,
    service: Service,
) -> Referral:
    is_held = answer.verdict.effect is Effect.HOLD
    return Referral(
        id=ReferralId.of(gateway.new_uuid()),
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
        status=RequestStatus.ACTIVE,
        content_version=1,
        content_at=tx.at,
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
    people = index(referral.tree).of_type("Patient")
    names = [name for each in people for name in demographic_names(each.resource)]
    referrals.add(tx, accepted, envelope.body, [*referral.identifiers, own, *names])
    received = ReferralReceived(
        actor=envelope.sender.client,
        practice=accepted.practice,
        subject=accepted.subject,
        referral=accepted.id,
        door=LedgerDoor(envelope.door),
        request_sha256=envelope.body_sha256,
    )
    details.record(tx, received, envelope.told)


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
    new = put(
        tx,
        gateway,
        accepted.id,
        kind=DeliveryKind.REFERRAL,
        to=To(service=service.id, provider=service.provider, lane=service.endpoint),
        reason=None,
        delivery_id=delivery_id,
    )
    tx.record(
        DeliveryQueued(
            **named(new, accepted, actor=actor),
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
        code=verdict.code_outside,
        spine_code=SpineCode.ACCESS_DENIED if verdict.tells_nothing else reason.spine_code,
        external_text=reason.external_text,
        remedy="" if verdict.tells_nothing else reason.remedy,
    )
