"""Reading a referral back: the ServiceRequest as it was sent, under our id.

What enters: the bytes as received, and the referral. What leaves: the ServiceRequest as the
sender wrote it, with our id, version and reference. The status stays the sender's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.fhir.references import index
from gateway.referral.identifiers import REFERENCE_SYSTEM
from gateway.referral.json import Json, JsonObject, child, objects
from gateway.referral.model import Referral

VERSION = "1"
"""A referral's content has one version until its sender may change it."""


def service_request_of(message: JsonObject, referral: Referral) -> JsonObject:
    """Show the ServiceRequest of a stored message. Shares its parts with the message."""
    shown = index(message).of_type("ServiceRequest")[0].resource
    meta: JsonObject = {
        **(child(shown, "meta") or {}),
        "versionId": VERSION,
        "lastUpdated": instant(referral.received_at),
    }
    own: JsonObject = {"system": REFERENCE_SYSTEM, "value": str(referral.reference)}
    head: JsonObject = {"resourceType": "ServiceRequest", "id": str(referral.id), "meta": meta}
    identifiers: list[Json] = [*objects(shown, "identifier"), own]
    return {**head, **{k: v for k, v in shown.items() if k not in head}, "identifier": identifiers}


def searchset(
    found: Sequence[tuple[str, JsonObject]],
    *,
    total: int | None,
    self_url: str,
    next_url: str | None,
) -> JsonObject:
    """Make a searchset of (fullUrl, resource) pairs. `total` None: it was not counted."""
    links: list[Json] = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    bundle: JsonObject = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        bundle["total"] = total
    bundle["link"] = links
    if found:
        bundle["entry"] = [
            {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}
            for url, resource in found
        ]
    return bundle


def instant(at: datetime) -> str:
    """Write an instant in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
