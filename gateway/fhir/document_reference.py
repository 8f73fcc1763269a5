"""What a provider sent, as the practice finds it: a DocumentReference, and the Binary behind it.

What enters: an outcome that the practice may read, its referral, and what is known of the file.
What leaves: FHIR that names no person but by the referral, and no extension. Must never: quote what
was sent. Source: FHIR R4 DocumentReference, Binary.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.fhir.service_request import instant
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    OWN_BASE,
    REFERENCE_SYSTEM,
    OdsCode,
)
from gateway.referral.json import Json, JsonObject
from gateway.referral.model import Referral
from gateway.referral.outcome import Outcome, OutcomeKind

PDF: Final = "application/pdf"
OUTCOME_ID_SYSTEM: Final = f"{OWN_BASE}/Id/outcome"
PERSON_SYSTEM: Final = f"{OWN_BASE}/Id/person"
"""The handle of one person at one practice."""

_REPORT: Final[JsonObject] = {
    "system": "http://snomed.info/sct",
    "code": "371531000",
    "display": "Report of clinical encounter",
}
_TITLES: Mapping[OutcomeKind, str] = {
    OutcomeKind.ACCEPTED: "Referral accepted",
    OutcomeKind.BOOKED: "Appointment booked",
    OutcomeKind.MORE_INFORMATION: "More information wanted",
    OutcomeKind.COULD_NOT_CONTACT: "Person could not be contacted",
    OutcomeKind.DID_NOT_ATTEND: "Person did not attend",
    OutcomeKind.REJECTED: "Referral rejected",
    OutcomeKind.REPORT: "Report",
    OutcomeKind.CLOSED: "Referral closed",
}
"""In the gateway's own words: a title of the sender's may say what is in the document."""


def document_reference(
    outcome: Outcome,
    referral: Referral,
    gateway: OdsCode,
    pdf: bytes | None,
    *,
    is_replaced: bool,
) -> JsonObject:
    """Show an outcome as a DocumentReference.

    `pdf` is the document as it is read; None: it cannot be written as one. `is_replaced`: a later
    one takes its place.
    """
    shown: JsonObject = {
        "resourceType": "DocumentReference",
        "id": str(outcome.id),
        "meta": {
            "versionId": _version(pdf, is_replaced=is_replaced),
            "lastUpdated": instant(outcome.received_at),
        },
        "identifier": [{"system": OUTCOME_ID_SYSTEM, "value": str(outcome.id)}],
        "status": "superseded" if is_replaced else "current",
        "docStatus": "final",
        "type": {"coding": [_REPORT]},
        "subject": {"identifier": {"system": PERSON_SYSTEM, "value": str(referral.subject)}},
        "date": instant(outcome.received_at),
        "author": [_organisation(outcome.provider)],
        "custodian": _organisation(gateway),
    }
    if outcome.replaces is not None:
        before: Json = {"reference": f"DocumentReference/{outcome.replaces}"}
        shown["relatesTo"] = [{"code": "replaces", "target": before}]
    shown["content"] = [{"attachment": _attachment(outcome, pdf)}]
    shown["context"] = {
        "related": [
            {
                "reference": f"ServiceRequest/{referral.id}",
                "identifier": {"system": REFERENCE_SYSTEM, "value": str(referral.reference)},
            }
        ]
    }
    return shown


def _attachment(outcome: Outcome, pdf: bytes | None) -> JsonObject:
    told: JsonObject = {
        "contentType": PDF,
        "title": _TITLES[outcome.kind],
        "creation": instant(outcome.received_at),
    }
    if pdf is None:
        return told
    digest = hashlib.sha1(pdf, usedforsecurity=False).digest()  # what FHIR asks for
    return told | {
        "url": f"Binary/{outcome.id}",
        "size": len(pdf),
        "hash": base64.b64encode(digest).decode(),
    }


def binary(outcome: Outcome, pdf: bytes) -> JsonObject:
    """Show the document itself as a resource, to whoever asks for one."""
    return {
        "resourceType": "Binary",
        "id": str(outcome.id),
        "contentType": PDF,
        "securityContext": {"reference": f"DocumentReference/{outcome.id}"},
        "data": base64.b64encode(pdf).decode(),
    }


def etag_of(pdf: bytes) -> str:
    """Name exactly these bytes."""
    return hashlib.sha256(pdf).hexdigest()[:32]


def _version(pdf: bytes | None, *, is_replaced: bool) -> str:
    """Name a version by what may change: whether it stands, and its bytes."""
    return f"{2 if is_replaced else 1}.{etag_of(pdf or b'')}"


def _organisation(ods: OdsCode) -> JsonObject:
    return {"identifier": {"system": ODS_CODE_SYSTEM, "value": str(ods)}}
