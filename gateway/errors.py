"""The error tree. What enters: nothing. What leaves: exceptions that know no HTTP.

::

    GatewayError
    ├── SetupError                    the operator must mend the installation
    │   ├── ConfigError
    │   ├── DirectoryFileError
    │   ├── OptOutListError
    │   ├── ProfileError
    │   ├── SchemaOutdatedError
    │   └── KeyMissingError
    ├── CallerError                   who is calling, and what may they do
    │   ├── UnauthenticatedError
    │   ├── TokenRequestError
    │   ├── ScopeMissingError
    │   └── NotTheRequesterError
    ├── MessageError                  the sender must mend the message
    │   ├── UnsupportedMediaTypeError
    │   ├── NotAcceptableError
    │   ├── BodyTooLargeError
    │   ├── HeaderError
    │   ├── ParameterError
    │   ├── InvalidMessageError
    │   └── UnsupportedMessageError
    ├── StateError                    the message is fine, the moment is not
    │   ├── NotFoundError
    │   ├── DuplicateRequestError
    │   ├── RequestIdReusedError
    │   ├── TooEarlyError
    │   ├── ManyFoundError
    │   ├── PreconditionFailedError
    │   ├── AheadOfListError
    │   └── IllegalMoveError
    ├── FailedBeforeError             the same request failed before, and was told so
    ├── TooSlowError                  the time to answer ended; nothing was written
    ├── ConsentRefusedError           a decision said DENY, and it is on record
    ├── StoreUnavailableError         the database did not answer
    │   └── MovedMeanwhileError
    ├── NotAcknowledgedYetError       what was withdrawn counts, and is still being carried through
    ├── DamagedRecordError            stored bytes fail their seal or their proof
    └── DeliveryError                 one attempt to reach a destination failed
        ├── LeaseEndedError
        ├── DestinationUnreachableError
        ├── NoReplyError
        ├── DestinationBusyError
        └── DestinationRefusedError

No message carries a value that came from a patient: texts name places and rules only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar


class Severity(StrEnum):
    """OperationOutcome.issue.severity. Source: http://hl7.org/fhir/issue-severity."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


class IssueCode(StrEnum):
    """OperationOutcome.issue.code. Source: http://hl7.org/fhir/issue-type, R4."""

    INVALID = "invalid"
    STRUCTURE = "structure"
    REQUIRED = "required"
    VALUE = "value"
    INVARIANT = "invariant"
    SECURITY = "security"
    LOGIN = "login"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    FORBIDDEN = "forbidden"
    SUPPRESSED = "suppressed"
    PROCESSING = "processing"
    NOT_SUPPORTED = "not-supported"
    DUPLICATE = "duplicate"
    MULTIPLE_MATCHES = "multiple-matches"
    NOT_FOUND = "not-found"
    TOO_LONG = "too-long"
    CODE_INVALID = "code-invalid"
    EXTENSION = "extension"
    TOO_COSTLY = "too-costly"
    BUSINESS_RULE = "business-rule"
    CONFLICT = "conflict"
    TRANSIENT = "transient"
    NO_STORE = "no-store"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    INFORMATIONAL = "informational"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a message: what, where, why and how to mend it.

    `expression` is a FHIRPath from the resource that was sent, such as
    `Bundle.entry[3].resource.status`; None where there is no place. `diagnostics`
    says what is wrong and how to mend it, and never quotes the message.
    """

    severity: Severity = Severity.ERROR
    code: IssueCode
    expression: str | None = None
    diagnostics: str


class GatewayError(Exception):
    """Something that this program foresaw went wrong."""


class SetupError(GatewayError):
    """The installation is incomplete or contradicts itself; nothing was started."""


class ConfigError(SetupError):
    """A setting is missing, unknown or out of range."""


class DirectoryFileError(SetupError):
    """The directory file cannot be applied as it stands; nothing was changed."""


class OptOutListError(SetupError):
    """A list of the national data opt-out service cannot be taken; nothing was kept."""


class ProfileError(SetupError):
    """A file of `fhir_profiles/` is wrong; the text says file, place and how to mend, for each."""


class SchemaOutdatedError(SetupError):
    """The database schema is not the one this version needs: run `gateway db upgrade`."""


class KeyMissingError(SetupError):
    """A key that the data at rest needs was not found."""


class CallerError(GatewayError):
    """The caller may not do this."""


class UnauthenticatedError(CallerError):
    """The caller did not prove who it is. `code` says in which way."""

    def __init__(self, code: IssueCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class TokenRequestError(CallerError):
    """The token endpoint refused; `code` is the OAuth error. Source: RFC 6749, section 5.2."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ScopeMissingError(CallerError):
    """The token is good but does not carry the scope that this route needs."""


class NotTheRequesterError(CallerError):
    """The message names another organisation than the one that authenticated."""

    def __init__(self, expression: str, message: str) -> None:
        super().__init__(message)
        self.expression = expression


class MessageError(GatewayError):
    """The message cannot be taken; `faults` say where and how to mend it."""

    code: ClassVar[IssueCode] = IssueCode.INVALID

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f.diagnostics for f in faults))
        self.faults: Sequence[Fault] = faults


class UnsupportedMediaTypeError(MessageError):
    """The body's Content-Type is not one that this route reads."""


class NotAcceptableError(MessageError):
    """The Accept header asks for a media type or version that is not served."""


class BodyTooLargeError(MessageError):
    """The body is longer than the limit."""


class HeaderError(MessageError):
    """A request header is missing or malformed."""


class ParameterError(MessageError):
    """A search parameter is missing, malformed or not supported."""


class InvalidMessageError(MessageError):
    """The body is not a resource that this route takes. All faults are in `faults`."""


class UnsupportedMessageError(MessageError):
    """The message is well formed, but of a kind that is not offered here."""


class StateError(GatewayError):
    """The request does not fit the present state."""


class NotFoundError(StateError):
    """There is nothing here under that identifier, or nothing that the caller may see."""


class DuplicateRequestError(StateError):
    """This sender's request was received and processed before."""


class RequestIdReusedError(StateError):
    """This sender's request id was used before for another message; this one is not taken."""


class TooEarlyError(StateError):
    """This sender's request is being worked on at this moment."""


class ManyFoundError(StateError):
    """What should name one referral names more than one."""


class PreconditionFailedError(StateError):
    """A condition that the caller set does not hold: If-Match, If-None-Exist."""


class AheadOfListError(StateError):
    """The caller has seen more events than its list has: it is not the list that was read."""


class IllegalMoveError(StateError):
    """The lifecycle has no such move."""


class FailedBeforeError(GatewayError):
    """The same request failed before; `told` is the answer that its sender got, as JSON."""

    def __init__(self, told: str) -> None:
        super().__init__("this request failed before")
        self.told = told


class TooSlowError(GatewayError):
    """The time in which an answer is due ended; nothing was written."""


class ConsentRefusedError(GatewayError):
    """A decision said DENY. It is in the ledger; nothing was stored or sent.

    `code` is the rule's own code, `spine_code` the Spine error code for the wire,
    `external_text` what an outside party may read.
    """

    def __init__(self, *, code: str, spine_code: str, external_text: str, remedy: str) -> None:
        super().__init__(code)
        self.code = code
        self.spine_code = spine_code
        self.external_text = external_text
        self.remedy = remedy


class StoreUnavailableError(GatewayError):
    """The database did not answer in time; nothing was written."""


class MovedMeanwhileError(StoreUnavailableError):
    """Somebody else moved the same row since it was read; nothing was written."""


class NotAcknowledgedYetError(GatewayError):
    """A withdrawal is recorded and counts; what it covers is still being carried through."""


class DamagedRecordError(GatewayError):
    """Stored bytes do not open under their key, or do not match their hash."""


class Phase(StrEnum):
    """How far an attempt got. Source: STYLE, rule 21."""

    PREPARE = "prepare"
    CONNECT = "connect"
    NO_REPLY = "no-reply"
    BUSY = "busy"
    REFUSED = "refused"


class DeliveryError(GatewayError):
    """One attempt failed. `may_retry` says whether trying again can help.

    `retry_after` is the destination's own wish, where it stated one. `status` is the
    HTTP status, where there was one, `code` the destination's own for it, of those that are
    known here. The message never quotes the destination's body.
    """

    phase: ClassVar[Phase]
    may_retry: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: timedelta | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.code = code

    @property
    def may_have_arrived(self) -> bool:
        """Whether the destination may have it: no answer came, or one that it failed itself."""
        return self.phase is Phase.NO_REPLY or (self.status or 0) >= 500  # noqa: PLR2004


class LeaseEndedError(DeliveryError):
    """The attempt's time was over before a byte was sent; nothing left."""

    phase = Phase.PREPARE


class DestinationUnreachableError(DeliveryError):
    """No connection: nothing reached the destination."""

    phase = Phase.CONNECT


class NoReplyError(DeliveryError):
    """The request may have arrived; no usable reply came back."""

    phase = Phase.NO_REPLY


class DestinationBusyError(DeliveryError):
    """The destination answered that it cannot take it now (408, 425, 429, 5xx)."""

    phase = Phase.BUSY


class DestinationRefusedError(DeliveryError):
    """The destination answered that it will not take it, now or later (other 4xx)."""

    phase = Phase.REFUSED
    may_retry = False
