"""The front door for BaRS messages: `$process-message`.

What enters: a message Bundle with its NHSD headers. What leaves: the same bundle with our
ids, at once, or a refusal. Source: BaRS Core, the receiver's order of processing.
"""

import flask

from gateway.errors import (
    DuplicateRequestError,
    Fault,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
    NotTheRequesterError,
)
from gateway.fhir.bars import check_message, synchronous_answer
from gateway.fhir.read_referral import read_referral
from gateway.fhir.task import gateway_hop
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.request import (
    check_accept,
    check_end_user_organisation,
    envelope,
    read_body,
    refusals_recorded,
    target_service,
    to_response,
)
from gateway.journey.accept import accept_referral
from gateway.journey.look_up import service_is_known
from gateway.referral.directory import Scope
from gateway.referral.json import JsonObject
from gateway.referral.model import Door, Envelope, Receipt

routes = flask.Blueprint("bars", __name__)


@routes.post("/$process-message")
@needs(Scope.REFERRAL_CREATE)
def process_message() -> flask.Response:
    """Take a new referral as a message.

    1. Check the ids, the version asked for and the organisation that the headers name.
    2. Check what the message says it is, and whom it is for.
    3. Accept it as any other referral; a repeat is a duplicate, which senders count as done.
    4. Answer with the same bundle, our ids and the reference that a person can quote.
    """
    sent = envelope(Door.BARS, flask.g.sender, ids_required=True)
    with refusals_recorded(sent):
        check_end_user_organisation(sent.sender)
        check_accept()
        tree = read_body(sent)
        receipt = _accepted(tree, sent)
    hop = gateway_hop(receipt.referral, house().gateway.ods)
    body = synchronous_answer(tree, receipt.referral, hop, receipt.referral.provider)
    return to_response(Answer(http=200, body=body))


def _accepted(tree: JsonObject, sent: Envelope) -> Receipt:
    target = target_service()
    named = check_message(tree, target)
    if named != sent.sender.ods:
        raise NotTheRequesterError(
            "Bundle.entry[0].resource.sender",
            "MessageHeader.sender is not the organisation that authenticated.",
        )
    if not service_is_known(target, house().gateway):
        raise NotFoundError("no service here has the id of NHSD-Target-Identifier")
    referral = read_referral(tree)
    if referral.service_asked != target:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.VALUE,
                expression="ServiceRequest.performer",
                diagnostics="ServiceRequest.performer leads to the HealthcareService whose id is"
                " in NHSD-Target-Identifier. Address the message to the service it is for.",
            )
        )
    receipt = accept_referral(referral, sent, house().gateway)
    if receipt.repeated:
        raise DuplicateRequestError("this message was received and processed before")
    return receipt
