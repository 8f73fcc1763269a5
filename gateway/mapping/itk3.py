"""A letter becomes the ITK3 message that a practice's system takes, and its control values.

What enters: a letter. What leaves: FHIR STU3 XML, the same bytes at every attempt, and what MESH
needs to route it by the person. The message's own id is the delivery's, so that an answer names
it. Must never: write a coded entry (there is no way to), write what is restricted, or pass 5 MB.
Source: GP Connect Send Document 1.3 and 2.0.2, ITK3 2.9; `mappings/gp-connect/README.md`.

Not checked: that the attachments are what they say, and that the person is of that practice.
"""

import uuid
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from lxml import etree

from gateway.errors import InvalidMessageError, IssueCode
from gateway.mapping.fhir_rest import instant
from gateway.mapping.itk3_checks import check_letter, fault
from gateway.mapping.itk3_parts import (
    MOST_MESSAGE_BYTES,
    Confidentiality,
    LetterAttachment,
    PracticeLetter,
    RecipientType,
    SendDocument,
    SnomedConcept,
)
from gateway.mapping.mesh import Control
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, ODS_CODE_SYSTEM, DeliveryId

BIRTH_DATE_FORMAT: Final = "%Y%m%d"
"""In `GPPROVIDER_`. Older pages of the NHS say day first; the newest, of July 2024, says this."""

MOST_ADDRESS: Final = 100
MOST_SUBJECT: Final = 500
"""Characters of `Mex-To` and `Mex-Subject`. Source: MESH API."""

_FHIR: Final = "http://hl7.org/fhir"
_NHS: Final = "https://fhir.nhs.uk/STU3"
_UK: Final = "https://fhir.hl7.org.uk/STU3/StructureDefinition"
_PROFILE: Final = f"{_NHS}/StructureDefinition"
_UUIDS: Final = "https://tools.ietf.org/html/rfc4122"
_SNOMED: Final = "http://snomed.info/sct"
_MESSAGE_DEFINITION: Final = (
    f"{_NHS}/MessageDefinition/ITK-GPConnectSendDocument-MessageDefinition-1"
)
_EVENT: Final = ("ITK007C", "ITK GP Connect Send Document")
_LOCAL: Final = {SendDocument.V2: "None", SendDocument.V1: "SendDocument-ConsultationReport"}
_RECIPIENT: Final = {
    RecipientType.INFORMATION: "For Information",
    RecipientType.ACTION: "For Action",
}
_CONSULTATION_REPORT: Final = SnomedConcept(
    code="371531000", display="Report of clinical encounter"
)
_CONSULTATION_TITLE: Final = "Consultation report"
_Element = etree._Element  # noqa: SLF001  # lxml names its type so


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeMessage:
    """What goes to MESH: the control values, and the bytes beside them."""

    control: Control
    body: bytes


def write_letter(letter: PracticeLetter) -> PracticeMessage:
    """Write the message that brings one document to one practice.

    Raises:
        InvalidMessageError: it may not be sent so, is too long, or MESH cannot route it.
    """
    check_letter(letter)
    control = _control(letter)
    root = etree.fromstring(f'<Bundle xmlns="{_FHIR}"/>'.encode())
    _put(root, "id", part_of(letter.delivery_id, "message"))
    _profile(root, f"{_PROFILE}/ITK-Message-Bundle-1")
    _identifier(root, "identifier", _UUIDS, part_of(letter.delivery_id, "message"))
    _put(root, "type", "message")
    _header(root, letter)
    _header_organisation(root, letter)
    _document(root, letter)
    etree.indent(root)
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    if len(body) > MOST_MESSAGE_BYTES:
        text = "A message to a practice is under 5 MB with its attachments: send fewer or smaller."
        raise InvalidMessageError(fault(IssueCode.TOO_LONG, text, "Binary.content"))
    return PracticeMessage(control=control, body=body)


def part_of(delivery_id: DeliveryId, name: str) -> str:
    """Name a part of a delivery's message: the same name every time."""
    return str(uuid.uuid5(uuid.UUID(delivery_id), f"itk3/{name}"))


def _control(letter: PracticeLetter) -> Control:
    """Make the control values. They name the person, since MESH routes by nothing else: no log."""
    patient = letter.patient
    to = "_".join(
        (
            "GPPROVIDER",
            patient.number,
            patient.birth_date.strftime(BIRTH_DATE_FORMAT),
            patient.family,
        )
    )
    if not _is_latin(to) or len(to) > MOST_ADDRESS:
        text = (
            "MESH routes by a family name of Latin-1 letters, in at most 100 characters of address: "
            "write it as the PDS holds it, or bring the document another way."
        )
        raise InvalidMessageError(fault(IssueCode.VALUE, text, "Patient.name.family"))
    subject = (
        f"{_title(letter)} for {' '.join((*patient.given, patient.family))}, "
        f"NHS Number: {patient.number}, seen at {letter.sender.name}, "
        f"ODS code: {letter.sender.ods}, version {letter.version}"
    )
    if len(subject) > MOST_SUBJECT:
        text = (
            "Title and names together are too long for the subject of a message: shorten the title."
        )
        raise InvalidMessageError(fault(IssueCode.TOO_LONG, text, "Composition.title"))
    return Control(
        to=to,
        workflow=letter.workflow,
        local_id=letter.sender.ods,
        subject=subject.encode("latin-1", "replace").decode("latin-1"),
        filename=f"{letter.delivery_id}.xml",
        content_type="application/xml",
    )


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _header(root: _Element, letter: PracticeLetter) -> None:
    header = _entry(root, "MessageHeader", letter.delivery_id)
    _profile(header, f"{_PROFILE}/ITK-MessageHeader-2")
    handling = _extension(header, f"{_PROFILE}/Extension-ITK-MessageHandling-2")
    for name in ("BusAckRequested", "InfAckRequested"):
        _put(_extension(handling, name), "valueBoolean", "true")
    kind = letter.recipient_type
    _coding(
        _extension(handling, "RecipientType"),
        "valueCoding",
        (f"{_NHS}/CodeSystem/ITK-RecipientType-1", kind, _RECIPIENT[kind]),
    )
    definition = _extension(handling, "MessageDefinition")
    _put(_under(definition, "valueReference"), "reference", _MESSAGE_DEFINITION)
    _put(_extension(handling, "SenderReference"), "valueString", letter.delivery_id)
    _put(_extension(handling, "LocalExtension"), "valueString", _LOCAL[letter.workflow])
    _coding(header, "event", (f"{_NHS}/CodeSystem/ITK-MessageEvent-2", *_EVENT))
    _reference(header, "sender", part_of(letter.delivery_id, "sender"))
    _put(header, "timestamp", instant(letter.created))
    _put(_under(header, "source"), "endpoint", letter.mailbox)
    _reference(header, "focus", part_of(letter.delivery_id, "document"))


def _header_organisation(root: _Element, letter: PracticeLetter) -> None:
    sender = _entry(root, "Organization", part_of(letter.delivery_id, "sender"))
    _profile(sender, f"{_PROFILE}/CareConnect-ITK-Header-Organization-1")
    _identifier(sender, "identifier", ODS_CODE_SYSTEM, letter.sender.ods)


def _document(root: _Element, letter: PracticeLetter) -> None:
    """Write the document: what it is, who sent it, who wrote it, whom it is about, its files."""
    name = part_of(letter.delivery_id, "document")
    bundle = _entry(root, "Bundle", name)
    _profile(bundle, f"{_PROFILE}/ITK-Document-Bundle-1")
    _identifier(bundle, "identifier", _UUIDS, name)
    _put(bundle, "type", "document")
    _composition(bundle, letter)
    _organisation(bundle, letter)
    _practitioner(bundle, letter)
    _patient(bundle, letter)
    for place, attachment in enumerate(letter.attachments):
        _binary(bundle, part_of(letter.delivery_id, f"attachment/{place}"), attachment)


def _composition(bundle: _Element, letter: PracticeLetter) -> None:
    name = part_of(letter.delivery_id, "composition")
    composition = _entry(bundle, "Composition", name)
    _profile(composition, f"{_UK}/CareConnect-Composition-1", version=letter.version)
    setting = _extension(composition, f"{_PROFILE}/Extension-ITK-CareSettingType-1")
    _concept(setting, "valueCodeableConcept", letter.care_setting)
    _identifier(composition, "identifier", _UUIDS, name)
    _put(composition, "status", "final")
    is_report = letter.workflow is SendDocument.V1
    _concept(composition, "type", _CONSULTATION_REPORT if is_report else letter.document_type)
    _reference(composition, "subject", part_of(letter.delivery_id, "patient"))
    _put(composition, "date", instant(letter.created))
    author = "organisation" if letter.author is None else "practitioner"
    _reference(composition, "author", part_of(letter.delivery_id, author))
    _put(composition, "title", _title(letter))
    _put(composition, "confidentiality", Confidentiality.NORMAL)
    _reference(composition, "custodian", part_of(letter.delivery_id, "organisation"))
    if letter.replaces is not None:
        relates = _under(composition, "relatesTo")
        _put(relates, "code", "replaces")
        _identifier(relates, "targetIdentifier", _UUIDS, part_of(letter.replaces, "composition"))
    for place, attachment in enumerate(letter.attachments):
        section = _under(composition, "section")
        _put(section, "title", attachment.title)
        _reference(section, "entry", part_of(letter.delivery_id, f"attachment/{place}"))


def _title(letter: PracticeLetter) -> str:
    return _CONSULTATION_TITLE if letter.workflow is SendDocument.V1 else letter.title


def _organisation(bundle: _Element, letter: PracticeLetter) -> None:
    sender = _entry(bundle, "Organization", part_of(letter.delivery_id, "organisation"))
    _profile(sender, f"{_UK}/CareConnect-Organization-1")
    _identifier(sender, "identifier", ODS_CODE_SYSTEM, letter.sender.ods)
    _put(sender, "name", letter.sender.name)
    telecom = _under(sender, "telecom")
    _put(telecom, "system", "phone")
    _put(telecom, "value", letter.sender.phone or "")
    _put(telecom, "use", "work")


def _practitioner(bundle: _Element, letter: PracticeLetter) -> None:
    author = letter.author
    if author is None:
        return
    practitioner = _entry(bundle, "Practitioner", part_of(letter.delivery_id, "practitioner"))
    _profile(practitioner, f"{_UK}/CareConnect-Practitioner-1")
    name = _under(practitioner, "name")
    _put(name, "family", author.family)
    for each in author.given:
        _put(name, "given", each)
    if author.prefix is not None:
        _put(name, "prefix", author.prefix)


def _patient(bundle: _Element, letter: PracticeLetter) -> None:
    """Write the person: number, name and birth date are those of the address, to the letter."""
    patient = _entry(bundle, "Patient", part_of(letter.delivery_id, "patient"))
    _profile(patient, f"{_UK}/CareConnect-Patient-1")
    _identifier(patient, "identifier", NHS_NUMBER_SYSTEM, letter.patient.number)
    name = _under(patient, "name")
    _put(name, "use", "official")
    _put(name, "family", letter.patient.family)
    for each in letter.patient.given:
        _put(name, "given", each)
    _put(patient, "birthDate", letter.patient.birth_date.isoformat())
    practice = _under(patient, "generalPractitioner")
    _identifier(practice, "identifier", ODS_CODE_SYSTEM, letter.practice.ods)
    _put(practice, "display", letter.practice.name)


def _binary(bundle: _Element, name: str, attachment: LetterAttachment) -> None:
    binary = _entry(bundle, "Binary", name)
    _profile(binary, f"{_PROFILE}/ITK-Attachment-Binary-1")
    _put(binary, "contentType", attachment.media_type)
    _put(binary, "content", b64encode(attachment.content).decode("ascii"))


def _under(parent: _Element, name: str) -> _Element:
    return etree.SubElement(parent, f"{{{_FHIR}}}{name}")


def _put(parent: _Element, name: str, value: str) -> None:
    _under(parent, name).set("value", str(value))


def _entry(bundle: _Element, kind: str, name: str) -> _Element:
    entry = _under(bundle, "entry")
    _put(entry, "fullUrl", f"urn:uuid:{name}")
    resource = _under(_under(entry, "resource"), kind)
    _put(resource, "id", name)
    return resource


def _profile(resource: _Element, profile: str, *, version: int | None = None) -> None:
    meta = _under(resource, "meta")
    if version is not None:
        _put(meta, "versionId", str(version))
    _put(meta, "profile", profile)


def _extension(parent: _Element, url: str) -> _Element:
    extension = _under(parent, "extension")
    extension.set("url", url)
    return extension


def _identifier(parent: _Element, name: str, system: str, value: str) -> None:
    identifier = _under(parent, name)
    _put(identifier, "system", system)
    _put(identifier, "value", value)


def _coding(parent: _Element, name: str, coding: tuple[str, str, str]) -> None:
    element = _under(parent, name)
    for part, value in zip(("system", "code", "display"), coding, strict=True):
        _put(element, part, value)


def _concept(parent: _Element, name: str, concept: SnomedConcept) -> None:
    _coding(_under(parent, name), "coding", (_SNOMED, concept.code, concept.display))


def _reference(parent: _Element, name: str, target: str) -> None:
    _put(_under(parent, name), "reference", f"urn:uuid:{target}")
