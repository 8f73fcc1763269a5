"""Reminders as they are read and closed: by whoever runs the gateway, and by practices.

What enters: who asks, or who has seen to what. What leaves: what waits, the one due first at the
head; or a reminder that is closed, on record. What is shown is recorded first. Must never: show a
practice another's; tell it of what an officer for information governance decides; or take a
program's word for a person's.
"""

from dataclasses import dataclass

from gateway.errors import IllegalMoveError, NotFoundError
from gateway.journey.disclose import Question, record_audit, record_shown
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import shown_of
from gateway.journey.reminders import close_reminder
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import OdsCode, ReminderId
from gateway.referral.model import Referral, Sender
from gateway.referral.reminder import Owner, Reminder
from gateway.store import referrals, reminders
from gateway.store.engine import Reading

_MOST = 1000
"""Reminders that one list shows."""
_SEEN = "ACKNOWLEDGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A reminder with the referral that it is of."""

    reminder: Reminder
    referral: Referral


def list_reminders(
    gateway: Gateway, *, actor: str, practice: OdsCode | None, overdue: bool
) -> list[Waiting]:
    """List what waits for anybody, for who runs the gateway.

    Args:
        gateway: whose.
        actor: who reads them, which is recorded.
        practice: only of its referrals; None: of all.
        overdue: only what is due by now.
    """
    until = gateway.clock() if overdue else None
    with gateway.store.reading(as_one_moment=True) as view:
        found = reminders.waiting(view, until=until, practice=practice, limit=_MOST)
        shown = _with_referrals(view, found)
    question = Question(type="Reminder", interaction=Interaction.SEARCH, by={"overdue": overdue})
    record_audit(gateway, actor, question, practice, len(shown))
    return shown


def reminders_of_practice(sender: Sender, gateway: Gateway) -> list[Waiting]:
    """List what waits of a practice's own referrals; not what an officer decides."""
    owners = tuple(each for each in Owner if each is not Owner.IG_OFFICER)
    with gateway.store.reading(as_one_moment=True) as view:
        found = reminders.waiting(view, practice=sender.ods, owners=owners, limit=_MOST)
        shown = _with_referrals(view, found)
    question = Question(type="Reminder", interaction=Interaction.SEARCH, by={})
    record_shown(gateway, sender, question, [shown_of(each.referral) for each in shown])
    return shown


def acknowledge_reminder(
    sender: Sender, wanted: ReminderId, role: str, gateway: Gateway
) -> Waiting:
    """Note that a person of the practice has seen to what waited for it.

    Args:
        sender: the practice's own system.
        wanted: which reminder.
        role: the person's role; lower-case words joined by hyphens.
        gateway: whose.

    Raises:
        NotFoundError: it has none of this id that is its own to see to.
        IllegalMoveError: it is closed already.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        found = reminders.find(tx, wanted)
        owner = referrals.get(tx, found.referral) if found else None
        is_own = owner is not None and owner.practice == sender.ods
        if found is None or not is_own or found.owner is not Owner.PRACTICE:
            msg = "nothing that waits for your practice has this id: the list shows what does"
            raise NotFoundError(msg)
        resolution = f"{_SEEN}.{role.upper().replace('-', '_')}"
        present = referrals.hold_still(tx, found.referral)
        found = reminders.find(tx, wanted) or found
        _require_open(found)
        closed = close_reminder(tx, present, found, actor=sender.client, resolution=resolution)
    return Waiting(reminder=closed, referral=present)


def finish_reminder(gateway: Gateway, wanted: ReminderId, *, because: str, actor: str) -> Waiting:
    """Note that whoever runs the gateway has had something seen to.

    What an officer decides about an outcome is closed by that decision, and by nothing else.

    Raises:
        NotFoundError: there is no such reminder.
        IllegalMoveError: it is closed already, or it waits for a decision.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        found = reminders.find(tx, wanted)
        if found is None:
            msg = "no reminder has this id: `gateway reminder list` shows those that wait"
            raise NotFoundError(msg)
        present = referrals.hold_still(tx, found.referral)
        found = reminders.find(tx, wanted) or found
        _require_open(found)
        if found.owner is Owner.IG_OFFICER:
            msg = "this waits for a decision on an outcome: `gateway outcome decide` makes it"
            raise IllegalMoveError(msg)
        closed = close_reminder(tx, present, found, actor=actor, resolution=because)
    return Waiting(reminder=closed, referral=present)


def _require_open(found: Reminder) -> None:
    if not found.is_open:
        msg = "this was seen to already, and nothing was written"
        raise IllegalMoveError(msg)


def _with_referrals(view: Reading, found: list[Reminder]) -> list[Waiting]:
    of = {each: referrals.get(view, each) for each in {one.referral for one in found}}
    return [Waiting(reminder=each, referral=of[each.referral]) for each in found]
