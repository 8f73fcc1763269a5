"""The front door for referrals in plain FHIR REST; `bars_routes` is the one for messages.

What enters: HTTP. What leaves: a receipt or a refusal. The walk of a referral begins here:
authenticate, read, accept, answer.
"""

import flask

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.read_referral import read_referral
from gateway.fhir.service_request import VERSION, service_request_of
from gateway.fhir.task import gateway_hop
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.request import (
    check_accept,
    envelope,
    read_body,
    refusals_recorded,
    to_response,
)
from gateway.journey.accept import accept_referral
from gateway.referral.directory import Scope
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.lifecycle import ReferralState
from gateway.referral.model import Door, Receipt

routes = flask.Blueprint("referrals", __name__)


@routes.post("/ServiceRequest")
@needs(Scope.REFERRAL_CREATE)
def post_referral() -> flask.Response:
    """Take a referral: a ServiceRequest with contained resources, or a Bundle with one."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    with refusals_recorded(sent):
        tree = read_body(sent)
        receipt = accept_referral(read_referral(_taken(tree)), sent, house().gateway)
    return to_response(_receipt_answer(receipt, tree))


@routes.post("/", strict_slashes=False)
@needs(Scope.REFERRAL_CREATE)
def post_transaction() -> flask.Response:
    """Take a referral as a FHIR transaction: all of it, or nothing."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    with refusals_recorded(sent):
        tree = read_body(sent)
        _check_transaction(tree)
        receipt = accept_referral(read_referral(tree), sent, house().gateway)
    return to_response(_transaction_answer(receipt, tree))


def _taken(tree: JsonObject) -> JsonObject:
    """Take a ServiceRequest with contained resources, or a Bundle that brings one."""
    kind = string(tree, "resourceType")
    if kind == "Bundle" and string(tree, "type") == "transaction":
        _check_transaction(tree)
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


def _check_transaction(tree: JsonObject) -> None:
    """A transaction creates: this door offers no other change."""
    if string(tree, "resourceType") != "Bundle" or string(tree, "type") != "transaction":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVALID,
                expression="Bundle.type",
                diagnostics="Send a Bundle of the type transaction that brings one referral.",
            )
        )
    faults = [
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression=f"Bundle.entry[{position}].request",
            diagnostics="A referral's transaction creates: method POST, url the resource type.",
        )
        for position, entry in enumerate(objects(tree, "entry"))
        if not _is_create(entry)
    ]
    if faults:
        raise InvalidMessageError(*faults)


def _is_create(entry: JsonObject) -> bool:
    request = child(entry, "request") or {}
    kind = string(child(entry, "resource") or {}, "resourceType")
    return (string(request, "method"), string(request, "url")) == ("POST", kind)


def _status_of(receipt: Receipt) -> int:
    """201: accepted and on its way. 202: accepted and owned, but held for a person."""
    is_held = receipt.referral.state is ReferralState.HELD
    return 202 if is_held else 201


def _headers_of(receipt: Receipt) -> dict[str, str]:
    return {
        "Location": f"{house().base_url}/ServiceRequest/{receipt.referral.id}/_history/{VERSION}",
        "ETag": f'W/"{VERSION}"',
    }


def _receipt_answer(receipt: Receipt, tree: JsonObject) -> Answer:
    """Show the ServiceRequest as stored, or, while it is held, the Task that says why."""
    body = (
        gateway_hop(receipt.referral, house().gateway.ods)
        if receipt.referral.state is ReferralState.HELD
        else service_request_of(tree, receipt.referral)
    )
    return Answer(http=_status_of(receipt), body=body, headers=_headers_of(receipt))


def _transaction_answer(receipt: Receipt, tree: JsonObject) -> Answer:
    """Answer each entry; the other resources are kept as parts of the referral."""
    headers = _headers_of(receipt)
    entries: list[Json] = []
    for entry in objects(tree, "entry"):
        kind = string(child(entry, "resource") or {}, "resourceType")
        if kind == "ServiceRequest":
            status = "202 Accepted" if _status_of(receipt) == 202 else "201 Created"  # noqa: PLR2004
            entries.append(
                {
                    "response": {
                        "status": status,
                        "location": headers["Location"].removeprefix(f"{house().base_url}/"),
                        "etag": headers["ETag"],
                    }
                }
            )
        else:
            entries.append({"response": {"status": "202 Accepted"}})
    if receipt.referral.state is ReferralState.HELD:
        entries.append(
            {
                "resource": gateway_hop(receipt.referral, house().gateway.ods),
                "response": {"status": "200"},
            }
        )
    body: JsonObject = {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": entries,
    }
    return Answer(http=200, body=body, headers=headers)
