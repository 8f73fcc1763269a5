"""The front door for BaRS messages: `$process-message`.

What enters: a message Bundle with its NHSD headers. What leaves: the same bundle with our
ids, at once, or a refusal. Source: BaRS Core, the receiver's order of processing.
"""

from collections.abc import Sequence
from dataclasses import replace

import flask

from gateway.errors import (
    DuplicateRequestError,
    Fault,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
    NotTheRequesterError,
)
from gateway.fhir.bars.answer import answer_to_response, synchronous_answer
from gateway.fhir.bars.cancellation import origin_of, read_notice
from gateway.fhir.bars.check import check_message
from gateway.fhir.bars.message import Message, open_message
from gateway.fhir.bars.workflow import Meaning
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_referral import read_referral
from gateway.fhir.task import gateway_hop, provider_hop
from gateway.inbound.answers import Answer, told_withheld
from gateway.inbound.house import house
from gateway.inbound.identity import needs, require
from gateway.inbound.media import check_accept, to_response
from gateway.inbound.outcomes import arrival, kept_back
from gateway.inbound.request import (
    access_recorded,
    check_who_asks,
    envelope,
    read_body,
    taken_up_as,
    target_service,
)
from gateway.journey.accept import accept_referral
from gateway.journey.cancel import Cancellation, cancel_referral
from gateway.journey.look_up import service_is_known
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.journey.settle_outcome import message_receipt, replies_come_to, settle_outcome
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.referral.directory import Scope
from gateway.referral.identifiers import DosServiceId
from gateway.referral.json import JsonObject
from gateway.referral.model import Door, Envelope, Receipt

routes = flask.Blueprint("bars", __name__)


@routes.post("/$process-message")
@needs(Scope.REFERRAL_CREATE, Scope.TASK_UPDATE)
def process_message() -> flask.Response:
    """Take a message: a new referral, word that one is taken back, or what became of one.

    1. Check that whoever the headers name is who authenticated.
    2. Check that both ids are there and are UUIDs.
    3. Take the request up once: a repeat is a duplicate, too early, or fails as before.
    4. Check the version asked for, the message's structure, what it says it is, and whom
       it is for.
    5. Accept it as any other referral, take the referral back, or keep what is said of one.
    6. Answer with the same bundle, our ids and the reference that a person can quote; what is
       said of a referral, with its Task as it stands.
    """
    with access_recorded(Door.BARS, flask.g.sender):
        check_who_asks(flask.g.sender)
    arrived = envelope(Door.BARS, flask.g.sender, ids_required=True)
    with taken_up_as(arrived, message_receipt) as (sent, before):
        if before is not None:
            raise DuplicateRequestError("this message was received and processed before")
        check_accept()
        tree, warnings = read_body(sent)
        receipt = _processed(tree, sent)
    if isinstance(receipt, Returned):
        return to_response(_response_answer(tree, receipt, warnings))
    return to_response(_answer(tree, receipt, told_withheld(receipt, warnings)))


def _processed(tree: JsonObject, sent: Envelope) -> Receipt | Returned:
    """Step 4, from what the message says it is; and step 5."""
    target = target_service()
    message = open_message(tree)
    meaning = check_message(message, target, house().gateway.profiles)
    is_response = meaning is Meaning.RESPONSE
    require(Scope.TASK_UPDATE if is_response else Scope.REFERRAL_CREATE)
    if message.sender != sent.sender.ods:
        raise NotTheRequesterError(
            "Bundle.entry[0].resource.sender",
            "MessageHeader.sender is not the organisation that authenticated.",
        )
    is_ours = is_response and replies_come_to(target, house().gateway)
    if not is_ours and not service_is_known(target, house().gateway):
        raise NotFoundError("no service here has the id of NHSD-Target-Identifier")
    if is_response:
        return _returned(tree, sent)
    if meaning is Meaning.CANCELLATION:
        return _taken_back(message, target, sent)
    return _accepted(message, target, sent)


def _accepted(message: Message, target: DosServiceId, sent: Envelope) -> Receipt:
    referral = read_referral(message.tree)
    if referral.service_asked != target:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.VALUE,
                expression=f"{referral.at}.performer",
                diagnostics="ServiceRequest.performer leads to the HealthcareService whose id is"
                " in NHSD-Target-Identifier. Address the message to the service it is for.",
            )
        )
    origin = origin_of(message)
    if origin is not None:
        referral = replace(referral, identifiers=(*referral.identifiers, origin))
    return accept_referral(referral, sent, house().gateway)


def _taken_back(message: Message, target: DosServiceId, sent: Envelope) -> Receipt:
    notice = read_notice(message)
    cancellation = Cancellation(
        id=notice.id,
        names=(notice.identifiers, notice.origin),
        status=notice.status,
        patient=notice.patient,
        person_at=notice.person_at,
        service=target,
        known_version=None,
    )
    return cancel_referral(cancellation, sent, house().gateway)


def _returned(tree: JsonObject, sent: Envelope) -> Returned:
    said = read_outcome(tree, correlation_id=sent.correlation_id)
    returned = return_outcome(said, arrival(LedgerDoor.BARS, sent.body), house().gateway)
    settle_outcome(sent, returned, house().gateway)
    return returned


def _response_answer(tree: JsonObject, returned: Returned, warnings: Sequence[Fault]) -> Answer:
    """Answer what is said of a referral: the Task as it stands, and what was kept back."""
    told = [*warnings, *kept_back(returned)]
    hop = provider_hop(
        returned.referral, returned.delivery, house().gateway.ods, None, returned.outcome
    )
    return Answer(http=200, body=answer_to_response(tree, returned.referral, hop, told))


def _answer(tree: JsonObject, receipt: Receipt, warnings: Sequence[Fault]) -> Answer:
    hop = gateway_hop(receipt.referral, house().gateway.ods)
    return Answer(http=200, body=synchronous_answer(tree, receipt.referral, hop, warnings))
