from decimal import Decimal

from gateway.referral.json import JsonObject, child, objects, string, strings

TREE: JsonObject = {
    "text": "a",
    "number": Decimal("1.0"),
    "object": {"b": "c"},
    "objects": [{"d": 1}, "e", {"f": 2}],
    "texts": ["g", 1, "h"],
}


def test_each_accessor_returns_what_is_there() -> None:
    assert string(TREE, "text") == "a"
    assert child(TREE, "object") == {"b": "c"}
    assert objects(TREE, "objects") == [{"d": 1}, {"f": 2}]
    assert strings(TREE, "texts") == ["g", "h"]


def test_each_accessor_takes_the_wrong_kind_for_absent() -> None:
    assert string(TREE, "number") is None
    assert child(TREE, "objects") is None
    assert objects(TREE, "object") == []
    assert strings(TREE, "text") == []


def test_each_accessor_says_that_the_absent_is_absent() -> None:
    assert (string(TREE, "z"), child(TREE, "z"), objects(TREE, "z"), strings(TREE, "z")) == (
        None,
        None,
        [],
        [],
    )
