"""Conditions, wishes and modes of a request: kept where they are understood, else refused."""

import uuid
from typing import Any

import pytest

from tests.builders.evidence import counts, issues
from tests.builders.house import House
from tests.builders.messages import bars_message, letter_transaction, service_request

BASE = "/FHIR/R4"
SYSTEM = "https://gp.example/referral"
IDS = ("X-Request-Id", "X-Correlation-Id")


def places(tree: dict[str, Any]) -> dict[str, int]:
    return {each["resource"]["resourceType"]: at for at, each in enumerate(tree["entry"])}


@pytest.mark.parametrize(
    "spelt",
    [
        "identifier={system}|{value}",
        "identifier={system}%7C{value}",
        "identifier=https%3A%2F%2Fgp.example%2Freferral%7c{value}",
        "?identifier={system}%7C{value}",
        "ServiceRequest?identifier={system}|{value}",
        "ServiceRequest?identifier={system}%7C{value}",
    ],
)
def test_a_condition_on_a_creation_may_be_encoded(door: House, spelt: str) -> None:
    tree = service_request()
    condition = spelt.format(system=SYSTEM, value=tree["identifier"][0]["value"])
    made = door.post("/ServiceRequest", tree, If_None_Exist=condition)
    again = door.post("/ServiceRequest", tree, If_None_Exist=condition)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.get_json()["id"] == again.get_json()["id"]


def test_a_condition_in_a_transaction_may_be_encoded(door: House) -> None:
    tree = letter_transaction()
    entry = tree["entry"][places(tree)["ServiceRequest"]]
    value = entry["resource"]["identifier"][0]["value"]
    entry["request"]["ifNoneExist"] = f"ServiceRequest?identifier={SYSTEM}%7C{value}"
    lines = [
        door.post("/", tree).get_json()["entry"][places(tree)["ServiceRequest"]]["response"]
        for _ in range(2)
    ]
    assert [line["status"] for line in lines] == ["201 Created", "200 OK"]


@pytest.mark.parametrize(
    "condition",
    [
        "identifier=1",
        "identifier=a%7C1%2Ca%7C2",
        "identifier=a|1&status=active",
        "status=active",
        "Task?identifier=a%7C1",
        "ServiceRequest?",
    ],
)
def test_another_condition_on_a_creation_is_refused(door: House, condition: str) -> None:
    before = counts(door)
    answer = door.post("/ServiceRequest", service_request(), If_None_Exist=condition)
    assert (answer.status_code, issues(answer)) == (400, [("not-supported", None)])
    assert counts(door)["referral"] == before["referral"]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("Patient", "ifNoneExist", "identifier=a|1"),
        ("ServiceRequest", "ifMatch", 'W/"1"'),
        ("Patient", "ifNoneMatch", 'W/"1"'),
        ("DocumentReference", "ifModifiedSince", "2026-01-01T00:00:00Z"),
    ],
)
def test_a_condition_that_is_not_kept_is_refused_at_its_place(
    door: House, kind: str, name: str, value: str
) -> None:
    tree = letter_transaction()
    at = places(tree)[kind]
    tree["entry"][at]["request"][name] = value
    for path in ("/", "/ServiceRequest"):
        answer = door.post(path, tree)
        where = f"Bundle.entry[{at}].request.{name}"
        assert (answer.status_code, issues(answer)) == (400, [("not-supported", where)])


def test_conditions_that_are_not_kept_are_told_up_to_a_limit(door: House) -> None:
    tree = letter_transaction()
    one = tree["entry"][places(tree)["Patient"]]
    for _ in range(300):
        url = f"urn:uuid:{uuid.uuid4()}"
        request = {**one["request"], "ifNoneExist": "identifier=a|1"}
        tree["entry"].append({**one, "fullUrl": url, "request": request})
    answer = door.post("/", tree)
    assert answer.status_code == 400
    assert 100 <= len(answer.get_json()["issue"]) <= 101


def parameters(*more: dict[str, Any]) -> dict[str, Any]:
    given = [{"name": "resource", "resource": service_request()}, *more]
    return {"resourceType": "Parameters", "parameter": given}


@pytest.mark.parametrize("query", ["", "?mode=create", "?_format=json&mode=create"])
@pytest.mark.parametrize("more", [[], [{"name": "mode", "valueCode": "create"}]])
def test_what_is_created_can_be_validated(
    door: House, query: str, more: list[dict[str, Any]]
) -> None:
    answer = door.post(f"/ServiceRequest/$validate{query}", parameters(*more))
    assert answer.status_code == 200
    assert "error" not in {issue["severity"] for issue in answer.get_json()["issue"]}


@pytest.mark.parametrize(
    "query", ["mode=update", "mode=delete", "profile=https://x.example/p", "resource=x"]
)
def test_another_way_to_validate_is_refused(door: House, query: str) -> None:
    answer = door.post(f"/ServiceRequest/$validate?{query}", service_request())
    assert (answer.status_code, issues(answer)) == (400, [("not-supported", None)])


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"name": "mode", "valueCode": "update"}, "not-supported", "Parameters.parameter[1]"),
        ({"name": "mode", "valueString": "create"}, "not-supported", "Parameters.parameter[1]"),
        ({"name": "profile", "valueUri": "https://x.example/p"}, "not-supported",
         "Parameters.parameter[1]"),
        ({"name": "resource", "resource": service_request()}, "required", "Parameters.parameter"),
        ({"name": "mode", "valueCode": "create", "nonsense": 1}, "structure",
         "Parameters.parameter[1]"),
    ],
)  # fmt: skip
def test_parameters_that_ask_for_more_or_are_not_valid_are_refused(
    door: House, more: dict[str, Any], code: str, where: str
) -> None:
    answer = door.post("/ServiceRequest/$validate", parameters(more))
    assert (answer.status_code, issues(answer)) == (400, [(code, where)])


def test_faults_of_the_resource_in_parameters_are_findings(door: House) -> None:
    tree = parameters()
    tree["parameter"][0]["resource"]["status"] = 7
    answer = door.post("/ServiceRequest/$validate", tree)
    assert answer.status_code == 200
    assert "error" in {issue["severity"] for issue in answer.get_json()["issue"]}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_operation_is_posted(door: House, method: str) -> None:
    answer = door.web.open(f"{BASE}/ServiceRequest/$validate", method=method, headers=door.bearer())
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_an_empty_answer_has_no_type(door: House) -> None:
    made = door.post("/ServiceRequest", service_request(), Prefer="return=minimal")
    assert (made.status_code, made.data) == (201, b"")
    own = made.headers["Location"].split("/")[-3]
    headers = door.bearer() | {"If-None-Match": made.headers["ETag"]}
    same = door.web.get(f"{BASE}/ServiceRequest/{own}", headers=headers)
    assert (same.status_code, same.data) == (304, b"")
    for answer in (made, same):
        assert "Content-Type" not in answer.headers
        assert answer.headers["ETag"] == 'W/"1"'


def test_a_task_that_the_caller_has_is_not_told_again(door: House) -> None:
    own = door.post("/ServiceRequest", service_request()).get_json()["id"]
    tag = door.get(f"/Task/{own}").headers["ETag"]
    for known, status in ((tag, 304), (f'"0", {tag}', 304), ("*", 304), ('W/"999"', 200)):
        headers = door.bearer() | {"If-None-Match": known}
        answer = door.web.get(f"{BASE}/Task/{own}", headers=headers)
        assert (answer.status_code, answer.headers["ETag"]) == (status, tag), known


@pytest.mark.parametrize("sent", [None, "number-one"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_ping"),
        ("GET", f"{BASE}/metadata"),
        ("GET", f"{BASE}/ServiceRequest?status=active"),
        ("GET", f"{BASE}/Task"),
        ("GET", f"{BASE}/Nothing"),
        ("DELETE", f"{BASE}/Task"),
        ("POST", f"{BASE}/oauth2/token"),
        ("POST", f"{BASE}/ServiceRequest"),
        ("POST", f"{BASE}/"),
        ("POST", f"{BASE}/$process-message"),
    ],
)
def test_every_answer_carries_both_ids_though_none_came(
    door: House, method: str, path: str, sent: str | None
) -> None:
    headers = door.bearer() | (dict.fromkeys(IDS, sent) if sent else {})
    answer = door.web.open(path, method=method, json=bars_message(), headers=headers)
    fresh = [uuid.UUID(answer.headers[name]) for name in IDS]
    assert fresh[0] != fresh[1]
    assert "number-one" not in str(answer.headers) + answer.get_data(as_text=True)


def test_of_two_ids_the_good_one_is_kept(door: House) -> None:
    own = str(uuid.uuid4()).upper()
    answer = door.post("/Nothing", {}, X_Request_Id=own, X_Correlation_Id="number-two")
    assert answer.headers["X-Request-Id"] == own
    assert uuid.UUID(answer.headers["X-Correlation-Id"]) != uuid.UUID(own)
