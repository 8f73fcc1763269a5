"""A document on its way to a practice's own FHIR server, over TLS, with the server in a process."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.outbound.fhir_rest import FhirRest
from gateway.outbound.https_line import HttpsLine, Posting
from gateway.referral.directory import Transport
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, work
from tests.builders.house import FakeDestination, House
from tests.builders.own_endpoint import OWN_SERVER, with_own_server
from tests.builders.returning import CODED, brought, report, say
from tests.contracts.parcels import line, within
from tests.processes.certificates import CA_FILE
from tests.processes.certified_receiver import CertifiedReceiver, running_certified_receiver


class Wire:
    """The house's provider is the fake that it has; the practice's server is reached over TLS."""

    def __init__(self, own: FhirRest, others: FakeDestination) -> None:
        self.own, self.others = own, others
        self.sent: list[Parcel] = []

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if parcel.endpoint.id != OWN_SERVER:
            return self.others.send(parcel, deadline=deadline)
        self.sent.append(parcel)
        return self.own.send(parcel, deadline=time.monotonic() + 20)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CertifiedReceiver]:
    with running_certified_receiver(tmp_path_factory.mktemp("practice")) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        yield built


def reach(house: House, receiver: CertifiedReceiver, server: str) -> Wire:
    wire = Wire(FhirRest(line(receiver.folder)), house.destination)
    destinations: Any = house.gateway.destinations
    destinations[Transport.FHIR_REST] = wire
    with_own_server(house, address=receiver.address(server), ca_file=CA_FILE)
    return wire


def found(https: HttpsLine, receiver: CertifiedReceiver, server: str, token: str) -> list[Any]:
    """What the practice's server finds under an identifier."""
    address = f"{receiver.address(server)}/DocumentReference?identifier={token}"
    asked = Posting(address=address, ca_file=CA_FILE, method="GET")
    tree: Any = https.exchange(asked, deadline=within()).tree()
    return [each["resource"] for each in tree["entry"]]


@pytest.mark.parametrize("server", ["good", "without-keys"])
def test_the_practices_server_has_one_document_however_often_it_is_sent(
    house: House, receiver: CertifiedReceiver, server: str
) -> None:
    wire = reach(house, receiver, server)
    _, task = brought(house)
    assert say(house, task, **report(CODED)).status_code == 202
    work(house)
    (parcel,) = wire.sent
    again = wire.own.send(parcel, deadline=within())  # its first answer was lost on the way
    assert again.status == 200
    asked = json.loads(parcel.body)["entry"][0]["request"]["ifNoneExist"]
    (document,) = found(line(receiver.folder), receiver, server, asked.removeprefix("identifier="))
    assert (document["resourceType"], document["docStatus"]) == ("DocumentReference", "final")
    kinds = {
        each["resource"]["resourceType"] for tree in receiver.kept(server) for each in tree["entry"]
    }
    assert kinds == {"DocumentReference", "Binary"}
    (done,) = entries(house, "writeback.done")
    assert done["payload_sha256"] == parcel.body_sha256


def test_a_server_that_refuses_it_leaves_it_to_a_person(
    house: House, receiver: CertifiedReceiver
) -> None:
    reach(house, receiver, "accepts")
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    assert entries(house, "writeback.done") == []
    (reminder,) = entries(house, "reminder.opened")
    assert (reminder["code"], reminder["owner"]) == ("BY_HAND", "operator")


def test_a_server_that_says_success_and_did_nothing_is_not_believed(
    house: House, receiver: CertifiedReceiver
) -> None:
    wire = reach(house, receiver, "says-what-it-did")
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    assert len(wire.sent) == 1
    assert entries(house, "writeback.done") == []
    assert [each["phase"] for each in entries(house, "delivery.unknown")] == ["no-reply"]
