"""Cedar as an oracle: what it permits, our rules permit, and nothing else."""

from itertools import islice

import cedarpy
import pytest

from gateway.consent.facts import Action, PurposeClass
from tests.bench.cedar import cedar_policies, disagreements, forwarded_cases, is_permitted
from tests.builders.consent import GOOD_FACTS, facts_from
from tests.properties.cases import CASES, neighbours


def test_cedar_permits_the_same_cases() -> None:
    cases = forwarded_cases()
    assert len(cases) > 60
    assert list(disagreements(cases)) == []


def test_cedar_permits_the_same_one_change_away() -> None:
    cases = {
        f"{name}, {number}": facts_from(given)
        for place, name in enumerate(forwarded_cases())
        for number, given in enumerate(islice(neighbours(CASES[name]), place % 11, None, 11))
        if given["action"] == Action.FORWARD and None not in given.values()
    }
    assert list(disagreements(cases)) == []


def test_the_policies_are_ones_that_cedar_can_read() -> None:
    for purpose_class in PurposeClass:
        assert cedarpy.PolicySet.from_str(cedar_policies(purpose_class))


def test_a_rule_left_out_for_cedar_is_noticed() -> None:
    text = cedar_policies(PurposeClass.EXPLICIT)
    without = "@id".join(part for part in text.split("@id") if not part.startswith('("R05")'))
    died = facts_from({"deceased": True})
    assert is_permitted(GOOD_FACTS, text)
    assert not is_permitted(died, text)
    assert is_permitted(died, without)


def test_an_unknown_fact_is_an_error_that_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="passed over"):
        is_permitted(facts_from({"deceased": None}), cedar_policies(PurposeClass.EXPLICIT))
