"""Outcomes, letters and reminders as their rows have them, to be held against the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from gateway.ledger.values import write_instant
from gateway.store.engine import Reading
from gateway.store.tables_outcomes import letter, outcome, reminder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRows:
    """What is kept of the way back of one referral, by id: what its entry says too."""

    outcomes: dict[str, tuple[str, ...]]
    letters: dict[str, tuple[str | int, ...]]
    reminders: dict[str, tuple[str | None, ...]]


def returns_of(view: Reading, ids: Sequence[str]) -> dict[str, ReturnRows]:
    """Read the outcomes, letters and reminders of some referrals."""
    found = {each: ReturnRows(outcomes={}, letters={}, reminders={}) for each in ids}
    for row in view.connection.execute(select(outcome).where(outcome.c.referral.in_(ids))):
        found[row.referral].outcomes[row.id] = (
            row.delivery,
            row.provider,
            row.kind,
            row.door,
            row.client,
            row.body_sha256,
            write_instant(row.received_at),
        )
    letters = (
        select(letter, outcome.c.referral)
        .join(outcome, outcome.c.id == letter.c.outcome)
        .where(outcome.c.referral.in_(ids))
    )
    for row in view.connection.execute(letters):
        found[row.referral].letters[row.id] = (row.outcome, row.decision, row.row)
    for row in view.connection.execute(select(reminder).where(reminder.c.referral.in_(ids))):
        found[row.referral].reminders[row.id] = (
            row.code,
            row.owner,
            write_instant(row.due),
            row.resolution,
        )
    return found
