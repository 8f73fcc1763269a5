"""Every rule against good and bad samples, and against the official expression where it has one.

A row without an expression is one whose official expression cannot be run by the oracle, or
does not say what its text says (see `gateway.fhir.invariants.people`).
"""

from typing import Any

import fhirpathrs
import pytest
import simplejson

from gateway.fhir.invariants import INVARIANTS
from gateway.fhir.invariants.rule import Invariant
from tests.unit.fhir.vectors import rows

ROWS = {(row["type"], row["key"]): row for row in rows("invariants.json")}
RULES = {(rule.type_name, rule.key): rule for rule in INVARIANTS}
IDS = [f"{rule.type_name}-{rule.key}" for rule in INVARIANTS]
ORACLE = [row for row in ROWS.values() if "expression" in row]


def agrees(expression: str, sample: dict[str, Any]) -> bool:
    plain = simplejson.loads(simplejson.dumps(sample, use_decimal=True))
    constants = {"resource": plain, "ucum": "http://unitsofmeasure.org"}
    return fhirpathrs.evaluate(expression, plain, constants) is True


def test_every_rule_has_samples() -> None:
    assert set(ROWS) == set(RULES)


@pytest.mark.parametrize("rule", INVARIANTS, ids=IDS)
def test_a_rule_is_broken_by_each_bad_sample(rule: Invariant) -> None:
    bad = ROWS[rule.type_name, rule.key]["bad"]
    assert bad
    assert not [sample for sample in bad if rule.holds(sample)]


@pytest.mark.parametrize("rule", INVARIANTS, ids=IDS)
def test_a_rule_holds_for_each_good_sample(rule: Invariant) -> None:
    good = ROWS[rule.type_name, rule.key]["good"]
    assert good
    assert [sample for sample in good if rule.holds(sample)] == good


@pytest.mark.parametrize("rule", INVARIANTS, ids=IDS)
def test_a_broken_rule_names_at_least_one_place(rule: Invariant) -> None:
    for sample in ROWS[rule.type_name, rule.key]["bad"]:
        assert rule.places is None or rule.places(sample)


@pytest.mark.parametrize("rule", [rule for rule in INVARIANTS if rule.only_with])
def test_a_rule_that_is_asked_only_with_a_property_holds_without_it(rule: Invariant) -> None:
    samples = ROWS[rule.type_name, rule.key]
    assert all(rule.only_with in sample for sample in samples["bad"])
    for sample in samples["bad"] + samples["good"]:
        assert rule.holds({key: sample[key] for key in sample if key != rule.only_with})


@pytest.mark.parametrize("row", ORACLE, ids=[f"{row['type']}-{row['key']}" for row in ORACLE])
def test_the_official_expression_judges_the_samples_alike(row: dict[str, Any]) -> None:
    assert not [sample for sample in row["bad"] if agrees(row["expression"], sample)]
    assert [s for s in row["good"] if agrees(row["expression"], s)] == row["good"]
