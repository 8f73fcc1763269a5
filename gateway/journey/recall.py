"""Tell a service that may have a referral that its sender took it back.

What enters: a delivery that arrived, or may have. What leaves: a recall, queued: a delivery
of its own that carries no patient data, is tried like any other, and closes the referral
once the service has it. Source: reference sharing rules, release protocol; FHIR Task, code
abort.
"""

from dataclasses import replace

from gateway.journey.gateway import Acknowledgement, Gateway
from gateway.journey.outbox import To, named, put
from gateway.ledger.entry import (
    DeliveryReplayed,
    DeliveryStopped,
    RecallQueued,
    RecallReleased,
    RecallSent,
    ReferralClosed,
)
from gateway.referral.lifecycle import CANCELLED, DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.referral.withdrawals import Recall
from gateway.store import deliveries, feeds, recalls, referrals
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

_NOT_BROUGHT = (DeliveryState.REFUSED, DeliveryState.DEAD_LETTERED)


def queue_recall(
    tx: Transaction,
    gateway: Gateway,
    recalled: Delivery,
    present: Referral,
    *,
    actor: str,
    cause: str = CANCELLED,
) -> bool:
    """Queue word for the service of a delivery, due at once, and once only.

    The recall's `reason` stays its cause, whatever becomes of its attempts. One that could not
    be brought is tried again. Returns: whether word goes out because of this.
    """
    told = recalls.of_deliveries(tx, [recalled.id]).get(recalled.id)
    if told is not None:
        earlier = deliveries.lock(tx, told.id)
        if earlier.state not in _NOT_BROUGHT:
            return False
        _bring_again(tx, gateway, earlier, present, actor=actor, reason=cause)
        return True
    recall = put(
        tx,
        gateway,
        recalled.referral,
        kind=DeliveryKind.RECALL,
        to=To(service=recalled.service, provider=recalled.provider, lane=recalled.lane),
        reason=cause,
    )
    tx.record(
        RecallQueued(
            **named(recall, present, actor=actor),
            recalled=recalled.id,
            cause=cause,
            next_at=recall.next_at,
        )
    )
    due = tx.at + gateway.schedule.recall_due
    recalls.add(tx, Recall(id=recall.id, recalled=recalled.id, cause=cause, due=due))
    feeds.append(tx, recall.provider, FeedKind.RECALL, recall.id)
    return True


def _bring_again(
    tx: Transaction,
    gateway: Gateway,
    earlier: Delivery,
    present: Referral,
    *,
    actor: str,
    reason: str,
) -> None:
    again = replace(
        earlier,
        state=DeliveryState.QUEUED,
        next_at=tx.at,
        give_up_at=tx.at + gateway.schedule.horizon,
        lapses=0,
    )
    deliveries.change(tx, earlier, again)
    feeds.append(tx, again.provider, FeedKind.CHANGED, again.id)
    tx.record(
        DeliveryReplayed(**named(again, present, actor=actor), reason=reason, next_at=again.next_at)
    )


def has_not_left(delivery: Delivery) -> bool:
    """Whether it waits, or its worker has not released it yet: then it can be stopped."""
    return delivery.state is DeliveryState.QUEUED or (
        delivery.state is DeliveryState.IN_FLIGHT and delivery.released_at is None
    )


def stop(
    tx: Transaction,
    present: Delivery,
    referral: Referral,
    *,
    actor: str,
    reason: str = CANCELLED,
) -> None:
    """Make no further attempt at a delivery that was taken back."""
    stopped = replace(
        present,
        state=DeliveryState.STOPPED,
        lease_owner=None,
        lease_until=None,
        released_at=None,
        reason=reason,
    )
    deliveries.change(tx, present, stopped)
    tx.record(
        DeliveryStopped(
            **named(present, referral, actor=actor),
            attempt=present.attempts,
            reason=reason,
        )
    )


def end_attempt(
    tx: Transaction,
    gateway: Gateway,
    ended: Delivery,
    present: Referral,
    *,
    actor: str,
    because: str = CANCELLED,
) -> None:
    """Go on with a referral taken back, whose last attempt has ended: recall it, or close it.

    `ended` is as it was while in flight; where it may have arrived, `may_have_arrived` is set.
    """
    stop(tx, ended, present, actor=actor, reason=because)
    if ended.may_have_arrived:
        queue_recall(tx, gateway, ended, present, actor=actor, cause=because)
        referrals.change(tx, present, replace(present, state=ReferralState.RECALLING))
    else:
        close_cancelled(tx, present, present, actor=actor, because=because)


def close_cancelled(
    tx: Transaction,
    present: Referral,
    cancelled: Referral,
    *,
    actor: str,
    because: str = CANCELLED,
) -> Referral:
    """Nobody has it, or everybody who may have it was told: it is over.

    `present` is the referral as stored, `cancelled` what it has become.
    """
    closed = replace(cancelled, state=ReferralState.CLOSED, hold=None, closed_because=because)
    referrals.change(tx, present, closed)
    tx.record(
        ReferralClosed(
            actor=actor,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            reason=because,
        )
    )
    return closed


def record_release(tx: Transaction, claimed: Delivery, present: Referral, sha256: str) -> None:
    """Record that exactly these bytes of a recall may leave now."""
    if claimed.lease_until is None:
        msg = "a claimed delivery has a lease"
        raise AssertionError(msg)
    tx.record(
        RecallReleased(
            **named(claimed, present, actor="worker"),
            attempt=claimed.attempts,
            payload_sha256=sha256,
            lease_until=claimed.lease_until,
        )
    )


def sent(
    tx: Transaction, claimed: Delivery, present: Referral, acknowledged: Acknowledgement
) -> None:
    """The service has the recall; once all recalls are brought, the referral is over here."""
    tx.record(
        RecallSent(
            **named(claimed, present, actor="worker"),
            attempt=claimed.attempts,
            status=acknowledged.status,
        )
    )
    recalls.note_sent(tx, claimed.id)
    live = (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT)
    others = [d for d in deliveries.of_referral(tx, present.id) if d.id != claimed.id]
    is_last = not any(d.kind is DeliveryKind.RECALL and d.state in live for d in others)
    if is_last and present.state is ReferralState.RECALLING:
        cause = claimed.reason or CANCELLED
        close_cancelled(tx, present, present, actor="worker", because=cause)
