"""Recalls that wait for an answer: who is late, and what a person was told on the telephone.

What enters: the time; or what a provider said to a person who called. What leaves: entries that
an answer is late, each once, with one alert: it is for the officer for information governance
to have the provider called; or the answer, kept like one that the provider sent itself. That a recall
could not be brought is no excuse: its answer is late all the same. Must never: take silence for
an answer. Source: the sharing rules, section 10, recall.
"""

import logging
from dataclasses import dataclass

from gateway.errors import IllegalMoveError, NotFoundError
from gateway.journey.answer_recall import Said, keep
from gateway.journey.disclose import Question, record_audit
from gateway.journey.gateway import Gateway
from gateway.journey.outbox import named
from gateway.ledger.entry import RecallOverdue
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import DeliveryId
from gateway.referral.model import Delivery, Referral
from gateway.referral.withdrawals import Recall
from gateway.store import deliveries, recalls, referrals
from gateway.store.engine import Reading

ACTOR = "gateway"
_AT_A_TIME = 100
"""Late answers that one round looks at; the next comes in seconds."""
_MOST = 1000
"""Recalls that one list shows."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A recall with the delivery that brings it, and the referral that it is about."""

    recall: Recall
    delivery: Delivery
    referral: Referral


def chase(gateway: Gateway) -> None:
    """Note each recall whose answer is late, once, and say so."""
    with gateway.store.reading() as view:
        late = recalls.overdue(view, gateway.clock(), limit=_AT_A_TIME)
    noted = sum([_escalate(each.id, gateway) for each in late])
    if noted:
        _log.error(
            "ALERT: %d recalls were not answered in time: somebody has to call their providers;"
            " `gateway recall list --overdue` names them",
            noted,
        )


def _escalate(recall_id: DeliveryId, gateway: Gateway) -> bool:
    """Note one, unless it was answered or noted meanwhile; tell whether it was noted here."""
    with gateway.store.transaction(gateway.clock()) as tx:
        delivery, referral = deliveries.hold_still(tx, recall_id)
        present = recalls.find(tx, recall_id)
        if present is None or present.overdue_at or not present.is_overdue(tx.at):
            return False
        recalls.note_overdue(tx, recall_id)
        tx.record(RecallOverdue(**named(delivery, referral, actor=ACTOR), due=present.due))
    return True


def answer(gateway: Gateway, recall_id: DeliveryId, said: Said, *, actor: str) -> Open:
    """Keep what a provider said to a person who called.

    Raises:
        NotFoundError: there is no such recall.
        IllegalMoveError: that answer stands already.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        if recalls.find(tx, recall_id) is None:
            raise _no_such()
        delivery, referral = deliveries.hold_still(tx, recall_id)
        present = recalls.find(tx, recall_id)
        if present is None:
            raise _no_such()
        if (present.answer, present.ground) == (said.answer, said.ground):
            msg = "this answer stands already, and nothing was written"
            raise IllegalMoveError(msg)
        keep(tx, delivery, referral, said, actor=actor)
    with gateway.store.reading() as view:
        return _open(view, recalls.find(view, recall_id) or present)


def list_open(gateway: Gateway, *, actor: str, overdue: bool) -> list[Open]:
    """List the recalls that wait for an answer, the one due first at the head.

    Args:
        gateway: whose.
        actor: who reads them, which is recorded.
        overdue: only those whose answer is late.
    """
    now = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        waiting = recalls.unanswered(view, limit=_MOST)
        found = [_open(view, each) for each in waiting if each.is_overdue(now) or not overdue]
    by = {"overdue": overdue}
    question = Question(type="Recall", interaction=Interaction.SEARCH, by=by)
    record_audit(gateway, actor, question, None, len(found))
    return found


def _open(view: Reading, recall: Recall) -> Open:
    delivery = deliveries.find(view, recall.id)
    if delivery is None:
        raise _no_such()
    referral = referrals.get(view, delivery.referral)
    return Open(recall=recall, delivery=delivery, referral=referral)


def _no_such() -> NotFoundError:
    msg = "no recall has this id: `gateway recall list` shows those that wait for an answer"
    return NotFoundError(msg)
