"""The destination kind `bars`: a receiver's `$process-message`.

What enters: a parcel whose body is a message of ours. What leaves: its bytes with the headers
that BaRS asks for, and the answer, classified. Must never: believe a success that does not bring
the message back, take an answer for a refusal that no BaRS system gave, send again under another
request id, or quote the receiver's words.

What an answer means, in order. Source: BaRS Core, transactional integrity, failure scenarios.

    200 with the message back            delivered
    200 with anything else               nobody knows; again later
    409 duplicate                        delivered: it came in an earlier attempt
    408, 425                             it may be at work on it; again later
    401, 403 SEND_FORBIDDEN              once more with a fresh token; then again later
    429, 5xx but 501                     again later, when it says
    without OperationOutcome or ids      not by a BaRS system; again later
    any other                            refused
"""

import base64
import json
from collections.abc import Iterator
from typing import Final

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    NoReplyError,
    Severity,
)
from gateway.fhir.bars.message import CATEGORY_SYSTEM, Message, coded, open_message
from gateway.fhir.json_text import MAX_BYTES, read_own
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.mapping import bars_terms as terms
from gateway.outbound.client_token import ClientTokens
from gateway.outbound.https_line import Answer, HttpsLine, Posting, posting_to
from gateway.referral.identifiers import ODS_CODE_SYSTEM, normal_system
from gateway.referral.json import JsonObject, child, objects, string

_OK: Final = 200
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_CONFLICT: Final = 409
_NOT_IMPLEMENTED: Final = 501
_AT_WORK: Final = frozenset({408, 425})
_ROLE_SYSTEM: Final = "https://fhir.nhs.uk/Id/sds-role-profile-id"
_IDS: Final = ("X-Request-Id", "X-Correlation-Id")
_WRONG: Final = frozenset({Severity.ERROR.value, Severity.FATAL.value})


class Bars:
    """Sends messages to BaRS receivers."""

    def __init__(self, line: HttpsLine, tokens: ClientTokens) -> None:
        self._line = line
        self._tokens = tokens

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """Post the message; see `journey.gateway.Destination`.

        1. Get a token, where the endpoint asks for one; all within the deadline.
        2. Post. Where the token was refused, post once more with a fresh one.
        3. Believe the answer as far as the table of this module goes.

        Raises:
            LeaseEndedError: the deadline had passed before the first byte.
            DestinationUnreachableError: no connection, or no token.
            NoReplyError: sent, but no answer that says what became of it.
            DestinationBusyError: the receiver asks to be left alone for now.
            DestinationRefusedError: the receiver will not take it.
        """
        endpoint = parcel.endpoint
        message = open_message(read_own(parcel.body))
        headers = headers_of(parcel, message)
        token = self._tokens.token_for(endpoint, deadline=deadline)
        answer = self._post(parcel, headers, token, deadline)
        if token is not None and _is_refused_token(answer):
            self._tokens.forget(endpoint, token, deadline=deadline)
            token = self._tokens.token_for(endpoint, deadline=deadline)
            answer = self._post(parcel, headers, token, deadline)
            if _is_refused_token(answer):
                msg = "the receiver does not accept a fresh token"
                raise DestinationBusyError(msg, status=answer.status)
        return _classify(answer, message)

    def _post(
        self, parcel: Parcel, headers: dict[str, str], token: str | None, deadline: float
    ) -> Answer:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        posting: Posting = posting_to(
            parcel.endpoint,
            address=f"{parcel.endpoint.address.rstrip('/')}/$process-message",
            headers=headers | bearer,
            body=parcel.body,
            max_reply_bytes=2 * MAX_BYTES,  # it brings the whole message back
        )
        return self._line.exchange(posting, deadline=deadline)


def headers_of(parcel: Parcel, message: Message) -> dict[str, str]:
    """Write the headers of a message: the same at every attempt, but for the token."""
    target = terms.target_of(parcel.endpoint)
    media = parcel.media_type
    headers = {
        "Content-Type": media,
        "Accept": f"{media}; version={terms.api_version(parcel.endpoint)}",
        "X-Request-Id": parcel.delivery.id,
        "X-Correlation-Id": parcel.referral.correlation_id,
        "NHSD-Target-Identifier": _encoded({"value": target.value, "system": target.system}),
        "NHSD-End-User-Organisation": _encoded(_organisation(parcel, message)),
        "NHSD-Requesting-Software": _encoded(_DEVICE),
        "use-context": "|".join(_context(message)),
    }
    practitioner = _practitioner(message)
    if practitioner is not None:
        headers["NHSD-Requesting-Practitioner"] = _encoded(practitioner)
    return headers


_DEVICE: Final[JsonObject] = {
    "resourceType": "Device",
    "identifier": [{"system": terms.DEVICE_SYSTEM, "value": terms.DEVICE}],
    "deviceName": [{"name": terms.SOFTWARE, "type": "manufacturer-name"}],
    "version": [{"value": terms.FORMAT_VERSION}],
}
"""Arrays, as R4 has them; the specification's own example is not valid FHIR."""


def _organisation(parcel: Parcel, message: Message) -> JsonObject:
    """Name the practice that refers."""
    code = str(parcel.referral.practice)
    named: JsonObject = {
        "resourceType": "Organization",
        "identifier": [{"value": code, "system": ODS_CODE_SYSTEM}],
    }
    sender = message.parts.follow(child(message.header.resource, "sender"))
    name = string(sender.resource, "name") if sender else None
    return named | ({"name": name} if name else {})


def _practitioner(message: Message) -> JsonObject | None:
    """Name the role of whoever refers by its number in the NHS; None where none is given."""
    request = message.request
    who = message.parts.follow(child(request.resource, "requester")) if request else None
    if who is None:
        return None
    roles = [who] if who.type == "PractitionerRole" else message.parts.roles.get(who.path, ())
    for role in roles:
        known = [
            each
            for each in objects(role.resource, "identifier")
            if normal_system(string(each, "system") or "") == _ROLE_SYSTEM
        ]
        if known:
            own: JsonObject = {"resourceType": "PractitionerRole", "identifier": [known[0]]}
            codes = objects(role.resource, "code")
            return own | ({"code": [*codes]} if codes else {})
    return None


def _context(message: Message) -> Iterator[str]:
    """Say use case, category, event and reason: for the statistics of whoever is between."""
    request = message.request.resource if message.request else {}
    yield next((string(each, "code") or "" for each in terms.use_cases(request)), "")
    yield next(iter(sorted(coded(objects(request, "category"), CATEGORY_SYSTEM))), "")
    yield message.event
    yield next(iter(sorted(message.reasons)), "")


def _encoded(tree: JsonObject) -> str:
    """Write a header's JSON, without blanks, as standard Base64."""
    return base64.b64encode(json.dumps(tree, separators=(",", ":")).encode()).decode()


def _is_refused_token(answer: Answer) -> bool:
    if answer.status == _FORBIDDEN:
        return "SEND_FORBIDDEN" in _codes(answer)
    return answer.status == _UNAUTHORISED


def _classify(answer: Answer, message: Message) -> Acknowledgement:
    status = answer.status
    if answer.is_success:
        return _acknowledged(answer, message)
    if status == _CONFLICT and answer.says_duplicate():
        return Acknowledgement(status=status)
    if status in _AT_WORK:
        msg = "the receiver may be at work on it still"
        raise NoReplyError(msg, status=status, retry_after=answer.wish())
    raise _failure(answer)


def _failure(answer: Answer) -> DeliveryError:
    """Tell a refusal from everything that may be different next time."""
    tree = answer.tree() or {}
    has_ids = any(name in answer.headers for name in _IDS)
    if string(tree, "resourceType") != "OperationOutcome" or not has_ids:
        msg = "the answer is not one of a BaRS system"
        return DestinationBusyError(msg, status=answer.status, retry_after=answer.wish())
    if answer.status == _NOT_IMPLEMENTED:
        return DestinationRefusedError("the receiver does not do this", status=answer.status)
    return answer.failure()


def _acknowledged(answer: Answer, sent: Message) -> Acknowledgement:
    """Believe a success only where the answer is the message itself, taken in.

    It brings the same Bundle with the ServiceRequest under an id of the receiver's; or a reply
    whose header says `ok` to it. Source: BaRS Core, bundle processing; MessageHeader.response.
    """
    status = answer.status
    tree = answer.tree() or {}
    resources = {
        string(entry, "fullUrl"): child(entry, "resource") or {} for entry in objects(tree, "entry")
    }
    header = next(iter(resources.values()), {})
    if string(tree, "type") != "message" or string(header, "resourceType") != "MessageHeader":
        msg = "the receiver answered success without a message"
        raise NoReplyError(msg, status=status)
    if any(_says_wrong(each) for each in resources.values()):
        msg = "the receiver answered success, and told of an error"
        raise NoReplyError(msg, status=status)
    response = child(header, "response")
    own = string(sent.tree, "id")
    if response is not None:
        is_taken = (string(response, "code"), string(response, "identifier")) == ("ok", own)
    else:
        request = resources.get(sent.full_url, {})
        is_taken = (
            status == _OK
            and string(tree, "id") == own
            and string(request, "resourceType") == "ServiceRequest"
            and bool(string(request, "id"))
            and string(request, "status") == sent.status
        )
    if not is_taken:
        msg = "the receiver answered success, but not to this message"
        raise NoReplyError(msg, status=status)
    return Acknowledgement(status=status)


def _says_wrong(resource: JsonObject) -> bool:
    return string(resource, "resourceType") == "OperationOutcome" and any(
        string(issue, "severity") in _WRONG for issue in objects(resource, "issue")
    )


def _codes(answer: Answer) -> set[str]:
    """List the codes of an OperationOutcome's details."""
    return {
        string(coding, "code") or ""
        for issue in objects(answer.tree() or {}, "issue")
        for coding in objects(child(issue, "details") or {}, "coding")
    }
