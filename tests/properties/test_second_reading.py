"""The table against a second reading of the reference, around every case."""

import itertools

import pytest

from gateway.consent.decide import decide
from gateway.consent.rules import POLICY
from tests.builders.consent import facts_from
from tests.properties.cases import CASES, CHANGES, answered, told
from tests.properties.second_reading import read_again


@pytest.mark.parametrize("case", CASES)
def test_both_readings_agree_on_a_case_and_all_that_differs_in_one_fact(case: str) -> None:
    differing = [f for f, said in answered(case) if told(decide(f, POLICY)) != said]
    assert differing[:3] == []


def test_there_are_some_twenty_thousand_of_these() -> None:
    assert len(CASES) * (len(CHANGES) - len(next(iter(CASES.values())))) > 20_000


@pytest.mark.soak
@pytest.mark.parametrize("case", [name for name in CASES if name.startswith("C")])
def test_both_readings_agree_on_all_that_differs_in_two_facts(case: str) -> None:
    pairs = (dict(pair) for pair in itertools.combinations(CHANGES, 2))
    around = ({**CASES[case], **pair} for pair in pairs if len(pair) > 1)
    differing = (g for g in around if told(decide(facts_from(g), POLICY)) != read_again(g))
    assert list(itertools.islice(differing, 3)) == []
