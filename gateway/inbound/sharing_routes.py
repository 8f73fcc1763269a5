"""What a practice shares, for its own system: switches, agreements, and notices to the ICB.

What enters: a token of the practice, and JSON. What leaves: JSON, or a letter as HTML; every
error is an OperationOutcome, as at the other doors. A caller sees and changes only its own
practice. A change that is sent again finds that it stands already, and writes nothing.
"""

import flask

from gateway.errors import (
    Fault,
    IssueCode,
    NotFoundError,
    ParameterError,
)
from gateway.fhir.json_text import write_json
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.plain_json import JSON, plain_body
from gateway.journey.agreements import (
    AgreementSet,
    AgreementStanding,
    Wish,
    agreement_history,
    agreements_of,
    set_agreement,
)
from gateway.journey.notices import letter_of, notices_of, record_acknowledged, record_sent
from gateway.journey.sharing import Word
from gateway.journey.signing import remedy
from gateway.journey.switches import (
    SwitchStanding,
    SwitchWish,
    set_switch,
    switch_history,
    switches_of,
)
from gateway.mapping.practice_words import MoveBody, SigningBody, SwitchBody, read_body
from gateway.mapping.sharing_views import (
    acknowledged_view,
    agreement_event_view,
    agreement_view,
    notice_view,
    switch_event_view,
    switch_view,
)
from gateway.referral.directory import Scope, Switch
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.json import JsonObject
from gateway.referral.model import Sender
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementMove, Origin
from gateway.referral.withdrawals import Acknowledged

_MOVES = {
    "withdraw": AgreementMove.WITHDRAWN,
    "suspend": AgreementMove.SUSPENDED,
    "reinstate": AgreementMove.REINSTATED,
}
_NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'"

routes = flask.Blueprint("sharing", __name__)


@routes.get("/switches")
@needs(Scope.SHARING_READ)
def get_switches() -> flask.Response:
    """List how each switch stands, and what is planned."""
    _no_parameters()
    return _listed([_switch(each) for each in switches_of(_practice(), house().gateway)])


@routes.put("/switches/<switch>")
@needs(Scope.SHARING_UPDATE)
def put_switch(switch: str) -> flask.Response:
    """Set a switch, now or at a time; with a freeze, tell what was taken back."""
    name, body = _switch_name(switch), read_body(_body(), SwitchBody)
    wish = SwitchWish(switch=name, value=body.value, effective_at=body.effective_at)
    done, drafted = set_switch(_practice(), wish, _word(body.reason), house().gateway)
    outcome = "changed" if done.event else "already"
    told: JsonObject = {"switch": _switch(done.standing)}
    if done.taken_back:
        told |= {"taken_back": [agreement_event_view(each) for each in done.taken_back]}
    return _told(200, outcome, told | _note(done.note), drafted, done.withdrawn)


@routes.get("/switches/<switch>/history")
@needs(Scope.SHARING_READ)
def get_switch_history(switch: str) -> flask.Response:
    """List every event on a switch, as it was recorded."""
    _no_parameters()
    events = switch_history(_practice(), house().gateway, switch=_switch_name(switch))
    return _listed([switch_event_view(each) for each in events])


@routes.get("/agreements")
@needs(Scope.SHARING_READ)
def get_agreements() -> flask.Response:
    """List how each agreement stands, and what is planned."""
    _no_parameters()
    return _listed([_agreement(each) for each in agreements_of(_practice(), house().gateway)])


@routes.get("/agreements/<agreement_id>")
@needs(Scope.SHARING_READ)
def get_agreement(agreement_id: str) -> flask.Response:
    """Show how one agreement stands."""
    _no_parameters()
    name = _agreement_id(agreement_id)
    found = [each for each in agreements_of(_practice(), house().gateway) if each.id == name]
    if not found:
        raise NotFoundError("the practice has no agreement of this id: its list shows those it has")
    return _answer(200, _agreement(found[0]))


@routes.get("/agreements/<agreement_id>/history")
@needs(Scope.SHARING_READ)
def get_agreement_history(agreement_id: str) -> flask.Response:
    """List every event on an agreement, as it was recorded."""
    _no_parameters()
    events = agreement_history(_practice(), house().gateway, agreement=_agreement_id(agreement_id))
    return _listed([agreement_event_view(each) for each in events])


@routes.put("/agreements/<agreement_id>")
@needs(Scope.SHARING_UPDATE)
def put_agreement(agreement_id: str) -> flask.Response:
    """Sign these terms: 200, or 202 where they are kept as a proposal only."""
    name, body = _agreement_id(agreement_id), read_body(_body(), SigningBody)
    wish = Wish(
        agreement=name,
        move=AgreementMove.SIGNED,
        effective_at=body.effective_at,
        terms=body.terms(name),
        counterparty=OdsCode(body.counterparty) if body.counterparty else None,
        document_sha256=body.document_sha256,
        confirmed_by=body.confirmed_by,
    )
    return _set(wish, body.reason)


@routes.post("/agreements/<agreement_id>/withdraw", defaults={"act": "withdraw"})
@routes.post("/agreements/<agreement_id>/suspend", defaults={"act": "suspend"})
@routes.post("/agreements/<agreement_id>/reinstate", defaults={"act": "reinstate"})
@needs(Scope.SHARING_UPDATE)
def post_agreement(agreement_id: str, act: str) -> flask.Response:
    """Withdraw from an agreement, suspend or reinstate it, now or at a time."""
    name, body = _agreement_id(agreement_id), read_body(_body(may_be_empty=True), MoveBody)
    wish = Wish(
        agreement=name,
        move=_MOVES[act],
        effective_at=body.effective_at,
        confirmed_by=body.confirmed_by,
    )
    return _set(wish, body.reason)


@routes.get("/notices")
@needs(Scope.SHARING_READ)
def get_notices() -> flask.Response:
    """List the notices to the ICB, oldest first."""
    _no_parameters()
    return _listed([notice_view(each) for each in notices_of(_practice(), house().gateway)])


@routes.get("/notices/<notice_id>/letter")
@needs(Scope.SHARING_READ)
def get_letter(notice_id: str) -> flask.Response:
    """Show the letter of a notice, to print and sign."""
    _no_parameters()
    text = letter_of(_notice_id(notice_id), house().gateway, practice=_practice())
    response = flask.Response(text, 200, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _NO_SCRIPTS
    return response


@routes.post("/notices/<notice_id>/sent", defaults={"act": "sent"})
@routes.post("/notices/<notice_id>/acknowledged", defaults={"act": "acknowledged"})
@needs(Scope.SHARING_UPDATE)
def post_notice(notice_id: str, act: str) -> flask.Response:
    """Record that a letter was sent, or that the ICB acknowledged it."""
    if _body(may_be_empty=True):
        raise _malformed("Nothing has to be said here: send no body, or an empty object.")
    record = record_sent if act == "sent" else record_acknowledged
    notice = record(
        _notice_id(notice_id), house().gateway, actor=_sender().client, practice=_practice()
    )
    return _answer(200, notice_view(notice))


def _set(wish: Wish, reason: str | None) -> flask.Response:
    done, drafted = set_agreement(_practice(), wish, _word(reason), house().gateway)
    told: JsonObject = {"agreement": _agreement(done.standing), **_note(done.note)}
    if done.objection is not None:
        told |= {"reason": done.objection.staff_text, "remedy": remedy(done.objection)}
    status = 202 if done.objection else 200
    return _told(status, _outcome(done), told, drafted, done.withdrawn)


def _note(text: str | None) -> JsonObject:
    return {"note": text} if text else {}


def _outcome(done: AgreementSet) -> str:
    if done.objection is not None:
        return "proposed"
    return "changed" if done.event else "already"


def _told(
    status: int,
    outcome: str,
    about: JsonObject,
    drafted: tuple[Notice, ...],
    withdrawn: tuple[Acknowledged, ...],
) -> flask.Response:
    """Answer a change; what it withdrew was recorded with it, so showing it is no new entry."""
    now = house().gateway.clock()
    told: JsonObject = {
        "notices": [notice_view(each) for each in drafted],
        "withdrawn": [acknowledged_view(each, now) for each in withdrawn],
    }
    return _answer(status, {"outcome": outcome, **about, **told})


def _listed(rows: list[JsonObject]) -> flask.Response:
    return _answer(200, {"practice": _practice(), "entries": [*rows]})


def _answer(status: int, tree: JsonObject) -> flask.Response:
    return flask.Response(write_json(tree), status, content_type=JSON)


def _sender() -> Sender:
    sender: Sender = flask.g.sender
    return sender


def _practice() -> OdsCode:
    return _sender().ods


def _word(reason: str | None) -> Word:
    return Word(actor=_sender().client, origin=Origin.PRACTICE, reason=reason)


def _switch(standing: SwitchStanding) -> JsonObject:
    return switch_view(standing.switch, standing.event, standing.planned)


def _agreement(standing: AgreementStanding) -> JsonObject:
    return agreement_view(standing.id, standing.agreement, standing.planned)


def _switch_name(text: str) -> Switch:
    if text not in set(Switch):
        raise NotFoundError(f"there is no such switch: there are {', '.join(Switch)}")
    return Switch(text)


def _agreement_id(text: str) -> AgreementId:
    try:
        return AgreementId(text)
    except ValueError as error:
        raise NotFoundError(f"nothing has this id: {error}") from None


def _notice_id(text: str) -> NoticeId:
    try:
        return NoticeId(text)
    except ValueError:
        raise NotFoundError("nothing has this id: an id here is a UUID") from None


def _no_parameters() -> None:
    if flask.request.args:
        raise ParameterError(
            Fault(code=IssueCode.NOT_SUPPORTED, diagnostics="No parameters are supported here.")
        )


def _body(*, may_be_empty: bool = False) -> JsonObject:
    _no_parameters()
    return plain_body(may_be_empty=may_be_empty)


def _malformed(text: str) -> ParameterError:
    return ParameterError(Fault(code=IssueCode.VALUE, diagnostics=text))
