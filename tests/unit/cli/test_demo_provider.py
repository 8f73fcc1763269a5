import copy
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.serving import BaseWSGIServer
from werkzeug.test import TestResponse

from gateway.cli.certs import make_development_certificates
from gateway.cli.demo.behaviour import Behaviour, Conduct, Mode
from gateway.cli.demo.memory import Memory
from gateway.cli.demo.neighbour import Character, build_neighbour
from gateway.cli.demo.provider import make_provider
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.validate import validate
from gateway.referral.identifiers import REFERENCE_SYSTEM, USE_CASE_SYSTEM
from gateway.referral.json import JsonObject, objects

FHIR = {"Content-Type": "application/fhir+json"}
ANYBODY = Character(ods="8Z99A", name="Example Occupational Health")
PATIENT = "urn:uuid:7b8e4a52-0f0c-4b64-9c4e-6a9d0d1c2b3a"
SOUGHT = f"identifier={REFERENCE_SYSTEM}|RG-0000-0001"


def transaction(reference: str = "RG-0000-0001", use_case: str = "oh-referral") -> JsonObject:
    own: JsonObject = {"system": REFERENCE_SYSTEM, "value": reference}
    coding: JsonObject = {"system": USE_CASE_SYSTEM, "code": use_case}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "urn:uuid:0f0f4a52-0f0c-4b64-9c4e-6a9d0d1c2b3a",
                "resource": {
                    "resourceType": "ServiceRequest",
                    "identifier": [own],
                    "status": "active",
                    "intent": "order",
                    "category": [{"coding": [coding]}],
                    "subject": {"reference": PATIENT},
                },
                "request": {
                    "method": "POST",
                    "url": "ServiceRequest",
                    "ifNoneExist": f"identifier={REFERENCE_SYSTEM}|{reference}",
                },
            },
            {
                "fullUrl": PATIENT,
                "resource": {"resourceType": "Patient", "active": True},
                "request": {"method": "POST", "url": "Patient"},
            },
        ],
    }


def post(client: FlaskClient, bundle: JsonObject, key: str | None = "k1") -> TestResponse:
    headers = FHIR | ({"Idempotency-Key": key} if key else {})
    return client.post("/fhir", data=write_json(bundle), headers=headers)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    remembered = Memory(tmp_path / "provider.sqlite3")
    yield remembered
    remembered.close()


@pytest.fixture
def client(memory: Memory) -> FlaskClient:
    return build_neighbour(ANYBODY, memory, Conduct(Behaviour())).test_client()


def test_a_transaction_is_answered_with_where_each_entry_went(client: FlaskClient) -> None:
    answer = post(client, transaction())
    assert answer.status_code == 200
    tree = read_json(answer.data)
    assert validate(tree) == []
    assert tree["type"] == "transaction-response"
    statuses = [entry["response"]["status"] for entry in answer.get_json(force=True)["entry"]]
    assert statuses == ["201 Created", "201 Created"]


def test_references_point_to_where_the_resources_are_kept(client: FlaskClient) -> None:
    post(client, transaction())
    found = client.get(f"/fhir/ServiceRequest?{SOUGHT}").get_json(force=True)
    assert found["total"] == 1
    subject = found["entry"][0]["resource"]["subject"]["reference"]
    assert client.get(f"/fhir/{subject}").get_json(force=True)["active"] is True


def test_the_same_key_gets_the_first_answer_and_creates_nothing(client: FlaskClient) -> None:
    first, again = post(client, transaction()), post(client, transaction())
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    counts = client.get("/_received").get_json()
    assert counts["transactions"] == counts["idempotency_keys"] == counts["referrals"] == 1
    assert counts["service_requests"] == 1
    assert counts["attempts"] == 2


def test_the_same_key_with_another_body_is_refused(client: FlaskClient) -> None:
    post(client, transaction())
    assert post(client, transaction("RG-0000-0002")).status_code == 422
    assert client.get("/_received").get_json()["referrals"] == 1


def test_a_new_key_does_not_create_again_what_if_none_exist_finds(client: FlaskClient) -> None:
    first, again = post(client, transaction(), "k1"), post(client, transaction(), "k2")
    created, found = (
        answer.get_json(force=True)["entry"][0]["response"] for answer in (first, again)
    )
    assert found["status"] == "200 OK"
    assert found["location"] == created["location"]
    counts = client.get("/_received").get_json()
    assert (counts["transactions"], counts["service_requests"]) == (2, 1)


def test_a_transaction_is_taken_whole_or_not_at_all(client: FlaskClient) -> None:
    bundle = transaction()
    objects(bundle, "entry")[1]["request"] = {"method": "DELETE", "url": "Patient/1"}
    assert post(client, bundle).status_code == 400
    counts = client.get("/_received").get_json()
    assert (counts["transactions"], counts["service_requests"]) == (0, 0)
    assert post(client, transaction()).status_code == 200


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/fhir+json", 400),
        (b'{"resourceType":"Bundle","type":"batch"}', "application/fhir+json", 400),
        (b"{}", "text/plain", 415),
    ],
)
def test_what_is_not_a_transaction_is_refused_with_an_operation_outcome(
    client: FlaskClient, body: bytes, media_type: str, status: int
) -> None:
    answer = client.post("/fhir", data=body, content_type=media_type)
    assert answer.status_code == status
    assert validate(read_json(answer.data)) == []


def test_a_condition_that_is_not_understood_is_refused(client: FlaskClient) -> None:
    bundle = transaction()
    request = objects(bundle, "entry")[0]["request"]
    assert isinstance(request, dict)
    request["ifNoneExist"] = "status=active"
    assert post(client, bundle).status_code == 400


def test_a_service_refuses_what_is_not_its_own(memory: Memory) -> None:
    choosy = Character(
        ods="8Z99B", name="Work and health", takes=frozenset({(USE_CASE_SYSTEM, "work-health")})
    )
    client = build_neighbour(choosy, memory, Conduct(Behaviour())).test_client()
    assert post(client, transaction(use_case="oh-referral"), "k1").status_code == 422
    assert post(client, transaction(use_case="work-health"), "k2").status_code == 200


def test_it_behaves_badly_as_often_as_told_and_then_well(client: FlaskClient) -> None:
    told = {"mode": "503", "times": 2, "retry_after": 7}
    assert client.post("/_behave", json=told).get_json() == told
    first = post(client, transaction())
    assert (first.status_code, first.headers["Retry-After"]) == (503, "7")
    assert [post(client, transaction()).status_code for _ in range(2)] == [503, 200]
    assert client.get("/_behave").get_json()["mode"] == "ok"
    counts = client.get("/_received").get_json()
    assert (counts["attempts"], counts["transactions"]) == (3, 1)


@pytest.mark.parametrize(
    ("mode", "status"), [("500", 500), ("503", 503), ("429", 429), ("422", 422), ("redirect", 307)]
)
def test_a_mode_that_takes_nothing_keeps_nothing(
    client: FlaskClient, mode: str, status: int
) -> None:
    client.post("/_behave", json={"mode": mode})
    assert post(client, transaction()).status_code == status
    assert client.get("/_received").get_json()["transactions"] == 0


@pytest.mark.parametrize(
    "wish", [{}, {"mode": "kind"}, {"mode": "ok", "times": 0}, {"mode": "ok", "times": "1"}]
)
def test_a_wish_that_is_not_understood_changes_nothing(
    client: FlaskClient, wish: dict[str, object]
) -> None:
    assert client.post("/_behave", json=wish).status_code == 400
    assert client.get("/_behave").get_json()["mode"] == "ok"


def test_what_was_answered_is_remembered_by_whoever_opens_the_file_next(tmp_path: Path) -> None:
    path = tmp_path / "provider.sqlite3"
    before = Memory(path)
    body = write_json(transaction())
    first = before.take("k1", body, transaction())
    # The first memory is not closed: a killed process closes nothing either.
    after = Memory(path)
    assert after.counts()["referrals"] == 1
    again = after.take("k1", body, transaction())
    assert again.repeated
    assert again.answer == first.answer
    before.close()
    after.close()


def test_a_key_that_comes_twice_at_once_is_taken_once(memory: Memory) -> None:
    body = write_json(transaction())
    answers = []

    def take() -> None:
        answers.append(memory.take("k1", body, copy.deepcopy(transaction())))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(each.repeated for each in answers) == [False] + [True] * 7
    assert len({each.answer for each in answers}) == 1


class Running:
    """A provider on real TLS, and a client that trusts it."""

    def __init__(self, folder: Path) -> None:
        ca, _, cert, key = make_development_certificates(folder)
        self.conduct = Conduct(Behaviour())
        self.server: BaseWSGIServer = make_provider(
            ANYBODY,
            self.conduct,
            database=folder / "provider.sqlite3",
            port=0,
            cert=cert,
            key=key,
        )
        self.url = f"https://127.0.0.1:{self.server.port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(ca)

    def post(self, key: str, timeout: float = 10) -> requests.Response:
        return self.session.post(
            f"{self.url}/fhir",
            data=write_json(transaction()),
            headers=FHIR | {"Idempotency-Key": key},
            timeout=timeout,
            allow_redirects=False,
        )

    def counts(self) -> dict[str, int]:
        counted: dict[str, int] = self.session.get(f"{self.url}/_received", timeout=10).json()
        return counted


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    provider = Running(tmp_path)
    thread = threading.Thread(target=provider.server.serve_forever)
    thread.start()
    yield provider
    provider.session.close()
    provider.server.shutdown()
    thread.join(10)
    provider.server.server_close()


def test_an_answer_that_is_dropped_after_the_commit_is_given_to_the_repeat(
    running: Running,
) -> None:
    running.conduct.become(Behaviour(mode=Mode.DROP_AFTER_COMMIT, times=1))
    with pytest.raises(requests.ConnectionError):
        running.post("k1")
    assert running.counts()["referrals"] == 1
    again = running.post("k1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert running.counts()["service_requests"] == 1


def test_an_answer_that_is_not_json_was_taken_all_the_same(running: Running) -> None:
    running.conduct.become(Behaviour(mode=Mode.NOT_JSON, times=1))
    assert running.post("k1").headers["Content-Type"].startswith("text/html")
    assert running.counts()["referrals"] == 1


def test_a_hanging_provider_says_nothing_and_still_answers_others(running: Running) -> None:
    running.conduct.become(Behaviour(mode=Mode.HANG, times=1))
    with pytest.raises(requests.ReadTimeout):
        running.post("k1", timeout=0.3)
    assert running.counts()["transactions"] == 0
    assert running.post("k1").status_code == 200


def test_a_dripping_answer_comes_byte_by_byte(running: Running) -> None:
    running.conduct.become(Behaviour(mode=Mode.SLOW_DRIP, times=1))
    began = time.monotonic()
    with pytest.raises(requests.RequestException):
        _ = running.session.post(
            f"{running.url}/fhir",
            data=write_json(transaction()),
            headers=FHIR,
            timeout=(5, 0.05),
        ).content
    assert time.monotonic() - began < 5
    assert running.counts()["referrals"] == 1


def test_a_caller_that_stalls_in_its_handshake_keeps_nobody_waiting(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.server.port), timeout=5):
        assert running.post("k1", timeout=5).status_code == 200
