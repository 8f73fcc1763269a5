"""Reads the bytes of a message to a practice, and tells every code that a machine could file.

It knows the standard and nothing of the gateway. What enters: the XML of an ITK3 message, FHIR
STU3, or the JSON that a practice's own server takes. What leaves: a Reading: which message it says it is, and each finding in a plain word.

A coding is an element that has a `code`, or one that is called as FHIR calls codings. In a Send
Document message codings have four places, PLACES below; one anywhere else is a finding, as are a
resource type, an extension or a narrative that such a message does not have, a value that is
wholly a SNOMED CT identifier, and an attachment that is, or holds, data for a machine or files.
Codes that stand as words in a text that a person reads are no entries: they are no finding.
Sources: ITK3 2.9, message structure; GP Connect Send Document 1.3 and 2.0.2; Update Record 1.2;
FHIR 3.0.2, datatypes and binary; SNOMED International, SCTID check digit (Verhoeff).
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

FHIR = "{http://hl7.org/fhir}"
SNOMED = "http://snomed.info/sct"
ITK = "https://fhir.nhs.uk/STU3"
DOCUMENT_EVENT, RECORD_EVENT = "ITK007C", "ITK014M"

_STRUCTURE = f"{ITK}/StructureDefinition"
_HANDLING = f"extension[{_STRUCTURE}/Extension-ITK-MessageHandling-2]"
_SETTING = f"extension[{_STRUCTURE}/Extension-ITK-CareSettingType-1]"
PLACES = {
    f"MessageHeader/{_HANDLING}/extension[RecipientType]/valueCoding": (
        f"{ITK}/CodeSystem/ITK-RecipientType-1"
    ),
    "MessageHeader/event": f"{ITK}/CodeSystem/ITK-MessageEvent-2",
    f"Composition/{_SETTING}/valueCodeableConcept/coding": SNOMED,
    "Composition/type/coding": SNOMED,
}
"""Where a Send Document message has a coding, one at most in each, and of which list.
Sources: ITK-MessageHeader-2; Send Document, Composition: the document's type, the care setting."""

EXTENSIONS = {
    f"{_STRUCTURE}/Extension-ITK-MessageHandling-2",
    f"{_STRUCTURE}/Extension-ITK-CareSettingType-1",
    "BusAckRequested", "InfAckRequested", "RecipientType", "MessageDefinition",
    "SenderReference", "LocalExtension",
}  # fmt: skip
ENVELOPE = {"Bundle", "MessageHeader", "Organization", "Practitioner", "Patient", "Composition"}
OF_DOCUMENT = ENVELOPE | {"Binary"}
OF_RECORD = ENVELOPE | {
    "Encounter", "PractitionerRole", "Observation", "MedicationDispense", "Condition",
    "ClinicalImpression",
}  # fmt: skip
"""Source: Update Record 1.2, the resources of its message."""

_OWN_CODES = {"relatesTo", "response"}
"""Elements whose `code` is of the standard's own short list, without a system."""

_MAGIC = {
    "application/pdf": (b"%PDF-",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "text/plain": (b"",),
}
_DATA = re.compile(
    rb"\"resourceType\"|xmlns(?::\w+)?=[\"']http://hl7\.org/fhir|urn:hl7-org:|ClinicalDocument"
    rb"|(?:^|[\r\n])MSH\|"
)
_FILES = re.compile(
    rb"/(?:EmbeddedFiles?|JavaScript|OpenAction|Launch|AcroForm|XFA|RichMedia|AF)\b"
)
_STREAM = re.compile(rb"(?<!end)stream\r?\n")


@dataclass(frozen=True, slots=True)
class Coding:
    """A coding: its way from the resource that holds it, and what it says."""

    place: str
    system: str | None
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message is, its codings and its findings. `is_record`: it says that codes come."""

    is_record: bool
    findings: tuple[str, ...]
    codings: tuple[Coding, ...]
    types: frozenset[str]

    @property
    def entered(self) -> frozenset[str]:
        """The clinical codes of an Update Record: those that a practice's system could file."""
        return frozenset(each.code for each in self.codings if _is_clinical(each.system))


def read_outbound(body: bytes) -> Reading:
    """Read one message.

    Raises:
        ValueError: it is no ITK3 message, or of an event that goes to no practice.
    """
    root = ET.fromstring(body)  # noqa: S314  # our own bytes
    events = [
        e.get("value") for e in root.iterfind(f".//{FHIR}MessageHeader/{FHIR}event/{FHIR}code")
    ]
    if root.tag != f"{FHIR}Bundle" or events not in ([DOCUMENT_EVENT], [RECORD_EVENT]):
        msg = "not one message to a practice"
        raise ValueError(msg)
    is_record = events == [RECORD_EVENT]
    resources = list(_resources(root))
    codings = [each for resource in resources for each in _codings(resource)]
    findings = list(_of_types(resources, OF_RECORD if is_record else OF_DOCUMENT))
    if not is_record:
        findings += [*_of_places(codings), *_of_document(resources)]
    return Reading(
        is_record=is_record,
        findings=tuple(findings),
        codings=tuple(codings),
        types=frozenset(_name(each) for each in resources),
    )


SERVER_TYPES = {"Bundle", "DocumentReference", "Binary"}
SERVER_CODINGS = {("DocumentReference.type.coding", SNOMED)}
"""What a practice's own FHIR server is sent: FHIR R4, a document and its files, and the one coding
that says what kind of document it is."""


def read_for_server(body: bytes) -> Reading:
    """Read one FHIR R4 transaction, JSON, for a practice's own server.

    Raises:
        ValueError: it is no such transaction.
    """
    tree = json.loads(body)
    if (tree.get("resourceType"), tree.get("type")) != ("Bundle", "transaction"):
        msg = "not one transaction"
        raise ValueError(msg)
    nodes = list(_nodes(tree, "Bundle"))
    codings = [
        Coding(place, node.get("system"), str(node["code"]))
        for node, place in nodes
        if "code" in node and "target" not in node
    ]
    findings = [
        f"a coding at {each.place}"
        for each in codings
        if (each.place, each.system) not in SERVER_CODINGS
    ]
    for node, place in nodes:
        kind = node.get("resourceType")
        if kind is not None and kind not in SERVER_TYPES:
            findings.append(f"{kind} is no resource of such a message")
        for name, value in node.items():
            if name in ("extension", "modifierExtension", "contained", "text", "div"):
                findings.append(f"a part in a part at {place}.{name}")
            if isinstance(value, str) and is_sctid(value) and name != "code":
                findings.append(f"a SNOMED CT identifier at {place}.{name}")
        if kind == "Binary":
            findings += _of_file(node.get("contentType", ""), node.get("data", ""))
    return Reading(
        is_record=False,
        findings=tuple(findings),
        codings=tuple(codings),
        types=frozenset(str(n["resourceType"]) for n, _ in nodes if "resourceType" in n),
    )


def _nodes(node: Any, place: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each object with its way from the resource that holds it."""
    if isinstance(node, list):
        for each in node:
            yield from _nodes(each, place)
    elif isinstance(node, dict):
        here = str(node.get("resourceType", place))
        yield node, here
        for name, value in node.items():
            yield from _nodes(value, f"{here}.{name}")


def _is_clinical(system: str | None) -> bool:
    return system is not None and any(
        each in system for each in ("snomed", "dmd.nhs.uk", "loinc", "read.info", "icd-10")
    )


def _name(element: ET.Element) -> str:
    return element.tag.removeprefix(FHIR)


def _resources(root: ET.Element) -> Iterator[ET.Element]:
    """Yield each resource: the root, what an entry holds, and what is contained."""
    yield root
    for element in root.iter():
        if _name(element) in ("resource", "contained", "outcome", "response"):
            yield from (each for each in element if _name(each)[:1].isupper())


def _walk(element: ET.Element, place: str) -> Iterator[tuple[ET.Element, str]]:
    """Yield what stands in a resource and in no other, with its way from there."""
    for child in element:
        if _name(child) in ("resource", "contained"):
            continue
        step = _name(child) + (f"[{child.get('url')}]" if child.get("url") else "")
        yield child, f"{place}/{step}"
        yield from _walk(child, f"{place}/{step}")


def _codings(resource: ET.Element) -> Iterator[Coding]:
    for element, place in _walk(resource, _name(resource)):
        name, code = _name(element), _value(element.find(f"{FHIR}code"))
        system = _value(element.find(f"{FHIR}system"))
        is_named = name.endswith(("oding", "CodeableConcept", "valueCode"))
        if code is not None and (system is not None or name not in _OWN_CODES):
            yield Coding(place, system, code)
        elif is_named and code is None and element.find(f"{FHIR}coding") is None:
            yield Coding(place, system, element.get("value") or "")


def _value(element: ET.Element | None) -> str | None:
    return None if element is None else element.get("value")


def _of_types(resources: list[ET.Element], allowed: set[str]) -> Iterator[str]:
    for each in resources:
        if _name(each) not in allowed:
            yield f"{_name(each)} is no resource of such a message"


def _of_places(codings: list[Coding]) -> Iterator[str]:
    met: set[str] = set()
    for each in codings:
        if PLACES.get(each.place) != each.system or each.place in met:
            yield f"a coding at {each.place}"
        met.add(each.place)


def _of_document(resources: list[ET.Element]) -> Iterator[str]:
    for resource in resources:
        for element, place in _walk(resource, _name(resource)):
            if _name(element) in ("contained", "text", "div") or not element.tag.startswith(FHIR):
                yield f"a narrative or a part in a part at {place}"
            if _name(element) in ("extension", "modifierExtension"):
                yield from _of_extension(element, place)
            if place not in {f"{each}/code" for each in PLACES} and "/identifier/" not in place:
                value = element.get("value", "")
                if is_sctid(value) and _name(element) != "content":
                    yield f"a SNOMED CT identifier at {place}"
        if _name(resource) == "Binary":
            yield from _of_binary(resource)


def _of_extension(element: ET.Element, place: str) -> Iterator[str]:
    if element.get("url") not in EXTENSIONS:
        yield f"an extension at {place}"


def _of_binary(binary: ET.Element) -> Iterator[str]:
    kind = _value(binary.find(f"{FHIR}contentType")) or ""
    yield from _of_file(kind, _value(binary.find(f"{FHIR}content")) or "")


def _of_file(kind: str, encoded: str) -> Iterator[str]:
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        yield "an attachment that is not base64"
        return
    if kind not in _MAGIC or not content.startswith(_MAGIC[kind]):
        yield "an attachment that is not what it says"
    if any(_DATA.search(each) for each in layers(content)):
        yield "an attachment with data for a machine"
    if kind == "application/pdf" and any(_FILES.search(each) for each in layers(content)):
        yield "a PDF with files or parts that act"


def layers(content: bytes) -> Iterator[bytes]:
    """Yield bytes, what is packed in their streams, and the same as a wider text would be."""
    yield content
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield content.decode("utf-16", "replace").encode()
    for match in _STREAM.finditer(content):
        packed = zlib.decompressobj()
        try:
            yield packed.decompress(content[match.end() :], 10_000_000)
        except zlib.error:
            continue


_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def is_sctid(text: str) -> bool:
    """Whether a text is wholly an identifier of SNOMED CT, by its partition and check digit."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", text) or text[-3:-1] not in (
        "00", "01", "02", "10", "11", "12",
    ):  # fmt: skip
        return False
    check = 0
    for place, digit in enumerate(reversed(text)):
        check = int(_D[check][int(_P[place % 8][int(digit)])])
    return check == 0
