"""What a practice shares, over HTTP: who may see and change what, and how errors are told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, issues, nhs_codes
from tests.builders.house import House
from tests.builders.sharing import call, let_share

TERMS = {
    "kind": "exclusive-secondary", "purposes": ["evaluation"], "counterparty": "RX901",
    "dpia_ref": "DPIA-1",
}  # fmt: skip
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        let_share(house)
        yield house


@pytest.fixture(scope="module")
def shut(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose clients may send referrals, and nothing of this."""
    with embedded_house(tmp_path_factory.mktemp("shut")) as house:
        fhir = ["system/ServiceRequest.c", "system/ServiceRequest.rs", "system/Task.rs"]
        house.apply(clients=[each | {"scopes": fhir} for each in house.directory["clients"]])
        yield house


def entries_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.get_json()["entries"]
    return found


def standing(house: House, switch: str) -> dict[str, Any]:
    return next(e for e in entries_of(call(house, "GET", "/switches")) if e["switch"] == switch)


def test_a_switch_is_set_and_shown(door: House) -> None:
    answer = call(door, "PUT", "/switches/shared_care", {"value": "off", "reason": "No capacity"})
    told = answer.get_json()
    assert (answer.status_code, told["outcome"]) == (200, "changed")
    assert (told["switch"]["value"], told["switch"]["source"]) == ("off", "practice")
    assert [each["kind"] for each in told["notices"]] == ["shared-care"]
    assert standing(door, "shared_care")["actor"] == "gp-one"
    again = call(door, "PUT", "/switches/shared_care", {"value": "off"}).get_json()
    assert (again["outcome"], again["notices"]) == ("already", [])
    history = entries_of(call(door, "GET", "/switches/shared_care/history"))
    assert [(each["version"], each["reason"]) for each in history] == [(1, "No capacity")]


def test_a_day_alone_is_midnight_in_london(door: House) -> None:
    planned = {"value": "off", "effective_at": "2027-07-01"}
    told = call(door, "PUT", "/switches/send_document", planned).get_json()
    assert [each["effective_at"] for each in told["switch"]["planned"]] == [
        "2027-06-30T23:00:00+00:00"
    ]


def test_a_plan_that_stands_all_the_same_and_what_a_freeze_took_back_are_told(
    tmp_path: Path,
) -> None:
    with embedded_house(tmp_path) as house:
        let_share(house)
        call(house, "PUT", "/switches/new_agreements", {"value": "on"})
        call(
            house, "PUT", "/switches/new_agreements", {"value": "off", "effective_at": "2027-01-09"}
        )
        again = call(house, "PUT", "/switches/new_agreements", {"value": "on"}).get_json()
        assert (again["outcome"], "to cancel that" in again["note"]) == ("already", True)
        call(house, "PUT", "/agreements/dsa-x", TERMS | {"effective_at": "2027-01-01"})
        frozen = call(house, "PUT", "/switches/new_agreements", {"value": "off"}).get_json()
        assert [(e["id"], e["move"]) for e in frozen["taken_back"]] == [("dsa-x", "withdrawn")]
        planned = {"effective_at": "2027-01-01"}
        call(house, "POST", "/agreements/dsa-one-oh/withdraw", planned)
        told = call(house, "POST", "/agreements/dsa-one-oh/reinstate").get_json()
        assert (told["outcome"], "reinstate it" in told["note"]) == ("already", True)


def test_an_agreement_that_takes_effect_later_is_shown_as_planned(door: House) -> None:
    call(door, "PUT", "/switches/new_agreements", {"value": "on"})
    told = call(door, "PUT", "/agreements/dsa-later", TERMS | {"effective_at": "2027-01-01"})
    shown = told.get_json()["agreement"]
    assert (shown["status"], [each["move"] for each in shown["planned"]]) == ("unknown", ["signed"])
    withdrawn = call(door, "POST", "/agreements/dsa-later/withdraw")
    assert withdrawn.status_code == 409
    assert "it first counts from 2027-01-01" in withdrawn.get_json()["issue"][0]["diagnostics"]


def test_an_agreement_is_signed_withdrawn_and_reinstated(door: House) -> None:
    call(door, "PUT", "/switches/new_agreements", {"value": "on"})
    proposed = call(door, "PUT", "/agreements/dsa-http", {**TERMS, "dpia_ref": None})
    assert (proposed.status_code, proposed.get_json()["outcome"]) == (202, "proposed")
    assert "dpia_ref" in proposed.get_json()["remedy"]
    signed = call(door, "PUT", "/agreements/dsa-http", TERMS)
    assert (signed.status_code, signed.get_json()["agreement"]["status"]) == (200, "active")
    for act, status in (
        ("suspend", "suspended"),
        ("withdraw", "withdrawn"),
        ("reinstate", "active"),
    ):
        told = call(door, "POST", f"/agreements/dsa-http/{act}").get_json()
        assert (told["outcome"], told["agreement"]["status"]) == ("changed", status)
    one = call(door, "GET", "/agreements/dsa-http").get_json()
    assert one in entries_of(call(door, "GET", "/agreements"))
    assert one["terms"] == {name: TERMS[name] for name in ("kind", "purposes", "dpia_ref")} | {
        "name": "dsa-http"
    }
    history = entries_of(call(door, "GET", "/agreements/dsa-http/history"))
    assert [each["move"] for each in history] == [
        "proposed", "signed", "suspended", "withdrawn", "reinstated",
    ]  # fmt: skip


def test_a_refusal_is_told_with_its_spine_code_and_remedy(door: House) -> None:
    call(door, "PUT", "/switches/new_agreements", {"value": "off"})
    answer = call(door, "PUT", "/agreements/dsa-frozen", TERMS)
    assert answer.status_code == 403
    assert nhs_codes(answer) == {"NO_ORGANISATION_CONSENT", "REC_FORBIDDEN"}
    assert "NEW_AGREEMENTS_FROZEN" in answer.get_json()["issue"][0]["diagnostics"]
    assert entries(door, "agreement.refused")[-1]["source"] == "practice"


def test_a_notice_is_printed_sent_and_acknowledged(door: House) -> None:
    call(door, "PUT", "/switches/access_record", {"value": "off"})
    notice = next(
        each
        for each in entries_of(call(door, "GET", "/notices"))
        if each["switches"] == ["access_record"]
    )
    path = f"/notices/{notice['id']}"
    letter = call(door, "GET", f"{path}/letter")
    assert letter.content_type == "text/html; charset=utf-8"
    assert "default-src 'none'" in letter.headers["Content-Security-Policy"]
    assert "One Surgery" in letter.get_data(as_text=True)
    assert call(door, "POST", f"{path}/acknowledged").status_code == 409
    for act in ("sent", "acknowledged", "acknowledged"):
        answer = call(door, "POST", f"{path}/{act}", {})
        assert (answer.status_code, answer.get_json()["state"]) == (200, act)


def test_a_caller_sees_and_changes_only_its_own_practice(door: House) -> None:
    call(door, "PUT", "/switches/update_record", {"value": "off"})
    notice = entries_of(call(door, "GET", "/notices"))[0]["id"]
    assert {e["value"] for e in entries_of(call(door, "GET", "/switches", client="gp-two"))} == {
        "unknown"
    }
    assert entries_of(call(door, "GET", "/notices", client="gp-two")) == []
    for method, path in (
        ("GET", f"/notices/{notice}/letter"),
        ("POST", f"/notices/{notice}/sent"),
        ("GET", "/agreements/dsa-one-oh"),
        ("GET", "/agreements/dsa-one-oh/history"),
        ("POST", "/agreements/dsa-one-oh/withdraw"),
    ):
        assert call(door, method, path, client="gp-two").status_code == 404, path


def test_who_is_no_practice_has_nothing_to_share(door: House) -> None:
    for path in ("/switches", "/agreements", "/notices"):
        assert call(door, "GET", path, client="oh-one").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/switches"), ("GET", "/switches/shared_care/history"), ("GET", "/agreements"),
        ("GET", "/agreements/dsa-one-oh"), ("GET", "/agreements/dsa-one-oh/history"),
        ("GET", "/notices"), ("GET", f"/notices/{ID}/letter"),
        ("PUT", "/switches/shared_care"), ("PUT", "/agreements/dsa-one-oh"),
        ("POST", "/agreements/dsa-one-oh/withdraw"), ("POST", f"/notices/{ID}/sent"),
    ],
)  # fmt: skip
def test_a_token_for_referrals_opens_nothing_here(shut: House, method: str, path: str) -> None:
    assert call(shut, method, path, {}).status_code == 403


def test_a_token_that_may_read_may_not_change(door: House) -> None:
    token = door.ask_for_token(door.assertion("gp-one"), scope="gateway/sharing.r").get_json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert call(door, "GET", "/switches", **headers).status_code == 200
    assert call(door, "PUT", "/switches/shared_care", {"value": "on"}, **headers).status_code == 403


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({}, [("required", "value")]),
        ({"value": "up"}, [("value", "value")]),
        ({"value": 1}, [("value", "value")]),
        ({"value": "on", "other": "off"}, [("structure", None)]),
        ({"value": "on", "effective_at": "2026-12-01T09:00"}, [("value", "effective_at")]),
        ({"value": "on", "effective_at": 20261201}, [("value", "effective_at")]),
        ({"value": "on", "effective_at": "soon"}, [("value", "effective_at")]),
        ({"value": "on", "reason": ""}, [("value", "reason")]),
        ({"value": "on", "reason": "x" * 501}, [("value", "reason")]),
        ({"value": "on", "reason": "of 999 000 0018"}, [("value", "reason")]),
        ({"value": "exclusive-withdrawn"}, [("code-invalid", "value")]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else None,
)
def test_a_setting_that_is_wrong_is_refused_at_its_field(
    door: House, tree: dict[str, Any], found: list[tuple[str, str | None]]
) -> None:
    before = entries(door)
    answer = call(door, "PUT", "/switches/advice_and_guidance", tree)
    assert (answer.status_code, issues(answer)) == (400, found)
    assert entries(door) == before


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"kind": None}, [("value", "kind")]),
        ({"purposes": []}, [("value", "purposes")]),
        ({"purposes": ["evaluation", "marketing"]}, [("value", "purposes[1]")]),
        ({"counterparty": "!"}, [("value", "counterparty")]),
        ({"ends_on": "soon"}, [("value", "ends_on")]),
        ({"notice_days": -1}, [("value", "notice_days")]),
        ({"is_statutory": "perhaps"}, [("value", "is_statutory")]),
        ({"name": "tab\there"}, [("value", "name")]),
        ({"data_classes": ["bell\x07"]}, [("value", "data_classes"), ("value", "data_classes[0]")]),
        ({"document_sha256": "beef"}, [("value", "document_sha256")]),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else None,
)
def test_terms_that_are_wrong_are_refused_at_their_field(
    door: House, changed: dict[str, Any], found: list[tuple[str, str | None]]
) -> None:
    before = entries(door)
    answer = call(door, "PUT", "/agreements/dsa-bad", TERMS | changed)
    assert (answer.status_code, issues(answer)) == (400, found)
    assert entries(door) == before


@pytest.mark.parametrize(
    ("method", "path", "tree", "status"),
    [
        ("GET", "/switches/nonsense/history", None, 404),
        ("PUT", "/switches/nonsense", {"value": "on"}, 404),
        ("GET", "/agreements/a%20b", None, 404),
        ("GET", "/agreements/dsa-none", None, 404),
        ("POST", "/agreements/dsa-none/withdraw", None, 404),
        ("PUT", "/agreements/dsa-new", {**TERMS, "counterparty": "RX999"}, 404),
        ("GET", "/notices/1/letter", None, 404),
        ("GET", f"/notices/{ID}/letter", None, 404),
        ("POST", f"/notices/{ID}/sent", {"by": "post"}, 400),
        ("GET", "/switches?at=2026", None, 400),
        ("DELETE", "/switches/shared_care", None, 405),
        ("PUT", "/switches/shared_care", [], 400),
    ],
)
def test_what_is_not_there_or_not_taken_is_told_as_any_error(
    door: House, method: str, path: str, tree: Any, status: int
) -> None:
    answer = call(door, method, path, tree)
    assert answer.status_code == status
    assert answer.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"Content-Type": "application/json"}, 400),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b'{"value":"on","value":"off"}', {"Content-Type": "application/json"}, 400),
        (b'{"value":"on"}', {"Content-Type": "text/plain"}, 415),
        (b'{"value":"on"}', {"Content-Type": "application/json; charset=latin-1"}, 415),
        (b'{"value":"on"}', {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        (b'{"value":"on"}', {"Content-Type": "application/json", "X-Request-Id": "7"}, 400),
        (b" " * 6_000_000, {"Content-Type": "application/json"}, 413),
    ],
)
def test_a_body_is_read_as_at_the_other_doors(
    door: House, body: bytes, headers: dict[str, str], status: int
) -> None:
    sent = door.bearer() | headers
    answer = door.web.put("/sharing/switches/shared_care", data=body, headers=sent)
    assert answer.status_code == status


def test_a_request_keeps_its_ids(door: House) -> None:
    answer = call(door, "PUT", "/switches/shared_care", {"value": "off"}, X_Request_Id=ID)
    assert answer.headers["X-Request-Id"] == ID
