"""What the BaRS door refuses: the right status, NHS code, issue and place; nothing is written."""

import base64
import copy
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders.evidence import counts, entries, issues, nhs_codes
from tests.builders.house import House
from tests.builders.messages import (
    DOS,
    ODS,
    OTHER_PRACTICE,
    PHARMACY_SERVICE,
    PRACTICE,
    bars_headers,
    bars_message,
)

Tree = dict[str, Any]
Edit = Callable[[Tree], object]
EXAMPLES = Path(__file__).parents[4] / "shared" / "examples" / "bars"


def encoded(tree: object) -> str:
    return base64.b64encode(json.dumps(tree).encode()).decode()


def resource(message: Tree, kind: str) -> Tree:
    found: Tree = next(
        e["resource"] for e in message["entry"] if e["resource"]["resourceType"] == kind
    )
    return found


def without(kind: str) -> Edit:
    def edit(message: Tree) -> None:
        message["entry"] = [e for e in message["entry"] if e["resource"]["resourceType"] != kind]

    return edit


def setting(kind: str, **values: Any) -> Edit:
    return lambda message: resource(message, kind).update(values)


def refused(
    door: House, message: object, headers: dict[str, str]
) -> tuple[int, set[str], list[tuple[str, str | None]]]:
    """Post a message that must leave no row and at most one entry; return how it was refused."""
    before, rejected = counts(door), len(entries(door, "referral.rejected"))
    answer = door.post("/$process-message", message, **headers)
    assert counts(door) == before
    assert len(entries(door, "referral.rejected")) - rejected in (0, 1)
    return answer.status_code, nhs_codes(answer), issues(answer)


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id"])
def test_a_message_without_an_id_is_refused(door: House, name: str) -> None:
    headers = bars_headers()
    del headers[name]
    assert refused(door, bars_message(), headers) == (
        400,
        {"REC_BAD_REQUEST"},
        [("required", None)],
    )


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id"])
def test_an_id_that_is_no_uuid_is_refused_and_not_echoed(door: House, name: str) -> None:
    headers = bars_headers() | {name: "number-one"}
    answer = door.post("/$process-message", bars_message(), **headers)
    assert (answer.status_code, issues(answer)) == (400, [("value", None)])
    assert uuid.UUID(answer.headers[name]).version == 4  # a fresh one
    assert "number-one" not in str(answer.headers) + answer.get_data(as_text=True)


def test_a_message_without_a_target_is_refused(door: House) -> None:
    headers = bars_headers()
    del headers["NHSD-Target-Identifier"]
    assert refused(door, bars_message(), headers)[2] == [("required", None)]


@pytest.mark.parametrize(
    "target",
    [
        "not base64!",
        encoded("text"),
        encoded([]),
        encoded({"system": DOS}),
        encoded({"system": ODS, "value": PRACTICE}),
        encoded({"system": DOS, "value": "with blank"}),
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(door: House, target: str) -> None:
    headers = bars_headers() | {"NHSD-Target-Identifier": target}
    assert refused(door, bars_message(), headers) == (
        400,
        {"REC_BAD_REQUEST"},
        [("value", None)],
    )


def test_the_older_spelling_of_the_target_system_is_read(door: House) -> None:
    target = encoded({"system": DOS.replace("https", "http"), "value": "9000000042"})
    headers = bars_headers() | {"NHSD-Target-Identifier": target}
    assert refused(door, bars_message(service="9000000042"), headers)[0] == 404


def test_a_service_that_nobody_offers_is_not_found(door: House) -> None:
    message, headers = bars_message(service="9000000042"), bars_headers("9000000042")
    assert refused(door, message, headers) == (404, {"REC_NOT_FOUND"}, [("not-found", None)])


@pytest.mark.parametrize(
    ("edit", "status", "issue"),
    [
        (lambda m: m["meta"].pop("versionId"), 400, ("invariant", "Bundle.meta.versionId")),
        (lambda m: m.pop("meta"), 400, ("invariant", "Bundle.meta.versionId")),
        (
            lambda m: m["meta"].update(versionId="2.0.0"),
            422,
            ("not-supported", "Bundle.meta.versionId"),
        ),
        (
            lambda m: m["meta"].update(versionId="one"),
            422,
            ("not-supported", "Bundle.meta.versionId"),
        ),
    ],
)
def test_a_version_of_the_application_that_is_not_understood_is_refused(
    door: House, edit: Edit, status: int, issue: tuple[str, str]
) -> None:
    message = bars_message()
    edit(message)
    assert refused(door, message, bars_headers())[::2] == (status, [issue])


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json; version=2.0.0",
        'application/fhir+json;VERSION="3"',
        "application/fhir+json; version=1.0.0, application/fhir+json; version=2.0.0",
        "text/turtle",
        "text/html",
    ],
)
def test_another_version_or_media_type_is_not_acceptable(door: House, accept: str) -> None:
    headers = bars_headers() | {"Accept": accept}
    assert refused(door, bars_message(), headers) == (
        406,
        {"REC_NOT_ACCEPTABLE"},
        [("processing", None)],
    )


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/fhir+json; fhirVersion=4.0", "text/html, application/json;q=0.8"],
)
def test_an_accept_header_that_leaves_room_for_json_is_fine(door: House, accept: str) -> None:
    headers = bars_headers("9000000042") | {"Accept": accept}
    assert refused(door, bars_message(service="9000000042"), headers)[0] == 404


def event(code: str) -> Tree:
    return {
        "eventCoding": {
            "system": "https://fhir.nhs.uk/CodeSystem/message-events-bars",
            "code": code,
        }
    }


@pytest.mark.parametrize(
    ("edit", "expression"),
    [
        (setting("MessageHeader", **event("booking-request")), "entry[0].resource.event"),
        (
            lambda m: resource(m, "ServiceRequest")["category"][0]["coding"][0].update(
                code="validation"
            ),
            "entry[1].resource.category",
        ),
    ],
)
def test_a_kind_of_message_that_is_not_offered_is_refused_by_name(
    door: House, edit: Edit, expression: str
) -> None:
    message = bars_message()
    edit(message)
    assert refused(door, message, bars_headers()) == (
        422,
        {"REC_UNPROCESSABLE_ENTITY"},
        [("not-supported", f"Bundle.{expression}")],
    )


@pytest.mark.parametrize(
    "kind",
    ["Encounter", "CarePlan", "Consent", "HealthcareService", "Practitioner", "PractitionerRole"],
)
def test_a_message_that_lacks_a_resource_is_refused(door: House, kind: str) -> None:
    message = bars_message()
    without(kind)(message)
    status, codes, found = refused(door, message, bars_headers())
    assert (status, codes) == (400, {"REC_BAD_REQUEST"})
    assert ("required", "Bundle.entry") in found


def test_every_resource_that_is_missing_is_named(door: House) -> None:
    message = bars_message()
    for kind in ("Encounter", "Consent"):
        without(kind)(message)
    answer = door.post("/$process-message", message, **bars_headers())
    texts = " ".join(i["diagnostics"] for i in answer.get_json()["issue"])
    assert "carries 1 Encounter" in texts
    assert "carries 1 or more Consent" in texts


def test_a_resource_too_many_is_refused_where_it_stands(door: House) -> None:
    message = bars_message()
    more = copy.deepcopy(
        next(e for e in message["entry"] if e["resource"]["resourceType"] == "CarePlan")
    )
    more["fullUrl"] = "urn:uuid:11111111-2222-4333-8444-555555555555"
    message["entry"].append(more)
    place = f"Bundle.entry[{len(message['entry']) - 1}].resource"
    assert refused(door, message, bars_headers())[2] == [("invalid", place)]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ServiceRequest", "revoked"),
        ("ServiceRequest", "on-hold"),
        ("CarePlan", "active"),
        ("Encounter", "in-progress"),
    ],
)
def test_workflow_variables_that_say_something_else_are_refused(
    door: House, kind: str, status: str
) -> None:
    message = bars_message()
    resource(message, kind)["status"] = status
    refusal = refused(door, message, bars_headers())
    assert refusal[:2] == (400, {"REC_BAD_REQUEST"})
    assert {code for code, _ in refusal[2]} == {"invariant"}


@pytest.mark.parametrize(
    ("edit", "issue"),
    [
        (
            lambda m: resource(m, "MessageHeader")["destination"][0].update(
                endpoint=f"{DOS}|{PHARMACY_SERVICE}"
            ),
            ("value", "Bundle.entry[0].resource.destination[0].endpoint"),
        ),
        (
            lambda m: resource(m, "MessageHeader")["destination"][0].update(
                endpoint=f"{DOS}|no such id"
            ),
            ("value", "Bundle.entry[0].resource.destination[0].endpoint"),
        ),
        (
            lambda m: resource(m, "MessageHeader")["destination"][0].update(
                endpoint="https://elsewhere.example"
            ),
            ("value", "Bundle.entry[0].resource.destination[0].endpoint"),
        ),
        (
            lambda m: resource(m, "HealthcareService")["identifier"][0].update(
                value=PHARMACY_SERVICE
            ),
            ("value", "Bundle.entry[1].resource.performer"),
        ),
        (
            lambda m: resource(m, "ServiceRequest").pop("performer"),
            ("required", "Bundle.entry[1].resource.performer"),
        ),
    ],
    ids=["another-endpoint", "no-id", "no-service", "another-performer", "no-performer"],
)
def test_a_message_that_is_addressed_to_another_service_than_it_is_for_is_refused(
    door: House, edit: Edit, issue: tuple[str, str]
) -> None:
    message = bars_message()
    edit(message)
    assert refused(door, message, bars_headers()) == (400, {"REC_BAD_REQUEST"}, [issue])


def test_a_message_without_a_reply_address_is_refused(door: House) -> None:
    message = bars_message()
    resource(message, "MessageHeader")["source"] = {"endpoint": ""}
    assert refused(door, message, bars_headers())[0] == 400


@pytest.mark.parametrize(
    "message",
    [
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Parameters"},
    ],
)
def test_what_is_no_message_is_refused(door: House, message: Tree) -> None:
    assert refused(door, message, bars_headers())[2] == [("structure", "Bundle.type")]


def test_a_message_whose_header_is_not_first_is_refused(door: House) -> None:
    message = bars_message()
    message["entry"].append(message["entry"].pop(0))
    refusal = refused(door, message, bars_headers())
    assert (refusal[0], refusal[2]) == (400, [("invariant", "Bundle.entry[0]")])


def test_an_end_user_organisation_that_names_nobody_is_refused(door: House) -> None:
    headers = bars_headers() | {
        "NHSD-End-User-Organisation": encoded({"resourceType": "Organization"})
    }
    assert refused(door, bars_message(), headers)[:2] == (401, {"REC_UNAUTHORIZED"})


@pytest.mark.parametrize("name", ["End-User-Organisation", "Requesting-Software"])
def test_a_header_that_is_another_resource_is_refused(door: House, name: str) -> None:
    headers = bars_headers() | {f"NHSD-{name}": encoded({"resourceType": "Patient"})}
    assert refused(door, bars_message(), headers)[:2] == (400, {"REC_BAD_REQUEST"})


def test_the_software_header_of_the_specification_is_read(door: House) -> None:
    # Its deviceName and version are objects, which FHIR R4 does not have.
    device = {"resourceType": "Device", "deviceName": {"name": "X"}, "version": {"value": "1"}}
    headers = bars_headers() | {"NHSD-Requesting-Software": encoded(device)}
    assert door.post("/$process-message", bars_message(), **headers).status_code == 200


@pytest.mark.parametrize("value", [OTHER_PRACTICE, "?"])
def test_an_end_user_organisation_that_is_another_is_access_control(
    door: House, value: str
) -> None:
    tree = {"resourceType": "Organization", "identifier": [{"system": ODS, "value": value}]}
    headers = bars_headers() | {"NHSD-End-User-Organisation": encoded(tree)}
    status, codes, found = refused(door, bars_message(), headers)
    assert (status, codes) == (401, {"REC_UNAUTHORIZED"})
    assert [code for code, _ in found] == ["security"]


def test_an_end_user_organisation_that_cannot_be_read_is_refused(door: House) -> None:
    headers = bars_headers() | {"NHSD-End-User-Organisation": "%"}
    assert refused(door, bars_message(), headers)[2] == [("value", None)]


def test_an_end_user_organisation_that_is_the_sender_is_let_in(door: House) -> None:
    tree = {
        "resourceType": "Organization",
        "identifier": [{"system": ODS.replace("/Id/", "/id/"), "value": PRACTICE.lower()}],
    }
    headers = bars_headers("9000000042") | {"NHSD-End-User-Organisation": encoded(tree)}
    assert refused(door, bars_message(service="9000000042"), headers)[0] == 404


def test_a_message_that_names_another_sender_is_access_control(door: House) -> None:
    message = bars_message(sender=OTHER_PRACTICE)
    assert refused(door, message, bars_headers()) == (
        401,
        {"REC_UNAUTHORIZED"},
        [("security", "Bundle.entry[0].resource.sender")],
    )


@pytest.mark.parametrize("name", ["validation-request", "booking-request"])
def test_an_example_of_the_standard_that_is_not_offered_is_refused(door: House, name: str) -> None:
    path = EXAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the examples of the standard are not here")
    status, codes, found = refused(door, path.read_bytes(), bars_headers())
    assert (status, codes) == (422, {"REC_UNPROCESSABLE_ENTITY"})
    assert [code for code, _ in found] == ["not-supported"]
