"""Whether something may be written to a practice at all, and how to mend it where it may not.

What enters: a letter, or whatever else is posted, with its title. What leaves: nothing, or every
fault. Must never: quote what it checks. Source: GP Connect Send Document, requirements GPCM-SD-028
to 112; MESH API, limits of control values.
"""

import re
from collections.abc import Iterable, Iterator

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.itk3_envelope import Posted, fault
from gateway.mapping.itk3_parts import (
    MOST_ATTACHMENTS,
    AttachmentType,
    Confidentiality,
    PracticeLetter,
)
from gateway.writeback.interactions import Interaction

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_MAILBOX = re.compile(r"[A-Za-z0-9]{5,32}")
_MOST_CHARACTERS = 200
"""Of a name or a title."""

_Texts = Iterable[tuple[str, str]]
"""Texts, each after the place where it will stand."""


def check_letter(letter: PracticeLetter, interaction: Interaction) -> None:
    """Check a letter before it is written.

    Raises:
        InvalidMessageError: it may not be sent so; all faults, in the letter's order.
    """
    faults = [
        *_of_kind(letter, interaction),
        *faults_of_posted(letter),
        *faults_of_texts(_texts(letter)),
        *_of_files(letter, interaction),
    ]
    if faults:
        raise InvalidMessageError(*faults)


def faults_of_posted(posted: Posted) -> Iterator[Fault]:
    """Tell what is wrong with what every message has: a moment, a person, a mailbox."""
    if posted.created.utcoffset() is None:
        text = "The moment of the document has no zone: say its offset from UTC."
        yield fault(IssueCode.VALUE, text, "Composition.date")
    if not posted.patient.given:
        text = "The person's official name has a given name: write it as the PDS holds it."
        yield fault(IssueCode.REQUIRED, text, "Patient.name.given")
    if not posted.patient.number.checks:
        text = "The NHS number fails its check digit: trace the person again."
        yield fault(IssueCode.VALUE, text, "Patient.identifier.value")
    if not _MAILBOX.fullmatch(posted.mailbox):
        text = "The sender's mailbox is 5 to 32 letters and digits, as MESH gave it."
        yield fault(IssueCode.VALUE, text, "MessageHeader.source.endpoint")


def faults_of_texts(texts: _Texts) -> Iterator[Fault]:
    """Tell which names and titles no header can hold: they stand in the subject of the message."""
    for place, value in texts:
        if not 0 < len(value) <= _MOST_CHARACTERS or value != value.strip():
            text = f"A name or title is 1 to {_MOST_CHARACTERS} characters, no blank at its ends."
            yield fault(IssueCode.VALUE, text, place)
        elif _UNWRITABLE.search(value):
            text = "A name or title is one line of printable characters: take the others out."
            yield fault(IssueCode.VALUE, text, place)


def texts_of_posted(posted: Posted) -> Iterator[tuple[str, str]]:
    """List the names that stand in the address and in the subject."""
    yield "Patient.name.family", posted.patient.family
    yield from (("Patient.name.given", each) for each in posted.patient.given)
    yield "Organization.name", posted.sender.name


def _of_kind(letter: PracticeLetter, interaction: Interaction) -> Iterator[Fault]:
    if letter.confidentiality is not Confidentiality.NORMAL:
        yield fault(
            IssueCode.SUPPRESSED,
            "Nothing restricted goes to a practice by GP Connect, not even word that it exists: "
            "ask the person, and bring it another way.",
            "Composition.confidentiality",
        )
    if interaction is Interaction.CONSULTATION_REPORT and letter.author is None:
        yield fault(
            IssueCode.REQUIRED,
            "A consultation report of version 1 names its author: name one, or send version 2.",
            "Composition.author",
        )
    if letter.sender.phone is None:
        yield fault(
            IssueCode.REQUIRED,
            "The sending organisation needs a telephone number: add it to the directory.",
            "Organization.telecom",
        )
    for concept in (letter.document_type, letter.care_setting):
        if not _SNOMED.fullmatch(concept.code):
            text = (
                "The kind of document and the care setting are SNOMED CT concepts: 6 to 18 digits."
            )
            yield fault(IssueCode.CODE_INVALID, text, "Composition.type")


def _texts(letter: PracticeLetter) -> Iterator[tuple[str, str]]:
    yield "Composition.title", letter.title
    yield from texts_of_posted(letter)
    yield "Patient.generalPractitioner.display", letter.practice.name
    if letter.sender.phone is not None:
        yield "Organization.telecom.value", letter.sender.phone
    if letter.author is not None:
        author = letter.author
        for each in (author.family, *author.given, *([author.prefix] if author.prefix else [])):
            yield "Practitioner.name", each
    yield "Composition.type.coding.display", letter.document_type.display
    yield "Composition.extension.valueCodeableConcept", letter.care_setting.display
    yield from (("Composition.section.title", each.title) for each in letter.attachments)


def _of_files(letter: PracticeLetter, interaction: Interaction) -> Iterator[Fault]:
    if not 0 < len(letter.attachments) <= MOST_ATTACHMENTS:
        text = f"A document has 1 to {MOST_ATTACHMENTS} attachments: put pages together."
        yield fault(IssueCode.VALUE, text, "Composition.section.entry")
    is_report = interaction is Interaction.CONSULTATION_REPORT
    for attachment in letter.attachments:
        if not attachment.content:
            yield fault(IssueCode.VALUE, "An attachment is empty: leave it out.", "Binary.content")
        if is_report and attachment.media_type is not AttachmentType.PDF:
            text = "Version 1 takes PDF only: make one of it, or send version 2."
            yield fault(IssueCode.NOT_SUPPORTED, text, "Binary.contentType")
