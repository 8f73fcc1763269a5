"""Errors as OperationOutcomes: one table, total over the error tree.

What enters: an error that knows no wire, and the door by whose words it is told. What leaves: its
HTTP status, the NHS error code and its faults, or all of them as an OperationOutcome: whichever way
a sender came, by HTTP or by MESH, it hears the same. What the table does not know is told without
detail. Source: BaRS failure scenarios; Spine error codes for GP systems. BaRS has no code for "the
patient has not consented": a refusal by the sharing rules is 422 business-rule there, and 403 with
the Spine code on the REST door.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway import errors
from gateway.errors import Fault, GatewayError, IssueCode
from gateway.fhir.outcome import operation_outcome
from gateway.referral.json import JsonObject
from gateway.referral.model import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How one class of error is told. `issue` None: the error's own faults say it."""

    http: int
    code: str
    issue: IssueCode | None


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
UNFORESEEN = Status(http=500, code="REC_SERVER_ERROR", issue=IssueCode.EXCEPTION)
_SAID_ALOUD = (
    errors.CallerError,
    errors.StateError,
    errors.TooSlowError,
    errors.StoreUnavailableError,
    errors.NotAcknowledgedYetError,
)


def refusal(error: GatewayError, door: Door) -> JsonObject:
    """Tell an error to its sender. Nothing that came from a patient is in it."""
    status = status_of(error, door)
    spine_code = error.spine_code if isinstance(error, errors.ConsentRefusedError) else None
    return operation_outcome(faults_of(error, status), code=status.code, spine_code=spine_code)


def status_of(error: GatewayError, door: Door) -> Status:
    """Say by which status an error is told; what nobody foresaw, by that of a failure."""
    if isinstance(error, errors.ConsentRefusedError):
        return _REFUSED[door]
    if isinstance(error, errors.NotTheRequesterError) and door is Door.BARS:
        return _ACCESS_CONTROL
    return STATUSES.get(type(error), UNFORESEEN)


def faults_of(error: GatewayError, status: Status) -> Sequence[Fault]:
    """Say what is wrong, and nothing that came from a patient."""
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
