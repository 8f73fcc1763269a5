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
    answer = copied(message)
    entries: list[Json] = [*objects(answer, "entry")]
    subject: Json = None
    for position, entry in enumerate(objects(answer, "entry")):
        resource = child(entry, "resource") or {}
        is_request = string(resource, "resourceType") == "ServiceRequest"
        name = string(entry, "fullUrl") or f"Bundle.entry[{position}]"
        named = referral.id if is_request else referral.id.part(name)
        resource["id"] = str(named)
        if is_request:
            subject = resource.get("subject")
    if not referral.is_cancelled:
        entries.append(_planned_encounter(referral, subject))
    if referral.hold is not None:
        entries.append({"fullUrl": f"urn:uuid:{hop['id']}", "resource": hop})
    if warnings:
        told = operation_outcome(warnings, code=None)
        entries.append({"fullUrl": f"urn:uuid:{told['id']}", "resource": told})
    return {**answer, "entry": entries}


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
