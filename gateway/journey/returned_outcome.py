"""Outcomes that come as messages into a mailbox of ours.

What enters: the bytes of one message, and the endpoint whose recipient sent it, in the workflow
that the directory names for outcomes. What leaves: whether what it says is on record, so that it may be
acknowledged. Where it cannot be taken, why is on record, and the message stays where it is: MESH
gives it back to its sender, who hears of it in no other way. Must never: take the word of a mailbox
that the directory does not name; choose between two providers; or log more of a message than its id.

Source: MESH API; `mappings/mesh/README.md`; the walk of an outcome, `return_outcome`.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence

from gateway.errors import (
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    MessageError,
    NotFoundError,
)
from gateway.fhir.bars.check import check_message
from gateway.fhir.bars.message import open_message
from gateway.fhir.examine import check_structure
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_outcome_parts import IncomingOutcome
from gateway.fhir.text import read_resource
from gateway.journey.answering import Arrived
from gateway.journey.gateway import Gateway
from gateway.journey.return_outcome import return_outcome
from gateway.ledger.entry import ReferralRejected
from gateway.ledger.kinds import Door
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import OdsCode
from gateway.referral.json import string
from gateway.store.directory import DirectoryAsOf

ACTOR = "mesh"
_log = logging.getLogger(__name__)


def outcome_lanes(
    endpoints: Iterable[Endpoint], sender: str | None, workflow: str | None
) -> list[Endpoint]:
    """List the endpoints whose recipient sends its outcomes in this workflow, from this mailbox."""
    return [
        each
        for each in endpoints
        if workflow is not None
        and sender is not None
        and each.parameters.get("outcomes") == workflow
        and each.parameters["recipient"].upper() == sender.upper()
    ]


def take_outcome(name: str, body: bytes, lanes: Sequence[Endpoint], gateway: Gateway) -> bool:
    """Take what a provider says of a referral; tell whether it is on record.

    1. Find the providers that are reached by these endpoints.
    2. Read the message as the doors do, and choose its provider.
    3. Have it walk as any other outcome does. The same bytes again change nothing.
    4. Where it is refused: note why, and leave the message to MESH.

    Args:
        name: of the message, as MESH knows it.
        body: what it holds.
        lanes: the endpoints whose recipient sent it.
        gateway: the live objects.
    """
    providers = _providers(lanes, gateway)
    try:
        said = _read(body, gateway)
        provider = _provider(said, providers)
        return_outcome(said, _arrived(body, provider), gateway)
    except NotFoundError:
        _log.warning("the outcome in MESH message %s answers nothing that was sent", name)
    except MessageError as refusal:
        for each in providers:
            _reject(body, each, refusal, gateway)
        _log.error("ALERT: the outcome in MESH message %s is refused: %s", name, _codes(refusal))
    except IllegalMoveError:
        _log.error("ALERT: the outcome in MESH message %s may not be said now", name)
    else:
        return True
    return False


def _providers(lanes: Sequence[Endpoint], gateway: Gateway) -> list[OdsCode]:
    ids = {each.id for each in lanes}
    with gateway.store.reading() as view:
        services = DirectoryAsOf(view, gateway.clock()).services()
    return sorted({each.provider for each in services if each.endpoint in ids})


def _read(body: bytes, gateway: Gateway) -> IncomingOutcome:
    """Read an outcome, in JSON or XML, and check it as the doors do.

    Raises:
        InvalidMessageError, UnsupportedMessageError, BodyTooLargeError: it cannot be taken.
    """
    tree = read_resource(body)
    check_structure(tree, gateway.profiles)
    if string(tree, "resourceType") == "Bundle" and string(tree, "type") == "message":
        check_message(open_message(tree), None, gateway.profiles)
    return read_outcome(tree)


def _provider(said: IncomingOutcome, providers: Sequence[OdsCode]) -> OdsCode:
    """Choose who says it: the only one that has this mailbox, or the one that the message names.

    Raises:
        InvalidMessageError: a BaRS message is another's.
        NotFoundError: it cannot be told.
    """
    if said.about.response_to is not None and said.author not in providers:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.SECURITY,
                expression="Bundle.entry[0].resource.sender",
                diagnostics="MessageHeader.sender is not the organisation whose mailbox sent this.",
            )
        )
    if len(providers) == 1:
        return providers[0]
    if said.author in providers and said.author is not None:
        return said.author
    msg = "more than one provider has this mailbox, and the outcome names none of them"
    raise NotFoundError(msg)


def _arrived(body: bytes, provider: OdsCode) -> Arrived:
    return Arrived(
        door=Door.MESH,
        provider=provider,
        client=ACTOR,
        body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )


def _reject(body: bytes, provider: OdsCode, refusal: MessageError, gateway: Gateway) -> None:
    """Record that a message was refused, as the doors do."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            ReferralRejected(
                actor=ACTOR,
                practice=provider,
                door=Door.MESH,
                request_sha256=hashlib.sha256(body).hexdigest(),
                codes=tuple(_codes(refusal)),
            )
        )


def _codes(refusal: MessageError) -> list[str]:
    return sorted({fault.code.value for fault in refusal.faults})[:64]
