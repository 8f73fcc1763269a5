import json
from enum import StrEnum

import pytest

from gateway.ledger.canonical import INTEGER_LIMIT, Json, canonical_json


def test_keys_stand_in_the_order_of_utf_16_code_units() -> None:
    # The example of RFC 8785, section 3.2.3.
    given = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_json(given)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_strings_are_escaped_only_where_they_must_be() -> None:
    # The string of RFC 8785, section 3.2.2, and what its table says of the rest.
    given = '\u20ac$\u000f\u000aA\'B"\\\\"/'
    assert canonical_json(given) == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
    assert canonical_json("\b\t\n\f\r\x00\x1f\x7f\u2028") == (
        b'"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\xe2\x80\xa8"'
    )


def test_objects_inside_arrays_and_objects_are_sorted_too() -> None:
    given: Json = {"b": [{"d": None, "c": True}, ()], "a": {"z": False, "y": {}}}
    assert canonical_json(given) == b'{"a":{"y":{},"z":false},"b":[{"c":true,"d":null},[]]}'


def test_the_order_in_which_keys_were_given_does_not_matter() -> None:
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})


def test_a_member_of_a_closed_list_is_written_as_its_value() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert canonical_json({"colour": Colour.RED}) == b'{"colour":"red"}'


@pytest.mark.parametrize("value", [INTEGER_LIMIT - 1, 1 - INTEGER_LIMIT, 0, True])
def test_an_exact_integer_is_written_plainly(value: int) -> None:
    assert json.loads(canonical_json(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        0.0,
        float("nan"),
        INTEGER_LIMIT,
        -INTEGER_LIMIT,
        b"bytes",
        {1: "a key that is no string"},
        {"a": {None: 1}},
        {"a", "set"},
        [1.5],
        "half a pair \ud83d",
        {"\ude00": 1},
        {"\ude00": 1, "z": 2},
    ],
)
def test_what_has_no_single_spelling_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^[a-z ]+"):
        canonical_json(value)  # type: ignore[arg-type]  # what mypy would refuse, too


def test_a_refusal_does_not_quote_the_value() -> None:
    with pytest.raises(ValueError, match="surrogate") as caught:
        canonical_json({"name": "Blenkinsop \ud83d"})
    assert "Blenkinsop" not in str(caught.value)
    assert caught.value.__suppress_context__
