"""FHIR XML and the JSON tree are two writings of one thing: nothing is lost on the way."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import InvalidMessageError, MessageError
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.primitives import JsonKind
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml, write_xml
from gateway.referral.json import Json, JsonObject
from tests.builders.messages import bars_message, letter_transaction, service_request
from tests.unit.fhir.vectors import GOOD, good

EXAMPLES: Final = Path(__file__).parents[4] / "shared" / "examples" / "bars"
FHIR: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"
MESSAGES: Final[dict[str, Callable[[], JsonObject]]] = {
    "service_request": service_request,
    "bars_message": bars_message,
    "letter_transaction": letter_transaction,
    **{name: partial(good, name) for name in GOOD},
}
NARRATIVES: Final = [
    f'<div xmlns="{XHTML}">Plain</div>',
    f"<div xmlns='{XHTML}' title='a > b'><p class=\"c\">One<br/>two<br></br>&#160;&lt;é</p></div>",
    f'<h:div xmlns:h="{XHTML}"><h:p>Prefixed</h:p></h:div>',
    f'<div xmlns="{XHTML}"><!-- a remark --><![CDATA[<raw>]]>\r\n<img src="#a" alt="x"/></div >',
    f'<div xmlns="{XHTML}"/>',
]


def exactly(tree: Json) -> object:
    """Tell 1.50 from 1.5, and True from 1, which compare as equal; keys in any order."""
    if isinstance(tree, dict):
        return {key: exactly(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [exactly(each) for each in tree]
    return type(tree), tree.as_tuple() if isinstance(tree, Decimal) else tree


TEXTS: Final = (
    "a\tb",
    "a\nb",
    "a\r\nb",
    " a ",
    "<&>\"'",
    "]]>",
    "😀",
    "\ufeff",
    "",
    "true",
    "1.50",
)
NUMBERS: Final = ("1.50", "1E+2", "0.000000001", "-0.0", "18014398509481985.0", "7.0E-39", "3E+39")
RESOURCES: Final = sorted(
    name
    for name, spec in load_tables().types.items()
    if spec.is_resource and name in load_tables().resources
)


class Maker:
    """Makes resources by the tables: any few elements, values of the right JSON kind."""

    def __init__(self, seed: int, text: str) -> None:
        self._random = Random(seed)  # noqa: S311  # no secret is made of it
        self._left = 40
        self._texts = (*TEXTS, text)

    def object(self, spec: TypeSpec, depth: int) -> JsonObject:
        tree: JsonObject = {"resourceType": spec.name} if spec.is_resource else {}
        names = sorted(set(spec.elements) - {"resourceType"})
        for name in self._random.sample(names, min(len(names), self._random.randint(1, 5))):
            element = spec.elements[name]
            self._left -= 1
            if element.primitive is not None:
                self._put_primitive(tree, spec, element, depth)
            elif depth and self._left > 0:
                own = element.inner or load_tables().types[self._random.choice(RESOURCES)]
                values: list[Json] = [
                    self.object(own, depth - 1) for _ in range(self._random.randint(1, 2))
                ]
                tree[name] = values if element.is_array else values[0]
        return tree

    def _put_primitive(
        self, tree: JsonObject, spec: TypeSpec, element: ElementSpec, depth: int
    ) -> None:
        """Set a primitive element: a value, or what stands beside it, or both."""
        may_have = element.has_companion and (spec.name, element.name) != ("Extension", "url")
        values: list[Json] = []
        besides: list[Json] = []
        for _ in range(self._random.randint(1, 3) if element.is_array else 1):
            kinds = (
                ("value", "beside", "both") if may_have and depth and self._left > 0 else ("value",)
            )
            kind = self._random.choice(kinds)
            values.append(None if kind == "beside" else self._primitive(element))
            inner = self.object(load_tables().types["Element"], depth - 1) or {"id": "i"}
            besides.append(None if kind == "value" else inner)
        for name, column in ((element.name, values), (f"_{element.name}", besides)):
            if any(value is not None for value in column):
                tree[name] = column if element.is_array else column[0]

    def _primitive(self, element: ElementSpec) -> Json:
        assert element.primitive is not None
        if element.type_name == "xhtml":
            return self._random.choice(NARRATIVES)
        if element.primitive.json_kind is JsonKind.BOOLEAN:
            return self._random.random() < 0.5
        if element.primitive.json_kind is JsonKind.STRING:
            return self._random.choice(self._texts)
        if element.type_name == "decimal" and self._random.random() < 0.7:
            return Decimal(self._random.choice(NUMBERS))
        return self._random.randint(-(10**18), 10**18)


any_text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
)


@given(st.sampled_from(RESOURCES), st.integers(0, 2**32), any_text, st.booleans())
def test_what_is_written_is_read_back_exactly(
    name: str,
    seed: int,
    text: str,
    pretty: bool,  # noqa: FBT001  # Hypothesis draws it
) -> None:
    tree = Maker(seed, text).object(load_tables().types[name], 4)
    body = write_xml(tree, pretty=pretty)
    assert exactly(read_xml(body)) == exactly(tree)
    assert exactly(read_json(write_json(tree))) == exactly(tree)


def test_xml_may_be_as_deep_as_json() -> None:
    tree: JsonObject = {"url": "u", "valueString": "a"}
    for _ in range(30):
        tree = {"url": "u", "extension": [tree]}
    deep: JsonObject = {"resourceType": "Patient", "name": [{"extension": [tree]}]}
    body = write_json(deep)
    levels = 65
    assert read_xml(write_xml(deep), max_depth=levels) == read_json(body, max_depth=levels)
    for read, text in ((read_json, body), (read_xml, write_xml(deep))):
        with pytest.raises(InvalidMessageError):
            read(text, max_depth=levels - 1)


@given(st.binary() | st.text("<>/=\"'!?[]- axmlns:&;\n", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        tree = read_xml(body)
    except MessageError:
        return
    assert read_xml(write_xml(tree)) == tree


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("pretty", [True, False])
def test_a_message_survives_and_is_as_valid_as_before(name: str, *, pretty: bool) -> None:
    tree = read_json(write_json(MESSAGES[name]()))
    again = read_xml(write_xml(tree, pretty=pretty))
    assert exactly(again) == exactly(tree)
    assert validate(again) == validate(tree) == []


def test_the_examples_of_the_standard_survive() -> None:
    if not EXAMPLES.exists():
        pytest.skip("the examples of the standard are not here")
    trees = [read_json(path.read_bytes()) for path in EXAMPLES.rglob("*-*.json")]
    valid = [tree for tree in trees if not validate(tree)]
    assert len(valid) > 20
    for tree in valid:
        assert exactly(read_xml(write_xml(tree))) == exactly(tree)


@pytest.mark.parametrize("name", MESSAGES)
def test_another_reader_of_fhir_xml_reads_the_same(name: str) -> None:
    tree = MESSAGES[name]()
    model = get_fhir_model_class(str(tree["resourceType"]))
    assert model.model_validate_xml(write_xml(tree)) == model.model_validate_json(write_json(tree))


def canonical(body: bytes) -> bytes:
    written: bytes = etree.tostring(etree.fromstring(body), method="c14n2")
    return written


@pytest.mark.parametrize("name", MESSAGES)
def test_another_parser_finds_the_same_document_after_a_round(name: str) -> None:
    body = write_xml(MESSAGES[name]())
    assert canonical(body) == canonical(write_xml(read_xml(body)))


@pytest.mark.parametrize("number", ["1.50", "1E+2", "0.000000001", "-1.0e-7", "0", "37", "-5"])
def test_a_decimal_keeps_its_digits(number: str) -> None:
    body = f'<Observation xmlns="{FHIR}"><valueQuantity><value value="{number}"/></valueQuantity></Observation>'
    tree: Any = read_xml(body.encode())
    same = read_json(b'{"a":%b}' % number.encode())
    assert exactly(tree["valueQuantity"]["value"]) == exactly(same["a"])
    assert exactly(read_xml(write_xml(tree))) == exactly(tree)


def patient(inner: str, *, root: str = f'Patient xmlns="{FHIR}"') -> bytes:
    return f"<{root}>{inner}</{root.split(maxsplit=1)[0]}>".encode()


@pytest.mark.parametrize(
    ("inner", "tree"),
    [
        ('<active value="true"/>', {"active": True}),
        ('<active value="yes"/>', {"active": "yes"}),
        ('<multipleBirthInteger value="+2"/>', {"multipleBirthInteger": 2}),
        ('<multipleBirthInteger value="2.5"/>', {"multipleBirthInteger": "2.5"}),
        ('<gender value=""/>', {"gender": ""}),
        ('<id value="a"/><language value="en"/>', {"id": "a", "language": "en"}),
        ('<name><family value="&#233;&amp;"/></name>', {"name": [{"family": "é&"}]}),
        ('<name id="n"/>', {"name": [{"id": "n"}]}),
        ("<name/>", {"name": [{}]}),
        ('<gender id="g" value="male"/>', {"gender": "male", "_gender": {"id": "g"}}),
        (
            '<birthDate><extension url="u"><valueCode value="x"/></extension></birthDate>',
            {"_birthDate": {"extension": [{"url": "u", "valueCode": "x"}]}},
        ),
        (
            '<name><given value="a"/><given id="b"/><given value="c"/></name>',
            {"name": [{"given": ["a", None, "c"], "_given": [None, {"id": "b"}, None]}]},
        ),
        (
            '<contained><Organization><id value="o"/></Organization></contained>',
            {"contained": [{"resourceType": "Organization", "id": "o"}]},
        ),
        (
            '<?xml-stylesheet href="x"?><!-- a --> <gender value="male"/>\n<!-- b -->',
            {"gender": "male"},
        ),
        (
            '<gender value="m&#10;a&#x9;le  "/>',
            {"gender": "m\na\tle  "},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_xml_is_read_as_its_json(inner: str, tree: dict[str, Any]) -> None:
    assert exactly(read_xml(patient(inner))) == exactly({"resourceType": "Patient", **tree})


def test_elements_may_carry_a_prefix_and_the_root_a_schema_location() -> None:
    root = (
        f'f:Patient xmlns:f="{FHIR}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xsi:schemaLocation="{FHIR} patient.xsd"'
    )
    body = patient('<f:gender value="male"/>', root=root)
    declared = b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n" + body
    assert read_xml(declared) == {"resourceType": "Patient", "gender": "male"}


@pytest.mark.parametrize("div", NARRATIVES)
def test_a_narrative_keeps_its_bytes(div: str) -> None:
    tree: JsonObject = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    assert read_xml(write_xml(tree)) == tree


def test_a_narrative_takes_with_it_the_namespaces_declared_around_it() -> None:
    inner = '<f:text><f:status value="generated"/><div>A <h:b>b</h:b></div></f:text>'
    root = f'f:Patient xmlns:f="{FHIR}" xmlns="{XHTML}" xmlns:h="{XHTML}"'
    tree: Any = read_xml(patient(inner, root=root))
    assert validate(tree) == []
    assert etree.fromstring(tree["text"]["div"]).tag == f"{{{XHTML}}}div"


def test_a_namespace_ends_with_the_element_that_declared_it() -> None:
    text = '<text><status value="generated"/><div xmlns="{}">A <h:b>b</h:b></div></text>'
    first = '<entry><resource><Patient xmlns:h="urn:other"/></resource></entry>'
    second = f"<entry><resource><Patient>{text.format(XHTML)}</Patient></resource></entry>"
    body = f'<Bundle xmlns="{FHIR}" xmlns:h="{XHTML}">{first}{second}</Bundle>'
    tree: Any = read_xml(body.encode())
    div = etree.fromstring(tree["entry"][1]["resource"]["text"]["div"])
    assert [each.tag for each in div] == [f"{{{XHTML}}}b"]


def test_what_stands_around_a_div_is_not_part_of_it() -> None:
    div = f'<?xml version="1.0"?><!-- a --><div xmlns="{XHTML}">b</div>\n'
    text: JsonObject = {"status": "generated", "div": div}
    again: Any = read_xml(write_xml({"resourceType": "Patient", "text": text}))
    assert again["text"]["div"] == f'<div xmlns="{XHTML}">b</div>'


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"resourceType": "Account"},
        {"resourceType": "Element"},
        {"resourceType": "Patient", "status": "active"},
        {"resourceType": "Patient", "_id": {"id": "a"}},
        {"resourceType": "Patient", "extension": [{"url": "u", "_url": {"id": "a"}}]},
        {"resourceType": "Patient", "name": ["a"]},
        {"resourceType": "Patient", "contained": ["a"]},
        {"resourceType": "Patient", "gender": {"a": "b"}},
        {"resourceType": "Patient", "name": [{"id": None}]},
        {"resourceType": "Patient", "gender": "a\x00b"},
        {"resourceType": "Patient", "gender": "\ufffe"},
        {"resourceType": "Patient", "gender": "\ud800"},
        *(
            {"resourceType": "Patient", "text": {"div": div}}
            for div in (
                None,
                "",
                "text",
                "<div>no namespace</div>",
                f'<p xmlns="{XHTML}"/>',
                f'<div xmlns="{XHTML}">',
                f'<div xmlns="{XHTML}"/><div xmlns="{XHTML}"/>',
                f'<!DOCTYPE div><div xmlns="{XHTML}">a</div>',
                f'<div xmlns="{XHTML}">&nbsp;</div>',
            )
        ),
    ],
    ids=str,
)
def test_what_xml_cannot_carry_is_not_written(tree: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*Testperson)"):
        write_xml(tree)


def test_pretty_xml_has_a_line_for_each_element() -> None:
    lines = write_xml({"resourceType": "Patient", "name": [{"family": "A"}]}, pretty=True).decode()
    assert lines.splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<Patient xmlns="{FHIR}">',
        "  <name>",
        '    <family value="A"/>',
        "  </name>",
        "</Patient>",
    ]
