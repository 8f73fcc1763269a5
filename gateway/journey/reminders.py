"""Reminders: what of a referral waits for somebody, opened and closed where it happens.

What enters: an open transaction, a referral, and what waits or was seen to. What leaves: the row
with its ledger entry. Each thing has one reminder of each code: one that was closed is opened
again. Must never: hold up what it reminds of.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from gateway.journey.gateway import Gateway
from gateway.ledger.entry import ReminderClosed, ReminderOpened
from gateway.referral.identifiers import ReminderId
from gateway.referral.model import Referral
from gateway.referral.reminder import Owner, Reminder, ReminderCode
from gateway.store import reminders
from gateway.store.engine import Transaction


def remind(
    tx: Transaction,
    gateway: Gateway,
    present: Referral,
    about: str,
    code: ReminderCode,
    owner: Owner,
    *,
    actor: str,
    within: timedelta | None = None,
) -> None:
    """Have something wait for somebody, from now, unless it does already.

    Args:
        tx: what it is about is locked in it.
        gateway: the live objects.
        present: the referral.
        about: the id of the delivery or outcome that it is about.
        code: what waits.
        owner: who is to act.
        actor: who noticed.
        within: how soon; None: as a hold.
    """
    found = reminders.about(tx, about, [code])
    if found and found[0].is_open:
        return
    new = Reminder(
        id=found[0].id if found else ReminderId.of(gateway.new_uuid()),
        referral=present.id,
        about=about,
        code=code,
        owner=owner,
        opened_at=tx.at,
        due=tx.at + (gateway.schedule.hold_due if within is None else within),
    )
    (reminders.reopen if found else reminders.add)(tx, new)
    tx.record(
        ReminderOpened(
            actor=actor,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            reminder=new.id,
            code=code,
            owner=owner,
            due=new.due,
        )
    )


def settle_reminders(
    tx: Transaction,
    present: Referral,
    about: str,
    codes: Collection[ReminderCode],
    *,
    actor: str,
    resolution: str,
) -> None:
    """Close what waited about something, where it did: it is seen to."""
    for each in reminders.about(tx, about, codes):
        if each.is_open:
            close_reminder(tx, present, each, actor=actor, resolution=resolution)


def close_reminder(
    tx: Transaction, present: Referral, waiting: Reminder, *, actor: str, resolution: str
) -> Reminder:
    """Close one that waits."""
    closed = replace(waiting, closed_at=tx.at, closed_by=actor, resolution=resolution)
    reminders.close(tx, closed)
    tx.record(
        ReminderClosed(
            actor=actor,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            reminder=closed.id,
            code=closed.code,
            resolution=resolution,
        )
    )
    return closed
