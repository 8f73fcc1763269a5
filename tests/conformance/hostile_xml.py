"""Hostile XML, as data. See `tests.conformance.hostile`."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.conformance.hostile import LIMIT, MEGABYTE, Hostile
from tests.conformance.messages import Door, Format, body_of, rest_referral
from tests.conformance.wire import Request

_START: Final = b'<ServiceRequest xmlns="http://hl7.org/fhir">'
_END: Final = b"</ServiceRequest>"
_PREFIX: Final = b"a" * MEGABYTE
_DIV: Final = b'<div xmlns="http://www.w3.org/1999/xhtml">'


def xml(
    name: str, make: Callable[[], bytes], *codes: str, status: Sequence[int] = (400,), **more: Any
) -> Hostile:
    """A hostile body of XML; the answer is XML too."""
    return Hostile(
        name=f"xml_{name}",
        make=lambda: Request(body=make()),
        codes=codes or ("structure", "invalid"),
        status=status,
        form=Format.XML,
        doors=(Door.REST,),
        **more,
    )


def within(inner: bytes, before: bytes = b"") -> Callable[[], bytes]:
    """Something inside a ServiceRequest, and something before it."""
    return lambda: before + _START + inner + _END


def good() -> bytes:
    return body_of(rest_referral(), Format.XML)


def text(inner: bytes) -> Callable[[], bytes]:
    """A referral whose narrative is this."""
    narrative = b'<text><status value="generated"/>' + _DIV + inner + b"</div></text>"
    return lambda: good().replace(b"<contained>", narrative + b"<contained>", 1)


def _doctype(inside: bytes, use: bytes = b"&a;") -> Callable[[], bytes]:
    return within(b'<status value="' + use + b'"/>', b"<!DOCTYPE ServiceRequest [" + inside + b"]>")


_LAUGHS: Final = b'<!ENTITY a0 "ha">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
)

XML: Final[tuple[Hostile, ...]] = (
    xml("empty", lambda: b""),
    xml("blanks", lambda: b" " * MEGABYTE),
    xml("no_xml", lambda: b"<<<"),
    xml("json", lambda: b'{"resourceType":"ServiceRequest"}'),
    xml("cut_off", lambda: good()[:-9]),
    xml("two_roots", lambda: good() + _START + _END),
    xml("garbage_at_the_end", lambda: good() + b"garbage"),
    xml("null_bytes", lambda: bytes(MEGABYTE)),
    xml("null_byte_in_a_value", within(b'<id value="a\x00b"/>')),
    xml("null_by_reference", within(b'<id value="a&#0;b"/>')),
    xml("doctype", within(b"", b"<!DOCTYPE ServiceRequest>")),
    xml("doctype_of_a_file", within(b"", b'<!DOCTYPE ServiceRequest SYSTEM "file:///etc/passwd">')),
    xml("doctype_of_an_address", within(b"", b'<!DOCTYPE ServiceRequest SYSTEM "http://127.0.0.1:9/a.dtd">')),
    xml("doctype_in_lower_case", within(b"", b"<!doctype ServiceRequest>")),
    xml("doctype_after_a_comment", within(b"", b"<!-- a --><!DOCTYPE ServiceRequest []>")),
    xml("entity", _doctype(b'<!ENTITY a "active">')),
    xml("entity_of_a_file", _doctype(b'<!ENTITY a SYSTEM "file:///etc/passwd">')),
    xml("entity_of_an_address", _doctype(b'<!ENTITY a SYSTEM "http://127.0.0.1:9/a">')),
    xml("entity_of_parameters", _doctype(b'<!ENTITY % a SYSTEM "http://127.0.0.1:9/a"> %a;', b"b")),
    xml("billion_laughs", _doctype(_LAUGHS, b"&a11;")),
    xml("quadratic_growth", _doctype(b'<!ENTITY a "' + b"a" * MEGABYTE + b'">', b"&a;" * 100_000)),
    xml("entity_that_is_not_declared", within(b'<status value="&a;"/>')),
    xml("include", within(b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>')),
    xml("elements_100_thousand_deep", within(b'<extension url="a">' * 100_000 + b"</extension>" * 100_000), "too-costly", "structure"),
    xml("elements_400_thousand_deep", within(b"<a>" * 700_000 + b"</a>" * 700_000), "too-costly", "structure"),
    xml("elements_that_never_end", within(b"<a>" * 1_700_000), "too-costly", "structure"),
    xml("comments_without_end", within(b"<!--a-->" * 600_000, b""), "required", "structure", "too-costly"),
    xml("instructions_without_end", within(b"<?a b?>" * 700_000), "required", "structure", "too-costly"),
    xml("schema_of_its_own", within(b'<id value="a" xsi:type="b" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>')),
    xml("attribute_given_twice", within(b'<status value="active" value="draft"/>')),
    xml("attribute_that_is_unknown", within(b'<status value="active" colour="red"/>')),
    xml("attribute_of_5_megabytes", within(b'<id value="' + b"a" * (LIMIT - 200) + b'"/>'), "value"),
    xml("attributes_without_end", within(b"<id " + b" ".join(b'a%x="b"' % n for n in range(400_000)) + b"/>")),
    xml("namespaces_without_end", within(b"<id " + b" ".join(b'xmlns:a%x="b"' % n for n in range(250_000)) + b"/>"), "structure", "invalid", "required"),
    xml("name_of_a_megabyte", within(b"<" + b"a" * MEGABYTE + b"/>")),
    xml("text_between_elements", within(b"some text")),
    xml("text_in_cdata", within(b"<![CDATA[some text]]>")),
    xml("no_namespace", lambda: b"<ServiceRequest/>"),
    xml("another_namespace", lambda: b'<ServiceRequest xmlns="https://gp.example"/>'),
    xml("element_of_another_namespace", within(b'<status xmlns="https://gp.example" value="active"/>')),
    xml("unknown_resource_type", lambda: b'<Referral xmlns="http://hl7.org/fhir"/>', "value", "structure"),
    xml("no_utf_8", within(b'<id value="\xff"/>')),
    xml("encoding_latin_1", within(b"", b'<?xml version="1.0" encoding="ISO-8859-1"?>')),
    xml("encoding_that_is_a_lie", within(b"", b'<?xml version="1.0" encoding="UTF-16"?>')),
    xml("encoding_utf_7", within(b"", b'<?xml version="1.0" encoding="UTF-7"?>')),
    xml("encoding_that_is_unknown", within(b"", b'<?xml version="1.0" encoding="a"?>')),
    xml("utf_16", lambda: good().decode().replace("UTF-8", "UTF-16").encode("utf-16")),
    xml("utf_32", lambda: good().decode().encode("utf-32")),
    xml("byte_order_mark", lambda: b"\xef\xbb\xbf" + good()),
    xml("version_of_its_own", within(b"", b'<?xml version="1.1"?>'), "structure", "invalid", "required"),
    xml("blank_before_the_declaration", lambda: b" " + good()),
    xml("5_megabytes_of_elements", within(b"<a/>" * (LIMIT // 4 - 30)), "structure", "too-costly"),
    xml("200_thousand_names", lambda: good().replace(b"<name>", b"<name><family/></name>" * 150_000 + b"<name>"), "structure", "value", "too-costly"),
    xml("number_beyond_all_bounds", lambda: good().replace(b"<code>", b'<quantityQuantity><value value="1e999999999"/></quantityQuantity><code>', 1), "value", "structure"),
    xml("number_of_5_megabytes", within(b'<quantityQuantity><value value="' + b"9" * (LIMIT - 300) + b'"/></quantityQuantity>'), "value", "structure"),
    xml("narrative_100_thousand_deep", text(b"<b>" * 100_000 + b"a" + b"</b>" * 100_000), "structure", "too-costly", "invariant"),
    xml("narrative_of_line_ends", text(b"a\n" * 1_000_000), "value"),
    xml("line_ends_between_elements", within(b'<status value="active"/>' + b"\n" * (LIMIT - 200)), "required"),
    xml("narrative_of_a_long_prefix", lambda: text(b"%b:" % _PREFIX)().replace(b"<ServiceRequest ", b'<ServiceRequest xmlns:%b="a" ' % _PREFIX, 1), "value", "invariant", "structure"),
    xml("narrative_with_a_script", text(b"<script>x()</script>"), "invariant"),
    xml("narrative_with_an_entity", text(b"a&nbsp;b")),
    xml("narrative_of_attributes", text(b"<p " + b" ".join(b'a%x="b"' % n for n in range(200_000)) + b">a</p>"), "invariant", "structure"),
    xml("over_the_limit", lambda: b" " * (LIMIT + 1), "too-long", status=(413,)),
)  # fmt: skip
