"""How an attempt ends: delivered, again later, refused, stopped by the rules, or given up.

What enters: a claimed delivery and what came of it. What leaves: the delivery's and the
referral's next state with their ledger entries, in one transaction. A worker whose lease
was taken over settles nothing: the attempt that took it over speaks for the delivery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.consent.decide import Effect, Verdict
from gateway.errors import DamagedRecordError, DeliveryError, MessageError, Phase
from gateway.journey import letter_answers
from gateway.journey.consider import hold_for, record_hold
from gateway.journey.gateway import Acknowledgement, Gateway
from gateway.journey.outbox import named
from gateway.journey.recall import end_attempt, queue_recall, sent
from gateway.ledger.entry import (
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryExpired,
    DeliveryRefused,
    DeliveryUnknown,
    ReferralClosed,
)
from gateway.referral.identifiers import DecisionId
from gateway.referral.lifecycle import (
    CANCELLED,
    WITHDRAWN,
    DeliveryKind,
    DeliveryState,
    Reached,
    ReferralState,
)
from gateway.referral.model import Delivery, Hold, Referral
from gateway.store import deliveries, feeds, leased, referrals
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

ACTOR = "worker"
_LONGEST_WHAT = 1_000
"""Characters of what is wrong with a message; the rest is found once that is mended."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What a person reads of a delivery that was put aside, and what to do."""

    text: str
    remedy: str


_UNREACHED = _Told(
    "The service could not be reached in the time allowed.",
    "Find out why with the provider, then order a replay; or refer elsewhere.",
)
_TOLD: Mapping[str, _Told] = {
    "MESSAGE_CANNOT_BE_PREPARED": _Told(
        "The message cannot be written in the form that this service takes.",
        "Mend what is named and send the referral again; or refer elsewhere.",
    ),
    "QUARANTINED": _Told(
        "Several workers in a row were lost while they prepared or sent this message.",
        "Look at the workers' logs and at the message; then order a replay, or refer elsewhere.",
    ),
    "SERVICE_HAS_NO_ENDPOINT": _Told(
        "The directory names no endpoint for this service any more.",
        "Give the service an endpoint and order a replay; or tell the provider by other means.",
    ),
}


def delivered(claimed: Delivery, acknowledged: Acknowledgement, gateway: Gateway) -> None:
    """The destination has it."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = leased.hold_still(tx, claimed)
        if present is None:
            return
        _end(tx, _receipted(claimed, acknowledged), present, DeliveryState.DELIVERED, reason=None)
        if claimed.kind is DeliveryKind.LETTER:
            letter_answers.sent(tx, gateway, claimed, present, acknowledged.status)
            return
        if claimed.kind is DeliveryKind.RECALL:
            sent(tx, claimed, present, acknowledged)
            return
        tx.record(
            DeliveryDelivered(
                **named(claimed, present, actor=ACTOR),
                attempt=claimed.attempts,
                status=acknowledged.status,
            )
        )
        if present.is_cancelled:  # its sender took it back while it was under way
            queue_recall(tx, gateway, claimed, present, actor=ACTOR)
            referrals.change(tx, present, replace(present, state=ReferralState.RECALLING))
        else:
            referrals.change(tx, present, replace(present, state=ReferralState.DELIVERED))


def _receipted(claimed: Delivery, acknowledged: Acknowledgement) -> Delivery:
    """Keep by what name a transport that stores and forwards has it from now on."""
    receipt = acknowledged.receipt
    return replace(claimed, receipt=receipt, reached=Reached.ACCEPTED if receipt else None)


def failed(claimed: Delivery, failure: DeliveryError, gateway: Gateway) -> None:
    """The attempt failed: try again later, unless that cannot help or time is up."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = leased.hold_still(tx, claimed)
        if present is None:
            return
        claimed = replace(
            claimed, may_have_arrived=claimed.may_have_arrived or failure.may_have_arrived
        )
        if because := is_taken_back(tx, claimed, present):
            end_attempt(tx, gateway, claimed, present, actor=ACTOR, because=because)
            return
        if not failure.may_retry:
            _refused_by_destination(tx, claimed, present, failure, gateway)
            return
        wait = gateway.schedule.wait(claimed.attempts, gateway.chance())
        next_at = tx.at + max(wait, failure.retry_after or wait)
        if next_at >= claimed.give_up_at:
            give_up(tx, claimed, present, gateway, reason=f"GIVEN_UP.{failure.phase}")
            return
        _wait(tx, claimed, present, next_at, reason=failure.phase)
        tx.record(
            DeliveryUnknown(
                **named(claimed, present, actor=ACTOR),
                attempt=claimed.attempts,
                phase=failure.phase,
                next_at=next_at,
            )
        )


def expired(claimed: Delivery, gateway: Gateway) -> None:
    """The attempt's own time was over before a byte had left: it is tried again at once."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = leased.hold_still(tx, claimed)
        if present is None:
            return
        if claimed.lease_until is None:
            msg = "a released delivery has a lease"
            raise AssertionError(msg)
        tx.record(
            DeliveryExpired(
                **named(claimed, present, actor=ACTOR),
                attempt=claimed.attempts,
                lease_until=claimed.lease_until,
            )
        )
        if because := is_taken_back(tx, claimed, present):
            end_attempt(tx, gateway, claimed, present, actor=ACTOR, because=because)
            return
        _wait(tx, claimed, present, tx.at, reason=Phase.PREPARE)


def put_back(claimed: Delivery, gateway: Gateway) -> None:
    """This worker could not even open it, and another may: it waits as it did before."""
    with gateway.store.transaction(gateway.clock()) as tx:
        if deliveries.is_still_leased(tx, claimed):
            waiting = replace(
                claimed,
                state=DeliveryState.QUEUED,
                next_at=tx.at + gateway.schedule.first,
                lease_owner=None,
                lease_until=None,
            )
            deliveries.change(tx, claimed, waiting)


def _wait(
    tx: Transaction, claimed: Delivery, present: Referral, next_at: datetime, *, reason: str
) -> None:
    """Queue it again, due at `next_at`."""
    waiting = replace(
        claimed,
        state=DeliveryState.QUEUED,
        next_at=next_at,
        lease_owner=None,
        lease_until=None,
        released_at=None,
        lapses=0,
        reason=_reason(claimed, reason),
    )
    deliveries.change(tx, claimed, waiting)
    if claimed.kind is DeliveryKind.REFERRAL:
        referrals.change(tx, present, replace(present, state=ReferralState.QUEUED))


def stopped(
    tx: Transaction,
    claimed: Delivery,
    present: Referral,
    gateway: Gateway,
    verdict: Verdict,
    decision: DecisionId,
) -> None:
    """The rules said no at the last moment: a DENY closes the referral, a HOLD holds it.

    Where an earlier attempt may have arrived, a DENY recalls it first.
    """
    if because := is_taken_back(tx, claimed, present):
        end_attempt(tx, gateway, claimed, present, actor=ACTOR, because=because)
        return
    _end(tx, claimed, present, DeliveryState.REFUSED, reason=verdict.code_outside)
    tx.record(_refused(claimed, present, Phase.PREPARE, verdict.code, decision))
    if verdict.effect is Effect.DENY and claimed.may_have_arrived:
        queue_recall(tx, gateway, claimed, present, actor=ACTOR, cause=verdict.code_outside)
        referrals.change(tx, present, replace(present, state=ReferralState.RECALLING))
        return
    if verdict.effect is Effect.DENY:
        closed = replace(present, state=ReferralState.CLOSED, closed_because=verdict.code)
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
        return
    held = replace(present, state=ReferralState.HELD, hold=hold_for(verdict, tx, gateway))
    referrals.change(tx, present, held)
    record_hold(tx, held, decision=decision, delivery=claimed.id, actor=ACTOR)


def unsendable(
    claimed: Delivery, fault: DamagedRecordError | MessageError, gateway: Gateway
) -> None:
    """The stored message cannot be opened or mapped; no later attempt will change that.

    The hold says what is wrong and where: faults name places and rules, never what stands there.
    """
    faults = fault.faults if isinstance(fault, MessageError) else ()
    what = " ".join(f"{each.expression}: {each.diagnostics}" for each in faults)
    with gateway.store.transaction(gateway.clock()) as tx:
        present = leased.hold_still(tx, claimed)
        if present is not None:
            give_up(tx, claimed, present, gateway, reason="MESSAGE_CANNOT_BE_PREPARED", what=what)


def give_up(
    tx: Transaction,
    claimed: Delivery,
    present: Referral,
    gateway: Gateway,
    *,
    reason: str,
    what: str = "",
) -> None:
    """Make no further attempt; the referral is held for the operator, who reads why."""
    if because := is_taken_back(tx, claimed, present):
        end_attempt(tx, gateway, claimed, present, actor=ACTOR, because=because)
        return
    _end(tx, claimed, present, DeliveryState.DEAD_LETTERED, reason=reason)
    if claimed.kind is DeliveryKind.LETTER:
        letter_answers.not_brought(tx, gateway, claimed, present, reason)
        return
    tx.record(
        DeliveryDeadLettered(
            **named(claimed, present, actor=ACTOR),
            attempt=claimed.attempts,
            reason=reason,
        )
    )
    told = _TOLD.get(reason.partition(".")[0], _UNREACHED)
    _hold_for_operator(
        tx,
        claimed,
        present,
        gateway,
        code=reason,
        text=f"{told.text} {what[:_LONGEST_WHAT]}".rstrip(),
        remedy=told.remedy,
    )


def is_taken_back(tx: Transaction, claimed: Delivery, present: Referral) -> str | None:
    """Why no attempt may follow this one: its sender took it back, or sharing was withdrawn."""
    if claimed.kind is not DeliveryKind.REFERRAL:
        return None
    if present.is_cancelled:
        return CANCELLED
    is_repeated = claimed.attempts > 1 or claimed.released_at is not None
    return WITHDRAWN if is_repeated and deliveries.is_withdrawn(tx, claimed.id) else None


def _refused_by_destination(
    tx: Transaction, claimed: Delivery, present: Referral, failure: DeliveryError, gateway: Gateway
) -> None:
    code = f"REFUSED_BY_PROVIDER.{failure.status}" if failure.status else "REFUSED_BY_PROVIDER"
    _end(tx, claimed, present, DeliveryState.REFUSED, reason=code)
    tx.record(_refused(claimed, present, failure.phase, code, None))
    if claimed.kind is DeliveryKind.LETTER:
        letter_answers.refused(tx, gateway, claimed, present, failure)
        return
    _hold_for_operator(
        tx,
        claimed,
        present,
        gateway,
        code=code,
        text="The provider's system refused the referral.",
        remedy="Ask the provider why; mend the cause and order a replay, or refer elsewhere.",
    )


def _hold_for_operator(  # a hold has this many parts
    tx: Transaction,
    claimed: Delivery,
    present: Referral,
    gateway: Gateway,
    *,
    code: str,
    text: str,
    remedy: str,
) -> None:
    if present.state is ReferralState.CLOSED:  # a recall of what is over: its answer is chased
        return
    hold = Hold(
        code=code,
        text=text,
        remedy=remedy,
        owner="operator",
        due=tx.at + gateway.schedule.hold_due,
    )
    held = replace(present, state=ReferralState.HELD, hold=hold)
    referrals.change(tx, present, held)
    record_hold(tx, held, decision=None, delivery=claimed.id, actor=ACTOR)


def _end(
    tx: Transaction,
    claimed: Delivery,
    present: Referral,
    state: DeliveryState,
    *,
    reason: str | None,
) -> None:
    ended = replace(
        claimed,
        state=state,
        lease_owner=None,
        lease_until=None,
        released_at=None,
        reason=_reason(claimed, reason),
    )
    deliveries.change(tx, claimed, ended)
    feeds.append(tx, present.practice, FeedKind.CHANGED, claimed.id)
    if claimed.kind is DeliveryKind.RECALL:
        feeds.append(tx, claimed.provider, FeedKind.CHANGED, claimed.id)
    elif claimed.kind is DeliveryKind.REFERRAL and state is DeliveryState.DELIVERED:
        feeds.append(tx, claimed.provider, FeedKind.REFERRAL, claimed.id)


def _reason(claimed: Delivery, reason: str | None) -> str | None:
    """Why an attempt ended; a recall keeps its cause, which its service reads."""
    return claimed.reason if claimed.kind is DeliveryKind.RECALL else reason


def _refused(
    claimed: Delivery,
    present: Referral,
    phase: Phase,
    code: str,
    decision: DecisionId | None,
) -> DeliveryRefused:
    return DeliveryRefused(
        **named(claimed, present, actor=ACTOR),
        decision=decision,
        attempt=claimed.attempts,
        phase=phase,
        code=code,
    )
