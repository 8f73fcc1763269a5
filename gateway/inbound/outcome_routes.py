"""Outcomes that come as documents, and where a practice reads what came.

What enters: a DocumentReference, or a Bundle of documents, from a provider; an id or a referral's
reference from a practice. What leaves: where the practice reads it, or what was kept back and why;
DocumentReferences, and the document as PDF. Must never: show a document to anybody but the practice
whose referral it answers. Source: FHIR R4 DocumentReference, Binary, http.html.
"""

import re

import flask

from gateway.errors import (
    Fault,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
    ParameterError,
)
from gateway.fhir.document_reference import PDF, binary, document_reference, etag_of
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.text import FHIR_JSON, FHIR_XML
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, to_response, unless_known
from gateway.inbound.outcomes import arrival, correlation_of, document_answer
from gateway.inbound.request import envelope, read_body, taken_up_as
from gateway.inbound.search import own_id, page_of, parameters, single
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.journey.settle_outcome import outcome_receipt, settle_outcome
from gateway.journey.show_outcome import Document, list_documents, show_document
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.referral.directory import Scope
from gateway.referral.identifiers import OutcomeId, ReferralId
from gateway.referral.json import JsonObject, string
from gateway.referral.model import Door, Envelope

_PACKED = ("document", "collection")
_RELATED = re.compile(r"(?:ServiceRequest/)?([0-9a-fA-F-]{36})")

routes = flask.Blueprint("outcomes", __name__)


@routes.post("/DocumentReference")
@needs(Scope.TASK_UPDATE)
def post_document() -> flask.Response:
    """Take an outcome that is one document."""
    return _taken()


@routes.post("/Bundle")
@needs(Scope.TASK_UPDATE)
def post_bundle() -> flask.Response:
    """Take an outcome that is a document Bundle, or a collection of documents."""
    return _taken()


@routes.get("/DocumentReference/<document_id>")
@needs(Scope.TASK_READ)
def get_document(document_id: str) -> flask.Response:
    """Show the practice one document that came to it, unless it has this version."""
    check_accept()
    found = show_document(
        flask.g.sender, OutcomeId(own_id(document_id)), "DocumentReference", house().gateway
    )
    shown = _shown(found)
    meta = shown["meta"]
    version = string(meta, "versionId") if isinstance(meta, dict) else ""
    answer = Answer(http=200, body=shown, headers={"ETag": f'W/"{version}"'})
    return to_response(unless_known(answer))


@routes.get("/DocumentReference")
@needs(Scope.TASK_READ)
def search_documents() -> flask.Response:
    """List what came back to one referral of the caller's own."""
    check_accept(counts=True)
    given = parameters(frozenset({"related"}))
    found = list_documents(flask.g.sender, _related(single(given, "related")), house().gateway)
    page = [(str(each.outcome.id), _shown(each)) for each in found]
    return to_response(
        Answer(http=200, body=page_of("DocumentReference", page, len(page), given, None))
    )


@routes.get("/Binary/<document_id>")
@needs(Scope.TASK_READ)
def get_binary(document_id: str) -> flask.Response:
    """Show the document itself: as PDF, or as a FHIR Binary to whoever asks for FHIR."""
    is_fhir = _wants_fhir()
    if is_fhir:
        check_accept()
    found = show_document(flask.g.sender, OutcomeId(own_id(document_id)), "Binary", house().gateway)
    if found.pdf is None:
        msg = "this one cannot be written as a document"
        raise NotFoundError(msg)
    headers = {"ETag": f'W/"{etag_of(found.pdf)}"'}
    answer = unless_known(Answer(http=200, body=binary(found.outcome, found.pdf), headers=headers))
    if is_fhir or answer.body is None:
        return to_response(answer)
    response = flask.Response(found.pdf, 200, content_type=PDF)
    response.headers.update(headers)
    response.vary.add("Accept")
    return response


def _taken() -> flask.Response:
    """Take an outcome.

    1. Take the request up once.
    2. Read what is said; keep it, and do what the write guard says.
    3. Say where the practice reads it, or what was kept back.
    """
    check_accept()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up_as(arrived, outcome_receipt) as (sent, before):
        tree, _ = read_body(sent)
        returned = before or _returned(tree, sent)
    return to_response(document_answer(returned))


def _returned(tree: JsonObject, sent: Envelope) -> Returned:
    _check_shape(tree)
    correlation = correlation_of(flask.request.headers.get("X-Correlation-Id"))
    said = read_outcome(tree, correlation_id=correlation)
    known = _known_version()
    arrived = arrival(LedgerDoor.REST, sent.body, known=known)
    returned = return_outcome(said, arrived, house().gateway)
    settle_outcome(sent, returned, house().gateway)
    return returned


def _check_shape(tree: JsonObject) -> None:
    """Check that it is what this address takes."""
    wanted = flask.request.path.rsplit("/", 1)[-1]
    kind = string(tree, "resourceType") or "Resource"
    if kind != wanted:
        text = f"Send a {wanted} to this address."
        raise InvalidMessageError(Fault(code=IssueCode.INVALID, expression=kind, diagnostics=text))
    if kind == "Bundle" and string(tree, "type") not in _PACKED:
        text = (
            "Send a Bundle of the type document or collection. A message goes to $process-message."
        )
        raise InvalidMessageError(
            Fault(code=IssueCode.INVALID, expression="Bundle.type", diagnostics=text)
        )


def _known_version() -> str | None:
    """Read If-Match, where it is sent: the ETag of the Task that the provider has read."""
    text = flask.request.headers.get("If-Match")
    if text is None:
        return None
    found = re.fullmatch(r'(?:W/)?"([A-Za-z0-9.-]{1,64})"', text.strip())
    if found is None:
        raise ParameterError(
            Fault(
                code=IssueCode.VALUE,
                diagnostics='If-Match is the ETag of the Task that you read, such as W/"1".',
            )
        )
    return found[1]


def _related(text: str | None) -> ReferralId:
    """Read whose documents are wanted: a ServiceRequest of the practice's own."""
    found = _RELATED.fullmatch(text or "")
    if found is None:
        raise ParameterError(
            Fault(
                code=IssueCode.VALUE if text else IssueCode.REQUIRED,
                diagnostics="Search by related: ServiceRequest/ and the id that we gave it.",
            )
        )
    return own_id(found[1])


def _shown(found: Document) -> JsonObject:
    return document_reference(
        found.outcome,
        found.referral,
        house().gateway.ods,
        found.pdf,
        is_replaced=found.is_replaced,
    )


def _wants_fhir() -> bool:
    """Whether FHIR was asked for by name; a PDF is what there is."""
    if "_format" in flask.request.args:
        return flask.request.args["_format"] != PDF
    accepted = flask.request.accept_mimetypes
    if not accepted or accepted[PDF] > 0:
        best = accepted.best_match([PDF, FHIR_JSON, FHIR_XML, "application/json"])
        return best not in (None, PDF)
    return True
