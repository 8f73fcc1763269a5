"""The front door for referrals in plain FHIR REST; `bars_routes` is the one for messages.

What enters: HTTP. What leaves: a receipt or a refusal. The walk of a referral begins here:
authenticate, take up once, read, accept, answer.
"""

from collections.abc import Sequence

import flask
from werkzeug.http import http_date

from gateway.errors import (
    Fault,
    InvalidMessageError,
    IssueCode,
    ParameterError,
    Severity,
    UnsupportedMessageError,
)
from gateway.fhir.examine import examine
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.read_referral import read_referral
from gateway.fhir.service_request import instant, service_request_of
from gateway.fhir.task import gateway_hop
from gateway.inbound.answers import Answer, told_withheld
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import body_tree, check_accept, to_response
from gateway.inbound.operation import given_to
from gateway.inbound.request import envelope, known_version, read_body, taken_up, wish
from gateway.inbound.search import own_id, parameters, single
from gateway.inbound.transaction import check_transaction, unless, unless_of
from gateway.journey.accept import accept_referral
from gateway.journey.cancel import Cancellation, cancel_referral
from gateway.journey.look_up import own_referral, present_version
from gateway.referral.directory import Scope
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.lifecycle import ReferralState, RequestStatus
from gateway.referral.model import Door, Receipt

_LINES = {200: "200 OK", 201: "201 Created", 202: "202 Accepted"}
_ONLY_CREATE = (
    "A referral is validated as one that is sent anew, against the profiles in force here: give"
    " the resource, and mode=create or no mode. No other profile, mode or parameter is supported."
)
_TAKEN_BACK = (RequestStatus.REVOKED.value, RequestStatus.ENTERED_IN_ERROR.value)

routes = flask.Blueprint("referrals", __name__)


@routes.post("/ServiceRequest")
@needs(Scope.REFERRAL_CREATE)
def post_referral() -> flask.Response:
    """Take a referral: a ServiceRequest with contained resources, or a Bundle with one.

    With If-None-Exist it is taken only where the sender has none of that identifier yet.
    """
    check_accept()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up(arrived) as (sent, before):
        tree, warnings = read_body(sent)
        condition = unless(flask.request.headers.get("If-None-Exist"), None)
        receipt = before or accept_referral(
            read_referral(_taken(tree)), sent, house().gateway, unless=condition
        )
    return to_response(_receipt_answer(receipt, tree, told_withheld(receipt, warnings)))


@routes.post("/", strict_slashes=False)
@needs(Scope.REFERRAL_CREATE)
def post_transaction() -> flask.Response:
    """Take a referral as a FHIR transaction: all of it, or nothing."""
    check_accept()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up(arrived) as (sent, before):
        tree, warnings = read_body(sent)
        check_transaction(tree)
        receipt = before or accept_referral(
            read_referral(tree), sent, house().gateway, unless=unless_of(tree)
        )
    return to_response(_transaction_answer(receipt, tree, told_withheld(receipt, warnings)))


@routes.put("/ServiceRequest/<referral_id>")
@needs(Scope.REFERRAL_CREATE)
def take_back(referral_id: str) -> flask.Response:
    """Take a referral back: the ServiceRequest as read, its status revoked or entered-in-error.

    Nothing else of it can be changed. If-Match names the version that the sender has read.
    """
    check_accept()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up(arrived) as (sent, before):
        tree, _ = read_body(sent)
        receipt = before or cancel_referral(_cancellation(tree, referral_id), sent, house().gateway)
    kept = own_referral(flask.g.sender, receipt.referral.id, house().gateway)
    return to_response(Answer(http=200, body=present_version(kept), headers=_headers_of(receipt)))


@routes.post("/ServiceRequest/$validate")
@needs(Scope.REFERRAL_CREATE)
def validate_referral() -> flask.Response:
    """Say what the door would say of a message; nothing is stored, sent or decided."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    if single(parameters(frozenset({"mode"})), "mode") not in (None, "create"):
        raise ParameterError(Fault(code=IssueCode.NOT_SUPPORTED, diagnostics=_ONLY_CREATE))
    tree, _ = given_to(body_tree(sent.body), _is_mode_create, otherwise=_ONLY_CREATE)
    found = examine(tree, house().gateway.profiles) or [
        Fault(
            severity=Severity.INFORMATION,
            code=IssueCode.INFORMATIONAL,
            diagnostics="Nothing was found that the door would refuse or remark on.",
        )
    ]
    return to_response(Answer(http=200, body=operation_outcome(found, code=None)))


def _is_mode_create(parameter: JsonObject) -> bool:
    return (string(parameter, "name"), string(parameter, "valueCode")) == ("mode", "create")


def _taken(tree: JsonObject) -> JsonObject:
    """Take a ServiceRequest with contained resources, or a Bundle that brings one."""
    kind = string(tree, "resourceType")
    if kind == "Bundle" and string(tree, "type") == "transaction":
        check_transaction(tree)
        return tree
    if kind == "ServiceRequest" or (kind == "Bundle" and string(tree, "type") == "collection"):
        return tree
    raise InvalidMessageError(
        Fault(
            code=IssueCode.INVALID,
            expression=kind,
            diagnostics="Send a ServiceRequest with contained resources, or a Bundle of the type"
            " transaction or collection with one. A message goes to $process-message.",
        )
    )


def _cancellation(tree: JsonObject, referral_id: str) -> Cancellation:
    """Read what a PUT says: only the status may differ from what was read.

    Raises:
        InvalidMessageError: it is not this ServiceRequest.
        UnsupportedMessageError: it asks for another change.
    """
    wanted = own_id(referral_id)
    if string(tree, "resourceType") != "ServiceRequest" or string(tree, "id") != wanted:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVALID,
                expression="ServiceRequest.id",
                diagnostics="Send the ServiceRequest with the id that is in the address.",
            )
        )
    kept = own_referral(flask.g.sender, wanted, house().gateway)
    present = present_version(kept)
    changed = {k for k in present.keys() | tree.keys() if present.get(k) != tree.get(k)}
    if "contained" not in tree:
        changed -= {"contained"}  # whoever read it without need not send it back
    if changed - {"meta", "status", "reasonCode"} or (string(tree, "status") not in _TAKEN_BACK):
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression="ServiceRequest",
                diagnostics="A referral is not changed in parts. It can be taken back: status"
                " revoked or entered-in-error, with the reason in reasonCode; then send a new"
                " one.",
            )
        )
    return Cancellation(
        id=wanted,
        names=(),
        status=RequestStatus(string(tree, "status") or ""),
        patient=None,
        person_at="ServiceRequest.subject",
        service=None,
        known_version=known_version(),
    )


def _status_of(receipt: Receipt) -> int:
    """201: accepted and on its way. 202: accepted, but held for a person. 200: was there."""
    if receipt.found:
        return 200
    is_held = receipt.referral.state is ReferralState.HELD
    return 202 if is_held else 201


def _headers_of(receipt: Receipt) -> dict[str, str]:
    referral = receipt.referral
    version = referral.content_version
    return {
        "Location": f"{house().base_url}/ServiceRequest/{referral.id}/_history/{version}",
        "ETag": f'W/"{version}"',
        "Last-Modified": http_date(referral.content_at),
    }


def _receipt_answer(receipt: Receipt, tree: JsonObject, warnings: Sequence[Fault]) -> Answer:
    """Show the ServiceRequest as stored, or, while it is held, the Task that says why.

    With `Prefer: return=OperationOutcome` it says what was tolerated; with `return=minimal`
    it says nothing.
    """
    wanted = wish()
    body: JsonObject | None
    if wanted == "minimal":
        body = None
    elif wanted == "OperationOutcome":
        body = operation_outcome(warnings or [_all_well()], code=None)
    elif receipt.referral.state is ReferralState.HELD:
        body = gateway_hop(receipt.referral, house().gateway.ods)
    elif receipt.found:
        body = present_version(own_referral(flask.g.sender, receipt.referral.id, house().gateway))
    else:
        body = service_request_of(tree, receipt.referral)
    return Answer(http=_status_of(receipt), body=body, headers=_headers_of(receipt))


def _all_well() -> Fault:
    return Fault(
        severity=Severity.INFORMATION,
        code=IssueCode.INFORMATIONAL,
        diagnostics="The referral was taken, with nothing to remark on.",
    )


def _transaction_answer(receipt: Receipt, tree: JsonObject, warnings: Sequence[Fault]) -> Answer:
    """Answer each entry; the other resources are kept as parts of the referral."""
    headers = _headers_of(receipt)
    entries: list[Json] = []
    for entry in objects(tree, "entry"):
        kind = string(child(entry, "resource") or {}, "resourceType")
        answer: JsonObject = {"status": "202 Accepted"}
        if kind == "ServiceRequest":
            answer = {
                "status": _LINES[_status_of(receipt)],
                "location": headers["Location"].removeprefix(f"{house().base_url}/"),
                "etag": headers["ETag"],
                "lastModified": instant(receipt.referral.content_at),
            }
            if warnings:
                answer["outcome"] = operation_outcome(warnings, code=None)
        entries.append({"response": answer})
    if receipt.referral.state is ReferralState.HELD:
        entries.append(
            {
                "resource": gateway_hop(receipt.referral, house().gateway.ods),
                "response": {"status": "200 OK"},
            }
        )
    body: JsonObject = {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": entries,
    }
    return Answer(http=200, body=body, headers=headers)
