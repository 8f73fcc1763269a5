"""A held outcome, and the officer for information governance who decides on it.

What enters: the outcome, and the officer's decision with its reason. What leaves: what the sharing
rules and the write guard make of it now, or that it stays here. Must never: make anything milder
than the rules and the guard are at this moment, or let go what nobody should open.
"""

from dataclasses import replace

from gateway.errors import IllegalMoveError, NotFoundError
from gateway.journey.gateway import Gateway
from gateway.journey.letters import send_on
from gateway.journey.onward import Found, about, find, judge, keep_judgement
from gateway.journey.reminders import settle_reminders
from gateway.journey.shared_care import ask_shared_care
from gateway.ledger.entry import WritebackRefused
from gateway.ledger.kinds import WritebackRoute
from gateway.referral.identifiers import OutcomeId
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.reminder import ReminderCode
from gateway.store import deliveries, feeds, gates, outcomes
from gateway.store.engine import Transaction
from gateway.store.feeds import FeedKind

_STANDS = ("DOCUMENT_IS_A_DRAFT", "CONTENT_HELD")
"""What no decision mends: its provider sends it anew, whole and harmless."""


def decide_held(
    gateway: Gateway, wanted: OutcomeId, *, is_released: bool, because: str, actor: str
) -> Outcome:
    """Decide on a held outcome: ask the rules and the guard again, or keep it here.

    What it asks of the practice is decided on again, too.

    Args:
        gateway: whose.
        wanted: which outcome.
        is_released: it may go on if rules and guard let it; otherwise it stays here.
        because: the officer's reason, as a code.
        actor: who decides.

    Returns: the outcome as it stands then: HELD, where the rules or the guard still hold it.

    Raises:
        NotFoundError: there is no such outcome.
        IllegalMoveError: it is not held, or holds what is released by nobody.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        known = outcomes.find(tx, wanted)
        if known is None:
            msg = "no outcome has this id: `gateway outcome show` names those of a referral"
            raise NotFoundError(msg)
        _, present = deliveries.hold_still(tx, known.delivery)
        held = _still_held(outcomes.find(tx, wanted) or known)
        found = find(tx, held, present)
        if is_released:
            standing = _release(tx, gateway, found, actor=actor)
        else:
            standing = _keep(tx, found, because, actor=actor)
        if standing is Standing.SENT_ON:
            feeds.append(tx, present.practice, FeedKind.ANSWERED, held.delivery)
        if standing is not Standing.HELD:
            settle_reminders(
                tx, present, held.id, [ReminderCode.OUTCOME_HELD], actor=actor, resolution=because
            )
        return outcomes.find(tx, wanted) or held


def _still_held(known: Outcome) -> Outcome:
    if known.standing is not Standing.HELD:
        msg = f"this outcome is not held: it is {known.standing}, and nothing was written"
        raise IllegalMoveError(msg)
    return known


def _release(tx: Transaction, gateway: Gateway, found: Found, *, actor: str) -> Standing:
    if (found.outcome.code or "").split(".")[0] in _STANDS:
        msg = (
            f"this is held for {found.outcome.code}, which no decision mends: keep it here, and"
            " have its provider send it anew"
        )
        raise IllegalMoveError(msg)
    fence = gates.hold(tx, found.referral.id, recipient=found.referral.practice)
    stopped = ask_shared_care(tx, gateway, found, fence, actor=actor)
    if stopped is not None:
        return stopped
    judged = judge(tx, gateway, found)
    decision = keep_judgement(tx, gateway, judged, about(found, None, fence, actor=actor))
    return send_on(tx, gateway, found, judged, decision, actor=actor)


def _keep(tx: Transaction, found: Found, because: str, *, actor: str) -> Standing:
    outcomes.rule(tx, replace(found.outcome, standing=Standing.KEPT, code=because))
    tx.record(
        WritebackRefused(
            actor=actor,
            practice=found.referral.practice,
            subject=found.referral.subject,
            referral=found.referral.id,
            artefact=found.outcome.id,
            route=WritebackRoute.DOCUMENT,
            code=because,
        )
    )
    return Standing.KEPT
