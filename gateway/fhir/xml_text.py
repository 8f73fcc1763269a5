"""Bytes of FHIR XML to the JSON tree and back, refusing what FHIR or safety forbids.

What enters: a body as received, or a tree. What leaves: the tree that the same resource has
in JSON (see `gateway.referral.json`), or UTF-8 bytes. It never repairs, guesses or drops, and
no fault quotes the body: places are FHIRPath, or line and column where the text itself is
broken. A document type, and with it every entity, is refused before the parser sees it;
nothing is fetched or included. Whether values are right is not checked here (see `validate`):
one that does not convert, such as a boolean `yes`, stays a text, which the validator refuses.

A narrative keeps its bytes both ways. Comments and processing instructions are passed over.
Standards: XML 1.0; FHIR R4 xml.html, elements and their order by the tables.
"""

import re
from typing import Final
from xml.parsers import expat

from gateway.errors import BodyTooLargeError, Fault, InvalidMessageError, IssueCode
from gateway.fhir.faults import MAX_FAULTS, EnoughError
from gateway.fhir.json_text import MAX_BYTES, MAX_DEPTH, write_json
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.fhir.validate import validate
from gateway.fhir.xml_narrative import escaped, narrative_in
from gateway.fhir.xml_reader import (
    FHIR,
    Reader,
    attributes_of,
    doctype,
    positions,
    refusal,
)
from gateway.referral.json import Json, JsonObject, string

MAX_TAGS: Final = 60_000
"""Most tags read. They cost time by number, not by length; a real message has about 600."""

_DOCTYPE: Final = re.compile(rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_CROWDED: Final = re.compile(
    rb"<[^<>\"'!?/][^<>\"']*+(?:\"[^\"<]*+\"[^<>\"']*+|'[^'<]*+'[^<>\"']*+){65}"
)
"""A tag of more than 64 attributes. FHIR knows three, and the richest of XHTML about twenty."""

_NO_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'


def read_xml(body: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Read one FHIR resource written in XML.

    Returns: the tree of its JSON form: `resourceType` first, numbers as int, or as Decimal
    where written with a fraction or an exponent.

    Raises:
        BodyTooLargeError: longer than `max_bytes`.
        InvalidMessageError: empty, not UTF-8, a byte order mark, not XML, a document type,
            nested deeper than `max_depth` in JSON, more than `MAX_TAGS`; or not the XML of a
            FHIR resource, and then the faults that `validate` finds in the rest as well.
    """
    if len(body) > max_bytes:
        text = f"The body is longer than {max_bytes} bytes; send less, or in parts."
        raise BodyTooLargeError(Fault(code=IssueCode.TOO_LONG, diagnostics=text))
    _check_bytes(body)
    reader = Reader(body, max_depth)
    try:
        reader.parse()
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code) or "not well-formed"
        where = f"line {error.lineno}, column {error.offset + 1}"
    except EnoughError:
        raise InvalidMessageError(*reader.found.faults) from None
    else:
        return _whole(reader)
    raise refusal(IssueCode.STRUCTURE, f"This is not XML: {what} at {where}.")


def _check_bytes(body: bytes) -> None:
    """Refuse what must not reach the parser: an encoding, a size of parts, a document type."""
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise refusal(
            IssueCode.INVALID, "The body starts with a byte order mark; send UTF-8 without it."
        )
    if not body.strip():
        raise refusal(IssueCode.STRUCTURE, "The body is empty; send one resource.")
    if b"\0" in body:  # the parser would see UTF-16, and take it
        raise refusal(IssueCode.INVALID, "The body has null bytes; send XML in UTF-8.")
    _check_encoding(body)
    if body.count(b"<") > MAX_TAGS:
        raise refusal(IssueCode.TOO_COSTLY, f"The XML has more than {MAX_TAGS} tags.")
    if _DOCTYPE.match(body):
        raise doctype()
    if _CROWDED.search(body):
        raise refusal(IssueCode.STRUCTURE, "A tag has more attributes than are read here.")


def _check_encoding(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1}"
    else:
        return
    raise refusal(IssueCode.INVALID, f"The body is not UTF-8 from {where} on; encode it as UTF-8.")


def _whole(reader: Reader) -> JsonObject:
    """Return the tree; or raise every fault, with those of the validator in what was read."""
    faults = reader.found.faults
    if not faults:
        return reader.tree
    told = {(fault.code, fault.expression) for fault in faults}
    root = reader.root if reader.tree else None
    more = validate(reader.tree, root=root) if root else []
    faults += [fault for fault in more if (fault.code, fault.expression) not in told]
    raise InvalidMessageError(*faults[: MAX_FAULTS + 1])


def write_xml(tree: JsonObject, *, pretty: bool = False) -> bytes:
    """Write a resource as FHIR XML, elements in the order of the tables.

    Decimals keep every digit, as in `write_json`; `pretty` puts each element on its own line
    and leaves narratives as they are.

    Raises:
        ValueError: the tree is not a resource of the tables, or holds what XML cannot carry:
            a property that R4 does not know, a narrative that is no XHTML, characters that
            XML does not have. A tree without faults holds none but such characters.
    """
    writer = _Writer("\n" if pretty else "")
    writer.resource(tree, 0)
    text = "".join([_DECLARATION, *writer.pieces])
    if _NO_XML.search(text):
        msg = "a text has a character that XML cannot carry"
        raise ValueError(msg)
    return text.encode()


class _Writer:
    """Collects the pieces of one document."""

    def __init__(self, line_end: str) -> None:
        self.pieces: list[str] = []
        self._line_end = line_end
        self._tables = load_tables()

    def resource(self, tree: JsonObject, depth: int) -> None:
        """Write one resource; the namespace is declared at the root only."""
        name = string(tree, "resourceType") or ""
        spec = self._tables.types.get(name)
        if spec is None or not spec.is_resource:
            msg = "this is not a resource that the tables know"
            raise ValueError(msg)
        declared = "" if depth else f' xmlns="{FHIR}"'
        inner = {key: value for key, value in tree.items() if key != "resourceType"}
        self._element(name, declared, spec, inner, depth)

    def _element(
        self, name: str, attributes: str, spec: TypeSpec, tree: JsonObject, depth: int
    ) -> None:
        """Write one element with the attributes and elements that its object holds."""
        named = attributes_of(spec)
        attributes += "".join(f' {key}="{_text(tree[key])}"' for key in named if key in tree)
        order = positions(spec)
        keys = {key.removeprefix("_") for key in tree} - set(named)
        alone = (*named, "id", "div")
        if not keys <= order.keys() or any(f"_{key}" in tree for key in alone):
            msg = f"{spec.name} has a property that R4 XML does not know"
            raise ValueError(msg)
        self._line(depth)
        if not keys:
            self.pieces.append(f"<{name}{attributes}/>")
            return
        self.pieces.append(f"<{name}{attributes}>")
        for key in sorted(keys, key=lambda each: (order[each], each)):
            self._property(spec.elements[key], tree.get(key), tree.get(f"_{key}"), depth + 1)
        self._line(depth)
        self.pieces.append(f"</{name}>")

    def _property(self, element: ElementSpec, value: Json, beside: Json, depth: int) -> None:
        values = value if isinstance(value, list) else [value]
        companions = beside if isinstance(beside, list) else [beside]
        for index in range(max(len(values), len(companions))):
            one = values[index] if index < len(values) else None
            companion = companions[index] if index < len(companions) else None
            self._one(element, one, companion, depth)

    def _one(self, element: ElementSpec, value: Json, beside: Json, depth: int) -> None:
        if element.type_name == "xhtml":
            self._line(depth)
            self.pieces.append(narrative_in(value))
        elif element.primitive is not None:
            written = "" if value is None else f' value="{_text(value)}"'
            if written and beside is None:
                self._line(depth)
                self.pieces.append(f"<{element.name}{written}/>")
                return
            inner = beside if isinstance(beside, dict) else {}
            self._element(element.name, written, self._tables.types["Element"], inner, depth)
        elif not isinstance(value, dict) or beside is not None:
            msg = f"{element.label} is not an object"
            raise ValueError(msg)
        elif element.inner is None:
            self._line(depth)
            self.pieces.append(f"<{element.name}>")
            self.resource(value, depth + 1)
            self._line(depth)
            self.pieces.append(f"</{element.name}>")
        else:
            self._element(element.name, "", element.inner, value, depth)

    def _line(self, depth: int) -> None:
        if self._line_end:
            self.pieces.append(self._line_end + "  " * depth)


def _text(value: Json) -> str:
    """Write a primitive value as the text of an attribute."""
    if isinstance(value, str):
        return escaped(value)
    if value is None or isinstance(value, list | dict):
        msg = "a primitive value is expected here"
        raise ValueError(msg)
    return write_json(value).decode()
