"""Outcomes as providers would send them, by each door, about people who do not exist."""

import base64
import copy
from typing import Any

from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, to_bars, to_task
from gateway.referral.outcome import OutcomeKind
from tests.builders.messages import DOS, NHS_NUMBER, ODS, OWN, PROVIDER, Tree

AT = "2026-11-20T15:00:00+00:00"
REFERRAL = "33333333-3333-4333-8333-333333333333"
TASK = "22222222-2222-4222-8222-222222222222"
REQUEST_BUNDLE = "86e3371d-0000-4000-8000-000000000001"
REFERENCE = {"system": f"{OWN}/Id/referral-reference", "value": "RG-7K3M-9QX2"}
REASONS = "https://fhir.nhs.uk/CodeSystem/rejected-reasons-bars"
NUMBER = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER}
CANARY = "wombatitis"
"""A word that no error, no log line and no repr may show."""

WORDS = f"Seen for {CANARY}"


def concept(system: str, code: str, text: str | None = None) -> Tree:
    made: Tree = {"coding": [{"system": system, "code": code}]}
    return made | ({"text": text} if text else {})


def task(
    status: str = "accepted",
    business: str | None = None,
    *,
    reason: Tree | None = None,
    contained: list[Tree] | None = None,
    **more: Any,
) -> Tree:
    """The provider's Task as it is put back."""
    made: Tree = {
        "resourceType": "Task",
        "id": TASK,
        "meta": {"versionId": "3"},
        "identifier": [{"system": f"{OWN}/Id/hop", "value": TASK}],
        "groupIdentifier": REFERENCE,
        "status": status,
        "intent": "order",
        "code": concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
        "focus": {"reference": f"ServiceRequest/{REFERRAL}"},
        "lastModified": AT,
        "owner": {"identifier": {"system": ODS, "value": PROVIDER}},
    }
    if business is not None:
        made["businessStatus"] = concept(OUTCOME_SYSTEM, business)
    if reason is not None:
        made["statusReason"] = reason
    if contained:
        made["contained"] = contained
        made["output"] = [
            {"type": {"text": "Report"}, "valueReference": {"reference": f"#{each['id']}"}}
            for each in contained
            if each["resourceType"] in ("DocumentReference", "QuestionnaireResponse")
        ]
        made["input"] = [
            {"type": {"text": "Form"}, "valueReference": {"reference": f"#{each['id']}"}}
            for each in contained
            if each["resourceType"] == "Questionnaire"
        ]
        made = {name: value for name, value in made.items() if value}
    return made | more


def task_saying(kind: OutcomeKind) -> Tree:
    """A Task that says a kind, as our own map does."""
    words = to_task(kind)
    return task(words.status, words.business_status, reason={"text": WORDS})


def document_reference(subject: Tree | None = None, **more: Any) -> Tree:
    """A letter that stands by itself."""
    return {
        "resourceType": "DocumentReference",
        "identifier": [{"system": "https://oh.example/Id/letter", "value": "L-1"}],
        "status": "current",
        "docStatus": "final",
        "type": concept("http://snomed.info/sct", "823691000000103"),
        "subject": subject or {"identifier": NUMBER},
        "date": AT,
        "author": [{"identifier": {"system": ODS, "value": PROVIDER}}],
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain",
                    "data": base64.b64encode(b"Rest breaks each hour.").decode(),
                }
            }
        ],
        "context": {"related": [{"reference": f"ServiceRequest/{REFERRAL}"}]},
    } | more


def contained_letter() -> Tree:
    return {"id": "letter"} | document_reference()


def person(number: str = NHS_NUMBER) -> Tree:
    return {
        "resourceType": "Patient",
        "identifier": [NUMBER | {"value": number}],
        "name": [{"family": "Testperson", "given": ["Avery"]}],
        "birthDate": "1980-02-29",
    }


def organisation(ods: str = PROVIDER) -> Tree:
    return {
        "resourceType": "Organization",
        "identifier": [{"system": ODS, "value": ods}],
        "name": "An organisation",
    }


def bundle(kind: str, *resources: tuple[str, Tree], **more: Any) -> Tree:
    """A Bundle whose entries have the names that are given, as urn:uuid."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"fullUrl": url(name), "resource": body} for name, body in resources],
    } | more


def url(name: str) -> str:
    return f"urn:uuid:{name.encode().hex():0>8.8}-0000-4000-8000-{name[-6:].encode().hex():0>12}"


def to(name: str) -> Tree:
    return {"reference": url(name)}


def document(sections: list[Tree] | None = None, **more: Any) -> Tree:
    """A document Bundle: a Composition, and what it is made of."""
    composition: Tree = {
        "resourceType": "Composition",
        "identifier": {"system": "https://oh.example/Id/report", "value": "R-2"},
        "status": "final",
        "type": concept("http://snomed.info/sct", "371531000"),
        "subject": to("patient"),
        "date": AT,
        "author": [to("provider")],
        "title": "Report",
        "event": [{"detail": [{"reference": f"ServiceRequest/{REFERRAL}"}]}],
        "section": sections or [section("Advice", "Rest breaks each hour.")],
    }
    return bundle(
        "document",
        ("composition", composition | more),
        ("patient", person()),
        ("provider", organisation()),
        ("binary", {"resourceType": "Binary", "contentType": "text/plain", "data": "UmVzdA=="}),
        identifier={"system": "https://oh.example/Id/bundle", "value": "B-3"},
        timestamp=AT,
    )


def section(title: str, text: str, code: Tree | None = None) -> Tree:
    made: Tree = {
        "title": title,
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>',
        },
    }
    return made | ({"code": code} if code else {})


def collection(kind: str = "collection") -> Tree:
    """Two letters about one person, from one provider."""
    second = document_reference(to("patient"), date="2026-11-19T15:00:00+00:00")
    second["identifier"] = [{"system": "https://oh.example/Id/letter", "value": "L-2"}]
    return bundle(
        kind,
        ("letter1", document_reference(to("patient"), author=[to("provider")])),
        ("letter2", second),
        ("patient", person()),
        ("provider", organisation()),
    )


def bars_response(
    status: str = "active",
    encounter: str | None = "planned",
    *,
    reason: Tree | None = None,
    appointment: str | None = None,
    focus: str = "request",
) -> Tree:
    """A servicerequest-response, with the sender's Encounter and the receiver's."""
    header: Tree = {
        "resourceType": "MessageHeader",
        "eventCoding": {
            "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars",
            "code": "servicerequest-response",
        },
        "destination": [{"endpoint": f"{DOS}|9000000099", "receiver": to("practice")}],
        "sender": to("provider"),
        "source": {"name": "A provider system", "endpoint": f"{DOS}|9000000001"},
        "reason": concept("https://fhir.nhs.uk/CodeSystem/message-reason-bars", "new"),
        "focus": [to(focus)],
        "response": {"identifier": REQUEST_BUNDLE, "code": "ok"},
    }
    request: Tree = {
        "resourceType": "ServiceRequest",
        "id": REFERRAL,
        "identifier": [REFERENCE],
        "status": status,
        "intent": "plan",
        "category": [
            concept("https://fhir.nhs.uk/CodeSystem/message-category-servicerequest", "referral")
        ],
        "subject": to("patient"),
        "encounter": to("triage"),
    }
    parts = [("header", header), ("request", request), ("triage", _encounter("triaged"))]
    if encounter is not None:
        own = _encounter(encounter) | ({"reasonCode": [reason]} if reason else {})
        parts.append(("receiving", own))
    if appointment is not None:
        parts.append(("appointment", _appointment(appointment)))
    parts += [
        ("patient", person()),
        ("practice", organisation("G99001")),
        ("provider", organisation()),
    ]
    made = bundle("message", *parts, timestamp=AT, id="86e3371d-0000-4000-8000-000000000002")
    return made | {"meta": {"versionId": "1.0.0-beta"}}


def bars_saying(kind: OutcomeKind) -> Tree | None:
    """A response that says a kind, as our own map does; None: BaRS cannot."""
    words = to_bars(kind)
    if words is None:
        return None
    reason = concept(words.reason.system, words.reason.code) if words.reason else None
    return bars_response(
        words.request, words.encounter, reason=reason, appointment=words.appointment
    )


def _encounter(status: str) -> Tree:
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": to("patient"),
    }


def _appointment(status: str) -> Tree:
    return {
        "resourceType": "Appointment",
        "status": status,
        "start": "2026-12-01T09:00:00+00:00",
        "end": "2026-12-01T10:00:00+00:00",
        "participant": [{"actor": to("patient"), "status": "accepted"}],
    }


def form(*items: Tree, questionnaire: str | None = None, **more: Any) -> Tree:
    """A filled form."""
    made: Tree = {
        "resourceType": "QuestionnaireResponse",
        "id": "form",
        "status": "completed",
        "item": [copy.deepcopy(each) for each in items],
    }
    return made | ({"questionnaire": questionnaire} if questionnaire else {}) | more


def item(link_id: str, text: str, answer: str | None = None) -> Tree:
    made: Tree = {"linkId": link_id, "text": text}
    return made | ({"answer": [{"valueString": answer}]} if answer else {})
