"""Attachments are what their bytes are, and do nothing."""

import base64
import hashlib
import zlib

import pytest

from gateway.errors import IssueCode, Severity
from gateway.referral.json import JsonObject
from gateway.writeback import pdf
from gateway.writeback.attachments import (
    MAX_BYTES,
    Bearing,
    FaultCode,
    Inspected,
    Kind,
    elsewhere,
    inspect,
    sniff,
)

PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n%%EOF"


def attach(data: bytes, type_: str | None = None, **more: str) -> JsonObject:
    typed: JsonObject = {} if type_ is None else {"contentType": type_}
    return typed | {"data": base64.b64encode(data).decode()} | more


def look(data: bytes, type_: str | None = None, **more: str) -> Inspected:
    return inspect(attach(data, type_, **more), "Binary")


def codes(inspected: Inspected) -> list[FaultCode]:
    return [fault.code for fault in inspected.faults]


def a_pdf(body: bytes) -> bytes:
    return b"%PDF-1.7\n1 0 obj <<" + body + b">> endobj\n%%EOF"


def packed(
    inner: bytes, dictionary: bytes = b"/Type /ObjStm /Filter /FlateDecode", tail: bytes = b""
) -> bytes:
    stream = zlib.compress(inner) + tail
    return b"%PDF-1.7\n4 0 obj <<" + dictionary + b">> stream\n" + stream + b"\nendstream endobj"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PDF, Kind.PDF),
        (b"\xff\xd8\xff\xe0", Kind.JPEG),
        (b"\x89PNG\r\n\x1a\n", Kind.PNG),
        (b"II*\x00", Kind.TIFF),
        (b"MM\x00*", Kind.TIFF),
        (b"Fit for work, from Monday.", Kind.TEXT),
        (b"Se\xf1or: work is fine", Kind.TEXT),
        (b"[illegible] says <5 units", Kind.TEXT),
        ("Fit".encode("utf-16"), Kind.TEXT),
        (b"<!DOCTYPE html>\n<html><p>Fit</p></html>", Kind.HTML),
        (b"<p>Fit</p>", Kind.HTML),
        (b'{"resourceType":"Observation"}', Kind.DATA),
        (b'\xef\xbb\xbf [ {"resourceTyp\\u0065":"Observation"}]', Kind.DATA),
        ('{"resourceType":"Observation"}'.encode("utf-16"), Kind.DATA),
        (b'Dear GP,\n{"resourceType": "Observation"}', Kind.DATA),
        (b'<?xml version="1.0"?><Observation xmlns="http://hl7.org/fhir"/>', Kind.DATA),
        (b"<x:ClinicalDocument/>", Kind.DATA),
        (b"<anything/>", Kind.DATA),
        (b"MSH|^~\\&|A", Kind.DATA),
        (b"Dear GP\rMSH|^~\\&|A", Kind.DATA),
        (b"UNA:+.? '", Kind.DATA),
        (b"UNB+UNOA", Kind.DATA),
        (b"PK\x03\x04\x00\x00", Kind.UNKNOWN),
        (b"\x81\x00", Kind.UNKNOWN),
        (b"\xff\xfe\x00\xd8\x00", Kind.UNKNOWN),
    ],
)
def test_bytes_are_told_by_what_they_are(data: bytes, kind: Kind) -> None:
    assert sniff(data) is kind


@pytest.mark.parametrize(
    ("data", "type_", "faults", "is_readable"),
    [
        (PDF, "application/pdf", [], True),
        (PDF, None, [], True),
        (b"Fit", "text/plain; charset=utf-8", [], True),
        (b"Fit", "text/html", [], True),
        (b"<p>Fit</p>", "text/html", [], True),
        (b"<p> </p>", "text/html", [], False),
        (b"\xff\xd8\xff\xe0", "image/jpg", [], False),
        (PDF, "text/plain", [FaultCode.TYPE_DIFFERS], False),
        (b"<p>Fit</p>", "text/plain", [FaultCode.TYPE_DIFFERS], False),
        (PDF, "application/octet-stream", [FaultCode.TYPE_DIFFERS], False),
        (b"PK\x03\x04\x00", "application/pdf", [FaultCode.TYPE_NOT_TAKEN], False),
        (b"PK\x03\x04\x00", "text/html", [FaultCode.TYPE_NOT_TAKEN], False),
    ],
)
def test_what_an_attachment_says_is_checked_against_what_it_is(
    data: bytes, type_: str | None, faults: list[FaultCode], *, is_readable: bool
) -> None:
    inspected = look(data, type_)
    assert (codes(inspected), inspected.is_readable) == (faults, is_readable)
    assert not inspected.hides_codes


@pytest.mark.parametrize("type_", ["application/pdf", "text/plain", None, "application/fhir+json"])
def test_data_for_a_machine_is_codes_whatever_it_says_that_it_is(type_: str | None) -> None:
    inspected = look(b'{"resourceType":"Observation"}', type_)
    assert inspected.hides_codes
    assert not inspected.is_readable
    lies = type_ in {"application/pdf", "text/plain"}
    assert codes(inspected) == ([FaultCode.TYPE_DIFFERS] if lies else [])


DATA = b'\n{"resourceType":"Observation"}'
PNG, JPEG, TIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00"


@pytest.mark.parametrize(
    "file",
    [
        PDF + DATA,
        PDF + b"1 0 obj <</Filter /FlateDecode>> stream\n" + zlib.compress(DATA) + b"\nendstream",
        PDF + b"/Encrypt 5 0 R" + DATA,
        PDF + b'<x xmlns="http://hl7.org/fhir"/>',
        PNG + DATA,
        JPEG + b"<ClinicalDocument/>",
        TIFF + b"\rMSH|^~\\&|",
    ],
)
def test_data_behind_what_a_person_sees_is_codes_and_is_refused(file: bytes) -> None:
    inspected = look(file)
    assert inspected.hides_codes
    assert not inspected.is_readable
    assert FaultCode.HIDDEN_DATA in codes(inspected)
    (fault,) = [each for each in inspected.faults if each.code is FaultCode.HIDDEN_DATA]
    assert fault.bearing is Bearing.REFUSE


@pytest.mark.parametrize(
    "body",
    [
        b"/OpenAction 5 0 R",
        b"/S /JavaScript /JS (app.alert)",
        b"/S /J#61vaScript",
        b"/J#53 (x)",
        b"/JS 5 0 R",
        b"/JS %\n<41>",
        b"/AA <<>>",
        b"/AA 5 0 R",
        b"/S /Launch",
        b"/Names <</EmbeddedFiles 5 0 R>>",
        b"/Type /EmbeddedFile",
        b"/Subtype /RichMedia",
        b"/XFA[5 0 R]",
        b"/S/SubmitForm",
        b"/S /ImportData",
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_pdf_that_acts_is_refused(body: bytes, *, is_packed: bool) -> None:
    inspected = look(packed(b"1 0 <<" + body + b">>") if is_packed else a_pdf(body))
    assert codes(inspected) == [FaultCode.ACTIVE_PDF]
    assert inspected.faults[0].bearing is Bearing.REFUSE
    assert not inspected.is_readable


@pytest.mark.parametrize("body", [b"/JSON 1", b"/AA (x)", b"/Launcher 1", b"(JavaScript)"])
def test_a_pdf_with_a_name_that_only_looks_like_one_is_taken(body: bytes) -> None:
    assert codes(look(a_pdf(body))) == []


def test_what_a_damaged_stream_gives_before_its_damage_counts() -> None:
    inner = b"/S /JavaScript " + bytes(range(256)) * 40
    stream = zlib.compress(inner)[:-200] + b"\x00" * 200
    head = b"%PDF-1.7\n4 0 obj <</Filter /FlateDecode>> stream\n"
    assert codes(look(head + stream)) == [FaultCode.ACTIVE_PDF]


@pytest.mark.parametrize(
    "data",
    [
        a_pdf(b"/Encrypt 5 0 R"),
        packed(b"1 0 <<>>", b"/Type /ObjStm /Filter [/ASCIIHexDecode /FlateDecode]"),
        packed(b"1 0 <<>>", b"/Type /ObjStm /Filter 9 0 R"),
        packed(b"1 0 <<>>", b"/Type /ObjStm /Filter /FlateDecode /DecodeParms <<>>"),
        b"%PDF-1.7\n4 0 obj <</Type /ObjStm /Filter /FlateDecode>> stream\nnot deflated",
    ],
)
def test_a_pdf_that_cannot_be_looked_into_is_held(data: bytes) -> None:
    inspected = look(data)
    assert codes(inspected) == [FaultCode.UNREADABLE_PDF]
    assert inspected.faults[0].bearing is Bearing.HOLD


def test_a_pdf_that_inflates_without_end_is_held() -> None:
    many = look(b"%PDF-1.7\n" + b"stream\n" * (pdf.MAX_STREAMS + 2))
    assert codes(many) == [FaultCode.UNREADABLE_PDF]
    inspected = look(packed(b"\x00" * (pdf.MAX_INFLATED + 1), b"/Filter /FlateDecode"))
    assert codes(inspected) == [FaultCode.UNREADABLE_PDF]


@pytest.mark.parametrize(
    "data",
    [
        packed(b"1 0 <</Type /Page>>"),
        b"%PDF-1.7\n4 0 obj <</Type /ObjStm>> stream\n1 0 <<>>\nendstream endobj",
        b"%PDF-1.7\nstream\nx",
    ],
)
def test_a_pdf_with_plain_streams_is_taken(data: bytes) -> None:
    assert codes(look(data)) == []


ACTIVE, LOADS, HIDES = FaultCode.ACTIVE_HTML, FaultCode.LOADING_HTML, FaultCode.HIDDEN_DATA


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ("<h1>Fit</h1><br><p title='a'>from <b>Monday</b></i></p>", []),
        ("<meta charset='utf-8'><title>x</title><style>p {color: red}</style>Fit", []),
        ("<a href='https://example.org'>x</a><img src='#logo'>", []),
        ("<script>x()</script>", [ACTIVE]),
        ("<SCRIPT src=x>", [ACTIVE, LOADS]),
        ("<script", [ACTIVE]),
        ("<a " * 100_000, [ACTIVE]),
        ("<p onclick='x()'>Fit</p>", [ACTIVE]),
        ("<p/onclick=x>Fit", [ACTIVE]),
        ("<a href='java\tscript:x()'>x</a>", [ACTIVE]),
        ("<a href='&#106;avascript:x()'>x</a>", [ACTIVE]),
        ("<a href='data:text/html,x'>x</a>", [ACTIVE]),
        ("<iframe src='https://example.org'></iframe>", [ACTIVE, LOADS]),
        ("<form><input></form>", [ACTIVE]),
        ("<svg></svg>", [ACTIVE]),
        ("<link href='x'>", [ACTIVE]),
        ("<![CDATA[x]]>", [ACTIVE]),
        ("<![if x]>", [ACTIVE]),
        ("<!DOCTYPE html SYSTEM 'entity'>", [ACTIVE]),
        ("<?php x ?>", [ACTIVE]),
        ("<!DOCTYPE html [<!ENTITY x 'y'>]>", [ACTIVE]),
        ("<p>" * 300, [ACTIVE]),
        ("<img src='https://example.org/x.png'>", [LOADS]),
        ("<p style='background: url(x)'>Fit</p>", [LOADS]),
        ("<style>@import 'x'</style>", [LOADS]),
        ("<p style='width: expression(x)'>Fit</p>", [ACTIVE]),
        ("<p data-code='38341003'>Fit</p>", [HIDES]),
        ("<p property='code'>Fit</p>", [HIDES]),
        ("<p itemprop='code'>Fit</p>", [HIDES]),
        ("<p about='x' typeof='y'>Fit</p>", [HIDES]),
        ("<a rel='schema:code' href='#x'>Fit</a>", [HIDES]),
        ("<p class='c-38341003x'>Fit</p>", []),
        ("<p class='c_38341003'>Fit</p>", [HIDES]),
        ("<p class='c_38341004'>Fit</p>", []),
        ("<p>Fit<!-- 38341003 --></p>", [HIDES]),
        ("<meta name='code' content='x'>", [HIDES]),
        ("<meta property='x'>", [HIDES]),
    ],
)
def test_html_that_does_more_than_show_text_is_refused(body: str, faults: list[FaultCode]) -> None:
    inspected = look(f"<html><body>{body}</body></html>".encode(), "text/html")
    assert sorted(codes(inspected)) == sorted(faults)
    assert inspected.hides_codes is (HIDES in faults)


def test_the_prolog_of_html_is_let_through() -> None:
    assert (
        codes(look(b"<?xml version='1.0'?><!DOCTYPE html><html><p>Fit</p></html>", "text/html"))
        == []
    )


def test_base64_with_white_space_is_taken() -> None:
    text = base64.b64encode(PDF).decode()
    broken = "\r\n ".join(text[i : i + 8] for i in range(0, len(text), 8))
    assert inspect({"data": broken}, "Binary").is_readable


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("JVBERi0*", FaultCode.NOT_BASE64),
        ("Rm*l0", FaultCode.NOT_BASE64),
        ("JVBERi0", FaultCode.NOT_BASE64),
        ("é", FaultCode.NOT_BASE64),
        (7, FaultCode.NOT_BASE64),
        ("", FaultCode.EMPTY),
        ("A" * (MAX_BYTES + 4), FaultCode.TOO_LARGE),
    ],
)
def test_data_that_cannot_be_decoded_is_refused(data: str | int, code: FaultCode) -> None:
    inspected = inspect({"data": data}, "Binary")
    assert codes(inspected) == [code]
    assert inspected.kind is Kind.UNKNOWN


def test_a_hash_must_be_that_of_the_bytes() -> None:
    right = base64.b64encode(hashlib.sha1(PDF, usedforsecurity=False).digest()).decode()
    assert look(PDF, hash=right).is_readable
    wrong = look(PDF, hash=right[::-1])
    assert codes(wrong) == [FaultCode.HASH_DIFFERS]
    assert wrong.faults[0].expression == "Binary.hash"


def test_a_fault_becomes_a_line_of_an_operation_outcome() -> None:
    refused = look(a_pdf(b"/S /Launch")).faults[0].as_fault()
    assert (refused.severity, refused.code) == (Severity.ERROR, IssueCode.SECURITY)
    assert "/Launch" in refused.diagnostics
    assert "Print it" in refused.diagnostics
    held = elsewhere("Binary").as_fault()
    assert (held.severity, held.code, held.expression) == (
        Severity.WARNING,
        IssueCode.VALUE,
        "Binary.url",
    )
