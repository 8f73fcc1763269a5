"""The workflow variables of a message: which combinations are legal, and what each means.

What enters: a message. What leaves: what it asks for, or a refusal that names the first
variable that does not fit. The table reads like the one in BaRS Core, bundle processing.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import (
    Fault,
    InvalidMessageError,
    IssueCode,
    UnsupportedMessageError,
)
from gateway.fhir.bars.message import Message
from gateway.fhir.references import Part
from gateway.referral.json import child, string

REQUEST = "servicerequest-request"
RESPONSE = "servicerequest-response"
_BOOKING = ("booking-request", "booking-response")


class Meaning(StrEnum):
    """What a legal combination asks for."""

    NEW_REFERRAL = "a new referral"
    CANCELLATION = "that a referral is taken back"
    RESPONSE = "what became of a referral that was sent from here"
    VALIDATION = "a validation, which is not offered here"


@dataclass(frozen=True, slots=True)
class Row:
    """One legal combination. `categories` None: any, since cancellations carry either."""

    reasons: tuple[str, ...]
    categories: tuple[str, ...] | None
    statuses: tuple[str, ...]
    meaning: Meaning


TABLE = (
    Row(("new",), ("referral",), ("active",), Meaning.NEW_REFERRAL),
    Row(("update", "delete"), None, ("revoked", "entered-in-error"), Meaning.CANCELLATION),
    Row(("new",), ("validation",), ("active",), Meaning.VALIDATION),
    Row(("update",), ("validation",), ("active", "on-hold"), Meaning.VALIDATION),
)
"""For the event servicerequest-request. What is in no row is refused: 400, invariant."""

CONDITIONS = (
    ("CarePlan", ("completed",), "Set the status of a new referral's CarePlan to completed."),
    (
        "Encounter",
        ("triaged", "finished"),
        "Set the status of a new referral's Encounter to triaged or finished.",
    ),
)
"""What a new referral's other resources must say: type, statuses, text."""


def meaning_of(message: Message) -> Meaning:
    """Find the row of the table that a message is in.

    Raises:
        UnsupportedMessageError: a legal combination of a kind that is not offered here.
        InvalidMessageError: no legal combination, or a response that names no message.
    """
    if message.event == RESPONSE and _answered(message) is not None:
        return Meaning.RESPONSE
    if message.event != REQUEST:
        raise _other_event(message)
    if message.request is None:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.REQUIRED,
                expression="Bundle.entry",
                diagnostics="The message carries no ServiceRequest. Add the one that it is about.",
            )
        )
    if ambiguous := _ambiguous(message, message.request):
        raise InvalidMessageError(*ambiguous)
    row = next((row for row in TABLE if _fits(message, row)), None)
    if row is None:
        raise InvalidMessageError(_misfit(message))
    if row.meaning is Meaning.VALIDATION:
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=f"{message.request.path}.category",
                diagnostics="What is offered here is the category referral.",
            )
        )
    return row.meaning


def _ambiguous(message: Message, request: Part) -> list[Fault]:
    """Name the variables that have two values, of which none may be chosen."""
    faults = []
    if len(message.reasons) > 1:
        text = "The reason has more than one code. Send the one that is meant."
        faults.append(_at(f"{message.header.path}.reason", text))
    if len(message.categories) > 1:
        text = "The category has more than one code of message-category-servicerequest. Send the"
        faults.append(_at(f"{request.path}.category", f"{text} one that is meant."))
    return faults


def _fits(message: Message, row: Row) -> bool:
    return (
        bool(message.reasons & set(row.reasons))
        and (row.categories is None or bool(message.categories & set(row.categories)))
        and message.status in row.statuses
    )


def _answered(message: Message) -> str | None:
    """Name the message that a response answers."""
    return string(child(message.header.resource, "response") or {}, "identifier")


def _other_event(message: Message) -> Exception:
    where = f"{message.header.path}.event"
    if message.event in _BOOKING:
        text = f"What is offered here is the event {REQUEST}."
        return UnsupportedMessageError(
            Fault(code=IssueCode.NOT_SUPPORTED, expression=where, diagnostics=text)
        )
    if message.event != RESPONSE:
        text = f"The event is none of BaRS. What is offered here is {REQUEST}."
        return InvalidMessageError(
            Fault(code=IssueCode.INVARIANT, expression=where, diagnostics=text)
        )
    text = "A response says in response.identifier which message it answers."
    return InvalidMessageError(_at(f"{message.header.path}.response", text))


def _misfit(message: Message) -> Fault:
    """Name the first variable with which no row is left, and what would fit there."""
    rows = [row for row in TABLE if message.reasons & set(row.reasons)]
    if not rows:
        listed = "new for a new referral, update to take one back"
        return _at(f"{message.header.path}.reason", f"The reason is {listed}.")
    where = message.request.path if message.request else "Bundle.entry"
    fitting = [r for r in rows if r.categories is None or message.categories & set(r.categories)]
    if not fitting:
        return _at(f"{where}.category", "The category of a new referral is referral.")
    if "new" in message.reasons:
        return _at(f"{where}.status", "A new referral's ServiceRequest is active.")
    return _at(
        f"{where}.status",
        "A referral is not changed in parts: take it back (revoked, entered-in-error) and send"
        " a new one.",
    )


def _at(expression: str, text: str) -> Fault:
    return Fault(code=IssueCode.INVARIANT, expression=expression, diagnostics=text)
