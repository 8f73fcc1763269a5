"""What the walk relies on in a destination, whichever it is; then each fault of the real one."""

import copy
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
    Phase,
)
from gateway.journey.gateway import Destination, Parcel
from gateway.outbound.fhir_rest import FhirRest
from tests.builders.house import FakeDestination
from tests.contracts.parcels import AMPLE, MESSAGE, NOW, WRITER, line, parcel, within
from tests.processes.certificates import CA_FILE, OTHER_CA_FILE
from tests.processes.conducts import CANARY
from tests.processes.installation import DEAD_PROXY, free_port
from tests.processes.receiver import Receiver, running_receiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running_receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def fhir_rest(receiver: Receiver) -> FhirRest:
    second = timedelta(seconds=1)
    return FhirRest(line(receiver.folder, connect=second, reply=second))


@dataclass(frozen=True)
class World:
    """A destination, and what its far end got: keys and hashes, in order."""

    destination: Destination
    got: Callable[[], list[tuple[str, str]]]
    busy: Callable[[], Parcel]
    refusing: Callable[[], Parcel]
    well: Callable[[], Parcel]


@pytest.fixture(params=["real", "fake"])
def world(request: pytest.FixtureRequest, receiver: Receiver, fhir_rest: FhirRest) -> World:
    if request.param == "real":
        before = len(receiver.events(event="kept"))
        return World(
            destination=fhir_rest,
            got=lambda: [(e["key"], e["sha256"]) for e in receiver.events(event="kept")[before:]],
            busy=lambda: parcel(receiver.address("503-seconds")),
            refusing=lambda: parcel(receiver.address("422")),
            well=lambda: parcel(receiver.address("ok")),
        )
    fake = FakeDestination()

    def failing(failure: Exception) -> Parcel:
        fake.failures.append(failure)
        return parcel("https://oh.example/fhir")

    return World(
        destination=fake,
        got=lambda: [(p.delivery.id, p.body_sha256) for p in fake.received],
        busy=lambda: failing(DestinationBusyError("busy", status=503)),
        refusing=lambda: failing(DestinationRefusedError("no", status=422)),
        well=lambda: parcel("https://oh.example/fhir"),
    )


def test_preparing_the_same_message_gives_the_same_bytes_and_changes_nothing() -> None:
    one, before = parcel("https://oh.example/fhir"), copy.deepcopy(MESSAGE)
    again = [WRITER.write(MESSAGE, one.referral, one.delivery, one.endpoint) for _ in range(2)]
    later = replace(
        one.delivery, attempts=7, version=12, lease_until=NOW + 2 * AMPLE, lease_owner="x",
        next_at=NOW + AMPLE, updated_at=NOW + AMPLE, reason="busy",
    )  # fmt: skip
    assert {*again, WRITER.write(MESSAGE, one.referral, later, one.endpoint)} == {one.body}
    assert before == MESSAGE


def test_what_is_acknowledged_is_there_byte_for_byte_under_its_key(world: World) -> None:
    sent = world.well()
    assert world.destination.send(sent, deadline=within()).status == 200
    assert world.got() == [(sent.delivery.id, sent.body_sha256)]


def test_a_busy_destination_may_be_tried_again(world: World) -> None:
    with pytest.raises(DestinationBusyError) as caught:
        world.destination.send(world.busy(), deadline=within())
    assert (caught.value.status, caught.value.may_retry) == (503, True)
    assert world.got() == []


def test_a_refusal_is_final(world: World) -> None:
    with pytest.raises(DestinationRefusedError) as caught:
        world.destination.send(world.refusing(), deadline=within())
    assert (caught.value.status, caught.value.may_retry) == (422, False)
    assert world.got() == []


def test_a_failure_spoils_no_later_attempt(world: World) -> None:
    with pytest.raises(DeliveryError):
        world.destination.send(world.busy(), deadline=within())
    sent = world.well()
    world.destination.send(sent, deadline=within())
    assert world.got() == [(sent.delivery.id, sent.body_sha256)]


def test_several_threads_may_send_at_once(world: World) -> None:
    sent = [world.well() for _ in range(8)]
    threads = [
        threading.Thread(target=world.destination.send, args=(each,), kwargs={"deadline": within()})
        for each in sent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(world.got()) == sorted((p.delivery.id, p.body_sha256) for p in sent)


@dataclass(frozen=True)
class Fault:
    """What the real destination raises, where the receiver behaves in one way."""

    conduct: str
    error: type[DeliveryError]
    status: int | None = None
    retry_after: float | None = None
    server: str = "good"


UNREACHABLE, NO_REPLY, BUSY, REFUSED = (
    DestinationUnreachableError,
    NoReplyError,
    DestinationBusyError,
    DestinationRefusedError,
)
PHASES = {
    UNREACHABLE: (Phase.CONNECT, True),
    NO_REPLY: (Phase.NO_REPLY, True),
    BUSY: (Phase.BUSY, True),
    REFUSED: (Phase.REFUSED, False),
}
FAULTS = [
    Fault("down", UNREACHABLE),
    Fault("unknown-host", UNREACHABLE),
    Fault("no-ca-file", UNREACHABLE),
    Fault("ok", UNREACHABLE, server="wrong-name"),
    Fault("ok", UNREACHABLE, server="expired"),
    Fault("ok", UNREACHABLE, server="other-ca"),
    Fault("ok", UNREACHABLE, server="never-shakes-hands"),
    Fault("ok", UNREACHABLE, server="hangs-up"),
    Fault("hangs", NO_REPLY),
    Fault("drips-head", NO_REPLY),
    Fault("drips-body", NO_REPLY),
    Fault("says-go-on-for-ever", NO_REPLY),
    Fault("resets-mid-body", NO_REPLY),
    Fault("closes-mid-body", NO_REPLY),
    Fault("no-http", NO_REPLY),
    Fault("200-outcome", NO_REPLY, 200),
    Fault("200-searchset", NO_REPLY, 200),
    Fault("200-some-parts", NO_REPLY, 200),
    Fault("200-empty", NO_REPLY, 200),
    Fault("200-malformed", NO_REPLY, 200),
    Fault("200-list", NO_REPLY, 200),
    Fault("200-deep", NO_REPLY, 200),
    Fault("200-huge", NO_REPLY, 200),
    Fault("200-zipped-huge", NO_REPLY, 200),
    Fault("200-falsely-zipped", NO_REPLY),
    Fault("500", BUSY, 500),
    Fault("502-html", BUSY, 502),
    Fault("503", BUSY, 503),
    Fault("503-seconds", BUSY, 503, 120),
    Fault("503-date", BUSY, 503, 90),
    Fault("503-nonsense", BUSY, 503),
    Fault("503-a-year", BUSY, 503, 24 * 60 * 60),
    Fault("408", BUSY, 408),
    Fault("429", BUSY, 429, 7),
    Fault("301", REFUSED, 301),
    Fault("400", REFUSED, 400),
    Fault("401", REFUSED, 401),
    Fault("404", REFUSED, 404),
    Fault("422", REFUSED, 422),
    Fault("409-conflict", REFUSED, 409),
    Fault("200-part-refused", REFUSED, 200),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.conduct}-{fault.server}")
def test_each_fault_is_told_apart_in_time_and_without_patient_data(
    fault: Fault, receiver: Receiver, fhir_rest: FhirRest, caplog: pytest.LogCaptureFixture
) -> None:
    special = {
        "down": f"https://localhost:{free_port()}/ok",
        "unknown-host": "https://provider.invalid/ok",
    }
    address = special.get(fault.conduct) or receiver.address(fault.conduct, fault.server)
    ca_file = "forgotten.pem" if fault.conduct == "no-ca-file" else CA_FILE
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        fhir_rest.send(parcel(address, ca_file=ca_file), deadline=within())
    # Two seconds are allowed in all: one to connect, one for the answer.
    assert time.monotonic() - began < 3.5
    failure = caught.value
    assert type(failure) is fault.error
    assert (failure.phase, failure.may_retry) == PHASES[fault.error]
    assert failure.status == fault.status
    wish = failure.retry_after.total_seconds() if failure.retry_after else None
    assert wish == (fault.retry_after and pytest.approx(fault.retry_after, abs=5))
    said = caplog.text + "".join(traceback.format_exception(failure))
    assert not [word for word in (*CANARY.split(), "Avery", "back pain") if word in said]


def test_a_duplicate_is_taken_as_delivered(receiver: Receiver, fhir_rest: FhirRest) -> None:
    sent = parcel(receiver.address("409-duplicate"))
    assert fhir_rest.send(sent, deadline=within()).status == 409


def test_a_redirect_is_never_followed(receiver: Receiver, fhir_rest: FhirRest) -> None:
    with pytest.raises(DestinationRefusedError):
        fhir_rest.send(parcel(receiver.address("301")), deadline=within())
    time.sleep(0.2)
    assert receiver.events(server="elsewhere") == []


def test_nothing_is_sent_to_a_server_that_its_endpoint_does_not_trust(
    receiver: Receiver, fhir_rest: FhirRest
) -> None:
    for server in ("wrong-name", "expired", "other-ca"):
        with pytest.raises(DestinationUnreachableError):
            fhir_rest.send(parcel(receiver.address("ok", server)), deadline=within())
        assert receiver.events(server=server) == []


def test_nothing_leaves_without_tls(receiver: Receiver, fhir_rest: FhirRest) -> None:
    plain = receiver.address("ok", "hangs-up").replace("https:", "http:")
    before = len(receiver.events(server="hangs-up"))
    with pytest.raises(DestinationUnreachableError):
        fhir_rest.send(parcel(plain), deadline=within())
    time.sleep(0.2)
    assert len(receiver.events(server="hangs-up")) == before


def test_only_a_bad_certificate_is_called_one(receiver: Receiver, fhir_rest: FhirRest) -> None:
    servers = ("wrong-name", "expired", "other-ca", "never-shakes-hands", "hangs-up")
    said = {}
    for server in servers:
        with pytest.raises(DestinationUnreachableError) as caught:
            fhir_rest.send(parcel(receiver.address("ok", server)), deadline=within())
        said[server] = "certificate" in str(caught.value)
    assert said == dict.fromkeys(servers[:3], True) | dict.fromkeys(servers[3:], False)


def test_a_replaced_authority_is_trusted_at_once_and_the_old_one_no_longer(
    receiver: Receiver, tmp_path: Path
) -> None:
    ca_file = tmp_path / CA_FILE
    fhir_rest = FhirRest(line(tmp_path))

    def send() -> int:
        return fhir_rest.send(parcel(receiver.address("ok")), deadline=within()).status

    shutil.copyfile(receiver.folder / CA_FILE, ca_file)
    assert send() == 200
    shutil.copyfile(receiver.folder / OTHER_CA_FILE, ca_file)
    with pytest.raises(DestinationUnreachableError):
        send()
    shutil.copyfile(receiver.folder / CA_FILE, ca_file)
    assert send() == 200


def test_proxies_and_certificates_of_the_environment_are_ignored(
    receiver: Receiver, fhir_rest: FhirRest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, DEAD_PROXY)
    (tmp_path / "no-ca.pem").touch()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-ca.pem"))
    assert fhir_rest.send(parcel(receiver.address("ok")), deadline=within()).status == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(receiver.folder / OTHER_CA_FILE))
    with pytest.raises(DestinationUnreachableError):
        fhir_rest.send(parcel(receiver.address("ok", "other-ca")), deadline=within())


@pytest.mark.parametrize("conduct", ["hangs", "drips-head", "drips-body"])
def test_the_lease_ends_an_attempt_before_the_reply_timeout_does(
    conduct: str, receiver: Receiver
) -> None:
    patient = FhirRest(line(receiver.folder))
    began = time.monotonic()
    with pytest.raises(NoReplyError):
        patient.send(parcel(receiver.address(conduct)), deadline=within(0.5))
    assert time.monotonic() - began < 2


def test_the_connect_timeout_ends_a_handshake_before_the_reply_timeout_does(
    receiver: Receiver,
) -> None:
    hasty = FhirRest(line(receiver.folder, connect=timedelta(seconds=0.5)))
    began = time.monotonic()
    with pytest.raises(DestinationUnreachableError):
        hasty.send(parcel(receiver.address("ok", "never-shakes-hands")), deadline=within())
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("left", [timedelta(0), timedelta(seconds=-3)])
def test_nothing_is_sent_where_no_time_is_left(
    left: timedelta, receiver: Receiver, fhir_rest: FhirRest
) -> None:
    sent = parcel(receiver.address("ok"))
    with pytest.raises(LeaseEndedError):
        fhir_rest.send(sent, deadline=within(left.total_seconds()))
    assert receiver.events(key=sent.delivery.id) == []


def test_each_attempt_carries_the_same_key_and_correlation_id(
    receiver: Receiver, fhir_rest: FhirRest
) -> None:
    sent = parcel(receiver.address("busy-once"))
    with pytest.raises(DestinationBusyError):
        fhir_rest.send(sent, deadline=within())
    fhir_rest.send(sent, deadline=within())
    came: list[dict[str, Any]] = receiver.events(key=sent.delivery.id, event="began")
    assert [each["sha256"] for each in came] == [sent.body_sha256] * 2
    assert {each["correlation"] for each in came} == {sent.referral.correlation_id}


def test_a_line_that_the_server_closed_is_opened_anew(
    receiver: Receiver, fhir_rest: FhirRest
) -> None:
    with pytest.raises(NoReplyError):
        fhir_rest.send(parcel(receiver.address("closes-mid-body")), deadline=within())
    for _ in range(2):
        assert fhir_rest.send(parcel(receiver.address("ok")), deadline=within()).status == 200
