"""What a subscriber is told, as bytes: a FHIR notification Bundle, or a webhook's plain JSON.

What enters: a notice, and the address of our FHIR base. What leaves: Bundles, the status of a
subscription as Parameters, and bodies. Pure. Must never: say more of an event than its number,
its time, and which Task it is about; and of that nothing where the content is `empty`.
Source: Subscriptions R5 Backport 1.1.0 (backport-subscription-notification-r4,
backport-subscription-status-r4); Standard Webhooks, payload structure.
"""

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from gateway.fhir.json_text import write_json
from gateway.fhir.service_request import instant
from gateway.fhir.text import Media, write_resource
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject
from gateway.referral.subscriptions import TOPIC, Channel, Content, Event, Notice, Notification

_STATUS_PROFILE: Final = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "backport-subscription-status-r4"
)
_BUNDLE_PROFILE: Final = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "backport-subscription-notification-r4"
)
_TROUBLES: Final = f"{OWN_BASE}/CodeSystem/subscription-trouble"
MEDIA_TYPES: Final[Mapping[Channel, str]] = {
    Channel.FHIR_JSON: Media.JSON.value,
    Channel.FHIR_XML: Media.XML.value,
    Channel.WEBHOOK: "application/json",
}
"""What each kind of body is sent as; also how a subscription asks for it (channel.payload)."""

_SAID: Final[Mapping[str, str]] = {
    "unreachable": "No connection to the address could be made, or its certificate is not trusted.",
    "no-reply": "The address gave no whole answer in time.",
    "busy": "The address answered that it cannot take notifications now.",
    "refused": "The address refused the notification; redirects are not followed.",
    "damaged": "What is stored of this subscription does not open; delete it, and make another.",
    "gone": "The address answered 410 Gone, so nothing more is sent there.",
    "given-up": "The address took nothing for days, so nothing more is sent there.",
    "ended": "The end of the subscription has come.",
    "silent": "Nothing reached the address for longer than a heartbeat and a half.",
    "behind": "An event waits for longer than a heartbeat and a half.",
}


def said_of(trouble: str) -> str:
    """Say in words what is wrong; a status of HTTP that came with it, after a colon."""
    code, _, status = trouble.partition(":")
    return _SAID[code] + (f" HTTP status: {status}." if status else "")


def status_of(notice: Notice, base_url: str, *, content: Content | None = None) -> JsonObject:
    """Make the status of a subscription, with what is told of events, as Parameters.

    Args:
        notice: what is told.
        base_url: of our FHIR server, without a slash at its end.
        content: how much to say of events; None: as the subscription asks.
    """
    own = notice.subscription
    is_empty = (content or own.terms.content) is Content.EMPTY
    reference: JsonObject = {"reference": f"{base_url}/Subscription/{own.id}"}
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": reference},
        {"name": "status", "valueCode": own.status.value},
        {"name": "type", "valueCode": notice.type.value},
        {"name": "events-since-subscription-start", "valueString": str(notice.total)},
        {"name": "feed-numbers-start-after", "valueString": str(own.started_after)},
    ]
    if not is_empty:
        parameters.insert(1, {"name": "topic", "valueCanonical": TOPIC})
    parameters += [_event(each, base_url, is_empty=is_empty) for each in notice.events]
    parameters += [_trouble(each) for each in notice.troubles]
    return {
        "resourceType": "Parameters",
        "id": str(own.id),
        "meta": {"profile": [_STATUS_PROFILE]},
        "parameter": parameters,
    }


def _event(event: Event, base_url: str, *, is_empty: bool) -> JsonObject:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.at)},
    ]
    if event.task is not None and not is_empty:
        focus: JsonObject = {"reference": f"{base_url}/Task/{event.task}"}
        parts.append({"name": "focus", "valueReference": focus})
    return {"name": "notification-event", "part": parts}


def _trouble(trouble: str) -> JsonObject:
    coding: list[Json] = [{"system": _TROUBLES, "code": trouble.partition(":")[0]}]
    return {
        "name": "error",
        "valueCodeableConcept": {"coding": coding, "text": said_of(trouble)},
    }


def bundle_of(
    notice: Notice,
    base_url: str,
    *,
    content: Content | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> JsonObject:
    """Make the notification Bundle; its one entry is the status. Source: bdl-3, bdl-4.

    `links` are pairs of relation and url.
    """
    own = f"{base_url}/Subscription/{notice.subscription.id}"
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "meta": {"profile": [_BUNDLE_PROFILE]},
        "type": "history",
        "timestamp": instant(notice.at),
    }
    if links:
        bundle["link"] = [{"relation": relation, "url": url} for relation, url in links]
    bundle["entry"] = [
        {
            "fullUrl": f"urn:uuid:{notice.subscription.id}",
            "resource": status_of(notice, base_url, content=content),
            "request": {"method": "GET", "url": f"{own}/$status"},
            "response": {"status": "200"},
        }
    ]
    return bundle


def webhook_of(notice: Notice, base_url: str) -> JsonObject:
    """Make a webhook's JSON: of a handshake, a heartbeat, or one event."""
    own = notice.subscription
    data: JsonObject = {
        "subscription": f"{base_url}/Subscription/{own.id}",
        "status": own.status.value,
        "events_since_subscription_start": notice.total,
    }
    if notice.type is not Notification.EVENTS:
        kind = f"subscription.{notice.type.value}"
        return {"type": kind, "timestamp": instant(notice.at), "data": data}
    (event,) = notice.events
    data |= {"event_number": event.number, "feed_number": own.started_after + event.number}
    if own.terms.content is Content.EMPTY:
        return {"type": "task.event", "timestamp": instant(event.at), "data": data}
    if event.task is not None:
        data["task"] = f"{base_url}/Task/{event.task}"
    kind = f"task.{event.kind.replace('-', '_')}"
    return {"type": kind, "timestamp": instant(event.at), "data": data}


def body_of(notice: Notice, base_url: str) -> bytes:
    """Write the exact bytes that are posted."""
    match notice.subscription.terms.channel:
        case Channel.FHIR_JSON:
            return write_resource(bundle_of(notice, base_url), Media.JSON)
        case Channel.FHIR_XML:
            return write_resource(bundle_of(notice, base_url), Media.XML)
        case Channel.WEBHOOK:
            return write_json(webhook_of(notice, base_url))
        case other:
            assert_never(other)
