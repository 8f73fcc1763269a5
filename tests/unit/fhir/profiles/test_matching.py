"""Fixed values, patterns and how they are put in words."""

from decimal import Decimal
from typing import Any

import pytest

from gateway.fhir.profiles.matching import describe, equals, holds_pattern, values_at


@pytest.mark.parametrize(
    ("value", "wanted", "is_equal", "is_held"),
    [
        ("a", "a", True, True),
        ("a", "A", False, False),
        (None, "a", False, False),
        (1, Decimal("1.0"), True, True),
        (1, True, False, False),
        (True, 1, False, False),
        (True, True, True, True),
        ("1", 1, False, False),
        ({"a": 1}, {"a": 1}, True, True),
        ({"a": 1, "b": 2}, {"a": 1}, False, True),
        ({"b": 1}, {"a": 1}, False, False),
        ([1, 2], [1, 2], True, True),
        ([2, 1], [1, 2], False, True),
        ([1, 2, 3], [1], False, True),
        ({"a": 1}, [1], False, False),
        ([1], {"a": 1}, False, False),
    ],
)
def test_a_value_equals_or_holds_another(
    value: Any,
    wanted: Any,
    is_equal: bool,  # noqa: FBT001
    is_held: bool,  # noqa: FBT001
) -> None:
    assert equals(value, wanted) is is_equal
    assert holds_pattern(value, wanted) is is_held


def test_what_stands_at_a_path_is_found_through_arrays() -> None:
    tree: Any = {"a": [{"b": [1, 2]}, {"c": 3}, 4, {"b": 5}]}
    assert values_at(tree, ("a", "b")) == [1, 2, 5]
    assert values_at(tree, ()) == [tree]


def test_a_value_is_put_in_words_and_a_long_one_is_cut() -> None:
    assert describe({"coding": [{"code": "a"}], "userSelected": True}) == (
        "coding.code = a, userSelected = true"
    )
    assert describe("plan") == "plan"
    assert len(describe("a" * 1_000)) == 400
