"""The message to a practice is as `mappings/gp-connect` shows, and can hold no coded entry.

Read back with the XML reader of the standard library, which shares nothing with the writer.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args, get_type_hints
from xml.etree import ElementTree as ET

import pytest

from gateway.errors import IllegalMoveError, InvalidMessageError
from gateway.mapping import itk3_envelope
from gateway.mapping.itk3 import PracticeMessage, part_of, write_letter
from gateway.mapping.itk3_parts import (
    MOST_MESSAGE_BYTES,
    AttachmentType,
    Confidentiality,
    LetterAttachment,
    LetterAuthor,
    LetterOrganisation,
    LetterPatient,
    PracticeLetter,
    SnomedConcept,
)
from gateway.referral.identifiers import DeliveryId, NhsNumber, OdsCode
from gateway.writeback.interactions import Interaction, Permitted
from gateway.writeback.ruling import RecipientType
from tests.builders.itk3 import A_PDF, DELIVERY, a_leave, a_practice_letter, a_practice_message

FOLDER = Path(__file__).parents[3] / "mappings" / "gp-connect"
FHIR = "{http://hl7.org/fhir}"
EARLIER = DeliveryId("66666666-6666-4666-8666-666666666666")
KINDS = ["MessageHeader", "Organization", "Bundle"]
INNER = ["Composition", "Organization", "Practitioner", "Patient", "Binary"]
CODED = "Observation Condition Procedure Medication AllergyIntolerance Immunization Flag Encounter"


def shown_message() -> PracticeMessage:
    given = json.loads((FOLDER / "in" / "letter.json").read_text("utf-8"))
    patient, author = given["patient"], given["author"]
    letter = PracticeLetter(
        delivery_id=DeliveryId(given["delivery_id"]),
        patient=LetterPatient(
            number=NhsNumber(patient["number"]), birth_date=date.fromisoformat(patient["birth_date"]),
            family=patient["family"], given=tuple(patient["given"]),
        ),
        sender=LetterOrganisation(**given["sender"] | {"ods": OdsCode(given["sender"]["ods"])}),
        practice=LetterOrganisation(**given["practice"] | {"ods": OdsCode(given["practice"]["ods"])}),
        author=LetterAuthor(**author | {"given": tuple(author["given"])}),
        title=given["title"], document_type=SnomedConcept(**given["document_type"]),
        care_setting=SnomedConcept(**given["care_setting"]),
        created=datetime.fromisoformat(given["created"]), mailbox=given["mailbox"],
        attachments=tuple(
            LetterAttachment(
                title=each["title"], media_type=AttachmentType(each["media_type"]),
                content=(FOLDER / "in" / each["file"]).read_bytes(),
            ) for each in given["attachments"]
        ),
    )  # fmt: skip
    leave = a_leave(
        letter.delivery_id,
        Interaction(given["workflow"]),
        version=given["version"],
        replaces=given["replaces"],
    )
    return write_letter(letter, leave)


def written(letter: PracticeLetter, leave: Permitted | None = None) -> PracticeMessage:
    return write_letter(letter, leave or a_leave(letter.delivery_id))


def read(letter: PracticeLetter, leave: Permitted | None = None) -> ET.Element:
    return ET.fromstring(written(letter, leave).body)  # noqa: S314  # our own bytes


def kinds(bundle: ET.Element) -> list[str]:
    return [
        next(iter(e)).tag.removeprefix(FHIR) for e in bundle.findall(f"{FHIR}entry/{FHIR}resource")
    ]


def one(root: ET.Element, path: str) -> ET.Element:
    found = root.find(".//" + "/".join(FHIR + step for step in path.split("/")))
    assert found is not None, path
    return found


def value(root: ET.Element, path: str) -> str | None:
    return one(root, path).get("value")


def diagnostics(letter: PracticeLetter, leave: Permitted | None = None) -> str:
    with pytest.raises(InvalidMessageError) as refused:
        written(letter, leave)
    assert all(fault.expression for fault in refused.value.faults)
    return str(refused.value)


def test_the_bytes_are_those_shown() -> None:
    assert shown_message().body == (FOLDER / "out" / "letter.xml").read_bytes()


def test_the_control_values_are_those_shown() -> None:
    control = shown_message().control
    shown = json.loads((FOLDER / "out" / "control.json").read_text("utf-8"))
    assert {f.name: str(getattr(control, f.name)) for f in fields(control)} == shown


def test_entries_stand_in_the_order_of_the_specification() -> None:
    root = read(a_practice_letter())
    assert kinds(root) == KINDS
    assert kinds(one(root, "resource/Bundle")) == INNER
    assert kinds(one(read(a_practice_letter(author=None)), "resource/Bundle")) == [
        each for each in INNER if each != "Practitioner"
    ]


def test_every_reference_leads_to_an_entry_and_every_name_is_that_of_its_entry() -> None:
    root = read(a_practice_letter())
    names = {each.get("value") for each in root.iter(f"{FHIR}fullUrl")}
    definition = itk3_envelope._DEFINITION
    targets = {each.get("value") for each in root.iter(f"{FHIR}reference")} - {definition}
    assert targets <= names
    for entry in root.iter(f"{FHIR}entry"):
        resource = entry.find(f"{FHIR}resource/*/{FHIR}id")
        if resource is not None:
            assert value(entry, "fullUrl") == f"urn:uuid:{resource.get('value')}"


def test_both_answers_are_asked_for_and_the_message_is_known_by_its_delivery() -> None:
    header = one(read(a_practice_letter()), "MessageHeader")
    handling = one(header, "extension")
    said = {
        each.get("url"): [part.get("value") for part in each.iter() if part.get("value")]
        for each in handling
    }
    assert said["BusAckRequested"] == said["InfAckRequested"] == ["true"]
    assert said["RecipientType"][1:] == ["FI", "For Information"]
    assert said["SenderReference"] == [DELIVERY]
    assert said["LocalExtension"] == ["None"]
    assert value(header, "id") == DELIVERY
    assert value(header, "event/code") == "ITK007C"
    assert value(header, "source/endpoint") == "GATEWAY01"
    assert header.find(f"{FHIR}destination") is header.find(f"{FHIR}receiver") is None


def test_an_author_without_a_title_has_none() -> None:
    root = read(a_practice_letter(author=LetterAuthor(family="Field")))
    name = one(root, "Practitioner/name")
    assert [part.tag.removeprefix(FHIR) for part in name] == ["family"]


def test_what_is_for_action_says_so() -> None:
    root = read(a_practice_letter(), a_leave(recipient_type=RecipientType.FA))
    assert value(root, "valueCoding/code") == "FA"


def test_the_person_is_the_same_in_the_message_and_in_the_address() -> None:
    written = a_practice_message()
    patient = one(ET.fromstring(written.body), "Patient")  # noqa: S314
    number, born = value(patient, "identifier/value"), value(patient, "birthDate")
    assert number is not None
    assert born == "1980-02-03"
    wanted = f"GPPROVIDER_{number}_{born.replace('-', '')}_{value(patient, 'name/family')}"
    assert written.control.to == wanted
    assert [each.get("value") for each in patient.iter(f"{FHIR}given")] == ["Robin", "Jo"]


def test_the_control_values_are_those_of_the_specification() -> None:
    control = a_practice_message().control
    assert (control.local_id, control.workflow) == ("OH123", "GPCONNECT_SEND_DOCUMENT")
    assert control.subject == (
        "Occupational health report for Robin Jo Avery-O'Neill, NHS Number: 9990000018, "
        "seen at Able OH & Co, ODS code: OH123, version 1"
    )


def test_attachments_keep_their_bytes_and_their_order() -> None:
    files = tuple(
        LetterAttachment(title=f"File {n}", media_type=AttachmentType.PDF, content=A_PDF * (n + 1))
        for n in range(3)
    )
    root = read(a_practice_letter(attachments=files))
    found = [
        (value(b, "contentType"), base64.b64decode(value(b, "content") or "", validate=True))
        for b in root.iter(f"{FHIR}Binary")
    ]
    assert found == [("application/pdf", each.content) for each in files]
    entries = [value(each, "entry/reference") for each in root.iter(f"{FHIR}section")]
    assert entries == [f"urn:uuid:{value(b, 'id')}" for b in root.iter(f"{FHIR}Binary")]


def test_each_attempt_writes_the_same_bytes_and_each_delivery_other_names() -> None:
    assert a_practice_message() == a_practice_message()
    other = read(a_practice_letter(delivery_id=EARLIER))
    ids = {each.get("value") for each in read(a_practice_letter()).iter(f"{FHIR}fullUrl")}
    assert not ids & {each.get("value") for each in other.iter(f"{FHIR}fullUrl")}


def test_a_new_version_names_the_document_that_it_replaces() -> None:
    first = read(a_practice_letter(delivery_id=EARLIER))
    second = read(a_practice_letter(), a_leave(version=2, replaces=EARLIER))
    composition = one(second, "Composition")
    assert value(composition, "relatesTo/code") == "replaces"
    replaced = value(composition, "relatesTo/targetIdentifier/value")
    assert replaced == value(one(first, "Composition"), "identifier/value")
    assert value(composition, "meta/versionId") == "2"
    assert one(first, "Composition").find(f"{FHIR}relatesTo") is None


def test_version_one_is_a_consultation_report_whatever_it_is_called() -> None:
    leave = a_leave(interaction=Interaction.CONSULTATION_REPORT)
    root = read(a_practice_letter(), leave)
    composition = one(root, "Composition")
    assert value(composition, "title") == "Consultation report"
    assert value(composition, "type/coding/code") == "371531000"
    said = [e.get("value") for e in root.iter(f"{FHIR}valueString")]
    assert said == [DELIVERY, "SendDocument-ConsultationReport"]
    control = a_practice_message(interaction=Interaction.CONSULTATION_REPORT).control
    assert control.workflow == "GPFED_CONSULT_REPORT"


def field_names(kind: Any) -> Iterator[str]:
    for name, hint in get_type_hints(kind).items():
        yield name
        for each in (hint, *get_args(hint)):
            if isinstance(each, type) and is_dataclass(each):
                yield each.__name__
                yield from field_names(each)


def test_no_field_of_a_letter_could_hold_a_coded_entry() -> None:
    names = " ".join(field_names(PracticeLetter)).lower()
    assert not [each for each in CODED.split() if each.lower() in names]
    assert "json" not in repr(get_type_hints(PracticeLetter)).lower()


def test_a_letter_shows_nothing_of_the_person() -> None:
    for shown in (repr(a_practice_letter()), repr(a_practice_message().control)):
        named = ("9990000018", "1980", "Avery", "Robin", "Field")
        assert not [each for each in named if each in shown]


@pytest.mark.parametrize("mark", [Confidentiality.RESTRICTED, Confidentiality.VERY_RESTRICTED])
def test_what_is_restricted_is_never_written(mark: Confidentiality) -> None:
    assert "restricted" in diagnostics(a_practice_letter(confidentiality=mark))


@pytest.mark.parametrize(
    "family", ["Wiśniewski", "O\N{RIGHT SINGLE QUOTATION MARK}Neill", "Ł", "李"]
)
def test_a_family_name_beyond_latin_1_is_refused_with_what_to_do(family: str) -> None:
    letter = a_practice_letter()
    said = diagnostics(replace(letter, patient=replace(letter.patient, family=family)))
    assert "Latin-1" in said
    assert family not in said


@pytest.mark.parametrize("family", ["Müller", "O'Neill", "de la Cruz", "A_B", "<b>&\"'"])
def test_a_family_name_within_latin_1_comes_out_as_it_is(family: str) -> None:
    letter = a_practice_letter()
    letter = replace(letter, patient=replace(letter.patient, family=family))
    assert value(one(read(letter), "Patient"), "name/family") == family
    assert written(letter).control.to.endswith(f"_{family}")


def test_a_given_name_beyond_latin_1_is_whole_in_the_message_only() -> None:
    letter = a_practice_letter()
    letter = replace(letter, patient=replace(letter.patient, given=("Łukasz",)))
    assert value(one(read(letter), "Patient"), "name/given") == "Łukasz"
    assert " for ?ukasz Avery-O'Neill" in written(letter).control.subject


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x00", "\x1b", "\x85", "\u2028", "\ud800", "\uffff"]
)
@pytest.mark.parametrize("part", ["title", "family", "given", "sender", "author", "section"])
def test_what_no_header_or_xml_can_hold_is_refused(part: str, character: str) -> None:
    letter, text = a_practice_letter(), f"a{character}b"
    letter = {
        "title": replace(letter, title=text),
        "family": replace(letter, patient=replace(letter.patient, family=text)),
        "given": replace(letter, patient=replace(letter.patient, given=(text,))),
        "sender": replace(letter, sender=replace(letter.sender, name=text)),
        "author": replace(letter, author=LetterAuthor(family=text)),
        "section": replace(letter, attachments=(replace(letter.attachments[0], title=text),)),
    }[part]  # fmt: skip
    assert "printable" in diagnostics(letter)


ODD = a_practice_letter()
BAD: dict[str, tuple[PracticeLetter, str]] = {
    "no telephone": (replace(ODD, sender=replace(ODD.sender, phone=None)), "telephone"),
    "type not SNOMED": (replace(ODD, document_type=SnomedConcept(code="R", display="x")), "SNOMED"),
    "setting not SNOMED": (replace(ODD, care_setting=SnomedConcept(code="0", display="x")), "SNOMED"),
    "no zone": (replace(ODD, created=datetime(2026, 3, 4)), "zone"),  # noqa: DTZ001
    "no given name": (replace(ODD, patient=replace(ODD.patient, given=())), "given name"),
    "wrong check digit": (
        replace(ODD, patient=replace(ODD.patient, number=NhsNumber("9990000019"))), "check digit",
    ),
    "mailbox": (replace(ODD, mailbox="a b"), "mailbox"),
    "empty title": (replace(ODD, title=""), "1 to 200"),
    "blank at the end": (replace(ODD, title="a "), "blank"),
    "long title": (replace(ODD, title="a" * 201), "1 to 200"),
    "long family name": (replace(ODD, patient=replace(ODD.patient, family="a" * 90)), "100 characters"),
    "long given names": (replace(ODD, patient=replace(ODD.patient, given=("a" * 200,) * 3)), "shorten"),
    "no attachment": (replace(ODD, attachments=()), "1 to 10"),
    "many attachments": (replace(ODD, attachments=ODD.attachments * 11), "1 to 10"),
    "empty attachment": (
        replace(ODD, attachments=(replace(ODD.attachments[0], content=b""),)), "empty",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_letter_is_refused_for_its_defect(name: str) -> None:
    letter, text = BAD[name]
    assert text in diagnostics(letter)


@pytest.mark.parametrize(
    ("letter", "text"),
    [
        (replace(ODD, author=None), "names its author"),
        (
            replace(ODD, attachments=(replace(ODD.attachments[0], media_type=AttachmentType.PNG),)),
            "PDF only",
        ),
    ],
)
def test_version_one_asks_for_more_than_version_two(letter: PracticeLetter, text: str) -> None:
    assert text in diagnostics(letter, a_leave(interaction=Interaction.CONSULTATION_REPORT))
    assert written(letter).body


@pytest.mark.parametrize(
    ("leave", "word"),
    [
        (a_leave(interaction=Interaction.UPDATE_RECORD), "GPCONNECT_UPDATE_RECORD"),
        (a_leave(EARLIER), "another delivery"),
        (a_leave(EARLIER, version=2, replaces=DELIVERY), "another delivery"),
    ],
)
def test_a_letter_is_written_with_leave_for_this_letter_only(leave: Permitted, word: str) -> None:
    with pytest.raises(IllegalMoveError, match=word):
        written(a_practice_letter(), leave)


def test_a_message_of_5_mb_is_refused_and_the_largest_below_is_not() -> None:
    def of(size: int) -> PracticeLetter:
        return a_practice_letter(attachments=(replace(ODD.attachments[0], content=b"a" * size),))

    rest = len(written(of(3)).body) - 4
    most = (MOST_MESSAGE_BYTES - rest) // 4 * 3
    assert len(written(of(most)).body) <= MOST_MESSAGE_BYTES < 5_000_000
    assert "5 MB" in diagnostics(of(most + 1))


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        written(replace(ODD, title="", mailbox="", attachments=()))
    assert len(refused.value.faults) == 3


def test_moments_are_written_in_utc() -> None:
    there = datetime(2026, 7, 1, 10, tzinfo=timezone(timedelta(hours=1)))
    here = datetime(2026, 7, 1, 9, tzinfo=UTC)
    assert a_practice_message(created=there) == a_practice_message(created=here)


def test_a_part_has_the_same_name_every_time() -> None:
    assert part_of(DELIVERY, "composition") == part_of(DELIVERY, "composition")
    assert part_of(DELIVERY, "composition") != part_of(DELIVERY, "patient")
