"""What is done to a good message to make a sample of it, a function each.

What enters: the tree of a good message. What leaves: the same tree, changed in place.
"""

import uuid

from gateway.cli.demo.setting import ANOTHER_PROVIDER_ODS
from gateway.referral.identifiers import ODS_CODE_SYSTEM
from gateway.referral.json import JsonObject, child, objects, string

_FINDINGS = "https://gp-system.example/Id/finding"
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def _parts(message: JsonObject) -> list[JsonObject]:
    """List every resource of a message, the contained ones too."""
    entries = [child(entry, "resource") or {} for entry in objects(message, "entry")]
    return [message, *objects(message, "contained"), *entries]


def consent_in(message: JsonObject) -> JsonObject:
    """Find the Consent of a message."""
    return next(p for p in _parts(message) if string(p, "resourceType") == "Consent")


def without_consent(message: JsonObject) -> None:
    """Leave the Consent out of a form."""
    message["contained"] = [
        each for each in objects(message, "contained") if string(each, "resourceType") != "Consent"
    ]
    del message["supportingInfo"]


def without_patient(message: JsonObject) -> None:
    """Leave the Patient out of a form, but not the references to them."""
    message["contained"] = [
        each for each in objects(message, "contained") if string(each, "resourceType") != "Patient"
    ]


def with_implied_consent_only(message: JsonObject) -> None:
    """Say "direct care, implied", as BaRS does, where explicit consent is needed."""
    consent = consent_in(message)
    direct_care = "https://fhir.nhs.uk/CodeSystem/consent-categories-bars"
    consent["policyRule"] = {"coding": [{"system": _ACT_CODE, "code": "IMPLIED"}]}
    consent["category"] = [{"coding": [{"system": direct_care, "code": "DRC"}]}]
    del consent["provision"], consent["performer"]


def with_consent_for_another_provider(message: JsonObject) -> None:
    """Let the patient have said yes to somebody else."""
    provision = child(consent_in(message), "provision") or {}
    reference = child(objects(provision, "actor")[0], "reference") or {}
    reference["identifier"] = {"system": ODS_CODE_SYSTEM, "value": ANOTHER_PROVIDER_ODS}
    del reference["display"]


def with_consent_not_yet_given(message: JsonObject) -> None:
    """Ask the patient, without an answer so far."""
    consent_in(message)["status"] = "proposed"


def with_unknown_element(message: JsonObject) -> None:
    """Add an element that FHIR does not have."""
    message["colour"] = "green"


def with_part_labelled_psy(message: JsonObject) -> None:
    """Send two findings in place of the letter: one of them labelled, the other pointing to it."""
    entry = next(e for e in objects(message, "entry") if _is_a(e, "DocumentReference"))
    subject = (child(entry, "resource") or {})["subject"]
    link: JsonObject = {"reference": entry["fullUrl"]}
    condition: JsonObject = {
        "resourceType": "Condition",
        "code": {"text": "Low back pain, five weeks"},
        "subject": subject,
        "evidence": [{"detail": [link]}],
    }
    labelled: JsonObject = {
        "resourceType": "Observation",
        "meta": {"security": [{"system": _ACT_CODE, "code": "PSY"}]},
        "identifier": [{"system": _FINDINGS, "value": str(uuid.uuid4())}],
        "status": "final",
        "code": {"text": "PHQ-9 score"},
        "subject": subject,
        "valueInteger": 14,
    }
    plain: JsonObject = {
        "fullUrl": f"urn:uuid:{uuid.uuid4()}",
        "resource": condition,
        "request": {"method": "POST", "url": "Condition"},
    }
    entry |= {"resource": labelled, "request": {"method": "POST", "url": "Observation"}}
    message["entry"] = [*objects(message, "entry"), plain]
    request = _parts(message)[1]
    also: JsonObject = {"reference": plain["fullUrl"]}
    request["supportingInfo"] = [*objects(request, "supportingInfo"), also]


def _is_a(entry: JsonObject, kind: str) -> bool:
    return string(child(entry, "resource") or {}, "resourceType") == kind
