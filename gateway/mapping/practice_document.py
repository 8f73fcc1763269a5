"""An outcome becomes the document that a practice's own FHIR server takes.

What enters: an outcome and the referral that it answers, both as received; who writes to whom; and
leave of the write guard. What leaves: one FHIR R4 transaction, the same bytes at every attempt: a
DocumentReference, and a Binary for each file that it names. The first file is the document
that people read, as a letter by GP Connect has it; then come the files that were sent with it.
Must never: write without leave, a coded entry, or a resource of the provider's.

The document is created where the practice's server has none by the outcome's id, so neither
another attempt nor another letter of the same outcome makes a second. Binaries cannot be asked
for so: another attempt may leave copies of them, which nothing names and the document's own rules
guard. Source: FHIR R4, http.html, section 3.1.0.11; DocumentReference; Binary, securityContext.
"""

import base64
import hashlib
import uuid
from typing import Final

from gateway.errors import IllegalMoveError
from gateway.fhir.document_reference import OUTCOME_ID_SYSTEM, document_reference
from gateway.mapping.compose_letter import Envelope, papers_of, patient_of
from gateway.mapping.fhir_rest import instant, written
from gateway.mapping.itk3_parts import LetterAttachment
from gateway.referral.identifiers import (
    NHS_NUMBER_SYSTEM,
    REFERENCE_SYSTEM,
    DeliveryId,
    NhsNumber,
)
from gateway.referral.json import Json, JsonObject, child, objects
from gateway.writeback.interactions import Interaction, Permitted

MEDIA_TYPE: Final = "application/fhir+json"


def write_document(
    envelope: Envelope, *, outcome: JsonObject, referral: JsonObject, permitted: Permitted
) -> bytes:
    """Write the transaction that brings one document to one practice.

    Raises:
        IllegalMoveError: leave was given for another kind of message, or another delivery.
        InvalidMessageError: the person cannot be named, or what was sent cannot be written so.
    """
    _check_leave(envelope, permitted)
    patient = patient_of(referral)
    files = papers_of(envelope, patient, outcome)
    names = [name_of(envelope.letter.id, f"file/{place}") for place in range(len(files))]
    document = _document(envelope, patient.number, list(zip(names, files, strict=True)))
    own = name_of(envelope.letter.id, "document")
    return written(
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "timestamp": instant(envelope.outcome.received_at),
            "entry": [
                _once(own, document, envelope),
                *(_entry(n, _binary(own, f)) for n, f in zip(names, files, strict=True)),
            ],
        }
    )


def name_of(delivery_id: DeliveryId, part: str) -> str:
    """Name a part of a delivery's transaction: the same name every time."""
    return f"urn:uuid:{uuid.uuid5(uuid.UUID(delivery_id), f'document/{part}')}"


def _check_leave(envelope: Envelope, permitted: Permitted) -> None:
    if permitted.interaction is not Interaction.FHIR_DOCUMENT:
        text = f"leave was given for {permitted.interaction}, which is not written here"
        raise IllegalMoveError(text)
    if permitted.version.identifier != envelope.letter.id:
        text = "leave was given for another delivery: ask gateway.writeback.interactions.permit"
        raise IllegalMoveError(text)


def _document(
    envelope: Envelope, number: NhsNumber, files: list[tuple[str, LetterAttachment]]
) -> JsonObject:
    """Write the DocumentReference that we show too, in words that another server understands.

    It names the person by NHS number, and everything that only we hold by its identifier.
    """
    told = document_reference(
        envelope.outcome,
        envelope.referral,
        envelope.gateway,
        files[0][1].content,
        is_replaced=False,
    )
    del told["id"], told["meta"]
    told.pop("relatesTo", None)
    told["subject"] = _logical("Patient", NHS_NUMBER_SYSTEM, number)
    before = envelope.outcome.replaces
    if envelope.letter.replaces is not None and before is not None:
        target = _logical("DocumentReference", OUTCOME_ID_SYSTEM, before)
        told["relatesTo"] = [{"code": "replaces", "target": target}]
    first = child(objects(told, "content")[0], "attachment") or {}
    contents: list[Json] = [{"attachment": first | {"url": files[0][0]}}]
    for name, each in files[1:]:
        contents.append({"attachment": _attachment(name, each)})
    told["content"] = contents
    reference = str(envelope.referral.reference)
    told["context"] = {"related": [_logical("ServiceRequest", REFERENCE_SYSTEM, reference)]}
    return told


def _attachment(name: str, each: LetterAttachment) -> JsonObject:
    digest = hashlib.sha1(each.content, usedforsecurity=False).digest()  # what FHIR asks for
    return {
        "contentType": each.media_type.value,
        "url": name,
        "size": len(each.content),
        "hash": base64.b64encode(digest).decode(),
        "title": each.title,
    }


def _binary(document: str, each: LetterAttachment) -> JsonObject:
    return {
        "resourceType": "Binary",
        "contentType": each.media_type.value,
        "securityContext": {"reference": document},
        "data": base64.b64encode(each.content).decode(),
    }


def _logical(type_: str, system: str, value: str) -> JsonObject:
    """Refer to what another server may hold, by what both know it as."""
    return {"type": type_, "identifier": {"system": system, "value": str(value)}}


def _once(full_url: str, document: JsonObject, envelope: Envelope) -> JsonObject:
    """Make the creation conditional on the identifier of the outcome: it names no person."""
    entry = _entry(full_url, document)
    request = child(entry, "request") or {}
    request["ifNoneExist"] = f"identifier={OUTCOME_ID_SYSTEM}|{envelope.outcome.id}"
    return entry


def _entry(full_url: str, resource: JsonObject) -> JsonObject:
    return {
        "fullUrl": full_url,
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }
