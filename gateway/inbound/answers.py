"""Errors become answers over HTTP.

What enters: an error that knows no HTTP. What leaves: a status, its headers, and the
OperationOutcome that `fhir/refusals.py` makes of it, by its one table. What that table does not
know becomes a 500 without detail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway import errors
from gateway.errors import Fault, GatewayError, IssueCode, Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.refusals import UNFORESEEN, faults_of, refusal, status_of
from gateway.referral.json import JsonObject, child
from gateway.referral.model import Door, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer: HTTP status, headers, and the body as a tree; None: no body."""

    http: int
    body: JsonObject | None
    headers: Mapping[str, str] = field(default_factory=dict)


def answer_to(error: GatewayError, door: Door) -> Answer:
    """Tell an error to the sender. Nothing that came from a patient is in it."""
    if isinstance(error, errors.FailedBeforeError):
        return _told_before(error.told)
    status = status_of(error, door)
    headers = {}
    if status.http == 401:  # noqa: PLR2004  # HTTP
        headers["WWW-Authenticate"] = "Bearer"
    if status.http == 503:  # noqa: PLR2004  # HTTP
        headers["Retry-After"] = "5"
    return Answer(http=status.http, body=refusal(error, door), headers=headers)


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
        http=http if isinstance(http, int) else UNFORESEEN.http,
        body=child(kept, "body") or {},
        headers={name: text for name, text in headers.items() if isinstance(text, str)},
    )


def codes_of(error: GatewayError, door: Door) -> Sequence[str]:
    """Name a refusal for the ledger: the NHS code, then each fault's issue code."""
    status = status_of(error, door)
    return [status.code, *(fault.code.value for fault in faults_of(error, status))]


def unforeseen() -> Answer:
    """Answer for what nobody foresaw: no detail."""
    fault = Fault(
        code=IssueCode.EXCEPTION,
        diagnostics="The gateway met an error that nobody foresaw. Nothing was accepted; it is"
        " safe to send the request again with the same X-Request-Id.",
    )
    return Answer(http=UNFORESEEN.http, body=operation_outcome([fault], code=UNFORESEEN.code))


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
