"""Requests that a hostile sender might make, as data: bytes, headers, and what must be answered.

Every one of them comes from an authenticated client: what the world may send is less. Bodies
are made when they are needed, since many are megabytes.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from gateway.fhir.json_text import MAX_VALUES
from tests.builders.messages import DOS, Tree
from tests.conformance.messages import Door, Format, rest_referral, transaction
from tests.conformance.wire import Request

MEGABYTE: Final = 1024 * 1024
LIMIT: Final = 5 * MEGABYTE
VALUES: Final = MAX_VALUES - 1_000
"""How many values a body may have beside those of a good referral."""

ONE: Final = (Door.REST,)
BARS: Final = (Door.BARS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One hostile request: the statuses and issue codes that are right answers to it.

    `codes` empty: the server's HTTP layer refuses it before FHIR is spoken, and the answer
    is no OperationOutcome.
    """

    name: str
    make: Callable[[], Request]
    status: Sequence[int] = (400,)
    codes: Sequence[str] = ("structure",)
    doors: Sequence[Door] = (Door.REST, Door.BARS)
    form: Format = Format.JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def body(
    name: str, make: Callable[[], bytes], *codes: str, status: Sequence[int] = (400,), **more: Any
) -> Hostile:
    """A hostile body in an ordinary request."""
    return Hostile(name=name, make=lambda: Request(body=make()), codes=codes, status=status, **more)


def of(change: Callable[[Tree], object]) -> Callable[[], bytes]:
    """A good referral with something monstrous in it."""

    def make() -> bytes:
        tree = rest_referral()
        change(tree)
        return json.dumps(tree).encode()

    return make


def raw(text: str) -> Callable[[], bytes]:
    """A referral with raw JSON in the place of a value of its own."""
    return lambda: b'{"resourceType":"ServiceRequest","x":' + text.encode() + b"}"


def nested(opening: bytes, closing: bytes, depth: int, middle: bytes = b"1") -> Callable[[], bytes]:
    return lambda: b'{"resourceType":"ServiceRequest","x":' + opening * depth + middle + closing * depth + b"}"  # fmt: skip


def entries(count: int, entry: Callable[[int], str], kind: str = "transaction") -> Callable[[], bytes]:  # fmt: skip
    """A Bundle of many entries, written without building it as a tree."""

    def make() -> bytes:
        inner = ",".join(map(entry, range(count)))
        return f'{{"resourceType":"Bundle","type":"{kind}","entry":[{inner}]}}'.encode()

    return make


def conditional(query: str) -> Callable[[], bytes]:
    """A transaction with a conditional reference that ends in a blank."""

    def make() -> bytes:
        tree = transaction()
        tree["entry"][0]["resource"]["encounter"] = {"reference": f"Encounter?{query} "}
        return json.dumps(tree).encode()

    return make


def bomb(coding: str) -> Callable[[], Request]:
    """A packed body that unpacks to 100 MB."""
    return lambda: Request(body=_packed(), headers={"Content-Encoding": coding})


@cache
def _packed() -> bytes:
    return gzip.compress(bytes(100 * MEGABYTE), 1)


def many(value: str) -> Callable[[], bytes]:
    """A body as long as is taken, of one short value over and over."""

    def make() -> bytes:
        values = ",".join([value] * ((LIMIT - 100) // (len(value) + 1)))
        return b'{"resourceType":"ServiceRequest","x":[' + values.encode() + b"]}"

    return make


def _narrative(inner: str) -> Callable[[], bytes]:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>'
    return of(lambda tree: tree.update(text={"status": "generated", "div": div}))


def _narratives(inner: str) -> Callable[[], bytes]:
    """A referral that lacks its status, with ten more resources of such a narrative each."""
    text = {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{inner}</div>',
    }

    def add(tree: Tree) -> None:
        del tree["subject"]
        more = {"resourceType": "Organization", "name": "a", "text": text}
        tree["contained"].extend(more | {"id": f"more-{n}"} for n in range(10))

    return of(add)


def _person(**values: Any) -> Callable[[], bytes]:
    return of(lambda tree: tree["contained"][0].update(values))


def _set(**values: Any) -> Callable[[], bytes]:
    return of(lambda tree: tree.update(values))


def _extension(name: str, value: Any) -> Callable[[], bytes]:
    return _set(extension=[{"url": "https://gp.example/e", name: value}])


JSON_TEXT: Final = (
    body("empty", lambda: b"", "structure"),
    body("blanks", lambda: b" " * MEGABYTE, "structure"),
    body("null_bytes", lambda: bytes(MEGABYTE), "structure", "invalid"),
    body("list", lambda: b"[]", "structure"),
    body("text", lambda: b'"ServiceRequest"', "structure"),
    body("cut_off", lambda: json.dumps(rest_referral()).encode()[:-9], "structure"),
    body("two_documents", lambda: json.dumps(rest_referral()).encode() * 2, "structure"),
    body("garbage_at_the_end", lambda: json.dumps(rest_referral()).encode() + b"}", "structure"),
    body("comment", lambda: b"/* a */" + json.dumps(rest_referral()).encode(), "structure"),
    body("single_quotes", lambda: str(rest_referral()).encode(), "structure"),
    body("raw_control_character", raw('"a\x01b"'), "structure"),
    body("name_given_twice", lambda: b'{"resourceType":"ServiceRequest","status":"active","status":"draft"}', "structure"),
    body("name_given_twice_in_disguise", lambda: b'{"resourceType":"ServiceRequest","status":"active","st\\u0061tus":"draft"}', "structure"),
    body("name_given_twice_far_below", raw('[[{"a":{"b":1,"c":2,"b":3}}]]'), "structure"),
    body("not_a_number", raw("NaN"), "structure"),
    body("infinity", raw("[1,-Infinity]"), "structure"),
    body("number_of_5_megabytes", raw("9" * (LIMIT - 100)), "value", "structure"),
    body("fraction_of_5_megabytes", raw("0." + "9" * (LIMIT - 100)), "value"),
    body("number_beyond_all_bounds", raw("1e999999999"), "value"),
    body("number_near_nothing", raw("1e-999999999"), "value"),
    body("exponent_of_many_digits", raw("1e" + "9" * MEGABYTE), "value"),
    body("half_a_surrogate_pair", raw('"\\ud800"'), "invalid"),
    body("half_a_pair_in_a_name", lambda: b'{"resourceType":"ServiceRequest","\\udfff":1}', "invalid"),
    body("a_million_halves", raw('"' + "\\ud800" * 800_000 + '"'), "invalid"),
    body("no_utf_8", lambda: json.dumps(rest_referral()).encode()[:-1] + b"\xff}", "invalid"),
    body("overlong_utf_8", lambda: b'{"resourceType":"\xc0\xaf"}', "invalid"),
    body("surrogate_in_utf_8", lambda: b'{"resourceType":"\xed\xa0\x80"}', "invalid"),
    body("utf_8_cut_off", lambda: b'{"resourceType":"\xe2\x82', "invalid"),
    body("byte_order_mark", lambda: b"\xef\xbb\xbf" + json.dumps(rest_referral()).encode(), "invalid"),
    body("utf_16", lambda: json.dumps(rest_referral()).encode("utf-16"), "invalid"),
    body("utf_16_without_a_mark", lambda: json.dumps(rest_referral()).encode("utf-16-le"), "structure", "invalid"),
    body("utf_32", lambda: json.dumps(rest_referral()).encode("utf-32"), "structure", "invalid"),
)  # fmt: skip

DEPTH: Final = (
    body("arrays_100_thousand_deep", nested(b"[", b"]", 100_000), "structure", doors=ONE),
    body("arrays_2_million_deep", nested(b"[", b"]", 2_000_000), "structure", doors=ONE),
    body("objects_100_thousand_deep", nested(b'{"a":', b"}", 100_000), "too-costly", doors=ONE),
    body("arrays_that_never_end", nested(b"[", b"", 5_000_000), "structure", doors=ONE),
    body("objects_that_never_end", nested(b'{"a":', b"", 1_000_000, b""), "structure", "too-costly", doors=ONE),
    body("brackets_in_disguise", raw('"' + '\\"[' * 1_500_000 + '"'), "structure", doors=ONE),
    body("extensions_5_thousand_deep", nested(b'{"url":"a","extension":[', b"]}", 5_000), "structure", doors=ONE),
    body("narrative_100_thousand_deep", _narrative("<b>" * 100_000 + "a" + "</b>" * 100_000), "too-costly", doors=ONE),
    body("narrative_15_thousand_deep", _narrative("<b>" * 15_000 + "a" + "</b>" * 15_000), "invariant", doors=ONE),
)  # fmt: skip

SIZE: Final = (
    body("unknown_properties", lambda: b'{"resourceType":"ServiceRequest",' + b",".join(b'"%x":0' % n for n in range(VALUES)) + b"}", "structure", doors=ONE),
    body("properties_that_nearly_fit", lambda: b'{"resourceType":"ServiceRequest",' + b",".join(b'"supportingInf%x":0' % n for n in range(VALUES)) + b"}", "structure", doors=ONE),
    body("properties_that_nearly_fit_in_every_object", _person(name=[{f"famil{n}": 0 for n in range(50)}] * (VALUES // 51)), "structure", doors=ONE),
    body("name_of_a_megabyte", lambda: b'{"resourceType":"ServiceRequest","' + b"a" * MEGABYTE + b'":1}', "structure", doors=ONE),
    body("empty_names", _person(name=[{"family": ""}] * (VALUES // 2)), "value", doors=ONE),
    body("empty_texts", _person(name=[{"given": [""] * VALUES}]), "value", doors=ONE),
    body("good_texts", _person(name=[{"given": ["a"] * VALUES, "use": "a"}]), "code-invalid", doors=ONE),
    body("nulls", _person(name=[{"given": [None] * VALUES}]), "invariant", doors=ONE),
    body("identifiers", _person(identifier=[{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "1"}] * (VALUES // 3)), "value", doors=ONE),
    body("identifiers_of_strangers", _set(identifier=[{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}] * (VALUES // 3)), "invariant", doors=ONE),
    body("contained_resources", of(lambda tree: tree["contained"].extend([{"resourceType": "Flag", "id": "a"}] * (VALUES // 3))), "required", doors=ONE),
    body("contained_strangers", of(lambda tree: tree["contained"].extend({"resourceType": "Patient", "id": f"a{n}"} for n in range(VALUES // 3))), "invalid", doors=ONE),
    body("contained_parameters", of(lambda tree: tree["contained"].extend({"resourceType": "Parameters", "id": f"a{n}"} for n in range(VALUES // 3))), "not-supported", doors=ONE),
    body("references_to_nothing", of(lambda tree: tree["supportingInfo"].extend([{"reference": "#nobody"}] * (VALUES // 2))), "invariant", doors=ONE),
    body("references_to_strangers", of(lambda tree: tree["supportingInfo"].extend([{"reference": "Patient/1"}] * (VALUES // 2))), "invariant", doors=ONE),
    body("extensions", _set(extension=[{"url": "https://gp.example/e", "valueMoney": {"value": 1.5, "currency": "a"}}] * (VALUES // 5)), "value", doors=ONE),
    body("performers_that_lead_nowhere", _set(performer=[{"display": "a"}] * (VALUES // 2)), "value", doors=ONE),
    body("entries_of_flags", entries(VALUES // 3, lambda _: '{"resource":{"resourceType":"Flag"}}'), "required", "invariant", doors=(Door.TRANSACTION, Door.BARS)),
    body("entries_of_one_name", entries(VALUES // 4, lambda _: '{"fullUrl":"urn:uuid:11111111-2222-4333-8444-555555555555","resource":{"resourceType":"Basic"}}'), "invariant", "not-supported", doors=(Door.TRANSACTION, Door.BARS)),
    body("entries_of_names_of_their_own", entries(VALUES // 4, lambda n: f'{{"fullUrl":"urn:uuid:11111111-2222-4333-8444-{n:012}","resource":{{"resourceType":"Basic"}}}}'), "required", "not-supported", doors=(Door.TRANSACTION, Door.BARS)),
    body("empty_entries", entries(VALUES // 2, lambda _: "{}", "message"), "structure", doors=(Door.TRANSACTION, Door.BARS)),
    body("entries_that_change", entries(VALUES // 6, lambda _: '{"resource":{"resourceType":"Parameters"},"request":{"method":"PUT","url":"a"}}'), "not-supported", doors=(Door.TRANSACTION,)),
    body("entries_of_parameters", entries(VALUES // 6, lambda _: '{"resource":{"resourceType":"Parameters"},"request":{"method":"POST","url":"Parameters"}}'), "required", "not-supported", doors=(Door.TRANSACTION,)),
    body("name_given_twice_after_many", lambda: b'{"resourceType":"ServiceRequest","x":[' + b'{"b":1},' * (VALUES // 2) + b'{"b":1,"b":2}]}', "structure", doors=ONE),
    body("name_given_twice_after_5_megabytes_of_escapes", lambda: b'{"a":"' + b"\\n" * 2_400_000 + b'","b":1,"b":2}', "structure", doors=ONE),
    body("half_a_pair_after_5_megabytes_of_escapes", lambda: b'{"a":"' + b"\\n" * 2_400_000 + b'\\ud800"}', "invalid", doors=ONE),
    body("a_megabyte_of_bad_base64", of(lambda tree: tree["contained"][3]["content"][0]["attachment"].update(data="A" * MEGABYTE + "*")), "value", doors=ONE),
    body("4_megabytes_of_blanks_in_base64", of(lambda tree: tree["contained"][3]["content"][0]["attachment"].update(data=" " * 4 * MEGABYTE)), "value", doors=ONE),
)  # fmt: skip

WEIGHT: Final = (
    *(
        body(f"5_megabytes_of_{name}", many(value), "too-costly", doors=ONE)
        for name, value in {
            "empty_texts": '""',
            "texts": '"a,[{"',
            "fractions": "1.5",
            "objects": '{"a":1}',
            "empty_objects": "{}",
            "arrays_60_deep": "[" * 60 + "]" * 60,
        }.items()
    ),
    body("5_megabytes_of_properties", lambda: b"{" + b",".join(b'"%x":0' % n for n in range(400_000)) + b"}", "too-costly", doors=ONE),
    body("5_megabytes_of_commas", lambda: b"," * (LIMIT - 100), "too-costly", doors=ONE),
    body("5_megabytes_of_quotes", lambda: b'"' * (LIMIT - 100), "too-costly", doors=ONE),
    body("5_megabytes_of_closing_brackets", lambda: b"[[]" + b"]" * (LIMIT - 100), "structure", doors=ONE),
    body("5_megabytes_of_backslashes", lambda: b'{"a":"' + b"\\" * (LIMIT - 100) + b'"}', "required", "structure", doors=ONE),
    body("5_megabytes_and_then_a_name_twice", lambda: many('{"b":1}')()[:-2] + b',{"b":1,"b":2}]}', "too-costly", doors=ONE),
    body("5_megabytes_of_entries", entries(60_000, lambda _: '{"resource":{"resourceType":"Parameters"},"request":{"method":"PUT","url":"a"}}'), "too-costly", doors=(Door.TRANSACTION, Door.BARS)),
)  # fmt: skip

PATTERNS: Final = (
    body("id_that_nearly_fits", _set(id="a" * MEGABYTE + "!"), "value", doors=ONE),
    body("code_that_nearly_fits", _set(code={"coding": [{"code": "a " * 2_400_000}]}), "value", doors=ONE),
    body("uri_that_nearly_fits", _person(identifier=[{"system": "a" * 4 * MEGABYTE + " "}]), "value", doors=ONE),
    body("oid_that_nearly_fits", _extension("valueOid", "urn:oid:1" + ".1" * 2_400_000 + "."), "value", doors=ONE),
    body("uuid_that_nearly_fits", _extension("valueUuid", "urn:uuid:" + "0" * MEGABYTE), "value", doors=ONE),
    body("date_that_nearly_fits", _person(birthDate="1980-02-2" * 100_000), "value", doors=ONE),
    body("time_that_nearly_fits", _set(authoredOn="2026-01-01T00:00:00." + "1" * MEGABYTE), "value", doors=ONE),
    body("instant_that_nearly_fits", _set(meta={"lastUpdated": "2026-01-01T00:00:00." + "1" * MEGABYTE + "X"}), "value", doors=ONE),
    body("media_type_that_nearly_fits", of(lambda tree: tree["contained"][3]["content"][0]["attachment"].update(contentType="a/b" + "; a=b" * 900_000 + "\n")), "value", doors=ONE),
    body("language_that_nearly_fits", _set(language="a-" * 2_400_000), "value", doors=ONE),
    body("text_of_blanks", _person(birthDate=" " * MEGABYTE), "value", doors=ONE),
    body("reference_that_nearly_fits", _set(encounter={"reference": "http://a" + "/Encounter/a" * 430_000 + " "}), "value", doors=ONE),
    body("reference_of_slashes", _set(encounter={"reference": "a://" + "/" * (LIMIT - 9_000) + " "}), "value", doors=ONE),
    body("condition_that_nearly_fits", conditional("=" * 15_000), "value", doors=(Door.TRANSACTION,)),
    body("long_condition_that_nearly_fits", conditional("a" * 4 * MEGABYTE), "value", doors=(Door.TRANSACTION,)),
    body("canonical_that_nearly_fits", _set(instantiatesCanonical=["a|" * 500_000 + " "]), "value", doors=ONE),
    body("digits_in_a_title", of(lambda tree: (tree.update(id="!"), tree["contained"][3]["content"][0]["attachment"].update(title="999 000 " * 120_000))), "value", doors=ONE),
    body("digits_without_end_in_a_title", of(lambda tree: (tree.update(status="draft"), tree["contained"][3]["content"][0]["attachment"].update(title="9" * MEGABYTE))), "invariant", doors=(Door.REST,)),
    body("narrative_of_entities", _narrative("&#97;" * 200_000 + "&a;"), "invariant", doors=ONE),
    body("narrative_of_attributes", _narrative("<p " + " ".join(f'a{n}="b"' for n in range(50_000)) + "/>"), "invariant", doors=ONE),
    body("narrative_of_a_billion_laughs", of(lambda tree: tree.update(text={"status": "generated", "div": "<!DOCTYPE div [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><div xmlns='http://www.w3.org/1999/xhtml'>&b;</div>"})), "invariant", doors=ONE),
    body("narratives_of_tags", _narratives("<b/>" * 100_000), "too-costly", doors=ONE),
    body("narratives_of_tags_in_disguise", lambda: _narratives("<b/>" * 80_000)().replace(b"<", b"\\u003c"), "too-costly", "too-long", status=(400, 413), doors=ONE),
    body("narratives_of_as_many_tags_as_are_read", _narratives("<b/>" * (VALUES // 11)), "required", doors=ONE),
    body("narratives_of_line_ends", _narratives("a\n" * 160_000), "required", doors=ONE),
    body("narratives_of_nothing_but_line_ends", _narratives("\n" * 250_000), "required", doors=ONE),
    body("narratives_of_more_entities", _narratives("&#97;" * 90_000), "required", doors=ONE),
    body("path_of_an_element_that_nearly_fits", of(lambda tree: tree["contained"].append({"resourceType": "StructureDefinition", "differential": {"element": [{"path": "a" + ".a" * 2_000_000 + "!"}]}})), "value", "required", doors=ONE),
    body("path_of_an_element_that_nearly_fits_a_text", of(lambda tree: tree["contained"].append({"resourceType": "StructureDefinition", "differential": {"element": [{"path": "a" + ".a" * 500_000 + "!"}]}})), "invariant", doors=ONE),
    body("urn_that_nearly_fits", _set(encounter={"reference": "urn:oid:1" + ".1" * 2_400_000 + "."}), "value", doors=ONE),
    body("style_that_nearly_fits", _narrative('<p style="' + "a:b;" * 200_000 + 'expression(a)"><script/></p>'), "invariant", doors=ONE),
    body("unknown_resource_type_of_a_megabyte", lambda: b'{"resourceType":"' + b"A" * MEGABYTE + b'"}', "value", doors=ONE),
    body("resource_type_that_is_a_list", lambda: b'{"resourceType":["ServiceRequest"]}', "value", "structure", doors=ONE),
)  # fmt: skip


def _lines(name: str, request: Request, status: Iterable[int], *codes: str, **more: Any) -> Hostile:
    return Hostile(name=name, make=lambda: request, status=tuple(status), codes=codes, **more)


def _good() -> bytes:
    return json.dumps(rest_referral()).encode()


def _encoded(tree: object) -> str:
    text = tree if isinstance(tree, str) else json.dumps(tree)
    return base64.b64encode(text.encode()).decode()


def _target(name: str, value: str) -> Hostile:
    headers = {"NHSD-Target-Identifier": value}
    return _lines(f"target_{name}", Request(body=b"{}", headers=headers), (400,), "value", "structure", "required", doors=BARS)  # fmt: skip


_UUID: Final = "11111111-2222-4333-8444-555555555555"

LENGTHS: Final = (
    body("over_the_limit", lambda: b" " * (LIMIT + 1), "too-long", status=(413,)),
    body("twice_the_limit", lambda: b" " * (LIMIT * 2), "too-long", status=(413,)),
    Hostile(name="over_the_limit_in_chunks", make=lambda: Request(body=b" " * (LIMIT + 1), length=None), status=(413,), codes=("too-long",)),
    Hostile(name="far_over_the_limit_in_chunks", make=lambda: Request(body=b" " * (LIMIT * 6), length=None), status=(413,), codes=("too-long",)),
    _lines("length_of_a_terabyte", Request(body=b"{}", length=2**40), (413,), "too-long"),
    _lines("length_longer_than_the_body", Request(body=b'{"resourceType":', length=1000), (400,), "structure", "invalid"),
    _lines("length_shorter_than_the_body", Request(body=_good(), length=100), (400,), "structure"),
    _lines("length_below_zero", Request(body=b"{}", length="-5"), (400,)),
    _lines("length_in_words", Request(body=b"{}", length="many"), (400,)),
    _lines("two_lengths", Request(body=b"{}", raw_headers=[b"Content-Length: 1"]), (400,)),
    _lines("length_and_chunks", Request(body=_good(), length=None, raw_headers=[b"Content-Length: 5"]), (400,)),
    _lines("chunk_of_no_size", Request(body=b"zz\r\n", length="", raw_headers=[b"Transfer-Encoding: chunked"]), (400,), "structure", "invalid"),
    _lines("chunks_that_are_packed", Request(body=b"{}", length="", raw_headers=[b"Transfer-Encoding: gzip, chunked"]), (400, 415), "invalid", "structure", "not-supported"),
    _lines("no_length", Request(length=""), (400,), "structure"),
    *(
        Hostile(name=f"bomb_packed_as_{name}", make=bomb(name), status=(415,), codes=("not-supported",), doors=ONE)
        for name in ("gzip", "GZIP", "deflate", "br", "identity, gzip", "x-gzip")
    ),
)  # fmt: skip

HEADERS: Final = (
    *(
        _lines(f"media_type_{name}", Request(body=_good(), headers={"Content-Type": text}), (415,), "not-supported")
        for name, text in {
            "none": "",
            "text": "text/plain",
            "html": "text/html",
            "form": "application/x-www-form-urlencoded",
            "utf_16": "application/fhir+json; charset=utf-16",
            "utf_7": "application/fhir+json; charset=utf-7",
            "turtle": "application/fhir+turtle",
            "of_6_kilobytes": "application/" + "a" * 6_000,
        }.items()
    ),
    _lines("id_with_line_ends", Request(body=_good(), headers={"X-Request-Id": f"{_UUID}%0d%0aSet-Cookie: a=b"}), (400,), "value"),
    _lines("id_with_a_null_byte", Request(body=_good(), headers={"X-Request-Id": f"{_UUID}\x00"}), (400,)),
    _lines("id_in_braces", Request(body=_good(), headers={"X-Correlation-Id": "{" + _UUID + "}"}), (400,), "value"),
    _lines("id_without_hyphens", Request(body=_good(), headers={"X-Correlation-Id": _UUID.replace("-", "")}), (400,), "value"),
    _lines("id_in_other_letters", Request(body=_good(), headers={"X-Request-Id": "\xe9" * 36}), (400,), "value"),
    _lines("id_that_is_a_script", Request(body=_good(), headers={"X-Request-Id": "<script>alert(1)</script>"}), (400,), "value"),
    _lines("two_ids", Request(body=_good(), raw_headers=[b"X-Request-Id: " + _UUID.encode()]), (400,), "value"),
    _lines("header_of_64_kilobytes", Request(body=_good(), headers={"X-Other": "a" * 65_536}), (400, 431)),
    _lines("thousand_headers", Request(body=_good(), raw_headers=[b"X-%d: a" % n for n in range(1_000)]), (400, 431)),
    _lines("folded_header", Request(body=_good(), raw_headers=[b"X-Other: a\r\n b"]), (400,)),
    _lines("header_without_a_name", Request(body=_good(), raw_headers=[b": a"]), (400,)),
    _lines("header_with_a_blank_in_its_name", Request(body=_good(), raw_headers=[b"X Other: a"]), (400,)),
    _lines("accept_of_another_major_version", Request(body=_good(), headers={"Accept": "application/fhir+json; version=" + "9" * 4}), (406,), "processing"),
    _lines("accept_of_a_thousand_parts", Request(body=b"{}", headers={"Accept": ",".join(["a/b;q=0.1"] * 700)}), (406,), "processing"),
    _lines("accept_of_another_kind", Request(body=_good(), headers={"Accept": "image/png"}), (406,), "processing"),
    _lines("no_token", Request(body=_good(), headers={"Authorization": None}), (401,), "login", "security", "unknown"),
    _lines("token_of_nothing", Request(body=_good(), headers={"Authorization": "Bearer "}), (401,), "login", "security", "unknown"),
    _lines("token_of_another_scheme", Request(body=_good(), headers={"Authorization": "Basic YTpi"}), (401,), "login", "security", "unknown"),
    _lines("token_of_6_kilobytes", Request(body=_good(), headers={"Authorization": "Bearer " + "a" * 6_000}), (401,), "login", "security", "unknown"),
    _lines("token_in_other_letters", Request(body=_good(), headers={"Authorization": "Bearer \xff\xfe"}), (401,), "login", "security", "unknown"),
    _lines("method_overridden", Request(body=b"{}", headers={"X-HTTP-Method-Override": "DELETE"}), (400,), "required"),
    _target("that_is_missing", ""),
    _target("that_is_not_base64", "not base64!"),
    _target("of_the_other_alphabet", "_-__"),
    _target("in_other_letters", "\xe9\xe9"),
    _target("that_is_no_json", _encoded("{")),
    _target("that_is_deep", _encoded("[" * 3_000)),
    _target("that_is_no_number", _encoded('{"value":NaN,"system":1}')),
    _target("that_is_a_huge_number", _encoded("9" * 5_000)),
    _target("given_twice", _encoded(f'{{"system":"{DOS}","value":"9000000001","value":"2"}}')),
    _target("with_a_value_that_is_an_object", _encoded({"system": DOS, "value": {"a": 1}})),
    _target("that_climbs_out", _encoded({"system": DOS, "value": "../../etc/passwd"})),
    _target("with_a_line_end", _encoded({"system": DOS, "value": "9000000001\r\nX: y"})),
    _lines("organisation_of_many_codes", Request(body=b"{}", headers={"NHSD-End-User-Organisation": _encoded({"identifier": [{"system": "a"}] * 200})}), (400, 401), "security", "value", doors=BARS),
    _lines("organisation_that_is_deep", Request(body=b"{}", headers={"NHSD-End-User-Organisation": _encoded("[" * 3_000)}), (400,), "value", doors=BARS),
)  # fmt: skip


def _path(name: str, path: str, status: Sequence[int] = (404,), *codes: str, method: str = "GET") -> Hostile:  # fmt: skip
    request = Request(path=f"/FHIR/R4{path}", method=method, length="")
    return _lines(f"path_{name}", request, status, *(codes or ("not-found",)), doors=ONE)


PATHS: Final = (
    _path("that_climbs_out", "/ServiceRequest/../../etc/passwd"),
    _path("that_climbs_out_escaped", "/ServiceRequest/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    _path("with_a_null_byte", "/ServiceRequest/a%00b"),
    _path("that_is_very_long", "/ServiceRequest/" + "a" * 4_000),
    _path("that_is_no_uuid", "/ServiceRequest/1%20or%201=1"),
    _path("in_other_letters", "/ServiceRequest/%ff%fe"),
    _path("of_line_ends", "/ServiceRequest/%0d%0aSet-Cookie:%20a=b"),
    _path("with_two_slashes", "//ServiceRequest"),
    _path("of_another_case", "/servicerequest", method="POST"),
    _path("by_another_method", "/ServiceRequest", (405,), "not-supported", method="TRACE"),
    _path("of_a_template", "/ServiceRequest/{{7*7}}"),
    _path("version_that_climbs_out", f"/ServiceRequest/{_UUID}/_history/..%2f1"),
)

KNOWN: Final[Mapping[str, str]] = {}
"""Requests that are not yet refused as they should be, each with the reason."""

HOSTILE_JSON: Final[tuple[Hostile, ...]] = (
    *JSON_TEXT,
    *DEPTH,
    *SIZE,
    *WEIGHT,
    *PATTERNS,
    *LENGTHS,
    *HEADERS,
    *PATHS,
)
