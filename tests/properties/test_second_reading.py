"""The table against a second reading of the reference, around every case."""

import random
import time
from datetime import timedelta

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
def test_both_readings_agree_on_all_that_differs_in_two_facts(soak_time: timedelta) -> None:
    chance = random.Random()  # noqa: S311  # no secret
    last, names = time.monotonic() + soak_time.total_seconds(), sorted(CASES)
    while time.monotonic() < last:
        one, other = chance.sample(CHANGES, 2)
        given = {**CASES[chance.choice(names)], **dict([one, other])}
        assert told(decide(facts_from(given), POLICY)) == read_again(given), given
