"""What a simulated practice reads and answers, and what the MESH before it knows, by itself."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli.demo.mesh_config import MeshPractice, read_config, write_config
from gateway.cli.demo.mesh_routing import Register, UnroutableError
from gateway.cli.demo.practice_answer import Answerer, write_answer
from gateway.cli.demo.practice_inbox import Inbox
from gateway.cli.demo.practice_manners import DISPLAYS, Manners, is_positive
from gateway.cli.demo.practice_reading import UnreadableError, read_message
from gateway.cli.demo.practice_system import MeshAddress, PracticeSystem
from gateway.errors import SetupError
from gateway.mapping.itk3_answers import read_answer
from gateway.mapping.itk3_envelope import PracticeMessage
from tests.builders.itk3 import DELIVERY, a_practice_letter
from tests.processes.practices import (
    LETTER,
    PRACTICE,
    SHARED_KEY,
    a_mesh_config,
    edited,
    with_entry,
)

SNOMED = '<system value="http://snomed.info/sct"/><code value="1"/>'
FHIR_IN_BASE64 = "eyJyZXNvdXJjZVR5cGUiOiJPYnNlcnZhdGlvbiJ9"


def test_a_practice_with_two_mailboxes_is_too_many() -> None:
    config = a_mesh_config()
    first = config.practices[0]
    second = MeshPractice(mailbox=replace(first.mailbox, id="A81001GP2"))
    register = Register(replace(config, practices=(first, second)))
    with pytest.raises(UnroutableError) as refused:
        register.route("GPPROVIDER_9990000018_19800203_AVERY-O'NEILL")
    assert refused.value.code == "EPL-150"


@pytest.mark.parametrize("code", sorted(DISPLAYS))
def test_an_answer_of_any_code_is_whole_and_read_as_what_it_is(code: str) -> None:
    made = write_answer(
        code, Answerer(ods="A81001", mailbox=PRACTICE), about=DELIVERY,
        sender_reference='a "reference" & more', at=a_practice_letter().created,
    )  # fmt: skip
    answer = read_answer(made)
    assert (answer.about, answer.code, answer.is_positive) == (DELIVERY, code, is_positive(code))
    echoed = read_message(made)
    assert (echoed.event, echoed.sender_reference) == ("ITK008M", 'a "reference" & more')


def test_a_practice_that_cannot_reach_mesh_says_so_once_and_tries_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = MeshAddress(url="http://127.0.0.1:9", shared_key=SHARED_KEY)
    practice = a_mesh_config().practices[0]
    system = PracticeSystem(practice, nowhere, Inbox(tmp_path, PRACTICE), knows=lambda _: True)
    system.start()
    told = ""
    for _ in range(3):
        system.wake()
        time.sleep(0.05)
        told += capsys.readouterr().err
    system.stop()
    assert told == f"practice {PRACTICE}: MESH could not be asked: ConnectionError\n"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (LETTER, ()),
        (with_entry("<Condition/>"), ("Condition",)),
        (with_entry("<MedicationStatement/>"), ("MedicationStatement",)),
        (with_entry("<Somethingelse/>"), ("Somethingelse",)),
        (with_entry("<Patient><contained><Flag/></contained></Patient>"), ("Flag",)),
        (
            edited('<title value="Report"/>', '<entry><reference value="Observation/1"/></entry>'),
            ("section.entry to Observation",),
        ),
        (
            edited('<title value="Report"/>', '<entry><reference value="urn:uuid:1"/></entry>'),
            ("section.entry to what is not there",),
        ),
        (
            edited('<title value="Report"/>', f"<code><coding>{SNOMED}</coding></code>"),
            ("code in Composition/section/code/coding",),
        ),
        (
            edited(
                "Extension-ITK-CareSettingType-1", "Extension-Of-Theirs"
            ),
            ("code in Composition/extension(Extension-Of-Theirs)/valueCodeableConcept/coding",),
        ),
        (
            with_entry(
                '<Binary><contentType value="text/plain"/>'
                f'<content value="{FHIR_IN_BASE64}"/></Binary>'
            ),
            ("Binary that holds FHIR",),
        ),
    ],
)  # fmt: skip
def test_every_coded_entry_is_found_wherever_it_stands(
    message: PracticeMessage, found: tuple[str, ...]
) -> None:
    assert read_message(message.body).coded_entries == found


@pytest.mark.parametrize("body", [b"", b"{}", b"<a/>", b"<Bundle xmlns='http://hl7.org/fhir'/>"])
def test_what_is_no_message_is_not_read(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_message(body)


def test_a_configuration_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = a_mesh_config(
        practices=(replace(a_mesh_config().practices[0], manners=Manners("not-known")),)
    )
    write_config(written, tmp_path / "mesh.json")
    assert read_config(tmp_path / "mesh.json") == written


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("A81001GP1", "GATEWAY01", "two mailboxes have the same id"),
        ("A81001GP1", "a81001gp1", "upper-case"),
        ("9990000018", "0000000000", "of the 999 range"),
        ("9990000018", "9990000019", "its last digit checks"),
        ('"family"', '"name"', "family is missing"),
        ('"accepts"', '"rude"', "a manner is one of"),
        ("{", "", "JSON"),
    ],
)
def test_a_configuration_that_is_wrong_says_how(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    write_config(a_mesh_config(), path := tmp_path / "mesh.json")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SetupError, match=says):
        read_config(path)


def test_a_configuration_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        read_config(tmp_path / "mesh.json")
