"""What is read from a message: who asks whom for what, about whom; and quickly enough."""

from typing import Any

import pytest

from gateway.errors import InvalidMessageError
from gateway.fhir.read_referral import read_referral
from gateway.fhir.references import index
from gateway.referral.identifiers import USE_CASE_SYSTEM
from gateway.referral.json import JsonObject
from tests.builders.messages import (
    NHS_NUMBER,
    ODS,
    OTHER_PRACTICE,
    PRACTICE,
    PROVIDER,
    bars_message,
    letter_transaction,
    patient,
    service_request,
)
from tests.builders.stopwatch import within


def expressions(tree: JsonObject) -> list[str | None]:
    with pytest.raises(InvalidMessageError) as refused:
        read_referral(tree)
    return [fault.expression for fault in refused.value.faults]


def bundle(*resources: Any) -> JsonObject:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"urn:uuid:{number}", "resource": each}
            for number, each in enumerate(resources)
        ],
    }


def entry(message: Any, kind: str) -> Any:
    return next(e["resource"] for e in message["entry"] if e["resource"]["resourceType"] == kind)


def test_a_form_says_who_asks_whom_for_what() -> None:
    read = read_referral(service_request())
    assert (read.requester, read.service_asked, read.codes) == (
        PRACTICE,
        "9000000001",
        ("306152009",),
    )
    assert read.patient.nhs_number == NHS_NUMBER
    assert read.patient.practices == {PRACTICE}
    assert not read.letter


def test_a_message_leads_to_its_organisations_through_people_and_services() -> None:
    read = read_referral(bars_message())
    assert (read.requester, read.provider_asked) == (PRACTICE, PROVIDER)
    assert read.use_case is not None
    assert (read.use_case.system, read.use_case.code) == (USE_CASE_SYSTEM, "oh-referral")


def test_a_letter_counts_as_one_only_with_its_content() -> None:
    assert read_referral(letter_transaction()).letter
    empty: Any = letter_transaction()
    del empty["entry"][2]["resource"]["content"][0]["attachment"]["data"]
    assert expressions(empty) == ["Bundle.entry[0].resource.reasonCode"]


def test_a_letter_may_stand_in_a_binary_of_its_own() -> None:
    tree: Any = letter_transaction()
    attachment = tree["entry"][2]["resource"]["content"][0]["attachment"]
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": attachment.pop("data")}
    attachment["url"] = "urn:uuid:letter"
    tree["entry"].append({"fullUrl": "urn:uuid:letter", "resource": binary})
    assert read_referral(tree).letter


@pytest.mark.parametrize("died", [{"deceasedBoolean": True}, {"deceasedDateTime": "2026-01-01"}])
def test_a_patient_who_died_is_known_to_have(died: dict[str, Any]) -> None:
    assert read_referral(service_request(person=patient() | died)).patient.deceased


@pytest.mark.parametrize("alive", [{}, {"deceasedBoolean": False}])
def test_a_patient_of_whom_nothing_is_said_is_alive(alive: dict[str, Any]) -> None:
    assert not read_referral(service_request(person=patient() | alive)).patient.deceased


def test_a_managing_organisation_counts_as_a_practice() -> None:
    person = patient() | {
        "managingOrganization": {"identifier": {"system": ODS, "value": OTHER_PRACTICE}}
    }
    read = read_referral(service_request(person=person))
    assert read.patient.practices == {PRACTICE, OTHER_PRACTICE}


def test_a_requisition_is_an_identifier_too() -> None:
    tree = service_request() | {"requisition": {"system": "https://x.example", "value": "G1"}}
    assert [i.value for i in read_referral(tree).identifiers][-1] == "G1"


def test_the_same_number_spelt_twice_is_one_person() -> None:
    tree: Any = service_request()
    first = tree["contained"][0]["identifier"][0]
    tree["contained"][0]["identifier"].append(first | {"value": "999 000 0018"})
    assert read_referral(tree).patient.nhs_number == NHS_NUMBER


def test_a_subject_may_be_named_by_the_patients_number() -> None:
    tree = service_request() | {"subject": {"identifier": patient()["identifier"][0]}}
    assert read_referral(tree).patient.nhs_number == NHS_NUMBER


def test_a_practitioner_with_roles_at_two_organisations_leads_nowhere() -> None:
    message: Any = bars_message()
    receiver = next(
        e["fullUrl"]
        for e in message["entry"]
        if e["resource"].get("identifier", [{}])[0].get("value") == PROVIDER
    )
    role = entry(message, "PractitionerRole")
    other = role | {"organization": {"reference": receiver}}
    message["entry"].append({"fullUrl": "urn:uuid:another-role", "resource": other})
    assert expressions(message) == ["Bundle.entry[1].resource.requester"]


def test_roles_that_lead_in_a_circle_lead_nowhere() -> None:
    role = {"resourceType": "PractitionerRole", "organization": {"reference": "urn:uuid:0"}}
    parts = index(bundle(role))
    assert parts.organisation({"reference": "urn:uuid:0"}) is None


def test_a_role_may_carry_the_code_of_its_organisation_itself() -> None:
    code = {"identifier": {"system": ODS, "value": PRACTICE}}
    parts = index(bundle({"resourceType": "PractitionerRole", "organization": code}))
    assert parts.organisation({"reference": "urn:uuid:0"}) == PRACTICE


@pytest.mark.parametrize(
    "part",
    [
        {"resourceType": "Location"},
        {"resourceType": "Practitioner"},
        {"resourceType": "PractitionerRole"},
        {"resourceType": "Organization", "identifier": [{"system": ODS, "value": "!"}]},
    ],
    ids=lambda part: part["resourceType"],
)
def test_what_has_no_code_leads_to_no_organisation(part: dict[str, Any]) -> None:
    parts = index(bundle(part, {"resourceType": "PractitionerRole", "practitioner": {}}))
    assert parts.organisation({"reference": "urn:uuid:0"}) is None
    assert parts.organisation({"display": "Somebody"}) is None
    assert parts.organisation(None) is None
    assert parts.follow(None) is None


def test_two_resources_of_one_name_are_refused_where_the_second_stands() -> None:
    tree = bundle({"resourceType": "Patient", "id": "1"}, {"resourceType": "Patient", "id": "1"})
    with pytest.raises(InvalidMessageError) as refused:
        index(tree)
    assert refused.value.faults[0].expression == "Bundle.entry[1].resource"


def test_an_entry_without_a_resource_shifts_no_place() -> None:
    tree: Any = bundle({"resourceType": "Patient"})
    tree["entry"].insert(0, {"fullUrl": "urn:uuid:nothing"})
    tree["entry"].insert(1, {"fullUrl": "urn:uuid:empty", "resource": {}})
    parts = index(tree)
    assert parts.by_reference["urn:uuid:0"].path == "Bundle.entry[2].resource"


def test_a_message_without_a_referral_says_so() -> None:
    assert expressions(bundle({"resourceType": "Patient"})) == ["Bundle.entry[0].resource"]
    assert expressions(bundle()) == [None]


def test_many_people_with_many_roles_are_read_in_no_time() -> None:
    # Each practitioner once asked every role: a message of 5 MB took minutes.
    number = 4_000
    people = [{"resourceType": "Practitioner", "id": f"p{n}"} for n in range(number)]
    roles = [
        {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/p{n}"}}
        for n in range(number)
    ]
    tree: Any = letter_transaction()
    tree["entry"] += [{"resource": each} for each in [*people, *roles]]
    with within(2):
        read_referral(tree)
