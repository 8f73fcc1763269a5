"""Modifiers are found wherever they stand, but in a Consent; the report stays short."""

from typing import Any

import pytest

from gateway.errors import Fault, IssueCode
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.modifiers import modifier_faults
from gateway.fhir.references import index
from tests.builders.messages import Tree, bars_message, letter_transaction, service_request

NOT = {"url": "https://gp.example/not", "valueBoolean": True}
MODIFIER = {"modifierExtension": [NOT]}


def part(tree: Tree, kind: str) -> Tree:
    found: Tree = next(
        e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == kind
    )
    return found


def faults(tree: Tree) -> list[Fault]:
    return list(modifier_faults(tree, index(tree)))


def places(tree: Tree) -> list[tuple[IssueCode, str | None]]:
    return [(fault.code, fault.expression) for fault in faults(tree)]


@pytest.mark.parametrize("build", [bars_message, letter_transaction, service_request])
def test_a_message_without_a_modifier_has_no_fault(build: Any) -> None:
    assert faults(build()) == []


def test_a_modifier_is_found_at_any_depth_and_told_once_at_each_place() -> None:
    tree = bars_message()
    tree["entry"][3] |= MODIFIER
    part(tree, "CarePlan")["activity"] = [{"detail": {"status": "scheduled", **MODIFIER}}]
    part(tree, "Condition")["contained"] = [{"resourceType": "Medication", **MODIFIER}]
    request = part(tree, "ServiceRequest")
    request["occurrenceTiming"] = {"modifierExtension": [NOT, NOT]}
    request["extension"] = [{"url": "https://gp.example/how", "valueDosage": {**MODIFIER}}]
    assert sorted(places(tree), key=str) == [
        (IssueCode.EXTENSION, f"Bundle.entry[{place}.modifierExtension")
        for place in (
            "1].resource.extension[0].value",
            "1].resource.occurrence",
            "3]",
            "3].resource.activity[0].detail",
            "4].resource.contained[0]",
        )
    ]


def test_a_consent_of_the_message_is_left_to_the_sharing_rules() -> None:
    tree = bars_message()
    consent = part(tree, "Consent")
    consent |= MODIFIER | {"implicitRules": "https://gp.example/rules"}
    consent["provision"] |= MODIFIER
    assert faults(tree) == []


def test_a_consent_that_is_hidden_is_not_left_to_anybody() -> None:
    tree = bars_message()
    part(tree, "Condition")["contained"] = [{"resourceType": "Consent", **MODIFIER}]
    hidden = "Bundle.entry[4].resource.contained[0].modifierExtension"
    assert places(tree) == [(IssueCode.EXTENSION, hidden)]


def test_rules_of_the_senders_own_are_found_on_every_resource() -> None:
    tree = service_request()
    tree["contained"][0]["implicitRules"] = "https://gp.example/rules"
    where = "ServiceRequest.contained[0].implicitRules"
    assert places(tree) == [(IssueCode.NOT_SUPPORTED, where)]


def test_many_modifiers_make_no_long_report() -> None:
    tree = service_request()
    tree["contained"][0]["contact"] = [MODIFIER for _ in range(MAX_FAULTS * 3)]
    assert len(faults(tree)) == MAX_FAULTS + 1
