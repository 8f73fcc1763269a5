"""The synchronous answer to a message: the same bundle, with our ids on its resources.

What enters: the message, the referral, and what is to be said beside it. What leaves: a
Bundle. Nothing of the message is changed or left out. Source: BaRS Core, bundle processing.
"""

from collections.abc import Sequence

from gateway.errors import Fault
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.service_request import instant
from gateway.referral.identifiers import ODS_CODE_SYSTEM, REFERENCE_SYSTEM
from gateway.referral.json import Json, JsonObject, child, copied, objects, string
from gateway.referral.model import Referral


def synchronous_answer(
    message: JsonObject, referral: Referral, hop: JsonObject, warnings: Sequence[Fault]
) -> JsonObject:
    """Answer a message: the same bundle, our ids on its resources, and what we add.

    For a new referral that is our own Encounter, planned, with the reference that a person
    can quote. A referral that is held brings the hop's on-hold Task, with the reason and the
    remedy. What was tolerated stands in an OperationOutcome.
    """
    answer, subject = _named(message, referral)
    entries: list[Json] = [*objects(answer, "entry")]
    if not referral.is_cancelled:
        entries.append(_planned_encounter(referral, subject))
    if referral.hold is not None:
        entries.append(_entry(hop))
    return {**answer, "entry": [*entries, *_told(warnings)]}


def answer_to_response(
    message: JsonObject, referral: Referral, hop: JsonObject, warnings: Sequence[Fault]
) -> JsonObject:
    """Answer a response: the same bundle, our ids on its resources, and the Task as it stands.

    What the write guard kept back, and what was tolerated, stand in an OperationOutcome.
    """
    answer, _ = _named(message, referral)
    entries: list[Json] = [*objects(answer, "entry"), _entry(hop)]
    return {**answer, "entry": [*entries, *_told(warnings)]}


def _named(message: JsonObject, referral: Referral) -> tuple[JsonObject, Json]:
    """Copy a message with our ids on its resources; say whom its ServiceRequest is about."""
    answer = copied(message)
    subject: Json = None
    for position, entry in enumerate(objects(answer, "entry")):
        resource = child(entry, "resource") or {}
        is_request = string(resource, "resourceType") == "ServiceRequest"
        name = string(entry, "fullUrl") or f"Bundle.entry[{position}]"
        named = referral.id if is_request else referral.id.part(name)
        resource["id"] = str(named)
        if is_request:
            subject = resource.get("subject")
    return answer, subject


def _told(warnings: Sequence[Fault]) -> list[Json]:
    return [_entry(operation_outcome(warnings, code=None))] if warnings else []


def _entry(resource: JsonObject) -> JsonObject:
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def _planned_encounter(referral: Referral, subject: Json) -> JsonObject:
    own = referral.id.part("planned-encounter")
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    encounter: JsonObject = {
        "resourceType": "Encounter",
        "id": own,
        "meta": {"lastUpdated": instant(referral.received_at)},
        "identifier": [{"system": REFERENCE_SYSTEM, "value": str(referral.reference)}],
        "status": "planned",
        "class": {"system": act_code, "code": "AMB", "display": "ambulatory"},
        "serviceProvider": {
            "identifier": {"system": ODS_CODE_SYSTEM, "value": str(referral.provider)}
        },
    }
    if subject is not None:
        encounter["subject"] = copied(subject)
    return {"fullUrl": f"urn:uuid:{own}", "resource": encounter}
