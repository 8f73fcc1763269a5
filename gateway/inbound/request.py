"""What a request must carry besides its body, and the answer's form.

What enters: the Flask request. What leaves: an Envelope, or a refusal that names the header.
Source: BaRS message headers and content negotiation.
"""

import base64
import binascii
import hashlib
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import flask

from gateway.errors import (
    BodyTooLargeError,
    Fault,
    GatewayError,
    HeaderError,
    InvalidMessageError,
    IssueCode,
    MessageError,
    NotAcceptableError,
    NotTheRequesterError,
    Severity,
    StateError,
    UnsupportedMediaTypeError,
)
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.validate import validate
from gateway.inbound.answers import Answer, codes_of
from gateway.inbound.house import house
from gateway.journey.accept import reject
from gateway.referral.identifiers import (
    DOS_SERVICE_SYSTEM,
    ODS_CODE_SYSTEM,
    CorrelationId,
    DosServiceId,
    OdsCode,
    RequestId,
    normal_system,
)
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.model import Door, Envelope, Sender

FHIR_JSON = "application/fhir+json"
API_MAJOR = 1
"""The major version of the BaRS API that is spoken here."""

_JSON_TYPES = (FHIR_JSON, "application/json")
_ANY = ("*/*", "application/*")
_VERSION = re.compile(r"(?<![\w-])version\s*=\s*\"?(\d{1,4})(?:\.\d{1,6}){0,2}", re.IGNORECASE)


def check_accept() -> None:
    """Refuse an Accept header that leaves no room for FHIR JSON of our version.

    Raises:
        NotAcceptableError: another media type, or another major version.
    """
    accept = flask.request.headers.get("Accept", "*/*") or "*/*"
    kinds = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if not kinds & {*_JSON_TYPES, *_ANY}:
        raise NotAcceptableError(
            Fault(code=IssueCode.PROCESSING, diagnostics=f"Accept {FHIR_JSON}.")
        )
    majors = [int(found) for found in _VERSION.findall(accept)]
    if majors and max(majors) != API_MAJOR:
        raise NotAcceptableError(
            Fault(
                code=IssueCode.PROCESSING,
                diagnostics=f"Version {API_MAJOR} of the API is spoken here. Accept"
                f" {FHIR_JSON}; version={API_MAJOR}.0.0 or a later {API_MAJOR}.x.",
            )
        )


def envelope(door: Door, sender: Sender, *, ids_required: bool) -> Envelope:
    """Read the ids and the body.

    Args:
        door: which conventions apply.
        sender: who authenticated.
        ids_required: BaRS requires both ids; a plain FHIR client may leave them out and
            gets new ones, which the answer carries.

    Raises:
        HeaderError: an id is missing or is not a UUID.
        BodyTooLargeError: the body is longer than the limit.
    """
    faults: list[Fault] = []
    request_id = _uuid_header("X-Request-Id", ids_required, faults)
    correlation_id = _uuid_header("X-Correlation-Id", ids_required, faults)
    if faults:
        raise HeaderError(*faults)
    flask.g.ids = (request_id, correlation_id)
    body = _body()
    return Envelope(
        door=door,
        sender=sender,
        request_id=RequestId(request_id),
        correlation_id=CorrelationId(correlation_id),
        body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )


def _body() -> bytes:
    """Read the body. One of unknown length would be cut at the limit, so read a byte further."""
    limit: int = flask.current_app.config["MAX_CONTENT_LENGTH"]
    flask.request.max_content_length = limit + 1
    body = flask.request.get_data(cache=False)
    if len(body) > limit:
        raise BodyTooLargeError(
            Fault(
                code=IssueCode.TOO_LONG,
                diagnostics=f"The body is longer than {limit} bytes; send less, or in parts.",
            )
        )
    return body


def read_body(sent: Envelope) -> JsonObject:
    """Read the body as a FHIR resource whose structure is right.

    Raises:
        UnsupportedMediaTypeError: the body is packed, or not FHIR JSON in UTF-8.
        InvalidMessageError: every fault of the body.
    """
    content_type, _, parameters = flask.request.headers.get("Content-Type", "").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters, re.IGNORECASE)
    if content_type.strip().lower() not in _JSON_TYPES or (
        charset is not None and charset[1].lower() not in ("utf-8", "utf8")
    ):
        raise UnsupportedMediaTypeError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics=f"Send Content-Type: {FHIR_JSON}, in UTF-8.",
            )
        )
    if flask.request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics="A packed body is not taken here. Send it without Content-Encoding.",
            )
        )
    tree = read_json(sent.body)
    faults = [f for f in validate(tree) if f.severity in (Severity.ERROR, Severity.FATAL)]
    if faults:
        raise InvalidMessageError(*faults)
    return tree


@contextmanager
def refusals_recorded(sent: Envelope) -> Iterator[None]:
    """Record whatever refuses an authenticated sender's message, then let it refuse."""
    try:
        yield
    except (MessageError, NotTheRequesterError, StateError) as refusal:
        reject(sent, codes_of(refusal, sent.door), house().gateway)
        raise


def target_service() -> DosServiceId:
    """Read `NHSD-Target-Identifier`: Base64 of `{"value": ..., "system": ...}`.

    Raises:
        HeaderError: it is missing, or is not that.
    """
    tree = _encoded_header("NHSD-Target-Identifier", required=True) or {}
    malformed = HeaderError(
        Fault(
            code=IssueCode.VALUE,
            diagnostics="NHSD-Target-Identifier is Base64 of a JSON object with the system"
            f" {DOS_SERVICE_SYSTEM} and the service id as value.",
        )
    )
    if normal_system(string(tree, "system") or "") != DOS_SERVICE_SYSTEM:
        raise malformed
    try:
        return DosServiceId(string(tree, "value") or "")
    except ValueError:
        raise malformed from None


def check_end_user_organisation(sender: Sender) -> None:
    """Check that `NHSD-End-User-Organisation`, where sent, names who authenticated.

    Raises:
        HeaderError: it is not Base64 of an Organization.
        NotTheRequesterError: it names another organisation.
    """
    tree = _encoded_header("NHSD-End-User-Organisation", required=False)
    if tree is None:
        return
    codes = [
        string(identifier, "value")
        for identifier in objects(tree, "identifier")
        if normal_system(string(identifier, "system") or "") == ODS_CODE_SYSTEM
    ]
    if [_ods(code) for code in codes] != [sender.ods]:
        raise NotTheRequesterError(
            "NHSD-End-User-Organisation",
            "NHSD-End-User-Organisation does not name the organisation that authenticated.",
        )


def to_response(answer: Answer) -> flask.Response:
    """Write an answer as FHIR JSON."""
    response = flask.Response(write_json(answer.body), answer.http, content_type=FHIR_JSON)
    response.headers.update(answer.headers)
    return response


def echo_ids(response: flask.Response) -> flask.Response:
    """Carry both X- ids in every answer: the sender's own, as spelt, where they were good."""
    names = ("X-Request-Id", "X-Correlation-Id")
    for name, given in zip(names, flask.g.get("ids") or (None, None), strict=True):
        sent = flask.request.headers.get(name)
        value = sent if sent and _is_uuid(sent) else given
        if value:
            response.headers[name] = value
    return response


def _uuid_header(name: str, required: bool, faults: list[Fault]) -> str:  # noqa: FBT001
    text = flask.request.headers.get(name)
    if not text:
        if required:
            faults.append(Fault(code=IssueCode.REQUIRED, diagnostics=f"Send {name}: a UUID."))
        return str(uuid.uuid4())
    if not _is_uuid(text):
        faults.append(Fault(code=IssueCode.VALUE, diagnostics=f"{name} is not a UUID."))
        return str(uuid.uuid4())
    return text.strip().lower()


def _is_uuid(text: str) -> bool:
    try:
        RequestId(text)
    except ValueError:
        return False
    return True


def _encoded_header(name: str, *, required: bool) -> JsonObject | None:
    text = flask.request.headers.get(name)
    if not text:
        if required:
            raise HeaderError(Fault(code=IssueCode.REQUIRED, diagnostics=f"Send {name}."))
        return None
    try:
        return read_json(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, GatewayError):
        raise HeaderError(
            Fault(code=IssueCode.VALUE, diagnostics=f"{name} is not Base64 of a JSON object.")
        ) from None


def _ods(code: str | None) -> OdsCode | None:
    try:
        return OdsCode(code or "")
    except ValueError:
        return None
