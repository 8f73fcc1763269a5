"""The destination kind `fhir-rest`: a FHIR R4 server over HTTPS.

What enters: a parcel. What leaves: its bytes, once, and the server's answer, classified.
Must never: follow a redirect, trust the environment's proxies or certificates, wait longer
than it was given, or quote the server's words.
"""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests

from gateway.errors import (
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    InvalidMessageError,
    MessageError,
    NoReplyError,
    Severity,
)
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.validate import validate
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.mapping.fhir_rest import recall_for, transaction_for
from gateway.mapping.outgoing import Outgoing
from gateway.outbound.line import Call, LineAdapter
from gateway.referral.directory import Endpoint
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Delivery, Referral

MAX_REPLY_BYTES = 4 * 1024 * 1024
MEDIA_TYPE = "application/fhir+json"
_TRY_LATER = frozenset({408, 425, 429})
_LONGEST_WISH = timedelta(hours=24)

_Trust = tuple[str, int] | None
"""The CA file to trust and when it was last changed; None: the system's authorities."""


class FhirRest:
    """Sends transactions to FHIR servers. One session for each server and thread.

    Args:
        certificates: folder of the CA files that endpoints name.
        connect_timeout: for the connection and its TLS handshake, each.
        reply_timeout: for sending and the whole answer. The two together bound an attempt.
    """

    def __init__(
        self, *, certificates: Path, connect_timeout: timedelta, reply_timeout: timedelta
    ) -> None:
        self._certificates = certificates
        self._connect = connect_timeout
        self._reply = reply_timeout
        self._local = threading.local()

    def prepare(self, message: Outgoing, referral: Referral, delivery: Delivery) -> bytes:
        """Map a message to the exact bytes that would leave.

        Raises:
            InvalidMessageError: what was made of it is not valid FHIR.
        """
        return _written(transaction_for(message, referral, delivery))

    def prepare_recall(self, referral: Referral, recall: Delivery) -> bytes:
        """Write the transaction that tells the server's people to stop."""
        return _written(recall_for(referral, recall))

    def send(self, parcel: Parcel, *, timeout: timedelta) -> Acknowledgement:
        """Post the transaction; see `journey.gateway.Destination`.

        Raises:
            DestinationUnreachableError: no connection, or no time left to make one.
            NoReplyError: sent, but no usable answer came back in time.
            DestinationBusyError: the server asks to be left alone for now.
            DestinationRefusedError: the server will not take it.
        """
        if timeout <= timedelta(0):
            msg = "too little of the lease was left to send"
            raise DestinationUnreachableError(msg)
        longest = min(timeout, self._connect + self._reply)
        call = Call(deadline=time.monotonic() + longest.total_seconds())
        try:
            with self._session(parcel.endpoint, call).post(
                parcel.endpoint.address,
                data=parcel.body,
                headers=_headers(parcel),
                timeout=(min(self._connect, timeout).total_seconds(), longest.total_seconds()),
                allow_redirects=False,
                stream=True,
            ) as reply:
                return _classify(reply.status_code, reply.headers, _read(reply), parcel)
        except OSError as error:  # whatever requests raises is one, and so is a missing CA file
            raise _lost(error, call) from error

    def _session(self, endpoint: Endpoint, call: Call) -> requests.Session:
        """Return this thread's session for an endpoint; its lines serve this call now.

        A CA file that was replaced is trusted at once, and the one before no longer.

        Raises:
            OSError: the CA file cannot be read.
        """
        sessions: dict[str, tuple[_Trust, requests.Session, LineAdapter]]
        sessions = getattr(self._local, "sessions", {})
        self._local.sessions = sessions
        trust = self._trust(endpoint)
        known = sessions.get(endpoint.address)
        if known is None or known[0] != trust:
            if known is not None:
                known[1].close()
            sessions[endpoint.address] = known = (trust, *_new_session(trust))
        _, session, line = known
        line.context.call = call
        return session

    def _trust(self, endpoint: Endpoint) -> _Trust:
        if endpoint.ca_file is None:
            return None
        ca_file = self._certificates / endpoint.ca_file
        return str(ca_file), ca_file.stat().st_mtime_ns


def _written(tree: JsonObject) -> bytes:
    """Write what we made, once the validator that guards the front door has passed it."""
    faults = [f for f in validate(tree) if f.severity in (Severity.ERROR, Severity.FATAL)]
    if faults:
        raise InvalidMessageError(*faults)
    return write_json(tree)


def _new_session(trust: _Trust) -> tuple[requests.Session, LineAdapter]:
    session, line = requests.Session(), LineAdapter()
    session.trust_env = False
    session.verify = trust[0] if trust else True
    session.adapters.clear()  # nothing leaves without TLS
    session.mount("https://", line)
    return session, line


def _headers(parcel: Parcel) -> dict[str, str]:
    """Carry the same idempotency key at every attempt, and the sender's correlation id."""
    return {
        "Content-Type": MEDIA_TYPE,
        "Accept": MEDIA_TYPE,
        "Accept-Encoding": "identity",
        "Idempotency-Key": parcel.delivery.id,
        "X-Request-Id": parcel.delivery.id,
        "X-Correlation-Id": parcel.referral.correlation_id,
    }


def _lost(error: OSError, call: Call) -> DestinationUnreachableError | NoReplyError:
    """Tell a connection that was never made from one that failed once sending had begun."""
    if call.has_spoken:
        return NoReplyError("the connection broke, or its time ended, before a whole answer came")
    if call.is_distrusted:
        msg = "the destination's certificate is not one that its endpoint trusts"
        return DestinationUnreachableError(msg)
    if isinstance(error, requests.Timeout):
        return DestinationUnreachableError("the destination did not accept a connection in time")
    if isinstance(error, requests.RequestException):
        return DestinationUnreachableError("the destination does not accept connections")
    return DestinationUnreachableError("the CA file that the endpoint names cannot be read")


def _read(reply: requests.Response) -> bytes:
    """Read the answer, no more than the limit."""
    received = bytearray()
    for chunk in reply.iter_content(chunk_size=65536):
        received += chunk
        if len(received) > MAX_REPLY_BYTES:
            msg = "the destination's answer is too long"
            raise NoReplyError(msg, status=reply.status_code)
    return bytes(received)


def _classify(
    status: int, headers: Mapping[str, str], body: bytes, parcel: Parcel
) -> Acknowledgement:
    if 200 <= status < 300:  # noqa: PLR2004  # HTTP classes
        return _acknowledged(status, body, parcel)
    if status in _TRY_LATER or status >= 500:  # noqa: PLR2004
        msg = "the destination cannot take it now"
        raise DestinationBusyError(msg, status=status, retry_after=_wish(headers))
    if status == 409 and _says_duplicate(body):  # noqa: PLR2004
        return Acknowledgement(status=status)
    msg = "the destination will not take it"
    raise DestinationRefusedError(msg, status=status)


def _acknowledged(status: int, body: bytes, parcel: Parcel) -> Acknowledgement:
    """Believe a success only where the body says the same of every part that was sent.

    Source: FHIR R4, http.html, section 3.1.0.11.2: one entry for each, in the same order.
    """
    tree = _tree(body)
    if tree is None or string(tree, "type") != "transaction-response":
        msg = "the destination answered success without a transaction-response"
        raise NoReplyError(msg, status=status)
    answers = [child(e, "response") or {} for e in objects(tree, "entry")]
    if not all((string(a, "status") or "").startswith("2") for a in answers):
        msg = "the destination answered success but refused a part"
        raise DestinationRefusedError(msg, status=status)
    if len(answers) != len(objects(_tree(parcel.body) or {}, "entry")):
        msg = "the destination answered success but not for every part"
        raise NoReplyError(msg, status=status)
    return Acknowledgement(status=status)


def _says_duplicate(body: bytes) -> bool:
    """A retry of what had arrived: the destination has it."""
    tree = _tree(body)
    return tree is not None and any(
        string(issue, "code") == "duplicate" for issue in objects(tree, "issue")
    )


def _tree(body: bytes) -> JsonObject | None:
    try:
        return read_json(body)
    except MessageError:
        return None


def _wish(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After, seconds or a date, no longer than a day."""
    text = headers.get("Retry-After", "")
    try:
        wish = (
            timedelta(seconds=int(text))
            if text.isdigit()
            else parsedate_to_datetime(text) - datetime.now(UTC)
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wish, timedelta(0)), _LONGEST_WISH)
