"""A referral becomes the FHIR R4 transaction that a provider's server receives.

What enters: the message as it may leave, and the delivery. What leaves: one transaction
Bundle, the same bytes at every attempt: the hop's Task, then the ServiceRequest, then everything
that came with it. What the sender wrote is kept; added are our reference, the handling labels
of the purpose, the Task and, where something was taken out that may be told, the mark REDACTED
and a Provenance. Source: FHIR R4, http.html, section 3.1.0.11; security-labels.html; the
Clinical Order Workflow guide for the Task.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from gateway.consent.links import LINKS
from gateway.consent.rules import handling_labels
from gateway.errors import InvalidMessageError, Severity
from gateway.fhir.json_text import write_json
from gateway.fhir.references import Index, index
from gateway.fhir.validate import validate
from gateway.mapping.outgoing import Notice, Outgoing
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    OWN_BASE,
    REASON_SYSTEM,
    REFERENCE_SYSTEM,
    OdsCode,
)
from gateway.referral.json import Json, JsonObject, child, copied, objects, string
from gateway.referral.lifecycle import TaskStatus
from gateway.referral.model import Delivery, Referral

DELIVERY_SYSTEM = f"{OWN_BASE}/Id/delivery"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"
_NOT_FORWARDED = frozenset({"MessageHeader"})
REDACTED: JsonObject = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "REDACTED",
}
TRANSFORMED: JsonObject = {
    "system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle",
    "code": "transform",
}
ASSEMBLER: JsonObject = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "assembler",
}


class FhirTransaction:
    """Writes the format `fhir-transaction`: see `journey.gateway.Writer`."""

    media_type = "application/fhir+json"

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, _endpoint: Endpoint
    ) -> bytes:
        """Write the transaction that brings one referral to one service.

        Raises:
            InvalidMessageError: what was made of it is not valid FHIR.
        """
        return written(transaction_for(message, referral, delivery))

    def write_recall(self, referral: Referral, recall: Delivery, _endpoint: Endpoint) -> bytes:
        """Write the transaction that tells a service's people to stop."""
        return written(recall_for(referral, recall))


def written(tree: JsonObject) -> bytes:
    """Write what we made as JSON, once the validator that guards the front door has passed it.

    Raises:
        InvalidMessageError: it is not valid FHIR.
    """
    faults = [f for f in validate(tree) if f.severity in (Severity.ERROR, Severity.FATAL)]
    if faults:
        raise InvalidMessageError(*faults)
    return write_json(tree)


def transaction_for(message: Outgoing, referral: Referral, delivery: Delivery) -> JsonObject:
    """Map one referral to the transaction that brings it to one service.

    1. Name every part with a urn:uuid that is the same at each attempt.
    2. Copy the parts, their references rewritten to these names.
    3. Mark the ServiceRequest with our reference and the purpose's handling labels.
    4. Put the hop's Task before it; both are created once only, however often this is sent.
    5. Where something was taken out, say so: a mark, and which duty asked for it.
    """
    parts = index(message.tree)
    names = part_names(parts, referral)
    entries = []
    for part in parts.parts:
        if part.type in _NOT_FORWARDED or ".contained[" in part.path:
            continue
        resource = rewritten(copied(part.resource), _rewrites(parts, names))
        entries.append(_entry(names[part.path], resource))
    request = next(e for e in entries if string(resource_of(e), "resourceType") == "ServiceRequest")
    mark(resource_of(request), referral)
    entries.remove(request)
    bundle: JsonObject = {"resourceType": "Bundle"}
    notice = message.notice
    if notice is not None:
        name = f"urn:uuid:{referral.id.part('Provenance')}"
        entries.append(_entry(name, redaction(request, notice, delivery)))
        if notice.is_redacted:
            add_labels(resource_of(request), [REDACTED])
            add_labels(bundle, [REDACTED])
    return bundle | {
        "type": "transaction",
        "timestamp": instant(delivery.created_at),
        "entry": [
            _once(_entry(f"urn:uuid:{delivery.id}", _task(request, referral, delivery))),
            _once(request),
            *entries,
        ],
    }


def recall_for(referral: Referral, recall: Delivery) -> JsonObject:
    """Write the transaction that recalls a referral: one Task that asks to abort it.

    It names the referral by our reference, which went with it, and nothing of the person.
    """
    reference: JsonObject = {"system": REFERENCE_SYSTEM, "value": str(referral.reference)}
    reason: JsonObject = {"system": REASON_SYSTEM, "code": recall.reason}
    task: JsonObject = {
        "resourceType": "Task",
        "identifier": [{"system": DELIVERY_SYSTEM, "value": str(recall.id)}],
        "groupIdentifier": reference,
        "status": TaskStatus.REQUESTED.value,
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [{"system": _TASK_CODE, "code": "abort"}]},
        "description": "The sender took this referral back. Stop work on it, delete, return or"
        " restrict what came with it, and say which.",
        "focus": {"type": "ServiceRequest", "identifier": reference},
        "authoredOn": instant(recall.created_at),
        "requester": organisation(referral.practice),
        "owner": organisation(recall.provider),
        "reasonCode": {"coding": [reason]},
        "restriction": {"period": {"end": instant(recall.give_up_at)}},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": instant(recall.created_at),
        "entry": [_once(_entry(f"urn:uuid:{recall.id}", task))],
    }


def part_names(parts: Index, referral: Referral) -> Mapping[str, str]:
    """Name each part by where it stands; the ServiceRequest by the referral's own id."""
    return {
        part.path: "urn:uuid:"
        + (referral.id if part.type == "ServiceRequest" else referral.id.part(part.path))
        for part in parts.parts
    }


def _rewrites(parts: Index, names: Mapping[str, str]) -> Mapping[str, str]:
    return {
        reference: names[part.path]
        for reference, part in parts.by_reference.items()
        if not reference.startswith("#")
    }


def rewritten(value: JsonObject, rewrites: Mapping[str, str]) -> JsonObject:
    """Point every link inside the message to the part's new name, in place."""
    waiting: list[Json] = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            for key in LINKS & node.keys():
                link = node[key]
                if isinstance(link, str):
                    node[key] = rewrites.get(link, link)
                elif isinstance(link, list):
                    node[key] = [rewrites.get(e, e) if isinstance(e, str) else e for e in link]
            waiting.extend(node.values())
    return value


def _entry(full_url: str, resource: JsonObject) -> JsonObject:
    return {
        "fullUrl": full_url,
        "resource": resource,
        "request": {"method": "POST", "url": string(resource, "resourceType")},
    }


def _once(entry: JsonObject) -> JsonObject:
    """Make the creation conditional on our own identifier, the last one of the resource."""
    own = objects(resource_of(entry), "identifier")[-1]
    request = child(entry, "request") or {}
    request["ifNoneExist"] = f"identifier={string(own, 'system')}|{string(own, 'value')}"
    return entry


def resource_of(entry: JsonObject) -> JsonObject:
    """Return what an entry holds."""
    return child(entry, "resource") or {}


def mark(request: JsonObject, referral: Referral) -> None:
    """Put our reference, and the handling labels of the purpose, on a ServiceRequest."""
    own: JsonObject = {"system": REFERENCE_SYSTEM, "value": str(referral.reference)}
    request["identifier"] = [*objects(request, "identifier"), own]
    labels = handling_labels(referral.purpose)
    add_labels(request, [{"system": _ACT_CODE, "code": label} for label in labels])


def add_labels(resource: JsonObject, labels: Sequence[JsonObject]) -> None:
    """Add security labels to those that a resource has."""
    if labels:
        meta = child(resource, "meta") or {}
        meta["security"] = [*objects(meta, "security"), *copied(labels)]
        resource["meta"] = meta


def redaction(request: JsonObject, notice: Notice, delivery: Delivery) -> JsonObject:
    """Say which duties took something out, and by whose hand; never what it was."""
    return {
        "resourceType": "Provenance",
        "target": [{"reference": string(request, "fullUrl")}],
        "recorded": instant(delivery.created_at),
        "policy": [*notice.policies],
        "activity": {"coding": [copied(TRANSFORMED)]},
        "agent": [{"type": {"coding": [copied(ASSEMBLER)]}, "who": organisation(notice.by)}],
    }


def _task(request: JsonObject, referral: Referral, delivery: Delivery) -> JsonObject:
    subject = child(resource_of(request), "subject")
    task: JsonObject = {
        "resourceType": "Task",
        "identifier": [{"system": DELIVERY_SYSTEM, "value": str(delivery.id)}],
        "groupIdentifier": {"system": REFERENCE_SYSTEM, "value": str(referral.reference)},
        "status": TaskStatus.REQUESTED.value,
        "intent": "order",
        "code": {"coding": [{"system": _TASK_CODE, "code": "fulfill"}]},
        "focus": {"reference": string(request, "fullUrl")},
        "authoredOn": instant(delivery.created_at),
        "requester": organisation(referral.practice),
        "owner": organisation(delivery.provider),
    }
    if subject is not None and not (string(subject, "reference") or "").startswith("#"):
        task["for"] = copied(subject)
    return task


def organisation(ods: OdsCode) -> JsonObject:
    """Refer to an organisation by its ODS code."""
    return {"identifier": {"system": ODS_CODE_SYSTEM, "value": str(ods)}}


def instant(at: datetime) -> str:
    """Write an instant in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
