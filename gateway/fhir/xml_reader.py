"""One FHIR XML document through the parser, element by element, into the JSON tree.

What enters: bytes that `xml_text` has looked at. What leaves: a tree, and the faults of what
stands where FHIR XML has no place for it. Elements, attributes and their order are those of
the tables. A narrative is taken as it was written, byte by byte. Nothing is fetched; no
fault quotes the document. Standard: FHIR R4 xml.html.
"""

import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Final
from xml.parsers import expat

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.faults import FaultList, Place, path
from gateway.fhir.json_text import MAX_EXPONENT, MAX_NUMBER_CHARACTERS
from gateway.fhir.primitives import JsonKind
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.fhir.xml_narrative import XHTML, cut_out, standing_alone
from gateway.referral.json import Json, JsonObject

FHIR: Final = "http://hl7.org/fhir"
_SCHEMA_LOCATION: Final = "http://www.w3.org/2001/XMLSchema-instance schemaLocation"
_CHUNK: Final = 1024 * 1024
"""Bytes given to the parser at a time: what it may still read after a refusal."""

_WHOLE: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_EXACT_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


class _Open:
    """One element that is open. `spec` None: a slot that holds any resource."""

    __slots__ = ("depth", "element", "gapped", "holder", "place", "position", "spec", "tree", "value")  # fmt: skip

    def __init__(self, spec: TypeSpec | None, tree: JsonObject, place: Place, depth: int) -> None:
        self.spec = spec
        self.tree = tree
        self.place = place
        self.depth = depth
        self.position = -1
        self.element: ElementSpec | None = None
        self.holder: JsonObject = {}
        self.value: Json = None
        self.gapped: list[str] = []


class Reader:
    """Follows one document through the parser and builds its tree."""

    def __init__(self, body: bytes, max_depth: int) -> None:
        self.found = FaultList()
        self.tree: JsonObject = {}
        self.root = "Resource"
        self._body = body
        self._max_depth = max_depth
        self._tables = load_tables()
        self._open: list[_Open] = []
        self._passed = 0
        self._narrative: tuple[_Open, int] | None = None
        self._scope: list[tuple[str | None, str | None]] = []
        self._parser = parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        parser.EndNamespaceDeclHandler = self._end_namespace

    def parse(self) -> None:
        """Read it all. Given in pieces, so that a refusal ends the reading."""
        try:
            for start in range(0, len(self._body), _CHUNK):
                self._parser.Parse(self._body[start : start + _CHUNK], False)  # noqa: FBT003  # expat's own signature
            self._parser.Parse(b"", True)  # noqa: FBT003  # as above
        finally:
            del self._parser  # it holds this reader, which would hold it and the body

    def _declaration(self, _version: str, encoding: str | None, _alone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise refusal(
                IssueCode.INVALID, "The XML declaration names another encoding; send UTF-8."
            )

    def _doctype(self, *_parts: object) -> None:
        raise doctype()

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        if not self._passed:
            self._scope.append((prefix, uri))

    def _end_namespace(self, _prefix: str | None) -> None:
        if not self._passed:
            self._scope.pop()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._passed:
            self._passed += 1
            if self._passed > self._max_depth:
                raise _too_deep(self._max_depth)
            return
        namespace, _, local = name.rpartition(" ")
        if not self._open:
            self._start_root(namespace, local, attributes)
        elif self._open[-1].spec is None:
            self._start_in_slot(self._open[-1], namespace, local, attributes)
        else:
            self._start_child(self._open[-1], self._open[-1].spec, namespace, local, attributes)

    def _start_root(self, namespace: str, local: str, attributes: dict[str, str]) -> None:
        attributes.pop(_SCHEMA_LOCATION, None)
        if namespace != FHIR:
            raise refusal(IssueCode.STRUCTURE, f"The root element is not in the namespace {FHIR}.")
        if local in self._tables.resources:
            self.root = local
        place = (None, self.root, None)
        self._open_resource(self.tree, local, attributes, place, 1)

    def _start_in_slot(
        self, slot: _Open, namespace: str, local: str, attributes: dict[str, str]
    ) -> None:
        if slot.tree:
            self._pass(slot.place, "More than one resource stands here; keep one.")
        elif namespace != FHIR:
            self._pass(slot.place, f"The element here is not in the namespace {FHIR}.")
        else:
            self._open_resource(slot.tree, local, attributes, slot.place, slot.depth)

    def _open_resource(
        self, tree: JsonObject, name: str, attributes: dict[str, str], place: Place, depth: int
    ) -> None:
        tree["resourceType"] = name
        spec = self._tables.types.get(name) if name in self._tables.resources else None
        if spec is None:
            known = name in self._tables.resources
            self._passed = 1
            self.found.add(
                IssueCode.NOT_SUPPORTED if known else IssueCode.VALUE,
                place,
                f"Resources of type {name} are not read here."
                if known
                else "The element is not the name of an R4 resource type.",
                below="" if known else ".resourceType",
            )
            return
        self._check_attributes(attributes, place, ())
        self._open.append(_Open(spec, tree, place, depth))

    def _start_child(
        self,
        above: _Open,
        spec: TypeSpec,
        namespace: str,
        local: str,
        attributes: dict[str, str],
    ) -> None:
        """Take one element of a type: known, in its namespace, in order, not too often."""
        position = positions(spec).get(local)
        if position is None:
            self._pass(above.place, f"{spec.name} has no such element: remove it or mend its name.")
            return
        element = spec.elements[local]
        held = above.tree.get(local)
        index = len(held) if isinstance(held, list) else 0
        place = (above.place, element.label, index if element.is_array else None)
        wanted = XHTML if element.type_name == "xhtml" else FHIR
        if namespace != wanted:
            self._pass(place, f"{element.label} is not in the namespace {wanted}.")
        elif not element.is_array and (local in above.tree or f"_{local}" in above.tree):
            self._pass(place, f"{element.label} is given more than once; keep one.")
        else:
            if position < above.position:
                says = f"{element.label} is out of order: R4 places it before others that precede."
                self.found.add(IssueCode.STRUCTURE, place, says)
            above.position = max(position, above.position)
            self._open_element(above, element, attributes, place)

    def _open_element(
        self, above: _Open, element: ElementSpec, attributes: dict[str, str], place: Place
    ) -> None:
        depth = above.depth + element.is_array + (element.primitive is None)
        if depth > self._max_depth:
            raise _too_deep(self._max_depth)
        opened = _Open(element.inner, {}, place, depth)
        opened.element, opened.holder = element, above.tree
        if element.type_name == "xhtml":
            self._narrative = opened, self._parser.CurrentByteIndex
            self._passed = 1
            return
        if element.primitive is not None:
            self._open_primitive(above, opened, element, attributes)
        else:
            named = attributes_of(element.inner)
            self._check_attributes(attributes, place, named)
            opened.tree.update({name: attributes[name] for name in named if name in attributes})
            _put(above.tree, element, opened.tree)
        self._open.append(opened)

    def _open_primitive(
        self, above: _Open, opened: _Open, element: ElementSpec, attributes: dict[str, str]
    ) -> None:
        self._check_attributes(attributes, opened.place, ("value", "id"))
        opened.spec = self._tables.types["Element"]
        if "value" in attributes:
            opened.value = self._converted(attributes["value"], element, opened.place)
        if "id" in attributes:
            opened.tree["id"] = attributes["id"]
        if element.is_array:
            _put(above.tree, element, opened.value)
            if element.name not in above.gapped[-1:]:
                above.gapped.append(element.name)

    def _end(self, _name: str) -> None:
        if self._passed:
            self._passed -= 1
            if not self._passed and self._narrative is not None:
                self._end_narrative(*self._narrative)
            return
        closed = self._open.pop()
        for name in closed.gapped:
            _align(closed.tree, name)
        element = closed.element
        if element is None:
            return
        if element.primitive is not None:
            self._end_primitive(closed, element)
        elif element.inner is None and not closed.tree:
            self.found.add(IssueCode.STRUCTURE, closed.place, "There is no resource here; add one.")

    def _end_primitive(self, closed: _Open, element: ElementSpec) -> None:
        if closed.value is None and not closed.tree:
            says = "ele-1: there is neither a value nor an extension here."
            self.found.add(IssueCode.INVARIANT, closed.place, says)
        if element.is_array:
            if closed.tree:
                beside = closed.holder.setdefault(f"_{element.name}", [])
                values = closed.holder[element.name]
                if isinstance(beside, list) and isinstance(values, list):
                    beside += [None] * (len(values) - 1 - len(beside))
                    beside.append(closed.tree)
            return
        if closed.value is not None:
            closed.holder[element.name] = closed.value
        if closed.tree:
            closed.holder[f"_{element.name}"] = closed.tree

    def _end_narrative(self, narrative: _Open, start: int) -> None:
        """Take the narrative from its first byte to its last, as it was written."""
        self._narrative = None
        div = cut_out(self._body, start, self._parser.CurrentByteIndex)
        narrative.holder["div"] = standing_alone(div, dict(self._scope)).decode()

    def _text(self, text: str) -> None:
        if self._passed or not text.strip(" \t\r\n"):
            return
        says = "Text stands between elements; a value belongs into the attribute value."
        place = self._open[-1].place
        last = self.found.faults[-1] if self.found.faults else None
        if last is None or (last.diagnostics, last.expression) != (says, path(place)):
            self.found.add(IssueCode.STRUCTURE, place, says)

    def _check_attributes(
        self, attributes: dict[str, str], place: Place, known: tuple[str, ...]
    ) -> None:
        if not attributes.keys() <= set(known):
            listed = f"only {' and '.join(known)} may" if known else "none may"
            self.found.add(
                IssueCode.STRUCTURE, place, f"An attribute is not known here: {listed} stand here."
            )

    def _converted(self, text: str, element: ElementSpec, place: Place) -> Json:
        kind = element.primitive.json_kind if element.primitive else JsonKind.STRING
        if kind is JsonKind.BOOLEAN:
            return {"true": True, "false": False}.get(text, text)
        if kind is not JsonKind.NUMBER:
            return text
        whole = _EXACT_WHOLE if element.type_name == "decimal" else _WHOLE
        pattern = _NUMBER if element.type_name == "decimal" else _WHOLE
        if not pattern.fullmatch(text):
            return text
        try:
            return _number(text, is_whole=whole.fullmatch(text) is not None)
        except (InvalidOperation, OverflowError):
            says = "A number is longer or larger than is read here."
            self.found.add(IssueCode.VALUE, place, says)
            return text

    def _pass(self, place: Place, says: str) -> None:
        """Report an element, and pass over all that is in it."""
        self._passed = 1
        self.found.add(IssueCode.STRUCTURE, place, says)


@cache
def positions(spec: TypeSpec) -> dict[str, int]:
    """Return where each XML element of a type stands; the types of a choice stand together."""
    labels: dict[str, int] = {}
    named = attributes_of(spec)
    return {
        name: labels.setdefault(element.label, len(labels))
        for name, element in spec.elements.items()
        if name not in named and not (spec.is_resource and name == "resourceType")
    }


def attributes_of(spec: TypeSpec | None) -> tuple[str, ...]:
    """Name the elements of a type that XML writes as attributes."""
    if spec is None or spec.is_resource:
        return ()
    return ("id", "url") if spec.name == "Extension" else ("id",)


def _put(tree: JsonObject, element: ElementSpec, value: Json) -> None:
    if not element.is_array:
        tree[element.name] = value
        return
    held = tree.setdefault(element.name, [])
    if isinstance(held, list):
        held.append(value)


def _align(tree: JsonObject, name: str) -> None:
    """Fill up the array beside an array of primitives; leave out values where there is none."""
    values, beside = tree.get(name), tree.get(f"_{name}")
    if isinstance(values, list) and isinstance(beside, list):
        beside += [None] * (len(values) - len(beside))
    if isinstance(values, list) and all(value is None for value in values):
        del tree[name]


def _number(text: str, *, is_whole: bool) -> int | Decimal:
    """Read a number within the limits of `json_text`.

    Raises:
        OverflowError: it is longer or larger than is read.
        InvalidOperation: its exponent is beyond what Decimal holds.
    """
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise OverflowError
    if is_whole:
        return int(text)
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > MAX_EXPONENT:
        raise OverflowError
    return value


def doctype() -> InvalidMessageError:
    """Refuse a document type."""
    return refusal(IssueCode.STRUCTURE, "FHIR XML has no document type; remove <!DOCTYPE>.")


def _too_deep(levels: int) -> InvalidMessageError:
    return refusal(IssueCode.STRUCTURE, f"The XML is nested deeper than {levels} levels.")


def refusal(code: IssueCode, diagnostics: str) -> InvalidMessageError:
    """Refuse a document as a whole."""
    return InvalidMessageError(Fault(code=code, diagnostics=diagnostics))
