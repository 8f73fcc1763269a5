"""A message becomes one IncomingReferral.

What enters: a tree that `validate` has passed: a ServiceRequest with contained resources, or
a Bundle. What leaves: what decisions and routing need, and the tree itself, untouched. All
that is wrong is reported at once. No diagnostics quote the message.
"""

from collections.abc import Iterable

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.references import Index, Part, index
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    DOS_SERVICE_SYSTEM,
    NHS_NUMBER_SYSTEM,
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
_ABOUT_PATIENT = ("subject", "patient", "for", "beneficiary")
_WRAPPERS = frozenset({"Bundle", "Parameters"})


def read_referral(tree: JsonObject) -> IncomingReferral:
    """Read one referral.

    1. Find the one ServiceRequest and the one Patient, and check that they belong together.
    2. Find who asks, whom they ask, for what, and on whose consent.
    3. Check that the referral is new and active, and says why it is made.

    Raises:
        InvalidMessageError: every fault, with its place.
    """
    parts = index(tree)
    request = _only_one(parts, "ServiceRequest")
    patient = _only_one(parts, "Patient")
    faults = [
        *_subject_faults(parts, request, patient),
        *_hidden_faults(parts),
        *_strangers(parts, patient),
        *_status_faults(request),
        *_meaning_faults(request, patient),
        *_reason_faults(parts, request),
        *_number_faults(patient),
        *_performer_faults(parts, request),
    ]
    requester = parts.organisation(child(request.resource, "requester"))
    if requester is None:
        faults.append(_requester_fault(request))
    if faults or requester is None:
        raise InvalidMessageError(*faults)
    return IncomingReferral(
        tree=tree,
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


def _subject_faults(parts: Index, request: Part, patient: Part) -> Iterable[Fault]:
    """Check that the one who is referred is the Patient, not a group, a place or a device."""
    reference = child(request.resource, "subject") or {}
    target = parts.follow(reference)
    leads_there = target is patient if target else _is_number_of(reference, _numbers(patient))
    if not leads_there:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.subject",
            diagnostics="The subject of a referral is its Patient: refer to the Patient of this"
            " message, or put the Patient's NHS number into subject.identifier.",
        )


def _hidden_faults(parts: Index) -> Iterable[Fault]:
    """Find resources below the entries of a Bundle, where nobody would look for a person."""
    for part in parts.parts:
        if part.type in _WRAPPERS:
            yield Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=part.path,
                diagnostics=f"A {part.type} inside a referral is not taken. Send what it holds"
                " as entries of the message.",
            )
        if not part.path.startswith("Bundle."):
            continue
        for position, inner in enumerate(objects(part.resource, "contained")):
            if string(inner, "resourceType") == "Patient" or _names_subject(inner):
                yield Fault(
                    code=IssueCode.INVARIANT,
                    expression=f"{part.path}.contained[{position}]",
                    diagnostics="In a Bundle, the Patient and what is about the Patient stand in"
                    " entries of their own, not in contained.",
                )


def _names_subject(resource: JsonObject) -> bool:
    return any(child(resource, element) is not None for element in _ABOUT_PATIENT)


def _strangers(parts: Index, patient: Part) -> Iterable[Fault]:
    """Find every resource that is about somebody else than the one Patient."""
    numbers = _numbers(patient)
    for part in parts.parts:
        for element in _ABOUT_PATIENT:
            reference = child(part.resource, element)
            if element == "subject" and part.type == "ServiceRequest":
                continue  # judged more strictly before
            if reference is not None and not _is_about(parts, reference, patient, numbers):
                yield Fault(
                    code=IssueCode.INVARIANT,
                    expression=f"{part.path}.{element}",
                    diagnostics="This points to somebody else than the referral's Patient."
                    " Every part of a referral is about one patient.",
                )


def _is_about(
    parts: Index, reference: JsonObject, patient: Part, numbers: frozenset[str | None]
) -> bool:
    target = parts.follow(reference)
    if target is not None:
        return target is patient or target.type != "Patient"
    text = string(reference, "reference")
    if text is not None:
        return not (text.startswith(("#", "urn:")) or "Patient/" in text)
    identifier = child(reference, "identifier")
    if identifier is None or not _is_nhs(identifier):
        return identifier is not None
    return _is_number_of(reference, numbers)


def _numbers(patient: Part) -> frozenset[str | None]:
    return frozenset(
        string(i, "value") for i in objects(patient.resource, "identifier") if _is_nhs(i)
    )


def _is_number_of(reference: JsonObject, numbers: frozenset[str | None]) -> bool:
    """Whether a reference outside the message names a person by one of these NHS numbers."""
    identifier = child(reference, "identifier") or {}
    is_outside = string(reference, "reference") is None
    return is_outside and _is_nhs(identifier) and string(identifier, "value") in numbers


def _is_nhs(identifier: JsonObject) -> bool:
    return normal_system(string(identifier, "system") or "") == NHS_NUMBER_SYSTEM


def _number_faults(patient: Part) -> Iterable[Fault]:
    numbers = set()
    for identifier in filter(_is_nhs, objects(patient.resource, "identifier")):
        try:
            numbers.add(NhsNumber(string(identifier, "value") or ""))
        except ValueError as error:
            yield Fault(
                code=IssueCode.VALUE,
                expression=f"{patient.path}.identifier",
                diagnostics=f"This is not an NHS number: {error}.",
            )
    if len(numbers) > 1:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{patient.path}.identifier",
            diagnostics="The Patient has two different NHS numbers. Send the right one only.",
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


def _meaning_faults(request: Part, patient: Part) -> Iterable[Fault]:
    """Refuse what turns the meaning round. Source: FHIR R4, modifier elements."""
    if request.resource.get("doNotPerform") is True:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression=f"{request.path}.doNotPerform",
            diagnostics="This asks that something is not done. A referral asks that it is.",
        )
    for part in (request, patient):
        if objects(part.resource, "modifierExtension"):
            yield Fault(
                code=IssueCode.EXTENSION,
                expression=f"{part.path}.modifierExtension",
                diagnostics="A modifier extension changes what a resource means, and none is"
                " understood here. Send the referral without it.",
            )


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
        if _is_nhs(i)
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
    """A performer that leads nowhere must not be routed to somebody else."""
    if not objects(request.resource, "performer"):
        return
    if _service_asked(parts, request) is None and _provider_asked(parts, request) is None:
        yield Fault(
            code=IssueCode.VALUE,
            expression=f"{request.path}.performer",
            diagnostics="The performer does not lead to a HealthcareService with a service id,"
            " nor to an Organization with an ODS code. Add the identifier, or leave performer"
            " out and let the gateway choose.",
        )


def _service_asked(parts: Index, request: Part) -> DosServiceId | None:
    """Return the service id of the first performer that has one."""
    for performer in objects(request.resource, "performer"):
        target = parts.follow(performer)
        identifiers = [child(performer, "identifier") or {}]
        if target is not None and target.type == "HealthcareService":
            identifiers += objects(target.resource, "identifier")
        for identifier in identifiers:
            if normal_system(string(identifier, "system") or "") == DOS_SERVICE_SYSTEM:
                try:
                    return DosServiceId(string(identifier, "value") or "")
                except ValueError:
                    return None
    return None


def _provider_asked(parts: Index, request: Part) -> OdsCode | None:
    for performer in objects(request.resource, "performer"):
        code = parts.organisation(performer)
        target = parts.follow(performer)
        if code is None and target is not None and target.type == "HealthcareService":
            code = parts.organisation(child(target.resource, "providedBy"))
        if code is not None:
            return code
    return None


def _codings(request: Part, element: str) -> Iterable[JsonObject]:
    value = request.resource.get(element)
    concepts = objects(request.resource, element) if isinstance(value, list) else [value]
    for concept in concepts:
        if isinstance(concept, dict):
            yield from objects(concept, "coding")


def _use_case(request: Part) -> UseCase | None:
    for coding in _codings(request, "category"):
        system = normal_system(string(coding, "system") or "")
        if system in _USE_CASE_SYSTEMS:
            return UseCase(system, (string(coding, "code") or "").lower())
    return None


def _codes(request: Part) -> tuple[str, ...]:
    return tuple(
        string(coding, "code") or ""
        for coding in _codings(request, "code")
        if string(coding, "system") == SNOMED
    )
