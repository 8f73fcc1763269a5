"""Notice when a subscriber is no longer told, and when it is told again.

What enters: how every subscription stands. What leaves: one alert at the start of a stall and
one at its end, whichever of all processes notices; `$status` and `gateway subscription list`
tell the same, also where no notifier runs at all. A subscription is stalled where its address
took nothing, or an event waited, for a heartbeat and a half: so the alarm is up before two are
over. Source: as `outage.py`.
"""

import logging
from dataclasses import replace
from datetime import datetime

from gateway.journey.gateway import Gateway
from gateway.referral.identifiers import SubscriptionId
from gateway.referral.subscriptions import Subscription, SubscriptionStatus, Trouble
from gateway.store import subscriptions

_log = logging.getLogger(__name__)


def stall_of(own: Subscription, waiting_since: datetime | None, at: datetime) -> Trouble | None:
    """Tell whether a subscription is stalled, and how.

    Args:
        own: the subscription.
        waiting_since: when the first event that it was not yet told happened.
        at: now.
    """
    if own.status is SubscriptionStatus.OFF:
        return None
    patience = own.terms.heartbeat * 3 / 2
    if at - own.heard_at > patience:
        return Trouble.SILENT
    begun = own.confirmed_at or own.switched_on_at
    if waiting_since is not None and at - max(waiting_since, begun) > patience:
        return Trouble.BEHIND
    return None


def watch(gateway: Gateway) -> None:
    """Raise the alarm of each subscription that is stalled; end that of each that is not."""
    at = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        found = subscriptions.watched(view)
    for each in found:
        own = each.subscription
        if (stall_of(own, each.since, at) is None) is (own.stalled_at is not None):
            _look_again(own.id, gateway)


def _look_again(own: SubscriptionId, gateway: Gateway) -> None:
    """Change the alarm, unless another process was quicker, and tell of it once."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = subscriptions.lock(tx, own)
        if present is None:
            return
        stall = stall_of(present, subscriptions.waiting_since(tx, own), tx.at)
        if (stall is None) is (present.stalled_at is None):
            return
        subscriptions.save(tx, replace(present, stalled_at=tx.at if stall else None))
    if stall is not None:
        _log.error(
            "ALERT: subscription %s of %s is stalled (%s): nothing is lost; `gateway subscription"
            " list` says how it stands",
            own,
            present.subscriber,
            stall,
        )
    elif present.stalled_at is not None:
        lasted = int((tx.at - present.stalled_at).total_seconds())
        how = "was switched off" if present.status is SubscriptionStatus.OFF else "is told again"
        _log.warning(
            "ALERT: subscription %s of %s %s after %d s", own, present.subscriber, how, lasted
        )
