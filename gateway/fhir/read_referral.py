"""A message becomes one IncomingReferral.

What enters: a tree that `validate` has passed: a ServiceRequest with contained resources, or
a Bundle. What leaves: what decisions and routing need, and the tree itself, untouched. All
that is wrong is reported at once. No diagnostics quote the message.
"""

from collections.abc import Iterable, Iterator

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.modifiers import modifier_faults
from gateway.fhir.references import Index, Part, index
from gateway.fhir.same_patient import is_nhs_number, stranger_faults
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    DOS_SERVICE_SYSTEM,
    USE_CASE_SYSTEM,
    DosServiceId,
    NhsNumber,
    OdsCode,
    normal_system,
)
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Identifier, IncomingReferral, PatientInMessage, UseCase

SNOMED = "http://snomed.info/sct"
_INTENTS = ("plan", "order")
_USE_CASE_SYSTEMS = (BARS_USE_CASE_SYSTEM, USE_CASE_SYSTEM)


def read_referral(tree: JsonObject) -> IncomingReferral:
    """Read one referral.

    1. Find the one ServiceRequest and the one Patient, and check that every part is theirs.
    2. Find who asks, whom they ask, for what, and on whose consent.
    3. Check that the referral is new and active, and says why it is made.

    Raises:
        InvalidMessageError: every fault, with its place.
    """
    parts = index(tree)
    request = _only_one(parts, "ServiceRequest")
    patient = _only_one(parts, "Patient")
    faults = [
        *stranger_faults(tree, parts, request, patient),
        *_status_faults(request),
        *_meaning_faults(parts, request),
        *modifier_faults(tree, parts),
        *_use_case_faults(request),
        *_reason_faults(parts, request),
        *_performer_faults(parts, request),
    ]
    requester = parts.organisation(child(request.resource, "requester"))
    if requester is None:
        faults.append(_requester_fault(request))
    if faults or requester is None:
        raise InvalidMessageError(*faults)
    return IncomingReferral(
        tree=tree,
        at=request.path,
        organisations=_organisations(parts),
        patient=_patient(parts, patient),
        requester=requester,
        identifiers=_identifiers(request),
        service_asked=_service_asked(parts, request),
        provider_asked=_provider_asked(parts, request),
        use_case=_use_case(request),
        codes=_codes(request),
        consents=tuple(part.resource for part in parts.of_type("Consent")),
        letter=bool(_letters(parts)),
    )


def _only_one(parts: Index, name: str) -> Part:
    found = parts.of_type(name)
    if len(found) == 1:
        return found[0]
    few = not found
    raise InvalidMessageError(
        Fault(
            code=IssueCode.REQUIRED if few else IssueCode.INVALID,
            expression=found[1].path if not few else parts.parts[0].path if parts.parts else None,
            diagnostics=f"A referral carries one {name}; this message has {len(found)}."
            f" {'Add it.' if few else 'Send one message for each referral.'}",
        )
    )


def _status_faults(request: Part) -> Iterable[Fault]:
    if string(request.resource, "status") != "active":
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.status",
            diagnostics="A new referral has the status active.",
        )
    if string(request.resource, "intent") not in _INTENTS:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.intent",
            diagnostics="A referral has the intent plan or order.",
        )


def _meaning_faults(parts: Index, request: Part) -> Iterable[Fault]:
    """Refuse what turns the meaning round. Source: FHIR R4, modifier elements."""
    if request.resource.get("doNotPerform") is True:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.doNotPerform",
            diagnostics="This asks that something is not done. A referral asks that it is.",
        )
    for part in parts.of_type("DocumentReference"):
        if _is_withdrawn(part.resource):
            yield Fault(
                code=IssueCode.INVARIANT,
                expression=f"{part.path}.status",
                diagnostics="This document was entered in error. Send the referral without it.",
            )


def _is_withdrawn(document: JsonObject) -> bool:
    return "entered-in-error" in (string(document, "status"), string(document, "docStatus"))


def _reason_faults(parts: Index, request: Part) -> Iterable[Fault]:
    """Check that the referral says why: coded, in words, or in a professional letter."""
    says = ("code", "reasonCode", "reasonReference")
    carried = _letters(parts) or parts.of_type("Condition") or parts.of_type("CarePlan")
    if not carried and not any(request.resource.get(element) for element in says):
        yield Fault(
            code=IssueCode.REQUIRED,
            expression=f"{request.path}.reasonCode",
            diagnostics="The referral does not say why it is made. Add code, reasonCode or"
            " reasonReference, or a letter: a DocumentReference with its content.",
        )


def _letters(parts: Index) -> list[Part]:
    """List the DocumentReferences whose content is in the message."""
    found = []
    for part in parts.of_type("DocumentReference"):
        for content in objects(part.resource, "content"):
            attachment = child(content, "attachment") or {}
            inline = string(attachment, "data")
            if inline or string(attachment, "url") in parts.by_reference:
                found.append(part)
                break
    return found


def _requester_fault(request: Part) -> Fault:
    return Fault(
        code=IssueCode.REQUIRED,
        expression=f"{request.path}.requester",
        diagnostics="The requester does not lead to an organisation with an ODS code. Refer to"
        " an Organization, to a PractitionerRole with one, or put the code into"
        " requester.identifier.",
    )


def _organisations(parts: Index) -> dict[str, OdsCode]:
    found = {}
    for name in parts.by_reference:
        code = parts.organisation({"reference": name})
        if code is not None:
            found[name] = code
    return found


def _patient(parts: Index, patient: Part) -> PatientInMessage:
    numbers = [
        NhsNumber(string(i, "value") or "")
        for i in objects(patient.resource, "identifier")
        if is_nhs_number(i)
    ]
    named = [*objects(patient.resource, "generalPractitioner")]
    managing = child(patient.resource, "managingOrganization")
    codes = {parts.organisation(r) for r in ([*named, managing] if managing else named)}
    return PatientInMessage(
        nhs_number=numbers[0] if numbers else None,
        practices=frozenset(code for code in codes if code is not None),
        deceased=_deceased(patient.resource),
    )


def _deceased(patient: JsonObject) -> bool:
    """Absent means alive: the practice that sends holds the record."""
    return patient.get("deceasedBoolean") is True or "deceasedDateTime" in patient


def _identifiers(request: Part) -> tuple[Identifier, ...]:
    found = [*objects(request.resource, "identifier")]
    requisition = child(request.resource, "requisition")
    return tuple(
        Identifier(normal_system(string(i, "system") or ""), string(i, "value") or "")
        for i in ([*found, requisition] if requisition else found)
        if string(i, "value")
    )


def _performer_faults(parts: Index, request: Part) -> Iterable[Fault]:
    """A performer that leads nowhere must not be routed to somebody else, nor may two be."""
    if not objects(request.resource, "performer"):
        return
    if len(set(_services(parts, request))) > 1 or len(set(_providers(parts, request))) > 1:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.performer",
            diagnostics="The performers lead to different services. Name one; send one message"
            " for each referral.",
        )
    elif _service_asked(parts, request) is None and _provider_asked(parts, request) is None:
        yield Fault(
            code=IssueCode.VALUE,
            expression=f"{request.path}.performer",
            diagnostics="The performer does not lead to a HealthcareService with a service id,"
            " nor to an Organization with an ODS code. Add the identifier, or leave performer"
            " out and let the gateway choose.",
        )


def _service_asked(parts: Index, request: Part) -> DosServiceId | None:
    """Return the service id of the first performer that has one."""
    try:
        return DosServiceId(next(_services(parts, request), ""))
    except ValueError:
        return None


def _services(parts: Index, request: Part) -> Iterator[str]:
    """Name the services that performers lead to, as they are written."""
    for performer in objects(request.resource, "performer"):
        target = parts.follow(performer)
        identifiers = [child(performer, "identifier") or {}]
        if target is not None and target.type == "HealthcareService":
            identifiers += objects(target.resource, "identifier")
        for identifier in identifiers:
            if normal_system(string(identifier, "system") or "") == DOS_SERVICE_SYSTEM:
                yield (string(identifier, "value") or "").strip()


def _provider_asked(parts: Index, request: Part) -> OdsCode | None:
    return next(_providers(parts, request), None)


def _providers(parts: Index, request: Part) -> Iterator[OdsCode]:
    """Name the organisations that performers lead to."""
    for performer in objects(request.resource, "performer"):
        code = parts.organisation(performer)
        target = parts.follow(performer)
        if code is None and target is not None and target.type == "HealthcareService":
            code = parts.organisation(child(target.resource, "providedBy"))
        if code is not None:
            yield code


def _codings(request: Part, element: str) -> Iterable[JsonObject]:
    value = request.resource.get(element)
    concepts = objects(request.resource, element) if isinstance(value, list) else [value]
    for concept in concepts:
        if isinstance(concept, dict):
            yield from objects(concept, "coding")


def _use_case_faults(request: Part) -> Iterable[Fault]:
    """Of two use cases none may be chosen: each asks for other services and other checks."""
    if len(set(_use_cases(request))) > 1:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.category",
            diagnostics="The category names more than one use case. Name one; send one message"
            " for each referral.",
        )


def _use_case(request: Part) -> UseCase | None:
    return next(_use_cases(request), None)


def _use_cases(request: Part) -> Iterator[UseCase]:
    for coding in _codings(request, "category"):
        system = normal_system(string(coding, "system") or "")
        if system in _USE_CASE_SYSTEMS:
            yield UseCase(system, (string(coding, "code") or "").lower())


def _codes(request: Part) -> tuple[str, ...]:
    return tuple(
        string(coding, "code") or ""
        for coding in _codings(request, "code")
        if string(coding, "system") == SNOMED
    )
