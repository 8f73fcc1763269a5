"""The vocabulary of facts."""

from dataclasses import fields, replace

import pytest

from gateway.consent.facts import CLASS_OF, VOCABULARY, Facts, PurposeClass
from gateway.referral.directory import Purpose
from tests.builders.consent import GOOD_FACTS


def test_every_fact_has_its_kind_and_is_unknown_until_told() -> None:
    assert {field.name for field in fields(Facts)} == {*VOCABULARY, "sources"}
    assert all(getattr(Facts(), name) is None for name in VOCABULARY)


def test_an_unknown_purpose_has_an_unknown_class() -> None:
    assert Facts().purpose_class is None


def test_every_purpose_has_a_class() -> None:
    assert set(CLASS_OF) == set(Purpose)
    assert PurposeClass.UNLISTED not in CLASS_OF.values()


@pytest.mark.parametrize("unlisted", ["marketing", "", "Direct-Care"])
def test_an_unlisted_purpose_has_no_class(unlisted: str) -> None:
    assert replace(GOOD_FACTS, purpose=unlisted).purpose_class is PurposeClass.UNLISTED
