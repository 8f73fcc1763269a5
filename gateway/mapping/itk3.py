"""A letter becomes the ITK3 message that a practice's system takes, and its control values.

What enters: a letter, and leave of the write guard to send it. What leaves: FHIR STU3 XML, the
same bytes at every attempt, and what MESH needs to route it by the person. The message's own id is
the delivery's, so that an answer names it. Must never: write without leave, write a coded entry
(there is no way to), write what is restricted, or pass 5 MB.
Source: GP Connect Send Document 1.3 and 2.0.2, ITK3 2.9; `mappings/gp-connect/README.md`.

Not checked: that the attachments are what they say, and that the person is of that practice.
"""

from base64 import b64encode
from typing import Final

from gateway.mapping.fhir_rest import instant
from gateway.mapping.itk3_checks import check_letter
from gateway.mapping.itk3_envelope import (
    PROFILE,
    UK_PROFILE,
    UUIDS,
    Element,
    PracticeMessage,
    begin,
    check_leave,
    control_of,
    finish,
    part_of,
    put,
    put_coding,
    put_entry,
    put_extension,
    put_identifier,
    put_profile,
    put_reference,
    under,
)
from gateway.mapping.itk3_parts import (
    Confidentiality,
    LetterAttachment,
    PracticeLetter,
    SnomedConcept,
)
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, ODS_CODE_SYSTEM, DeliveryId
from gateway.writeback.interactions import Interaction, Permitted

__all__ = ["PracticeMessage", "part_of", "write_letter"]

_SNOMED: Final = "http://snomed.info/sct"
_CONSULTATION_REPORT: Final = SnomedConcept(
    code="371531000", display="Report of clinical encounter"
)
_CONSULTATION_TITLE: Final = "Consultation report"


def write_letter(letter: PracticeLetter, permitted: Permitted) -> PracticeMessage:
    """Write the message that brings one document to one practice.

    Raises:
        IllegalMoveError: leave was given for codes, or for another delivery.
        InvalidMessageError: it may not be sent so, is too long, or MESH cannot route it.
    """
    check_leave(letter, permitted, Interaction.SEND_DOCUMENT, Interaction.CONSULTATION_REPORT)
    check_letter(letter, permitted.interaction)
    control = control_of(letter, permitted, _title(letter, permitted))
    root, document = begin(letter, permitted)
    _write_document(document, letter, permitted)
    return PracticeMessage(control=control, body=finish(root, "Binary.content"))


def _write_document(bundle: Element, letter: PracticeLetter, permitted: Permitted) -> None:
    """Write the document: what it is, who sent it, who wrote it, whom it is about, its files."""
    _composition(bundle, letter, permitted)
    _organisation(bundle, letter)
    _practitioner(bundle, letter)
    _patient(bundle, letter)
    for place, attachment in enumerate(letter.attachments):
        _binary(bundle, part_of(letter.delivery_id, f"attachment/{place}"), attachment)


def _composition(bundle: Element, letter: PracticeLetter, permitted: Permitted) -> None:
    name = part_of(letter.delivery_id, "composition")
    composition = put_entry(bundle, "Composition", name)
    version = permitted.version
    put_profile(composition, f"{UK_PROFILE}/CareConnect-Composition-1", version=version.number)
    setting = put_extension(composition, f"{PROFILE}/Extension-ITK-CareSettingType-1")
    _concept(setting, "valueCodeableConcept", letter.care_setting)
    put_identifier(composition, "identifier", UUIDS, name)
    put(composition, "status", "final")
    is_report = permitted.interaction is Interaction.CONSULTATION_REPORT
    _concept(composition, "type", _CONSULTATION_REPORT if is_report else letter.document_type)
    put_reference(composition, "subject", part_of(letter.delivery_id, "patient"))
    put(composition, "date", instant(letter.created))
    author = "organisation" if letter.author is None else "practitioner"
    put_reference(composition, "author", part_of(letter.delivery_id, author))
    put(composition, "title", _title(letter, permitted))
    put(composition, "confidentiality", Confidentiality.NORMAL)
    put_reference(composition, "custodian", part_of(letter.delivery_id, "organisation"))
    if version.replaces is not None:
        relates = under(composition, "relatesTo")
        put(relates, "code", "replaces")
        replaced = part_of(DeliveryId(version.replaces), "composition")
        put_identifier(relates, "targetIdentifier", UUIDS, replaced)
    for place, attachment in enumerate(letter.attachments):
        section = under(composition, "section")
        put(section, "title", attachment.title)
        put_reference(section, "entry", part_of(letter.delivery_id, f"attachment/{place}"))


def _title(letter: PracticeLetter, permitted: Permitted) -> str:
    is_report = permitted.interaction is Interaction.CONSULTATION_REPORT
    return _CONSULTATION_TITLE if is_report else letter.title


def _organisation(bundle: Element, letter: PracticeLetter) -> None:
    sender = put_entry(bundle, "Organization", part_of(letter.delivery_id, "organisation"))
    put_profile(sender, f"{UK_PROFILE}/CareConnect-Organization-1")
    put_identifier(sender, "identifier", ODS_CODE_SYSTEM, letter.sender.ods)
    put(sender, "name", letter.sender.name)
    telecom = under(sender, "telecom")
    put(telecom, "system", "phone")
    put(telecom, "value", letter.sender.phone or "")
    put(telecom, "use", "work")


def _practitioner(bundle: Element, letter: PracticeLetter) -> None:
    author = letter.author
    if author is None:
        return
    practitioner = put_entry(bundle, "Practitioner", part_of(letter.delivery_id, "practitioner"))
    put_profile(practitioner, f"{UK_PROFILE}/CareConnect-Practitioner-1")
    name = under(practitioner, "name")
    put(name, "family", author.family)
    for each in author.given:
        put(name, "given", each)
    if author.prefix is not None:
        put(name, "prefix", author.prefix)


def _patient(bundle: Element, letter: PracticeLetter) -> None:
    """Write the person: number, name and birth date are those of the address, to the letter."""
    patient = put_entry(bundle, "Patient", part_of(letter.delivery_id, "patient"))
    put_profile(patient, f"{UK_PROFILE}/CareConnect-Patient-1")
    put_identifier(patient, "identifier", NHS_NUMBER_SYSTEM, letter.patient.number)
    name = under(patient, "name")
    put(name, "use", "official")
    put(name, "family", letter.patient.family)
    for each in letter.patient.given:
        put(name, "given", each)
    put(patient, "birthDate", letter.patient.birth_date.isoformat())
    practice = under(patient, "generalPractitioner")
    put_identifier(practice, "identifier", ODS_CODE_SYSTEM, letter.practice.ods)
    put(practice, "display", letter.practice.name)


def _binary(bundle: Element, name: str, attachment: LetterAttachment) -> None:
    binary = put_entry(bundle, "Binary", name)
    put_profile(binary, f"{PROFILE}/ITK-Attachment-Binary-1")
    put(binary, "contentType", attachment.media_type)
    put(binary, "content", b64encode(attachment.content).decode("ascii"))


def _concept(parent: Element, name: str, concept: SnomedConcept) -> None:
    put_coding(under(parent, name), "coding", (_SNOMED, concept.code, concept.display))
