"""What the web server answers by itself, before a request reaches the front door.

What enters: a request that cannot be read as HTTP, or is longer than is read. What leaves: an
OperationOutcome, as for every other refusal, and one line in the log. Must never: quote the
request in either, since its address and its headers may name a patient.
"""

import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ssl import SSLError
from typing import Final

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from gateway.errors import Fault, IssueCode
from gateway.fhir.json_text import write_json
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.text import FHIR_JSON


@dataclass(frozen=True, slots=True)
class _Refusal:
    """How one kind of request that cannot be read is answered."""

    http: HTTPStatus
    code: str
    issue: IssueCode
    says: str


_UNREADABLE: Final = _Refusal(
    HTTPStatus.BAD_REQUEST,
    "REC_BAD_REQUEST",
    IssueCode.INVALID,
    "The request cannot be read as HTTP/1.1. Mend its request line, its headers or the parts of"
    " its body.",
)
_UNFORESEEN: Final = _Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "REC_SERVER_ERROR",
    IssueCode.EXCEPTION,
    "The gateway met an error that nobody foresaw. Send the request again with the same"
    " X-Request-Id.",
)
_REFUSALS: Final[Mapping[type[Exception], _Refusal]] = {
    errors.LimitRequestLine: _Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG,
        "REC_BAD_REQUEST",
        IssueCode.TOO_LONG,
        "The request line is longer than is read. Search by fewer or shorter parameters.",
    ),
    errors.LimitRequestHeaders: _Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "REC_BAD_REQUEST",
        IssueCode.TOO_LONG,
        "The headers are more, or one is longer, than is read. Send fewer or shorter ones.",
    ),
    errors.ExpectationFailed: _Refusal(
        HTTPStatus.EXPECTATION_FAILED,
        "REC_BAD_REQUEST",
        IssueCode.NOT_SUPPORTED,
        "Of what a request may expect, only 100-continue is known here.",
    ),
    errors.UnsupportedTransferCoding: _Refusal(
        HTTPStatus.NOT_IMPLEMENTED,
        "REC_BAD_REQUEST",
        IssueCode.NOT_SUPPORTED,
        "Of the transfer codings, only chunked is known here.",
    ),
    errors.ForbiddenProxyRequest: _Refusal(
        HTTPStatus.FORBIDDEN,
        "REC_FORBIDDEN",
        IssueCode.FORBIDDEN,
        "This is not taken from a proxy at that address.",
    ),
    errors.ConfigurationProblem: _UNFORESEEN,
    errors.InvalidResponseHeader: _UNFORESEEN,
    errors.InvalidResponseHeaderName: _UNFORESEEN,
    errors.ParseException: _UNREADABLE,
    SSLError: _UNREADABLE,
}
"""The first that an error is an instance of; any other is unforeseen."""


def unread_answer(error: Exception) -> bytes:
    """Make the whole answer to a request that was not read, after which the line is closed."""
    refusal = _refusal_of(error)
    fault = Fault(code=refusal.issue, diagnostics=refusal.says)
    body = write_json(operation_outcome([fault], code=refusal.code))
    lines = (
        f"HTTP/1.1 {refusal.http.value} {refusal.http.phrase}",
        "Connection: close",
        f"Content-Type: {FHIR_JSON}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {uuid.uuid4()}",
        f"X-Correlation-Id: {uuid.uuid4()}",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii") + body


def _refusal_of(error: Exception) -> _Refusal:
    kinds = (refusal for kind, refusal in _REFUSALS.items() if isinstance(error, kind))
    return next(kinds, _UNFORESEEN)


class FrontDoorWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's worker with threads, which would quote the request in page and log."""

    def handle_error(
        self, _req: object, client: socket.socket, _addr: object, exc: Exception
    ) -> None:
        """Answer what the server could not read, or could not finish."""
        status = _refusal_of(exc).http.value
        self.log.warning("answered %d unread for %s", status, type(exc).__name__)
        try:
            util.write_nonblock(client, unread_answer(exc))
        except OSError:
            self.log.debug("a caller did not wait for its answer")
