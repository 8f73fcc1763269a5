"""What a practice's system answers to a letter, or MESH says of one, and what follows.

What enters: an answer that was read, and the letter that it is about. What leaves: its state, in
which each fact stands for itself; a switch that was learned and the document in place of codes; a
reminder for whoever must act. Must never: take any of it for "in the record". Source: GP Connect,
handling of acknowledgements and rejections; the write restriction, section 9, learned states.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.errors import DeliveryError, Phase
from gateway.journey.gateway import Gateway
from gateway.journey.letters import again_as_document, bring_by_hand
from gateway.journey.onward import find
from gateway.journey.outbox import named
from gateway.journey.reminders import remind, settle_reminders
from gateway.ledger.entry import (
    CodingLearned,
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryRefused,
    LetterAnswered,
    WritebackDone,
)
from gateway.ledger.kinds import CodingSource, WritebackRoute
from gateway.mapping.itk3_answers import AnswerLevel, Meaning, read_report
from gateway.referral.directory import ProviderRole
from gateway.referral.letter import Letter
from gateway.referral.lifecycle import (
    REFUSED_BY_RECIPIENT,
    RETURNED_BY_MESH,
    DeliveryState,
)
from gateway.referral.model import Delivery, Referral
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import coding, deliveries, letters, outcomes
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.interactions import Interaction
from gateway.writeback.learned import is_switched_off_signal, learn

ACTOR = "mesh"
_NOT_REGISTERED = "17"
_GOOD = frozenset({Meaning.TAKEN, Meaning.IN_WORKFLOW, Meaning.REFERRAL_STATE})
_WAITS_FOR_ANSWER = (ReminderCode.LETTER_UNANSWERED,)
_OF_ROLE: Mapping[ProviderRole, SenderCategory] = {
    ProviderRole.COMMUNITY_PHARMACY: SenderCategory.COMMUNITY_PHARMACY
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was said of a letter: by the practice's system, or by MESH (`level` None)."""

    code: str
    meaning: Meaning
    level: AnswerLevel | None


def sent(
    tx: Transaction, gateway: Gateway, claimed: Delivery, present: Referral, status: int
) -> None:
    """Note that a letter arrived: at MESH, whose answers are awaited from now; or at the practice.

    The transaction-response of a practice's own server is all that it says.
    """
    tx.record(
        DeliveryDelivered(
            **named(claimed, present, actor="worker"), attempt=claimed.attempts, status=status
        )
    )
    letter = letters.get(tx, claimed.id)
    if letter.interaction == Interaction.FHIR_DOCUMENT:
        letters.change(tx, replace(letter, answered_at=tx.at))
        _record_done(tx, letter, present, actor="worker")
        return
    letters.change(tx, replace(letter, answer_due=tx.at + gateway.schedule.letter_due))


def hear(
    tx: Transaction, gateway: Gateway, present: Delivery, referral: Referral, heard: Heard
) -> None:
    """Take what was said of a letter that was sent. Its delivery is locked."""
    letter = letters.get(tx, present.id)
    code = heard.code if heard.level else f"{RETURNED_BY_MESH}.{heard.code}"
    if code in (letter.infrastructure, letter.business, letter.returned):
        return
    tx.record(
        LetterAnswered(**named(present, referral, actor=ACTOR), artefact=letter.outcome, code=code)
    )
    if heard.meaning is Meaning.ALREADY_THERE:  # an earlier attempt's own answers count
        return
    if heard.meaning in _GOOD:
        _note_good(tx, letter, referral, heard)
    else:
        _came_back(tx, gateway, present, referral, letter, heard)


def _note_good(tx: Transaction, letter: Letter, referral: Referral, heard: Heard) -> None:
    if heard.meaning is Meaning.TAKEN:
        letters.change(tx, replace(letter, infrastructure=heard.code, answered_at=tx.at))
        return
    letters.change(tx, replace(letter, business=heard.code, answered_at=tx.at, answer_due=None))
    settle_reminders(tx, referral, letter.id, _WAITS_FOR_ANSWER, actor=ACTOR, resolution="ANSWERED")
    _record_done(tx, letter, referral, actor=ACTOR)


def _record_done(tx: Transaction, letter: Letter, referral: Referral, *, actor: str) -> None:
    """Record that the practice's system took it; whether it is filed, nobody says."""
    is_codes = letter.interaction == Interaction.UPDATE_RECORD
    tx.record(
        WritebackDone(
            actor=actor,
            practice=referral.practice,
            subject=referral.subject,
            referral=referral.id,
            artefact=letter.outcome,
            route=WritebackRoute.UPDATE_RECORD if is_codes else WritebackRoute.DOCUMENT,
            payload_sha256=letter.payload_sha256 or "",
        )
    )


def _came_back(
    tx: Transaction,
    gateway: Gateway,
    present: Delivery,
    referral: Referral,
    letter: Letter,
    heard: Heard,
) -> None:
    """It is refused; codes go as a document, anything else to a person."""
    by_mesh = heard.level is None
    code = f"{RETURNED_BY_MESH if by_mesh else REFUSED_BY_RECIPIENT}.{heard.code}"
    returned = replace(letter, returned=heard.code, answer_due=None, answered_at=tx.at)
    letters.change(tx, returned)
    refused = replace(present, state=DeliveryState.REFUSED, reason=code, reached=None)
    deliveries.change(tx, present, refused)
    tx.record(
        DeliveryRefused(
            **named(present, referral, actor=ACTOR),
            decision=None,
            attempt=present.attempts,
            phase=Phase.REFUSED,
            code=code,
        )
    )
    settle_reminders(
        tx, referral, letter.id, _WAITS_FOR_ANSWER, actor=ACTOR, resolution="CAME_BACK"
    )
    go_on(tx, gateway, present, referral, returned, heard.code, by_mesh=by_mesh)


def go_on(
    tx: Transaction,
    gateway: Gateway,
    present: Delivery,
    referral: Referral,
    letter: Letter,
    code: str,
    *,
    by_mesh: bool,
) -> None:
    """Do what follows for a letter that did not get there.

    Codes that are not taken there: note that, and send the document. A document for which there
    is no mailbox: a person brings it. Otherwise a person looks.
    """
    itk3 = int(code) if not by_mesh and code.isdigit() else None
    is_off = is_switched_off_signal(
        letter.interaction,
        itk3=itk3,
        mesh_status=417 if by_mesh else None,
        mesh_code=code if by_mesh else None,
    )
    if is_off:
        _learn_off(tx, referral, letter, code)
        again_as_document(tx, gateway, letter, referral, actor=ACTOR, because=code)
        return
    outcome = outcomes.find(tx, letter.outcome)
    if by_mesh and code == _NOT_REGISTERED and outcome is not None:
        bring_by_hand(tx, gateway, find(tx, outcome, referral), actor=ACTOR, because=code)
        return
    remind(
        tx, gateway, referral, present.id, ReminderCode.LETTER_CAME_BACK, Owner.OPERATOR,
        actor=ACTOR,
    )  # fmt: skip


def _learn_off(tx: Transaction, referral: Referral, letter: Letter, code: str) -> None:
    """Note that this practice takes no codes from this kind of sender, for a time."""
    outcome = outcomes.find(tx, letter.outcome)
    provider = (
        DirectoryAsOf(tx, tx.at).parties(referral.practice, outcome.provider).provider
        if outcome
        else None
    )
    sender = _OF_ROLE.get(provider.role, SenderCategory.OTHER) if provider else SenderCategory.OTHER
    event = learn(coding.of_practice(tx, referral.practice), referral.practice, sender, at=tx.at)
    if event.expires is None:
        msg = "what is found out ends some day"
        raise AssertionError(msg)
    coding.add(tx, event)
    tx.record(
        CodingLearned(
            actor="gateway",
            practice=referral.practice,
            sender=sender,
            version=event.seq,
            coding_source=CodingSource.LEARNED,
            code=code,
            expires=event.expires,
        )
    )


def refused(
    tx: Transaction,
    gateway: Gateway,
    claimed: Delivery,
    present: Referral,
    failure: DeliveryError,
) -> None:
    """Nobody took a letter, MESH or the practice's own server: do what follows.

    The delivery ended as refused.
    """
    code = failure.code or str(failure.status or "UNKNOWN")
    letter = replace(letters.get(tx, claimed.id), returned=code)
    letters.change(tx, letter)
    outcome = outcomes.find(tx, letter.outcome)
    if letter.interaction == Interaction.FHIR_DOCUMENT and outcome is not None:
        because = f"{REFUSED_BY_RECIPIENT}.{code}"
        found = find(tx, outcome, present)
        bring_by_hand(tx, gateway, found, actor="worker", because=because)
        return
    shown, _ = read_report(code)
    go_on(tx, gateway, claimed, present, letter, shown, by_mesh=True)


def not_brought(
    tx: Transaction, gateway: Gateway, claimed: Delivery, present: Referral, reason: str
) -> None:
    """No further attempt is made at a letter: a person finds another way."""
    tx.record(
        DeliveryDeadLettered(
            **named(claimed, present, actor="worker"), attempt=claimed.attempts, reason=reason
        )
    )
    remind(
        tx, gateway, present, claimed.id, ReminderCode.LETTER_NOT_BROUGHT, Owner.OPERATOR,
        actor="worker",
    )  # fmt: skip
