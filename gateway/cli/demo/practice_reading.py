"""What a simulated practice's system reads in an ITK3 message, by itself.

What enters: the bytes as MESH brought them. What leaves: who says what of which document, its
files, and every coded entry that stands anywhere in the bytes. It shares no code with what writes
such messages, so that it can be asked whether they are as they should be. Nothing is fetched, no
entity is resolved. Whatever is not known to be no entry is taken for one.

Not checked: profiles; what stands inside a PDF or a picture. Source: ITK3 2.9, FHIR STU3.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

_FHIR: Final = "{http://hl7.org/fhir}"
_NHS_NUMBER: Final = "https://fhir.nhs.uk/Id/nhs-number"
_HANDLING: Final = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-ITK-MessageHandling-2"
_NO_ENTRY: Final = frozenset(
    "Bundle MessageHeader OperationOutcome Composition Binary DocumentReference Patient "
    "RelatedPerson Practitioner PractitionerRole Organization HealthcareService Location "
    "Endpoint Encounter Device Provenance".split()
)
"""Resources that say who, where, when, or are a document. Any other is an entry."""
_CLINICAL_SYSTEM: Final = re.compile(
    r"(?i)\s*(?:https?://(?:snomed\.info|loinc\.org|read\.info|dmd\.nhs\.uk|"
    r"hl7\.org/fhir/sid/icd|fhir\.nhs\.uk/Id/(?:opcs|read|snomed|multilex))"
    r"|urn:oid:2\.16\.840\.1\.113883\.(?:6|2\.1)\.)"
)
_CODED_BY_DESIGN: Final = re.compile(
    r"Composition/(?:type|class)/coding"
    r"|Composition/extension\(Extension-(?:ITK|CareConnect)-CareSettingType-1\)"
    r"/valueCodeableConcept/coding"
    r"|PractitionerRole/(?:code|specialty)/coding|Organization/type/coding"
)
"""Where a clinical code says what a document or a person is, and files nothing."""
_TYPE_OF_REFERENCE: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[^/]+$")
_Element = etree._Element  # noqa: SLF001  # lxml names its type so


class UnreadableError(Exception):
    """It is no ITK3 message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAttachment:
    """One file; `content` None: it could not be decoded."""

    title: str
    media_type: str
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message says. What it does not say is empty. `version` is that of the document."""

    message_id: str
    event: str
    recipient_type: str
    sender_reference: str
    nhs_number: str = field(repr=False)
    identifier: str
    document_type: str
    title: str
    version: str
    replaces: str
    confidentiality: str
    attachments: tuple[ReadAttachment, ...]
    coded_entries: tuple[str, ...]


def read_message(body: bytes) -> Reading:
    """Read a message.

    Raises:
        UnreadableError: it is no XML, has a document type, or no MessageHeader with an id.
    """
    root = _parsed(body)
    header = root.find(f".//{_FHIR}MessageHeader")
    if header is None or not _value(header, "id"):
        raise UnreadableError
    handling = {
        each.get("url", ""): each
        for each in header.iterfind(f"{_FHIR}extension[@url='{_HANDLING}']/{_FHIR}extension")
    }
    composition = root.find(f".//{_FHIR}Composition")
    if composition is None:
        composition = etree.Element(f"{_FHIR}Composition")
    return Reading(
        message_id=_value(header, "id"),
        event=_value(header, "event/code"),
        recipient_type=_value(handling.get("RecipientType"), "valueCoding/code"),
        sender_reference=_value(handling.get("SenderReference"), "valueString"),
        nhs_number=_number(root),
        identifier=_value(composition, "identifier/value"),
        document_type=_value(composition, "type/coding/code"),
        title=_value(composition, "title"),
        version=_value(composition, "meta/versionId"),
        replaces=_replaced(composition),
        confidentiality=_value(composition, "confidentiality"),
        attachments=tuple(_attachments(root, composition)),
        coded_entries=tuple(dict.fromkeys(_coded_entries(root))),
    )


def _parsed(body: bytes) -> _Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise UnreadableError from None
    if root.getroottree().docinfo.internalDTD is not None or root.tag != f"{_FHIR}Bundle":
        raise UnreadableError
    return root


def _value(element: _Element | None, path: str) -> str:
    """Return the first value at a path of names; empty where there is none."""
    found = None
    if element is not None:
        found = element.find("/".join(f"{_FHIR}{name}" for name in path.split("/")))
    return "" if found is None else str(found.get("value", "")).strip()


def _number(root: _Element) -> str:
    for identifier in root.iterfind(f".//{_FHIR}Patient/{_FHIR}identifier"):
        if _value(identifier, "system") == _NHS_NUMBER:
            return _value(identifier, "value")
    return ""


def _replaced(composition: _Element) -> str:
    for relation in composition.iterfind(f"{_FHIR}relatesTo"):
        if _value(relation, "code") == "replaces":
            return _value(relation, "targetIdentifier/value")
    return ""


def _entries(root: _Element) -> Iterator[tuple[str, _Element]]:
    """Yield every resource that an entry of a bundle holds, with the entry's address."""
    for entry in root.iter(f"{_FHIR}entry"):
        for resource in entry.iterfind(f"{_FHIR}resource/*"):
            yield _value(entry, "fullUrl"), resource


def _attachments(root: _Element, composition: _Element) -> Iterator[ReadAttachment]:
    """Yield the files: those of the document in its order, then any that it does not name."""
    binaries = {url: each for url, each in _entries(root) if _name(each) == "Binary"}
    for section in composition.iter(f"{_FHIR}section"):
        for entry in section.iterfind(f"{_FHIR}entry"):
            binary = binaries.pop(_value(entry, "reference"), None)
            if binary is not None:
                yield _attachment(binary, _value(section, "title"))
    yield from (_attachment(each, "") for each in binaries.values())


def _attachment(binary: _Element, title: str) -> ReadAttachment:
    return ReadAttachment(
        title=title, media_type=_value(binary, "contentType"), content=_decoded(binary)
    )


def _decoded(binary: _Element) -> bytes | None:
    """Decode a Binary. Blanks are let pass: an example of the NHS's own has them."""
    text = "".join(_value(binary, "content").split())
    try:
        return b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _coded_entries(root: _Element) -> Iterator[str]:
    """Name every entry: by its resource, where a section leads to it, or where its code stands."""
    kinds = {url: _name(resource) for url, resource in _entries(root)}
    for element in root.iter(f"{_FHIR}*"):
        name = _name(element)
        if name[:1].isupper() and name not in _NO_ENTRY:
            yield name
        elif name == "Binary" and _holds_fhir(element):
            yield "Binary that holds FHIR"
        elif name == "reference" and _is_of_section(element):
            address = element.get("value", "")
            kind = kinds.get(address) or _type_in(address)
            if kind not in _NO_ENTRY:
                yield f"section.entry to {kind or 'what is not there'}"
        elif name == "system" and _CLINICAL_SYSTEM.match(element.get("value", "")):
            place = _place(element)
            if not _CODED_BY_DESIGN.fullmatch(place):
                yield f"code in {place}"


def _name(element: _Element) -> str:
    return etree.QName(element).localname


def _is_of_section(reference: _Element) -> bool:
    entry = reference.getparent()
    section = None if entry is None else entry.getparent()
    return section is not None and [_name(entry), _name(section)] == ["entry", "section"]  # type: ignore[arg-type]  # it has a parent


def _type_in(address: str) -> str:
    found = _TYPE_OF_REFERENCE.search(address)
    return found[1] if found else ""


def _place(element: _Element) -> str:
    """Name where an element stands, from the resource that it is of."""
    names: list[str] = []
    for each in element.iterancestors():
        url = each.get("url", "").rpartition("/")[2]
        names.insert(0, f"{_name(each)}({url})" if url else _name(each))
        if names[0][:1].isupper():
            break
    return "/".join(names)


def _holds_fhir(binary: _Element) -> bool:
    kind = _value(binary, "contentType").lower()
    content = (_decoded(binary) or b"").lstrip(b"\xef\xbb\xbf \t\r\n")
    is_text = content[:1] in (b"<", b"{", b"[")
    return "fhir" in kind or (
        is_text and (b'"resourceType"' in content or b"http://hl7.org/fhir" in content)
    )
