"""Elements of FHIR R4 become those of STU3, one by one, each under its line of the tables.

What enters: a resource as it was sent, and by which names the entries of the message go. What
leaves: the same in STU3 XML; and a fault, with its FHIRPath, for each element that has no line, each
code that one version lacks, each reference that leads nowhere. Must never: leave out in silence, or
write what it could not place. Source: `gateway/mapping/itk3_record_tables.py`.

Not checked: what validation has: types, cardinalities and formats of R4.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from gateway.errors import Fault, IssueCode
from gateway.fhir.references import Index, Part
from gateway.mapping.itk3_envelope import Element, fault, put, put_profile, under
from gateway.mapping.itk3_record_tables import (
    CODE_OF_CONCEPT,
    CODING,
    EXTENSION,
    IDENTIFIER,
    IN_PLACE,
    LANGUAGE,
    PRIMITIVE,
    REFERENCE,
    RESOURCES,
    TEXT_OF_NOTE,
    TYPES,
    Line,
)
from gateway.mapping.itk3_record_terms import EXTENSIONS, LISTS, SYSTEMS
from gateway.referral.identifiers import normal_system
from gateway.referral.json import Json, JsonObject, child, objects, string

_REPLACED: Final = frozenset({"resourceType", "id", "meta"})
"""Of a resource: the message has its own."""
_REPLACED_META: Final = frozenset({"versionId", "lastUpdated", "source", "profile"})
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_MOST_DECIMALS: Final = 18

_NO_PLACE: Final = "Update Record has no place for this: leave it out, or send a document."
_NARRATIVE: Final = (
    "Update Record takes no narrative, and what it says must not be lost: leave it out where the"
    " other elements say as much, or send a document."
)
_OF_ROLE: Final = (
    "STU3 refers to the person here, not to their role, and this names the role: leave it out."
)
_NOT_HERE: Final = (
    "Update Record has no place for a reference to this: refer to what the specification names, in"
    " the same message."
)


class RecordWriter:
    """Writes resources, and collects the faults of all of them.

    `names`: by the path of each part, under which id it stands in the message.
    """

    def __init__(self, known: Index, names: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self._known = known
        self._names = names
        self._special: Mapping[str, Callable[[Element, Line, JsonObject, str], None]] = {
            REFERENCE: self._reference,
            CODING: self._coding,
            "Quantity": self._quantity,
            IDENTIFIER: self._identifier,
            EXTENSION: self._extension,
            CODE_OF_CONCEPT: self._code_of_concept,
            TEXT_OF_NOTE: self._text_of_note,
            IN_PLACE: self._in_place,
        }

    def write(
        self, into: Element, part: Part, node: JsonObject, *, version: int | None = None
    ) -> None:
        """Write one resource.

        Args:
            into: the resource in the message; it has its id.
            part: which one it is.
            node: what it holds: as it was sent, or with what this message says in its place.
            version: which version of the document it is, for a Composition.
        """
        shape = RESOURCES[part.type]
        meta = put_profile(into, shape.profile, version=version)
        sent = child(node, "meta") or {}
        self._fill(meta, TYPES["Meta"], sent, f"{part.path}.meta", _REPLACED_META)
        self._fill(into, (LANGUAGE, *shape.lines), node, part.path, _REPLACED)

    def _fill(
        self,
        into: Element,
        lines: Iterable[Line],
        node: JsonObject,
        at: str,
        replaced: frozenset[str] = frozenset(),
    ) -> None:
        known = {line.r4: line for line in lines}
        for key, value in node.items():
            if key not in known and key not in replaced:
                is_narrative = isinstance(value, dict) and "div" in value
                text = _NARRATIVE if is_narrative else _NO_PLACE
                self._refuse(IssueCode.NOT_SUPPORTED, text, f"{at}.{key.removeprefix('_')}")
        for key, line in known.items():
            if key in node:
                self._line(into, line, node[key], f"{at}.{key}")

    def _line(self, into: Element, line: Line, value: Json, at: str) -> None:
        if not isinstance(value, list):
            self._value(into, line, value, at)
            return
        if line.most is not None and len(value) > line.most:
            text = f"Update Record takes {line.most} of these: send no more, or send a document."
            self._refuse(IssueCode.NOT_SUPPORTED, text, f"{at}[{line.most}]")
        for place, each in enumerate(value):
            self._value(into, line, each, f"{at}[{place}]")

    def _value(self, into: Element, line: Line, value: Json, at: str) -> None:
        if line.holds == PRIMITIVE:
            self._primitive(into, line, value, at)
        elif not isinstance(value, dict):
            self._refuse(IssueCode.STRUCTURE, "This is an object: write it as FHIR has it.", at)
        elif line.holds in self._special:
            self._special[line.holds](into, line, value, at)
        else:
            self._fill(under(into, line.stu3), TYPES[line.holds], value, at)

    def _primitive(self, into: Element, line: Line, value: Json, at: str) -> None:
        if line.codes and not (isinstance(value, str) and value in line.codes):
            text = f"Update Record takes this only as: {', '.join(sorted(line.codes))}."
            self._refuse(IssueCode.NOT_SUPPORTED, text, at)
            return
        text_of = _written(value)
        if text_of is None:
            text = "This cannot be written in XML: take out what no text or number has."
            self._refuse(IssueCode.VALUE, text, at)
            return
        put(into, line.stu3, text_of)

    def _reference(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        """Refer to the same entry; where STU3 has a person in place of their role, to the person."""
        meant = target = self._known.follow(node)
        if target is None and "reference" not in node and "Organization" in line.to:
            self._named(into, line, node, at, "Organization")
            return
        if target is not None and target.type == "PractitionerRole" and target.type not in line.to:
            target = self._known.follow(child(target.resource, "practitioner"))
        if meant is None or target is None or target.type not in line.to:
            self._refuse(IssueCode.NOT_SUPPORTED, _NOT_HERE, at)
            return
        if meant is not target and "identifier" in node:
            self._refuse(IssueCode.NOT_SUPPORTED, _OF_ROLE, f"{at}.identifier")
        self._named(into, line, node, at, meant.type, self._names[target.path])

    def _named(
        self, into: Element, line: Line, node: JsonObject, at: str, kind: str, name: str = ""
    ) -> None:
        """Write a Reference to an entry, or by what it says alone. Its type must be its target's."""
        if string(node, "type") not in (None, kind) or not isinstance(node.get("type", ""), str):
            self._refuse(IssueCode.VALUE, _NOT_HERE, f"{at}.type")
        said = {key: node[key] for key in node if key not in ("reference", "type")}
        reference = under(into, line.stu3)
        if name:
            put(reference, "reference", f"urn:uuid:{name}")
        self._fill(reference, TYPES[REFERENCE], said, at)

    def _coding(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        url = self._system(node, at)
        if string(node, "code") is None:
            text = "A code is missing: send words in the text of the concept."
            self._refuse(IssueCode.REQUIRED, text, at)
        if url is not None:
            self._fill(under(into, line.stu3), TYPES[CODING], {**node, "system": url}, at)

    def _quantity(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        url = self._system(node, at) if "code" in node or "system" in node else None
        sent = {**node, "system": url} if url is not None else node
        self._fill(under(into, line.stu3), TYPES["Quantity"], sent, at)

    def _identifier(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        system = string(node, "system")
        sent = node if system is None else {**node, "system": normal_system(system)}
        self._fill(under(into, line.stu3), TYPES[IDENTIFIER], sent, at)

    def _system(self, node: JsonObject, at: str) -> str | None:
        """Return by which name STU3 knows the system of a code; None: it does not know the code."""
        given = normal_system(string(node, "system") or "")
        system = SYSTEMS.get(given)
        if system is None:
            text = "Update Record has no codes of this system: send SNOMED CT or dm+d, or words."
            self._refuse(IssueCode.CODE_INVALID, text, f"{at}.system")
            return None
        is_known = system.codes is None or string(node, "code") in system.codes
        if not is_known or (system.url != given and "version" in node):
            text = "STU3 has no such code in this list, or the list has no such version there."
            self._refuse(IssueCode.CODE_INVALID, f"{text} Send a document.", f"{at}.code")
            return None
        return system.url

    def _extension(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        url = EXTENSIONS.get(string(node, "url") or "")
        if url is None:
            self._refuse(IssueCode.NOT_SUPPORTED, _NO_PLACE, at)
            return
        extension = under(into, line.stu3)
        extension.set("url", url)
        self._fill(extension, TYPES[EXTENSION], node, at, frozenset({"url"}))

    def _code_of_concept(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        """Write the code alone; a display that says the same in words is not lost with it."""
        codings = objects(node, "coding")
        coding = codings[0] if len(codings) == 1 and set(node) == {"coding"} else {}
        code = string(coding, "code") or ""
        display = coding.get("display", code)
        says_same = isinstance(display, str) and display.casefold().replace(" ", "-") == code
        is_plain = says_same and set(coding) <= {"system", "code", "display"}
        is_listed = string(coding, "system") == LISTS[line.r4] and code in line.codes
        if not (is_plain and is_listed):
            taken = ", ".join(sorted(line.codes))
            text = f"Update Record takes one code of FHIR's own list here, without words: {taken}."
            self._refuse(IssueCode.NOT_SUPPORTED, text, at)
            return
        put(into, line.stu3, code)

    def _text_of_note(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        text = Line(r4="text", holds=PRIMITIVE, stu3=line.stu3)
        self._fill(into, (text,), node, at)

    def _in_place(self, into: Element, line: Line, node: JsonObject, at: str) -> None:
        self._fill(into, TYPES[line.stu3], node, at)

    def _refuse(self, code: IssueCode, text: str, at: str) -> None:
        self.faults.append(fault(code, text, at))


def _written(value: Json) -> str | None:
    """Write a primitive as XML has it; None: it cannot be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        fits = isinstance(exponent, int) and -_MOST_DECIMALS <= exponent <= 0
        return format(value, "f") if fits else None
    if isinstance(value, str):
        return None if _UNWRITABLE.search(value) else value
    return str(value) if isinstance(value, int) else None
