"""What a delivery says of itself in a MESH mailbox, and what a recipient answers there.

What enters: a delivery on its way to a mailbox; the bytes of an answer that stood in ours. What
leaves: the control values that go with the bytes, the same at every attempt, nothing of the
person in them; and what an answer says. Must never: fetch what an answer names, or take one for
good that does not say so. Sources: MESH API, headers; ITK3 Response Codes, 2.10;
`mappings/mesh/README.md`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from gateway.errors import Fault, InvalidMessageError, IssueCode, MessageError
from gateway.fhir.json_text import read_json
from gateway.referral.directory import Endpoint
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.lifecycle import DeliveryKind
from gateway.referral.model import Delivery, Referral

ITK_RESPONSE_CODES = "https://fhir.nhs.uk/STU3/CodeSystem/ITK-ResponseCodes-1"
INFRASTRUCTURE_SUCCESS = "20013"
"""The recipient's system read the message; a person, or a match, comes later or never."""

ANSWERS = "_ACK"
"""How the workflow of an answer ends, after that of the message. Source: the NHS's own ids."""

_FHIR = "{http://hl7.org/fhir}"
_CODE = re.compile(r"[A-Za-z0-9-]{1,16}")
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_MOST_BYTES = 1024 * 1024
_SUFFIXES = {"json": ".json", "xml": ".xml"}
_WORDS = {DeliveryKind.REFERRAL: "Referral", DeliveryKind.RECALL: "Recall of referral"}
_NO_CODE = "UNSPECIFIED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The control values of one message. `local_id` is how MESH finds it again for us.

    Those of a message to a practice name the person: no `repr` shows them.
    """

    to: str = field(repr=False)
    workflow: str
    local_id: str
    subject: str = field(repr=False)
    filename: str
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a recipient answered. `about` is by which name it knows what it answers to."""

    about: str
    is_positive: bool
    code: str


def control_for(
    referral: Referral, delivery: Delivery, endpoint: Endpoint, media_type: str
) -> Control:
    """Make the control values: the same at every attempt, so that a repeat is known as one."""
    suffix = _SUFFIXES.get(re.split("[/+]", media_type)[-1], ".dat")
    return Control(
        to=endpoint.parameters["recipient"],
        workflow=endpoint.parameters["workflow"],
        local_id=str(delivery.id),
        subject=f"{_WORDS[delivery.kind]} {referral.reference}",
        filename=f"{delivery.id}{suffix}",
        content_type=media_type,
    )


def answers_to(endpoint: Endpoint) -> str:
    """Name the workflow in which a recipient answers."""
    return f"{endpoint.parameters['workflow']}{ANSWERS}"


def plain_code(code: str | None) -> str:
    """Return a code that somebody else wrote, where it is one."""
    return code if code is not None and _CODE.fullmatch(code) else _NO_CODE


def plain_name(name: str | None) -> str:
    """Return by which name MESH knows a message, where it is one."""
    return name if name is not None and _NAME.fullmatch(name) else _NO_CODE


def read_response(body: bytes) -> Response:
    """Read an answer: a message with a MessageHeader that responds, JSON or XML, STU3 or R4.

    Only `ok` is positive. The code is that of ITK3 where one is given, else FHIR's own.

    Raises:
        InvalidMessageError: it is not such a message.
    """
    if len(body) > _MOST_BYTES:
        raise _refusal("An answer is no longer than 1 MiB.")
    found = _in_xml(body) if body.lstrip()[:1] == b"<" else _in_json(body)
    if found is None or not found.about or not found.code:
        raise _refusal("An answer has a MessageHeader with response.identifier and response.code.")
    return found


def _in_json(body: bytes) -> Response | None:
    try:
        tree = read_json(body)
    except MessageError as error:
        raise _refusal("An answer is JSON or XML.") from error
    resources = [child(entry, "resource") or {} for entry in objects(tree, "entry")]
    says = [r for r in resources if string(r, "resourceType") == "MessageHeader"]
    response = child(says[0], "response") if len(says) == 1 else None
    if response is None:
        return None
    codes = [code for resource in resources for code in _json_codes(resource)]
    about = string(response, "identifier") or ""
    return _response(about, string(response, "code") or "", codes)


def _json_codes(resource: JsonObject) -> Iterator[str]:
    for issue in objects(resource, "issue"):
        for coding in objects(child(issue, "details") or {}, "coding"):
            if string(coding, "system") == ITK_RESPONSE_CODES:
                yield string(coding, "code") or ""


def _in_xml(body: bytes) -> Response | None:
    root = _parsed(body)
    says = root.findall(f".//{_FHIR}MessageHeader/{_FHIR}response")
    if len(says) != 1:
        return None
    codings = root.iterfind(f".//{_FHIR}OperationOutcome/{_FHIR}issue/{_FHIR}details/{_FHIR}coding")
    codes = [_value(c, "code") for c in codings if _value(c, "system") == ITK_RESPONSE_CODES]
    return _response(_value(says[0], "identifier"), _value(says[0], "code"), codes)


def _parsed(body: bytes) -> etree._Element:
    """Parse without entities, without a document type, and without the network."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise _refusal("An answer is JSON or XML.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refusal("An answer has no document type.")
    return root


def _value(element: etree._Element, name: str) -> str:
    found = element.find(f"{_FHIR}{name}")
    return "" if found is None else str(found.get("value", ""))


def _response(about: str, status: str, codes: list[str]) -> Response:
    return Response(
        about=about.removeprefix("urn:uuid:"),
        is_positive=status == "ok",
        code=plain_code(codes[0] if codes else status) if status else "",
    )


def _refusal(text: str) -> InvalidMessageError:
    return InvalidMessageError(Fault(code=IssueCode.INVALID, diagnostics=text))
