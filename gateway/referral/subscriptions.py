"""Subscriptions: who is told of its events, where, how, and how far it has been told.

Values only. A provider's events are numbered in its list (`store/feeds.py`); a subscription
counts them from its own start, as FHIR subscriptions do: event n of a subscription is event
`started_after` + n of the list. Source: Subscriptions R5 Backport 1.1.0, FHIR R4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.referral.identifiers import (
    OWN_BASE,
    ClientId,
    DeliveryId,
    OdsCode,
    SubscriptionId,
)

TOPIC = f"{OWN_BASE}/SubscriptionTopic/provider-feed"
"""The one topic: whatever happens to the Tasks that a provider owns."""


class SubscriptionStatus(StrEnum):
    """How a subscription stands. Source: FHIR R4, subscription-status."""

    REQUESTED = "requested"
    ACTIVE = "active"
    ERROR = "error"
    OFF = "off"


class Content(StrEnum):
    """How much a notification says. Source: Backport, backport-content-code-system."""

    EMPTY = "empty"
    ID_ONLY = "id-only"


class Channel(StrEnum):
    """What is posted: a notification Bundle in either format, or a webhook's plain JSON."""

    FHIR_JSON = "fhir-json"
    FHIR_XML = "fhir-xml"
    WEBHOOK = "webhook"


class Notification(StrEnum):
    """Why something is told. Source: FHIR R4B, subscription-notification-type."""

    HANDSHAKE = "handshake"
    HEARTBEAT = "heartbeat"
    EVENTS = "event-notification"
    STATUS = "query-status"
    QUERY = "query-event"


class Trouble(StrEnum):
    """What is wrong with a subscription.

    The first five are of its last attempt. `gone` and `given-up` switched it off, as `ended`
    did when its time came. `silent` and `behind` are the alarm of a stall.
    """

    UNREACHABLE = "unreachable"
    NO_REPLY = "no-reply"
    BUSY = "busy"
    REFUSED = "refused"
    DAMAGED = "damaged"
    GONE = "gone"
    GIVEN_UP = "given-up"
    ENDED = "ended"
    SILENT = "silent"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscriber asks for; nothing of it changes later but `end_at`."""

    channel: Channel
    address: str
    content: Content
    heartbeat: timedelta
    timeout: timedelta
    max_count: int
    end_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A Subscription as its client sent it. `headers` None: it said nothing of them."""

    terms: Terms
    is_on: bool
    headers: tuple[tuple[str, str], ...] | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription, and how far its subscriber has been told.

    `next_seq` is the list's number of the first event that was not yet taken with a 2xx; it
    only ever grows. `batch_until` is the last event of the notification that is sent again and
    again until it is taken. `failures` counts attempts in a row without a 2xx. `confirmed_at`
    None: its address has not yet taken the handshake. `lease_owner` names the one attempt that
    is under way. `version` and `updated_at` are those of the resource as its client sees it.
    """

    id: SubscriptionId
    subscriber: OdsCode
    client: ClientId
    terms: Terms
    status: SubscriptionStatus
    started_after: int
    next_seq: int
    batch_until: int | None = None
    next_at: datetime
    claimed_at: datetime
    failures: int = 0
    switched_on_at: datetime
    confirmed_at: datetime | None = None
    last_sent_at: datetime | None = None
    last_ok_at: datetime | None = None
    stalled_at: datetime | None = None
    error: str | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def heard_at(self) -> datetime:
        """When its address last answered with a 2xx, or when it was switched on since."""
        return (self.confirmed_at and self.last_ok_at) or self.switched_on_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as a subscription counts it. `task` None: what it was about was erased."""

    number: int
    at: datetime
    kind: str
    task: DeliveryId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is to be told: why, of which subscription, and which events, in order.

    `total` is the number of the newest event since the subscription began, told or not.
    """

    type: Notification
    subscription: Subscription
    total: int
    events: Sequence[Event] = ()
    troubles: Sequence[str] = ()
    at: datetime
