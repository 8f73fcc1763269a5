"""Sending to a MESH mailbox, and reading ours, against the NHS's own sandbox."""

import hashlib
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from mesh_client import MeshClient

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.journey.gateway import Parcel
from gateway.outbound.mesh import Mailbox, Mesh
from gateway.referral.directory import Endpoint
from gateway.referral.lifecycle import DeliveryKind
from tests.contracts.parcels import line, parcel, within
from tests.processes.installation import free_port
from tests.processes.mesh import (
    CANARY,
    CONDUCTS,
    OURS,
    STRANGER,
    THEIRS,
    UNREGISTERED,
    WORKFLOW,
    MeshServer,
    running_mesh,
)

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshServer]:
    with running_mesh(tmp_path_factory.mktemp("mesh")) as running:
        yield running


@pytest.fixture
def mesh_server(server: MeshServer) -> MeshServer:
    """The sandbox with every mailbox empty."""
    server.reset()
    return server


@pytest.fixture
def mesh(mesh_server: MeshServer) -> Mesh:
    return Mesh(line(mesh_server.folder, connect=SECOND, reply=SECOND))


def to(endpoint: Endpoint, *, kind: DeliveryKind = DeliveryKind.REFERRAL) -> Parcel:
    made = parcel(endpoint.address)
    return replace(made, endpoint=endpoint, delivery=replace(made.delivery, kind=kind))


def again(sent: Parcel) -> Parcel:
    """The next attempt of a delivery that may have arrived."""
    unknown = replace(sent.delivery, may_have_arrived=True, attempts=2)
    return replace(sent, delivery=unknown)


def inbox(server: MeshServer, mailbox: str = THEIRS) -> list[str]:
    with server.client(mailbox) as client:
        return client.list_messages()


def test_the_recipient_finds_the_exact_bytes_and_the_control_values(
    mesh: Mesh, mesh_server: MeshServer
) -> None:
    sent = to(mesh_server.endpoint())
    done = mesh.send(sent, deadline=within())
    assert done.status == 202
    with (
        mesh_server.client() as client,
        closing(client.retrieve_message(done.receipt or "")) as got,
    ):
        assert hashlib.sha256(got.read()).hexdigest() == sent.body_sha256
        assert (got.sender, got.recipient, got.workflow_id) == (OURS, THEIRS, WORKFLOW)
        assert got.local_id == sent.delivery.id
        assert got.subject == f"Referral {sent.referral.reference}"
        assert got.filename == f"{sent.delivery.id}.json"
        assert got.content_type == "application/fhir+json"


def test_a_recall_says_that_it_is_one(mesh: Mesh, mesh_server: MeshServer) -> None:
    sent = to(mesh_server.endpoint(), kind=DeliveryKind.RECALL)
    receipt = mesh.send(sent, deadline=within()).receipt or ""
    with mesh_server.client() as client, closing(client.retrieve_message(receipt)) as got:
        assert got.subject == f"Recall of referral {sent.referral.reference}"


def test_a_long_message_goes_in_chunks_and_arrives_whole(mesh_server: MeshServer) -> None:
    mesh = Mesh(line(mesh_server.folder), chunk_bytes=1000)
    sent = to(mesh_server.endpoint())
    assert len(sent.body) > 3000
    receipt = mesh.send(sent, deadline=within()).receipt or ""
    with mesh_server.client() as client, closing(client.retrieve_message(receipt)) as got:
        assert got.read() == sent.body


def test_several_messages_may_go_over_one_line(mesh: Mesh, mesh_server: MeshServer) -> None:
    receipts = {mesh.send(to(mesh_server.endpoint()), deadline=within()).receipt for _ in range(5)}
    assert sorted(inbox(mesh_server)) == sorted(receipts)  # type: ignore[type-var]  # none is None


@pytest.mark.parametrize("conduct", ["HANGS", "FAILS", "NAMELESS", "TALKS"])
def test_a_message_whose_answer_was_lost_is_found_and_not_sent_twice(
    mesh: Mesh, mesh_server: MeshServer, conduct: str
) -> None:
    sent = to(mesh_server.endpoint(conduct))
    with pytest.raises(DeliveryError) as caught:
        mesh.send(sent, deadline=within())
    assert caught.value.may_have_arrived
    done = mesh.send(again(sent), deadline=within())
    assert [done.receipt] == inbox(mesh_server, conduct)


def test_one_that_did_not_arrive_is_sent_by_the_next_attempt(
    mesh: Mesh, mesh_server: MeshServer
) -> None:
    sent = again(to(mesh_server.endpoint()))
    assert inbox(mesh_server) == []
    assert [mesh.send(sent, deadline=within()).receipt] == inbox(mesh_server)


def test_one_that_mesh_could_not_bring_is_sent_again(mesh: Mesh, mesh_server: MeshServer) -> None:
    sent = to(mesh_server.endpoint())
    first = mesh.send(sent, deadline=within()).receipt or ""
    mesh_server.add_event(first, status="error", code="14", event="SEND", description=CANARY)
    second = mesh.send(again(sent), deadline=within()).receipt
    assert second != first
    assert [second] == inbox(mesh_server)


def test_one_that_went_to_another_mailbox_does_not_count(
    mesh: Mesh, mesh_server: MeshServer
) -> None:
    sent = to(mesh_server.endpoint(STRANGER))
    mesh.send(sent, deadline=within())
    moved = again(replace(sent, endpoint=mesh_server.endpoint(THEIRS)))
    assert [mesh.send(moved, deadline=within()).receipt] == inbox(mesh_server, THEIRS)


def test_where_two_are_there_already_nobody_can_tell_and_it_is_sent(
    mesh: Mesh, mesh_server: MeshServer
) -> None:
    sent = to(mesh_server.endpoint())
    for _ in range(2):
        mesh.send(sent, deadline=within())
    assert mesh.send(again(sent), deadline=within()).receipt in inbox(mesh_server)


FAULTS: list[tuple[str, dict[str, str], type[DeliveryError], int | None]] = [
    ("BUSY", {}, DestinationBusyError, 429),
    ("FAILS", {}, DestinationBusyError, 500),
    ("HANGS", {}, NoReplyError, None),
    ("NAMELESS", {}, NoReplyError, 202),
    ("TALKS", {}, NoReplyError, 202),
    ("MOVED", {}, DestinationRefusedError, 307),
    ("NOBODY1", {}, DestinationRefusedError, 417),
    (THEIRS, {"workflow": UNREGISTERED}, DestinationRefusedError, 417),
    (THEIRS, {"mailbox": "NOBODY1"}, DestinationBusyError, 403),
    (THEIRS, {"password_file": "wrong"}, DestinationBusyError, 403),
    (THEIRS, {"shared_key_file": "wrong"}, DestinationBusyError, 403),
    (THEIRS, {"password_file": "no-such-file"}, DestinationUnreachableError, None),
    (THEIRS, {"shared_key_file": "empty"}, DestinationUnreachableError, None),
    (THEIRS, {"password_file": "not-ascii"}, DestinationUnreachableError, None),
    (THEIRS, {"client_certificate": "no-such.pem"}, DestinationUnreachableError, None),
    (THEIRS, {"workflow": "two\r\nlines"}, DestinationUnreachableError, None),
    ("../admin", {}, DestinationUnreachableError, None),
    (THEIRS, {"mailbox": "a/b"}, DestinationUnreachableError, None),
]


@pytest.mark.parametrize(
    ("recipient", "changed", "error", "status"), FAULTS, ids=lambda value: str(value)[:24]
)
def test_each_fault_is_told_apart_in_time_and_without_the_words_of_mesh(
    mesh_server: MeshServer,
    mesh: Mesh,
    caplog: pytest.LogCaptureFixture,
    recipient: str,
    changed: dict[str, str],
    error: type[DeliveryError],
    status: int | None,
) -> None:
    folder = mesh_server.folder
    (folder / "wrong").write_text("wrong")
    (folder / "empty").write_text("\n")
    (folder / "not-ascii").write_text("pässword", encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        mesh.send(to(mesh_server.endpoint(recipient, **changed)), deadline=within())
    assert time.monotonic() - began < 3.5
    assert (type(caught.value), caught.value.status) == (error, status)
    said = caplog.text + "".join(traceback.format_exception(caught.value))
    assert not [word for word in (CANARY, "Avery", "back pain", "password\n") if word in said]
    assert ("check its password" in caplog.text) == (status == 403)


def test_the_wish_of_mesh_to_be_left_alone_is_read(mesh: Mesh, mesh_server: MeshServer) -> None:
    with pytest.raises(DestinationBusyError) as caught:
        mesh.send(to(mesh_server.endpoint("BUSY")), deadline=within())
    assert caught.value.retry_after == timedelta(seconds=7)
    assert inbox(mesh_server, "BUSY") == []


def test_nothing_leaves_after_the_deadline(mesh: Mesh, mesh_server: MeshServer) -> None:
    with pytest.raises(LeaseEndedError):
        mesh.send(to(mesh_server.endpoint()), deadline=time.monotonic() - 0.001)
    assert inbox(mesh_server) == []


def test_a_deadline_between_two_chunks_leaves_nothing_that_mesh_delivers(
    mesh_server: MeshServer,
) -> None:
    mesh = Mesh(line(mesh_server.folder), chunk_bytes=1000)
    began = time.monotonic()
    with pytest.raises(NoReplyError) as caught:
        mesh.send(to(mesh_server.endpoint("SLOWLY")), deadline=within(1.0))
    assert time.monotonic() - began < 1.5
    assert caught.value.may_have_arrived
    assert inbox(mesh_server, "SLOWLY") == []


def test_a_server_without_a_trusted_certificate_hears_nothing(
    mesh: Mesh, mesh_server: MeshServer
) -> None:
    for changed in ({"ca_file": "another-ca.pem"}, {"ca_file": None}):
        with pytest.raises(DestinationUnreachableError, match="certificate"):
            mesh.send(to(mesh_server.endpoint(**changed)), deadline=within())
    assert inbox(mesh_server) == []


def test_a_caller_without_a_certificate_is_not_let_in(mesh: Mesh, mesh_server: MeshServer) -> None:
    endpoint = mesh_server.endpoint()
    bare = {k: v for k, v in endpoint.parameters.items() if k != "client_certificate"}
    with pytest.raises(DeliveryError):
        mesh.send(to(replace(endpoint, parameters=bare)), deadline=within())
    assert inbox(mesh_server) == []


@pytest.mark.parametrize("address", ["http://localhost:{port}", "https://localhost:{port}"])
def test_where_nobody_listens_or_without_tls_nothing_is_sent(
    mesh: Mesh, mesh_server: MeshServer, address: str
) -> None:
    endpoint = mesh_server.endpoint(address=address.format(port=free_port()))
    with pytest.raises(DestinationUnreachableError):
        mesh.send(to(endpoint), deadline=within())


# Our own mailbox.


@pytest.fixture
def mailbox(mesh_server: MeshServer) -> Mailbox:
    return Mailbox(line(mesh_server.folder), mesh_server.endpoint())


def answer(client: MeshClient, body: bytes, **control: Any) -> str:
    said: dict[str, Any] = {"workflow_id": f"{WORKFLOW}_ACK"} | control
    return client.send_message(OURS, body, **said)


def test_mesh_is_greeted(mailbox: Mailbox) -> None:
    mailbox.greet(deadline=within())


def test_a_message_in_our_mailbox_is_read_and_stays_until_it_is_acknowledged(
    mailbox: Mailbox, mesh_server: MeshServer
) -> None:
    with mesh_server.client() as client:
        name = answer(client, b'{"a":1}', local_id="theirs")
    for _ in range(2):
        assert mailbox.waiting(most=10, deadline=within()) == [name]
        post = mailbox.read(name, deadline=within())
        assert post is not None
        assert (post.sender, post.is_report, post.body) == (THEIRS, False, b'{"a":1}')
        assert (post.workflow, post.local_id) == (f"{WORKFLOW}_ACK", "theirs")
    mailbox.acknowledge(name, deadline=within())
    assert mailbox.waiting(most=10, deadline=within()) == []
    with mesh_server.client() as client:
        assert client.track_message(name)["status"] == "acknowledged"


@pytest.mark.parametrize("status", ["error", "undeliverable"])
def test_a_report_says_what_it_is_about_and_has_no_sender(
    mailbox: Mailbox, mesh_server: MeshServer, status: str
) -> None:
    name = mesh_server.report(linked_message_id="ABC", local_id="mine", status=status)
    post = mailbox.read(name, deadline=within())
    assert post is not None
    assert (post.is_report, post.sender, post.body) == (True, None, b"")
    assert (post.linked, post.local_id, post.code) == ("ABC", "mine", "14")


def test_more_messages_than_a_page_holds_are_listed_up_to_a_limit(
    mailbox: Mailbox, mesh_server: MeshServer
) -> None:
    small = replace(mailbox, page=10)
    names = [mesh_server.report() for _ in range(23)]
    assert small.waiting(most=100, deadline=within()) == names
    assert small.waiting(most=15, deadline=within()) == names[:15]


def test_a_message_in_several_chunks_is_none_that_we_read(
    mailbox: Mailbox, mesh_server: MeshServer
) -> None:
    with mesh_server.client() as client:
        name = client.send_message(OURS, b"x" * 3000, max_chunk_size=1000, workflow_id="W")
    post = mailbox.read(name, deadline=within())
    assert post is not None
    assert post.body == b""


def test_a_packed_message_is_unpacked(mailbox: Mailbox, mesh_server: MeshServer) -> None:
    with mesh_server.client() as client:
        name = client.send_message(OURS, b"word " * 99, compress=True, workflow_id="W")
    post = mailbox.read(name, deadline=within())
    assert post is not None
    assert post.body == b"word " * 99


def test_a_message_that_is_gone_is_none(mailbox: Mailbox, mesh_server: MeshServer) -> None:
    assert mailbox.read("NO_SUCH_MESSAGE", deadline=within()) is None
    name = mesh_server.report()
    mesh_server.add_event(name, status="error", code="x", event="SEND", description="x")
    assert mailbox.read(name, deadline=within()) is None


def test_what_the_recipient_collected_is_known(
    mailbox: Mailbox, mesh: Mesh, mesh_server: MeshServer
) -> None:
    receipt = mesh.send(to(mesh_server.endpoint()), deadline=within()).receipt or ""
    assert not mailbox.is_collected(receipt, deadline=within())
    with mesh_server.client() as client:
        client.acknowledge_message(receipt)
    assert mailbox.is_collected(receipt, deadline=within())
    assert not mailbox.is_collected("NO_SUCH_MESSAGE", deadline=within())


def test_every_conduct_is_tried() -> None:
    assert {recipient for recipient, *_ in FAULTS} | {"SLOWLY"} >= set(CONDUCTS)
