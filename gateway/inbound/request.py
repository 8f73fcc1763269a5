"""What a request must carry besides its body; `media` says in which format it goes.

What enters: the Flask request. What leaves: an Envelope, or a refusal that names the header.
Source: BaRS message headers.
"""

import base64
import binascii
import hashlib
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import flask
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, ClientDisconnected

from gateway.errors import (
    BodyTooLargeError,
    ConsentRefusedError,
    FailedBeforeError,
    Fault,
    GatewayError,
    HeaderError,
    IssueCode,
    MessageError,
    NotTheRequesterError,
    ParameterError,
    StateError,
    StoreUnavailableError,
    TooSlowError,
)
from gateway.fhir.examine import check_structure
from gateway.fhir.json_text import read_json, write_json
from gateway.inbound.answers import answer_to, codes_of, kept_answer
from gateway.inbound.house import house
from gateway.inbound.media import body_tree
from gateway.journey.take_up import ReceiptOf, give_back, referral_receipt, reject, take_up
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
from gateway.referral.model import Door, Envelope, Receipt, Sender

_T = TypeVar("_T")

_WHO_ASKS = {
    "NHSD-End-User-Organisation": "Organization",
    "NHSD-Requesting-Software": "Device",
    "NHSD-Requesting-Practitioner": "PractitionerRole",
}


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
    is_repeatable = bool(flask.request.headers.get("X-Request-Id"))
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
        is_repeatable=is_repeatable,
        answer_by=flask.g.started + house().answer_within.total_seconds(),
    )


def _body() -> bytes:
    """Read the body. One of unknown length would be cut at the limit, so read a byte further."""
    limit: int = flask.current_app.config["MAX_CONTENT_LENGTH"]
    flask.request.max_content_length = limit + 1
    try:
        with _patience():
            body = flask.request.get_data(cache=False)
    except ParseException:  # of the parts of a body that comes in parts
        raise BadRequest from None
    if len(body) > limit:
        raise BodyTooLargeError(
            Fault(
                code=IssueCode.TOO_LONG,
                diagnostics=f"The body is longer than {limit} bytes; send less, or in parts.",
            )
        )
    return body


@contextmanager
def _patience() -> Iterator[None]:
    """Wait for each piece of a body no longer than an answer may take.

    Raises:
        TooSlowError: nothing came; the connection is not read any further.
    """
    line: socket.socket | None = flask.request.environ.get("gunicorn.socket")
    if line is None:
        yield
        return
    line.settimeout(house().answer_within.total_seconds())
    try:
        yield
    except ClientDisconnected as error:
        if not isinstance(error.__context__, TimeoutError):
            raise
        line.shutdown(socket.SHUT_RD)
        msg = "the body did not come in time"
        raise TooSlowError(msg) from error
    finally:
        line.settimeout(None)


def read_body(sent: Envelope) -> tuple[JsonObject, Sequence[Fault]]:
    """Read the body as a FHIR resource whose structure is right, and what was tolerated in it.

    Raises:
        UnsupportedMediaTypeError: the body is packed, or not FHIR in JSON or XML in UTF-8.
        InvalidMessageError: every fault of the body.
    """
    tree = body_tree(sent.body)
    return tree, check_structure(tree, house().gateway.profiles)


@contextmanager
def access_recorded(door: Door, sender: Sender) -> Iterator[None]:
    """Record that an authenticated sender was refused for what its headers say of it.

    It comes before the request's ids are looked at, and so is not told again to a repeat.
    """
    try:
        yield
    except (HeaderError, NotTheRequesterError) as refusal:
        body = _body()
        unnamed = Envelope(
            door=door,
            sender=sender,
            request_id=RequestId(str(uuid.uuid4())),
            correlation_id=CorrelationId(str(uuid.uuid4())),
            body=body,
            body_sha256=hashlib.sha256(body).hexdigest(),
            is_repeatable=False,
            answer_by=flask.g.started + house().answer_within.total_seconds(),
        )
        reject(unnamed, codes_of(refusal, door), house().gateway, told=None)
        raise


@contextmanager
def taken_up(unclaimed: Envelope) -> Iterator[tuple[Envelope, Receipt | None]]:
    """Take a request about a referral up once: see `taken_up_as`."""
    with taken_up_as(unclaimed, referral_receipt) as both:
        yield both


@contextmanager
def taken_up_as(
    unclaimed: Envelope, receipt_of: ReceiptOf[_T]
) -> Iterator[tuple[Envelope, _T | None]]:
    """Take a request up once: see `journey.take_up`.

    Whatever refuses an authenticated sender's message is recorded, and told again to a
    repeat. What ends without an answer (no database, no time) may be sent again at once.

    Yields: the envelope, its id claimed; and the receipt of the same request before, or
        None: go on.
    """
    gateway = house().gateway
    try:
        sent, receipt = take_up(unclaimed, gateway, receipt_of)
    except StateError as refusal:
        reject(unclaimed, codes_of(refusal, unclaimed.door), gateway, told=None)
        raise
    try:
        yield sent, receipt
    except (MessageError, NotTheRequesterError, StateError) as refusal:
        codes = codes_of(refusal, sent.door)
        if receipt is not None:
            reject(sent, codes, gateway, told=None)
            raise
        told = write_json(kept_answer(answer_to(refusal, sent.door))).decode()
        reject(sent, codes, gateway, told=told)
        raise FailedBeforeError(told) from refusal  # so that all hear the same words
    except ConsentRefusedError:
        raise
    except Exception:
        with suppress(StoreUnavailableError):
            give_back(sent, gateway)
        raise


def known_version() -> int:
    """Read If-Match: the ETag of the version that the sender has read.

    Raises:
        ParameterError: it is missing, or is no ETag of ours.
    """
    found = re.fullmatch(r'(?:W/)?"(\d{1,9})"', flask.request.headers.get("If-Match", "").strip())
    if found is None:
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics='Send If-Match with the ETag of the version that you read: W/"1".',
            )
        )
    return int(found[1])


def wish() -> str:
    """Read what the caller wants to hear back: `Prefer: return=...`."""
    found = re.search(r"\breturn=(\w+)", flask.request.headers.get("Prefer", ""))
    return found[1] if found else "representation"


def target_service() -> DosServiceId:
    """Read `NHSD-Target-Identifier`: Base64 of `{"value": ..., "system": ...}`.

    Raises:
        HeaderError: it is missing, or is not that.
    """
    tree = encoded_header("NHSD-Target-Identifier", required=True) or {}
    malformed = HeaderError(
        Fault(
            code=IssueCode.VALUE,
            diagnostics="NHSD-Target-Identifier is Base64 of a JSON object with the system"
            f" {DOS_SERVICE_SYSTEM} and the service id as value.",
        )
    )
    is_alone = tree.keys() == {"system", "value"}
    if not is_alone or normal_system(string(tree, "system") or "") != DOS_SERVICE_SYSTEM:
        raise malformed
    try:
        return DosServiceId(string(tree, "value") or "")
    except ValueError:
        raise malformed from None


def check_who_asks(sender: Sender) -> None:
    """Check what the NHSD headers, where sent, say of who asks.

    The organisation must be the one that authenticated. Software and practitioner are
    decoded and named; their parts are not compared, since the specification's own example
    of a Device is not valid FHIR.

    Raises:
        HeaderError: one is not Base64 of the resource that it should be.
        NotTheRequesterError: it names another organisation.
    """
    for name, kind in _WHO_ASKS.items():
        resource = encoded_header(name, required=False)
        if resource is not None and string(resource, "resourceType") != kind:
            raise HeaderError(
                Fault(code=IssueCode.VALUE, diagnostics=f"{name} is Base64 of a {kind}.")
            )
    tree = encoded_header("NHSD-End-User-Organisation", required=False)
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


def echo_ids(response: flask.Response) -> flask.Response:
    """Carry both X- ids in every answer: the sender's own, as spelt, where they were good.

    In the place of one that is missing or malformed goes the one that the request was given,
    or, where it was refused before that, a fresh one.
    """
    names = ("X-Request-Id", "X-Correlation-Id")
    for name, given in zip(names, flask.g.get("ids") or (None, None), strict=True):
        sent = flask.request.headers.get(name)
        own = sent if sent and _is_uuid(sent) else given
        response.headers[name] = own or str(uuid.uuid4())
    return response


def _uuid_header(name: str, required: bool, faults: list[Fault]) -> str:  # noqa: FBT001
    text = flask.request.headers.get(name)
    if not text:
        if required:
            faults.append(Fault(code=IssueCode.REQUIRED, diagnostics=f"Send {name}: a UUID."))
        return str(uuid.uuid4())
    if not _is_uuid(text):
        faults.append(Fault(code=IssueCode.VALUE, diagnostics=f"{name} is not a UUID. Send one."))
        return str(uuid.uuid4())
    return text.strip().lower()


def _is_uuid(text: str) -> bool:
    try:
        RequestId(text)
    except ValueError:
        return False
    return True


def encoded_header(name: str, *, required: bool) -> JsonObject | None:
    """Read a header that carries a JSON object as standard Base64.

    Raises:
        HeaderError: it is missing though required, or is not that.
    """
    text = flask.request.headers.get(name)
    if not text:
        if required:
            text = f"The request has no {name}. Send it: Base64 of a JSON object."
            raise HeaderError(Fault(code=IssueCode.REQUIRED, diagnostics=text))
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
