"""Bring one due referral to its service.

What enters: a worker with time on its hands. What leaves: at most one attempt, its release
and its outcome on record. Must never: send without a decision taken in the same transaction
as the release, hold a transaction while the network answers, send after the lease has ended,
or forget a delivery.

The claim is committed before anything is opened, so a message that kills its worker costs
one lease and never blocks those behind it.
"""

import hashlib
from dataclasses import replace

from gateway.consent.decide import Effect
from gateway.errors import DamagedRecordError, DeliveryError, MessageError
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey import settle
from gateway.journey.consider import About, Answer, case_of, consider, keep, now
from gateway.journey.gateway import Gateway, Parcel
from gateway.journey.outbox import named
from gateway.journey.recall import end_attempt, record_release
from gateway.ledger.entry import DeliveryLeaseLapsed, DeliveryReleased, RedactionApplied
from gateway.ledger.kinds import Stage
from gateway.mapping.outgoing import Outgoing, notice_of
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import DecisionId
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.routing.candidates import Candidate
from gateway.store import deliveries, details, gates, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction

ACTOR = "worker"


def deliver_next(worker: str, gateway: Gateway) -> bool:
    """Make one attempt at the delivery that is due longest.

    --- transaction: claim ---
    1. Lease the delivery; note it if its last worker did not come back.
    --- transaction: release ---
    2. Open the bytes as received, and take out what must stay behind.
    3. Decide again, on what is left and the facts of this moment; map it to the exact bytes
       that would leave, and bind the decision to them.
    4. PERMIT: record the release. HOLD or DENY: stop, and record that. (A recall carries
       nothing of the person: its bytes are recorded and released without steps 2 and 3.)
    --- no transaction ---
    5. Send, unless too little of the lease is left; wait for the answer.
    --- transaction: settle ---
    6. Record what came of it: delivered, again later, refused, or given up.

    Returns: whether there was anything to do.

    Raises:
        StoreUnavailableError: nothing is lost; the lease ends and another worker takes over.
        KeyMissingError: as above; the operator must restore the key before the time is up.
    """
    claimed = _claim(worker, gateway)
    if claimed is None:
        return False
    try:
        parcel = _release(claimed, gateway)
    except (DamagedRecordError, MessageError):
        settle.unsendable(claimed, gateway)
        return True
    if parcel is not None:
        _attempt(parcel, gateway)
    return True


def _claim(worker: str, gateway: Gateway) -> Delivery | None:
    with gateway.store.transaction(gateway.clock()) as tx:
        taken = deliveries.claim(tx, worker=worker, lease=gateway.schedule.lease)
        if taken is None:
            return None
        before, claimed = taken
        present = referrals.get(tx, claimed.referral)
        if before.state is DeliveryState.IN_FLIGHT and before.lease_until is not None:
            tx.record(
                DeliveryLeaseLapsed(
                    **named(before, present, actor=ACTOR),
                    attempt=before.attempts,
                    lease_until=before.lease_until,
                )
            )
            if tx.at >= before.give_up_at or settle.is_taken_back(claimed, present):
                # The version moves on with it, so the release below finds the lease gone.
                settle.give_up(tx, claimed, present, gateway, reason="NO_WORKER_RETURNED")
        elif claimed.kind is DeliveryKind.REFERRAL:
            referrals.change(tx, present, replace(present, state=ReferralState.IN_FLIGHT))
        return claimed


def _release(claimed: Delivery, gateway: Gateway) -> Parcel | None:
    """Steps 2 to 4. None: the rules said no, or the lease was lost; that is on record."""
    with gateway.store.transaction(gateway.clock()) as tx:
        if not deliveries.is_still_leased(tx, claimed):
            return None
        present = referrals.hold_still(tx, claimed.referral)
        directory = DirectoryAsOf(tx, tx.at)
        service = directory.service(claimed.service)
        endpoint = directory.endpoint(service.endpoint) if service else None
        if claimed.kind is DeliveryKind.RECALL:
            return _release_recall(tx, gateway, claimed, present, endpoint)
        if present.is_cancelled:
            end_attempt(tx, gateway, claimed, present, actor=ACTOR)
            return None
        received = referrals.body_of(tx, present.id)
        incoming = read_referral(read_resource(received))
        answer = consider(
            tx,
            gateway,
            case_of(present, incoming, received, now(tx)),
            Candidate(service=service if endpoint else None, purpose=present.purpose),
        )
        body = _body(gateway, endpoint, answer, present, claimed)
        body_sha256 = hashlib.sha256(body).hexdigest()
        decision = _keep(tx, gateway, answer, present, claimed, body_sha256)
        if answer.verdict.effect is not Effect.PERMIT or endpoint is None:
            settle.stopped(tx, claimed, present, gateway, answer.verdict, decision)
            return None
        _record_redaction(tx, answer, present, claimed, decision, body_sha256)
        fence = gates.epochs(
            tx,
            practice=present.practice,
            recipient=claimed.provider,
            subject=present.subject,
        )
        tx.record(replace(_released(claimed, present, decision, body_sha256), epochs=fence))
        return Parcel(
            delivery=claimed,
            referral=present,
            endpoint=endpoint,
            body=body,
            body_sha256=body_sha256,
        )


def _release_recall(
    tx: Transaction,
    gateway: Gateway,
    claimed: Delivery,
    present: Referral,
    endpoint: Endpoint | None,
) -> Parcel | None:
    """Record the release of a recall; where its service is gone, a person must tell them."""
    if endpoint is None:
        settle.give_up(tx, claimed, present, gateway, reason="SERVICE_HAS_NO_ENDPOINT")
        return None
    body = gateway.destinations[endpoint.transport].prepare_recall(present, claimed)
    sha256 = hashlib.sha256(body).hexdigest()
    record_release(tx, claimed, present, sha256)
    return Parcel(
        delivery=claimed, referral=present, endpoint=endpoint, body=body, body_sha256=sha256
    )


def _attempt(parcel: Parcel, gateway: Gateway) -> None:
    """Steps 5 and 6. Whatever the clock says, nothing is sent once the lease has ended."""
    lease_until = parcel.delivery.lease_until
    left = (lease_until - gateway.clock()) if lease_until else gateway.schedule.lease
    destination = gateway.destinations[parcel.endpoint.transport]
    try:
        acknowledged = destination.send(parcel, timeout=left - gateway.schedule.margin)
    except DeliveryError as failure:
        settle.failed(parcel.delivery, failure, gateway)
    else:
        settle.delivered(parcel.delivery, acknowledged, gateway)


def _body(
    gateway: Gateway,
    endpoint: Endpoint | None,
    answer: Answer,
    present: Referral,
    claimed: Delivery,
) -> bytes:
    """Map what may leave; nothing is mapped where there is nowhere to send it, or nothing left."""
    minimised = answer.minimised
    if endpoint is None or minimised.tree is None:
        return b""
    notice = notice_of(
        minimised.withheld, policy_version=answer.verdict.policy_version, by=gateway.ods
    )
    outgoing = Outgoing(tree=minimised.tree, notice=notice)
    return gateway.destinations[endpoint.transport].prepare(outgoing, present, claimed)


def _record_redaction(
    tx: Transaction,
    answer: Answer,
    present: Referral,
    claimed: Delivery,
    decision: DecisionId,
    body_sha256: str,
) -> None:
    """Record that something was taken out, and for which duties; what it was is sealed."""
    done = answer.minimised.withheld.duties & set(answer.verdict.obligations)
    if done:
        applied = RedactionApplied(
            **named(claimed, present, actor=ACTOR),
            decision=decision,
            obligations=tuple(sorted(done)),
            payload_sha256=body_sha256,
        )
        taken_out = answer.minimised.withheld.taken_out
        told = [{"type": each.type, "why": each.why} for each in taken_out]
        details.record(tx, applied, {"taken_out": told})


def _keep(
    tx: Transaction,
    gateway: Gateway,
    answer: Answer,
    present: Referral,
    claimed: Delivery,
    body_sha256: str,
) -> DecisionId:
    about = About(
        stage=Stage.RELEASE,
        practice=present.practice,
        subject=present.subject,
        referral=present.id,
        delivery=claimed.id,
        payload_sha256=body_sha256,
        actor=ACTOR,
    )
    return keep(tx, gateway, answer, about)


def _released(
    claimed: Delivery, present: Referral, decision: DecisionId, body_sha256: str
) -> DeliveryReleased:
    if claimed.lease_until is None:
        msg = "a claimed delivery has a lease"
        raise AssertionError(msg)
    return DeliveryReleased(
        **named(claimed, present, actor=ACTOR),
        decision=decision,
        attempt=claimed.attempts,
        payload_sha256=body_sha256,
        lease_until=claimed.lease_until,
    )
