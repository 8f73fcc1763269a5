"""An outcome becomes the message that brings it to the practice: a letter, or codes where allowed.

What enters: an outcome and the referral that it answers, both as received; who writes to whom; and
leave of the write guard. What leaves: the message, the same bytes whenever it is made. The
document itself is written here from what was sent, with where it comes from and why no code was
written; files that were sent go with it. Must never: make a message without leave.
Source: GP Connect, Send Document and Update Record; `mappings/gp-connect/README.md`.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.references import index
from gateway.fhir.same_patient import is_nhs_number
from gateway.fhir.visit import visit
from gateway.mapping.itk3 import PracticeMessage, write_letter
from gateway.mapping.itk3_parts import (
    MOST_ATTACHMENTS,
    AttachmentType,
    LetterAttachment,
    LetterOrganisation,
    LetterPatient,
    PracticeLetter,
    SnomedConcept,
)
from gateway.mapping.itk3_record import PracticeRecord, write_record
from gateway.mapping.readable import Person, Provenance, one_line
from gateway.mapping.readable_content import render_content
from gateway.mapping.readable_pdf import write_pdf
from gateway.referral.directory import Endpoint, Practice, Provider
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.referral.json import JsonObject, child, objects, string, strings
from gateway.referral.letter import Letter
from gateway.referral.model import Referral
from gateway.referral.outcome import Outcome
from gateway.writeback.interactions import Interaction, Permitted

_SNOMED: Final = "http://snomed.info/sct"
_LETTER: Final = SnomedConcept(code="371531000", display="Report of clinical encounter")
"""What a document is where its sender gives it no type of SNOMED CT."""

_SETTING: Final = SnomedConcept(code="788007007", display="General practice service")
"""The care setting, which Send Document demands: that of the record."""

_MOST_TITLE: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything of a letter that is not in what was sent.

    `why_no_codes` is in the gateway's own words; None: there were no codes, or they go.
    """

    letter: Letter
    outcome: Outcome
    referral: Referral
    practice: Practice
    provider: Provider
    endpoint: Endpoint
    gateway: OdsCode
    why_no_codes: str | None = field(default=None)


def compose(
    envelope: Envelope, *, outcome: JsonObject, referral: JsonObject, permitted: Permitted
) -> PracticeMessage:
    """Write the message for one letter.

    Raises:
        InvalidMessageError: the person cannot be named as MESH routes by, or what was sent
            cannot be written so.
    """
    patient = patient_of(referral)
    if permitted.interaction is Interaction.UPDATE_RECORD:
        return write_record(_record(envelope, patient, outcome), permitted)
    files = papers_of(envelope, patient, outcome)
    letter = PracticeLetter(
        delivery_id=envelope.letter.id,
        patient=patient,
        sender=_sender(envelope),
        practice=LetterOrganisation(ods=envelope.practice.ods, name=envelope.practice.name),
        title=files[0].title,
        document_type=_type_of(outcome),
        care_setting=_SETTING,
        created=envelope.outcome.received_at,
        mailbox=envelope.endpoint.parameters["mailbox"],
        attachments=files,
    )
    return write_letter(letter, permitted)


def papers_of(
    envelope: Envelope, patient: LetterPatient, outcome: JsonObject
) -> tuple[LetterAttachment, ...]:
    """Write the document that people read; then come the files that were sent with it.

    Raises:
        InvalidMessageError: what was sent cannot be written so.
    """
    document = render_content(
        outcome,
        Person(
            number=patient.number,
            birth_date=patient.birth_date,
            name=" ".join((*patient.given, patient.family)),
        ),
        _source(envelope),
    )
    title = one_line(document.title)[:_MOST_TITLE]
    own = LetterAttachment(title=title, media_type=AttachmentType.PDF, content=write_pdf(document))
    return (own, *files_of(outcome))[:MOST_ATTACHMENTS]


def patient_of(referral: JsonObject) -> LetterPatient:
    """Read whom a referral is about, as its practice wrote it: number, birth date and names.

    Raises:
        InvalidMessageError: one of them is missing.
    """
    people = index(referral).of_type("Patient")
    patient = people[0].resource if people else {}
    where = people[0].path if people else "Patient"
    number = next(
        (string(each, "value") for each in objects(patient, "identifier") if is_nhs_number(each)),
        None,
    )
    name = next(
        (n for n in objects(patient, "name") if string(n, "use") in ("official", None)),
        next(iter(objects(patient, "name")), {}),
    )
    family, given = string(name, "family"), tuple(strings(name, "given"))
    try:
        born = date.fromisoformat(string(patient, "birthDate") or "")
    except ValueError:
        born = None
    if number is None or born is None or not family or not given:
        text = (
            "A document for a practice names its person by NHS number, whole date of birth and"
            " names, and the referral lacks one of them: bring the document another way."
        )
        raise InvalidMessageError(
            Fault(code=IssueCode.REQUIRED, expression=where, diagnostics=text)
        )
    return LetterPatient(number=NhsNumber(number), birth_date=born, family=family, given=given)


def files_of(tree: JsonObject) -> Iterator[LetterAttachment]:
    """Take out the files that were sent, in their order, of the types that a practice takes.

    A text that a document holds as plain text is written out in the document already.
    """
    places = 0
    for each in visit(tree, ("Attachment", "Binary")):
        media_type = (string(each.node, "contentType") or "").partition(";")[0].strip().lower()
        data = string(each.node, "data")
        if data is None or media_type not in set(AttachmentType) or media_type == "text/plain":
            continue
        places += 1
        title = one_line(string(each.node, "title") or "")[:_MOST_TITLE]
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error:
            continue
        yield LetterAttachment(
            title=title or f"Attached file {places}",
            media_type=AttachmentType(media_type),
            content=content,
        )


def _source(envelope: Envelope) -> Provenance:
    return Provenance(
        organisation=envelope.provider.name,
        ods=envelope.provider.ods,
        said_at=envelope.outcome.said_at or envelope.outcome.received_at,
        gateway=f"Referral gateway ({envelope.gateway})",
        decision=envelope.letter.decision,
        reference=envelope.referral.reference,
        why_no_codes=envelope.why_no_codes,
    )


def _sender(envelope: Envelope) -> LetterOrganisation:
    return LetterOrganisation(
        ods=envelope.provider.ods,
        name=envelope.provider.name,
        phone=envelope.endpoint.parameters["telephone"],
    )


def _type_of(tree: JsonObject) -> SnomedConcept:
    """Read what kind of document it is: its type in SNOMED CT, of the first that has one."""
    for part in index(tree).parts:
        if part.type not in ("Composition", "DocumentReference"):
            continue
        for coding in objects(child(part.resource, "type") or {}, "coding"):
            code, display = string(coding, "code"), string(coding, "display")
            if string(coding, "system") == _SNOMED and code and display:
                return SnomedConcept(code=code, display=display)
    return _LETTER


def _record(envelope: Envelope, patient: LetterPatient, outcome: JsonObject) -> PracticeRecord:
    return PracticeRecord(
        delivery_id=envelope.letter.id,
        patient=patient,
        sender=_sender(envelope),
        practice=LetterOrganisation(ods=envelope.practice.ods, name=envelope.practice.name),
        tree=outcome,
        created=envelope.outcome.received_at,
        mailbox=envelope.endpoint.parameters["mailbox"],
    )
