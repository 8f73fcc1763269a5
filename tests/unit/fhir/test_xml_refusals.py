"""What FHIR XML may not hold is refused at its place, quickly, and never quoted."""

import tracemalloc
from typing import Final

import pytest

from gateway.errors import BodyTooLargeError, IssueCode, MessageError
from gateway.fhir.json_text import MAX_BYTES
from gateway.fhir.xml_reader import Reader
from gateway.fhir.xml_text import MAX_TAGS, read_xml
from tests.builders.stopwatch import within

FHIR: Final = "http://hl7.org/fhir"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XHTML: Final = "http://www.w3.org/1999/xhtml"
ROOT: Final = f'Patient xmlns="{FHIR}"'


def patient(inner: str, *, before: str = "", root: str = ROOT) -> bytes:
    return f"{before}<{root}>{inner}</{root.split(maxsplit=1)[0]}>".encode()


def narrative(div: str) -> bytes:
    return patient(f'<text><status value="generated"/>{div}</text>')


BOMB: Final = (
    '<!DOCTYPE a [<!ENTITY a0 "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)

DOCTYPES: Final = {
    "entity_bomb": patient('<gender value="&a11;"/>', before=BOMB),
    "external_entity": patient(
        '<gender value="&a;"/>', before='<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    ),
    "parameter_entity": patient(
        "", before='<!DOCTYPE a [<!ENTITY % a SYSTEM "http://127.0.0.1:9/a"> %a;]>'
    ),
    "external_subset": patient("", before='<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'),
    "plain": patient("", before="<!DOCTYPE html>"),
    "cut_short": b"<!DOCTYPE",
    "after_a_declaration_and_a_comment": patient(
        "", before='<?xml version="1.0"?>\n<!-- > --><?a ?>\n<!DOCTYPE html>'
    ),
}


@pytest.mark.parametrize("name", DOCTYPES)
def test_a_document_type_is_refused_before_it_does_anything(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        read_xml(DOCTYPES[name])
    [fault] = caught.value.faults
    assert (fault.code, fault.expression) == (IssueCode.STRUCTURE, None)
    assert "document type" in fault.diagnostics


def test_the_parser_would_refuse_it_as_well() -> None:
    with pytest.raises(MessageError, match="document type"):
        Reader(DOCTYPES["entity_bomb"], 64).parse()


BROKEN: Final = {
    "empty": (b"", IssueCode.STRUCTURE, "empty"),
    "blank": (b" \n", IssueCode.STRUCTURE, "empty"),
    "byte_order_mark": (b"\xef\xbb\xbf" + patient(""), IssueCode.INVALID, "byte order mark"),
    "utf_16": (patient("").decode().encode("utf-16"), IssueCode.INVALID, "byte order mark"),
    "utf_16_unmarked": (
        patient("").decode().encode("utf-16-le"),
        IssueCode.INVALID,
        "null bytes",
    ),
    "latin_1": (patient("").replace(b">", b">\xe9", 1), IssueCode.INVALID, "byte 38"),
    "another_encoding_named": (
        patient("", before='<?xml version="1.0" encoding="iso-8859-1"?>'),
        IssueCode.INVALID,
        "another encoding",
    ),
    "utf_16_named": (
        patient("", before='<?xml version="1.0" encoding="UTF-16"?>'),
        IssueCode.INVALID,
        "another encoding",
    ),
    "json": (b'{"resourceType":"Patient"}', IssueCode.STRUCTURE, "line 1, column 1"),
    "null_byte": (patient('<gender value="a\x00"/>'), IssueCode.INVALID, "null bytes"),
    "escaped_null": (patient('<gender value="&#0;"/>'), IssueCode.STRUCTURE, "line 1, column"),
    "control_character": (patient("\n<gender value='\x01'/>"), IssueCode.STRUCTURE, "line 2"),
    "no_character": (patient("<gender value='\ufffe'/>"), IssueCode.STRUCTURE, "line 1"),
    "undeclared_entity": (patient('<gender value="&nbsp;"/>'), IssueCode.STRUCTURE, "undefined"),
    "undeclared_prefix": (patient("<x:gender/>"), IssueCode.STRUCTURE, "prefix"),
    "two_roots": (patient("") * 2, IssueCode.STRUCTURE, "after document element"),
    "text_after_the_root": (patient("") + b"a", IssueCode.STRUCTURE, "line 1"),
    "unclosed": (patient("")[:-1], IssueCode.STRUCTURE, "line 1"),
    "crossed": (patient("<name><given></name></given>"), IssueCode.STRUCTURE, "mismatched"),
    "attribute_twice": (
        patient('<gender value="a" value="b"/>'),
        IssueCode.STRUCTURE,
        "duplicate attribute",
    ),
    "attribute_without_quotes": (patient("<gender value=a/>"), IssueCode.STRUCTURE, "line 1"),
    "no_namespace": (patient("", root="Patient"), IssueCode.STRUCTURE, "namespace"),
    "wrong_namespace": (
        patient("", root='Patient xmlns="urn:a"'),
        IssueCode.STRUCTURE,
        "namespace",
    ),
    "xinclude_at_the_root": (
        patient("", root='x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd"'),
        IssueCode.STRUCTURE,
        "namespace",
    ),
    "deep": (patient('<extension url="a">' * 40), IssueCode.STRUCTURE, "64 levels"),
    "deep_narrative": (
        narrative(f'<div xmlns="{XHTML}">' + "<b>" * 70),
        IssueCode.STRUCTURE,
        "64 levels",
    ),
    "deep_and_unknown": (patient("<a>" * 70), IssueCode.STRUCTURE, "64 levels"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_refused_with_a_reason(name: str) -> None:
    body, code, words = BROKEN[name]
    with pytest.raises(MessageError) as caught:
        read_xml(body)
    [fault] = caught.value.faults
    assert fault.code is code
    assert words in fault.diagnostics


def extended(inner: str) -> str:
    return f'<extension url="u">{inner}</extension>'


MISPLACED: Final = {
    "unknown_element": ("<gendre value='male'/>", "structure", "Patient"),
    "unknown_below": ("<name><first value='a'/></name>", "structure", "Patient.name[0]"),
    "named_as_json": ("<resourceType value='Patient'/>", "structure", "Patient"),
    "companion_of_json": ("<_gender><extension url='u'/></_gender>", "structure", "Patient"),
    "out_of_order": ("<gender value='male'/><active value='true'/>", "structure", "Patient.active"),
    "array_in_two_places": (
        "<name id='a'/><gender value='male'/><name id='b'/>",
        "structure",
        "Patient.name[1]",
    ),
    "one_given_twice": (
        "<gender value='male'/><gender value='male'/>",
        "structure",
        "Patient.gender",
    ),
    "one_extended_twice": (
        f"<gender>{extended('')}</gender><gender value='male'/>",
        "structure",
        "Patient.gender",
    ),
    "another_attribute": ("<gender value='male' code='a'/>", "structure", "Patient.gender"),
    "xml_lang": ("<gender xml:lang='en' value='male'/>", "structure", "Patient.gender"),
    "value_of_an_object": ("<name value='a'/>", "structure", "Patient.name[0]"),
    "url_of_no_extension": ("<name url='a'/>", "structure", "Patient.name[0]"),
    "url_as_an_element": ("<extension><url value='u'/></extension>", "structure", "Patient.extension[0]"),
    "id_as_an_element": ("<name><id value='u'/></name>", "structure", "Patient.name[0]"),
    "schema_location_below": (
        f"<gender xmlns:x='{XSI}' x:schemaLocation='a' value='male'/>",
        "structure",
        "Patient.gender",
    ),
    "text": ("male", "structure", "Patient"),
    "text_in_a_primitive": ("<gender>male</gender>", "structure", "Patient.gender"),
    "text_beside_elements": ("<name>A<family value='A'/></name>", "structure", "Patient.name[0]"),
    "cdata": ("<gender value='male'><![CDATA[a]]></gender>", "structure", "Patient.gender"),
    "neither_value_nor_extension": ("<gender/>", "invariant", "Patient.gender"),
    "neither_in_an_array": (
        "<name><given value='a'/><given/></name>",
        "invariant",
        "Patient.name[0].given[1]",
    ),
    "long_number": (f"<multipleBirthInteger value='{'9' * 65}'/>", "value", "Patient.multipleBirth"),
    "huge_number": (
        extended("<valueDecimal value='1e999'/>"),
        "value",
        "Patient.extension[0].value",
    ),
    "endless_exponent": (
        extended("<valueDecimal value='1e99999999999999999999'/>"),
        "value",
        "Patient.extension[0].value",
    ),
    "element_in_no_namespace": ("<gender xmlns='' value='male'/>", "structure", "Patient.gender"),
    "narrative_in_fhir": ("<text><div>a</div></text>", "structure", "Patient.text.div"),
    "xinclude": (
        "<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>",
        "structure",
        "Patient",
    ),
    "no_resource": ("<contained/>", "structure", "Patient.contained[0]"),
    "two_resources": (
        "<contained><Device><id value='a'/></Device><Device/></contained>",
        "structure",
        "Patient.contained[0]",
    ),
    "attribute_of_a_slot": (
        "<contained id='a'><Device><id value='a'/></Device></contained>",
        "structure",
        "Patient.contained[0]",
    ),
    "attribute_of_a_resource": (
        "<contained><Device id='a'/></contained>",
        "structure",
        "Patient.contained[0]",
    ),
    "unknown_resource": ("<contained><Unheard/></contained>", "value", "Patient.contained[0].resourceType"),
    "resource_that_is_not_read": (
        "<contained><Account/></contained>",
        "not-supported",
        "Patient.contained[0]",
    ),
    "resource_in_no_namespace": (
        "<contained><Device xmlns=''/></contained>",
        "structure",
        "Patient.contained[0]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISPLACED)
def test_what_stands_where_it_may_not_is_named_at_its_place(name: str) -> None:
    inner, code, place = MISPLACED[name]
    with pytest.raises(MessageError) as caught:
        read_xml(patient(inner))
    assert (code, place) in [(f.code.value, f.expression) for f in caught.value.faults]


def test_all_faults_are_told_at_once_those_of_the_validator_too() -> None:
    inner = "<gender value='neither'/><active value='yes'/><first value='a'/>"
    with pytest.raises(MessageError) as caught:
        read_xml(patient(inner))
    found = [(f.code.value, f.expression) for f in caught.value.faults]
    assert found == [
        ("structure", "Patient.active"),  # out of order
        ("structure", "Patient"),
        ("code-invalid", "Patient.gender"),
        ("value", "Patient.active"),
    ]


def test_a_report_is_not_larger_than_the_message() -> None:
    with pytest.raises(MessageError) as caught:
        read_xml(patient("<a/>" * 10_000))
    assert len(caught.value.faults) == 100


def test_no_refusal_quotes_the_body() -> None:
    bodies = [body for body, _, _ in BROKEN.values()] + [*DOCTYPES.values()]
    bodies += [patient(inner) for inner, _, _ in MISPLACED.values()]
    bodies += [
        patient("<Fernsby/>"),
        patient("<name Fernsby='Fernsby'>Fernsby</name>"),
        patient("<contained><Fernsby/></contained>"),
        b"<Fernsby>",
        f'<Fernsby xmlns="{FHIR}"/>'.encode(),
        patient("&Fernsby;"),
    ]
    for body in bodies:
        with pytest.raises(MessageError) as caught:
            read_xml(body)
        assert not {"Fernsby", "passwd", "127.0.0.1"} & set(str(caught.value).split())
        assert "Fernsby" not in repr(caught.value.faults)


def flood(piece: str, *, before: str = "", after: str = "") -> bytes:
    """A body of the greatest length."""
    room = MAX_BYTES - len(patient(before + after))
    return patient(before + piece * (room // len(piece)) + after)


DIV: Final = f"<text><status value='generated'/><div xmlns='{XHTML}'>"
FLOODS: Final = {
    "nested": lambda: flood("<a>"),
    "nested_extensions": lambda: flood("<extension url='a'>"),
    "nested_in_a_narrative": lambda: flood("<b>", before=DIV),
    "elements": lambda: flood("<name/>"),
    "values": lambda: flood("<given value='a'/>", before="<name>", after="</name>"),
    "as_many_tags_as_are_read": lambda: patient("<name/>" * (MAX_TAGS - 2)),
    "as_many_unknown_tags": lambda: patient("<b>" + "<a/>" * (MAX_TAGS - 6) + "</b>"),
    "attribute": lambda: flood("a", before="<gender value='", after="'/>"),
    "attribute_of_escapes": lambda: flood("&lt;", before="<gender value='", after="'/>"),
    "unclosed_attribute": lambda: flood("a", before="<gender value='"),
    "attributes": lambda: patient(
        "<gender" + "".join(f" a{n}=''" for n in range(MAX_BYTES // 12)) + "/>"
    ),
    "namespaces": lambda: patient(
        "<gender" + "".join(f" xmlns:a{n}='u'" for n in range(MAX_BYTES // 20)) + "/>"
    ),
    "text": lambda: flood("a\n"),
    "blanks": lambda: flood("\n"),
    "comments": lambda: flood("<!---->"),
    "open_comment": lambda: flood("a", before="<!--"),
    "instructions": lambda: flood("<?a?>"),
    "angles": lambda: b"<" * MAX_BYTES,
    "half_tags": lambda: b'<a "' * (MAX_BYTES // 4),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_read_or_refused_at_once_and_in_little_memory(name: str) -> None:
    body = FLOODS[name]()
    assert len(body) <= MAX_BYTES
    with within(1):
        try:
            read_xml(body)
        except MessageError as refusal:
            assert refusal.faults  # noqa: PT017  # most floods are refused, some are only long


@pytest.mark.parametrize("name", ["nested", "values", "attributes", "attribute_of_escapes"])
def test_a_flood_takes_little_memory(name: str) -> None:
    body = FLOODS[name]()
    tracemalloc.start()
    try:
        read_xml(body)
    except MessageError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 50_000_000


def test_a_longer_body_is_refused_unread() -> None:
    with pytest.raises(BodyTooLargeError):
        read_xml(patient(""), max_bytes=10)
