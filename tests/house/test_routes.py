"""Every route says who may enter, and the capability statement is true to the routes."""

from collections.abc import Iterator
from typing import Any

import flask
import pytest

from gateway.errors import Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from gateway.inbound.capability import SERVED
from gateway.inbound.identity import needs
from gateway.referral.directory import Scope
from tests.builders.embedded import embedded_house
from tests.builders.evidence import the_delivery, the_referral, work
from tests.builders.house import House
from tests.builders.messages import (
    bars_headers,
    bars_message,
    consent,
    letter_transaction,
    service_request,
)

BASE = "/FHIR/R4"
PLUMBING = {"/_ping", f"{BASE}/_ping", f"{BASE}/metadata", f"{BASE}/oauth2/token"}
KINDS = ("StructureDefinition", "ValueSet", "CodeSystem", "OperationDefinition")
DEFINITIONS = {f"{BASE}/{kind}" for kind in KINDS} | {
    f"{BASE}/{kind}/<own_id>" for kind in (*KINDS, "MessageDefinition")
}
CHECKPOINTS = {f"/ledger/<year>/{what}" for what in ("checkpoint", "checkpoint/<size>", "vkey")}
OPEN = PLUMBING | DEFINITIONS | CHECKPOINTS
"""Where anyone may enter: definitions and heads of the ledger hold no patient data."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        yield house


def who_may_enter(app: flask.Flask) -> dict[str, set[object]]:
    """What each address declares; None where a view declares nothing."""
    found: dict[str, set[object]] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        found.setdefault(rule.rule, set()).add(getattr(view, "may_enter", None))
    return found


def test_every_route_declares_who_may_enter(door: House) -> None:
    declared = who_may_enter(door.app)
    assert [rule for rule, who in declared.items() if None in who] == []
    assert {rule for rule, who in declared.items() if "open" in who} == OPEN


def test_a_route_that_declares_nothing_is_noticed() -> None:
    app = flask.Flask("one", static_folder=None)
    app.add_url_rule("/careless", view_func=lambda: "come in")
    app.add_url_rule("/careful", "careful", needs(Scope.TASK_READ)(lambda: "who is it?"))
    assert who_may_enter(app) == {"/careless": {None}, "/careful": {Scope.TASK_READ}}


def test_no_route_but_the_open_ones_answers_without_a_token(door: House) -> None:
    for rule in door.app.url_map.iter_rules():
        if rule.rule in OPEN:
            continue
        path = rule.rule.replace("<", "").replace(">", "")
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = door.web.open(path, method=method)
            assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize("path", ["/_ping", f"{BASE}/_ping"])
def test_a_ping_says_only_that_the_gateway_is_up(door: House, path: str) -> None:
    assert door.web.get(path).get_json()["status"] == "pass"


_CONDITIONAL = (
    "ServiceRequest", "Task", "Consent", "Subscription", "DocumentReference", "Binary",
)  # fmt: skip


def statement(door: House) -> Any:
    answer = door.web.get(f"{BASE}/metadata")
    assert answer.status_code == 200
    return answer.get_json()


def interactions_of_routes(door: House) -> set[tuple[str | None, str]]:
    """What the routes serve, in the words of a capability statement."""
    words = {
        (1, "GET"): "search-type", (1, "POST"): "create", (2, "GET"): "read", (2, "PUT"): "update", (2, "DELETE"): "delete",
        (3, "GET"): "history-instance", (4, "GET"): "vread", (2, "PATCH"): "patch",
    }  # fmt: skip
    found: set[tuple[str | None, str]] = set()
    for rule in door.app.url_map.iter_rules():
        if rule.rule in PLUMBING or not rule.rule.startswith(BASE):
            continue  # what is beside the FHIR base is not FHIR
        parts = [part for part in rule.rule.removeprefix(BASE).split("/") if part]
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            if not parts:
                found.add((None, "transaction"))
            elif parts[0].startswith("$"):
                found.add((None, parts[0]))
            elif parts[-1].startswith("$"):
                found.add((parts[0], parts[-1]))
            else:
                found.add((parts[0], words[len(parts), method]))
    return found


def test_the_statement_lists_what_the_routes_serve_and_nothing_else(door: House) -> None:
    rest, client = statement(door)["rest"]
    assert (rest["mode"], client["mode"]) == ("server", "client")
    stated = {(r["type"], i["code"]) for r in rest["resource"] for i in r["interaction"]}
    stated |= {(None, i["code"]) for i in rest["interaction"]}
    stated |= {(None, f"${o['name']}") for o in rest["operation"]}
    stated |= {
        (r["type"], f"${o['name']}") for r in rest["resource"] for o in r.get("operation", [])
    }
    assert stated == interactions_of_routes(door)


def test_every_search_parameter_that_is_stated_is_taken(door: House) -> None:
    values = {
        "identifier": "https://x.example|1", "status": "active", "_lastUpdated": "2026-01-01",
        "_id": "11111111-1111-4111-8111-111111111111",
        "url": "https://x.example/StructureDefinition/x", "name": "X",
        "context": "9000000001", "patient": "Patient/" + "0" * 32, "agent": "worker",
        "entity": "Consent/11111111-1111-4111-8111-111111111111", "date": "2026-01-01",
        "type": "rest", "subtype": "create", "action": "C", "outcome": "0", "policy": "v1",
        "practice": "G99001", "_since": "0",
        "related": "ServiceRequest/11111111-1111-4111-8111-111111111111",
    }  # fmt: skip
    for kind, (_, parameters) in SERVED.items():
        for name, _type in parameters:
            answer = door.get(f"/{kind}", **{name: values[name]})
            assert answer.status_code == 200, (kind, name)


def test_a_search_parameter_that_is_not_stated_is_not_taken_alone(door: House) -> None:
    for kind, query in (
        ("ServiceRequest", {"patient": "Patient/1"}),
        ("ServiceRequest", {"subject": "Patient/1"}),
        ("MessageDefinition", {"url": "https://x.example/MessageDefinition/x"}),
        ("MessageDefinition", {"_id": "x"}),
        ("MessageDefinition", {"name": "X"}),
        ("Task", {"status": "requested"}),
    ):
        assert not set(query) & {name for name, _ in SERVED[kind][1]}
        assert door.get(f"/{kind}", **query).status_code == 400, (kind, query)


def test_what_is_stated_of_versions_and_conditions_is_true(door: House) -> None:
    """An update wants If-Match, a read knows If-None-Match, a creation If-None-Exist."""
    stated = {each["type"]: each for each in statement(door)["rest"][0]["resource"]}
    tree = service_request() | {"identifier": [{"system": "https://x.example/r", "value": "v1"}]}
    made = door.post("/ServiceRequest", tree)
    own = made.get_json()
    assert made.status_code == 201
    assert stated["ServiceRequest"]["versioning"] == "versioned-update"
    path = f"/ServiceRequest/{own['id']}"
    assert door.put(path, {**own, "status": "revoked"}).status_code == 400
    for kind, each in stated.items():
        known = each.get("conditionalRead", "not-supported")
        assert known == ("not-match" if kind in _CONDITIONAL else "not-supported")
    for read in (path, f"/Task/{own['id']}"):
        tag = door.get(read).headers["ETag"]
        for known, status in ((tag, 304), ('W/"77"', 200)):
            headers = door.bearer() | {"If-None-Match": known}
            assert door.web.get(f"{BASE}{read}", headers=headers).status_code == status
    assert [kind for kind, each in stated.items() if each.get("conditionalCreate")] == [
        "ServiceRequest"
    ]
    condition = "identifier=https://x.example/r|v1"
    assert door.post("/ServiceRequest", tree, If_None_Exist=condition).status_code == 200


def faults(body: bytes) -> list[str]:
    return [str(f) for f in validate(read_json(body)) if f.severity is Severity.ERROR]


def test_the_statement_is_valid(door: House) -> None:
    assert faults(door.web.get(f"{BASE}/metadata").data) == []


@pytest.mark.parametrize(
    ("path", "tree", "status"),
    [
        ("/ServiceRequest", service_request(), 201),
        ("/ServiceRequest", service_request(consents=[consent(status="proposed")]), 202),
        ("/ServiceRequest", service_request(consents=[]), 403),
        ("/ServiceRequest", {"resourceType": "ServiceRequest"}, 400),
        ("/", letter_transaction(), 200),
        ("/$process-message", bars_message(), 200),
        ("/$process-message", bars_message(consents=[consent(status="proposed")]), 200),
        ("/$process-message", {"resourceType": "Patient"}, 400),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_every_answer_to_a_referral_is_valid(
    door: House, path: str, tree: dict[str, Any], status: int
) -> None:
    headers = bars_headers() if "process" in path else {}
    answer = door.post(path, tree, **headers)
    assert answer.status_code == status
    assert faults(answer.data) == []


def test_every_answer_to_a_reader_and_what_leaves_is_valid(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with embedded_house(tmp_path_factory.mktemp("reader")) as house:
        house.post("/ServiceRequest", service_request())
        own, hop = the_referral(house), the_delivery(house)
        work(house)
        for path, query in (
            (f"/ServiceRequest/{own.id}", {}),
            (f"/Task/{own.id}", {}),
            (f"/Task/{hop.id}", {}),
            ("/Task", {"_count": "1"}),
            ("/ServiceRequest", {"_id": own.id, "_count": "1"}),
            ("/ServiceRequest", {"_id": own.id, "status": "revoked"}),
        ):
            answer = house.get(path, **query)
            assert answer.status_code == 200
            assert faults(answer.data) == [], path
        assert faults(house.destination.received[0].body) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", f"{BASE}/Nothing", 404),
        ("GET", f"{BASE}//ServiceRequest", 404),
        ("PUT", f"{BASE}/ServiceRequest", 405),
        ("DELETE", f"{BASE}/Task/1", 405),
    ],
)
def test_an_address_that_is_not_served_is_answered_as_any_error(
    door: House, method: str, path: str, status: int
) -> None:
    answer = door.web.open(f"{path}?name=Testperson", method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/fhir+json")
    assert faults(answer.data) == []
    assert "Testperson" not in answer.get_data(as_text=True) + str(answer.headers)
    assert ("Allow" in answer.headers) is (status == 405)


def test_no_answer_is_kept_by_a_cache_or_guessed_at(door: House) -> None:
    for path in (f"{BASE}/metadata", f"{BASE}/Task", "/nowhere"):
        headers = door.web.get(path).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == (
            "no-store",
            "nosniff",
        )


def test_nobody_is_told_the_methods_of_an_address_without_asking_for_one(door: House) -> None:
    assert door.web.options(f"{BASE}/ServiceRequest").status_code == 405
