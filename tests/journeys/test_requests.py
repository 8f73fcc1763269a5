"""Each request is taken up once: duplicates, repeats too early, the same failure, no time."""

import json
import uuid
from typing import Any

import flask
import pytest

from gateway.errors import StoreUnavailableError
from gateway.inbound import media
from gateway.inbound import request as front
from gateway.journey.take_up import CLAIM
from gateway.store.engine import Store
from tests.builders.evidence import counts, entries, execute, issues, nhs_codes
from tests.builders.house import House
from tests.builders.messages import (
    bars_headers,
    bars_message,
    consent,
    patient,
    service_request,
)


def posted(house: House, body: bytes, headers: dict[str, str]) -> Any:
    return house.post("/$process-message", body, **headers)


@pytest.fixture
def sent() -> tuple[bytes, dict[str, str]]:
    return json.dumps(bars_message()).encode(), bars_headers()


def test_a_message_that_was_processed_is_a_duplicate(
    house: House, sent: tuple[bytes, dict[str, str]]
) -> None:
    assert posted(house, *sent).status_code == 200
    again = posted(house, *sent)
    assert (again.status_code, nhs_codes(again)) == (409, {"REC_CONFLICT"})
    assert issues(again) == [("duplicate", None)]
    assert counts(house)["referral"] == 1


def test_a_duplicate_is_told_before_the_version_is_looked_at(
    house: House, sent: tuple[bytes, dict[str, str]]
) -> None:
    body, headers = sent
    posted(house, body, headers)
    again = posted(house, body, headers | {"Accept": "application/fhir+json; version=9.0.0"})
    assert again.status_code == 409


def test_a_message_that_is_being_processed_is_too_early_until_its_claim_ends(
    house: House, sent: tuple[bytes, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "body_tree", _die)
    monkeypatch.setattr(front, "give_back", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        posted(house, *sent)
    monkeypatch.undo()
    early = posted(house, *sent)
    assert (early.status_code, nhs_codes(early)) == (425, {"REC_TOO_EARLY"})
    assert issues(early) == [("duplicate", None)]
    house.clock.move(seconds=CLAIM.total_seconds() + 1)
    assert posted(house, *sent).status_code == 200
    assert counts(house)["referral"] == 1


def _die(_body: bytes) -> Any:
    raise KeyboardInterrupt  # as a process that is killed


def test_a_message_that_failed_fails_again_in_the_same_words(house: House) -> None:
    message = bars_message()
    message["entry"][1]["resource"]["status"] = "draft"
    body, headers = json.dumps(message).encode(), bars_headers()
    first, again = posted(house, body, headers), posted(house, body, headers)
    assert (first.status_code, again.status_code) == (400, 400)
    assert again.get_json() == first.get_json()
    assert len(entries(house, "referral.rejected")) == 1


def test_a_message_that_failed_may_be_mended_under_its_id(house: House) -> None:
    message, headers = bars_message(), bars_headers()
    status = message["entry"][1]["resource"].pop("status")
    assert posted(house, json.dumps(message).encode(), headers).status_code == 400
    message["entry"][1]["resource"]["status"] = status
    assert posted(house, json.dumps(message).encode(), headers).status_code == 200


def test_a_refusal_by_the_rules_is_told_again_and_decided_once(house: House) -> None:
    message = bars_message(consents=[consent() | {"status": "rejected"}])
    body, headers = json.dumps(message).encode(), bars_headers()
    first, again = posted(house, body, headers), posted(house, body, headers)
    assert first.status_code == again.status_code
    assert again.get_json()["issue"] == first.get_json()["issue"]
    assert len(entries(house, "decision.made")) == 1


def test_ids_of_one_sender_do_not_block_another(
    house: House, sent: tuple[bytes, dict[str, str]]
) -> None:
    posted(house, *sent)
    body, headers = sent
    answer = house.post("/$process-message", body, client="gp-two", **headers)
    assert answer.status_code == 401  # judged by itself: the message is another practice's


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id"])
@pytest.mark.parametrize(("value", "code"), [(None, "required"), ("17", "value")])
def test_both_ids_are_asked_for(house: House, name: str, value: str | None, code: str) -> None:
    headers = bars_headers()
    headers.pop(name)
    headers |= {name: value} if value else {}
    answer = house.post("/$process-message", bars_message(), **headers)
    assert (answer.status_code, issues(answer)) == (400, [(code, None)])


@pytest.mark.parametrize("context", ["", "nonsense", "a1t1|booking|booking-request|delete"])
def test_the_use_context_is_not_looked_at(house: House, context: str) -> None:
    headers = bars_headers() | {"use-context": context}
    assert house.post("/$process-message", bars_message(), **headers).status_code == 200


def test_an_update_of_a_validation_is_not_offered(house: House) -> None:
    message = bars_message()
    message["entry"][0]["resource"]["reason"]["coding"][0]["code"] = "update"
    request = message["entry"][1]["resource"]
    request["category"][0]["coding"][0]["code"] = "validation"
    answer = house.post("/$process-message", message, **bars_headers())
    assert (answer.status_code, issues(answer)) == (
        422,
        [("not-supported", "Bundle.entry[1].resource.category")],
    )


def test_a_patient_without_a_number_is_accepted(house: House) -> None:
    person = patient(number=None)
    answer = house.post("/ServiceRequest", service_request(person=person))
    assert answer.status_code in (201, 202)
    assert counts(house)["referral"] == 1


def test_who_asks_is_checked_before_the_ids(house: House) -> None:
    other = "eyJyZXNvdXJjZVR5cGUiOiJPcmdhbml6YXRpb24ifQ=="  # an Organization without a code
    headers = bars_headers() | {"NHSD-End-User-Organisation": other, "X-Request-Id": "17"}
    answer = house.post("/$process-message", bars_message(), **headers)
    assert (answer.status_code, nhs_codes(answer)) == (401, {"REC_UNAUTHORIZED"})
    assert entries(house, "referral.rejected")[0]["codes"][0] == "REC_UNAUTHORIZED"


# Time.


@pytest.mark.parametrize("path", ["/ServiceRequest", "/$process-message"])
def test_a_request_whose_time_has_ended_writes_nothing_and_may_be_sent_again(
    house: House, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = service_request() if path == "/ServiceRequest" else bars_message()
    body, headers = json.dumps(tree).encode(), bars_headers()
    before = counts(house)
    real = media.body_tree
    monkeypatch.setattr(front, "body_tree", lambda given: _late(real(given), monkeypatch))
    late = house.post(path, body, **headers)
    assert (late.status_code, nhs_codes(late)) == (408, {"REC_TIMEOUT"})
    assert issues(late) == [("timeout", None)]
    assert counts(house) == before
    monkeypatch.undo()
    assert house.post(path, body, **headers).status_code in (200, 201)


def _late(tree: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if reading had taken longer than an answer may."""
    started = flask.g.started
    monkeypatch.setattr("gateway.store.engine.time.monotonic", lambda: started + 3600)
    return tree


def test_a_database_that_is_away_costs_one_503(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = json.dumps(service_request()).encode(), {"X-Request-Id": str(uuid.uuid4())}

    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("gone")  # short

    monkeypatch.setattr("gateway.store.requests.find", away)
    answer = house.post("/ServiceRequest", body, **headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    monkeypatch.undo()
    assert house.post("/ServiceRequest", body, **headers).status_code == 201


# Conditional creation.


def test_what_is_there_is_not_created_again(house: House) -> None:
    tree = service_request()
    name = tree["identifier"][0]
    condition = {"If_None_Exist": f"identifier={name['system']}|{name['value']}"}
    first, second = (house.post("/ServiceRequest", tree, **condition) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["Location"] == second.headers["Location"]
    assert second.get_json() == first.get_json()
    assert counts(house)["referral"] == 1


def test_a_condition_that_many_meet_is_refused(house: House) -> None:
    tree = service_request()
    name = tree["identifier"][0]
    for _ in range(2):
        house.post("/ServiceRequest", tree)
    condition = {"If_None_Exist": f"identifier={name['system']}|{name['value']}"}
    answer = house.post("/ServiceRequest", tree, **condition)
    assert (answer.status_code, issues(answer)) == (412, [("conflict", None)])
    assert counts(house)["referral"] == 2


def test_a_condition_on_another_search_is_refused(house: House) -> None:
    answer = house.post("/ServiceRequest", service_request(), If_None_Exist="status=active")
    assert (answer.status_code, issues(answer)[0][0]) == (400, "not-supported")
    assert counts(house)["referral"] == 0


def test_what_another_practice_has_is_not_there(house: House) -> None:
    tree = service_request()
    name = tree["identifier"][0]
    house.post("/ServiceRequest", tree)
    execute(house, "UPDATE referral SET practice = 'G99999'")
    condition = {"If_None_Exist": f"identifier={name['system']}|{name['value']}"}
    assert house.post("/ServiceRequest", tree, **condition).status_code == 201


# What the sender prefers to be told.


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ("representation", "ServiceRequest"),
        ("OperationOutcome", "OperationOutcome"),
        ("minimal", None),
    ],
)
def test_the_answer_is_the_one_preferred(house: House, wish: str, kind: str | None) -> None:
    answer = house.post("/ServiceRequest", service_request(), Prefer=f"return={wish}")
    assert answer.status_code == 201
    assert answer.headers["Location"]
    assert (answer.get_json()["resourceType"] if kind else answer.data or None) == kind


def test_what_was_tolerated_is_told(house: House) -> None:
    tree = service_request()
    tree["contained"][0]["identifier"][0]["system"] = "http://fhir.nhs.uk/Id/nhs-number"
    answer = house.post("/ServiceRequest", tree, Prefer="return=OperationOutcome")
    assert answer.status_code == 201
    (issue,) = answer.get_json()["issue"]
    assert issue["severity"] == "warning"
    assert issue["expression"] == ["ServiceRequest.contained[0].identifier[0].system"]
    message = bars_message()
    person = next(
        e["resource"] for e in message["entry"] if e["resource"]["resourceType"] == "Patient"
    )
    person["identifier"][0]["system"] = "http://fhir.nhs.uk/Id/nhs-number"
    told = house.post("/$process-message", message, **bars_headers()).get_json()
    (outcome,) = [
        e["resource"] for e in told["entry"] if e["resource"]["resourceType"] == "OperationOutcome"
    ]
    assert [each["severity"] for each in outcome["issue"]] == ["warning"]


def test_systems_that_are_only_spelt_otherwise_are_the_same_systems(house: House) -> None:
    text = json.dumps(bars_message())
    for spelt, wrong in (
        ("https://fhir.nhs.uk/CodeSystem/message-", "http://fhir.nhs.uk/Codesystem/message-"),
        ("https://fhir.nhs.uk/Id/", "http://fhir.nhs.uk/id/"),
    ):
        assert spelt in text
        text = text.replace(spelt, wrong)
    answer = house.post("/$process-message", text.encode(), **bars_headers())
    assert answer.status_code == 200, answer.get_json()
    assert counts(house)["delivery"] == 1


# Dry runs.


def test_a_dry_run_says_what_the_door_would_say_and_stores_nothing(house: House) -> None:
    before = counts(house)
    good = house.post("/ServiceRequest/$validate", service_request())
    assert (good.status_code, issues(good)) == (200, [("informational", None)])
    bad = service_request() | {"status": "draft", "intent": "proposal"}
    found = house.post("/ServiceRequest/$validate", bad)
    door = house.post("/ServiceRequest", bad)
    assert found.status_code == 200
    assert issues(found) == issues(door)
    assert issues(found)
    message = bars_message()
    message["entry"][4]["resource"]["status"] = "draft"
    found = house.post("/ServiceRequest/$validate", message)
    assert issues(found) == issues(house.post("/$process-message", message, **bars_headers()))
    assert counts(house) == before


def test_a_dry_run_takes_the_operations_parameters_too(house: House) -> None:
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": service_request()}],
    }
    answer = house.post("/ServiceRequest/$validate", parameters)
    assert issues(answer) == [("informational", None)]
    for wrong in ({"resourceType": "Parameters"}, {"resourceType": "Patient"}):
        assert house.post("/ServiceRequest/$validate", wrong).status_code == 400


# Finding a person's referrals.


def test_a_person_is_found_by_name_birth_and_postcode_together(house: House) -> None:
    tree = service_request()
    tree["contained"][0]["address"] = [{"postalCode": "LS1 4AP"}]
    house.post("/ServiceRequest", tree)
    house.post("/ServiceRequest", service_request())
    wanted = {
        "patient:name": "testperson",
        "patient:birthdate": "1980-02-29",
        "patient:address-postalcode": "ls14ap",
    }

    def found(**changed: str) -> int:
        query = wanted | {name.replace("_", ":"): value for name, value in changed.items()}
        return int(house.get("/ServiceRequest", **query).get_json()["total"])

    assert found() == 1
    assert found(patient_name="Avery Testperson") == 1
    assert found(patient_name="Somebody") == 0
    assert found(patient_birthdate="1980-02-28") == 0
    for name in wanted:
        rest = {key: value for key, value in wanted.items() if key != name}
        answer = house.get("/ServiceRequest", **rest)
        assert (answer.status_code, issues(answer)) == (400, [("required", None)])


def test_a_link_names_the_person_by_no_more_than_a_keyed_hash(house: House) -> None:
    tree = service_request()
    tree["contained"][0]["address"] = [{"postalCode": "LS1 4AP"}]
    for _ in range(3):
        house.post("/ServiceRequest", tree)
    wanted = {
        "patient:name": "testperson",
        "patient:birthdate": "1980-02-29",
        "patient:address-postalcode": "LS1 4AP",
        "_count": "2",
    }
    page = house.get("/ServiceRequest", **wanted).get_json()
    links = {link["relation"]: link["url"] for link in page["link"]}
    assert not [
        v for v in ("testperson", "1980-02-29", "LS1") for url in links.values() if v in url
    ]
    path = links["next"].removeprefix("http://gateway.example")
    rest = house.web.get(path, headers=house.bearer()).get_json()
    assert [len(page["entry"]), len(rest["entry"])] == [2, 1]


def test_a_reader_who_has_the_version_is_told_so(house: House) -> None:
    own = house.post("/ServiceRequest", service_request()).get_json()["id"]
    headers = house.bearer() | {"If-None-Match": 'W/"1"'}
    answer = house.web.get(f"/FHIR/R4/ServiceRequest/{own}", headers=headers)
    assert (answer.status_code, answer.data) == (304, b"")


def test_no_statement_begins_once_the_time_is_up(house: House) -> None:
    store: Store = house.gateway.store
    with (
        pytest.raises(Exception, match="the time in which an answer is due"),
        store.transaction(house.gateway.clock(), answer_by=0.0),
    ):
        pass
