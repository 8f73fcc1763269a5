"""Outcomes that come as messages into a mailbox of ours.

What enters: the bytes of one message, and the endpoints whose recipient sent it, in the workflow
that the directory names for outcomes. What leaves: whether what it says is on record, and what its
provider is told of it, by MESH, where the directory names a workflow for that: the words that it
would hear over HTTP. Where it cannot be taken, why is on record. Where nobody is told by MESH, what
was refused goes back by MESH itself, and of what is kept here a person tells the provider.
Must never: take the word of a mailbox that the directory does not name; choose between two
providers; or log more of a message than its id.

Source: MESH API; `mappings/mesh/README.md`; the walk of an outcome, `return_outcome`.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.errors import (
    ConsentRefusedError,
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
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_outcome_parts import IncomingOutcome
from gateway.fhir.refusals import faults_of, refusal, status_of
from gateway.fhir.text import read_resource
from gateway.journey.answering import Arrived
from gateway.journey.gateway import Gateway
from gateway.journey.hear_back import hear_back, said_of
from gateway.journey.reminders import remind
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.journey.shared_care import is_returned
from gateway.ledger.entry import ReferralRejected
from gateway.ledger.kinds import Door
from gateway.mapping.outcome_answer import Reply, Verdict, answer_outcome, is_message, media_of
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import OdsCode
from gateway.referral.json import JsonObject
from gateway.referral.model import Door as Words
from gateway.referral.outcome import Outcome
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import deliveries
from gateway.store.directory import DirectoryAsOf

ACTOR = "mesh"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOutcome:
    """What became of a message that says what became of a referral.

    `reply`: what its provider is to hear, None: nothing goes by MESH. `untold`: the outcome that
    goes back to its provider, who must hear of it in some way.
    """

    is_on_record: bool
    reply: Reply | None = None
    untold: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """One message, whose recipient we answer in one lane, None: in no one."""

    name: str
    body: bytes = field(repr=False)
    providers: Sequence[OdsCode]
    answers: Endpoint | None
    by: OdsCode

    def answered(
        self, tree: JsonObject, told: JsonObject | None, *, is_taken: bool
    ) -> Reply | None:
        if self.answers is None:
            return None
        verdict = Verdict(
            message=self.name,
            media=media_of(self.body),
            tree=tree,
            is_taken=is_taken,
            told=told,
        )
        return answer_outcome(verdict, self.answers, by=self.by)


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


def take_outcome(
    name: str, body: bytes, lanes: Sequence[Endpoint], gateway: Gateway
) -> TakenOutcome:
    """Take what a provider says of a referral; say whether it is on record, and what it hears.

    1. Find the providers that are reached by these endpoints.
    2. Read the message as the doors do, and choose its provider.
    3. Have it walk as any other outcome does. The same bytes again change nothing.
    4. Where it is refused: note why, and answer that.
    5. Where it is on record: answer what came of it. What goes back and cannot be answered is
       for a person to tell.

    Args:
        name: of the message, as MESH knows it.
        body: what it holds.
        lanes: the endpoints whose recipient sent it.
        gateway: the live objects.
    """
    came = _came(name, body, lanes, gateway)
    tree: JsonObject = {}
    try:
        tree = _tree(body)
        said, tolerated = _read(tree, gateway)
        provider = _provider(said, came.providers)
        returned = return_outcome(said, _arrived(body, provider), gateway)
    except (NotFoundError, MessageError, IllegalMoveError) as error:
        words = _words(tree)
        _note(came, error, words, gateway)
        told = refusal(error, words)
        return TakenOutcome(is_on_record=False, reply=came.answered(tree, told, is_taken=False))
    _log.info("the outcome in MESH message %s is on record as %s", name, returned.outcome.id)
    taken = _taken(came, tree, returned, tolerated, gateway)
    if taken.untold is not None and taken.reply is None:
        have_provider_told(taken.untold, gateway)
    return taken


def have_provider_told(untold: Outcome, gateway: Gateway) -> None:
    """Have a person tell a provider what becomes of its outcome: no answer reaches it."""
    with gateway.store.transaction(gateway.clock()) as tx:
        _, present = deliveries.hold_still(tx, untold.delivery)
        remind(
            tx, gateway, present, untold.id, ReminderCode.PROVIDER_NOT_TOLD, Owner.OPERATOR,
            actor=ACTOR,
        )  # fmt: skip


def _came(name: str, body: bytes, lanes: Sequence[Endpoint], gateway: Gateway) -> _Came:
    """Step 1. Nobody is answered of whom the directory knows no provider."""
    providers = _providers(lanes, gateway)
    answers = next((each for each in lanes if "outcome_answers" in each.parameters), None)
    return _Came(
        name=name,
        body=body,
        providers=providers,
        answers=answers if providers else None,
        by=gateway.ods,
    )


def _providers(lanes: Sequence[Endpoint], gateway: Gateway) -> list[OdsCode]:
    ids = {each.id for each in lanes}
    with gateway.store.reading() as view:
        services = DirectoryAsOf(view, gateway.clock()).services()
    return sorted({each.provider for each in services if each.endpoint in ids})


def _tree(body: bytes) -> JsonObject:
    """Read the text of an outcome, in JSON or XML.

    Raises:
        InvalidMessageError, BodyTooLargeError: it cannot be read.
    """
    if not body:
        text = "There is nothing in this, or it came in several chunks. Send an outcome in one."
        raise InvalidMessageError(Fault(code=IssueCode.REQUIRED, diagnostics=text))
    return read_resource(body)


def _read(tree: JsonObject, gateway: Gateway) -> tuple[IncomingOutcome, Sequence[Fault]]:
    """Read an outcome and check it as the doors do; say what of a BaRS message was tolerated.

    Raises:
        InvalidMessageError, UnsupportedMessageError: it cannot be taken.
    """
    tolerated = check_structure(tree, gateway.profiles)
    if not is_message(tree):
        return read_outcome(tree), ()
    check_message(open_message(tree), None, gateway.profiles)
    return read_outcome(tree), tolerated


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


def _taken(
    came: _Came,
    tree: JsonObject,
    returned: Returned,
    tolerated: Sequence[Fault],
    gateway: Gateway,
) -> TakenOutcome:
    """Step 5."""
    outcome = returned.outcome
    told: JsonObject | None = None
    is_taken = True
    try:
        heard = hear_back(outcome, said_of(returned), gateway)
    except (ConsentRefusedError, NotFoundError) as error:
        told, is_taken = refusal(error, _words(tree)), False
    else:
        spine_code = None if is_message(tree) else heard.spine_code
        if faults := [*tolerated, *heard.faults]:
            told = operation_outcome(faults, code=None, spine_code=spine_code)
    return TakenOutcome(
        is_on_record=True,
        reply=came.answered(tree, told, is_taken=is_taken),
        untold=outcome if is_returned(outcome) else None,
    )


def _words(tree: JsonObject) -> Words:
    """Name the door over HTTP that takes such an outcome: a refusal is told in its words."""
    return Words.BARS if is_message(tree) else Words.REST


def _note(
    came: _Came,
    error: NotFoundError | MessageError | IllegalMoveError,
    words: Words,
    gateway: Gateway,
) -> None:
    """Step 4: record that a message was refused, as the doors do."""
    codes = sorted({each.code.value for each in faults_of(error, status_of(error, words))})[:64]
    for each in came.providers:
        _reject(came.body, each, codes, gateway)
    if isinstance(error, NotFoundError):
        _log.warning("the outcome in MESH message %s answers nothing that was sent", came.name)
    elif isinstance(error, IllegalMoveError):
        _log.error("ALERT: the outcome in MESH message %s may not be said now", came.name)
    else:
        _log.error("ALERT: the outcome in MESH message %s is refused: %s", came.name, codes)


def _reject(body: bytes, provider: OdsCode, codes: Sequence[str], gateway: Gateway) -> None:
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            ReferralRejected(
                actor=ACTOR,
                practice=provider,
                door=Door.MESH,
                request_sha256=hashlib.sha256(body).hexdigest(),
                codes=tuple(codes),
            )
        )
