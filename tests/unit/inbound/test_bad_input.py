"""What both doors refuse before any decision: status, code, place; recorded, nothing written."""

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders.evidence import counts, entries, issues, nhs_codes
from tests.builders.house import House
from tests.builders.messages import (
    DOS,
    ODS,
    OTHER_PRACTICE,
    bars_headers,
    bars_message,
    consent,
    letter_transaction,
    patient,
    service_request,
)

Tree = dict[str, Any]
Edit = Callable[[Tree], object]
DOORS = ["/ServiceRequest", "/", "/$process-message"]


def headers_for(path: str) -> dict[str, str]:
    return bars_headers() if "process" in path else {}


def refused(
    door: House, path: str, body: object, *, recorded: int = 1, headers: Tree | None = None
) -> tuple[int, list[tuple[str, str | None]]]:
    """Post what must leave no row and one entry; return how it was refused."""
    before, rejected = counts(door), len(entries(door, "referral.rejected"))
    answer = door.post(path, body, **(headers_for(path) | (headers or {})))
    assert counts(door) == before
    assert len(entries(door, "referral.rejected")) == rejected + recorded
    assert answer.content_type == "application/fhir+json"
    return answer.status_code, issues(answer)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b'{"resourceType": "Bundle"',
        b"[]",
        b"null",
        b'{"resourceType": "Bundle", "resourceType": "Patient"}',
        b'{"resourceType": "Bundle", "total": NaN}',
        nested(65),
        nested(3_000),
        json.dumps({"resourceType": "Unheard"}).encode(),
        b"{}",
    ],
    ids=[
        "empty",
        "blank",
        "broken",
        "list",
        "null",
        "twice",
        "nan",
        "deep",
        "deeper",
        "kind",
        "no",
    ],
)
def test_a_body_that_is_no_resource_is_refused(door: House, path: str, body: bytes) -> None:
    status, found = refused(door, path, body)
    assert status == 400
    assert {code for code, _ in found} <= {"structure", "required", "value", "invalid"}


@pytest.mark.parametrize("path", DOORS)
def test_a_byte_order_mark_is_refused(door: House, path: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(service_request()).encode()
    assert refused(door, path, body) == (400, [("invalid", None)])


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "media_type",
    [
        "text/turtle",
        "text/plain",
        "",
        "application/fhir+json; charset=utf-16",
        'application/json; charset="latin-1"',
    ],
)
def test_a_media_type_that_is_not_fhir_in_utf_8_is_refused(
    door: House, path: str, media_type: str
) -> None:
    status, found = refused(door, path, service_request(), headers={"Content-Type": media_type})
    assert (status, found) == (415, [("not-supported", None)])


def test_a_packed_body_is_refused(door: House) -> None:
    answer = door.post("/ServiceRequest", service_request(), Content_Encoding="gzip")
    assert (answer.status_code, issues(answer)) == (415, [("not-supported", None)])


def test_a_body_of_brackets_is_refused_at_once(door: House) -> None:
    depth = 1_000_000  # would take hours if the time grew with the square of the depth
    answer = door.post("/ServiceRequest", b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    assert (answer.status_code, issues(answer)) == (400, [("structure", None)])


@pytest.mark.parametrize(
    "media_type", ["application/json", "APPLICATION/FHIR+JSON; fhirVersion=4.0; charset=UTF-8"]
)
def test_json_by_its_other_names_is_read(door: House, media_type: str) -> None:
    body = {"resourceType": "ServiceRequest"}
    status, _ = refused(door, "/ServiceRequest", body, headers={"Content-Type": media_type})
    assert status == 400


@pytest.mark.parametrize("path", DOORS)
def test_a_body_that_is_too_long_is_refused(door: House, path: str) -> None:
    body = b" " * (door.settings.max_body_bytes + 1)
    assert refused(door, path, body, recorded=0) == (413, [("too-long", None)])


@pytest.mark.parametrize("path", DOORS)
def test_a_body_of_unknown_length_is_refused_once_it_is_too_long(door: House, path: str) -> None:
    before = counts(door)
    answer = door.web.post(
        f"/FHIR/R4{path}",
        input_stream=io.BytesIO(b" " * (door.settings.max_body_bytes + 1)),
        headers={
            "Content-Type": "application/fhir+json",
            "Transfer-Encoding": "chunked",
            **door.bearer(),
            **headers_for(path),
        },
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (answer.status_code, issues(answer)) == (413, [("too-long", None)])
    assert counts(door) == before


def test_every_fault_of_a_body_is_named_at_once(door: House) -> None:
    tree = service_request() | {"status": "draft", "intent": "proposal"}
    status, found = refused(door, "/ServiceRequest", tree)
    assert status == 400
    assert set(found) == {
        ("invariant", "ServiceRequest.status"),
        ("invariant", "ServiceRequest.intent"),
    }


def contained(kind: str, **more: Any) -> Tree:
    return {"resourceType": kind, "id": "other", **more}


def adding(part: Tree) -> Edit:
    def edit(tree: Tree) -> None:
        tree["contained"].append(part)
        tree.setdefault("supportingInfo", []).append({"reference": f"#{part['id']}"})

    return edit


OBSERVATION = {"status": "final", "code": {"text": "A finding"}}
SOMEBODY_ELSE = [
    {"reference": "Patient/11111111-2222-4333-8444-555555555555"},
    {"reference": "urn:uuid:11111111-2222-4333-8444-555555555555"},
    {"reference": "https://gp.example/fhir/Patient/2"},
    {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}},
    {"display": "Somebody"},
]


@pytest.mark.parametrize("subject", SOMEBODY_ELSE, ids=lambda s: next(iter(s)))
def test_a_part_about_somebody_else_is_refused_where_it_stands(door: House, subject: Tree) -> None:
    tree = service_request()
    adding(contained("Observation", subject=subject, **OBSERVATION))(tree)
    assert refused(door, "/ServiceRequest", tree) == (
        400,
        [("invariant", "ServiceRequest.contained[2].subject")],
    )


@pytest.mark.parametrize(
    "subject",
    [
        *SOMEBODY_ELSE,
        {"reference": "Group/1"},
        {"identifier": {"system": "https://gp.example/mrn", "value": "17"}},
        {"reference": "https://gp.example/fhir/Device/2"},
    ],
    ids=str,
)
def test_a_subject_that_is_not_the_patient_of_the_message_is_refused(
    door: House, subject: Tree
) -> None:
    tree = service_request() | {"subject": subject}
    status, found = refused(door, "/ServiceRequest", tree)
    assert (status, found) == (400, [("invariant", "ServiceRequest.subject")])


def two_numbers(tree: Tree) -> None:
    numbers = tree["contained"][0]["identifier"]
    numbers.append(numbers[0] | {"value": "9990000026"})


@pytest.mark.parametrize(
    ("edit", "issue"),
    [
        (adding(contained("Patient")), ("invalid", "ServiceRequest.contained[2]")),
        (two_numbers, ("invariant", "ServiceRequest.contained[0].identifier")),
        (
            lambda t: t["contained"][0]["identifier"][0].update(value="999 000"),
            ("value", "ServiceRequest.contained[0].identifier"),
        ),
        (
            lambda t: t.update(performer=[{"display": "Somebody good"}]),
            ("value", "ServiceRequest.performer"),
        ),
        (
            lambda t: t.update(performer=[{"reference": "HealthcareService/7"}]),
            ("value", "ServiceRequest.performer"),
        ),
        (
            lambda t: t.update(performer=[{"identifier": {"system": DOS, "value": "no id!"}}]),
            ("value", "ServiceRequest.performer"),
        ),
        (
            lambda t: t.update(requester={"display": "A doctor"}),
            ("required", "ServiceRequest.requester"),
        ),
        (
            lambda t: t.update(requester={"identifier": {"system": ODS, "value": "!"}}),
            ("required", "ServiceRequest.requester"),
        ),
        (lambda t: t.update(doNotPerform=True), ("invariant", "ServiceRequest.doNotPerform")),
        (
            lambda t: t.update(modifierExtension=[{"url": "https://x.example", "valueCode": "n"}]),
            ("extension", "ServiceRequest.modifierExtension"),
        ),
        (
            lambda t: t["contained"][0].update(
                modifierExtension=[{"url": "https://x.example", "valueCode": "n"}]
            ),
            ("extension", "ServiceRequest.contained[0].modifierExtension"),
        ),
        (
            lambda t: (t.pop("code"), t.pop("reasonCode"), t.pop("performer")),
            ("required", "ServiceRequest.reasonCode"),
        ),
    ],
    ids=[
        "two-patients", "two-numbers", "no-number", "performer-nowhere", "performer-outside",
        "performer-malformed", "requester-nowhere", "requester-malformed", "do-not",
        "modifier", "modifier-of-patient", "no-reason",
    ],
)  # fmt: skip
def test_a_referral_with_a_defect_is_refused_where_it_stands(
    door: House, edit: Edit, issue: tuple[str, str]
) -> None:
    tree = service_request()
    edit(tree)
    assert refused(door, "/ServiceRequest", tree) == (400, [issue])


def test_a_referral_without_its_patient_is_refused(door: House) -> None:
    tree = service_request(consents=[])
    del tree["contained"]
    tree["subject"] = {"identifier": patient()["identifier"][0]}
    assert refused(door, "/ServiceRequest", tree) == (400, [("required", "ServiceRequest")])


def test_two_resources_of_one_name_are_refused(door: House) -> None:
    tree = letter_transaction()
    tree["entry"][2]["fullUrl"] = tree["entry"][1]["fullUrl"]
    status, _ = refused(door, "/", tree)
    assert status == 400


@pytest.mark.parametrize(
    ("inner", "place", "code"),
    [
        (patient() | {"id": "p"}, "entry[2].resource.contained[0]", "invariant"),
        (
            {
                "resourceType": "Observation",
                "id": "p",
                "subject": {"display": "Somebody"},
                **OBSERVATION,
            },
            "entry[2].resource.contained[0]",
            "invariant",
        ),
    ],
    ids=["patient", "about-somebody"],
)
def test_a_person_hidden_inside_an_entry_is_refused(
    door: House, inner: Tree, place: str, code: str
) -> None:
    tree = letter_transaction()
    letter = tree["entry"][2]["resource"]
    letter["contained"] = [inner]
    letter["context"] = {"related": [{"reference": "#p"}]}
    status, found = refused(door, "/", tree)
    assert status == 400
    assert (code, f"Bundle.{place}") in found


def test_a_bundle_inside_a_bundle_is_refused(door: House) -> None:
    tree = letter_transaction()
    tree["entry"].append(
        {
            "fullUrl": "urn:uuid:11111111-2222-4333-8444-555555555555",
            "resource": {"resourceType": "Bundle", "type": "collection"},
            "request": {"method": "POST", "url": "Bundle"},
        }
    )
    assert refused(door, "/", tree) == (400, [("not-supported", "Bundle.entry[4].resource")])


@pytest.mark.parametrize("path", ["/", "/ServiceRequest"])
@pytest.mark.parametrize(
    "request_", [{"method": "PUT", "url": "Patient/1"}, {"method": "POST", "url": "Observation"}]
)
def test_a_transaction_that_does_more_than_create_is_refused(
    door: House, path: str, request_: Tree
) -> None:
    tree = letter_transaction()
    tree["entry"][1]["request"] = request_
    status, found = refused(door, path, tree)
    assert (status, found) == (400, [("not-supported", "Bundle.entry[1].request")])


@pytest.mark.parametrize("path", ["/", "/ServiceRequest"])
@pytest.mark.parametrize("kind", ["message", "batch"])
def test_a_bundle_of_another_type_is_refused(door: House, path: str, kind: str) -> None:
    tree = bars_message() if kind == "message" else letter_transaction() | {"type": kind}
    status, found = refused(door, path, tree)
    assert (status, [code for code, _ in found]) == (400, ["invalid"])


def test_a_resource_that_is_no_referral_is_refused(door: House) -> None:
    assert refused(door, "/ServiceRequest", patient()) == (400, [("invalid", "Patient")])


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("client", ["gp-two", "oh-one"])
def test_a_client_cannot_send_for_a_practice_that_is_not_its_own(
    door: House, path: str, client: str
) -> None:
    tree = {
        "/ServiceRequest": service_request(),
        "/": letter_transaction(),
        "/$process-message": bars_message(),
    }[path]
    before = counts(door)
    answer = door.post(path, tree, client=client, **headers_for(path))
    bars = "process" in path
    assert answer.status_code == (401 if bars else 403)
    assert nhs_codes(answer) == {"REC_UNAUTHORIZED" if bars else "REC_FORBIDDEN"}
    assert counts(door) == before
    rejected = entries(door, "referral.rejected")[-1]
    assert rejected["actor"] == client


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id"])
def test_an_id_that_is_no_uuid_is_refused_at_the_plain_door(door: House, name: str) -> None:
    found = refused(door, "/ServiceRequest", service_request(), recorded=0, headers={name: "seven"})
    assert found == (400, [("value", None)])


@pytest.mark.parametrize("path", ["/ServiceRequest", "/"])
def test_an_answer_that_cannot_be_given_is_not_begun(door: House, path: str) -> None:
    found = refused(door, path, service_request(), recorded=0, headers={"Accept": "text/turtle"})
    assert found == (406, [("processing", None)])


def test_a_code_that_no_service_takes_is_refused(door: House) -> None:
    tree = service_request(service=None)
    tree["code"]["coding"][0]["code"] = "183542009"
    assert refused(door, "/ServiceRequest", tree) == (
        422,
        [("not-supported", "ServiceRequest.performer")],
    )


def test_an_empty_directory_takes_no_referral_that_names_nobody(door: House) -> None:
    before = copy.deepcopy(door.directory)
    practices = [p | {"commissioner": None} for p in before["practices"]]
    door.apply(
        services=[], providers=[], endpoints=[], agreements=[], commissioners=[],
        practices=practices,
    )  # fmt: skip
    try:
        assert refused(door, "/ServiceRequest", service_request(service=None))[0] == 422
        assert door.post("/ServiceRequest", service_request()).status_code == 403
        assert refused(door, "/$process-message", bars_message())[0] == 404
    finally:
        door.apply(**before)


def test_a_consent_about_somebody_else_is_refused(door: House) -> None:
    other = consent() | {"patient": {"reference": "Patient/2"}}
    assert refused(door, "/ServiceRequest", service_request(consents=[other])) == (
        400,
        [("invariant", "ServiceRequest.contained[1].patient")],
    )


def test_a_patient_of_another_practice_is_refused_by_the_rules(door: House) -> None:
    tree = service_request(person=patient(practice=OTHER_PRACTICE))
    answer = door.post("/ServiceRequest", tree)
    assert (answer.status_code, issues(answer)) == (403, [("forbidden", None)])
    assert entries(door, "decision.made")[-1]["rule"] == "R02"
