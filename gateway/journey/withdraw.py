"""Take sharing back: nothing that a withdrawal covers leaves once it is acknowledged.

What enters: an open transaction in which a Consent, an agreement, a switch or a provider's
assurance was withdrawn. What leaves, after that commit: an acknowledgement that lists each
delivery it covers as stopped, delivered or unknown, with the recall of each that left or
may have. Must never: acknowledge while an attempt released before it may still send, or bring
back to life what it stopped. Source: the sharing rules, section 10.

A withdrawal covers a delivery that the rules permitted just before it, and do not just after.
Whoever withdraws waits for the acknowledgement; should its process die, any worker goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.consent.decide import Effect
from gateway.errors import (
    DamagedRecordError,
    KeyMissingError,
    MessageError,
    NotAcknowledgedYetError,
    StoreUnavailableError,
)
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.consider import case_of, consider, now
from gateway.journey.gateway import Gateway
from gateway.journey.recall import close_cancelled, has_not_left, queue_recall, stop
from gateway.ledger.entry import HoldResolved, WithdrawalAcknowledged
from gateway.ledger.kinds import WithdrawalCause
from gateway.referral.identifiers import Handle, OdsCode, WithdrawalId
from gateway.referral.lifecycle import WITHDRAWN, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.referral.sharing import Moment
from gateway.referral.withdrawals import Acknowledged, Cause, Standing, Withdrawal
from gateway.routing.candidates import Candidate
from gateway.store import deliveries, recalls, referrals, withdrawals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction

ACTOR = "gateway"
_BEFORE = timedelta(microseconds=1)
_LOOK_AGAIN = 0.02
"""Seconds between two looks at whether the attempts under way have ended."""
_AT_A_TIME = 20
"""Recalls in one transaction."""
_COUNTS = (
    "what was withdrawn is recorded and counts: nothing more is released by it. Whether all that"
    " was on its way has ended could not be awaited, so it is not acknowledged yet; a worker"
    " carries it through. Ask again for what became of it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerns:
    """Whose deliveries a withdrawal may cover: all that are named here at once."""

    practice: OdsCode | None = None
    recipient: OdsCode | None = None
    subject: Handle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """What the rules say of a delivery."""

    effect: Effect
    code: str
    code_outside: str


_UNREADABLE = _Ruling(  # what was received does not open any more
    effect=Effect.DENY,
    code="MESSAGE_CANNOT_BE_PREPARED",
    code_outside="MESSAGE_CANNOT_BE_PREPARED",
)


def begin(
    tx: Transaction,
    gateway: Gateway,
    *,
    cause: Cause,
    about: str,
    actor: str,
    recorded_at: datetime,
    effective_at: datetime | None = None,
    concerns: Concerns,
) -> None:
    """Write down a withdrawal in the transaction that made it, and stop what it covers.

    The gates were raised in it, so every release comes before it or sees it. One that takes
    effect later is written down now, and carried out when it is due.
    """
    new = Withdrawal(
        id=WithdrawalId.of(gateway.new_uuid()),
        cause=cause,
        about=about,
        practice=concerns.practice,
        recipient=concerns.recipient,
        subject=concerns.subject,
        actor=actor,
        withdrawn_at=max(recorded_at, effective_at or recorded_at),
    )
    if cause is Cause.CONSENT and not _has_any(tx, new):
        return
    withdrawals.add(tx, new)
    if new.withdrawn_at == recorded_at:
        _stop_live(tx, gateway, new)


def acknowledge(
    gateway: Gateway,
    *,
    practice: OdsCode | None = None,
    subject: Handle | None = None,
    at: datetime | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Acknowledged, ...]:
    """Carry through the withdrawals that are not acknowledged: of one practice, person, or all.

    For each, in turn:

    1. Stop what it covers and has not left (again: one that takes effect later begins here).
    2. Wait until every attempt that was released before it has ended, or its time is over.
    3. Recall what arrived, or may have.
    4. Acknowledge: write down what became of each.

    Takes no longer than a lease and its margin, and what the recalls take. `at`: those that
    count by then; None: by now.

    Raises:
        NotAcknowledgedYetError: they count, and a worker goes on; but that could not be awaited.
    """
    by = max(gateway.clock(), at) if at else gateway.clock()
    try:
        with gateway.store.reading() as view:
            due = withdrawals.unacknowledged(view, by, practice=practice, subject=subject)
        return tuple(_carry_through(each, gateway, sleep) for each in due)
    except (StoreUnavailableError, KeyMissingError) as error:
        raise NotAcknowledgedYetError(_COUNTS) from error


def go_on(gateway: Gateway) -> None:
    """Carry through what whoever began it did not: its process died, or it was not due yet."""
    patience = gateway.schedule.lease + gateway.schedule.margin
    with gateway.store.reading() as view:
        left = withdrawals.unacknowledged(view, gateway.clock() - patience)
    for each in left:
        _carry_through(each, gateway, time.sleep)


def _has_any(tx: Transaction, of: Withdrawal) -> bool:
    return any(withdrawals.candidates(tx, of, live=live) for live in (True, False))


def _stop_live(tx: Transaction, gateway: Gateway, of: Withdrawal) -> None:
    """Step 1: stop what waits; note what may be on its way.

    So too where its sender took it back meanwhile: the attempt under way may still send.
    """
    for found in withdrawals.candidates(tx, of, live=True):
        each, present = deliveries.hold_still(tx, found.id)
        if each.state not in withdrawals.LIVE:
            continue
        try:
            ruling = _ruled(tx, gateway, present, each, now(tx))
            is_covered = ruling.effect is not Effect.PERMIT and (
                tx.at == of.withdrawn_at or not _is_permitted_after(tx, gateway, of, present, each)
            )
        except KeyMissingError:  # no key, no proof that it is permitted
            ruling, is_covered = _UNREADABLE, True
        if not is_covered or not _was_permitted(tx, gateway, of, present, each):
            continue  # or it is stopped for another reason, which its worker finds
        standing = Standing.LEAVING
        if has_not_left(each):
            standing = _end(tx, gateway, each, present, ruling)
        else:
            deliveries.let_no_more_leave(tx, each.id)
        withdrawals.cover(tx, of.id, each.id, standing, None)


def _end(
    tx: Transaction, gateway: Gateway, ended: Delivery, present: Referral, ruling: _Ruling
) -> Standing:
    """End a delivery that a withdrawal covers, whose attempts are over.

    Where it may have arrived it is recalled; else its referral is closed. That is final, also
    where the rules would hold it: what is shared again later is referred again.
    """
    stop(tx, ended, present, actor=ACTOR, reason=ruling.code)
    if ended.may_have_arrived:
        _recall(tx, gateway, ended, present, ruling)
        return Standing.UNKNOWN
    close_cancelled(tx, present, present, actor=ACTOR, because=ruling.code)
    return Standing.STOPPED


def _carry_through(
    of: Withdrawal, gateway: Gateway, sleep: Callable[[float], None]
) -> Acknowledged:
    with gateway.store.transaction(gateway.clock()) as tx:
        _stop_live(tx, gateway, of)
    _drain(of, gateway, sleep)
    while _recall_some(of, gateway):
        pass
    return _acknowledge(of, gateway)


def _drain(of: Withdrawal, gateway: Gateway, sleep: Callable[[float], None]) -> None:
    """Step 2. No clock but this process's own is asked: nobody can set that.

    Each attempt began before the withdrawal was committed, so it ends within a lease of now.
    """
    patience = gateway.schedule.lease + gateway.schedule.margin
    until = gateway.monotonic() + patience.total_seconds()
    while gateway.monotonic() < until:
        with gateway.store.reading() as view:
            covered = withdrawals.covered_by(view, of.id)
            leaving = [c.delivery for c in covered if c.standing is Standing.LEAVING]
            found = [deliveries.find(view, each) for each in leaving]
        if not any(each is not None and each.released_at is not None for each in found):
            return
        sleep(_LOOK_AGAIN)


def _recall_some(of: Withdrawal, gateway: Gateway) -> bool:
    """Step 3, a few at a time; tell whether there may be more."""
    with gateway.store.reading() as view:
        covered = withdrawals.covered_by(view, of.id)
        leaving = [c.delivery for c in covered if c.standing is Standing.LEAVING]
        settled = {c.delivery for c in covered} - set(leaving)
        reached = [
            each.id
            for each in withdrawals.candidates(view, of, live=False, but=settled)
            if each.id in leaving or _covers(view, gateway, of, each)
        ]
    wanted = list(dict.fromkeys([*leaving, *reached]))[:_AT_A_TIME]
    for each in wanted:
        with gateway.store.transaction(gateway.clock()) as tx:
            _settle_one(tx, gateway, of, each)
    return bool(wanted)


def _settle_one(tx: Transaction, gateway: Gateway, of: Withdrawal, name: str) -> None:
    """Recall one delivery that arrived or may have; stop one that never left after all."""
    present, referral = deliveries.hold_still(tx, name)
    told = recalls.of_deliveries(tx, [present.id]).get(present.id)
    ruling = _ruled(tx, gateway, referral, present, _just_after(of))
    if present.state is DeliveryState.DELIVERED:
        standing = Standing.DELIVERED
    elif present.state is DeliveryState.IN_FLIGHT:  # its worker is lost, and its time is over
        present = replace(present, may_have_arrived=True)
        standing = _end(tx, gateway, present, referral, ruling)
    elif present.state is DeliveryState.QUEUED:
        standing = _end(tx, gateway, present, referral, ruling)
    elif present.may_have_arrived:
        standing = Standing.UNKNOWN
    else:
        standing = Standing.STOPPED
    if standing in (Standing.DELIVERED, Standing.UNKNOWN) and told is None:
        referral = referrals.get(tx, referral.id)
        _recall(tx, gateway, present, referral, ruling)
    told = recalls.of_deliveries(tx, [present.id]).get(present.id)
    withdrawals.cover(tx, of.id, present.id, standing, told.id if told else None)


def _recall(
    tx: Transaction, gateway: Gateway, reached: Delivery, present: Referral, ruling: _Ruling
) -> None:
    """Tell the provider, once; a referral that is over already stays so."""
    if not queue_recall(tx, gateway, reached, present, actor=ACTOR, cause=ruling.code_outside):
        return
    if present.hold is not None:
        tx.record(
            HoldResolved(
                actor=ACTOR,
                practice=present.practice,
                subject=present.subject,
                referral=present.id,
                decision=None,
                delivery=reached.id,
                code=present.hold.code,
                resolution=WITHDRAWN,
            )
        )
    if present.state not in (ReferralState.CLOSED, ReferralState.RECALLING):
        recalling = replace(present, state=ReferralState.RECALLING, hold=None)
        referrals.change(tx, present, recalling)


def _acknowledge(of: Withdrawal, gateway: Gateway) -> Acknowledged:
    """Step 4: from this commit on, nothing that it covers leaves."""
    with gateway.store.transaction(gateway.clock()) as tx:
        covered = withdrawals.covered_by(tx, of.id)
        done = Acknowledged(withdrawal=replace(of, acknowledged_at=tx.at), covered=covered)
        if withdrawals.acknowledge(tx, of.id):
            tx.record(
                WithdrawalAcknowledged(
                    actor=of.actor,
                    practice=of.practice,
                    subject=of.subject,
                    recipient=of.recipient,
                    withdrawal=of.id,
                    cause=WithdrawalCause(of.cause),
                    about=of.about,
                    withdrawn_at=of.withdrawn_at,
                    stopped=done.count(Standing.STOPPED),
                    delivered=done.count(Standing.DELIVERED),
                    unknown=done.count(Standing.UNKNOWN),
                )
            )
    return done


def _covers(view: Reading, gateway: Gateway, of: Withdrawal, each: Delivery) -> bool:
    """Whether the rules permitted it just before a withdrawal, and do not just after."""
    present = referrals.get(view, each.referral)
    if _is_permitted_after(view, gateway, of, present, each):
        return False
    return _was_permitted(view, gateway, of, present, each)


def _is_permitted_after(
    view: Reading | Transaction,
    gateway: Gateway,
    of: Withdrawal,
    present: Referral,
    each: Delivery,
) -> bool:
    """Whether the rules permit a delivery just after a withdrawal."""
    return _ruled(view, gateway, present, each, _just_after(of)).effect is Effect.PERMIT


def _was_permitted(
    view: Reading | Transaction,
    gateway: Gateway,
    of: Withdrawal,
    present: Referral,
    each: Delivery,
) -> bool:
    """Whether the rules permitted a delivery just before a withdrawal."""
    before = of.withdrawn_at - _BEFORE
    if before <= (each.released_at or each.created_at) <= of.withdrawn_at:
        return True  # it was permitted in the same instant, and that is on record
    asked = Moment(at=before, known_at=before)
    try:
        return _ruled(view, gateway, present, each, asked).effect is Effect.PERMIT
    except KeyMissingError:  # no key, no proof that something else stopped it
        return True


def _just_after(of: Withdrawal) -> Moment:
    return Moment(at=of.withdrawn_at, known_at=of.withdrawn_at)


def _ruled(
    view: Reading | Transaction,
    gateway: Gateway,
    present: Referral,
    each: Delivery,
    moment: Moment,
) -> _Ruling:
    """Put a delivery to the rules as of a moment; what does not open is never permitted."""
    service = DirectoryAsOf(view, moment.at).service(each.service)
    try:
        received = referrals.body_of(view, present.id)
        incoming = read_referral(read_resource(received))
        case = case_of(present, incoming, received, moment)
        candidate = Candidate(service=service, purpose=present.purpose)
        verdict = consider(view, gateway, case, candidate).verdict
    except (DamagedRecordError, MessageError):
        return _UNREADABLE
    return _Ruling(
        effect=verdict.effect,
        code=verdict.code,
        code_outside=verdict.code_outside,
    )
