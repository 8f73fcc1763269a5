"""A Consent that comes by itself: whose it is, and how it stands beside a message."""

from typing import Any

import pytest

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.examine import examine
from gateway.fhir.read_consent import read_consent, standing
from tests.builders.house import own_profiles
from tests.builders.messages import NHS_NUMBER, ODS, PROVIDER, Tree, patient
from tests.builders.register import NHS, a_person, to_register

OTHER_NUMBER = "9990000026"
ODS_OF_PROVIDER = {"identifier": {"system": ODS, "value": PROVIDER}}


def faults_of(tree: Tree) -> list[tuple[IssueCode, str | None]]:
    with pytest.raises(InvalidMessageError) as caught:
        read_consent(tree)
    assert NHS_NUMBER not in str(caught.value.faults)
    return [(fault.code, fault.expression) for fault in caught.value.faults]


def organisation(code: str = PROVIDER, own: str = "provider") -> Tree:
    identifier = {"system": ODS, "value": code}
    return {"resourceType": "Organization", "id": own, "identifier": [identifier]}


def standing_actor(reference: Tree, *contained: Tree) -> Any:
    """What becomes of an actor's reference, at the root and in an exception."""
    tree = to_register(contained=list(contained) or None)
    tree["provision"]["actor"][0]["reference"] = reference
    exception = {"type": "deny", "actor": [dict(tree["provision"]["actor"][0])]}
    tree["provision"]["provision"] = [exception]
    shown: Any = standing(tree)
    found = shown["provision"]["actor"][0]["reference"]
    assert shown["provision"]["provision"][0]["actor"][0]["reference"] == found
    return found


@pytest.mark.parametrize(
    "tree",
    [
        to_register(),
        to_register(contained=[patient()], patient={"reference": "#patient"}),
        to_register(contained=[patient()], patient=a_person() | {"reference": "#patient"}),
        to_register(patient={"identifier": {"system": "http://fhir.nhs.uk/id/nhs-number",
                                            "value": "999 000 0018"}}),
    ],
    ids=["by number", "contained", "both", "as others spell it"],
)  # fmt: skip
def test_a_consent_is_that_of_the_person_it_names(tree: Tree) -> None:
    read = read_consent(tree)
    assert (read.nhs_number, read.status) == (NHS_NUMBER, "active")
    assert NHS_NUMBER not in repr(read)


def test_a_consent_of_nobody_is_refused() -> None:
    local = {"identifier": {"system": "https://gp.example/id", "value": NHS_NUMBER}}
    for named in (None, {"reference": "Patient/1"}, local):
        assert faults_of(to_register(patient=named)) == [(IssueCode.REQUIRED, "Consent.patient")]


def test_a_consent_of_two_people_is_refused() -> None:
    tree = to_register(contained=[patient(OTHER_NUMBER)])
    assert faults_of(tree) == [(IssueCode.INVARIANT, "Consent.patient")]


def test_every_number_that_is_none_is_named() -> None:
    wrong = patient("12345")
    tree = to_register(contained=[wrong], patient=a_person("x"))
    assert faults_of(tree) == [
        (IssueCode.VALUE, "Consent.patient.identifier"),
        (IssueCode.VALUE, "Consent.contained[0].identifier[0]"),
    ]


def test_two_contained_resources_of_one_id_are_refused_at_their_place() -> None:
    tree = to_register(contained=[organisation(), organisation("RX909")])
    assert faults_of(tree) == [(IssueCode.INVALID, "Consent.contained[1]")]


def test_another_resource_is_no_consent() -> None:
    assert faults_of(patient()) == [(IssueCode.INVALID, "Patient")]


def test_a_dry_run_says_of_a_consent_what_the_door_would_say() -> None:
    profiles = own_profiles()
    assert examine(to_register(), profiles) == []
    (fault,) = examine(to_register(patient={"display": "x"}), profiles)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.expression) == (IssueCode.REQUIRED, "Consent.patient")


def test_an_actor_who_is_contained_is_named_by_its_code() -> None:
    assert standing_actor({"reference": "#provider"}, organisation()) == ODS_OF_PROVIDER


def test_a_contained_role_is_named_by_the_code_of_its_organisation() -> None:
    role = {
        "resourceType": "PractitionerRole",
        "id": "role",
        "organization": {"identifier": {"system": ODS, "value": PROVIDER}},
    }
    assert standing_actor({"reference": "#role"}, role) == ODS_OF_PROVIDER


@pytest.mark.parametrize("reference", ["Organization/1", "#nobody", "urn:uuid:provider"])
def test_an_actor_who_leads_nowhere_could_be_nobody_of_a_message(reference: str) -> None:
    assert standing_actor({"reference": reference, "display": "x"}) == {"display": "x"}


def test_an_actor_keeps_the_code_that_was_written() -> None:
    assert standing_actor(ODS_OF_PROVIDER) == ODS_OF_PROVIDER
    both = ODS_OF_PROVIDER | {"reference": "#provider"}
    assert standing_actor(both, organisation()) == ODS_OF_PROVIDER


def test_an_actor_whose_code_and_reference_differ_is_nobody() -> None:
    both = ODS_OF_PROVIDER | {"reference": "#provider"}
    assert standing_actor(both, organisation("RX909")) == {}


def test_an_actor_with_another_kind_of_identifier_is_who_the_reference_leads_to() -> None:
    local = {"identifier": {"system": "https://x.example", "value": "1"}, "reference": "#provider"}
    assert standing_actor(local, organisation()) == ODS_OF_PROVIDER


def test_an_actor_without_a_reference_stays_as_it_is() -> None:
    tree = to_register(provision={"actor": [{"id": "x"}]})
    assert standing(tree) == tree


def test_what_a_consent_contains_is_left_out() -> None:
    assert "contained" not in standing(to_register(contained=[patient(), organisation()]))


@pytest.mark.parametrize(
    "odd",
    [
        organisation() | {"implicitRules": "https://x.example/rules"},
        organisation() | {"modifierExtension": [{"url": "https://x.example/not"}]},
        organisation() | {"contact": [{"modifierExtension": [{"url": "https://x.example/not"}]}]},
    ],
    ids=["rules", "on the resource", "deeper"],
)
def test_what_changes_the_meaning_of_something_contained_stays_and_is_not_understood(
    odd: Tree,
) -> None:
    assert standing(to_register(contained=[patient(), odd]))["contained"] == [patient(), odd]


def test_standing_by_itself_changes_nothing_else() -> None:
    tree = to_register("C-1")
    assert standing(tree) == tree
    assert tree["patient"]["identifier"]["system"] == NHS
