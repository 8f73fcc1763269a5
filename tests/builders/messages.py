"""Messages as a GP system would send them, about people who do not exist."""

import base64
import copy
import json
import uuid
from typing import Any

NHS_NUMBER = "9990000018"
PRACTICE = "G99001"
OTHER_PRACTICE = "G99002"
PROVIDER = "RX901"
OH_SERVICE = "9000000001"
PHARMACY = "FX901"
PHARMACY_SERVICE = "9000000003"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
DOS = "https://fhir.nhs.uk/Id/dos-service-id"
OWN = "https://fhir.referral-gateway.example"
BARS_USE_CASES = "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars"
AT = "2026-11-01T09:00:00+00:00"
VERIFIED = {
    "url": "https://fhir.hl7.org.uk/StructureDefinition/"
    "Extension-UKCore-NHSNumberVerificationStatus",
    "valueCodeableConcept": {
        "coding": [
            {
                "system": "https://fhir.hl7.org.uk/CodeSystem/"
                "UKCore-NHSNumberVerificationStatusEngland",
                "code": "01",
            }
        ]
    },
}
FIRST = {
    "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ContactRank",
    "valuePositiveInt": 1,
}

Tree = dict[str, Any]


def patient(number: str | None = NHS_NUMBER, practice: str | None = PRACTICE) -> Tree:
    tree: Tree = {
        "resourceType": "Patient",
        "id": "patient",
        "name": [{"family": "Testperson", "given": ["Avery"]}],
        "gender": "female",
        "birthDate": "1980-02-29",
    }
    if number is not None:
        tree["identifier"] = [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}]
    if practice is not None:
        tree["generalPractitioner"] = [{"identifier": {"system": ODS, "value": practice}}]
    return tree


def consent(
    recipient: str = PROVIDER, purpose: str = "occupational-health", status: str = "active"
) -> Tree:
    return {
        "resourceType": "Consent",
        "id": "consent",
        "status": status,
        "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "INFA")],
        "patient": {"reference": "#patient"},
        "dateTime": "2026-10-30T10:00:00+00:00",
        "performer": [{"reference": "#patient"}],
        "policyRule": _concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN"),
        "provision": {
            "actor": [
                {
                    "role": _concept(
                        "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"
                    ),
                    "reference": {"identifier": {"system": ODS, "value": recipient}},
                }
            ],
            "purpose": [{"system": f"{OWN}/CodeSystem/purpose", "code": purpose}],
        },
    }


def implied_consent() -> Tree:
    tree = consent()
    tree["category"] = [_concept("https://fhir.nhs.uk/CodeSystem/consent-categories-bars", "DRC")]
    tree["policyRule"] = _concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMPLIED")
    del tree["provision"]
    return tree


def service_request(
    *,
    consents: list[Tree] | None = None,
    service: str | None = OH_SERVICE,
    requester: str = PRACTICE,
    person: Tree | None = None,
    **more: Any,
) -> Tree:
    """A ServiceRequest with contained resources, as a plain UK Core system sends it."""
    given = [consent()] if consents is None else consents
    tree: Tree = {
        "resourceType": "ServiceRequest",
        "contained": [person or patient(), *given],
        "identifier": [{"system": "https://gp.example/referral", "value": str(uuid.uuid4())}],
        "status": "active",
        "intent": "order",
        "code": _concept("http://snomed.info/sct", "306152009"),
        "subject": {"reference": "#patient"},
        "authoredOn": AT,
        "requester": {"identifier": {"system": ODS, "value": requester}},
        "reasonCode": [{"text": "Low back pain, absent for three weeks"}],
    }
    if given:
        tree["supportingInfo"] = [{"reference": f"#{each['id']}"} for each in given]
    if service is not None:
        tree["performer"] = [{"identifier": {"system": DOS, "value": service}}]
    return tree | more


def bars_message(
    *,
    service: str = OH_SERVICE,
    use_case: tuple[str, str] = (f"{OWN}/CodeSystem/use-case", "oh-referral"),
    consents: list[Tree] | None = None,
    sender: str = PRACTICE,
) -> Tree:
    """A BaRS message for a new referral, complete as its definition asks."""
    urls = {name: f"urn:uuid:{uuid.uuid4()}" for name in _BARS_PARTS}
    point = {name: {"reference": url} for name, url in urls.items()}
    person = patient()
    del person["id"]
    person["generalPractitioner"] = [point["practice"]]
    person["identifier"][0]["extension"] = [VERIFIED]
    person["contact"] = [{"extension": [FIRST], "name": {"text": "A contact"}}]
    given = [consent()] if consents is None else consents
    bodies: list[tuple[str, Tree]] = [
        ("header", _header(service, point)),
        ("request", _bars_request(use_case, point)),
        ("encounter", _encounter(point)),
        ("plan", _care_plan(point)),
        ("condition", _condition(point)),
        ("patient", person),
        ("practice", _organisation(sender)),
        ("receiver", _organisation(PROVIDER)),
        ("practitioner", {"resourceType": "Practitioner", "name": [{"family": "Example"}]}),
        (
            "role",
            {
                "resourceType": "PractitionerRole",
                "practitioner": point["practitioner"],
                "organization": point["practice"],
            },
        ),
        (
            "service",
            {
                "resourceType": "HealthcareService",
                "identifier": [{"system": DOS, "value": service}],
                "active": True,
                "providedBy": point["receiver"],
                "name": "Occupational health",
            },
        ),
    ]
    entries = [{"fullUrl": urls[name], "resource": body} for name, body in bodies]
    for each in given:
        own = copy.deepcopy(each)
        own.pop("id", None)
        own["patient"] = point["patient"]
        own["performer"] = [point["patient"]]
        entries.append({"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": own})
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": {
            "versionId": "1.0.0-beta",
            "lastUpdated": AT,
            "profile": ["https://fhir.nhs.uk/StructureDefinition/BARSBundleMessage"],
        },
        "type": "message",
        "timestamp": AT,
        "entry": entries,
    }


def letter_transaction() -> Tree:
    """A transaction that brings a professional letter instead of a coded form."""
    request = service_request(consents=[])
    person = request.pop("contained")[0]
    del person["id"]
    del request["code"], request["reasonCode"]
    url = {name: f"urn:uuid:{uuid.uuid4()}" for name in ("patient", "letter", "request", "consent")}
    request["subject"] = {"reference": url["patient"]}
    request["supportingInfo"] = [{"reference": url["letter"]}]
    own = consent()
    del own["id"]
    own["patient"] = {"reference": url["patient"]}
    own["performer"] = [{"reference": url["patient"]}]
    letter = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": url["patient"]},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "data": base64.b64encode(b"Dear colleague, please see this person.").decode(),
                }
            }
        ],
    }
    bodies = {"request": request, "patient": person, "letter": letter, "consent": own}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": url[name],
                "resource": body,
                "request": {"method": "POST", "url": body["resourceType"]},
            }
            for name, body in bodies.items()
        ],
    }


def bars_headers(service: str = OH_SERVICE) -> dict[str, str]:
    target = {"value": service, "system": DOS}
    return {
        "X-Request-Id": str(uuid.uuid4()),
        "X-Correlation-Id": str(uuid.uuid4()),
        "NHSD-Target-Identifier": base64.b64encode(json.dumps(target).encode()).decode(),
        "Accept": "application/fhir+json; version=1.4.0",
    }


_BARS_PARTS = (
    "header", "request", "encounter", "plan", "condition", "patient", "practice", "receiver",
    "practitioner", "role", "service",
)  # fmt: skip


def _concept(system: str, code: str) -> Tree:
    return {"coding": [{"system": system, "code": code}]}


def _organisation(ods: str) -> Tree:
    return {
        "resourceType": "Organization",
        "identifier": [{"system": ODS, "value": ods}],
        "name": "An organisation",
    }


def _header(service: str, point: dict[str, Tree]) -> Tree:
    return {
        "resourceType": "MessageHeader",
        "eventCoding": {
            "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars",
            "code": "servicerequest-request",
        },
        "destination": [{"endpoint": f"{DOS}|{service}", "receiver": point["receiver"]}],
        "sender": point["practice"],
        "source": {"name": "A GP system", "endpoint": f"{DOS}|9000000099"},
        "reason": _concept("https://fhir.nhs.uk/CodeSystem/message-reason-bars", "new"),
        "focus": [point["request"]],
        "definition": "https://fhir.nhs.uk/MessageDefinition/"
        "bars-message-servicerequest-request-referral",
    }


def _bars_request(use_case: tuple[str, str], point: dict[str, Tree]) -> Tree:
    return {
        "resourceType": "ServiceRequest",
        "basedOn": [point["plan"]],
        "status": "active",
        "intent": "plan",
        "category": [
            {
                "coding": [
                    {
                        "system": "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest",
                        "code": "referral",
                    },
                    {"system": use_case[0], "code": use_case[1]},
                ]
            }
        ],
        "subject": point["patient"],
        "encounter": point["encounter"],
        "authoredOn": AT,
        "requester": point["practitioner"],
        "performer": [point["service"]],
    }


def _encounter(point: dict[str, Tree]) -> Tree:
    return {
        "resourceType": "Encounter",
        "status": "triaged",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": point["patient"],
        "episodeOfCare": [{"reference": f"EpisodeOfCare/{uuid.uuid4()}"}],
        "period": {"start": AT},
    }


def _care_plan(point: dict[str, Tree]) -> Tree:
    return {
        "resourceType": "CarePlan",
        "status": "completed",
        "intent": "plan",
        "subject": point["patient"],
        "encounter": point["encounter"],
        "period": {"start": AT},
        "addresses": [point["condition"]],
    }


def _condition(point: dict[str, Tree]) -> Tree:
    return {
        "resourceType": "Condition",
        "clinicalStatus": _concept(
            "http://terminology.hl7.org/CodeSystem/condition-clinical", "active"
        ),
        "verificationStatus": _concept(
            "http://terminology.hl7.org/CodeSystem/condition-ver-status", "provisional"
        ),
        "code": {"text": "Low back pain"},
        "subject": point["patient"],
    }
