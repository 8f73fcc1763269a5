"""Bring one due referral to its service.

What enters: a worker with time on its hands. What leaves: at most one attempt, its release
and its outcome on record. Must never: send without a decision taken in the same transaction
as the release, hold a transaction while the network answers, send after the lease has ended,
or forget a delivery.

"Leaves" means the commit of the release. It holds the gates of the practice, the recipient and
the person, so a withdrawal comes wholly before it or wholly after it; and what it released is
on the wire before the lease ends or not at all. Source: the sharing rules, section 10.
"""

import hashlib
from dataclasses import replace

from gateway.consent.decide import Effect
from gateway.errors import (
    DamagedRecordError,
    DeliveryError,
    KeyMissingError,
    LeaseEndedError,
    MessageError,
)
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey import outage, settle
from gateway.journey.claim import claim_due
from gateway.journey.consider import About, Answer, case_of, consider, keep, now
from gateway.journey.gateway import Gateway, Parcel
from gateway.journey.letters import release_letter
from gateway.journey.outbox import named
from gateway.journey.recall import end_attempt, record_release
from gateway.ledger.entry import DeliveryReleased, RedactionApplied
from gateway.ledger.kinds import Stage
from gateway.ledger.values import Epochs
from gateway.mapping.outgoing import Outgoing, notice_of
from gateway.referral.directory import Endpoint, Service
from gateway.referral.identifiers import DecisionId
from gateway.referral.lifecycle import DeliveryKind, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.routing.candidates import Candidate
from gateway.store import deliveries, details, gates, leased, recalls, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction

ACTOR = "worker"


def deliver_next(worker: str, gateway: Gateway) -> bool:
    """Make one attempt at the delivery whose turn it is.

    Returns: whether there was anything to do.

    Raises:
        StoreUnavailableError, KeyMissingError: as `deliver`.
    """
    claimed = claim_due(worker, gateway)
    for each in claimed:
        deliver(each, gateway)
    return bool(claimed)


def deliver(claimed: Delivery, gateway: Gateway) -> None:
    """Make one attempt at a delivery that this worker has leased.

    1. Start the clock of the attempt, before anything is read.
    --- transaction: release ---
    2. Hold the gates of the practice, the recipient and the person.
    3. Open the bytes as received, and take out what must stay behind.
    4. Decide again, on what is left and the facts of this moment; map it to the exact bytes
       that would leave, and bind the decision to them.
    5. PERMIT: record the release. HOLD or DENY: stop, and record that. (A recall carries
       nothing of the person: its bytes are recorded and released without steps 2 to 4. A letter
       to the practice is put to the write guard as well: `journey.letters`.)
    --- no transaction ---
    6. Send, unless the attempt's time is over; wait for the answer.
    --- transaction: settle ---
    7. Record what came of it: delivered, again later, refused, or given up.
    --- transaction: lane ---
    8. Note whether the destination answers.

    Raises:
        StoreUnavailableError: nothing is lost; the lease ends and another worker takes over.
        KeyMissingError: it waits; the operator must restore the key before the time is up.
    """
    started = gateway.monotonic()
    try:
        parcel = _release(claimed, gateway)
    except (DamagedRecordError, MessageError) as fault:
        settle.unsendable(claimed, fault, gateway)
        return
    except KeyMissingError:
        settle.put_back(claimed, gateway)
        raise
    if parcel is not None:
        deadline = started + gateway.schedule.lease.total_seconds()
        _attempt(parcel, gateway, deadline)


def _release(claimed: Delivery, gateway: Gateway) -> Parcel | None:
    """Steps 2 to 5. None: the rules said no, or the lease was lost; that is on record."""
    with gateway.store.transaction(gateway.clock()) as tx:
        if claimed.kind is DeliveryKind.RECALL:
            return _release_recall(tx, gateway, claimed)
        if claimed.kind is DeliveryKind.LETTER:
            return _release_letter(tx, gateway, claimed)
        fence = gates.hold(tx, claimed.referral, recipient=claimed.provider)
        found = leased.hold_with_body(tx, claimed)
        if found is None or _is_over(tx, gateway, claimed, found.referral):
            return None
        present = found.referral
        service, endpoint = _where(tx, claimed)
        received = found.open(tx.vault)
        incoming = read_referral(read_resource(received))
        answer = consider(
            tx,
            gateway,
            case_of(present, incoming, received, now(tx)),
            Candidate(service=service if endpoint else None, purpose=present.purpose),
        )
        body = _body(gateway, endpoint, answer, present, claimed)
        body_sha256 = hashlib.sha256(body).hexdigest()
        decision = _keep(tx, gateway, answer, present, claimed, body_sha256, fence)
        if answer.verdict.effect is not Effect.PERMIT or endpoint is None:
            settle.stopped(tx, claimed, present, gateway, answer.verdict, decision)
            return None
        _record_redaction(tx, answer, present, claimed, decision, body_sha256)
        released = _leave(tx, gateway, claimed, present)
        entry = _released(released, present, decision, body_sha256)
        tx.record(replace(entry, epochs=fence))
        return _parcel(gateway, released, present, endpoint, body, body_sha256)


def _is_over(tx: Transaction, gateway: Gateway, claimed: Delivery, present: Referral) -> bool:
    """Make no attempt where it was taken back, or where workers keep being lost with it."""
    if because := settle.is_taken_back(tx, claimed, present):
        end_attempt(tx, gateway, claimed, present, actor=ACTOR, because=because)
    elif claimed.lapses and tx.at >= claimed.give_up_at:
        settle.give_up(tx, claimed, present, gateway, reason="NO_WORKER_RETURNED")
    elif claimed.lapses >= gateway.schedule.lapses:
        settle.give_up(tx, claimed, present, gateway, reason="QUARANTINED.WORKERS_LOST")
    else:
        return False
    return True


def _where(tx: Transaction, claimed: Delivery) -> tuple[Service | None, Endpoint | None]:
    directory = DirectoryAsOf(tx, tx.at)
    service = directory.service(claimed.service)
    return service, directory.endpoint(service.endpoint) if service else None


def _leave(tx: Transaction, gateway: Gateway, claimed: Delivery, present: Referral) -> Delivery:
    """Note that the bytes may leave; the referral is on its way."""
    until = tx.at + gateway.schedule.lease + gateway.schedule.margin
    released = deliveries.release(tx, claimed, lease_until=until)
    is_first = present.state is ReferralState.QUEUED
    if claimed.kind is DeliveryKind.REFERRAL and is_first:
        referrals.change(tx, present, replace(present, state=ReferralState.IN_FLIGHT))
    return released


def _parcel(
    gateway: Gateway,
    released: Delivery,
    present: Referral,
    endpoint: Endpoint,
    body: bytes,
    body_sha256: str,
) -> Parcel:
    return Parcel(
        delivery=released,
        referral=present,
        endpoint=endpoint,
        media_type=gateway.writers[endpoint.format].media_type,
        body=body,
        body_sha256=body_sha256,
    )


def _release_recall(tx: Transaction, gateway: Gateway, claimed: Delivery) -> Parcel | None:
    """Record the release of a recall; where its service is gone, a person must tell them."""
    present = leased.hold_still(tx, claimed)
    if present is None or _is_over(tx, gateway, claimed, present):
        return None
    _, endpoint = _where(tx, claimed)
    if endpoint is None:
        settle.give_up(tx, claimed, present, gateway, reason="SERVICE_HAS_NO_ENDPOINT")
        return None
    asked = _asked(tx, claimed)
    body = gateway.writers[endpoint.format].write_recall(present, asked, endpoint)
    sha256 = hashlib.sha256(body).hexdigest()
    released = _leave(tx, gateway, claimed, present)
    record_release(tx, released, present, sha256)
    return _parcel(gateway, released, present, endpoint, body, sha256)


def _release_letter(tx: Transaction, gateway: Gateway, claimed: Delivery) -> Parcel | None:
    """Decide on a letter again, and bind the decision to its bytes: see `journey.letters`."""
    present = leased.hold_still(tx, claimed)
    if present is None or _is_over(tx, gateway, claimed, present):
        return None
    return release_letter(tx, gateway, claimed, present)


def _asked(tx: Transaction, claimed: Delivery) -> Delivery:
    """A recall as its provider reads it: it ends when its answer is due.

    A replay has its whole time again; the bytes under one idempotency key must stay the same.
    """
    told = recalls.find(tx, claimed.id)
    return replace(claimed, give_up_at=told.due) if told else claimed


def _attempt(parcel: Parcel, gateway: Gateway, deadline: float) -> None:
    """Steps 6 to 8. A worker that was paused finds its time over, and sends nothing."""
    lane = parcel.delivery.lane
    try:
        if gateway.monotonic() >= deadline:
            msg = "the attempt's time was over before it began to send"
            raise LeaseEndedError(msg)  # noqa: TRY301  # it ends as one that the destination finds
        destination = gateway.destinations[parcel.endpoint.transport]
        acknowledged = destination.send(parcel, deadline=deadline)
    except LeaseEndedError:
        settle.expired(parcel.delivery, gateway)
    except DeliveryError as failure:
        settle.failed(parcel.delivery, failure, gateway)
        outage.failed(lane, failure, gateway)
    else:
        settle.delivered(parcel.delivery, acknowledged, gateway)
        outage.answered(lane, gateway)


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
    return gateway.writers[endpoint.format].write(outgoing, present, claimed, endpoint)


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
    fence: Epochs,
) -> DecisionId:
    service = answer.candidate.service
    about = About(
        stage=Stage.RELEASE,
        practice=present.practice,
        subject=present.subject,
        referral=present.id,
        delivery=claimed.id,
        payload_sha256=body_sha256,
        actor=ACTOR,
        epochs=fence if service and service.provider == claimed.provider else None,
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
