"""Subscriptions: asked for, changed, looked at, and ended, each by its own organisation only.

What enters: an authenticated client, and what it asks for. What leaves: subscriptions of its
organisation, and their secret once, in the answer to the creation. A subscription that could
not fire is refused. Must never: show one organisation that another has a subscription, move a
position, or keep a secret or a receiver's header unsealed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.errors import (
    AheadOfListError,
    Fault,
    InvalidMessageError,
    IssueCode,
    PreconditionFailedError,
)
from gateway.journey.gateway import Gateway
from gateway.journey.reach import Reach
from gateway.journey.stalls import stall_of
from gateway.referral.identifiers import OdsCode, SubscriptionId
from gateway.referral.model import Sender
from gateway.referral.subscriptions import (
    Asked,
    Event,
    Notice,
    Notification,
    Subscription,
    SubscriptionStatus,
)
from gateway.store import feeds, subscriptions
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction
from gateway.store.feeds import FeedEvent
from gateway.store.subscriptions import Search, Waiting

MOST = 20
"""Subscriptions of one organisation."""

MOST_EVENTS = 200
"""Events in one answer to `$events`."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new subscription, and its secret, which nobody is shown again."""

    subscription: Subscription
    secret: bytes

    def __repr__(self) -> str:
        """Never show the secret."""
        return f"Made({self.subscription!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Events of a subscription. `next_number` None: there are no more in what was asked for."""

    notice: Notice
    next_number: int | None


def subscribe(asked: Asked, sender: Sender, gateway: Gateway, reach: Reach) -> Made:
    """Take a subscription; what happens from here on is told.

    1. Check that its address may be posted to.
    --- one transaction ---
    2. Check that the organisation has a list of events, and room for one more.
    3. Begin after the newest event of the list; seal a fresh secret; store it.
    --- end ---

    Raises:
        InvalidMessageError: it could not fire; the text says why.
        DuplicateRequestError: the organisation has one to this address.
    """
    _check_asked(asked, gateway.clock())
    _check_address(asked, reach)
    with gateway.store.transaction(gateway.clock()) as tx:
        if not _has_events(DirectoryAsOf(tx, tx.at), sender.ods):
            says = "Only a practice, or an organisation that offers a service, has events here."
            raise _refused("", says, IssueCode.BUSINESS_RULE)
        if subscriptions.count(tx, sender.ods) >= MOST:
            says = f"An organisation has at most {MOST} subscriptions. Delete one first."
            raise _refused("", says, IssueCode.BUSINESS_RULE)
        size = feeds.size(tx, sender.ods)
        made = Subscription(
            id=SubscriptionId.of(gateway.new_uuid()),
            subscriber=sender.ods,
            client=sender.client,
            terms=asked.terms,
            status=SubscriptionStatus.REQUESTED,
            started_after=size,
            next_seq=size + 1,
            next_at=tx.at,
            claimed_at=tx.at,
            switched_on_at=tx.at,
            created_at=tx.at,
            updated_at=tx.at,
        )
        secret = tx.vault.new_salt()
        subscriptions.add(tx, made, secret, asked.headers or ())
    return Made(made, secret)


def _has_events(directory: DirectoryAsOf, ods: OdsCode) -> bool:
    is_practice = directory.practice(ods) is not None
    return is_practice or any(each.provider == ods for each in directory.services())


def change_subscription(
    own: SubscriptionId,
    known_version: int,
    asked: Asked,
    sender: Sender,
    gateway: Gateway,
    reach: Reach,
) -> Subscription:
    """Switch a subscription off or on again, or change its end or its receiver's headers.

    Switched on again it begins with a handshake and goes on where it was: what happened in the
    meantime is told then. The address is looked up before the transaction, as when it was made.

    Raises:
        NotFoundError: it is not the sender's.
        PreconditionFailedError: the sender does not know its present version.
        InvalidMessageError: something else would change, or it could not fire.
    """
    _check_asked(asked, gateway.clock(), is_new=False)
    if asked.is_on:
        _check_address(asked, reach)
    with gateway.store.transaction(gateway.clock()) as tx:
        present = subscriptions.lock_own(tx, sender.ods, own)
        if present.version != known_version:
            msg = "the subscription has changed since you read it; read it again"
            raise PreconditionFailedError(msg)
        _check_same(asked, present)
        changed = replace(
            _switched(present, tx.at, is_on=asked.is_on),
            terms=replace(present.terms, end_at=asked.terms.end_at),
        )
        if asked.headers is not None:
            subscriptions.put_headers(tx, own, asked.headers)
        if asked.headers is not None or changed != present:
            changed = replace(changed, version=present.version + 1, updated_at=tx.at)
            subscriptions.save(tx, changed)
    return changed


def _switched(present: Subscription, at: datetime, *, is_on: bool) -> Subscription:
    """Switch on or off what is not so already; the attempt under way counts no longer."""
    was_on = present.status is not SubscriptionStatus.OFF
    if is_on == was_on and present.status is not SubscriptionStatus.ERROR:
        return present
    idle = replace(present, lease_owner=None, lease_until=None, error=None, failures=0)
    if not is_on:
        return replace(idle, status=SubscriptionStatus.OFF)
    return replace(
        idle,
        status=SubscriptionStatus.REQUESTED,
        switched_on_at=at,
        confirmed_at=None,
        next_at=at,
        claimed_at=at,
    )


def unsubscribe(own: SubscriptionId, sender: Sender, gateway: Gateway) -> None:
    """Delete a subscription; nothing more is sent, but for what is under way.

    Raises:
        NotFoundError: it is not the sender's.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        subscriptions.remove(tx, sender.ods, own)


def own_subscription(own: SubscriptionId, sender: Sender, gateway: Gateway) -> Subscription:
    """Read one of the sender's own.

    Raises:
        NotFoundError: it is not the sender's.
    """
    with gateway.store.reading() as view:
        return subscriptions.find(view, sender.ods, own)


def own_subscriptions(
    sender: Sender,
    gateway: Gateway,
    *,
    ids: Collection[SubscriptionId] | None = None,
    states: Collection[SubscriptionStatus] | None = None,
    address: str | None = None,
) -> list[Subscription]:
    """List the sender's own, oldest first; None: any."""
    wanted = Search(ids=ids, statuses=states, address=address)
    with gateway.store.reading() as view:
        found = subscriptions.search(view, sender.ods, wanted)
    return [each.subscription for each in found]


def statuses(
    sender: Sender,
    gateway: Gateway,
    *,
    ids: Collection[SubscriptionId] | None = None,
    states: Collection[SubscriptionStatus] | None = None,
) -> list[Notice]:
    """Tell how the sender's own stand: up to which event there is news, and what is wrong."""
    at = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        wanted = Search(ids=ids, statuses=states)
        found = subscriptions.search(view, sender.ods, wanted)
        size = feeds.size(view, sender.ods)
    return [_status(each, size, at) for each in found]


def _status(found: Waiting, size: int, at: datetime) -> Notice:
    own = found.subscription
    stall = stall_of(own, found.since, at)
    return Notice(
        type=Notification.STATUS,
        subscription=own,
        total=size - own.started_after,
        troubles=[each for each in (own.error, stall) if each],
        at=at,
    )


def everybodys(gateway: Gateway) -> list[tuple[Notice, datetime | None]]:
    """Tell how all subscriptions stand, each with since when its next event waits."""
    at = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        found = subscriptions.search(view, None, Search())
        sizes = {each.subscription.subscriber: 0 for each in found}
        sizes = {ods: feeds.size(view, ods) for ods in sizes}
    return [(_status(each, sizes[each.subscription.subscriber], at), each.since) for each in found]


def own_events(
    own: SubscriptionId,
    sender: Sender,
    gateway: Gateway,
    *,
    first: int = 1,
    last: int | None = None,
) -> Listed:
    """List events of one of the sender's own by their numbers, whether they were told or not.

    Raises:
        NotFoundError: it is not the sender's.
        AheadOfListError: the first number is beyond the event that comes next.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        present = subscriptions.find(view, sender.ods, own)
        total = feeds.size(view, sender.ods) - present.started_after
        if first > total + 1:
            msg = (
                f"there are {total} events yet. If you have seen a later number, this gateway was"
                " restored from a backup: read your Tasks again"
            )
            raise AheadOfListError(msg)
        until = min(total, total if last is None else last)
        events = events_of(view, present, first, min(until, first + MOST_EVENTS - 1))
    reached = first + len(events)
    notice = Notice(
        type=Notification.QUERY, subscription=present, total=total, events=events,
        at=gateway.clock(),
    )  # fmt: skip
    return Listed(notice=notice, next_number=reached if events and reached <= until else None)


def events_of(
    view: Reading | Transaction, own: Subscription, first: int, last: int
) -> Sequence[Event]:
    """Read the events of a subscription from one number to another, both included."""
    if last < first:
        return ()
    after = own.started_after + first - 1
    found = feeds.events(view, own.subscriber, after=after, limit=last - first + 1)
    return [_event(own, each) for each in found]


def _event(own: Subscription, found: FeedEvent) -> Event:
    return Event(
        number=found.seq - own.started_after, at=found.at, kind=found.kind, task=found.delivery
    )


def _check_asked(asked: Asked, at: datetime, *, is_new: bool = True) -> None:
    if is_new and not asked.is_on:
        raise _refused(".status", "A new subscription is requested.", IssueCode.BUSINESS_RULE)
    if asked.is_on and asked.terms.end_at is not None and asked.terms.end_at <= at:
        raise _refused(".end", "The end has passed: leave it out, or name a later one.")


def _check_address(asked: Asked, reach: Reach) -> None:
    refusal = reach.refusal(asked.terms.address)
    if refusal is not None:
        says = f"The address {refusal}."
        raise _refused(".channel.endpoint", says, IssueCode.BUSINESS_RULE)


def _check_same(asked: Asked, present: Subscription) -> None:
    told = replace(asked.terms, end_at=None)
    if told != replace(present.terms, end_at=None):
        says = (
            "Of a subscription, status, end and channel.header may change. For another address or"
            " another form, delete it and make another."
        )
        raise _refused("", says, IssueCode.BUSINESS_RULE)


def _refused(where: str, says: str, code: IssueCode = IssueCode.VALUE) -> InvalidMessageError:
    return InvalidMessageError(
        Fault(code=code, expression=f"Subscription{where}", diagnostics=says)
    )
