"""What a message that takes a referral back says of it.

What enters: a message whose meaning is a cancellation, and whose structure is right. What
leaves: by which names the referral may be found, whose it is, and what became of it. Its
finder tries our id first, then the identifiers, then where the original came from, since
official messages carry no id and some receivers demand an identifier. Source: BaRS Core,
cancellation and find resource.
"""

from dataclasses import dataclass

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.bars.message import Message
from gateway.fhir.modifiers import modifier_faults
from gateway.fhir.same_patient import stranger_faults
from gateway.referral.identifiers import ReferralId, normal_system
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.lifecycle import RequestStatus
from gateway.referral.model import Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One cancellation, as its message tells it. `person_at` is a FHIRPath."""

    id: ReferralId | None
    identifiers: tuple[Identifier, ...]
    origin: tuple[Identifier, ...]
    status: RequestStatus
    patient: JsonObject
    person_at: str


def read_notice(message: Message) -> Notice:
    """Read a cancellation.

    Raises:
        InvalidMessageError: it does not carry one ServiceRequest and one Patient, or is not
            about that Patient throughout.
    """
    request, people = message.request, message.parts.of_type("Patient")
    patient = people[0] if len(people) == 1 else None
    if request is None or patient is None:
        name = "Patient" if request else "ServiceRequest"
        raise InvalidMessageError(
            Fault(
                code=IssueCode.REQUIRED,
                expression="Bundle.entry",
                diagnostics=f"A cancellation carries one {name}; this one does not.",
            )
        )
    faults = [
        *stranger_faults(message.tree, message.parts, request, patient),
        *modifier_faults(message.tree, message.parts),
    ]
    if faults:
        raise InvalidMessageError(*faults)
    origin = origin_of(message)
    return Notice(
        id=_own_id(string(request.resource, "id")),
        identifiers=tuple(
            Identifier(normal_system(string(i, "system") or ""), string(i, "value") or "")
            for i in objects(request.resource, "identifier")
            if string(i, "value")
        ),
        origin=(origin,) if origin else (),
        status=RequestStatus(message.status),
        patient=patient.resource,
        person_at=patient.path,
    )


def origin_of(message: Message) -> Identifier | None:
    """Name a referral by where its message came from: the sender's service id, and fullUrl."""
    service, full_url = message.reply_service, message.full_url
    if service is None or not full_url:
        return None
    is_urn = full_url.lower().startswith("urn:")
    return Identifier(f"origin:{service}", full_url.lower() if is_urn else full_url)


def _own_id(text: str | None) -> ReferralId | None:
    try:
        return ReferralId(text or "")
    except ValueError:
        return None
