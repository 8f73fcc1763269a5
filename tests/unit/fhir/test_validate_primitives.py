from decimal import Decimal

import pytest

from gateway.fhir.json_text import MAX_DEPTH
from gateway.fhir.narrative import has_content, is_basic_html
from gateway.fhir.primitives import MAX_STRING_CHARACTERS, OPEN_VALUE_SETS, PRIMITIVES
from gateway.referral.json import Json

RIGHT: dict[str, list[Json]] = {
    "base64Binary": ["SGVsbG8=", "SGVs\r\nbG8=", "YQ==", "AAAA"],
    "boolean": [True, False],
    "canonical": ["http://example.org/q|1.0#a"],
    "code": ["a", "a b"],
    "date": ["2026", "2026-02", "2026-02-28", "2024-02-29"],
    "dateTime": [
        "2026",
        "2026-02",
        "2026-02-28",
        "2026-02-28T00:00:00Z",
        "2026-02-28T23:59:60.1234567+14:00",
        "2026-02-28T00:00:00-13:59",
    ],
    "decimal": [1, 0, -1, Decimal("1.50"), Decimal("1E+2")],
    "id": ["a", "A-1.b", "a" * 64],
    "instant": ["2026-02-28T00:00:00Z", "2026-02-28T00:00:00.1234567890123+01:00"],
    "integer": [0, -(2**31), 2**31 - 1],
    "markdown": ["*a*\n\tb"],
    "oid": ["urn:oid:1.2.3", "urn:oid:2.0"],
    "positiveInt": [1, 2**31 - 1],
    "string": ["a", " a ", "a\r\n\tb", "é😀"],
    "time": ["00:00:00", "23:59:59.5"],
    "unsignedInt": [0, 2**31 - 1],
    "uri": ["a", "urn:uuid:1", "https://example.org/a%20b"],
    "url": ["mailto:a@example.org"],
    "uuid": ["urn:uuid:00000000-0000-4000-8000-00000000000a"],
    "xhtml": ["<div>a</div>"],
}
ANYWHERE: list[Json] = [None, {}, [], {"a": 1}, ["a"], ""]
WRONG: dict[str, list[Json]] = {
    "base64Binary": ["SGVsbG8", "a", "SGVs*bG8=", "YQ==YQ==", "=YQ=", "====", " ", "é", 1],
    "boolean": ["true", 0, 1],
    "canonical": ["a b", 1],
    "code": [" a", "a ", "a  b", "a\tb", 1],
    "date": [
        "26",
        "2026-13",
        "2026-02-29",
        "2026-2-1",
        "0000",
        "2026-02-28T00:00:00Z",
        2026,
        "٢٠٢٦",
        "2026-02-28\n",
    ],
    "dateTime": [
        "2026-02-28T00:00:00",
        "2026-02-28T00:00Z",
        "2026-02-28T24:00:00Z",
        "2026-02-28T00:00:00+15:00",
        "2026-02-30T00:00:00Z",
        "2026-02-28 00:00:00Z",
    ],
    "decimal": ["1", True],
    "id": ["a/b", "a_b", "a" * 65, "é", 1],
    "instant": ["2026", "2026-02-28", "2026-02-28T00:00:00", "2025-02-29T00:00:00Z"],
    "integer": [2**31, -(2**31) - 1, Decimal("1.0"), "1", True],
    "markdown": ["\x00", " \n", 1],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1.02"],
    "positiveInt": [0, -1, 2**31, True],
    "string": ["a" * (MAX_STRING_CHARACTERS + 1), " ", "a\x00", "a\x1b", 1, True],
    "time": ["24:00:00", "10:00", "10:00:00Z"],
    "unsignedInt": [-1, 2**31, False],
    "uri": ["a b", "a\n", "a\x00"],
    "url": [" "],
    "uuid": [
        "00000000-0000-4000-8000-00000000000a",
        "urn:uuid:00000000-0000-4000-8000-00000000000A",
    ],
    "xhtml": [1],
}


def test_every_primitive_has_samples() -> None:
    assert set(RIGHT) == set(WRONG) == set(PRIMITIVES)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_right_value_is_accepted(name: str) -> None:
    primitive = PRIMITIVES[name]
    assert [v for v in RIGHT[name] if not primitive.accepts(v)] == []
    assert [v for v in RIGHT[name] if not primitive.is_written_right(v)] == []


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_wrong_value_is_refused(name: str) -> None:
    assert [v for v in WRONG[name] + ANYWHERE if PRIMITIVES[name].accepts(v)] == []


OPEN: dict[str, tuple[list[Json], list[Json]]] = {
    "all-languages": (["en", "en-GB", "cy", "zh-Hant-TW"], ["en_GB", "", "e n", "-en", 1]),
    "currencies": (["GBP", "EUR"], ["gbp", "POUND", "", None, 826]),
    "mimetypes": (
        ["application/pdf", "text/plain; charset=utf-8", "application/fhir+json", "image/svg+xml"],
        ["pdf", "application/", "/pdf", "text plain", "", 1],
    ),
}


@pytest.mark.parametrize("url", OPEN_VALUE_SETS)
def test_a_value_set_that_cannot_be_listed_is_a_pattern(url: str) -> None:
    right, wrong = OPEN[url.rpartition("/")[2]]
    assert [value for value in right if not OPEN_VALUE_SETS[url].accepts(value)] == []
    assert [value for value in wrong if OPEN_VALUE_SETS[url].accepts(value)] == []


def div(inner: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'


@pytest.mark.parametrize(
    "inner",
    [
        "a",
        '<table class="g"><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
        '<a href="https://example.org/a?b=c#d">a</a><a href="#x" name="y">b</a>',
        '<a href="mailto:a@example.org">a</a>',
        '<img src="data:image/png;base64,AAAA" alt="a"/>',
        '<p style="color: red" xml:lang="en">&amp;&#160;</p>',
        "<!-- a comment -->a",
    ],
)
def test_basic_formatting_is_permitted(inner: str) -> None:
    assert is_basic_html(div(inner))
    assert has_content(div(inner))


@pytest.mark.parametrize(
    "inner",
    [
        "<script>a</script>",
        "<iframe/>",
        "<form/>",
        "<object/>",
        "<style>p{}</style>",
        "<svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>",
        '<p onclick="a()">a</p>',
        '<a href=" JaVaScript:a()">a</a>',
        '<a href="&#106;avascript:a()">a</a>',
        '<a href="java&#9;script:a()">a</a>',
        '<a href="vbscript:a">a</a>',
        '<img src="data:text/html,a" alt="a"/>',
        '<p style="background: url(https://example.org/pixel)">a</p>',
        "<p>",
        "<?php a ?>",
        "&nbsp;",
        "\x00",
    ],
)
def test_what_could_act_is_not_permitted(inner: str) -> None:
    assert not is_basic_html(div(inner))


def test_entities_are_never_expanded() -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + div("&b;")
    assert not is_basic_html(bomb)


def test_a_narrative_of_blanks_shows_nothing() -> None:
    assert not has_content(div(" <p>\n</p>"))


def test_a_narrative_nests_no_deeper_than_is_read_in_xml() -> None:
    def nested(depth: int) -> str:
        return div("<b>" * (depth - 1) + "a" + "</b>" * (depth - 1))

    assert is_basic_html(nested(MAX_DEPTH))
    assert not is_basic_html(nested(MAX_DEPTH + 1))
    assert not is_basic_html(nested(20_000))
