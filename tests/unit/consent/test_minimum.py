"""The minimum dataset: its table against the types of FHIR, and what each role may have."""

from dataclasses import replace

import pytest

from gateway.consent.decide import Policy
from gateway.consent.minimum import MINIMUM, When, read_minimum
from gateway.consent.rules import POLICY
from gateway.fhir.tables import load_tables
from gateway.mapping.minimise import Minimised
from gateway.referral.directory import ProviderRole
from tests.builders.withhold import (
    OH,
    a_condition,
    a_letter,
    a_message,
    a_request,
    an_observation,
    minimised,
    names_in,
    ref,
)

ALWAYS = {"req", "pat", "gp"}
CLINICAL = (
    "AllergyIntolerance Binary CarePlan ClinicalImpression Communication Composition Condition"
    " Consent DiagnosticReport DocumentReference Encounter EpisodeOfCare FamilyMemberHistory Flag"
    " Goal Immunization List Media Medication MedicationRequest MedicationStatement Observation"
    " Procedure Provenance QuestionnaireResponse RiskAssessment Specimen"
).split()


def test_every_type_and_element_of_the_table_is_one_of_fhirs() -> None:
    types = load_tables().types
    for rows in MINIMUM.shares.values():
        for name, share in rows.items():
            if name != "any":
                assert types[name].is_resource
                assert (share.elements or frozenset()) <= _elements_of(rows, name, share.elements)


def _elements_of(rows: object, name: str, elements: frozenset[str] | None) -> frozenset[str]:
    """The elements of a type; a row for several types names elements of any of them."""
    types = load_tables().types
    shared = {"Organization", "Practitioner", "PractitionerRole", "HealthcareService"}
    of = shared if name in shared else {name}
    return frozenset(element for each in of for element in types[each].elements)


def test_no_row_cuts_what_fhir_requires() -> None:
    for rows in MINIMUM.shares.values():
        for name, share in rows.items():
            if share.elements is not None:
                for _, names in load_tables().types[name].required:
                    assert not share.elements.isdisjoint(names)


@pytest.mark.parametrize("role", [ProviderRole.EMPLOYER, ProviderRole.HR])
def test_an_employer_gets_nothing_clinical(role: ProviderRole) -> None:
    assert [name for name in CLINICAL if MINIMUM.share(role, name)] == []
    request = MINIMUM.share(role, "ServiceRequest")
    assert request is not None
    assert request.elements is not None
    assert not request.elements & {"code", "reasonCode", "reasonReference", "note", "orderDetail",
                                   "supportingInfo", "category", "bodySite", "extension", "meta"}  # fmt: skip
    person = MINIMUM.share(role, "Patient")
    assert person is not None
    assert person.elements == frozenset({"name", "telecom"})


def test_a_care_provider_gets_whatever_there_is() -> None:
    share = MINIMUM.share(ProviderRole.CARE_PROVIDER, "Flag")
    assert share is not None
    assert (share.when, share.elements) == (When.ALWAYS, None)


BAD_ROWS = {
    "too few cells": "care-provider | any | always",
    "a role that is none": "landlord | any | always | *",
    "a condition that is none": "care-provider | any | sometimes | *",
    "a type that is told twice": "care-provider | any | always | *\ncare-provider | any | led to | *",
    "roles that are not told": "care-provider | any | always | *",
}


@pytest.mark.parametrize("text", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_table_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_minimum(text)


def test_the_table_is_part_of_the_policys_version() -> None:
    changed = MINIMUM.text.replace("photo", "").replace("Patient", "Person", 1)
    other: Policy = replace(POLICY, minimum=replace(MINIMUM, text=changed))
    assert other.version != POLICY.version


# What it makes of a message.


def resource(left: Minimised, position: int) -> dict[str, object]:
    assert left.tree is not None
    return left.tree["entry"][position]["resource"]  # type: ignore[index,call-overload,return-value]


def test_what_the_referral_leads_to_leaves_and_the_rest_of_the_record_does_not() -> None:
    left = minimised(a_message(a_request("one"), one=an_observation(), two=an_observation()))
    assert names_in(left) == {*ALWAYS, "one"}
    assert left.withheld.minimum is False


def test_a_type_that_is_in_no_minimum_stays_behind_even_where_it_is_led_to() -> None:
    flag = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "x"},
        "subject": ref("pat"),
    }
    left = minimised(a_message(flag=flag, one=an_observation()))
    assert names_in(left) == {*ALWAYS, "one"}


def test_a_type_that_is_in_no_minimum_leaves_where_it_is_the_reason() -> None:
    risk = {"resourceType": "RiskAssessment", "status": "final", "subject": ref("pat")}
    left = minimised(a_message(a_request(reasonReference=[ref("why")]), why=risk))
    assert names_in(left) == {*ALWAYS, "why"}
    assert left.withheld.minimum


def test_the_only_reason_leaves_though_nothing_leads_to_it() -> None:
    request = {name: each for name, each in a_request().items() if name != "reasonCode"}
    assert names_in(minimised(a_message(request, doc=a_letter()))) == {*ALWAYS, "doc"}


def test_of_the_patient_leaves_who_it_is_and_not_what_nobody_needs() -> None:
    kept = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
        "valueBoolean": True,
    }
    belief = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-religion",
        "valueCodeableConcept": {"text": "x"},
    }
    person = {
        "resourceType": "Patient", "id": "p", "name": [{"family": "Testperson"}], "_birthDate": {"id": "b"},
        "photo": [{"title": "x"}], "maritalStatus": {"text": "x"}, "extension": [belief, kept],
    }  # fmt: skip
    left = minimised(a_message(pat=person))
    cut = {n: v for n, v in person.items() if n not in ("photo", "maritalStatus")}
    assert resource(left, 1) == cut | {"extension": [kept]}
    assert left.withheld.minimum is False
    alone = minimised(a_message(pat=person | {"extension": [belief]}))
    assert "extension" not in resource(alone, 1)


def test_a_patient_with_nothing_else_is_not_cut() -> None:
    kept = {
        "url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
        "valueBoolean": True,
    }
    person = {"resourceType": "Patient", "name": [{"family": "Testperson"}], "extension": [kept]}
    left = minimised(a_message(pat=person), role=OH)
    assert resource(left, 1) == person
    assert left.withheld.minimum


def test_an_employer_gets_a_referral_that_says_nothing_of_why() -> None:
    parts = {"one": a_condition(), "two": an_observation()}
    request = a_request("two", reasonReference=[ref("one")], note=[{"text": "private"}])
    left = minimised(a_message(request, **parts), role=ProviderRole.EMPLOYER)
    assert names_in(left) == ALWAYS
    assert set(resource(left, 0)) == {
        "resourceType", "status", "intent", "subject", "authoredOn", "requester",
    }  # fmt: skip
