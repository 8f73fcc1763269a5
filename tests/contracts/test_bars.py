"""The BaRS destination against a receiver that refuses what real ones do."""

import base64
import json
import shutil
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.outbound.bars import Bars
from gateway.outbound.client_token import ClientTokens
from gateway.outbound.https_line import HttpsLine
from tests.builders.messages import bars_message
from tests.contracts.bars_parcels import endpoint, parcel_to, recall_of, secured
from tests.contracts.parcels import line, within
from tests.processes.bars_checks import decoded
from tests.processes.bars_receiver import (
    CLIENT_FILE,
    KEY_FILE,
    BarsReceiver,
    running_bars_receiver,
)
from tests.processes.certificates import CA_FILE
from tests.processes.conducts import CANARY


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BarsReceiver]:
    with running_bars_receiver(tmp_path_factory.mktemp("bars")) as running:
        yield running


@pytest.fixture
def bars(receiver: BarsReceiver) -> Bars:
    return made(line(receiver.folder))


def made(of: HttpsLine) -> Bars:
    return Bars(of, ClientTokens(of))


def test_a_real_receiver_finds_nothing_wrong_and_gets_the_exact_bytes(
    receiver: BarsReceiver, bars: Bars
) -> None:
    sent = parcel_to(endpoint(receiver.address("ok")))
    assert bars.send(sent, deadline=within()).status == 200
    assert [e["sha256"] for e in receiver.events(key=sent.delivery.id, event="kept")] == [
        sent.body_sha256
    ]


def test_a_long_letter_that_comes_back_in_the_answer_is_believed(
    receiver: BarsReceiver, bars: Bars
) -> None:
    tree = bars_message()
    letter = base64.b64encode(b"x" * 3_400_000).decode()
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": letter}}],
    }
    tree["entry"].append({"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": document})
    sent = parcel_to(endpoint(receiver.address("ok")), tree)
    assert bars.send(sent, deadline=within()).status == 200


def test_a_recall_stops_the_referral_that_it_names(receiver: BarsReceiver, bars: Bars) -> None:
    sent = parcel_to(endpoint(receiver.address("ok")))
    bars.send(sent, deadline=within())
    back = recall_of(sent)
    assert bars.send(back, deadline=within()).status == 200
    kept = receiver.events(key=back.delivery.id, event="kept")
    assert kept[0]["message"]["entry"][1]["resource"]["status"] == "revoked"


def test_a_recall_of_what_the_receiver_does_not_know_is_refused(
    receiver: BarsReceiver, bars: Bars
) -> None:
    with pytest.raises(DestinationRefusedError):
        bars.send(recall_of(parcel_to(endpoint(receiver.address("ok")))), deadline=within())


def test_every_attempt_is_the_same_request(receiver: BarsReceiver, bars: Bars) -> None:
    hasty = made(line(receiver.folder, reply=timedelta(seconds=0.3), connect=timedelta(seconds=1)))
    sent = parcel_to(endpoint(receiver.address("takes-and-hangs-once")))
    with pytest.raises(NoReplyError):
        hasty.send(sent, deadline=within())
    later = replace(sent, delivery=replace(sent.delivery, attempts=2, version=9))
    assert bars.send(later, deadline=within()).status == 409
    first, second = receiver.events(key=sent.delivery.id, event="began")
    assert first == second
    assert len(receiver.events(key=sent.delivery.id, event="kept")) == 1


def test_the_headers_say_who_asks_and_whom(receiver: BarsReceiver, bars: Bars) -> None:
    sent = parcel_to(endpoint(receiver.address("ok"), api_version="1.2.0"))
    bars.send(sent, deadline=within())
    headers = receiver.events(key=sent.delivery.id, event="began")[0]["headers"]
    assert headers["X-Correlation-Id"] == sent.referral.correlation_id
    assert headers["Accept"] == "application/fhir+json; version=1.2.0"
    assert headers["use-context"] == "oh-referral|referral|servicerequest-request|new"
    who = decoded(headers["NHSD-End-User-Organisation"])
    assert (who["identifier"][0]["value"], who["name"]) == ("G99001", "An organisation")
    assert "Authorization" not in headers
    assert "NHSD-Requesting-Practitioner" not in headers


def test_a_practitioner_with_a_number_is_named(receiver: BarsReceiver, bars: Bars) -> None:
    tree = bars_message()
    role = next(
        e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "PractitionerRole"
    )
    number = {"system": "http://fhir.nhs.uk/id/sds-role-profile-id", "value": "100334993514"}
    role["identifier"] = [{"value": "local"}, number]
    role["code"] = [{"coding": [{"system": "http://snomed.info/sct", "code": "62247001"}]}]
    sent = parcel_to(endpoint(receiver.address("ok")), tree)
    bars.send(sent, deadline=within())
    headers = receiver.events(key=sent.delivery.id, event="began")[0]["headers"]
    named = decoded(headers["NHSD-Requesting-Practitioner"])
    assert (named["resourceType"], named["identifier"]) == ("PractitionerRole", [number])
    assert named["code"] == role["code"]


@dataclass(frozen=True)
class Case:
    """What an answer means."""

    conduct: str
    error: type[DeliveryError] | None
    status: int | None = None
    retry_after: float | None = None
    may_have_arrived: bool = False


NO_REPLY, BUSY, REFUSED = NoReplyError, DestinationBusyError, DestinationRefusedError
CASES = [
    Case("200-reply-ok", None, 200),
    Case("409-duplicate", None, 409),
    Case("200-outcome", NO_REPLY, 200, may_have_arrived=True),
    Case("200-empty", NO_REPLY, 200, may_have_arrived=True),
    Case("200-malformed", NO_REPLY, 200, may_have_arrived=True),
    Case("200-another-bundle", NO_REPLY, 200, may_have_arrived=True),
    Case("200-without-ids", NO_REPLY, 200, may_have_arrived=True),
    Case("200-another-status", NO_REPLY, 200, may_have_arrived=True),
    Case("200-searchset", NO_REPLY, 200, may_have_arrived=True),
    Case("200-no-header", NO_REPLY, 200, may_have_arrived=True),
    Case("200-with-an-error", NO_REPLY, 200, may_have_arrived=True),
    Case("200-reply-fatal", NO_REPLY, 200, may_have_arrived=True),
    Case("200-reply-to-another", NO_REPLY, 200, may_have_arrived=True),
    Case("201", NO_REPLY, 201, may_have_arrived=True),
    Case("408", NO_REPLY, 408, 3, may_have_arrived=True),
    Case("425", NO_REPLY, 425, may_have_arrived=True),
    Case("429", BUSY, 429, 7),
    Case("500", BUSY, 500, may_have_arrived=True),
    Case("502-html", BUSY, 502, may_have_arrived=True),
    Case("503", BUSY, 503, 120, may_have_arrived=True),
    Case("504", BUSY, 504, may_have_arrived=True),
    Case("301", BUSY, 301),
    Case("404-html", BUSY, 404),
    Case("422-no-ids", BUSY, 422),
    Case("400", REFUSED, 400),
    Case("401", REFUSED, 401),
    Case("403-tls", REFUSED, 403),
    Case("403-token", REFUSED, 403),
    Case("404", REFUSED, 404),
    Case("406", REFUSED, 406),
    Case("409-conflict", REFUSED, 409),
    Case("422", REFUSED, 422),
    Case("501", REFUSED, 501, may_have_arrived=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.conduct)
def test_each_answer_means_what_the_standard_says(
    case: Case, receiver: BarsReceiver, bars: Bars, caplog: pytest.LogCaptureFixture
) -> None:
    sent = parcel_to(endpoint(receiver.address(case.conduct)))
    if case.error is None:
        assert bars.send(sent, deadline=within()).status == case.status
        return
    with pytest.raises(case.error) as caught:
        bars.send(sent, deadline=within())
    failure = caught.value
    wish = failure.retry_after.total_seconds() if failure.retry_after else None
    assert (failure.status, wish) == (case.status, case.retry_after)
    assert failure.may_have_arrived == case.may_have_arrived
    said = caplog.text + "".join(traceback.format_exception(failure))
    assert not [word for word in (*CANARY.split(), "Avery", "back pain") if word in said]


def test_a_receiver_that_hangs_ends_with_the_deadline(receiver: BarsReceiver, bars: Bars) -> None:
    began = time.monotonic()
    with pytest.raises(NoReplyError):
        bars.send(parcel_to(endpoint(receiver.address("hangs"))), deadline=within(0.4))
    assert time.monotonic() - began < 2


def test_one_token_serves_until_shortly_before_its_end(receiver: BarsReceiver, bars: Bars) -> None:
    before = len(receiver.events(event="token"))
    to = secured(receiver.address("secure/ok"), receiver.token_url())
    for _ in range(3):
        assert bars.send(parcel_to(to), deadline=within()).status == 200
    assert len(receiver.events(event="token")) - before == 1
    assert not any(each["has_bearer"] for each in receiver.events(event="token"))


def test_a_token_that_ended_is_fetched_again(receiver: BarsReceiver, bars: Bars) -> None:
    before = len(receiver.events(event="token", conduct="lasts-a-second"))
    to = secured(receiver.address("secure/ok"), receiver.token_url("lasts-a-second"))
    bars.send(parcel_to(to), deadline=within())
    time.sleep(0.6)  # of a token that lasts so shortly, half is used
    bars.send(parcel_to(to), deadline=within())
    assert len(receiver.events(event="token", conduct="lasts-a-second")) - before == 2


def test_many_at_once_fetch_one_token(receiver: BarsReceiver, bars: Bars) -> None:
    to = secured(receiver.address("secure/ok"), receiver.token_url("slow"))
    sent = [parcel_to(to) for _ in range(6)]
    threads = [
        threading.Thread(target=bars.send, args=(each,), kwargs={"deadline": within()})
        for each in sent
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receiver.events(event="token", conduct="slow")) == 1
    assert all(receiver.events(event="kept", key=each.delivery.id) for each in sent)


@pytest.mark.parametrize("conduct", ["secure/401", "secure/403-token"])
def test_a_refused_token_is_fetched_anew_once_and_then_it_waits(
    conduct: str, receiver: BarsReceiver, bars: Bars
) -> None:
    before = len(receiver.events(event="token"))
    sent = parcel_to(secured(receiver.address(conduct), receiver.token_url()))
    with pytest.raises(DestinationBusyError) as caught:
        bars.send(sent, deadline=within())
    assert caught.value.status in (401, 403)
    assert len(receiver.events(event="token")) - before == 2
    assert len(receiver.events(event="began", key=sent.delivery.id)) == 2


def test_a_token_that_was_withdrawn_is_replaced_at_once(receiver: BarsReceiver, bars: Bars) -> None:
    with pytest.raises(DestinationBusyError):
        bars.send(
            parcel_to(secured(receiver.address("secure/ok"), receiver.token_url("unknown-tokens"))),
            deadline=within(),
        )
    to = secured(receiver.address("secure/ok"), receiver.token_url())
    assert bars.send(parcel_to(to), deadline=within()).status == 200


@dataclass(frozen=True)
class TokenFault:
    """What goes wrong before the message leaves; nothing of it may seem to have arrived."""

    conduct: str
    error: type[DeliveryError] = DestinationUnreachableError
    retry_after: float | None = None


@pytest.mark.parametrize(
    "fault",
    [
        TokenFault("refuses"),
        TokenFault("empty"),
        TokenFault("mac"),
        TokenFault("breaks-out"),
        TokenFault("hangs"),
        TokenFault("down", DestinationBusyError),
        TokenFault("busy", DestinationBusyError, 11),
    ],
    ids=lambda fault: fault.conduct,
)
def test_without_a_token_nothing_of_the_message_leaves(
    fault: TokenFault, receiver: BarsReceiver
) -> None:
    hasty = made(line(receiver.folder, reply=timedelta(seconds=0.3), connect=timedelta(seconds=1)))
    sent = parcel_to(secured(receiver.address("secure/ok"), receiver.token_url(fault.conduct)))
    with pytest.raises(fault.error) as caught:
        hasty.send(sent, deadline=within())
    failure = caught.value
    assert (failure.may_have_arrived, failure.may_retry, failure.status) == (False, True, None)
    wish = failure.retry_after.total_seconds() if failure.retry_after else None
    assert wish == fault.retry_after
    assert "token endpoint" in str(failure)
    assert receiver.events(key=sent.delivery.id) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "somebody-else"},
        {"key_id": "another-key"},
        {"key_file": "good.key"},
        {"key_file": "missing.key"},
        {"key_file": CA_FILE},
        {"key_file": ""},
    ],
    ids=str,
)
def test_a_client_that_is_not_registered_so_gets_no_token(
    changed: dict[str, str], receiver: BarsReceiver, bars: Bars
) -> None:
    sent = parcel_to(secured(receiver.address("secure/ok"), receiver.token_url(), **changed))
    with pytest.raises(DestinationUnreachableError) as caught:
        bars.send(sent, deadline=within())
    assert "key_file" in str(caught.value)
    assert receiver.events(key=sent.delivery.id) == []


def test_a_replaced_key_is_read_at_the_next_token(receiver: BarsReceiver, tmp_path: Path) -> None:
    own = HttpsLine(
        certificates=receiver.folder,
        credentials=tmp_path,
        connect_timeout=timedelta(seconds=5),
        reply_timeout=timedelta(seconds=5),
    )
    bars = made(own)
    to = secured(receiver.address("secure/ok"), receiver.token_url())
    with pytest.raises(DestinationUnreachableError):
        bars.send(parcel_to(to), deadline=within())
    shutil.copyfile(receiver.folder / KEY_FILE, tmp_path / KEY_FILE)
    assert bars.send(parcel_to(to), deadline=within()).status == 200


def test_the_token_counts_against_the_same_deadline(receiver: BarsReceiver, bars: Bars) -> None:
    sent = parcel_to(secured(receiver.address("secure/ok"), receiver.token_url("hangs")))
    began = time.monotonic()
    with pytest.raises(DeliveryError) as caught:
        bars.send(sent, deadline=within(0.4))
    assert time.monotonic() - began < 2
    assert not caught.value.may_have_arrived
    assert receiver.events(key=sent.delivery.id) == []


def test_waiting_for_another_threads_token_ends_with_the_deadline(
    receiver: BarsReceiver, bars: Bars
) -> None:
    to = secured(receiver.address("secure/ok"), receiver.token_url("hangs"))

    def patient() -> None:
        with pytest.raises(DeliveryError):
            bars.send(parcel_to(to), deadline=within(2))

    thread = threading.Thread(target=patient)
    before = len(receiver.events(event="token"))
    thread.start()
    while len(receiver.events(event="token")) == before:
        time.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(LeaseEndedError):
        bars.send(parcel_to(to), deadline=within(0.3))
    assert time.monotonic() - began < 1
    thread.join()


def test_nothing_is_sent_where_no_time_is_left(receiver: BarsReceiver, bars: Bars) -> None:
    for to in (
        endpoint(receiver.address("ok")),
        secured(receiver.address("secure/ok"), receiver.token_url()),
    ):
        sent = parcel_to(to)
        with pytest.raises(LeaseEndedError):
            bars.send(sent, deadline=within(-1))
        assert receiver.events(key=sent.delivery.id) == []


def test_a_wrong_clock_gets_no_token(receiver: BarsReceiver) -> None:
    own = line(receiver.folder)
    slow = ClientTokens(own, clock=lambda: datetime.now(UTC) - timedelta(minutes=10))
    to = secured(receiver.address("secure/ok"), receiver.token_url())
    with pytest.raises(DestinationUnreachableError):
        slow.token_for(to, deadline=within())
    assert receiver.events(event="token-refused")[-1]["fault"] in ("exp", "signature")


def test_a_receiver_may_ask_who_we_are(receiver: BarsReceiver, bars: Bars) -> None:
    address = receiver.address("ok", "mutual")
    with pytest.raises((NoReplyError, DestinationUnreachableError)):
        bars.send(parcel_to(endpoint(address)), deadline=within())
    sent = parcel_to(endpoint(address, client_certificate=CLIENT_FILE))
    assert bars.send(sent, deadline=within()).status == 200


@pytest.mark.parametrize("name", ["missing.pem", CA_FILE, "encrypted.pem"])
def test_a_client_certificate_that_cannot_be_read_is_named(
    name: str, receiver: BarsReceiver, bars: Bars
) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((receiver.folder / "good.key").read_bytes(), None)
    shut = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    chain = (receiver.folder / "good.pem").read_bytes()
    (receiver.folder / "encrypted.pem").write_bytes(chain + shut)
    sent = parcel_to(endpoint(receiver.address("ok", "mutual"), client_certificate=name))
    with pytest.raises(DestinationUnreachableError) as caught:
        bars.send(sent, deadline=within())
    assert "client certificate" in str(caught.value)


def test_what_leaves_in_a_recall_tells_nothing_of_the_person() -> None:
    sent = parcel_to(endpoint("https://oh.example/fhir"))
    body = recall_of(sent).body.decode()
    assert not [word for word in ("9990000018", "Avery", "Testperson", "1980") if word in body]
    patient = next(
        e["resource"]
        for e in json.loads(body)["entry"]
        if e["resource"]["resourceType"] == "Patient"
    )
    assert patient.keys() == {"resourceType", "identifier", "meta"}
