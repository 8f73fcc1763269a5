"""The simulated practices behind MESH do on the wire what real ones do, and tell what they got."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import requests
from mesh_client import MeshError

from gateway.cli.demo.mesh_config import write_config
from gateway.cli.demo.mesh_control import CONTROL
from gateway.cli.demo.mesh_house import MeshHouse, main
from gateway.cli.demo.practice_inbox import read_inbox
from gateway.cli.demo.practice_manners import MANNERS, is_positive
from gateway.cli.demo.practice_system import MeshAddress
from gateway.errors import SetupError
from gateway.mapping.itk3_answers import AnswerLevel, Meaning, read_report
from gateway.mapping.itk3_envelope import PracticeMessage, part_of
from gateway.mapping.itk3_parts import LetterPatient
from gateway.mapping.itk3_record import write_record
from gateway.referral.identifiers import DeliveryId, NhsNumber
from gateway.writeback.interactions import Interaction
from tests.builders.itk3 import (
    A_PDF,
    DELIVERY,
    a_leave,
    a_practice_message,
    a_practice_record,
)
from tests.processes.certificates import CA_FILE
from tests.processes.practices import (
    ANOTHER,
    LETTER,
    OURS,
    PASSWORD,
    PRACTICE,
    SEND_DOCUMENT,
    SEND_DOCUMENT_V1,
    SHARED_KEY,
    THEIRS,
    UPDATE_RECORD,
    Practices,
    a_mesh_config,
    edited,
    practices_here,
    running_practices,
)
from tests.processes.receiver import until

LATER = DeliveryId("88888888-8888-4888-8888-888888888888")
NEVER = DeliveryId("99999999-9999-4999-8999-999999999999")
OTTO = LetterPatient(
    number=NhsNumber("9991590838"), birth_date=date(1971, 11, 23), family="Marrowby", given=("O",)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practices]:
    with practices_here(tmp_path_factory.mktemp("practices")) as running:
        yield running


@pytest.fixture
def mesh(server: Practices) -> Practices:
    """Nothing sent, nothing received, everybody as at the start."""
    server.reset()
    return server


def codes(mesh: Practices, practice: str = PRACTICE) -> list[str]:
    """Wait for what is on its way to a practice, and return the codes that it answers."""
    mesh.await_received(1, practice)
    return [each.code for each in mesh.answers(practice)]


def test_a_letter_arrives_with_its_pdf_intact_and_no_coded_entry(mesh: Practices) -> None:
    name = mesh.send(LETTER)
    mesh.await_received()
    mesh.settle()
    (got,) = mesh.received()
    assert (got.message_id, got.sender, got.workflow) == (name, OURS, SEND_DOCUMENT)
    assert (got.itk_message_id, got.event, got.recipient_type) == (DELIVERY, "ITK007C", "FI")
    assert (got.title, got.version, got.replaces) == ("Occupational health report", "1", "")
    assert (got.person, got.confidentiality, got.coded_entries) == ("known here", "N", ())
    (pdf,) = got.attachments
    assert (pdf.title, pdf.media_type, pdf.bytes) == ("Report", "application/pdf", len(A_PDF))
    assert pdf.sha256 == hashlib.sha256(A_PDF).hexdigest()
    kept = mesh.folder / PRACTICE
    assert (kept / pdf.file).read_bytes() == A_PDF
    assert (kept / got.file).read_bytes() == LETTER.body
    assert read_inbox(mesh.folder, PRACTICE) == (got,)
    assert got.answers == ("20013", "30001")


def test_its_list_names_nobody(mesh: Practices) -> None:
    mesh.send(LETTER)
    mesh.await_received()
    listed = (mesh.folder / PRACTICE / "received.json").read_text()
    assert not [each for each in ("9990000018", "Avery", "Robin", "1980") if each in listed]


def test_a_message_finds_the_practice_of_its_person(mesh: Practices) -> None:
    mesh.send(a_practice_message(patient=OTTO))
    mesh.await_received(1, ANOTHER)
    assert codes(mesh, ANOTHER) == ["20013", "30001"]
    assert mesh.received() == ()


def test_each_stage_on_the_way_is_told_apart(mesh: Practices) -> None:
    mesh.behave("never-collects")
    name = mesh.send(LETTER)
    client = mesh.client()
    assert client.track_message(name)["status"] == "accepted"
    mesh.behave("silent")
    mesh.await_received()
    mesh.settle()
    assert client.track_message(name)["status"] == "acknowledged"
    assert client.list_messages() == []


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("GPPROVIDER_9990000018_19800302_AVERY-O'NEILL", "EPL-154"),  # day and month changed about
        ("GPPROVIDER_9990000018_03021980_AVERY-O'NEILL", "EPL-154"),  # day first
        ("GPPROVIDER_9990000018_19800203_AVERY", "EPL-154"),
        ("GPPROVIDER_9998804078_19800203_AVERY-O'NEILL", "EPL-153"),
        ("GPPROVIDER_9990000019_19800203_AVERY-O'NEILL", "EPL-152"),  # its last digit is wrong
        ("GPPROVIDER_999_19800203_AVERY-O'NEILL", "EPL-152"),
        ("GPPROVIDER_9990166137_19900602_THISTLEWICK", "EPL-151"),  # the practice has no mailbox
        ("GPPROVIDER_9990000018_19800203", "12"),
        ("NOBODY1", "12"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_with_its_code(
    mesh: Practices, to: str, code: str
) -> None:
    with pytest.raises(MeshError) as refused:
        mesh.send(LETTER, recipient=to)
    said = refused.value.args[1]["detail"][0]
    assert (said["event"], said["code"]) == ("SEND", code)
    assert "9990" not in str(said)
    assert read_report(code)[1] is Meaning.RETRACE


def test_a_family_name_is_found_in_any_case(mesh: Practices) -> None:
    mesh.send(LETTER, recipient="gpprovider_9990000018_19800203_avery-o'Neill")
    assert codes(mesh) == ["20013", "30001"]


def test_a_workflow_that_is_not_registered_is_refused_and_not_found(mesh: Practices) -> None:
    mesh.behave("accepts", workflows=[SEND_DOCUMENT_V1])
    client = mesh.client()
    assert client.lookup_endpoint("A81001", SEND_DOCUMENT)["results"] == []
    assert client.lookup_endpoint("B82002", UPDATE_RECORD)["results"] == []
    assert client.lookup_endpoint("Z99999", SEND_DOCUMENT)["results"] == []
    (found,) = client.lookup_endpoint("A81001", SEND_DOCUMENT_V1)["results"]
    assert found["mailbox_id"] == PRACTICE
    with pytest.raises(MeshError) as refused:
        mesh.send(LETTER)
    assert refused.value.args[1]["detail"][0]["code"] == "17"
    mesh.reset()
    mesh.send(LETTER)
    assert codes(mesh) == ["20013", "30001"]


ANSWERS = {
    "accepts": ["20013", "30001"],
    "switched-off": ["20013", "30001"],
    "rejects-payload": ["20009"],
    "not-known": ["20013", "30002"],
    "silent": [],
    "infrastructure-only": ["20013"],
    "20015": ["20015"],
    "10001": ["10001"],
    "20010": ["20010"],
    "30003": ["20013", "30003"],
    "30018": ["20013", "30018"],
}


def test_every_manner_that_answers_is_tried_here() -> None:
    assert set(MANNERS) - set(ANSWERS) == {"never-collects"}


@pytest.mark.parametrize("manner", ANSWERS)
def test_a_practice_answers_as_it_was_told_to(mesh: Practices, manner: str) -> None:
    mesh.behave(manner)
    mesh.send(LETTER)
    mesh.await_received()
    answers = mesh.answers()
    assert [each.code for each in answers] == ANSWERS[manner]
    assert {each.about for each in answers} <= {DELIVERY}
    assert [each.is_positive for each in answers] == [is_positive(e) for e in ANSWERS[manner]]
    levels = [each.level for each in answers]
    assert levels == [AnswerLevel.INFRASTRUCTURE, AnswerLevel.BUSINESS][: len(levels)]
    assert list(mesh.received()[0].answers) == ANSWERS[manner]


def test_an_answer_asks_for_none_and_names_nobody(mesh: Practices) -> None:
    mesh.send(LETTER)
    client = mesh.client()
    mesh.await_received()
    mesh.settle()
    for name in client.list_messages():
        with closing(client.retrieve_message(name)) as message:
            said = bytes(message.read())
            assert message.workflow_id == f"{SEND_DOCUMENT}_ACK"
            assert (message.sender, message.local_id) == (PRACTICE, "A81001")
        assert said.count(b'<valueBoolean value="false"/>') == 2
        assert b"true" not in said
        assert not [word for word in (b"9990000018", b"Avery", b"1980") if word in said]


def test_a_practice_that_switched_off_refuses_codes_and_takes_letters(mesh: Practices) -> None:
    record = a_practice_record()
    leave = a_leave(record.delivery_id, Interaction.UPDATE_RECORD)
    mesh.behave("switched-off")
    mesh.send(write_record(record, leave), recipient=PRACTICE)
    assert codes(mesh) == ["20010"]
    (got,) = mesh.received()
    assert (got.workflow, got.event) == (UPDATE_RECORD, "ITK014M")
    assert {"Observation", "section.entry to Observation"} <= set(got.coded_entries)
    mesh.send(LETTER)
    mesh.await_received(2)
    assert [each.code for each in mesh.answers()] == ["20013", "30001"]


def test_what_is_not_collected_goes_back_as_after_five_days(mesh: Practices) -> None:
    mesh.behave("never-collects")
    name = mesh.send(LETTER)
    assert mesh.expire() == [name]
    client = mesh.client()
    (told,) = client.list_messages()
    with closing(client.retrieve_message(told)) as report:
        assert report.message_type == "REPORT"
        assert report.mex_header("linkedmsgid") == name
        assert report.mex_header("statuscode") == "14"
        assert report.mex_header("statussuccess") == "ERROR"
        assert report.workflow_id == SEND_DOCUMENT
    assert client.track_message(name)["status"] == "undeliverable"
    mesh.behave("accepts")
    mesh.settle()
    assert mesh.received() == ()


def test_what_waits_is_collected_once_the_practice_collects_again(mesh: Practices) -> None:
    mesh.behave("never-collects")
    mesh.send(LETTER)
    mesh.behave("accepts")
    assert codes(mesh) == ["20013", "30001"]
    assert mesh.expire() == []


def test_a_report_of_any_code_can_be_made(mesh: Practices) -> None:
    told = mesh.report("THE-MESSAGE", "EPL-153", status="error")
    with closing(mesh.client().retrieve_message(told)) as report:
        assert report.message_type == "REPORT"
        assert report.mex_header("linkedmsgid") == "THE-MESSAGE"
        assert report.mex_header("statuscode") == "EPL-153"


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (LETTER, "20007"),
        (edited(f'<id value="{DELIVERY}"/>', f'<id value="{LATER}"/>'), "20008"),
        (
            a_practice_message(delivery_id=LATER, version=2, replaces=NEVER),
            "20014",
        ),
    ],
    ids=["the same message", "the same document", "a replacement of what is not there"],
)
def test_what_a_practice_has_already_or_cannot_replace_is_refused(
    mesh: Practices, second: PracticeMessage, code: str
) -> None:
    mesh.send(LETTER)
    assert codes(mesh) == ["20013", "30001"]
    mesh.send(second)
    mesh.await_received(2)
    assert [each.code for each in mesh.answers()] == [code]


def test_a_new_version_replaces_the_one_before(mesh: Practices) -> None:
    mesh.send(LETTER)
    assert codes(mesh) == ["20013", "30001"]
    mesh.send(a_practice_message(delivery_id=LATER, version=2, replaces=DELIVERY))
    mesh.await_received(2)
    assert [each.code for each in mesh.answers()] == ["20013", "30001"]
    first, second = mesh.received()
    assert (second.version, second.replaces) == ("2", first.identifier)
    assert second.replaces == part_of(DELIVERY, "composition")


def test_what_was_refused_may_be_sent_again(mesh: Practices) -> None:
    mesh.behave("rejects-payload")
    mesh.send(LETTER)
    assert codes(mesh) == ["20009"]
    mesh.behave("accepts")
    mesh.send(LETTER)
    mesh.await_received(2)
    assert [each.code for each in mesh.answers()] == ["20013", "30001"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (edited('<confidentiality value="N"/>', '<confidentiality value="R"/>'), "20009"),
        (edited("JVBERi0x", "JVBERi!!"), "20009"),
        (edited("<Binary>", "<Basic>"), "10009"),
        (replace(LETTER, body=b"no XML"), "10009"),
        (replace(LETTER, body=b"<!DOCTYPE Bundle [<!ENTITY a 'b'>]>" + LETTER.body[39:]), "10009"),
        (edited("MessageHeader>", "Messages>"), "10009"),
        (replace(LETTER, body=LETTER.body + b" " * 5_000_000), "20015"),
    ],
    ids=["restricted", "no base64", "no such end", "no XML", "with entities", "headless", "large"],
)
def test_what_must_be_refused_is_refused(
    mesh: Practices, message: PracticeMessage, code: str
) -> None:
    name = mesh.send(message)
    mesh.await_received()
    (answer,) = mesh.answers()
    assert answer.code == code
    assert answer.about == (name if code == "10009" else DELIVERY)


def test_somebody_who_is_not_registered_there_is_not_known(mesh: Practices) -> None:
    mesh.send(a_practice_message(patient=OTTO), recipient=PRACTICE)
    assert codes(mesh) == ["20013", "30002"]
    assert mesh.received()[0].person == "not known here"


def test_an_answer_that_mesh_does_not_take_is_told_and_not_sent(
    mesh: Practices, capsys: pytest.CaptureFixture[str]
) -> None:
    client = mesh.client(THEIRS)
    client.send_message(PRACTICE, LETTER.body, workflow_id=SEND_DOCUMENT)
    mesh.await_received()
    mesh.settle()
    assert client.list_messages() == []
    assert mesh.received()[0].answers == ()
    told = capsys.readouterr().err
    assert f"practice {PRACTICE}: an answer in {SEND_DOCUMENT}_ACK was not taken: 17" in told


def test_a_report_on_an_answer_is_taken_out_and_nothing_more(mesh: Practices) -> None:
    told = mesh.report("AN-ANSWER", mailbox_id=PRACTICE)
    mesh.behave("accepts")
    until(lambda: told not in mesh.client(PRACTICE).list_messages())
    assert mesh.received() == ()


def test_a_message_in_pieces_arrives_whole(mesh: Practices) -> None:
    client = mesh.client()
    client.send_message(
        LETTER.control.to, LETTER.body, workflow_id=SEND_DOCUMENT, max_chunk_size=1_000
    )
    assert codes(mesh) == ["20013", "30001"]
    kept = mesh.folder / PRACTICE / mesh.received()[0].file
    assert kept.read_bytes() == LETTER.body


def test_a_token_is_good_once(mesh: Practices) -> None:
    session, inbox = mesh.client()._session, f"{mesh.client().mailbox_url}/inbox"
    first = session.get(inbox)

    def again(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = first.request.headers["Authorization"]
        return request

    assert [first.status_code, session.get(inbox, auth=again).status_code] == [200, 403]


def test_nobody_enters_with_another_password_or_without_a_certificate(mesh: Practices) -> None:
    known = MeshAddress(url=mesh.url, shared_key=SHARED_KEY, ca_file=mesh.folder / CA_FILE)
    certified = replace(known, certificate=mesh.folder / "client.pem")
    for at, password in ((certified, "wrong"), (known, PASSWORD)):
        with closing(at.client(OURS, password)) as client, pytest.raises(requests.RequestException):
            client.list_messages()


@pytest.mark.parametrize(
    ("path", "wish", "says"),
    [
        (f"{CONTROL}/{PRACTICE}", {"manner": "rude"}, "a manner is one of accepts"),
        (f"{CONTROL}/{PRACTICE}", {"manner": "20016"}, "or a response code of ITK3"),
        (f"{CONTROL}/{OURS}", {"manner": "silent"}, "no practice has this mailbox"),
        (f"{CONTROL}/{OURS}/expire", None, "no practice has this mailbox"),
    ],
)
def test_a_change_that_cannot_be_made_says_why(
    mesh: Practices, path: str, wish: dict[str, str] | None, says: str
) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        mesh.ask("POST", path, wish)
    assert says in refused.value.response.text


def test_everybody_is_shown(mesh: Practices) -> None:
    mesh.behave("30002", ANOTHER)
    first, second = mesh.ask("GET", CONTROL)["practices"]
    assert (first["mailbox"], first["manner"], first["received"]) == (PRACTICE, "accepts", 0)
    assert (second["manner"], second["workflows"]) == ("30002", [SEND_DOCUMENT])


def test_one_runs_at_a_time_in_a_process(mesh: Practices, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="stop it first"):
        MeshHouse(a_mesh_config(), tmp_path)


def test_the_program_serves_the_same_and_keeps_what_it_got(tmp_path: Path) -> None:
    with running_practices(tmp_path) as mesh:
        mesh.send(LETTER)
        assert codes(mesh) == ["20013", "30001"]
        (got,) = mesh.received()
    assert read_inbox(tmp_path, PRACTICE) == (got,)
    assert "Avery" not in (tmp_path / "mesh.log").read_text()


def test_the_program_says_what_is_wrong_and_ends(tmp_path: Path) -> None:
    given = ["--port", "0", "--config", str(tmp_path / "none.json"), "--folder", str(tmp_path)]
    with pytest.raises(SystemExit, match="cannot be read"):
        main(given)


def test_without_the_sandbox_the_program_says_what_to_install(tmp_path: Path) -> None:
    write_config(a_mesh_config(), tmp_path / "mesh.json")
    program = (
        "import sys; sys.modules['mesh_sandbox'] = None; sys.modules['uvicorn'] = None\n"
        "from gateway.cli.demo.mesh_house import main; main(sys.argv[1:])"
    )
    given = ["--port", "0", "--config", str(tmp_path / "mesh.json"), "--folder", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-c", program, *given], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "requirements/dev.txt" in ended.stderr
    assert "Traceback" not in ended.stderr
