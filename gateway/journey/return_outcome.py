"""A provider says what became of a referral: take it, show it, and bring on what it holds.

What enters: an outcome as read, and how it came. What leaves: the outcome on record with what the
write guard made of it, or a refusal that is on record too. Only whoever was brought the referral
may answer, in the order of the table of moves. Must never: take one person's outcome for another's;
lose what came in; or show a practice what may not reach it.
Source: the states that a GP sees; the write restriction, section 9; the sharing rules, R25 to R28.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import (
    Fault,
    GatewayError,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    PreconditionFailedError,
)
from gateway.fhir.read_outcome_answers import Answered, match, questions_of
from gateway.fhir.read_outcome_parts import IncomingOutcome
from gateway.fhir.task import version_of
from gateway.fhir.text import read_resource
from gateway.journey.answering import Arrived, find_answered, is_another_person
from gateway.journey.gateway import Gateway
from gateway.journey.letters import send_on
from gateway.journey.onward import Found, about, judge, keep_judgement
from gateway.journey.outbox import named
from gateway.journey.reminders import remind, settle_reminders
from gateway.journey.shared_care import ask_shared_care, is_returned
from gateway.ledger.entry import OutcomeReceived, OutcomeRefused, ReferralClosed
from gateway.ledger.kinds import OutcomeKind as LedgerKind
from gateway.mapping.outcome_terms import REASON_LISTS
from gateway.referral.identifiers import ClientId, OutcomeId
from gateway.referral.lifecycle import CLOSED_BY_PROVIDER, ReferralState
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Outcome, OutcomeKind, Standing, move_outcome
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import deliveries, details, feeds, gates, outcomes, referrals
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind
from gateway.writeback.attachments import Bearing
from gateway.writeback.content import Content, classify
from gateway.writeback.ruling import Ruling

_ENDS = frozenset({OutcomeKind.CLOSED, OutcomeKind.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An outcome that is on record.

    `ruling` is the write guard's, None: it holds nothing for a record, or waits for a person.
    `answers` are the referral's questions, each with what answers it or nothing. `repeated`: it
    was here before, in the same bytes.
    """

    outcome: Outcome
    delivery: Delivery
    referral: Referral
    ruling: Ruling | None = None
    answers: tuple[Answered, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Refusal:
    error: GatewayError


def return_outcome(said: IncomingOutcome, arrived: Arrived, gateway: Gateway) -> Returned:
    """Take what a provider says of a referral.

    --- one transaction ---
    1. Find the delivery that it answers, of those that this provider was brought; lock it.
    2. The same bytes again: say what came of them.
    3. Check that the provider had read the present version, that it is about the same person,
       may be said now, and holds nothing that no practice may be sent. If not: note that.
    4. Keep it sealed with its referral, record it, and tell the provider's list.
    5. Match the referral's questions to its answers; remind whoever has to act.
    6. What it holds for a record: decide on what it asks of the practice, ask the write guard,
       and do what it says.
    --- end ---

    Raises:
        NotFoundError: this provider was brought nothing that goes by these names.
        PreconditionFailedError: it has another version by now.
        IllegalMoveError: it may not be said now; the text lists what may.
        InvalidMessageError: it is about another person, names more than one referral, or
            holds what is not taken.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        answered, present = find_answered(tx, said, arrived)
        before = outcomes.find_same(tx, answered.id, arrived.body_sha256)
        if before is not None:
            return Returned(outcome=before, delivery=answered, referral=present, repeated=True)
        result = _checked(tx, gateway, said, arrived, answered, present)
    if isinstance(result, _Refusal):
        raise result.error
    return result


def _checked(
    tx: Transaction,
    gateway: Gateway,
    said: IncomingOutcome,
    arrived: Arrived,
    answered: Delivery,
    present: Referral,
) -> Returned | _Refusal:
    """Step 3, and the rest where it is passed."""
    told = outcomes.of_referral(tx, present.id)
    last = _newest(told, answered)
    if arrived.known not in (None, version_of(answered, None, last)):
        msg = "the task has another version by now; read it again first"
        raise PreconditionFailedError(msg)
    if is_another_person(tx, present, said.nhs_number):
        return _refuse(tx, answered, present, arrived, "ANOTHER_PERSON", _ANOTHER_PERSON)
    try:
        move_outcome(last.last_said if last else None, said.kind)
    except IllegalMoveError as error:
        return _refuse(tx, answered, present, arrived, "ILLEGAL_MOVE", error)
    content = classify(said.tree, present.practice)
    never = [each for each in content.faults if each.bearing is Bearing.REFUSE]
    if never:
        faults = InvalidMessageError(*(each.as_fault() for each in never))
        return _refuse(tx, answered, present, arrived, "CONTENT_NOT_TAKEN", faults)
    new = _outcome(gateway, tx, said, arrived, answered, present, told)
    answers = match(questions_of(read_resource(referrals.body_of(tx, present.id))), said)
    new = replace(
        new, asked=len(answers), answered=sum(each.is_answered for each in answers),
        payload=content.payload,
    )  # fmt: skip
    _keep(tx, said, arrived, answered, present, new)
    _remind(tx, gateway, present, new, said, actor=arrived.client)
    ruling = _bring_on(tx, gateway, said, arrived, answered, present, new, content)
    stored = outcomes.find(tx, new.id) or new
    present = _close(tx, gateway, present, stored, actor=arrived.client)
    if stored.standing in (Standing.NOTED, Standing.SENT_ON):
        feeds.append(tx, present.practice, FeedKind.ANSWERED, answered.id)
    return Returned(
        outcome=stored,
        delivery=deliveries.lock(tx, answered.id),
        referral=present,
        ruling=ruling,
        answers=answers,
    )


_ANOTHER_PERSON = InvalidMessageError(
    Fault(
        code=IssueCode.BUSINESS_RULE,
        diagnostics="This is about another person than the referral that it names. Check which"
        " referral it answers, and send it anew.",
    )
)


def _newest(told: Sequence[Outcome], answered: Delivery) -> Outcome | None:
    """Return what the provider said last; what may not reach the practice does not count."""
    own = [
        each for each in told if each.delivery == answered.id and each.standing is not Standing.KEPT
    ]
    return own[-1] if own else None


def _refuse(
    tx: Transaction,
    answered: Delivery,
    present: Referral,
    arrived: Arrived,
    code: str,
    error: GatewayError,
) -> _Refusal:
    tx.record(
        OutcomeRefused(
            **named(answered, present, actor=arrived.client),
            code=code,
            door=arrived.door,
            payload_sha256=arrived.body_sha256,
        )
    )
    return _Refusal(error)


def _outcome(
    gateway: Gateway,
    tx: Transaction,
    said: IncomingOutcome,
    arrived: Arrived,
    answered: Delivery,
    present: Referral,
    told: Sequence[Outcome],
) -> Outcome:
    reason = said.reason if said.reason and said.reason.system in REASON_LISTS else None
    names = [each.identifier for each in said.replaces if each.identifier]
    replaced = outcomes.named(tx, answered.id, names) if names else None
    return Outcome(
        id=OutcomeId.of(gateway.new_uuid()),
        referral=present.id,
        seq=len(told) + 1,
        delivery=answered.id,
        provider=answered.provider,
        kind=said.kind,
        closes=said.closes or said.kind in _ENDS,
        reason_system=reason.system if reason else None,
        reason=reason.code if reason else None,
        door=arrived.door,
        client=ClientId(arrived.client),
        body_sha256=arrived.body_sha256,
        said_at=said.said_at,
        received_at=tx.at,
        standing=Standing.NOTED,
        replaces=replaced.id if replaced else None,
    )


def _keep(
    tx: Transaction,
    said: IncomingOutcome,
    arrived: Arrived,
    answered: Delivery,
    present: Referral,
    new: Outcome,
) -> None:
    """Step 4."""
    outcomes.add(tx, new, arrived.body, said.names)
    deliveries.touch(tx, answered.id)
    details.record(
        tx,
        OutcomeReceived(
            **named(answered, present, actor=arrived.client),
            artefact=new.id,
            door=arrived.door,
            outcome=LedgerKind(new.kind),
            payload_sha256=new.body_sha256,
        ),
        {"reason_system": new.reason_system, "reason": new.reason, "words": said.words},
    )
    feeds.append(tx, answered.provider, FeedKind.ANSWERED, answered.id)


def _remind(
    tx: Transaction,
    gateway: Gateway,
    present: Referral,
    new: Outcome,
    said: IncomingOutcome,
    *,
    actor: str,
) -> None:
    """Step 5: the provider is not silent; the practice may have to answer."""
    done = [ReminderCode.PROVIDER_SILENT]
    if said.kind is not OutcomeKind.MORE_INFORMATION:
        done.append(ReminderCode.INFORMATION_WANTED)
    settle_reminders(tx, present, new.delivery, done, actor=actor, resolution=new.kind)
    if said.kind is OutcomeKind.MORE_INFORMATION:
        code, owner = ReminderCode.INFORMATION_WANTED, Owner.PRACTICE
    elif new.closes and new.answered < new.asked:
        code, owner = ReminderCode.QUESTIONS_UNANSWERED, Owner.PROVIDER
    else:
        return
    remind(tx, gateway, present, new.delivery, code, owner, actor=actor)


def _bring_on(
    tx: Transaction,
    gateway: Gateway,
    said: IncomingOutcome,
    arrived: Arrived,
    answered: Delivery,
    present: Referral,
    new: Outcome,
    content: Content,
) -> Ruling | None:
    """Step 6."""
    if content.payload is None:
        return None
    found = Found(
        outcome=new,
        referral=present,
        answered=answered,
        tree=said.tree,
        content=content,
        payload=content.payload,
    )
    if code := _why_held(said, content):
        _hold(tx, gateway, found, code, actor=arrived.client)
        return None
    fence = gates.hold(tx, present.id, recipient=present.practice)
    if ask_shared_care(tx, gateway, found, fence, actor=arrived.client) is not None:
        return None
    judged = judge(tx, gateway, found, is_strict=arrived.is_strict)
    decision = keep_judgement(tx, gateway, judged, about(found, None, fence, actor=arrived.client))
    send_on(tx, gateway, found, judged, decision, actor=arrived.client)
    return judged.ruling


def _why_held(said: IncomingOutcome, content: Content) -> str | None:
    """Say why a person looks at it first; None: nothing asks for that."""
    if said.is_draft:
        return "DOCUMENT_IS_A_DRAFT"
    if said.nhs_number is None:
        return "PERSON_NOT_NAMED"
    if said.absent:
        return "PART_IS_ELSEWHERE"
    if content.faults:
        return f"CONTENT_HELD.{content.faults[0].code.name}"
    return None


def _hold(tx: Transaction, gateway: Gateway, found: Found, code: str, *, actor: str) -> None:
    held = replace(found.outcome, standing=Standing.HELD, code=code)
    outcomes.rule(tx, held)
    remind(
        tx, gateway, found.referral, held.id, ReminderCode.OUTCOME_HELD, Owner.IG_OFFICER,
        actor=actor,
    )  # fmt: skip


def _close(
    tx: Transaction, gateway: Gateway, present: Referral, new: Outcome, *, actor: str
) -> Referral:
    """A provider that says no more ends the referral here, too; what goes back to it does not."""
    del gateway
    if not new.closes or is_returned(new) or present.state is not ReferralState.DELIVERED:
        return present
    because = f"{CLOSED_BY_PROVIDER}.{new.kind}".upper()
    closed = replace(present, state=ReferralState.CLOSED, closed_because=because)
    referrals.change(tx, present, closed)
    tx.record(
        ReferralClosed(
            actor=actor,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            reason=because,
        )
    )
    return referrals.get(tx, present.id)
