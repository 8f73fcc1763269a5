"""Errors become answers: one table, total over the error tree.

What enters: an error that knows no HTTP. What leaves: a status, the NHS error code and an
OperationOutcome. What the table does not know becomes a 500 without detail. Source: BaRS
failure scenarios; Spine error codes for GP systems. BaRS has no code for "the patient has
not consented": a refusal by the sharing rules is 422 business-rule there, and 403 with the
Spine code on the REST door.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway import errors
from gateway.errors import Fault, GatewayError, IssueCode, Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.outcome import operation_outcome
from gateway.referral.json import JsonObject, child
from gateway.referral.model import Door, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How one class of error is told. `issue` None: the error's own faults say it."""

    http: int
    code: str
    issue: IssueCode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer: HTTP status, headers, and the body as a tree; None: no body."""

    http: int
    body: JsonObject | None
    headers: Mapping[str, str] = field(default_factory=dict)


STATUSES: Mapping[type[GatewayError], Status] = {
    errors.UnauthenticatedError: Status(http=401, code="REC_UNAUTHORIZED", issue=None),
    errors.ScopeMissingError: Status(http=403, code="REC_FORBIDDEN", issue=IssueCode.FORBIDDEN),
    errors.NotTheRequesterError: Status(http=403, code="REC_FORBIDDEN", issue=IssueCode.FORBIDDEN),
    errors.UnsupportedMediaTypeError: Status(
        http=415, code="REC_UNSUPPORTED_MEDIA_TYPE", issue=None
    ),
    errors.NotAcceptableError: Status(http=406, code="REC_NOT_ACCEPTABLE", issue=None),
    errors.BodyTooLargeError: Status(http=413, code="REC_BAD_REQUEST", issue=None),
    errors.HeaderError: Status(http=400, code="REC_BAD_REQUEST", issue=None),
    errors.ParameterError: Status(http=400, code="REC_BAD_REQUEST", issue=None),
    errors.InvalidMessageError: Status(http=400, code="REC_BAD_REQUEST", issue=None),
    errors.UnsupportedMessageError: Status(http=422, code="REC_UNPROCESSABLE_ENTITY", issue=None),
    errors.NotFoundError: Status(http=404, code="REC_NOT_FOUND", issue=IssueCode.NOT_FOUND),
    errors.ManyFoundError: Status(http=404, code="REC_NOT_FOUND", issue=IssueCode.MULTIPLE_MATCHES),
    errors.DuplicateRequestError: Status(http=409, code="REC_CONFLICT", issue=IssueCode.DUPLICATE),
    errors.RequestIdReusedError: Status(http=409, code="REC_CONFLICT", issue=IssueCode.CONFLICT),
    errors.TooEarlyError: Status(http=425, code="REC_TOO_EARLY", issue=IssueCode.DUPLICATE),
    errors.PreconditionFailedError: Status(http=412, code="REC_CONFLICT", issue=IssueCode.CONFLICT),
    errors.AheadOfListError: Status(http=409, code="REC_CONFLICT", issue=IssueCode.CONFLICT),
    errors.IllegalMoveError: Status(http=409, code="REC_CONFLICT", issue=IssueCode.CONFLICT),
    errors.TooSlowError: Status(http=408, code="REC_TIMEOUT", issue=IssueCode.TIMEOUT),
    errors.StoreUnavailableError: Status(
        http=503, code="REC_UNAVAILABLE", issue=IssueCode.TRANSIENT
    ),
    errors.MovedMeanwhileError: Status(http=503, code="REC_UNAVAILABLE", issue=IssueCode.TRANSIENT),
    errors.NotAcknowledgedYetError: Status(
        http=503, code="REC_UNAVAILABLE", issue=IssueCode.TRANSIENT
    ),
}
_REFUSED = {
    Door.REST: Status(http=403, code="REC_FORBIDDEN", issue=IssueCode.FORBIDDEN),
    Door.BARS: Status(http=422, code="REC_UNPROCESSABLE_ENTITY", issue=IssueCode.BUSINESS_RULE),
}
_ACCESS_CONTROL = Status(http=401, code="REC_UNAUTHORIZED", issue=IssueCode.SECURITY)
_UNFORESEEN = Status(http=500, code="REC_SERVER_ERROR", issue=IssueCode.EXCEPTION)
_SAID_ALOUD = (
    errors.CallerError,
    errors.StateError,
    errors.TooSlowError,
    errors.StoreUnavailableError,
    errors.NotAcknowledgedYetError,
)


def answer_to(error: GatewayError, door: Door) -> Answer:
    """Tell an error to the sender. Nothing that came from a patient is in it."""
    if isinstance(error, errors.FailedBeforeError):
        return _told_before(error.told)
    status = _status_of(error, door)
    spine_code = error.spine_code if isinstance(error, errors.ConsentRefusedError) else None
    headers = {}
    if status.http == 401:  # noqa: PLR2004  # HTTP
        headers["WWW-Authenticate"] = "Bearer"
    if status.http == 503:  # noqa: PLR2004  # HTTP
        headers["Retry-After"] = "5"
    body = operation_outcome(_faults_of(error, status), code=status.code, spine_code=spine_code)
    return Answer(http=status.http, body=body, headers=headers)


def told_withheld(receipt: Receipt, warnings: Sequence[Fault]) -> list[Fault]:
    """Add to what was tolerated that some of the message is to stay behind.

    What is withheld in silence is not told here either.
    """
    if not receipt.withheld:
        return [*warnings]
    parts, it = ("1 part", "it") if receipt.withheld == 1 else (f"{receipt.withheld} parts", "them")
    text = (
        f"{parts} of this message will not be forwarded: the patient's consent does not cover {it}."
        f" Send a Consent that does, if the recipient is to have {it}."
    )
    fault = Fault(severity=Severity.INFORMATION, code=IssueCode.SUPPRESSED, diagnostics=text)
    return [*warnings, fault]


def kept_answer(answer: Answer) -> JsonObject:
    """Put an answer into the form in which it is kept, to be told again to a repeat."""
    return {"http": answer.http, "body": answer.body, "headers": dict(answer.headers)}


def _told_before(told: str) -> Answer:
    kept = read_json(told.encode())
    http, headers = kept.get("http"), child(kept, "headers") or {}
    return Answer(
        http=http if isinstance(http, int) else _UNFORESEEN.http,
        body=child(kept, "body") or {},
        headers={name: text for name, text in headers.items() if isinstance(text, str)},
    )


def codes_of(error: GatewayError, door: Door) -> Sequence[str]:
    """Name a refusal for the ledger: the NHS code, then each fault's issue code."""
    status = _status_of(error, door)
    return [status.code, *(fault.code.value for fault in _faults_of(error, status))]


def unforeseen() -> Answer:
    """Answer for what nobody foresaw: no detail."""
    fault = Fault(
        code=IssueCode.EXCEPTION,
        diagnostics="The gateway met an error that nobody foresaw. Nothing was accepted; it is"
        " safe to send the request again with the same X-Request-Id.",
    )
    return Answer(http=_UNFORESEEN.http, body=operation_outcome([fault], code=_UNFORESEEN.code))


def http_error(status: int, headers: Mapping[str, str]) -> Answer:
    """Answer for what the web framework refuses: unknown path, method, or over-long body."""
    if status >= 500:  # noqa: PLR2004  # HTTP
        return replace(unforeseen(), http=status)
    code, issue, text = {
        404: ("REC_NOT_FOUND", IssueCode.NOT_FOUND, "There is nothing at this address."),
        405: (
            "REC_METHOD_NOT_ALLOWED",
            IssueCode.NOT_SUPPORTED,
            "This address does not take this method; the Allow header lists those it takes.",
        ),
        413: ("REC_BAD_REQUEST", IssueCode.TOO_LONG, "The body is longer than is taken here."),
    }.get(status, ("REC_BAD_REQUEST", IssueCode.INVALID, "The request cannot be read."))
    body = operation_outcome([Fault(code=issue, diagnostics=text)], code=code)
    kept = {name: headers[name] for name in ("Allow",) if name in headers}
    return Answer(http=status, body=body, headers=kept)


def _status_of(error: GatewayError, door: Door) -> Status:
    if isinstance(error, errors.ConsentRefusedError):
        return _REFUSED[door]
    if isinstance(error, errors.NotTheRequesterError) and door is Door.BARS:
        return _ACCESS_CONTROL
    return STATUSES.get(type(error), _UNFORESEEN)


def _faults_of(error: GatewayError, status: Status) -> Sequence[Fault]:
    if isinstance(error, errors.MessageError) and error.faults:
        return error.faults
    if isinstance(error, errors.UnauthenticatedError):
        return [Fault(code=error.code, diagnostics=str(error))]
    issue = status.issue or IssueCode.EXCEPTION
    if isinstance(error, errors.ConsentRefusedError):
        said = (error.external_text, error.remedy, f"Reason: {error.code}.")
        text = " ".join(part for part in said if part)
        return [Fault(code=issue, diagnostics=text)]
    if isinstance(error, errors.NotTheRequesterError):
        return [Fault(code=issue, expression=error.expression, diagnostics=str(error))]
    if isinstance(error, _SAID_ALOUD):
        return [Fault(code=issue, diagnostics=_sentence(str(error)))]
    return [Fault(code=issue, diagnostics="The gateway could not do this. Nothing was accepted.")]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
