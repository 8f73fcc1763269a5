"""Outcomes on their way to practices, over the NHS's own sandbox with practices behind it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from gateway.cli.demo.mesh_config import MeshConfig, MeshMailbox, MeshPerson, MeshPractice
from gateway.cli.demo.practice_inbox import Received
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.read_outcome import read_outcome
from gateway.journey.answering import Arrived
from gateway.journey.check_ledger import check_ledger
from gateway.journey.gateway import Destination
from gateway.journey.reconcile import reconcile
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.journey.show_outcomes import show_outcomes
from gateway.journey.silences import notice_silences
from gateway.ledger.kinds import Door
from gateway.outbound.mailbox import Postman
from gateway.outbound.mesh import Mesh
from gateway.referral.directory import Transport
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.referral.letter import LetterState
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, the_referral, work
from tests.builders.house import FakeDestination, House
from tests.builders.itk3 import sent_record
from tests.builders.messages import (
    BARS_USE_CASES,
    NHS_NUMBER,
    PHARMACY,
    PHARMACY_SERVICE,
    PRACTICE,
    bars_headers,
    bars_message,
    implied_consent,
    patient,
)
from tests.builders.returning import (
    CODED,
    LETTERS,
    answer_letter,
    brought,
    of_employer,
    report,
    say,
    takes_documents,
)
from tests.contracts.parcels import line
from tests.processes.certificates import CA_FILE
from tests.processes.practices import (
    CLIENT,
    OURS,
    PASSWORD,
    SHARED_KEY,
    Practices,
    practices_here,
)
from tests.processes.receiver import until

MAILBOX = f"{PRACTICE}GP1"
EVER = timedelta(hours=1)
_DOCUMENT, _CODES = "GPCONNECT_SEND_DOCUMENT", "GPCONNECT_UPDATE_RECORD"


def registered(*workflows: str) -> MeshConfig:
    """The practice of the house's referrals, registered for some workflows; its one patient."""
    ours = MeshMailbox(
        id=OURS, ods=OdsCode("XGW01"), name="Us", password=PASSWORD,
        workflows=frozenset({f"{_DOCUMENT}_ACK", f"{_CODES}_ACK"}),
    )  # fmt: skip
    practice = MeshMailbox(
        id=MAILBOX, ods=OdsCode(PRACTICE), name="One Surgery", password=PASSWORD,
        workflows=frozenset(workflows),
    )  # fmt: skip
    person = MeshPerson(
        number=NhsNumber(NHS_NUMBER), birth_date=date(1980, 2, 29), family="Testperson",
        practice=OdsCode(PRACTICE),
    )  # fmt: skip
    return MeshConfig(
        shared_key=SHARED_KEY, mailboxes=(ours,), practices=(MeshPractice(mailbox=practice),),
        persons=(person,),
    )  # fmt: skip


@pytest.fixture(scope="module")
def surgery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practices]:
    with practices_here(tmp_path_factory.mktemp("mesh"), registered(_DOCUMENT, _CODES)) as running:
        yield running


@pytest.fixture
def mesh(surgery: Practices) -> Practices:
    """Every mailbox empty, and the practice taking what it is sent."""
    surgery.reset()
    surgery.behave("accepts", MAILBOX)
    return surgery


@pytest.fixture
def house(mesh: Practices, tmp_path: Path) -> Iterator[House]:
    """A house whose practices are reached through that MESH."""
    with embedded_house(tmp_path) as built:
        reach(built, mesh)
        yield built


def reach(house: House, mesh: Practices) -> None:
    endpoint = {
        "id": LETTERS, "transport": "mesh", "format": "gp-connect",
        "address": mesh.url, "ca_file": CA_FILE,
        "parameters": {
            "recipient": "GPPROVIDER", "workflow": _DOCUMENT, "mailbox": OURS,
            "password_file": "password", "shared_key_file": "shared-key",
            "client_certificate": CLIENT, "telephone": "0113 496 0000",
        },
    }  # fmt: skip
    practices = [each | {"letters": LETTERS} for each in takes_documents(house)]
    house.apply(endpoints=[*house.directory["endpoints"], endpoint], practices=practices)
    sending: dict[Transport, Destination] = {
        Transport.FHIR_REST: FakeDestination(),
        Transport.MESH: Mesh(line(mesh.folder)),
    }
    house.gateway = replace(house.gateway, destinations=sending)


def make_round(house: House, mesh: Practices) -> None:
    """Have our mailbox looked after once."""
    Postman(house.gateway, line(mesh.folder), poll=EVER).make_round()


def await_answers(house: House, mesh: Practices, number: int) -> None:
    """Wait until so many answers stood in our mailbox and are on record."""

    def are_here() -> bool:
        make_round(house, mesh)
        return len(entries(house, "letter.answered")) >= number

    until(are_here)


def received(mesh: Practices) -> tuple[Received, ...]:
    return mesh.received(MAILBOX)


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        told.ok for told in check_ledger(house.gateway, lambda _rows: None)
    )


def words_of(mesh: Practices, one: Received) -> str:
    """Read the PDF that the practice got, as its staff would."""
    path = mesh.folder / MAILBOX / one.attachments[0].file
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def test_a_permitted_document_arrives_and_each_answer_is_kept(
    house: House, mesh: Practices
) -> None:
    _, task = brought(house)
    assert say(house, task, **report()).status_code == 200
    work(house)
    (one,) = mesh.await_received(1, MAILBOX)
    assert (one.workflow, one.event, one.coded_entries) == (_DOCUMENT, "ITK007C", ())
    await_answers(house, mesh, 2)
    assert [each["code"] for each in entries(house, "letter.answered")] == ["20013", "30001"]
    (done,) = entries(house, "writeback.done")
    assert done["route"] == "document"
    assert "in the record" not in json.dumps(entries(house))
    assert is_sound(house)


def test_codes_arrive_as_a_document_where_the_practice_switched_coding_off(
    house: House, mesh: Practices
) -> None:
    mesh.behave("switched-off", MAILBOX)
    _, task = brought(house)
    answer = say(house, task, **report(CODED))
    assert answer.status_code == 202
    work(house)
    (one,) = mesh.await_received(1, MAILBOX)
    assert (one.workflow, one.coded_entries) == (_DOCUMENT, ())
    words = words_of(mesh, one)
    assert "142" in words, "what the code said stands there for people to read"
    assert "Why no code was written" in words
    assert [each["route"] for each in entries(house, "writeback.refused")] == ["update-record"]
    assert is_sound(house)


@pytest.mark.parametrize(
    ("manner", "codes"), [("rejects-payload", ["20009"]), ("not-known", ["20013", "30002"])]
)
def test_a_document_that_the_practice_does_not_take_is_for_a_person(
    house: House, mesh: Practices, manner: str, codes: list[str]
) -> None:
    mesh.behave(manner, MAILBOX)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    mesh.await_received(1, MAILBOX)
    await_answers(house, mesh, len(codes))
    assert [each["code"] for each in entries(house, "letter.answered")] == codes
    (reminder,) = entries(house, "reminder.opened")
    assert (reminder["code"], reminder["owner"]) == ("LETTER_CAME_BACK", "operator")
    assert work(house) == 0, "nothing is sent again by itself"
    assert is_sound(house)


@pytest.mark.parametrize(("manner", "codes"), [("silent", []), ("infrastructure-only", ["20013"])])
def test_an_acknowledgement_that_is_missing_is_for_a_person_and_a_late_one_still_counts(
    house: House, mesh: Practices, manner: str, codes: list[str]
) -> None:
    mesh.behave(manner, MAILBOX)
    own, task = brought(house)
    say(house, task, **report())
    work(house)
    mesh.await_received(1, MAILBOX)
    await_answers(house, mesh, len(codes))
    make_round(house, mesh)
    notice_silences(house.gateway)
    assert entries(house, "reminder.opened") == [], "its time is not over"
    house.clock.now += house.gateway.schedule.letter_due + timedelta(minutes=1)
    notice_silences(house.gateway)
    notice_silences(house.gateway)
    (reminder,) = entries(house, "reminder.opened")
    assert (reminder["code"], reminder["owner"]) == ("LETTER_UNANSWERED", "operator")
    story = show_outcomes(the_referral(house).reference, house.gateway, actor="operator")
    ((letter,),) = [line.letters for line in story.lines]
    said = LetterState.READ_BY_SYSTEM if codes else LetterState.SENT
    assert letter.state in (said, LetterState.COLLECTED)
    answer_letter(house, letter.letter.id, "30001")
    assert len(entries(house, "reminder.closed")) == 1
    assert the_referral(house).id == own
    assert is_sound(house)


def test_a_document_that_nobody_collects_comes_back_after_five_days(
    house: House, mesh: Practices
) -> None:
    mesh.behave("never-collects", MAILBOX)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    mesh.expire(MAILBOX)
    await_answers(house, mesh, 1)
    (answered,) = entries(house, "letter.answered")
    assert answered["code"] == "RETURNED_BY_MESH.14"
    (reminder,) = entries(house, "reminder.opened")
    assert reminder["code"] == "LETTER_CAME_BACK"
    assert is_sound(house)


def test_a_person_whom_mesh_does_not_know_so_is_traced_again_by_a_person(
    house: House, mesh: Practices
) -> None:
    moved = patient()
    moved["birthDate"] = "1981-02-28"
    _, task = brought(house, person=moved)
    say(house, task, **report())
    work(house)
    (reminder,) = entries(house, "reminder.opened")
    assert reminder["code"] == "LETTER_CAME_BACK"
    assert received(mesh) == ()
    assert is_sound(house)


def test_a_practice_without_the_workflow_gets_it_by_hand(house: House, mesh: Practices) -> None:
    mesh.behave("accepts", MAILBOX, workflows=[_CODES])
    try:
        _, task = brought(house)
        say(house, task, **report())
        work(house)
        (reminder,) = entries(house, "reminder.opened")
        assert reminder["code"] == "BY_HAND"
        assert received(mesh) == ()
        assert is_sound(house)
    finally:
        mesh.behave("accepts", MAILBOX, workflows=[_DOCUMENT, _CODES])


def test_a_later_version_takes_the_place_of_the_first(house: House, mesh: Practices) -> None:
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    (first,) = mesh.await_received(1, MAILBOX)
    answer = say(house, task, **report(named="L-2", replaces="L-1"))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    work(house)
    _, second = mesh.await_received(2, MAILBOX)
    assert (first.version, first.replaces) == ("1", "")
    assert (second.version, second.replaces) == ("2", first.identifier)
    assert is_sound(house)


def to_pharmacy(house: House) -> str:
    """Bring a direct-care referral to the pharmacy; return its id."""
    providers = [
        each | ({"role": "community-pharmacy"} if each["ods"] == PHARMACY else {})
        for each in house.directory["providers"]
    ]
    on = {"send_document": "on", "update_record": "on"}
    practices = [each | {"switches": on} for each in house.directory["practices"]]
    house.apply(providers=providers, practices=practices)
    sent = bars_message(
        service=PHARMACY_SERVICE, use_case=(BARS_USE_CASES, "a5t1"), consents=[implied_consent()]
    )
    for entry in sent["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["extension"] = of_employer(is_practice=False)
    answer = house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    work(house)
    return str(the_referral(house).id)


def consultation(own: str, **changes: str) -> Any:
    """What the pharmacy's system sends of its consultation, as codes."""
    text = write_json(sent_record()).decode()
    given = {"33333333-3333-4333-8333-333333333333": own, "FZZ01": PHARMACY, **changes}
    for before, after in given.items():
        text = text.replace(before, after)
    tree: Any = read_json(text.encode())
    for entry in tree["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            own_name = {"use": "official", "family": "Testperson", "given": ["Avery"]}
            entry["resource"] |= {"name": [own_name], "birthDate": "1980-02-29"}
    return tree


def pharmacy_says(house: House, tree: Any) -> Returned:
    body = write_json(tree)
    arrived = Arrived(
        door=Door.REST, provider=OdsCode(PHARMACY), client="pharmacy-system", body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    return return_outcome(read_outcome(tree), arrived, house.gateway)


def test_codes_of_a_pharmacy_go_as_codes_where_all_three_allow_it(
    house: House, mesh: Practices
) -> None:
    own = to_pharmacy(house)
    returned = pharmacy_says(house, consultation(own))
    assert returned.ruling is not None
    assert returned.ruling.row == 4, returned.ruling
    work(house)
    (one,) = mesh.await_received(1, MAILBOX)
    assert (one.workflow, one.event) == (_CODES, "ITK014M")
    assert one.coded_entries != ()
    await_answers(house, mesh, 2)
    (done,) = entries(house, "writeback.done")
    assert done["route"] == "update-record"
    assert is_sound(house)


def test_a_switch_that_is_off_is_learned_and_the_document_goes_by_itself(
    house: House, mesh: Practices
) -> None:
    mesh.behave("switched-off", MAILBOX)
    own = to_pharmacy(house)
    house.clock.move(minutes=1)  # what is found out comes after what the practice said
    pharmacy_says(house, consultation(own))
    work(house)
    mesh.await_received(1, MAILBOX)
    await_answers(house, mesh, 1)
    work(house)
    codes, document = mesh.await_received(2, MAILBOX)
    assert (codes.workflow, document.workflow) == (_CODES, _DOCUMENT)
    assert document.coded_entries == ()
    await_answers(house, mesh, 3)
    said = [each["code"] for each in entries(house, "letter.answered")]
    assert said == ["20010", "20013", "30001"]
    (learned,) = entries(house, "coding.learned")
    assert (learned["sender"], learned["code"]) == ("community-pharmacy", "20010")
    assert "Why no code was written" in words_of(mesh, document)
    assert is_sound(house)
    second = pharmacy_says(house, consultation(own, **{"B-17": "B-18", "C-17": "C-18"}))
    assert second.ruling is not None
    assert (second.ruling.row, second.ruling.keeps_coded) == (5, "switched-off")
    work(house)
    assert [each.workflow for each in mesh.await_received(3, MAILBOX)][2] == _DOCUMENT
    assert is_sound(house)
