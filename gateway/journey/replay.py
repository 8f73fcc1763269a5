"""Decide again about a held referral, at an operator's order.

What enters: a reference. What leaves: a queued delivery, or the hold as it now stands, or a
closed referral. A replay walks the same corridor as any other release: it decides here, and
again when the worker sends; it can never make a decision milder.
"""

from dataclasses import replace

from gateway.consent.decide import Effect, Verdict
from gateway.errors import IllegalMoveError
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.accept import queue
from gateway.journey.consider import (
    About,
    case_of,
    consider,
    hold_for,
    keep,
    now,
    record_hold,
)
from gateway.journey.gateway import Gateway
from gateway.journey.outbox import named
from gateway.journey.recall import queue_recall
from gateway.ledger.entry import DeliveryReplayed, HoldResolved, ReferralClosed
from gateway.ledger.kinds import Stage
from gateway.referral.directory import Service
from gateway.referral.identifiers import DecisionId, DeliveryId, ReferralReference
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.routing.candidates import Candidate
from gateway.store import decisions, deliveries, feeds, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

ACTOR = "operator"
_NOT_BROUGHT = (DeliveryState.REFUSED, DeliveryState.DEAD_LETTERED)


def replay_referral(reference: ReferralReference, gateway: Gateway) -> Referral:
    """Decide again about one held referral, and act on the answer.

    --- one transaction ---
    1. Check that it is held. Where that is because a recall could not be brought, that is
       tried again, and nothing else.
    2. Decide on the bytes as received and the facts of this moment.
    3. PERMIT: resolve the hold and queue the delivery (again). HOLD: the hold stands, with
       today's reason. DENY: resolve the hold and close the referral.
    --- end ---

    Raises:
        NotFoundError: no referral has this reference.
        IllegalMoveError: it is not held: it is on its way, delivered or closed.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        present = referrals.find_reference(tx, reference)
        if present.state is not ReferralState.HELD or present.hold is None:
            msg = f"{reference} is {present.state}, not held; there is nothing to replay"
            raise IllegalMoveError(msg)
        if _unbrought_recalls(tx, present):
            return _recall_again(tx, gateway, present)
        return _decide_again(tx, gateway, present)


def _decide_again(tx: Transaction, gateway: Gateway, present: Referral) -> Referral:
    """Steps 2 and 3."""
    service = DirectoryAsOf(tx, tx.at).service(present.service)
    received = referrals.body_of(tx, present.id)
    incoming = read_referral(read_resource(received))
    answer = consider(
        tx,
        gateway,
        case_of(present, incoming, received, now(tx)),
        Candidate(service=service, purpose=present.purpose),
    )
    earlier = _earlier(tx, present)
    delivery_id = earlier[0].id if earlier else DeliveryId.of(gateway.new_uuid())
    decision = keep(
        tx,
        gateway,
        answer,
        About(
            stage=Stage.REPLAY,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            delivery=delivery_id,
            payload_sha256=present.body_sha256,
            actor=ACTOR,
        ),
    )
    _record_resolution(tx, present, decision, f"DECIDED.{answer.verdict.effect}")
    if answer.verdict.effect is Effect.PERMIT and service is not None:
        return _queue(tx, gateway, present, service, decision, delivery_id, earlier)
    return _stop(tx, gateway, present, answer.verdict, decision)


def _earlier(tx: Transaction, present: Referral) -> list[Delivery]:
    """Find the delivery to this service, if one was queued before."""
    return [
        d
        for d in deliveries.of_referral(tx, present.id)
        if d.service == present.service and d.kind is DeliveryKind.REFERRAL
    ]


def _recall_again(tx: Transaction, gateway: Gateway, present: Referral) -> Referral:
    """Queue every recall that could not be brought."""
    recalling = replace(present, state=ReferralState.RECALLING, hold=None)
    referrals.change(tx, present, recalling)
    _record_resolution(tx, present, decisions.last_of(tx, present.id), "RECALLED_AGAIN")
    for each in _unbrought_recalls(tx, present):
        _again(tx, gateway, present, each)
    return recalling


def _unbrought_recalls(tx: Transaction, present: Referral) -> list[Delivery]:
    return [
        d
        for d in deliveries.of_referral(tx, present.id)
        if d.kind is DeliveryKind.RECALL and d.state in _NOT_BROUGHT
    ]


def _queue(
    tx: Transaction,
    gateway: Gateway,
    present: Referral,
    service: Service,
    decision: DecisionId,
    delivery_id: DeliveryId,
    earlier: list[Delivery],
) -> Referral:
    queued = replace(present, state=ReferralState.QUEUED, hold=None)
    referrals.change(tx, present, queued)
    if not earlier:
        queue(tx, gateway, queued, service, decision, actor=ACTOR, delivery_id=delivery_id)
        return queued
    _again(tx, gateway, present, earlier[0])
    return queued


def _again(tx: Transaction, gateway: Gateway, present: Referral, earlier: Delivery) -> None:
    """Queue an earlier delivery once more, due at once."""
    again = replace(
        earlier,
        state=DeliveryState.QUEUED,
        next_at=tx.at,
        give_up_at=tx.at + gateway.schedule.horizon,
        lapses=0,
        reason=earlier.reason if earlier.kind is DeliveryKind.RECALL else None,
    )
    deliveries.change(tx, earlier, again)
    if again.kind is DeliveryKind.RECALL:
        feeds.append(tx, again.provider, FeedKind.CHANGED, again.id)
    tx.record(
        DeliveryReplayed(
            **named(again, present, actor=ACTOR),
            reason="OPERATOR_ORDER",
            next_at=again.next_at,
        )
    )


def _stop(
    tx: Transaction, gateway: Gateway, present: Referral, verdict: Verdict, decision: DecisionId
) -> Referral:
    if verdict.effect is Effect.HOLD:
        held = replace(present, hold=hold_for(verdict, tx, gateway))
        referrals.change(tx, present, held)
        record_hold(tx, held, decision=decision, delivery=None, actor=ACTOR)
        return held
    reached = [d for d in deliveries.of_referral(tx, present.id) if d.may_have_arrived]
    if reached:
        recalling = replace(present, state=ReferralState.RECALLING, hold=None)
        referrals.change(tx, present, recalling)
        for each in reached:
            queue_recall(tx, gateway, each, recalling, actor=ACTOR, cause=verdict.code_outside)
        return recalling
    closed = replace(present, state=ReferralState.CLOSED, hold=None, closed_because=verdict.code)
    referrals.change(tx, present, closed)
    tx.record(
        ReferralClosed(
            actor=ACTOR,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            reason=verdict.code,
        )
    )
    return closed


def _record_resolution(
    tx: Transaction, present: Referral, decision: DecisionId, resolution: str
) -> None:
    """The old hold ends with this decision; where it still holds, a new one opens."""
    if present.hold is None:
        msg = "a held referral has a hold"
        raise AssertionError(msg)
    tx.record(
        HoldResolved(
            actor=ACTOR,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            decision=decision,
            delivery=None,
            code=present.hold.code,
            resolution=resolution,
        )
    )
