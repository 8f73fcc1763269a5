"""A provider says what it did with a referral that it was asked to stop.

What enters: a provider, the recall's Task, and its answer. What leaves: the Task as it stands
then. The answer is an entry of the ledger, and is shown to the practice and to officers. To keep
what it has may be lawful, so that is an answer like the others; its ground is a code, its words
are sealed. Must never: touch where the recall itself stands, which is its worker's; or take an
answer from anybody but the provider that was asked.
Source: the sharing rules, section 10, recall.
"""

from dataclasses import dataclass, field

from gateway.errors import (
    Fault,
    IssueCode,
    NotFoundError,
    PreconditionFailedError,
    UnsupportedMessageError,
)
from gateway.fhir.task import version_of
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import Hop, hop_of
from gateway.journey.outbox import named
from gateway.journey.recall import close_cancelled
from gateway.ledger.entry import HoldResolved, RecallAcknowledged
from gateway.ledger.kinds import RecallAnswer as LedgerAnswer
from gateway.referral.identifiers import DeliveryId
from gateway.referral.lifecycle import CANCELLED, DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral, Sender
from gateway.referral.withdrawals import Ground, RecallAnswer
from gateway.store import deliveries, details, feeds, recalls
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

_NOT_BROUGHT = (DeliveryState.REFUSED, DeliveryState.DEAD_LETTERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a provider says. `ground` is there where it keeps what it has; `words` are its own."""

    answer: RecallAnswer
    ground: Ground | None = None
    words: str | None = field(default=None, repr=False)


def answer_recall(
    sender: Sender, task: DeliveryId, said: Said, known: str, gateway: Gateway
) -> Hop:
    """Take a provider's answer to a recall.

    --- one transaction ---
    1. Find the Task among those that this provider was told of, and let nobody move it.
    2. The answer that stands already: show the Task as it is.
    3. Check that the provider knows its present version.
    4. Keep the answer, record it with the words sealed beside it, and tell the provider's list.
    --- end ---

    Args:
        sender: who answers.
        task: the id of the recall's Task.
        said: the answer.
        known: the version that the provider has read, as `version_of` names it.
        gateway: the live objects.

    Raises:
        NotFoundError: the provider was told of no such Task.
        UnsupportedMessageError: it is no recall's.
        PreconditionFailedError: it has another version by now.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        if not feeds.names(tx, sender.ods, task):
            msg = "no task has this id"
            raise NotFoundError(msg)
        delivery = deliveries.lock(tx, task)
        present = hop_of(tx, delivery)
        if present.recall is None:
            raise not_yet()
        if (present.recall.answer, present.recall.ground) == (said.answer, said.ground):
            return present
        if known != version_of(delivery, present.recall):
            msg = "the task has another version by now; read it again first"
            raise PreconditionFailedError(msg)
        keep(tx, delivery, present.referral, said, actor=sender.client)
        return hop_of(tx, deliveries.lock(tx, task))


def keep(
    tx: Transaction, delivery: Delivery, referral: Referral, said: Said, *, actor: str
) -> None:
    """Keep an answer to a recall, whether its provider sent it or told it to a person.

    A referral that was held because no recall of it could be brought is over with the last of
    their answers: whoever was to be told knows.
    """
    recalls.answer(tx, delivery.id, said.answer, tx.at, said.ground)
    deliveries.touch(tx, delivery.id)
    details.record(
        tx,
        RecallAcknowledged(
            **named(delivery, referral, actor=actor),
            answer=LedgerAnswer(said.answer),
        ),
        {"ground": said.ground, "words": said.words},
    )
    for each in (delivery.provider, referral.practice):
        feeds.append(tx, each, FeedKind.ANSWERED, delivery.id)
    if referral.state is ReferralState.HELD and referral.hold and _is_answered(tx, referral):
        tx.record(
            HoldResolved(
                actor=actor,
                practice=referral.practice,
                subject=referral.subject,
                referral=referral.id,
                decision=None,
                delivery=delivery.id,
                code=referral.hold.code,
                resolution="RECALL_ANSWERED",
            )
        )
        because = delivery.reason or CANCELLED
        close_cancelled(tx, referral, referral, actor=actor, because=because)


def _is_answered(tx: Transaction, referral: Referral) -> bool:
    """Whether it has recalls that could not be brought, and each of them has its answer."""
    unbrought = [
        each
        for each in deliveries.of_referral(tx, referral.id)
        if each.kind is DeliveryKind.RECALL and each.state in _NOT_BROUGHT
    ]
    told = [recalls.find(tx, each.id) for each in unbrought]
    return bool(told) and all(each is not None and each.answer is not None for each in told)


def not_yet() -> UnsupportedMessageError:
    """Say that a referral's own Task takes no answer."""
    return UnsupportedMessageError(
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression="Task",
            diagnostics="This is the practice's own Task, and the gateway answers it. A provider"
            " answers the Tasks that it owns: Task?_since= lists them.",
        )
    )
