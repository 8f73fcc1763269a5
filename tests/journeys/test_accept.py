"""A referral through the plain FHIR door: taken, held or refused, once, and kept as it came."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.journey.reconcile import reconcile
from tests.builders.evidence import (
    counts,
    entries,
    id_in,
    issues,
    kinds,
    nhs_codes,
    sealed_body,
    the_delivery,
    the_referral,
)
from tests.builders.house import House
from tests.builders.messages import (
    OTHER_PRACTICE,
    PROVIDER,
    consent,
    implied_consent,
    letter_transaction,
    patient,
    service_request,
)

NOTHING = dict.fromkeys(("referral", "referral_identifier", "decision", "delivery", "person"), 0)
ACCEPTED = ["referral.received", "decision.made", "delivery.queued"]


def collection(tree: dict[str, Any]) -> dict[str, Any]:
    """The same referral as a collection, each resource in an entry of its own."""
    bundle = json.loads(json.dumps(tree))
    bundle["type"] = "collection"
    for entry in bundle["entry"]:
        del entry["request"]
    return dict(bundle)


def test_an_accepted_referral_is_created_at_a_location_under_our_reference(house: House) -> None:
    answer = house.post("/ServiceRequest", service_request())
    own = the_referral(house)
    base = "http://gateway.example/FHIR/R4"
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{base}/ServiceRequest/{own.id}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.get_json()["identifier"][-1]["value"] == own.reference


def test_an_accepted_referral_is_queued_with_its_decision_in_one_transaction(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    assert kinds(house) == ACCEPTED
    assert the_delivery(house).next_at == house.clock.now
    assert counts(house) == dict.fromkeys(NOTHING, 1) | {"referral_identifier": 4}


def test_both_ids_come_back_as_they_were_spelt(house: House) -> None:
    sent = {"X-Request-Id": str(uuid.uuid4()).upper(), "X-Correlation-Id": str(uuid.uuid4())}
    answer = house.post("/ServiceRequest", service_request(), **sent)
    assert {name: answer.headers[name] for name in sent} == sent
    assert the_referral(house).correlation_id == sent["X-Correlation-Id"]


def test_a_sender_that_names_no_ids_is_given_some(house: House) -> None:
    answer = house.post("/ServiceRequest", service_request())
    own = the_referral(house)
    assert answer.headers["X-Request-Id"] == own.request_id
    assert answer.headers["X-Correlation-Id"] == own.correlation_id


def test_the_bytes_are_kept_exactly_as_they_came(house: House) -> None:
    body = json.dumps(service_request(), indent=3).encode() + b"\n \n"
    answer = house.post("/ServiceRequest", body)
    assert sealed_body(house, id_in(answer.headers["Location"])) == body


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("", 200), ("/ServiceRequest", 201)])
def test_a_letter_is_as_welcome_as_a_form(house: House, path: str, status: int) -> None:
    answer = house.post(path, letter_transaction())
    assert answer.status_code == status
    assert kinds(house) == ACCEPTED


def test_a_transaction_is_answered_entry_for_entry(house: House) -> None:
    sent = letter_transaction()
    answer = house.post("/", sent)
    body, own = answer.get_json(), the_referral(house)
    assert body["type"] == "transaction-response"
    assert len(body["entry"]) == len(sent["entry"])
    assert body["entry"][0]["response"]["location"] == f"ServiceRequest/{own.id}/_history/1"
    assert {e["response"]["status"] for e in body["entry"][1:]} == {"202 Accepted"}


def test_a_collection_brings_a_referral(house: House) -> None:
    answer = house.post("/ServiceRequest", collection(letter_transaction()))
    assert answer.status_code == 201


def test_a_held_referral_is_accepted_and_owned_with_its_reason(house: House) -> None:
    answer = house.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
    task, own = answer.get_json(), the_referral(house)
    assert answer.status_code == 202
    assert (task["resourceType"], task["status"], task["id"]) == ("Task", "on-hold", own.id)
    assert task["statusReason"]["coding"][0]["code"] == "CONSENT_NOT_YET_GIVEN"
    assert task["restriction"]["period"]["end"].startswith("2026-11-24")
    assert kinds(house) == ["referral.received", "decision.made", "hold.opened"]


def test_a_held_transaction_says_so_and_brings_the_task(house: House) -> None:
    sent = letter_transaction()
    sent["entry"][3]["resource"]["status"] = "proposed"
    body = house.post("/", sent).get_json()
    assert body["entry"][0]["response"]["status"] == "202 Accepted"
    assert body["entry"][-1]["resource"]["status"] == "on-hold"


@pytest.mark.parametrize(
    ("tree", "spine_code", "reason"),
    [
        (service_request(consents=[]), "NO_PATIENT_CONSENT", "NO_PATIENT_CONSENT"),
        (
            service_request(consents=[implied_consent()]),
            "NO_PATIENT_CONSENT",
            "NO_PATIENT_CONSENT",
        ),
        (
            service_request(person=patient(practice=OTHER_PRACTICE)),
            "ACCESS_DENIED",
            "NOT_CONTROLLER",
        ),
        (service_request(service="9000000042"), "ACCESS_DENIED", "UNKNOWN_RECIPIENT"),
    ],
    ids=["no-consent", "implied-only", "another-practices-patient", "unknown-service"],
)
def test_a_refusal_carries_the_spine_code_and_is_on_record(
    house: House, tree: dict[str, Any], spine_code: str, reason: str
) -> None:
    answer = house.post("/ServiceRequest", tree)
    assert answer.status_code == 403
    assert nhs_codes(answer) == {spine_code, "REC_FORBIDDEN"}
    assert kinds(house) == ["decision.made"]
    assert entries(house, "decision.made")[0]["code"] == reason


def test_a_practice_without_an_agreement_is_refused(house: House) -> None:
    tree = service_request(requester=OTHER_PRACTICE, person=patient(practice=OTHER_PRACTICE))
    answer = house.post("/ServiceRequest", tree, client="gp-two")
    assert nhs_codes(answer) == {"NO_ORGANISATION_CONSENT", "REC_FORBIDDEN"}


def test_a_refusal_keeps_the_decision_and_no_referral(house: House) -> None:
    house.post("/ServiceRequest", service_request(consents=[]))
    assert counts(house) == NOTHING | {"decision": 1, "person": 1}


def test_a_repeated_request_gets_the_first_answer_and_one_referral(house: House) -> None:
    body, ids = json.dumps(service_request()).encode(), {"X-Request-Id": str(uuid.uuid4())}
    first, second = (house.post("/ServiceRequest", body, **ids) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["Location"] == second.headers["Location"]
    assert kinds(house) == ACCEPTED


def test_the_same_request_id_with_another_body_is_a_conflict(house: House) -> None:
    ids = {"X-Request-Id": str(uuid.uuid4())}
    house.post("/ServiceRequest", service_request(), **ids)
    answer = house.post("/ServiceRequest", service_request(), **ids)
    # Not a duplicate: a BaRS sender takes that for success, and this message was not taken.
    assert (answer.status_code, issues(answer)) == (409, [("conflict", None)])
    assert counts(house)["referral"] == 1
    assert entries(house, "referral.rejected")[0]["codes"] == ["REC_CONFLICT", "conflict"]


def test_another_sender_may_use_the_same_request_id(house: House) -> None:
    ids = {"X-Request-Id": str(uuid.uuid4())}
    house.post("/ServiceRequest", service_request(), **ids)
    answer = house.post("/ServiceRequest", service_request(), client="gp-two", **ids)
    assert answer.status_code == 403
    assert issues(answer) == [("forbidden", "ServiceRequest.requester")]


def test_a_repeated_refusal_is_the_same_refusal_and_one_decision(house: House) -> None:
    body = json.dumps(service_request(consents=[])).encode()
    ids = {"X-Request-Id": str(uuid.uuid4())}
    first, second = (house.post("/ServiceRequest", body, **ids) for _ in range(2))
    assert second.status_code == 403
    assert second.get_json()["issue"] == first.get_json()["issue"]
    assert kinds(house) == ["decision.made"]


def test_a_request_that_was_rejected_may_be_mended_under_the_same_id(house: House) -> None:
    ids = {"X-Request-Id": str(uuid.uuid4())}
    broken = service_request() | {"status": "draft"}
    assert house.post("/ServiceRequest", broken, **ids).status_code == 400
    assert house.post("/ServiceRequest", service_request(), **ids).status_code == 201


def test_a_provider_cannot_refer_as_if_it_were_a_practice(house: House) -> None:
    tree = service_request(
        requester=PROVIDER,
        service=None,
        consents=[],
        person=patient(practice=PROVIDER),
    )
    tree["performer"] = [{"identifier": tree["requester"]["identifier"] | {"value": "FX901"}}]
    tree["category"] = [
        {
            "coding": [
                {
                    "system": "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars",
                    "code": "a5t1",
                }
            ]
        }
    ]
    answer = house.post("/ServiceRequest", tree, client="oh-one")
    assert answer.status_code == 403
    assert entries(house, "decision.made")[0]["code"] == "NOT_CONTROLLER"


def test_a_referral_to_a_provider_goes_to_its_service(house: House) -> None:
    tree = service_request(service=None)
    tree["performer"] = [
        {"identifier": {"system": tree["requester"]["identifier"]["system"], "value": PROVIDER}}
    ]
    assert house.post("/ServiceRequest", tree).status_code == 201
    assert the_referral(house).service == "oh-assessment"


def test_a_referral_that_names_nobody_is_routed_by_its_code(house: House) -> None:
    assert house.post("/ServiceRequest", service_request(service=None)).status_code == 201
    assert the_referral(house).service == "oh-assessment"


def test_of_several_services_the_first_that_is_permitted_is_taken(house: House) -> None:
    full = house.directory["services"][0] | {
        "id": "a-full-service",
        "dos_service_id": "9000000007",
        "accepting": False,
    }
    house.apply(services=[*house.directory["services"], full])
    house.post("/ServiceRequest", service_request(service=None))
    assert the_referral(house).service == "oh-assessment"


def test_where_no_service_is_permitted_the_one_that_may_yet_be_is_held(house: House) -> None:
    services = [s | {"accepting": False} for s in house.directory["services"]]
    house.apply(services=services)
    assert house.post("/ServiceRequest", service_request(service=None)).status_code == 202


def test_two_threads_with_one_request_id_make_one_referral(house: House) -> None:
    body = json.dumps(service_request()).encode()
    headers = {
        **house.bearer(),
        "Content-Type": "application/fhir+json",
        "X-Request-Id": str(uuid.uuid4()),
    }
    together = threading.Barrier(4)

    def send(_number: int) -> Any:
        together.wait(timeout=20)
        web = house.app.test_client()
        return web.post("/FHIR/R4/ServiceRequest", data=body, headers=headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert {a.status_code for a in answers} <= {201, 425}
    assert len({a.headers["Location"] for a in answers if a.status_code == 201}) == 1
    assert [each for each in kinds(house) if each != "referral.rejected"] == ACCEPTED
    assert reconcile(house.gateway).discrepancies == ()


def test_two_threads_that_meet_one_person_agree_on_the_handle(house: House) -> None:
    bodies = [json.dumps(service_request()).encode() for _ in range(4)]
    headers = {**house.bearer(), "Content-Type": "application/fhir+json"}
    together = threading.Barrier(len(bodies))

    def send(body: bytes) -> int:
        together.wait(timeout=20)
        web = house.app.test_client()
        return web.post("/FHIR/R4/ServiceRequest", data=body, headers=headers).status_code

    with ThreadPoolExecutor(len(bodies)) as pool:
        assert set(pool.map(send, bodies)) == {201}
    assert counts(house)["person"] == 1
    assert len({e["subject"] for e in entries(house, "referral.received")}) == 1
