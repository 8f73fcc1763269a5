"""What a letter to a practice is made of, before it is bytes.

Values only: whose letter, of whom, from whom, with which attachments. Must never: hold a coded
entry. There is no field for an observation, a condition or a medicine, so no message made from
these values has one. Nothing here is shown by `repr`. Source: GP Connect Send Document, 1.3 and
2.0.2; `mappings/gp-connect/README.md`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from gateway.referral.identifiers import DeliveryId, NhsNumber, OdsCode

MOST_MESSAGE_BYTES: Final = 4_999_999
"""Of the whole XML. Source: ITK3 response code 20015 and its recommended limit of 5 MB."""

MOST_ATTACHMENTS: Final = 10


class Confidentiality(StrEnum):
    """Composition.confidentiality. Only the first is ever written. Source: v3-Confidentiality."""

    NORMAL = "N"
    RESTRICTED = "R"
    VERY_RESTRICTED = "V"


class AttachmentType(StrEnum):
    """What may be attached; nothing that acts when it is opened, such as HTML."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"
    TIFF = "image/tiff"
    TEXT = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnomedConcept:
    """A SNOMED CT concept that names a kind of document or a care setting."""

    code: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPatient:
    """Whom the letter is about, as the Personal Demographics Service holds it."""

    number: NhsNumber = field(repr=False)
    birth_date: date = field(repr=False)
    family: str = field(repr=False)
    given: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterOrganisation:
    """An organisation, with the telephone number at which it answers questions."""

    ods: OdsCode
    name: str
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterAuthor:
    """The person who wrote the document, where that is known."""

    family: str
    given: tuple[str, ...] = ()
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterAttachment:
    """One file of the document."""

    title: str = field(repr=False)
    media_type: AttachmentType
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeLetter:
    """One document for one practice, about one person.

    `attachments`: the document itself first. `mailbox`: the sender's, where answers go. By which
    workflow it goes, whether for action, and which version it is, is said by the leave to send it.
    """

    delivery_id: DeliveryId
    patient: LetterPatient = field(repr=False)
    sender: LetterOrganisation
    practice: LetterOrganisation
    author: LetterAuthor | None = field(default=None, repr=False)
    title: str = field(repr=False)
    document_type: SnomedConcept
    care_setting: SnomedConcept
    created: datetime
    confidentiality: Confidentiality = Confidentiality.NORMAL
    mailbox: str
    attachments: tuple[LetterAttachment, ...] = field(repr=False)
