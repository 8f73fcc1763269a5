"""From a queued referral to a mailbox of the NHS's own sandbox, and back: nothing is lost."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.app import create_postman
from gateway.errors import StoreUnavailableError
from gateway.journey.gateway import Gateway
from gateway.journey.reconcile import reconcile
from gateway.outbound.mailbox import Postman
from gateway.outbound.mesh import Mesh
from gateway.referral.directory import Transport
from gateway.referral.lifecycle import DeliveryState, Reached, ReferralState
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, the_delivery, the_referral, work
from tests.builders.house import House, settings
from tests.builders.messages import service_request
from tests.contracts.parcels import line
from tests.processes.certificates import CA_FILE
from tests.processes.mesh import OURS, STRANGER, THEIRS, WORKFLOW, MeshServer, running_mesh
from tests.processes.receiver import until

EVER = timedelta(hours=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshServer]:
    with running_mesh(tmp_path_factory.mktemp("mesh")) as running:
        yield running


@pytest.fixture
def mesh(server: MeshServer) -> MeshServer:
    """The sandbox with every mailbox empty."""
    server.reset()
    return server


@pytest.fixture
def sent(mesh: MeshServer, tmp_path: Path) -> Iterator[House]:
    """A house with one referral, which MESH has."""
    with embedded_house(tmp_path) as house:
        offer(house, mesh)
        sending = {Transport.MESH: Mesh(line(mesh.folder))}
        house.gateway = replace(house.gateway, destinations=sending)
        assert house.post("/ServiceRequest", service_request()).status_code == 201
        assert work(house) == 1
        yield house


def offer(house: House, mesh: MeshServer, **changed: str) -> None:
    """Have the OH provider reached by MESH."""
    at = mesh.endpoint(**changed)
    oh = {
        "id": "oh", "transport": "mesh", "format": "fhir-transaction", "address": at.address,
        "ca_file": CA_FILE, "parameters": dict(at.parameters),
    }  # fmt: skip
    house.apply(endpoints=[oh, *house.directory["endpoints"][1:]])


def postman(house: House, mesh: MeshServer, gateway: Gateway | None = None) -> Postman:
    return Postman(gateway or house.gateway, line(mesh.folder), poll=EVER)


def waiting(mesh: MeshServer, mailbox: str = OURS) -> list[str]:
    with mesh.client(mailbox) as client:
        return client.list_messages()


def answer(mesh: MeshServer, body: bytes, *, by: str = THEIRS) -> str:
    with mesh.client(by) as client:
        return client.send_message(OURS, body, workflow_id=f"{WORKFLOW}_ACK")


def says(about: str | None, code: str) -> bytes:
    header = {"resourceType": "MessageHeader", "response": {"identifier": about, "code": code}}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": header}]}).encode()


def test_a_referral_goes_and_each_stage_of_its_way_is_told_apart(
    sent: House, mesh: MeshServer
) -> None:
    rounds = postman(sent, mesh)
    name = the_delivery(sent).receipt
    assert waiting(mesh, THEIRS) == [name]
    rounds.make_round()
    assert the_delivery(sent).reached is Reached.ACCEPTED
    with mesh.client() as client:
        client.acknowledge_message(name or "")
    rounds.make_round()
    assert the_delivery(sent).reached is Reached.COLLECTED
    answer(mesh, says(the_delivery(sent).id, "ok"))
    rounds.make_round()
    assert the_delivery(sent).reached is Reached.CONFIRMED
    assert waiting(mesh) == []
    assert reconcile(sent.gateway).discrepancies == ()


def test_one_that_came_back_is_on_record_and_then_acknowledged(
    sent: House, mesh: MeshServer
) -> None:
    mesh.report(linked_message_id=the_delivery(sent).receipt or "", status="undeliverable")
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert the_delivery(sent).reason == "RETURNED_BY_MESH.14"
    assert the_referral(sent).state is ReferralState.HELD
    assert reconcile(sent.gateway).discrepancies == ()


def test_nothing_is_acknowledged_that_could_not_be_put_on_record(
    sent: House, mesh: MeshServer
) -> None:
    name = mesh.report(linked_message_id=the_delivery(sent).receipt or "")
    away = replace(sent.gateway, clock=Seldom(sent.gateway, allowed=1))
    postman(sent, mesh, away).make_round()
    assert waiting(mesh) == [name]
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert len(entries(sent, "delivery.refused")) == 1


class Seldom:
    """A clock that answers so often, and then finds the database away."""

    def __init__(self, gateway: Gateway, *, allowed: int) -> None:
        self._clock = gateway.clock
        self._left = allowed

    def __call__(self) -> datetime:
        if not self._left:
            raise StoreUnavailableError
        self._left -= 1
        return self._clock()


def test_one_that_was_put_on_record_but_not_acknowledged_is_no_second_return(
    sent: House, mesh: MeshServer
) -> None:
    receipt = the_delivery(sent).receipt or ""
    for _ in range(2):
        mesh.report(linked_message_id=receipt)  # as if the first had not been acknowledged
        postman(sent, mesh).make_round()
    assert len(entries(sent, "delivery.refused")) == 1
    assert waiting(mesh) == []


def test_what_is_not_understood_stays_is_told_once_and_stops_nothing(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    receipt = the_delivery(sent).receipt
    strange = [
        answer(mesh, b"Avery wrote this"),
        answer(mesh, says(receipt, "ok"), by=STRANGER),
        mesh.report(linked_message_id="ANOTHER"),
        answer(mesh, b"<Bundle/>"),
    ]
    answer(mesh, says(receipt, "ok"))
    rounds = postman(sent, mesh)
    for _ in range(3):
        rounds.make_round()
    assert the_delivery(sent).reached is Reached.CONFIRMED
    assert waiting(mesh) == strange
    assert [caplog.text.count(name) for name in strange] == [1, 1, 1, 1]
    assert "Avery" not in caplog.text


def test_a_message_that_cannot_be_read_stops_no_other(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    huge = answer(mesh, b"x" * (4 * 1024 * 1024 + 1))
    answer(mesh, says(the_delivery(sent).receipt, "ok"))
    rounds = postman(sent, mesh)
    for _ in range(2):
        rounds.make_round()
    assert the_delivery(sent).reached is Reached.CONFIRMED
    assert waiting(mesh) == [huge]
    assert caplog.text.count(huge) == 1


def test_a_mailbox_that_cannot_be_read_is_told_once_and_once_when_it_is_again(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="gateway.outbound.mailbox")
    rounds = postman(sent, mesh)
    secret = mesh.folder / "password"
    kept = secret.read_text()
    secret.write_text("wrong")
    for _ in range(3):
        rounds.make_round()
    secret.write_text(kept)
    for _ in range(2):
        rounds.make_round()
    told = [r.getMessage() for r in caplog.records if r.name == "gateway.outbound.mailbox"]
    assert [text.split(" (")[0] for text in told] == [
        "ALERT: the mailbox of endpoint oh cannot be read",
        "ALERT: the mailbox of endpoint oh is read again",
    ]


def test_one_mailbox_that_is_away_does_not_keep_another_from_being_read(
    sent: House, mesh: MeshServer
) -> None:
    oh, *others = sent.directory["endpoints"]
    gone = oh | {"id": "a-gone", "address": "https://127.0.0.1:9"}
    sent.apply(endpoints=[gone, oh, *others])
    answer(mesh, says(the_delivery(sent).receipt, "ok"))
    postman(sent, mesh).make_round()
    assert the_delivery(sent).reached is Reached.CONFIRMED


def test_where_there_is_no_mailbox_there_is_nothing_to_do(tmp_path: Path, mesh: MeshServer) -> None:
    with embedded_house(tmp_path) as house:
        postman(house, mesh).make_round()


def test_an_attempt_whose_answer_was_lost_is_found_by_the_next(
    mesh: MeshServer, tmp_path: Path
) -> None:
    with embedded_house(tmp_path) as house:
        offer(house, mesh, recipient="FAILS")
        sending = {Transport.MESH: Mesh(line(mesh.folder))}
        house.gateway = replace(house.gateway, destinations=sending)
        house.post("/ServiceRequest", service_request())
        work(house)
        assert (the_delivery(house).state, the_delivery(house).may_have_arrived) == (
            DeliveryState.QUEUED,
            True,
        )
        house.clock.move(hours=1)
        work(house)
        assert the_delivery(house).state is DeliveryState.DELIVERED
        assert waiting(mesh, "FAILS") == [the_delivery(house).receipt]
        assert reconcile(house.gateway).discrepancies == ()


def test_the_thread_works_until_it_is_stopped(sent: House, mesh: MeshServer) -> None:
    given = settings(
        sent.settings.database_url, certificates_dir=str(mesh.folder),
        credentials_dir=str(mesh.folder), mesh_poll="PT0.05S",
    )  # fmt: skip
    running = create_postman(given)
    running.start()
    try:
        answer(mesh, says(the_delivery(sent).receipt, "ok"))
        until(lambda: the_delivery(sent).reached is Reached.CONFIRMED)
    finally:
        assert running.stop(patience=timedelta(seconds=20))
