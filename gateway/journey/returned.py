"""What comes back to our MESH mailbox, and what it does to a delivery.

What enters: one message that stood in a mailbox of ours. What leaves: whether it may be
acknowledged, once what it says is on record, and what its sender is to be told before: a delivery
that MESH could not bring, or that its recipient would not have, is refused and its referral held
for the operator; one that was collected, read or confirmed is noted to have come so far; an outcome
walks (`returned_outcome`). The same message a second time changes nothing. Must never: believe
anybody but MESH about what it could not bring, or anybody but the recipient about what it received;
or log more of a message than its id.

Source: MESH API, REPORT messages and tracking; ITK3 Response Codes; `mappings/mesh/README.md`.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from gateway.errors import MessageError, Phase
from gateway.journey.consider import record_hold
from gateway.journey.gateway import Gateway
from gateway.journey.letter_answers import Heard, hear
from gateway.journey.outbox import named
from gateway.journey.returned_outcome import outcome_lanes, take_outcome
from gateway.ledger.entry import DeliveryRefused
from gateway.mapping.itk3_answers import AnswerLevel, read_answer, read_report
from gateway.mapping.mesh import (
    ANSWERS,
    INFRASTRUCTURE_SUCCESS,
    Response,
    answers_to,
    plain_code,
    plain_name,
    read_response,
)
from gateway.mapping.outcome_answer import Reply
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.identifiers import DeliveryId
from gateway.referral.lifecycle import (
    REFUSED_BY_RECIPIENT,
    RETURNED_BY_MESH,
    DeliveryKind,
    DeliveryState,
    Reached,
    ReferralState,
)
from gateway.referral.model import Delivery, Hold, Referral
from gateway.referral.outcome import Outcome
from gateway.store import deliveries, feeds, letters, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

ACTOR = "mesh"
_WAITS = (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT)
_ORDER = tuple(Reached)
_log = logging.getLogger(__name__)


class Fate(StrEnum):
    """What may become of a message in a mailbox."""

    ON_RECORD = "on-record"
    """It may be acknowledged: what it says is on record, or was before."""
    REFUSED = "refused"
    """It is an outcome that is not taken, which is on record: it may be acknowledged once its
    sender has been told; who is not told by us, hears of it by MESH, as below."""
    LATER = "later"
    """It is about an attempt that has not ended yet: look again."""
    NOT_UNDERSTOOD = "not-understood"
    """It is not for us to acknowledge; MESH gives it back to its sender after 5 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One message as it stands in a mailbox. `linked` and `local_id` name what it is about.

    A report is MESH's own, and has no sender. `code` is a report's reason.
    """

    id: str
    is_report: bool
    sender: str | None
    workflow: str | None
    linked: str | None
    local_id: str | None
    code: str | None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one message, and what its sender is to be told before it is acknowledged.

    `reply` None: nothing. `untold`: an outcome that goes back to its provider with that reply,
    or, where it cannot be sent, by a person.
    """

    fate: Fate
    reply: Reply | None = None
    untold: Outcome | None = None


def mailboxes(gateway: Gateway) -> list[list[Endpoint]]:
    """List our mailboxes, each as the endpoints that name it."""
    with gateway.store.reading() as view:
        every = DirectoryAsOf(view, gateway.clock()).endpoints()
    ours = sorted((e for e in every if e.transport is Transport.MESH), key=_mailbox)
    return [list(group) for _, group in groupby(ours, key=_mailbox)]


def _mailbox(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.address, endpoint.parameters["mailbox"].upper()


def take_in(post: Post, endpoints: Sequence[Endpoint], gateway: Gateway) -> Taken:
    """Put on record what a message in a mailbox of ours says: an outcome, an answer, a report.

    Args:
        post: the message.
        endpoints: those that name the mailbox in which it stood.
        gateway: the live objects.
    """
    lanes = [] if post.is_report else outcome_lanes(endpoints, post.sender, post.workflow)
    if lanes:
        taken = take_outcome(post.id, post.body, lanes, gateway)
        fate = Fate.ON_RECORD if taken.is_on_record else Fate.REFUSED
        return Taken(fate=fate, reply=taken.reply, untold=taken.untold)
    fate = _take_word(post, endpoints, gateway)
    if fate is Fate.NOT_UNDERSTOOD and _is_about_a_reply(post, endpoints):
        _log.error(
            "ALERT: what was answered to MESH message %s came back (%s): tell its provider what"
            " became of its outcome",
            plain_name(post.local_id),
            plain_code(post.code),
        )
        fate = Fate.ON_RECORD
    return Taken(fate=fate)


def _is_about_a_reply(post: Post, endpoints: Sequence[Endpoint]) -> bool:
    """Whether MESH reports that it could not bring what we answered to an outcome."""
    ours = {each.parameters.get("outcome_answers") for each in endpoints} - {None}
    return post.is_report and post.sender is None and post.workflow in ours


def _take_word(post: Post, endpoints: Sequence[Endpoint], gateway: Gateway) -> Fate:
    """Take an answer, or a report of MESH.

    1. Read what it says: MESH could not bring something, or a recipient answers.
    --- one transaction ---
    2. Find the delivery that it is about, by the name that MESH gave it, else by our own.
    3. Check that it may speak of it, and that the delivery stands as it knows it.
    4. Move the delivery, and what follows for its referral; say so in the ledger.
    --- end ---
    """
    try:
        answer = None if post.is_report else read_response(post.body)
    except MessageError:
        return Fate.NOT_UNDERSTOOD
    with gateway.store.transaction(gateway.clock()) as tx:
        found = _find(tx, [answer.about if answer else post.linked, post.local_id])
        endpoint = next((e for e in endpoints if found and e.id == found.lane), None)
        if found is not None and endpoint is not None and found.kind is DeliveryKind.LETTER:
            return _take_answer(tx, gateway, post, found)
        if found is None or endpoint is None or not _may_speak(post, endpoint):
            return Fate.NOT_UNDERSTOOD
        if found.state in _WAITS:
            return Fate.LATER
        if found.state is not DeliveryState.DELIVERED or _is_of_another(post, found):
            return Fate.ON_RECORD
        if answer is None:
            _give_back(tx, gateway, found, f"{RETURNED_BY_MESH}.{plain_code(post.code)}")
        elif answer.is_positive:
            _note(tx, found, _reached(answer))
        else:
            _give_back(tx, gateway, found, f"{REFUSED_BY_RECIPIENT}.{answer.code}")
    return Fate.ON_RECORD


def _take_answer(tx: Transaction, gateway: Gateway, post: Post, found: Delivery) -> Fate:
    """Take what is said of a letter, in the workflow of its answers, or by MESH."""
    letter = letters.get(tx, found.id)
    expected = f"{letter.interaction}{ANSWERS}"
    if post.is_report != (post.sender is None) or (
        not post.is_report and post.workflow != expected
    ):
        return Fate.NOT_UNDERSTOOD
    if found.state in _WAITS:
        return Fate.LATER
    if found.state is not DeliveryState.DELIVERED or _is_of_another(post, found):
        return Fate.ON_RECORD
    if post.is_report:
        code, meaning = read_report(post.code)
        heard = Heard(code=code, meaning=meaning, level=None)
    else:
        answer = read_answer(post.body)
        heard = Heard(
            code=answer.code,
            meaning=answer.meaning,
            level=answer.level or AnswerLevel.INFRASTRUCTURE,
        )
    hear(tx, gateway, found, referrals.hold_still(tx, found.referral), heard)
    return Fate.ON_RECORD


def note_collected(collected: Delivery, gateway: Gateway) -> None:
    """Note that the recipient's system took a delivery; that nobody read it, it does not say."""
    with gateway.store.transaction(gateway.clock()) as tx:
        present = deliveries.lock(tx, collected.id)
        if present.state is DeliveryState.DELIVERED and present.receipt == collected.receipt:
            _note(tx, present, Reached.COLLECTED)


def not_yet_collected(
    gateway: Gateway, endpoints: Collection[Endpoint], *, after: str, most: int
) -> list[Delivery]:
    """List deliveries that MESH has and nobody is known to have collected, by id."""
    lanes = [each.id for each in endpoints]
    with gateway.store.reading() as view:
        return deliveries.only_accepted(view, lanes, after=after, limit=most)


def _find(tx: Transaction, names: Sequence[str | None]) -> Delivery | None:
    """Step 2. The row is locked."""
    for name in names:
        found = deliveries.find_receipt(tx, name) if name else None
        if found is None and name:
            try:
                found = deliveries.find(tx, DeliveryId(name))
            except ValueError:  # it is no name of ours
                continue
        if found is not None:
            return deliveries.lock(tx, found.id)
    return None


def _may_speak(post: Post, endpoint: Endpoint) -> bool:
    """Whether it is MESH that reports, or the recipient that answers, in its workflow for it."""
    if post.is_report:
        return post.sender is None
    is_theirs = (post.sender or "").upper() == endpoint.parameters["recipient"].upper()
    return is_theirs and post.workflow == answers_to(endpoint)


def _is_of_another(post: Post, found: Delivery) -> bool:
    """Whether a report is of an earlier message of this delivery, which was sent again since."""
    return (
        post.is_report
        and None not in (post.linked, found.receipt)
        and (post.linked != found.receipt)
    )


def _reached(answer: Response) -> Reached:
    return Reached.READ if answer.code == INFRASTRUCTURE_SUCCESS else Reached.CONFIRMED


def _note(tx: Transaction, present: Delivery, reached: Reached) -> None:
    """Note how far it has come; what is known already is not taken back."""
    if present.reached is None or _ORDER.index(reached) > _ORDER.index(present.reached):
        deliveries.change(tx, present, replace(present, reached=reached))


def _give_back(tx: Transaction, gateway: Gateway, present: Delivery, code: str) -> None:
    """Refuse what was delivered. A recall keeps its cause as its reason.

    A referral that its sender took back, or that is over, stays as it is; where word of that
    came back, a person must bring it.
    """
    referral = referrals.hold_still(tx, present.referral)
    reason = present.reason if present.kind is DeliveryKind.RECALL else code
    refused = replace(present, state=DeliveryState.REFUSED, reason=reason, reached=None)
    deliveries.change(tx, present, refused)
    feeds.append(tx, present.provider, FeedKind.CHANGED, present.id)
    tx.record(
        DeliveryRefused(
            **named(present, referral, actor=ACTOR),
            decision=None,
            attempt=present.attempts,
            phase=Phase.REFUSED,
            code=code,
        )
    )
    if present.kind is DeliveryKind.RECALL:
        _recall_came_back(tx, gateway, present, referral, code)
    elif referral.state is ReferralState.DELIVERED:
        _hold(
            tx,
            gateway,
            present,
            referral,
            code,
            text="The referral came back: its recipient did not collect it, or would not have it.",
            remedy="Ask the provider why; mend the cause and order a replay, or refer elsewhere.",
        )


def _recall_came_back(
    tx: Transaction, gateway: Gateway, present: Delivery, referral: Referral, code: str
) -> None:
    if referral.state is ReferralState.RECALLING:
        _hold(
            tx,
            gateway,
            present,
            referral,
            code,
            text="Word that the referral is to be stopped came back.",
            remedy="Tell the provider by telephone, or order a replay.",
        )
        return
    _log.error(
        "ALERT: recall %s of referral %s came back (%s): tell the provider by telephone",
        present.id,
        referral.reference,
        code,
    )


def _hold(  # a hold has this many parts
    tx: Transaction,
    gateway: Gateway,
    present: Delivery,
    referral: Referral,
    code: str,
    *,
    text: str,
    remedy: str,
) -> None:
    hold = Hold(
        code=code,
        text=text,
        remedy=remedy,
        owner="operator",
        due=tx.at + gateway.schedule.hold_due,
    )
    held = replace(referral, state=ReferralState.HELD, hold=hold)
    referrals.change(tx, referral, held)
    record_hold(tx, held, decision=None, delivery=present.id, actor=ACTOR)
