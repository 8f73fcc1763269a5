import itertools

import pytest

from gateway.consent.kleene import among, both, either, negate

# Kleene's tables, where F < U < T: AND is the least, OR the greatest.
RANK = {False: 0, None: 1, True: 2}
TERMS = (True, False, None)


@pytest.mark.parametrize("terms", list(itertools.product(TERMS, repeat=3)))
def test_and_is_the_least_of_its_terms(terms: tuple[bool | None, ...]) -> None:
    assert both(*terms) is min(terms, key=lambda t: RANK[t])


@pytest.mark.parametrize("terms", list(itertools.product(TERMS, repeat=3)))
def test_or_is_the_greatest_of_its_terms(terms: tuple[bool | None, ...]) -> None:
    assert either(*terms) is max(terms, key=lambda t: RANK[t])


@pytest.mark.parametrize(("term", "denied"), [(True, False), (False, True), (None, None)])
def test_not_leaves_the_unknown_unknown(*, term: bool | None, denied: bool | None) -> None:
    assert negate(term) is denied


def test_of_no_terms_all_hold_and_none_holds() -> None:
    assert (both(), either()) == (True, False)


@pytest.mark.parametrize(("value", "answer"), [("a", True), ("c", False), (None, None)])
def test_an_unknown_value_is_not_known_to_be_among_any(
    value: str | None, *, answer: bool | None
) -> None:
    assert among(value, ("a", "b")) is answer
