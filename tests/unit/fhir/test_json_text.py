import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BodyTooLargeError, IssueCode, MessageError
from gateway.fhir.json_text import (
    MAX_EXPONENT,
    MAX_NUMBER_CHARACTERS,
    MAX_VALUES,
    read_json,
    write_json,
)
from gateway.referral.json import Json, child, objects, string, strings
from tests.builders.stopwatch import within

texts = st.text(st.characters(exclude_categories=["Cs"]))
decimals = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda d: len(str(d)) < MAX_NUMBER_CHARACTERS and 0 < abs(int(d.as_tuple().exponent)) < 40
)
integers = st.integers(-(10**60), 10**60)
leaves = st.none() | st.booleans() | integers | decimals | texts
trees = st.dictionaries(
    texts,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    ),
    max_size=4,
)


def exactly(tree: Json) -> object:
    """Tell 1.50 from 1.5, and True from 1, which compare as equal."""
    if isinstance(tree, dict):
        return [(key, exactly(value)) for key, value in tree.items()]
    if isinstance(tree, list):
        return [exactly(each) for each in tree]
    return type(tree), tree.as_tuple() if isinstance(tree, Decimal) else tree


@given(trees)
def test_what_is_written_is_read_back_exactly(tree: dict[str, Json]) -> None:
    assert exactly(read_json(write_json(tree))) == exactly(tree)


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        tree = read_json(body)
    except MessageError:
        return
    assert tree == json.loads(body)


@given(st.text('[]{}",:\\ue0d81\n', max_size=40))
def test_any_brackets_and_quotes_are_read_or_refused(text: str) -> None:
    try:
        tree = read_json(text.encode())
    except MessageError:
        return
    assert tree == json.loads(text)


@given(st.from_regex(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", fullmatch=True))
def test_any_number_is_read_exactly_or_refused(number: str) -> None:
    try:
        value = read_json(b'{"a":%b}' % number.encode())["a"]
    except MessageError:
        return
    assert Decimal(str(value)) == Decimal(number)


@pytest.mark.parametrize(
    "number", ["1.50", "1E+2", "0.000000001", "-0.0", "37.5", "1e-7", "0", "12345678901234567890"]
)
def test_a_number_keeps_its_value_and_precision(number: str) -> None:
    tree = read_json(b'{"a":%b}' % number.encode())
    again = read_json(write_json(tree))
    assert exactly(again) == exactly(tree)
    assert Decimal(number).as_tuple() == Decimal(str(tree["a"])).as_tuple()


@pytest.mark.parametrize("number", ["1.50", "1E+2", "0.000000001", "-0.0", "18014398509481985"])
def test_a_number_written_plainly_keeps_its_text(number: str) -> None:
    body = b'{"a":%b}' % number.encode()
    assert write_json(read_json(body)) == body


def test_text_outside_ascii_is_written_as_utf_8() -> None:
    assert write_json({"a": "é😀"}) == '{"a":"é😀"}'.encode()


def test_the_order_of_keys_is_kept() -> None:
    body = b'{"z":1,"a":{"y":2,"b":3}}'
    assert write_json(read_json(body)) == body


def test_a_surrogate_pair_is_read_as_one_character() -> None:
    assert read_json(rb'{"a":"\ud83d\ude00"}') == {"a": "😀"}


def test_an_escaped_backslash_before_u_is_not_a_surrogate() -> None:
    assert read_json(rb'{"a":"\\ud800"}') == {"a": r"\ud800"}


def test_brackets_inside_text_are_not_depth() -> None:
    body = rb'{"a":"\"' + b"[{" * 100 + rb'\\"}'
    assert read_json(body, max_depth=1) == {"a": '"' + "[{" * 100 + "\\"}


def test_the_deepest_nesting_permitted_is_read() -> None:
    body = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"
    assert read_json(body, max_depth=64)


def test_a_body_of_the_greatest_length_is_read() -> None:
    assert read_json(b'{"a":1}', max_bytes=7) == {"a": 1}


def test_a_longer_body_is_refused_as_too_long() -> None:
    with pytest.raises(BodyTooLargeError) as caught:
        read_json(b'{"a":1}', max_bytes=6)
    assert caught.value.faults[0].code is IssueCode.TOO_LONG


REFUSED = {
    "empty": (b"", IssueCode.STRUCTURE, "empty"),
    "only_blanks": (b" \n", IssueCode.STRUCTURE, "empty"),
    "byte_order_mark": (b"\xef\xbb\xbf{}", IssueCode.INVALID, "byte order mark"),
    "utf_16": ('{"a":1}'.encode("utf-16"), IssueCode.INVALID, "byte 1"),
    "latin_1": (b'{"a":"ol\xe9"}', IssueCode.INVALID, "byte 9"),
    "surrogate_in_utf_8": (b'{"a":"\xed\xa0\x80"}', IssueCode.INVALID, "byte 7"),
    "not_json": (b"<ServiceRequest/>", IssueCode.STRUCTURE, "line 1, column 1"),
    "trailing_comma": (b'{"a":1,}', IssueCode.STRUCTURE, "line 1"),
    "two_values": (b"{} {}", IssueCode.STRUCTURE, "line 1, column 4"),
    "unclosed": (b'{"a":[1', IssueCode.STRUCTURE, "line 1"),
    "line_end_in_text": (b'{"a":"x\ny"}', IssueCode.STRUCTURE, "line 1, column 8"),
    "leading_zero": (b'{"a":01}', IssueCode.STRUCTURE, "line 1, column 7"),
    "array_at_the_top": (b"[{}]", IssueCode.STRUCTURE, "one JSON object"),
    "text_at_the_top": (b'"a"', IssueCode.STRUCTURE, "one JSON object"),
    "key_twice": (b'{"a":{"c":[1]},\n"b":{"c":1,"c":2}}', IssueCode.STRUCTURE, "line 2, column 12"),
    "key_twice_in_escapes": (b'{"a":1,"\\u0061":2}', IssueCode.STRUCTURE, "line 1, column 8"),
    "not_a_number": (b'{"a":NaN}', IssueCode.STRUCTURE, "line 1, column 6"),
    "infinity": (b'{"a":"NaN",\n"b":-Infinity}', IssueCode.STRUCTURE, "line 2, column 5"),
    "long_integer": (b'{"a":' + b"9" * 65 + b"}", IssueCode.VALUE, "line 1, column 6"),
    "long_decimal": (b'{"a":0.' + b"9" * 65 + b"}", IssueCode.VALUE, "line 1, column 6"),
    "huge_exponent": (b'{"a":["-",1e9,1e999999999]}', IssueCode.VALUE, "line 1, column 15"),
    "exponent_beyond_decimal": (
        b'{"a":1e99999999999999999999}',
        IssueCode.VALUE,
        "line 1, column 6",
    ),
    "tiny_exponent": (b'{"a":1e-%d}' % (MAX_EXPONENT + 1), IssueCode.VALUE, "line 1, column 6"),
    "half_a_pair": (rb'{"a":"\ud83d"}', IssueCode.INVALID, "line 1, column 7"),
    "pair_upside_down": (rb'{"a":"\ude00\ud83d"}', IssueCode.INVALID, "line 1, column 7"),
    "high_before_a_pair": (rb'{"a":"\ud83d\ud83d\ude00"}', IssueCode.INVALID, "line 1, column 7"),
    "one_level_too_deep": (b'{"a":' * 65 + b"1" + b"}" * 65, IssueCode.STRUCTURE, "64 levels"),
    "deep_after_an_escaped_backslash": (
        rb'{"a":"\\","b":' + b"[" * 70 + b"]" * 70 + b"}",
        IssueCode.STRUCTURE,
        "64 levels",
    ),
    "deep_and_unclosed": (b'{"a":' + b"[" * 100_000, IssueCode.STRUCTURE, "deep"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_defective_body_is_refused_at_its_place(name: str) -> None:
    body, code, words = REFUSED[name]
    with pytest.raises(MessageError) as caught:
        read_json(body)
    [fault] = caught.value.faults
    assert fault.code is code
    assert words in fault.diagnostics


def counted(tree: Json) -> int:
    match tree:
        case dict():
            return 1 + sum(map(counted, tree.values()))
        case list():
            return 1 + sum(map(counted, tree))
        case _:
            return 1


MANY: dict[str, Callable[[int], Json]] = {
    "numbers": lambda count: [1] * (count - 2),
    "texts_of_brackets": lambda count: ["[{,"] * (count - 2),
    "texts_of_quotes": lambda count: ['"\\\\"'] * (count - 2),
    "names": lambda count: {f"\\{n}": "," for n in range(count - 2)},
    "objects": lambda count: [{"a": 1}] * ((count - 2) // 2),
}


@pytest.mark.parametrize("name", MANY)
def test_as_many_values_as_are_permitted_are_read_and_not_one_more(name: str) -> None:
    tree: Json = {"a": MANY[name](100)}
    assert counted(tree) == 100
    body = write_json(tree)
    assert read_json(body, max_values=100) == tree
    with pytest.raises(MessageError) as caught:
        read_json(body, max_values=99)
    assert caught.value.faults[0].code is IssueCode.TOO_COSTLY


FLOODS = {
    "texts": b'{"a":[' + b'"",' * 1_500_000,
    "commas": b"," * 5_000_000,
    "quotes": b'"' * 5_000_000,
    "opening": b"[" * 5_000_000,
    "arrays": b"[" * 2_500_000 + b"]" * 2_500_000,
    "arrays_63_deep": b'{"a":[' + b",".join([b"[" * 62 + b"]" * 62] * 40_000) + b"]}",
    "closing": b'{"a":[[]' + b"]" * 5_000_000,
    "backslashes": b'{"a":"' + b"\\" * 5_000_000 + b'"',
    "a_name_twice_at_the_end": b'{"a":[' + b'{"b":1},' * (MAX_VALUES // 2 - 4) + b'{"b":1,"b":2}]}',
    "a_name_twice_after_escapes": b'{"a":"' + b"\\n" * 2_400_000 + b'","b":1,"b":2}',
    "half_a_pair_after_escapes": b'{"a":"' + b"\\n" * 2_400_000 + b'\\ud800"}',
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_refused_in_no_time(name: str) -> None:
    with within(1), pytest.raises(MessageError):
        read_json(FLOODS[name])


@pytest.mark.parametrize(
    "body",
    [b'{"Fernsby":1,"Fernsby":2}', b'{"a":"Fernsby', b'{"a":Fernsby}', b'["Fernsby"]'],
)
def test_a_refusal_never_quotes_the_body(body: bytes) -> None:
    with pytest.raises(MessageError) as caught:
        read_json(body)
    assert "Fernsby" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), {1}, b"a", ("a",)])
def test_what_json_cannot_hold_is_not_written(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_json({"a": value})  # type: ignore[dict-item]  # that is the point


def test_an_accessor_answers_absent_for_a_value_of_the_wrong_kind() -> None:
    tree: dict[str, Json] = {"a": 1, "b": [1, {"c": "d"}, "e"]}
    assert (string(tree, "a"), child(tree, "a"), objects(tree, "a"), strings(tree, "a")) == (
        None,
        None,
        [],
        [],
    )
    assert (objects(tree, "b"), strings(tree, "b")) == ([{"c": "d"}], ["e"])
    assert (string({"a": "b"}, "a"), child({"a": {}}, "a")) == ("b", {})
