"""Copies of reports, for the provider that wrote them: made, shown, answered, released.

What enters: a token of the provider, and JSON. What leaves: JSON, or a released copy as JSON or PDF
for whom it is; every error is an OperationOutcome, as at the other doors. A provider sees and
moves copies of its own referrals alone. That the person said what is recorded here, the provider
answers for.

    POST /reports                   task, kind, copies; third_party, would_harm: make copies of the
                                    newest report that was sent for the task
    GET  /reports?task=             list them, the newest first
    GET  /reports/ID                how one stands, and what may be done with it now
    GET  /reports/ID/text           the text that the person is to see
    GET  /reports/ID/document       what was released, for its recipient; _format=pdf or json
    POST /reports/ID/review         version, third_party, would_harm
    POST /reports/ID/offer          the person was told that they may see it first
    POST /reports/ID/shown          version: the person has this text before them
    POST /reports/ID/answer         version, answer, statement: what the person says of it
    POST /reports/ID/route          route, clinician: how the person wishes their GP to have it
    POST /reports/ID/rewrite        take the newest report in the place of its text
    POST /reports/ID/release        version: let it go to its recipient
    POST /reports/ID/withhold       keep it here
"""

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.json_text import write_json
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.plain_json import JSON, plain_body
from gateway.inbound.search import count, malformed, parameters, single
from gateway.journey import reports as acts
from gateway.journey.report_cases import Asker, CopyStanding
from gateway.journey.report_copies import Wanted, WantedCopy, create_copies
from gateway.journey.report_reads import list_copies, read_copy, text_to_show
from gateway.journey.report_release import Form, hand_over, release
from gateway.mapping.practice_words import read_body
from gateway.mapping.report_views import filed_view, standing_view
from gateway.mapping.report_words import (
    AnswerBody,
    EmptyBody,
    ReportsBody,
    ReviewBody,
    RouteBody,
    VersionBody,
)
from gateway.referral.directory import Scope
from gateway.referral.identifiers import DeliveryId, OdsCode, ReportId
from gateway.referral.json import JsonObject

_MEDIA = {Form.JSON: JSON, Form.PDF: "application/pdf"}

routes = flask.Blueprint("reports", __name__)


@routes.post("")
@needs(Scope.TASK_UPDATE)
def post_reports() -> flask.Response:
    """Make copies of the newest report of a task; those that are there are left as they are."""
    _no_parameters()
    body = read_body(plain_body(), ReportsBody)
    wanted = Wanted(
        task=DeliveryId(body.task),
        kind=body.kind,
        copies=tuple(
            WantedCopy(
                recipient=each.recipient,
                organisation=OdsCode(each.organisation) if each.organisation else None,
            )
            for each in body.copies
        ),
        third_party=body.third_party,
        would_harm=body.would_harm,
    )
    made = create_copies(wanted, _asker(), house().gateway)
    return _answer(201, {"copies": [filed_view(each) for each in made]})


@routes.get("")
@needs(Scope.TASK_READ)
def get_reports() -> flask.Response:
    """List copies, the newest first."""
    given = parameters(frozenset({"task", "_count"}))
    task = single(given, "task")
    found = list_copies(
        house().gateway, _asker(), task=_task(task) if task else None, limit=count(given)
    )
    copies = [filed_view(each.filed) | {"referral": each.reference} for each in found]
    return _answer(200, {"copies": [*copies]})


@routes.get("/<report_id>")
@needs(Scope.TASK_READ)
def get_report(report_id: str) -> flask.Response:
    """Show how a copy stands."""
    _no_parameters()
    return _shown(read_copy(house().gateway, _report_id(report_id), _asker()))


@routes.get("/<report_id>/text")
@needs(Scope.TASK_READ)
def get_text(report_id: str) -> flask.Response:
    """Show the text that the person is to see; it is for them alone until it is released."""
    _no_parameters()
    found = text_to_show(house().gateway, _report_id(report_id), _asker())
    shown: JsonObject = {
        "report": found.filed.id,
        "version": found.filed.copy.version,
        "state": found.filed.copy.state.value,
        "text_sha256": found.filed.text_sha256,
        "lines": [*found.lines],
        "document": found.document,
    }
    return _answer(200, shown)


@routes.get("/<report_id>/document")
@needs(Scope.TASK_READ)
def get_document(report_id: str) -> flask.Response:
    """Hand a released copy over, for its recipient."""
    given = parameters(frozenset({"_format"}))
    wanted = single(given, "_format") or Form.PDF
    if wanted not in set(Form):
        raise malformed("_format", "pdf or json")
    form = Form(wanted)
    body = hand_over(house().gateway, _report_id(report_id), _asker(), form)
    return flask.Response(body, 200, content_type=_MEDIA[form])


@routes.post("/<report_id>/review")
@needs(Scope.TASK_UPDATE)
def post_review(report_id: str) -> flask.Response:
    """Record what whoever reviewed a text found in it."""
    body = read_body(_body(), ReviewBody)
    return _shown(
        acts.review(
            house().gateway,
            _report_id(report_id),
            _asker(),
            version=body.version,
            third_party=body.third_party,
            would_harm=body.would_harm,
        )
    )


@routes.post("/<report_id>/shown")
@needs(Scope.TASK_UPDATE)
def post_shown(report_id: str) -> flask.Response:
    """Record that the person has the text before them."""
    body = read_body(_body(), VersionBody)
    own_id = _report_id(report_id)
    return _shown(acts.record_shown(house().gateway, own_id, _asker(), version=body.version))


@routes.post("/<report_id>/answer")
@needs(Scope.TASK_UPDATE)
def post_answer(report_id: str) -> flask.Response:
    """Record what the person says of the text."""
    body = read_body(_body(), AnswerBody)
    return _shown(
        acts.answer(
            house().gateway,
            _report_id(report_id),
            _asker(),
            body.answer,
            version=body.version,
            statement=body.statement,
        )
    )


@routes.post("/<report_id>/route")
@needs(Scope.TASK_UPDATE)
def post_route(report_id: str) -> flask.Response:
    """Record how the person wishes their GP to have it."""
    body = read_body(_body(), RouteBody)
    own_id = _report_id(report_id)
    return _shown(acts.choose_route(house().gateway, own_id, _asker(), body.route, body.clinician))


@routes.post("/<report_id>/release")
@needs(Scope.TASK_UPDATE)
def post_release(report_id: str) -> flask.Response:
    """Let a copy go, if it may."""
    body = read_body(_body(), VersionBody)
    return _shown(release(house().gateway, _report_id(report_id), _asker(), version=body.version))


@routes.post("/<report_id>/offer", defaults={"act": "offer"})
@routes.post("/<report_id>/rewrite", defaults={"act": "rewrite"})
@routes.post("/<report_id>/withhold", defaults={"act": "withhold"})
@needs(Scope.TASK_UPDATE)
def post_act(report_id: str, act: str) -> flask.Response:
    """Record an offer, take the newest report as the text, or keep a copy here."""
    read_body(_body(), EmptyBody)
    does = {"offer": acts.offer, "rewrite": acts.rewrite, "withhold": acts.withhold}
    return _shown(does[act](house().gateway, _report_id(report_id), _asker()))


def _asker() -> Asker:
    return Asker(actor=flask.g.sender.client, sender=flask.g.sender)


def _body() -> JsonObject:
    _no_parameters()
    return plain_body(may_be_empty=True)


def _no_parameters() -> None:
    if flask.request.args:
        raise ParameterError(
            Fault(code=IssueCode.NOT_SUPPORTED, diagnostics="No parameters are supported here.")
        )


def _report_id(text: str) -> ReportId:
    """Read the id of a path; what is no UUID names nothing here."""
    try:
        return ReportId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def _task(text: str) -> DeliveryId:
    try:
        return DeliveryId(text)
    except ValueError:
        raise malformed("task", "the id of a Task") from None


def _shown(standing: CopyStanding) -> flask.Response:
    shown = standing_view(standing.filed, standing.reference, standing.gate, standing.left_out)
    return _answer(200, shown)


def _answer(status: int, tree: JsonObject) -> flask.Response:
    return flask.Response(write_json(tree), status, content_type=JSON)
