"""Reading a referral back: the ServiceRequest as it was sent, under our id.

What enters: the message as received, the referral, and what its sender changed later. What
leaves: one version of the ServiceRequest as the sender wrote it, with our id, version and
reference. The status is the sender's: first active, and in a later version what the sender
said when it took the referral back, with the reason that it gave.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.fhir.references import index
from gateway.referral.identifiers import REFERENCE_SYSTEM
from gateway.referral.json import Json, JsonObject, child, objects
from gateway.referral.model import Change, Referral


def service_request_of(
    message: JsonObject, referral: Referral, change: Change | None = None
) -> JsonObject:
    """Show a version of the ServiceRequest of a stored message: the first, or a change's.

    Shares its parts with the message.
    """
    shown = index(message).of_type("ServiceRequest")[0].resource
    meta: JsonObject = {
        **(child(shown, "meta") or {}),
        "versionId": str(change.version if change else 1),
        "lastUpdated": instant(change.at if change else referral.received_at),
    }
    own: JsonObject = {"system": REFERENCE_SYSTEM, "value": str(referral.reference)}
    head: JsonObject = {"resourceType": "ServiceRequest", "id": str(referral.id), "meta": meta}
    identifiers: list[Json] = [*objects(shown, "identifier"), own]
    rest = {k: v for k, v in shown.items() if k not in head} | {"identifier": identifiers}
    if change is not None:
        rest["status"] = change.status.value
        reasons: list[Json] = [*objects(shown, "reasonCode"), *change.reason]
        if reasons:
            rest["reasonCode"] = reasons
    return {**head, **rest}


def history(versions: Sequence[JsonObject], url: str) -> JsonObject:
    """Make the history of one resource out of its versions, oldest first.

    `url` is its address. Source: FHIR R4, http.html, history; bdl-3 and bdl-4.
    """
    entries: list[Json] = []
    for number, version in reversed(list(enumerate(versions))):
        meta, kind = child(version, "meta") or {}, version["resourceType"]
        entries.append(
            {
                "fullUrl": url,
                "resource": version,
                "request": {
                    "method": "PUT" if number else "POST",
                    "url": f"{kind}/{version['id']}" if number else kind,
                },
                "response": {
                    "status": "200 OK" if number else "201 Created",
                    "etag": f'W/"{meta["versionId"]}"',
                    "lastModified": meta["lastUpdated"],
                },
            }
        )
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(versions),
        "link": [{"relation": "self", "url": f"{url}/_history"}],
        "entry": entries,
    }


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
