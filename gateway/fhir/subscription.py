"""A Subscription as we show it: what its client asked for, and how it stands.

What enters: a subscription, and once, when it was made, its secret. What leaves: the resource.
Must never: show a header that the client gave, or the secret a second time.
Source: Subscriptions R5 Backport 1.1.0, backport-subscription.
"""

from gateway.fhir.read_subscription import CONTENT, HEARTBEAT, MAX_COUNT, TIMEOUT
from gateway.fhir.service_request import instant
from gateway.mapping.notification import MEDIA_TYPES, said_of
from gateway.mapping.standard_webhook import shown_secret
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject
from gateway.referral.subscriptions import TOPIC, Subscription

PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription"
SECRET = f"{OWN_BASE}/StructureDefinition/webhook-secret"
_REASON = "Events of the Tasks that the subscriber owns."


def subscription_of(own: Subscription, *, secret: bytes | None = None) -> JsonObject:
    """Show a subscription; `secret` only in the answer to its creation."""
    shown: JsonObject = {
        "resourceType": "Subscription",
        "id": str(own.id),
        "meta": {
            "versionId": str(own.version),
            "lastUpdated": instant(own.updated_at),
            "profile": [PROFILE],
        },
        "status": own.status.value,
    }
    if own.terms.end_at is not None:
        shown["end"] = instant(own.terms.end_at)
    shown |= {"reason": _REASON, "criteria": TOPIC}
    if own.error is not None:
        shown["error"] = said_of(own.error)
    return shown | {"channel": _channel(own, secret)}


def _channel(own: Subscription, secret: bytes | None) -> JsonObject:
    terms = own.terms
    extensions: list[Json] = [
        {"url": HEARTBEAT, "valueUnsignedInt": int(terms.heartbeat.total_seconds())},
        {"url": TIMEOUT, "valueUnsignedInt": int(terms.timeout.total_seconds())},
        {"url": MAX_COUNT, "valuePositiveInt": terms.max_count},
    ]
    if secret is not None:
        extensions.append({"url": SECRET, "valueString": shown_secret(secret)})
    content: JsonObject = {"url": CONTENT, "valueCode": terms.content.value}
    return {
        "extension": extensions,
        "type": "rest-hook",
        "endpoint": terms.address,
        "payload": MEDIA_TYPES[terms.channel],
        "_payload": {"extension": [content]},
    }
