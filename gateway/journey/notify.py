"""Tell one subscriber what it has not been told: a handshake, its next events, or a heartbeat.

What enters: a notifier with time on its hands. What leaves: at most one notification, signed.
Events go in order, one notification of a subscription at a time, and the position moves only
when one was answered with a 2xx: so each event is told at least once, and a repeat carries the
same `webhook-id` and the same events. Must never: skip an event, hold a transaction while the
network answers, send after the lease has ended, or keep what an address answered.
Source: Subscriptions R5 Backport 1.1.0; Standard Webhooks 1.0.0.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.errors import (
    DamagedRecordError,
    DeliveryError,
    KeyMissingError,
    LeaseEndedError,
    Phase,
)
from gateway.journey.gateway import Gateway
from gateway.journey.subscribe import events_of
from gateway.mapping.notification import MEDIA_TYPES, body_of
from gateway.mapping.standard_webhook import signed
from gateway.referral.subscriptions import (
    Channel,
    Notice,
    Notification,
    Subscription,
    SubscriptionStatus,
    Trouble,
)
from gateway.store import feeds, subscriptions
from gateway.store.engine import Transaction

MARGIN: Final = timedelta(seconds=2)
"""How long after an attempt must have ended another may begin."""

ERROR_AFTER: Final = 3
"""Failures in a row from which a subscription that worked is shown as in error."""

_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=15)
_GONE: Final = 410
_TROUBLES: Final[Mapping[Phase, Trouble]] = {
    Phase.CONNECT: Trouble.UNREACHABLE,
    Phase.NO_REPLY: Trouble.NO_REPLY,
    Phase.BUSY: Trouble.BUSY,
    Phase.REFUSED: Trouble.REFUSED,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Exactly what is posted in one attempt."""

    address: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Post(Protocol):
    """How letters are posted: over HTTPS, or a fake in tests."""

    def post(self, letter: Letter, *, deadline: float) -> None:
        """Post a letter; come back once it was answered with a 2xx.

        Args:
            letter: what to post, and where.
            deadline: a reading of `time.monotonic`; no byte may leave after it.

        Raises:
            DeliveryError: it was not.
        """


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one claim came to: the subscription as it is leased, and the letter."""

    subscription: Subscription
    type: Notification
    letter: Letter


def notify_next(gateway: Gateway, post: Post, *, base_url: str, only_well: bool = False) -> bool:
    """Make one attempt at what is due for the subscription whose turn it is.

    1. Look whether anything is due; lock nothing.
    2. Start the clock of the attempt.
    --- transaction: claim ---
    3. Lease the subscription; choose what to tell; write and sign it.
    --- no transaction ---
    4. Post it, and wait for the answer.
    --- transaction: settle ---
    5. If the lease is still ours: move the position on, or plan the next attempt.

    Args:
        gateway: the live objects.
        post: how letters are posted.
        base_url: of our FHIR server, as subscribers reach it.
        only_well: pass over those whose last attempt failed, so that they delay no other.

    Returns: whether there was anything to do.

    Raises:
        StoreUnavailableError: nothing is lost; the lease ends, and it is sent again.
    """
    with gateway.store.reading() as view:
        if not subscriptions.is_any_due(view, gateway.clock(), only_well=only_well):
            return False
    started = gateway.monotonic()
    with gateway.store.transaction(gateway.clock()) as tx:
        present = subscriptions.whose_turn(tx, only_well=only_well)
        attempt = _claimed(tx, gateway, present, base_url) if present is not None else None
    if attempt is None:
        return present is not None
    deadline = started + attempt.subscription.terms.timeout.total_seconds()
    failure = None
    try:
        post.post(attempt.letter, deadline=deadline)
    except DeliveryError as error:
        failure = error
    _settle(attempt, failure, gateway)
    return True


def _claimed(
    tx: Transaction, gateway: Gateway, present: Subscription, base_url: str
) -> _Attempt | None:
    """Step 3. None: there is nothing to send, and it is stored when there will be."""
    if present.terms.end_at is not None and present.terms.end_at <= tx.at:
        _save(tx, present, _off(present, Trouble.ENDED))
        return None
    leased = replace(
        present,
        claimed_at=tx.at,
        last_sent_at=tx.at,
        lease_owner=str(gateway.new_uuid()),
        lease_until=tx.at + present.terms.timeout + MARGIN,
    )
    leased, notice = _chosen(tx, leased)
    try:
        letter = _letter(tx, leased, notice, base_url)
    except (DamagedRecordError, KeyMissingError, ValueError) as error:
        _log.error("subscription %s cannot be told: %s", present.id, error)
        _save(tx, present, _failed(leased, Trouble.DAMAGED, None, tx.at, gateway))
        return None
    subscriptions.save(tx, leased)
    return _Attempt(leased, notice.type, letter)


def _chosen(tx: Transaction, leased: Subscription) -> tuple[Subscription, Notice]:
    """Choose what to tell: what was sent before and not taken comes again, and no more."""
    size = feeds.size(tx, leased.subscriber)
    total = size - leased.started_after
    if leased.confirmed_at is None:
        return leased, Notice(
            type=Notification.HANDSHAKE, subscription=leased, total=total, at=tx.at
        )
    if size < leased.next_seq:
        return leased, Notice(
            type=Notification.HEARTBEAT, subscription=leased, total=total, at=tx.at
        )
    most = 1 if leased.terms.channel is Channel.WEBHOOK else leased.terms.max_count
    until = leased.batch_until or min(size, leased.next_seq + most - 1)
    leased = replace(leased, batch_until=until)
    start = leased.started_after
    events = events_of(tx, leased, leased.next_seq - start, until - start)
    return leased, Notice(
        type=Notification.EVENTS, subscription=leased, total=total, events=events, at=tx.at
    )


def _letter(tx: Transaction, leased: Subscription, notice: Notice, base_url: str) -> Letter:
    secret, headers = subscriptions.opened(tx, leased.id)
    body = body_of(notice, base_url)
    name = f"msg_{leased.id.replace('-', '')}_"
    if notice.events:
        name += f"{notice.events[0].number}_{notice.events[-1].number}"
    else:
        name += f"{notice.type.value}_{leased.lease_owner}"
    return Letter(
        address=leased.terms.address,
        headers={
            **dict(headers),
            "Content-Type": MEDIA_TYPES[leased.terms.channel],
            **signed(secret, name, tx.at, body),
        },
        body=body,
    )


def _settle(attempt: _Attempt, failure: DeliveryError | None, gateway: Gateway) -> None:
    """Step 5. Whoever lost its lease changes nothing: what it sent is sent again."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = subscriptions.lock(tx, attempt.subscription.id)
        if present is None or present.lease_owner != attempt.subscription.lease_owner:
            return
        if failure is None:
            changed = _taken(present, attempt.type, tx.at)
        elif isinstance(failure, LeaseEndedError):
            changed = replace(_idle(present), next_at=tx.at)
        elif failure.status == _GONE:
            changed = _off(present, Trouble.GONE)
        else:
            trouble = _TROUBLES[failure.phase]
            changed = _failed(present, trouble, failure, tx.at, gateway)
        _save(tx, present, changed)


def _taken(present: Subscription, told: Notification, at: datetime) -> Subscription:
    """Note that an address answered with a 2xx. The next heartbeat is due one after this one."""
    moved = present
    if told is Notification.EVENTS and present.batch_until is not None:
        moved = replace(present, next_seq=present.batch_until + 1, batch_until=None)
    return replace(
        _idle(moved),
        status=SubscriptionStatus.ACTIVE,
        error=None,
        failures=0,
        confirmed_at=present.confirmed_at or at,
        last_ok_at=at,
        next_at=min(present.claimed_at, at) + present.terms.heartbeat,
    )


def _failed(
    present: Subscription,
    trouble: Trouble,
    failure: DeliveryError | None,
    at: datetime,
    gateway: Gateway,
) -> Subscription:
    """Plan the next attempt: after twice the wait before, or when the address wishes."""
    if at - present.heard_at >= gateway.schedule.horizon:
        return _off(present, Trouble.GIVEN_UP)
    failures = present.failures + 1
    longest = min(max(present.terms.heartbeat, timedelta(minutes=1)), _LONGEST)
    doubled: timedelta = _FIRST * (1 << min(failures - 1, 30))
    wait = min(doubled, longest) * (1 - gateway.chance() / 2)
    wish = failure.retry_after if failure is not None else None
    is_error = present.confirmed_at is None or failures >= ERROR_AFTER
    status = failure.status if failure is not None else None
    return replace(
        _idle(present),
        status=SubscriptionStatus.ERROR if is_error else present.status,
        error=f"{trouble}:{status}" if status is not None else trouble.value,
        failures=failures,
        next_at=at + max(wait, wish or timedelta(0)),
        last_ok_at=min(present.last_ok_at, at) if present.last_ok_at else None,
        switched_on_at=min(present.switched_on_at, at),
    )


def _off(present: Subscription, why: Trouble) -> Subscription:
    return replace(_idle(present), status=SubscriptionStatus.OFF, error=why.value)


def _idle(present: Subscription) -> Subscription:
    return replace(present, lease_owner=None, lease_until=None)


def _save(tx: Transaction, present: Subscription, changed: Subscription) -> None:
    """Store; where its client sees a difference it is a new version. Tell the log of that too."""
    if (present.status, present.error) != (changed.status, changed.error):
        changed = replace(changed, version=present.version + 1, updated_at=tx.at)
        _log.info(
            "subscription %s of %s: %s %s",
            changed.id,
            changed.subscriber,
            changed.status,
            changed.error or "",
        )
    subscriptions.save(tx, changed)
