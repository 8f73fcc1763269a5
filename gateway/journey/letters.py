"""Letters: what an outcome holds, on its way to the practice.

What enters: an outcome that the write guard lets go, or a letter whose turn it is. What leaves: a
letter in the outbox; the exact bytes that leave, decided on again at that moment; a letter that
takes another's place where codes are not taken. Must never: write a code but by row 4 of the
guard; lose what could not be sent: a person is told. Source: GP Connect, Send Document and Update
Record; the write restriction, section 9.
"""

import hashlib
from dataclasses import dataclass, replace

from gateway.errors import MessageError, Phase
from gateway.journey.consider import Answer, keep
from gateway.journey.gateway import Gateway, Parcel
from gateway.journey.onward import Found, Judgement, about, find, judge, keep_judgement
from gateway.journey.outbox import To, named, put
from gateway.journey.reminders import remind
from gateway.journey.report_facts import refused_since
from gateway.journey.shared_care import INFORMAL, ask_shared_care
from gateway.journey.write_letter import Written, interaction_by, version_of, write_letter
from gateway.ledger.entry import (
    DeliveryRefused,
    DeliveryReleased,
    LetterQueued,
    WritebackFallback,
    WritebackRefused,
)
from gateway.ledger.kinds import WritebackRoute
from gateway.ledger.values import Epochs
from gateway.referral.directory import Endpoint, Practice
from gateway.referral.identifiers import DecisionId
from gateway.referral.letter import Letter
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Standing
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import answered, deliveries, gates, letters, outcomes
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.writeback.interactions import DocumentVersion, Interaction, replacement
from gateway.writeback.ruling import Effect, Ruling

ACTOR = "worker"
_CANNOT_BE_CODED = "CANNOT_BE_WRITTEN_AS_CODES"
_ENDPOINT_CHANGED = "ENDPOINT_CHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    """By which decision which bytes leave to where, and through which gates."""

    endpoint: Endpoint
    sha256: str
    decision: DecisionId
    fence: Epochs


def send_on(
    tx: Transaction, gateway: Gateway, found: Found, judged: Judgement, decision: DecisionId,
    *, actor: str, because: str | None = None,
) -> Standing:  # fmt: skip
    """Do what the guard says of an outcome: queue its letter, hold it, or keep it here.

    `because`: the code for which an earlier route was refused. Returns: where it stands then.
    """
    ruling = judged.ruling
    _record_codes_kept(tx, found, ruling, actor=actor)
    if ruling.effect in (Effect.BLOCK, Effect.REJECT):
        return _note(tx, found, ruling, Standing.KEPT)
    if ruling.effect is Effect.HOLD:
        remind(
            tx, gateway, found.referral, found.outcome.id, ReminderCode.OUTCOME_HELD,
            Owner.IG_OFFICER, actor=actor,
        )  # fmt: skip
        return _note(tx, found, ruling, Standing.HELD)
    if ruling.needs_person:
        remind(
            tx, gateway, found.referral, found.outcome.id, ReminderCode.ACTION_ASKED,
            Owner.PRACTICE, actor=actor,
        )  # fmt: skip
    endpoint = _endpoint(tx, found.referral)
    interaction = interaction_by(ruling, endpoint)
    if interaction is None or endpoint is None:
        bring_by_hand(tx, gateway, found, actor=actor, because=because or ruling.code)
        return _note(tx, found, ruling, Standing.SENT_ON)
    _queue(tx, gateway, found, ruling, decision, interaction, endpoint, actor=actor)
    return _note(tx, found, ruling, Standing.SENT_ON)


def bring_by_hand(
    tx: Transaction, gateway: Gateway, found: Found, *, actor: str, because: str
) -> None:
    """Have a person bring a document, which the practice may read here too."""
    tx.record(
        WritebackFallback(
            actor=actor,
            practice=found.referral.practice,
            subject=found.referral.subject,
            referral=found.referral.id,
            artefact=found.outcome.id,
            route=WritebackRoute.LETTER,
            code=because,
        )
    )
    remind(
        tx, gateway, found.referral, found.outcome.id, ReminderCode.BY_HAND, Owner.OPERATOR,
        actor=actor,
    )  # fmt: skip


def again_as_document(
    tx: Transaction,
    gateway: Gateway,
    letter: Letter,
    present: Referral,
    *,
    actor: str,
    because: str,
) -> None:
    """Send as a document what was not taken as codes; the guard is asked again."""
    outcome = outcomes.find(tx, letter.outcome)
    if outcome is None:
        msg = "a letter brings an outcome"
        raise AssertionError(msg)
    found = find(tx, outcome, present)
    judged = judge(tx, gateway, found, codes_refused=because)
    decision = keep_judgement(tx, gateway, judged, about(found, None, None, actor=actor))
    tx.record(
        WritebackFallback(
            actor=actor,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            artefact=outcome.id,
            route=WritebackRoute.DOCUMENT,
            code=because,
        )
    )
    send_on(tx, gateway, found, judged, decision, actor=actor, because=because)


def release_letter(
    tx: Transaction, gateway: Gateway, claimed: Delivery, present: Referral
) -> Parcel | None:
    """Decide again on a letter, and bind the decision to the bytes that leave.

    1. Hold the gates of practice and person; read what it brings, as received.
    2. A copy of a report, or what asks for shared care: ask whether it may still go. If not, it
       stays.
    3. Put it to the rules and the guard on the facts of this moment.
    4. Still the same way, to the practice's endpoint of this moment: write it, record the release.
       Another: this letter ends, and what the guard says now is done. None: it ends, and a person
       is told, or it stays here.

    Returns: None where nothing leaves; that is on record.
    """
    fence = gates.hold(tx, claimed.referral, recipient=claimed.provider)
    letter = letters.get(tx, claimed.id)
    outcome = outcomes.find(tx, letter.outcome)
    endpoint = _endpoint(tx, present)
    if outcome is None:
        msg = "a letter brings an outcome"
        raise AssertionError(msg)
    found = find(tx, outcome, present)
    since = refused_since(tx, gateway, outcome.id, present)
    if since is not None:
        _take_back(tx, gateway, found, claimed, since, fence)
        return None
    if ask_shared_care(tx, gateway, found, fence, actor=ACTOR) is not None:
        _end(tx, claimed, present, INFORMAL, None)
        return None
    # Codes that stay here stay: what was queued as a document is one, whatever opens since.
    refused = outcome.code if outcome.kept else None
    judged = judge(tx, gateway, found, codes_refused=refused)
    is_way = judged.ruling.route is Interaction(letter.interaction).route
    if not is_way or endpoint is None or endpoint.id != claimed.lane:
        because = _ENDPOINT_CHANGED if is_way else judged.ruling.code
        decision = keep_judgement(tx, gateway, judged, about(found, claimed, fence, actor=ACTOR))
        _end(tx, claimed, present, because, decision)
        send_on(tx, gateway, found, judged, decision, actor=ACTOR, because=because)
        return None
    return _bind(tx, gateway, claimed, found, letter, judged, endpoint, fence)


def _bind(
    tx: Transaction,
    gateway: Gateway,
    claimed: Delivery,
    found: Found,
    letter: Letter,
    judged: Judgement,
    endpoint: Endpoint,
    fence: Epochs,
) -> Parcel | None:
    """Write the message, and bind the decision to its bytes; as a document, if codes cannot be."""
    try:
        message = write_letter(tx, gateway, found, letter, judged, endpoint)
    except MessageError:
        if letter.interaction != Interaction.UPDATE_RECORD:
            raise
        present = found.referral
        _end(tx, claimed, present, _CANNOT_BE_CODED, None)
        again_as_document(tx, gateway, letter, present, actor=ACTOR, because=_CANNOT_BE_CODED)
        return None
    sha256 = hashlib.sha256(message.body).hexdigest()
    binding = replace(about(found, claimed, fence, actor=ACTOR), payload_sha256=sha256)
    decision = keep_judgement(tx, gateway, judged, binding)
    release = _Release(endpoint=endpoint, sha256=sha256, decision=decision, fence=fence)
    return _leave(tx, gateway, claimed, found, letter, message, release)


def _take_back(
    tx: Transaction,
    gateway: Gateway,
    found: Found,
    claimed: Delivery,
    since: Answer,
    fence: Epochs,
) -> None:
    """Keep here a copy that the person, or the rules, let go no more; an officer looks at it."""
    decision = keep(tx, gateway, since, about(found, claimed, fence, actor=ACTOR))
    _end(tx, claimed, found.referral, since.verdict.code, decision)
    code = since.verdict.code
    outcomes.rule(tx, replace(found.outcome, standing=Standing.HELD, code=code))
    remind(
        tx, gateway, found.referral, found.outcome.id, ReminderCode.OUTCOME_HELD, Owner.IG_OFFICER,
        actor=ACTOR,
    )  # fmt: skip


def _leave(
    tx: Transaction,
    gateway: Gateway,
    claimed: Delivery,
    found: Found,
    letter: Letter,
    message: Written,
    release: _Release,
) -> Parcel:
    until = tx.at + gateway.schedule.lease + gateway.schedule.margin
    released = deliveries.release(tx, claimed, lease_until=until)
    letters.change(tx, replace(letter, payload_sha256=release.sha256))
    tx.record(
        DeliveryReleased(
            **named(released, found.referral, actor=ACTOR),
            decision=release.decision,
            attempt=released.attempts,
            payload_sha256=release.sha256,
            lease_until=until,
            epochs=release.fence,
        )
    )
    return Parcel(
        delivery=released,
        referral=found.referral,
        endpoint=release.endpoint,
        media_type=message.media_type,
        body=message.body,
        body_sha256=release.sha256,
        control=message.control,
    )


def _queue(  # one argument for each part of a letter
    tx: Transaction, gateway: Gateway, found: Found, ruling: Ruling, decision: DecisionId,
    interaction: Interaction, endpoint: Endpoint, *, actor: str,
) -> None:  # fmt: skip
    if ruling.recipient_type is None:
        msg = "what is sent is for action or for information"
        raise AssertionError(msg)
    new = put(
        tx,
        gateway,
        found.referral.id,
        kind=DeliveryKind.LETTER,
        to=To(service=found.answered.service, provider=found.referral.practice, lane=endpoint.id),
        reason=None,
        part=answered.parts_of(tx, found.referral.id) + 1,
    )
    version = DocumentVersion(identifier=new.id)
    before = _replaced(tx, found)
    if before is not None:
        version = replacement(version_of(before), new.id)
    letters.add(
        tx,
        Letter(
            id=new.id,
            outcome=found.outcome.id,
            interaction=interaction,
            recipient_type=ruling.recipient_type,
            row=ruling.row,
            decision=decision,
            number=version.number,
            replaces=before.id if before else None,
        ),
    )
    is_codes = interaction is Interaction.UPDATE_RECORD
    tx.record(
        LetterQueued(
            **named(new, found.referral, actor=actor),
            artefact=found.outcome.id,
            decision=decision,
            route=WritebackRoute.UPDATE_RECORD if is_codes else WritebackRoute.DOCUMENT,
            row=ruling.row,
            next_at=new.next_at,
        )
    )


def _replaced(tx: Transaction, found: Found) -> Letter | None:
    """Find the letter whose document this one takes the place of: one that left."""
    if found.outcome.replaces is None:
        return None
    sent = [
        each
        for each in letters.of_outcomes(tx, [found.outcome.replaces])
        if each.payload_sha256 is not None and each.interaction != Interaction.UPDATE_RECORD
    ]
    return max(sent, key=lambda each: (each.number, each.id), default=None)


def _endpoint(tx: Transaction, present: Referral) -> Endpoint | None:
    directory = DirectoryAsOf(tx, tx.at)
    practice: Practice | None = directory.practice(present.practice)
    if practice is None or practice.letters is None:
        return None
    return directory.endpoint(practice.letters)


def _end(
    tx: Transaction,
    claimed: Delivery,
    present: Referral,
    code: str,
    decision: DecisionId | None,
) -> None:
    """Make no further attempt at a letter."""
    ended = replace(
        claimed,
        state=DeliveryState.REFUSED,
        lease_owner=None,
        lease_until=None,
        released_at=None,
        reason=code,
    )
    deliveries.change(tx, claimed, ended)
    tx.record(
        DeliveryRefused(
            **named(claimed, present, actor=ACTOR),
            decision=decision,
            attempt=claimed.attempts,
            phase=Phase.PREPARE,
            code=code,
        )
    )


def _note(tx: Transaction, found: Found, ruling: Ruling, standing: Standing) -> Standing:
    outcomes.rule(
        tx,
        replace(
            found.outcome,
            standing=standing,
            row=ruling.row,
            code=ruling.code,
            kept=ruling.keeps_coded,
        ),
    )
    return standing


def _record_codes_kept(tx: Transaction, found: Found, ruling: Ruling, *, actor: str) -> None:
    """Record that codes stay here, and why."""
    if ruling.keeps_coded is not None:
        tx.record(
            WritebackRefused(
                actor=actor,
                practice=found.referral.practice,
                subject=found.referral.subject,
                referral=found.referral.id,
                artefact=found.outcome.id,
                route=WritebackRoute.UPDATE_RECORD,
                code=ruling.code,
            )
        )
