"""The door of the consent register: what it takes, what it refuses, and what it tells."""

import uuid
from datetime import datetime
from typing import Any

import pytest

from tests.builders.evidence import entries, issues, kinds
from tests.builders.house import ALL_SCOPES, START, House
from tests.builders.messages import NHS_NUMBER, patient
from tests.builders.register import NHS, a_person, change, register, to_register

OTHER_NUMBER = "9990000026"


def test_a_consent_is_read_and_written_in_xml(door: House) -> None:
    made = door.get(f"/Consent/{register(door)}", _format="xml")
    sent = {**door.bearer(), "Content-Type": "application/fhir+xml"}
    body = made.data.replace(b"2026-10-30T10:00:00", b"2026-10-30T11:00:00")
    answer = door.web.post("/FHIR/R4/Consent", data=body, headers=sent)
    assert answer.status_code == 201
    assert answer.get_json()["dateTime"] == "2026-10-30T11:00:00+00:00"


def test_a_reader_who_has_the_version_is_told_so(door: House) -> None:
    own = register(door)
    headers = door.bearer() | {"If-None-Match": 'W/"1"'}
    assert door.web.get(f"/FHIR/R4/Consent/{own}", headers=headers).status_code == 304


@pytest.mark.parametrize("path", ["", "/_history", "/_history/1"])
def test_another_practice_hears_that_there_is_no_such_consent(door: House, path: str) -> None:
    own = register(door)
    assert door.get(f"/Consent/{own}{path}", client="gp-two").status_code == 404
    found = door.get("/Consent", client="gp-two", _id=own).get_json()
    assert (found["total"], found.get("entry")) == (0, None)


@pytest.mark.parametrize("consent_id", ["x", "7a2c6f6e-51d4-4a41-9f0e-1f6f0c1d7a03"])
def test_what_is_no_id_of_the_register_is_not_found(door: House, consent_id: str) -> None:
    assert door.get(f"/Consent/{consent_id}").status_code == 404
    assert door.put(f"/Consent/{consent_id}", to_register(), If_Match='W/"1"').status_code == 404


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"patient": None}, ("required", "Consent.patient")),
        ({"patient": {"display": "A patient"}}, ("required", "Consent.patient")),
        ({"patient": {"reference": "Patient/1"}}, ("required", "Consent.patient")),
        ({"patient": a_person("12345")}, ("value", "Consent.patient.identifier")),
        (
            {"contained": [patient(OTHER_NUMBER)], "patient": a_person() | {"reference": "#patient"}},
            ("invariant", "Consent.patient"),
        ),
        ({"dateTime": "2026-11-22T09:06:00Z"}, ("value", "Consent.dateTime")),
        ({"dateTime": "2026-11-24"}, ("value", "Consent.dateTime")),
        ({"dateTime": "2027"}, ("value", "Consent.dateTime")),
        (
            {"scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
                                   "code": "treatment"}]}},
            ("value", "Consent.scope"),
        ),
        ({"status": "valid"}, ("code-invalid", "Consent.status")),
        ({"resourceType": "Patient"}, ("structure", "Patient")),
    ],
)  # fmt: skip
def test_a_consent_with_one_fault_is_refused_at_its_place(
    door: House, changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    answer = door.post("/Consent", to_register(**changes))
    assert answer.status_code == 400
    assert fault in issues(answer)
    assert NHS_NUMBER not in answer.get_data(as_text=True)
    assert kinds(door)[-1] == "referral.rejected"


def test_another_resource_is_refused(door: House) -> None:
    answer = door.post("/Consent", patient())
    assert (answer.status_code, issues(answer)) == (400, [("invalid", "Patient")])


def test_a_future_date_is_answered_with_how_to_plan_ahead(door: House) -> None:
    answer = door.post("/Consent", to_register(dateTime="2026-12-01"))
    assert "provision.period" in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("date_time", ["2026-11-22T09:04:59Z", "2026-11-22T14:34:00+05:30"])
def test_a_clock_that_is_a_little_ahead_is_no_future(door: House, date_time: str) -> None:
    register(door, to_register(dateTime=date_time))
    assert datetime.fromisoformat(entries(door)[-1]["effective_at"]) == START


def test_a_condition_that_is_not_kept_is_refused(door: House) -> None:
    answer = door.post("/Consent", to_register(), If_None_Exist="identifier=x|1")
    assert (answer.status_code, issues(answer)) == (400, [("not-supported", None)])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": str(uuid.uuid4())}, ("invalid", "Consent.id")),
        ({"id": None}, ("invalid", "Consent.id")),
        ({"patient": a_person(OTHER_NUMBER)}, ("invariant", "Consent.patient")),
        ({"dateTime": "2026-11-23T09:00:00Z"}, ("value", "Consent.dateTime")),
    ],
)
def test_a_version_with_one_fault_is_refused_at_its_place(
    door: House, changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    own = register(door)
    answer = change(door, own, **changes)
    assert (answer.status_code, issues(answer)) == (400, [fault])
    assert door.get(f"/Consent/{own}").get_json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize(("scope", "method"), [("c", "POST"), ("u", "PUT"), ("rs", "GET")])
def test_each_act_needs_its_own_scope(door: House, scope: str, method: str) -> None:
    own = register(door)
    scopes = " ".join(each for each in ALL_SCOPES if each != f"system/Consent.{scope}")
    token = door.ask_for_token(door.assertion(), scope=scopes).get_json()["access_token"]
    path = "/FHIR/R4/Consent" + ("" if method == "POST" else f"/{own}")
    headers = {"Authorization": f"Bearer {token}"}
    assert door.web.open(path, method=method, headers=headers).status_code == 403


def test_the_sender_may_ask_to_hear_nothing_or_what_there_is_to_remark(door: House) -> None:
    silent = door.post("/Consent", to_register(), Prefer="return=minimal")
    assert (silent.status_code, silent.data) == (201, b"")
    well = door.post("/Consent", to_register(), Prefer="return=OperationOutcome")
    assert issues(well) == [("informational", None)]
    strange = [{"url": "https://x.example/unless", "valueBoolean": True}]
    unclear = door.post(
        "/Consent", to_register(modifierExtension=strange), Prefer="return=OperationOutcome"
    )
    assert issues(unclear)[-1] == ("not-supported", "Consent")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"_count": "2"},
        {"patient": "Patient/1", "status": "active"},
        {"status": "valid"},
        {"_id": "x"},
        {"identifier": f"{NHS}|{NHS_NUMBER}"},
        {"patient:identifier": NHS_NUMBER},
        {"_subject": "x"},
    ],
)
def test_a_search_that_is_not_understood_is_refused(door: House, query: dict[str, str]) -> None:
    answer = door.get("/Consent", **query)
    assert answer.status_code == 400
    assert NHS_NUMBER not in answer.get_data(as_text=True)


def test_a_refused_request_is_refused_in_the_same_words_again(door: House) -> None:
    ids = {"X_Request_Id": str(uuid.uuid4())}
    answers = [door.post("/Consent", to_register(patient=None), **ids) for _ in range(2)]
    assert answers[0].data == answers[1].data
    assert door.post("/Consent", to_register(), **ids).status_code == 201


def test_what_was_entered_in_error_is_not_changed_again(door: House) -> None:
    own = register(door)
    change(door, own, status="entered-in-error")
    answer = change(door, own, status="active")
    assert answer.status_code == 409
    assert "POST" in answer.get_json()["issue"][0]["diagnostics"]
