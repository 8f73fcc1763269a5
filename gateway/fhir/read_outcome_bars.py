"""A BaRS response becomes what it says: accepted, rejected, did not attend.

What enters: a message Bundle that `validate` has passed, with the event servicerequest-response.
What leaves: an IncomingOutcome. Must never: take the sender's own Encounter, which a response
brings back, for what the receiver says. Source: BaRS Core, bundle processing; App6, responses:
the response quotes the Bundle.id of the request, its focus is the receiver's Encounter or the
ServiceRequest.
"""

from collections.abc import Iterable
from typing import Final

from gateway.errors import Fault, IssueCode, UnsupportedMessageError
from gateway.fhir.bars.message import Message, open_message
from gateway.fhir.bars.workflow import RESPONSE
from gateway.fhir.read_outcome_answers import answers_in, questions_in
from gateway.fhir.read_outcome_documents import (
    absent_from,
    check_documents,
    documents_of,
    kind_with,
    own_names,
    replaced_by,
)
from gateway.fhir.read_outcome_parts import (
    About,
    IncomingOutcome,
    codes_of,
    in_order,
    latest,
    names_of_requests,
    person_of,
    refusal,
    rest_of,
    said,
)
from gateway.fhir.references import Part
from gateway.mapping.outcome_terms import REASON_LISTS, BarsWords, Coded, from_bars
from gateway.referral.identifiers import CorrelationId
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.outcome import OutcomeKind

_SENDERS: Final = "triaged"
"""The status of an Encounter that only a sender's has."""


def read_bars(tree: JsonObject, correlation_id: CorrelationId | None) -> IncomingOutcome:
    """Read a response.

    1. Check that it is a response to a referral, and to which message.
    2. Check that every part is about one person.
    3. Find the receiver's Encounter; with the ServiceRequest's status it is what is said.

    Raises:
        InvalidMessageError: it is none, says nothing, or is about two people.
        UnsupportedMessageError: it is about a validation.
    """
    message = open_message(tree)
    response_to = _response_to(message)
    request = _only_request(message)
    number = person_of(tree, message.parts)
    is_draft = check_documents(message.parts)
    own = _receivers(message, request)
    words = _words(message, request, own)
    where = f"{own.path}.status" if own else f"{request.path}.status"
    kind = from_bars(words, where).kind
    texts = said(string(each, "text") for each in _reasons(own))
    if kind is OutcomeKind.REJECTED and words.reason is None and not texts:
        text = "A rejection says why: add a code of BaRS, or words, to the Encounter's reasonCode."
        raise refusal(IssueCode.REQUIRED, where.replace(".status", ".reasonCode"), text)
    references, identifiers = names_of_requests(tree, message.parts)
    documents = [*documents_of(message.parts.parts)]
    return IncomingOutcome(
        kind=kind_with(kind, has_document=bool(documents)),
        about=About(
            response_to=response_to,
            references=tuple(sorted(references)),
            identifiers=in_order(identifiers),
            correlation_id=correlation_id,
        ),
        tree=tree,
        parts=rest_of(message.parts, message.header),
        reason=words.reason,
        words=texts,
        said_at=latest([string(tree, "timestamp")]),
        author=message.sender,
        nhs_number=number,
        answers=answers_in(message.parts),
        questions=questions_in(message.parts),
        names=own_names(documents),
        replaces=replaced_by(documents),
        absent=absent_from(message.parts, documents),
        closes=kind is OutcomeKind.CLOSED,
        is_draft=is_draft,
    )


def _response_to(message: Message) -> str:
    header = message.header.path
    if message.event != RESPONSE:
        text = f"An outcome by BaRS has the event {RESPONSE}."
        raise refusal(IssueCode.INVARIANT, f"{header}.event", text)
    if message.reasons != {"new"}:
        text = "A response has the reason new."
        raise refusal(IssueCode.INVARIANT, f"{header}.reason", text)
    response = child(message.header.resource, "response") or {}
    identifier = (string(response, "identifier") or "").strip()
    if not identifier:
        text = "A response says in response.identifier which message it answers: its Bundle.id."
        raise refusal(IssueCode.INVARIANT, f"{header}.response", text)
    if string(response, "code") != "ok":
        text = (
            "A response that tells an outcome has the response.code ok. That a message could not"
            " be processed is told by the answer to it."
        )
        raise refusal(IssueCode.INVARIANT, f"{header}.response.code", text)
    return identifier


def _only_request(message: Message) -> Part:
    found = message.parts.of_type("ServiceRequest")
    if len(found) != 1:
        text = (
            f"A response carries the one ServiceRequest that it answers; this one has {len(found)}."
        )
        where = found[1].path if found else "Bundle.entry"
        raise refusal(IssueCode.REQUIRED, where, text)
    if "validation" in message.categories:
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=f"{found[0].path}.category",
                diagnostics="What is offered here is the category referral.",
            )
        )
    return found[0]


def _receivers(message: Message, request: Part) -> Part | None:
    """Find the receiver's own Encounter: the focus, else the one that is not the sender's."""
    focus = [message.parts.follow(each) for each in objects(message.header.resource, "focus")]
    senders = message.parts.follow(child(request.resource, "encounter"))
    encounters = message.parts.of_type("Encounter")
    found = [each for each in encounters if any(each is leads for leads in focus)] or [
        each
        for each in encounters
        if each is not senders and string(each.resource, "status") != _SENDERS
    ]
    if len(found) > 1:
        text = (
            "It is not clear which Encounter is the receiver's. Let MessageHeader.focus lead to"
            " it, and ServiceRequest.encounter to the sender's."
        )
        raise refusal(IssueCode.MULTIPLE_MATCHES, found[1].path, text)
    return found[0] if found else None


def _words(message: Message, request: Part, own: Part | None) -> BarsWords:
    appointments = {string(p.resource, "status") for p in message.parts.of_type("Appointment")}
    return BarsWords(
        request=string(request.resource, "status") or "",
        encounter=string(own.resource, "status") if own else None,
        appointment="booked" if "booked" in appointments else None,
        reason=_reason(own),
    )


def _reason(own: Part | None) -> Coded | None:
    found = codes_of(*_reasons(own))
    listed = [each for each in found if each.system in REASON_LISTS]
    if own is not None and len(listed) > 1:
        text = "The Encounter gives more than one reason of BaRS. Give the one that counts."
        raise refusal(IssueCode.INVARIANT, f"{own.path}.reasonCode", text)
    return min(listed or found, key=lambda each: (each.system, each.code), default=None)


def _reasons(own: Part | None) -> Iterable[JsonObject]:
    return objects(own.resource, "reasonCode") if own else []
