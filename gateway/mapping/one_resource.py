"""What may leave of a referral, as one ServiceRequest: what a provider gets that reads it.

What enters: the message as it may leave, and the delivery that brought it. What leaves: the same
that a transaction would carry, under the referral's own id, every other part contained. R4 lets
no contained resource carry security labels, so theirs stand on the whole. Parts that nothing
names are named by `supportingInfo`, a Provenance by `relevantHistory`. The hop's Task stays out: it
has an address of its own. Source: FHIR R4, references.html, contained resources; dom-2 to dom-5.
"""

from collections.abc import Iterator, Sequence

from gateway.consent.links import LINKS
from gateway.fhir.service_request import instant
from gateway.mapping.fhir_rest import add_labels, resource_of, rewritten, transaction_for
from gateway.mapping.outgoing import Outgoing
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.model import Delivery, Referral

_OF_THE_WHOLE = ("security", "versionId", "lastUpdated")
"""What the meta of a contained resource may not have. Source: dom-4, dom-5."""


def one_service_request(message: Outgoing, referral: Referral, delivery: Delivery) -> JsonObject:
    """Fold the transaction that would leave into its ServiceRequest."""
    entries = objects(transaction_for(message, referral, delivery), "entry")
    parts = {string(each, "fullUrl") or "": resource_of(each) for each in entries}
    del parts[f"urn:uuid:{delivery.id}"]
    name = f"urn:uuid:{referral.id}"
    whole = _headed(parts.pop(name), referral)
    folded = [each for own, part in parts.items() for each in _fold(_id_of(own), part)]
    for each in folded:
        add_labels(whole, _labels_beside(whole, each))
        _bare(each)
    if folded:
        whole["contained"] = [*objects(whole, "contained"), *folded]
    to_here = {own: f"#{_id_of(own)}" for own in parts}
    rewritten(whole, to_here | {name: f"ServiceRequest/{referral.id}"})
    _name_the_rest(whole, folded)
    return whole


def _id_of(full_url: str) -> str:
    return full_url.removeprefix("urn:uuid:")


def _headed(request: JsonObject, referral: Referral) -> JsonObject:
    """Put our id, and which version of the sender's it is, on the ServiceRequest."""
    meta: JsonObject = {
        **(child(request, "meta") or {}),
        "versionId": str(referral.content_version),
        "lastUpdated": instant(referral.content_at),
    }
    head: JsonObject = {"resourceType": "ServiceRequest", "id": str(referral.id), "meta": meta}
    return head | {name: value for name, value in request.items() if name not in head}


def _fold(own: str, part: JsonObject) -> Iterator[JsonObject]:
    """Give a part, and beside it what it contains itself, under names of their own."""
    inner = objects(part, "contained")
    names = {string(each, "id") or "": f"{own}-{at}" for at, each in enumerate(inner)}
    rewritten(part, {f"#{old}": f"#{new}" for old, new in {**names, "": own}.items()})
    outer = {name: value for name, value in part.items() if name not in ("id", "contained")}
    yield {"resourceType": part["resourceType"], "id": own} | outer
    for each in inner:
        yield each | {"id": names[string(each, "id") or ""]}


def _labels_beside(whole: JsonObject, part: JsonObject) -> Sequence[JsonObject]:
    """List the labels of a part that the whole does not bear."""
    there = objects(child(whole, "meta") or {}, "security")
    return [each for each in objects(child(part, "meta") or {}, "security") if each not in there]


def _bare(part: JsonObject) -> None:
    meta = child(part, "meta")
    if meta is not None:
        for name in _OF_THE_WHOLE:
            meta.pop(name, None)
        if not meta:
            del part["meta"]


def _name_the_rest(whole: JsonObject, folded: Sequence[JsonObject]) -> None:
    """Refer to each part to which nothing refers."""
    named = set(_links(whole))
    for each in folded:
        link = f"#{each['id']}"
        if link not in named:
            is_told_how = each["resourceType"] == "Provenance"
            place = "relevantHistory" if is_told_how else "supportingInfo"
            whole[place] = [*objects(whole, place), {"reference": link}]


def _links(value: JsonObject) -> Iterator[str]:
    waiting: list[Json] = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            yield from (
                link for name, link in node.items() if name in LINKS and isinstance(link, str)
            )
            waiting.extend(node.values())
