"""BaRS messages: what a message says it is, and whether it may be so.

What enters: a message Bundle whose structure is right, and the service id of the request's
`NHSD-Target-Identifier`. What leaves: who says to have sent it, or every fault; and the synchronous answer.
A referral that is new is taken; any other event, category or reason is refused by name.
Source: BaRS Core, bundle processing and the tables of MessageDefinition focus.
"""

import copy
import re
from collections.abc import Iterable, Mapping, Sequence

from gateway.errors import Fault, InvalidMessageError, IssueCode, UnsupportedMessageError
from gateway.fhir.references import Index, Part, index
from gateway.fhir.service_request import instant
from gateway.referral.identifiers import (
    DOS_SERVICE_SYSTEM,
    ODS_CODE_SYSTEM,
    REFERENCE_SYSTEM,
    DosServiceId,
    OdsCode,
    normal_system,
)
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.model import Referral

EVENT_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-events-bars"
CATEGORY_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest"
REASON_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-reason-bars"
DEFINITION = "https://fhir.nhs.uk/MessageDefinition/bars-message-servicerequest-request-referral"
APPLICATION_MAJOR = 1
"""The major version of BaRS applications (`Bundle.meta.versionId`) that is taken."""

FOCUS: Mapping[str, tuple[int, int | None]] = {
    "MessageHeader": (1, 1),
    "ServiceRequest": (1, 1),
    "Patient": (1, 1),
    "Encounter": (1, 1),
    "CarePlan": (1, 1),
    "Consent": (1, None),
    "Organization": (2, None),
    "Practitioner": (1, None),
    "PractitionerRole": (1, None),
    "HealthcareService": (1, None),
    "Device": (0, 1),
}
"""How many of each resource a new referral carries: (least, most)."""

_VERSION = re.compile(r"(\d{1,4})\.\d{1,4}\.\d{1,4}(-[A-Za-z0-9.-]{1,32})?")
_CARE_PLAN_DONE = ("completed",)
_ENCOUNTER_DONE = ("triaged", "finished")


def check_message(message: JsonObject, target: DosServiceId) -> OdsCode | None:
    """Check that a message is a new referral for the service it was addressed to.

    1. It is a message Bundle with a header.
    2. Its event, category and reason are ones that are offered here.
    3. Its application version is one that is understood.
    4. It is addressed to the service that the request names.
    5. It carries the resources that its definition asks for.
    6. Its workflow variables fit each other.

    Returns: the organisation that MessageHeader.sender leads to; None if it leads to none.

    Raises:
        InvalidMessageError: structure, addressing or workflow is wrong.
        UnsupportedMessageError: the message is right, but of a kind not offered here.
    """
    parts, header = _header_of(message)
    _check_offered(parts, header)
    _check_version(message)
    service = _destination(header)
    faults = [
        *_addressing_faults(header, service, target),
        *_focus_faults(parts),
        *_workflow_faults(parts),
    ]
    if faults:
        raise InvalidMessageError(*faults)
    return parts.organisation(child(header.resource, "sender"))


def _header_of(message: JsonObject) -> tuple[Index, Part]:
    if string(message, "resourceType") != "Bundle" or string(message, "type") != "message":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.STRUCTURE,
                expression="Bundle.type",
                diagnostics="$process-message takes a Bundle of the type message.",
            )
        )
    parts = index(message)
    if not parts.parts or parts.parts[0].type != "MessageHeader":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.REQUIRED,
                expression="Bundle.entry[0].resource",
                diagnostics="The first entry of a message is its MessageHeader.",
            )
        )
    return parts, parts.parts[0]


def _check_offered(parts: Index, header: Part) -> None:
    """Name what is not offered: another event, category or reason than a new referral."""
    event = child(header.resource, "eventCoding") or {}
    if string(event, "code") != "servicerequest-request":
        raise _not_offered(f"{header.path}.eventCoding", "event servicerequest-request")
    requests = parts.of_type("ServiceRequest")
    for request in requests[:1]:
        codes = _coded(objects(request.resource, "category"), CATEGORY_SYSTEM)
        if "referral" not in codes:
            raise _not_offered(f"{request.path}.category", "category referral")
    reason = child(header.resource, "reason")
    if "new" not in _coded([reason] if reason else [], REASON_SYSTEM):
        raise _not_offered(f"{header.path}.reason", "reason new")


def _not_offered(expression: str, offered: str) -> UnsupportedMessageError:
    return UnsupportedMessageError(
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression=expression,
            diagnostics=f"What is offered here is the {offered}.",
        )
    )


def _coded(concepts: Sequence[JsonObject], system: str) -> set[str]:
    return {
        (string(coding, "code") or "").lower()
        for concept in concepts
        for coding in objects(concept, "coding")
        if normal_system(string(coding, "system") or "") == system
    }


def _check_version(message: JsonObject) -> None:
    text = string(child(message, "meta") or {}, "versionId")
    if text is None:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVARIANT,
                expression="Bundle.meta.versionId",
                diagnostics="Bundle.meta.versionId carries the version of the BaRS application.",
            )
        )
    version = _VERSION.fullmatch(text)
    if version is None or int(version[1]) != APPLICATION_MAJOR:
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression="Bundle.meta.versionId",
                diagnostics=f"Version {APPLICATION_MAJOR} of the BaRS application is understood"
                " here.",
            )
        )


def _destination(header: Part) -> DosServiceId | None:
    for destination in objects(header.resource, "destination"):
        system, _, value = (string(destination, "endpoint") or "").partition("|")
        if normal_system(system) == DOS_SERVICE_SYSTEM:
            try:
                return DosServiceId(value)
            except ValueError:
                return None
    return None


def _addressing_faults(
    header: Part, service: DosServiceId | None, target: DosServiceId
) -> Iterable[Fault]:
    if service != target:
        yield Fault(
            code=IssueCode.VALUE,
            expression=f"{header.path}.destination[0].endpoint",
            diagnostics="The destination's endpoint is the service id of NHSD-Target-Identifier,"
            f" written {DOS_SERVICE_SYSTEM}|id.",
        )
    if not string(child(header.resource, "source") or {}, "endpoint"):
        yield Fault(
            code=IssueCode.REQUIRED,
            expression=f"{header.path}.source.endpoint",
            diagnostics="source.endpoint is where replies go. Add it.",
        )


def _focus_faults(parts: Index) -> Iterable[Fault]:
    for name, (least, most) in FOCUS.items():
        found = parts.of_type(name)
        if len(found) < least or (most is not None and len(found) > most):
            wanted = f"{least}" if most == least else f"{least} to {most or 'any number'}"
            yield Fault(
                code=IssueCode.REQUIRED if len(found) < least else IssueCode.INVALID,
                expression=found[most].path if most and len(found) > most else "Bundle.entry",
                diagnostics=f"A new referral carries {wanted} {name}; this one has {len(found)}.",
            )


def _workflow_faults(parts: Index) -> Iterable[Fault]:
    """Check the combination that says: a new referral, triaged and complete."""
    rules = (
        ("ServiceRequest", ("active",), "A new referral's ServiceRequest is active."),
        ("CarePlan", _CARE_PLAN_DONE, "A new referral's CarePlan is completed."),
        ("Encounter", _ENCOUNTER_DONE, "A new referral's Encounter is triaged or finished."),
    )
    for name, statuses, text in rules:
        for part in parts.of_type(name)[:1]:
            if string(part.resource, "status") not in statuses:
                yield Fault(
                    code=IssueCode.INVARIANT, expression=f"{part.path}.status", diagnostics=text
                )


def synchronous_answer(
    message: JsonObject, referral: Referral, hop: JsonObject, provider: OdsCode
) -> JsonObject:
    """Answer a message: the same bundle, our ids on its resources, and our own Encounter.

    The Encounter is planned and carries the reference that a person can quote. A referral
    that is held brings the hop's on-hold Task as well, with the reason and the remedy.
    """
    answer = copy.deepcopy(message)
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
    entries.append(_planned_encounter(referral, subject, provider))
    if referral.hold is not None:
        entries.append({"fullUrl": f"urn:uuid:{hop['id']}", "resource": hop})
    return {**answer, "entry": entries}


def _planned_encounter(referral: Referral, subject: Json, provider: OdsCode) -> JsonObject:
    own = referral.id.part("planned-encounter")
    act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    encounter: JsonObject = {
        "resourceType": "Encounter",
        "id": own,
        "meta": {"lastUpdated": instant(referral.received_at)},
        "identifier": [{"system": REFERENCE_SYSTEM, "value": str(referral.reference)}],
        "status": "planned",
        "class": {"system": act_code, "code": "AMB", "display": "ambulatory"},
        "serviceProvider": {"identifier": {"system": ODS_CODE_SYSTEM, "value": str(provider)}},
    }
    if subject is not None:
        encounter["subject"] = copy.deepcopy(subject)
    return {"fullUrl": f"urn:uuid:{own}", "resource": encounter}
