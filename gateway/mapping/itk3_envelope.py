"""What every ITK3 message to a practice has: its header, its sender, and what MESH routes it by.

What enters: what is to be sent, as far as it says who writes to whom, and leave of the write guard.
What leaves: the beginning of a message (FHIR STU3 XML) under which its document goes, and its
control values; the same at every attempt. Must never: begin a message without leave, or with leave
that was given for another delivery. Source: ITK3 2.9, GP Connect Send Document 1.3 and 2.0.2,
Update Record 1.2; MESH API; `mappings/gp-connect/README.md`.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lxml import etree

from gateway.errors import Fault, IllegalMoveError, InvalidMessageError, IssueCode
from gateway.mapping.fhir_rest import instant
from gateway.mapping.itk3_parts import MOST_MESSAGE_BYTES, LetterOrganisation, LetterPatient
from gateway.mapping.mesh import Control
from gateway.referral.identifiers import ODS_CODE_SYSTEM, DeliveryId
from gateway.writeback.interactions import BIRTH_DATE_IN_MAILBOX, Interaction, Permitted
from gateway.writeback.ruling import RecipientType

MOST_ADDRESS: Final = 100
MOST_SUBJECT: Final = 500
"""Characters of `Mex-To` and `Mex-Subject`. Source: MESH API."""

FHIR: Final = "http://hl7.org/fhir"
UUIDS: Final = "https://tools.ietf.org/html/rfc4122"
PROFILE: Final = "https://fhir.nhs.uk/STU3/StructureDefinition"
UK_PROFILE: Final = "https://fhir.hl7.org.uk/STU3/StructureDefinition"
_CODES: Final = "https://fhir.nhs.uk/STU3/CodeSystem"
_DEFINITION: Final = (
    "https://fhir.nhs.uk/STU3/MessageDefinition/ITK-GPConnectSendDocument-MessageDefinition-1"
)
_NO_DEFINITION: Final = "https://fhir.nhs.uk/MessageDefinition"
"""Update Record has none of its own; its published examples say this."""

_RECIPIENT: Final = {RecipientType.FI: "For Information", RecipientType.FA: "For Action"}
Element = etree._Element  # noqa: SLF001  # lxml names its type so


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What the header says of one interaction."""

    display: str
    definition: str
    local: str = "None"


_KINDS: Final = {
    Interaction.SEND_DOCUMENT: _Kind(
        display="ITK GP Connect Send Document", definition=_DEFINITION
    ),
    Interaction.CONSULTATION_REPORT: _Kind(
        display="ITK GP Connect Send Document",
        definition=_DEFINITION,
        local="SendDocument-ConsultationReport",
    ),
    Interaction.UPDATE_RECORD: _Kind(display="ITK Update Record", definition=_NO_DEFINITION),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeMessage:
    """What goes to MESH: the control values, and the bytes beside them."""

    control: Control
    body: bytes


class Posted(Protocol):
    """What says who writes to whom, of whom: a PracticeLetter, a PracticeRecord."""

    @property
    def delivery_id(self) -> DeliveryId:
        """By which an answer names the message."""

    @property
    def patient(self) -> LetterPatient:
        """Whom it is about."""

    @property
    def sender(self) -> LetterOrganisation:
        """Whose word it is."""

    @property
    def created(self) -> datetime:
        """When it was written; with a zone."""

    @property
    def mailbox(self) -> str:
        """Where answers go."""


def part_of(delivery_id: DeliveryId, name: str) -> str:
    """Name a part of a delivery's message: the same name every time."""
    return str(uuid.uuid5(uuid.UUID(delivery_id), f"itk3/{name}"))


def check_leave(posted: Posted, permitted: Permitted, *interactions: Interaction) -> None:
    """Check that leave was given for such a message, and for this delivery of it.

    Raises:
        IllegalMoveError: it was given for something else.
    """
    if permitted.interaction not in interactions:
        text = f"leave was given for {permitted.interaction}, which is not written here"
        raise IllegalMoveError(text)
    if permitted.version.identifier != posted.delivery_id:
        text = "leave was given for another delivery: ask gateway.writeback.interactions.permit"
        raise IllegalMoveError(text)


def control_of(posted: Posted, permitted: Permitted, title: str) -> Control:
    """Make the control values. They name the person, since MESH routes by nothing else: no log.

    Raises:
        InvalidMessageError: MESH cannot route by this name, or the texts are too long for it.
    """
    patient = posted.patient
    born = patient.birth_date.strftime(BIRTH_DATE_IN_MAILBOX)
    to = f"GPPROVIDER_{patient.number}_{born}_{patient.family}"
    if not _is_latin(to) or len(to) > MOST_ADDRESS:
        text = (
            "MESH routes by a family name of Latin-1 letters, in at most 100 characters of address: "
            "write it as the PDS holds it, or bring the document another way."
        )
        raise InvalidMessageError(fault(IssueCode.VALUE, text, "Patient.name.family"))
    subject = (
        f"{title} for {' '.join((*patient.given, patient.family))}, "
        f"NHS Number: {patient.number}, seen at {posted.sender.name}, "
        f"ODS code: {posted.sender.ods}, version {permitted.version.number}"
    )
    if len(subject) > MOST_SUBJECT:
        text = (
            "Title and names together are too long for the subject of a message: shorten the title."
        )
        raise InvalidMessageError(fault(IssueCode.TOO_LONG, text, "Composition.title"))
    return Control(
        to=to,
        workflow=permitted.interaction,
        local_id=posted.sender.ods,
        subject=subject.encode("latin-1", "replace").decode("latin-1"),
        filename=f"{posted.delivery_id}.xml",
        content_type="application/xml",
    )


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def begin(posted: Posted, permitted: Permitted) -> tuple[Element, Element]:
    """Begin a message; return its root, and the Bundle in it that takes the document."""
    root: Element = etree.fromstring(f'<Bundle xmlns="{FHIR}"/>'.encode())
    name = part_of(posted.delivery_id, "message")
    put(root, "id", name)
    put_profile(root, f"{PROFILE}/ITK-Message-Bundle-1")
    put_identifier(root, "identifier", UUIDS, name)
    put(root, "type", "message")
    _put_header(root, posted, permitted)
    sender = put_entry(root, "Organization", part_of(posted.delivery_id, "sender"))
    put_profile(sender, f"{PROFILE}/CareConnect-ITK-Header-Organization-1")
    put_identifier(sender, "identifier", ODS_CODE_SYSTEM, posted.sender.ods)
    name = part_of(posted.delivery_id, "document")
    document = put_entry(root, "Bundle", name)
    put_profile(document, f"{PROFILE}/ITK-Document-Bundle-1")
    put_identifier(document, "identifier", UUIDS, name)
    put(document, "type", "document")
    return root, document


def finish(root: Element, where: str) -> bytes:
    """Write a message out.

    Args:
        root: the message, complete.
        where: what of it is to be made smaller, where it is too long.

    Raises:
        InvalidMessageError: it has 5 MB or more.
    """
    etree.indent(root)
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
    if len(body) > MOST_MESSAGE_BYTES:
        text = "A message to a practice is under 5 MB with its attachments: send fewer or smaller."
        raise InvalidMessageError(fault(IssueCode.TOO_LONG, text, where))
    return body


def _put_header(root: Element, posted: Posted, permitted: Permitted) -> None:
    kind = _KINDS[permitted.interaction]
    header = put_entry(root, "MessageHeader", posted.delivery_id)
    put_profile(header, f"{PROFILE}/ITK-MessageHeader-2")
    handling = put_extension(header, f"{PROFILE}/Extension-ITK-MessageHandling-2")
    for name in ("BusAckRequested", "InfAckRequested"):
        put(put_extension(handling, name), "valueBoolean", "true")
    recipient = permitted.recipient_type
    put_coding(
        put_extension(handling, "RecipientType"),
        "valueCoding",
        (f"{_CODES}/ITK-RecipientType-1", recipient, _RECIPIENT[recipient]),
    )
    definition = put_extension(handling, "MessageDefinition")
    put(under(definition, "valueReference"), "reference", kind.definition)
    put(put_extension(handling, "SenderReference"), "valueString", posted.delivery_id)
    put(put_extension(handling, "LocalExtension"), "valueString", kind.local)
    event = (f"{_CODES}/ITK-MessageEvent-2", permitted.interaction.event, kind.display)
    put_coding(header, "event", event)
    put_reference(header, "sender", part_of(posted.delivery_id, "sender"))
    put(header, "timestamp", instant(posted.created))
    put(under(header, "source"), "endpoint", posted.mailbox)
    put_reference(header, "focus", part_of(posted.delivery_id, "document"))


def fault(code: IssueCode, diagnostics: str, expression: str) -> Fault:
    """Make one fault; the place is that in the message that would be written, or that was sent."""
    return Fault(code=code, diagnostics=diagnostics, expression=expression)


def under(parent: Element, name: str) -> Element:
    """Put an element below another."""
    return etree.SubElement(parent, f"{{{FHIR}}}{name}")


def put(parent: Element, name: str, value: str) -> None:
    """Put a primitive."""
    under(parent, name).set("value", str(value))


def put_entry(bundle: Element, kind: str, name: str) -> Element:
    """Put an entry; return its resource, which has its id."""
    entry = under(bundle, "entry")
    put(entry, "fullUrl", f"urn:uuid:{name}")
    resource = under(under(entry, "resource"), kind)
    put(resource, "id", name)
    return resource


def put_profile(resource: Element, profile: str, *, version: int | None = None) -> Element:
    """Put `meta` with its profile; return it."""
    meta = under(resource, "meta")
    if version is not None:
        put(meta, "versionId", str(version))
    put(meta, "profile", profile)
    return meta


def put_extension(parent: Element, url: str) -> Element:
    """Put an extension; return it, for its value."""
    extension = under(parent, "extension")
    extension.set("url", url)
    return extension


def put_identifier(parent: Element, name: str, system: str, value: str) -> None:
    """Put an Identifier."""
    identifier = under(parent, name)
    put(identifier, "system", system)
    put(identifier, "value", value)


def put_coding(parent: Element, name: str, coding: tuple[str, str, str]) -> None:
    """Put a Coding: system, code, display."""
    element = under(parent, name)
    for part, value in zip(("system", "code", "display"), coding, strict=True):
        put(element, part, value)


def put_reference(parent: Element, name: str, target: str) -> None:
    """Put a Reference to an entry of this message."""
    put(under(parent, name), "reference", f"urn:uuid:{target}")
