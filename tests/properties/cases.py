"""The cases of the sharing rules, and all that lies one change away from them."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gateway.consent.decide import Verdict
from gateway.consent.facts import Facts
from gateway.consent.vocabulary import GOOD_REFERRAL
from tests.builders.consent import FACT_NAMES, facts_from, possible
from tests.properties.second_reading import Told, read_again

Given = Mapping[str, Any]
_VECTORS = Path(__file__).parents[1] / "vectors/consent/cases.json"
ROWS: list[Given] = json.loads(_VECTORS.read_text(encoding="utf-8"))["cases"]
CASES: Mapping[str, Given] = {row["name"]: {**GOOD_REFERRAL, **row["facts"]} for row in ROWS}
CHANGES = [(name, value) for name in FACT_NAMES for value in possible(name)]


def neighbours(given: Given) -> Iterator[Given]:
    """Everything that differs in one fact."""
    for name, value in CHANGES:
        if given[name] != value:
            yield {**given, name: value}


@cache
def answered(case: str) -> list[tuple[Facts, Told]]:
    """A case, then its neighbours, each with the answer of the second reading."""
    around = (CASES[case], *neighbours(CASES[case]))
    return [(facts_from(given), read_again(given)) for given in around]


def told(verdict: Verdict) -> Told:
    return Told(
        effect=verdict.effect,
        rule=verdict.primary_rule,
        code=verdict.code,
        hits=tuple(reason.code for reason in verdict.reasons),
        grounds=verdict.grounds,
        obligations=verdict.obligations,
    )
