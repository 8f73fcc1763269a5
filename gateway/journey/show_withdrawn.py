"""Show what was withdrawn, and what became of each delivery that a withdrawal covers.

What enters: who asks. What leaves: withdrawals with counts, the newest first; or one, a page of
what it covers at a time. What is shown is recorded first: a list as one reading, deliveries as a
reading for each person. Must never: show a practice another's, or say that there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import NotFoundError
from gateway.journey.disclose import Question, record_audit, record_shown
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import shown_of
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import OdsCode, WithdrawalId
from gateway.referral.model import Sender
from gateway.referral.withdrawals import Acknowledged, Covered, Standing, Withdrawal
from gateway.store import referrals, withdrawals


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A withdrawal, and how many of what it covers stand how."""

    withdrawal: Withdrawal
    counts: Mapping[Standing, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A withdrawal with a part of what it covers. `place` is where the next page goes on."""

    tally: Tally
    covered: tuple[Covered, ...]
    place: tuple[str, str] | None


def list_withdrawals(
    gateway: Gateway, *, actor: str, practice: OdsCode | None, about: str | None, limit: int
) -> list[Tally]:
    """List withdrawals, the newest first; of one practice, or of all; of one thing, or of any."""
    with gateway.store.reading(as_one_moment=True) as view:
        found = withdrawals.newest(view, practice=practice, about=about, limit=limit)
        counts = withdrawals.tallies(view, [each.id for each in found])
    # What is the name of nothing here may be anything, and goes into no hash.
    by = {"about": about if found else None, "_count": limit}
    named = () if found or about is None else ("about",)
    question = Question(type="Withdrawal", interaction=Interaction.SEARCH, by=by, named=named)
    record_audit(gateway, actor, question, practice, len(found))
    return [Tally(withdrawal=each, counts=counts[each.id]) for each in found]


def show_withdrawal(
    sender: Sender,
    wanted: WithdrawalId,
    gateway: Gateway,
    *,
    after: tuple[str, str] | None,
    limit: int,
) -> Page:
    """Read one withdrawal of the sender's own practice, with a page of what it covers.

    Raises:
        NotFoundError: there is none, or it is another's; that is on record too.
    """
    question = Question(type="Withdrawal", interaction=Interaction.READ, by={"_id": wanted})
    with gateway.store.reading(as_one_moment=True) as view:
        found = withdrawals.find(view, wanted)
        is_own = found is not None and found.practice == sender.ods
        covered = withdrawals.covered_by(view, wanted, after=after, limit=limit) if is_own else ()
        counts = withdrawals.tallies(view, [wanted])[wanted]
        shown = [shown_of(referrals.get(view, each.referral)) for each in covered]
    record_shown(gateway, sender, question, shown)
    if found is None or not is_own:
        msg = "no withdrawal of your organisation has this id"
        raise NotFoundError(msg)
    tally = Tally(withdrawal=found, counts=counts)
    return Page(tally=tally, covered=covered, place=_place(covered, limit))


def read_withdrawal(gateway: Gateway, wanted: WithdrawalId, *, actor: str) -> Acknowledged:
    """Read any withdrawal with all that it covers, for who runs the gateway.

    Raises:
        NotFoundError: there is none.
    """
    question = Question(type="Withdrawal", interaction=Interaction.READ, by={"_id": wanted})
    with gateway.store.reading(as_one_moment=True) as view:
        found = withdrawals.get(view, wanted)
        covered = withdrawals.covered_by(view, wanted)
    record_audit(gateway, actor, question, found.practice, len(covered))
    return Acknowledged(withdrawal=found, covered=covered)


def is_about(gateway: Gateway, practice: OdsCode, about: str) -> bool:
    """Tell whether something of a practice's was ever withdrawn."""
    with gateway.store.reading() as view:
        return bool(withdrawals.newest(view, practice=practice, about=about, limit=1))


def _place(covered: tuple[Covered, ...], limit: int) -> tuple[str, str] | None:
    """Say where the next page goes on; nowhere after one that is not full."""
    return (covered[-1].reference, covered[-1].delivery) if len(covered) == limit else None
