"""Which parts of a message are for filing, which are documents, and which ask for something.

Values, and questions about them. Unknown means for filing: a resource type or a code system
that is not on a list here is not let through. Sources: FHIR R4, resourcelist.html; the
definitions of the write restriction; UK Core and BaRS for the code systems.

Choices: a code in a document's own type and category does not count; one in the heading of a
section does, as nothing tells a heading from a diagnosis. Units of measure count, as a
quantity in an extension is a result by another name.
"""

import re
from typing import Final

from gateway.referral.identifiers import OWN_BASE, normal_system

DOCUMENT_TYPES: Final = frozenset(
    {"Composition", "DocumentReference", "DocumentManifest", "Binary", "Communication"}
)
ACTION_TYPES: Final = frozenset(
    {"Task", "CommunicationRequest", "ServiceRequest", "MedicationRequest", "Appointment"}
)
SHARED_CARE_TYPES: Final = frozenset({"Task", "ServiceRequest", "MedicationRequest", "CarePlan"})
ADMINISTRATIVE_TYPES: Final = frozenset(
    "Bundle Parameters MessageHeader OperationOutcome Patient RelatedPerson Practitioner "
    "PractitionerRole Organization HealthcareService Location Endpoint Encounter Slot Schedule "
    "AppointmentResponse Questionnaire Provenance".split()
)
"""Types that say who, where and when. A clinical code in one of them still counts."""
NOT_FOR_FILING: Final = (
    DOCUMENT_TYPES | ADMINISTRATIVE_TYPES | (ACTION_TYPES - {"MedicationRequest"})
)

NOT_PLANS: Final = frozenset({"option"})
"""Intents under which nobody is asked to take work over. Every other counts; so does none."""

ANSWERED: Final = "ServiceRequest, answered"
"""The practice's own request, as a BaRS answer gives it back."""

_PLACES: Final = {
    "Composition": ("type", "category"),
    "DocumentReference": (
        "type", "category", "context.practiceSetting", "context.facilityType", "content.format",
    ),
    "PractitionerRole": ("code", "specialty"),
    "Practitioner": ("qualification.code",),
    "Organization": ("type",),
    "Location": ("type", "physicalType"),
    "HealthcareService": ("category", "type", "specialty"),
    "Slot": ("serviceCategory", "serviceType", "specialty", "appointmentType"),
    "Schedule": ("serviceCategory", "serviceType", "specialty"),
    "Appointment": ("serviceCategory", "serviceType", "specialty", "appointmentType"),
    ANSWERED: ("code", "category", "reasonCode"),
}  # fmt: skip
"""Where a clinical code describes a document, a person or a service, and files nothing."""

CARE_SETTINGS: Final = frozenset(
    {
        "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-CareSettingType",
        "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-CareSettingType-1",
    }
)
"""The extension of Composition whose code Send Document v2 demands."""
CARE_SETTING: Final = "(care setting)"

_ADMINISTRATIVE: Final = frozenset(
    f"http://terminology.hl7.org/CodeSystem/{name}"
    for name in "v3-Confidentiality v3-ActReason v3-NullFlavor v3-ParticipationType v3-RoleCode "
    "v3-MaritalStatus v3-ObservationValue v2-0203 v2-0131 v2-0116 common-tags "
    "provenance-participant-type contactentity-type organization-type "
    "service-type location-physical-type audit-event-type".split()
) | frozenset(
    {
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "http://hl7.org/fhir/CodeSystem/task-code",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland",
        "https://fhir.hl7.org.uk/CodeSystem/UKCore-HumanLanguage",
        "https://fhir.nhs.uk/CodeSystem/message-events-bars",
        "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest",
        "https://fhir.nhs.uk/CodeSystem/message-reason-bars",
        "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars",
        "https://fhir.nhs.uk/CodeSystem/consent-categories-bars",
        "https://fhir.nhs.uk/CodeSystem/rejected-reasons-bars",
        "https://fhir.nhs.uk/CodeSystem/dos-rejected-reasons-bars",
        "https://fhir.nhs.uk/CodeSystem/http-error-codes",
        "https://fhir.nhs.uk/STU3/CodeSystem/ITK-ResponseCodes-1",
        "https://fhir.nhs.uk/STU3/CodeSystem/ITK-RecipientType-1",
        "https://fhir.nhs.uk/STU3/CodeSystem/ITK-MessageEvent-2",
        "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode",
        "urn:ietf:bcp:47",
        "urn:ietf:bcp:13",
        "urn:iso:std:iso:3166",
        "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem",
    }
)  # fmt: skip
_FHIR_CODES: Final = re.compile(
    r"http://hl7\.org/fhir/(?:task-status|request-intent|request-status|request-priority"
    r"|administrative-gender|issue-severity|issue-type|composition-status|document-reference-status"
    r"|encounter-status|appointmentstatus|participationstatus)"
)
_CLINICAL: Final = re.compile(
    r"\s*(?:https?://(?:snomed\.info|loinc\.org|read\.info|dmd\.nhs\.uk|www\.whocc\.no"
    r"|hl7\.org/fhir/sid/icd|fhir\.nhs\.uk/Id/(?:opcs|read|snomed)|www\.nlm\.nih\.gov)"
    r"|urn:oid:2\.16\.840\.1\.113883\.(?:6|2\.1\.3)\.)",
    re.IGNORECASE,
)
_STANDARD_EXTENSION: Final = re.compile(
    r"https?://(?:hl7\.org/fhir|fhir\.hl7\.org\.uk|fhir\.nhs\.uk)/(?:\w+/)?StructureDefinition/"
)
_WORDS: Final = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_TYPE_IN_REFERENCE: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.-]+(?:/_history/.+)?$")


def is_administrative(system: str | None) -> bool:
    """Whether codes of a system say who, where, when or how, and nothing of a person's health."""
    if system is None:
        return False
    plain = normal_system(system)
    is_own = plain.startswith(f"{OWN_BASE}/CodeSystem/")
    return is_own or plain in _ADMINISTRATIVE or _FHIR_CODES.fullmatch(plain) is not None


def is_clinical_name(text: str) -> bool:
    """Whether a text names a clinical terminology, as a system or a concept's address."""
    return _CLINICAL.match(text) is not None


def describes(holder: str, path: tuple[str, ...]) -> bool:
    """Whether a code at this place of a resource describes it, and files nothing."""
    if CARE_SETTING in path:
        path = path[path.index(CARE_SETTING) + 1 :]
        return holder == "Composition" and not _is_extended(path)
    if _is_extended(path):
        return False
    place = ".".join(path) + "."
    return any(place.startswith(f"{each}.") for each in _PLACES.get(holder, ()))


def _is_extended(path: tuple[str, ...]) -> bool:
    return "extension" in path or "modifierExtension" in path


def is_plain_code(url: object, code: object) -> bool:
    """Whether a code without a system, in an extension, is a word of a standard's own list."""
    if not isinstance(url, str) or not isinstance(code, str):
        return False
    return bool(_STANDARD_EXTENSION.match(url) and _WORDS.fullmatch(code))


def type_named(reference: str) -> str | None:
    """Return the resource type that a reference names; None for `#id`, `urn:` and the like."""
    found = _TYPE_IN_REFERENCE.search(reference)
    return found[1] if found else None


def is_for_filing(type_: str) -> bool:
    """Whether resources of a type are codes for a record. One that is not known here is."""
    return type_ not in NOT_FOR_FILING
