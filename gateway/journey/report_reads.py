"""Copies of reports, shown: how they stand, and the text that the person is to see.

What enters: a provider, or an officer. What leaves: copies, once it is recorded who is shown them.
Must never: show a provider another's copies, or an officer the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.journey import report_cases as cases
from gateway.journey.disclose import Question, Shown, record_audit, record_shown
from gateway.journey.gateway import Gateway
from gateway.journey.report_cases import Asker, CopyStanding
from gateway.ledger.kinds import Interaction
from gateway.mapping.report_text import open_text
from gateway.referral.identifiers import DeliveryId, ReferralReference, ReportId
from gateway.referral.json import JsonObject
from gateway.referral.report_copy import FiledCopy
from gateway.store import outcomes, referrals, reports
from gateway.store.engine import Reading

_TYPE = "Report"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToShow:
    """A text as the person is to be shown it: the document, and its lines where it has some."""

    filed: FiledCopy
    document: JsonObject = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A copy in a list, with the reference of its referral."""

    filed: FiledCopy
    reference: ReferralReference


def list_copies(
    gateway: Gateway, asker: Asker, *, task: DeliveryId | None = None, limit: int
) -> Sequence[Listed]:
    """List copies, the newest first; `task`: only of what was brought by it."""
    with gateway.store.reading(as_one_moment=True) as view:
        found = reports.list_some(view, provider=asker.provider, task=task, limit=limit)
        listed = [
            Listed(filed=each, reference=referrals.get(view, each.referral).reference)
            for each in found
        ]
        shown = [_shown(view, each) for each in found]
    question = Question(
        type=_TYPE, interaction=Interaction.SEARCH, by={"task": task, "_count": limit}
    )
    _record(gateway, asker, question, shown)
    return listed


def read_copy(gateway: Gateway, report_id: ReportId, asker: Asker) -> CopyStanding:
    """Show how a copy stands, what may be done with it, and what was done.

    Raises:
        NotFoundError: this provider has no such copy.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        filed = cases.find(view, report_id, asker)
        standing = cases.standing_of(view, gateway, filed)
        shown = _shown(view, filed)
    _record(gateway, asker, _read(report_id), [shown])
    return standing


def text_to_show(gateway: Gateway, report_id: ReportId, asker: Asker) -> CopyToShow:
    """Show the provider the text that the person is to see, before they answer.

    Raises:
        NotFoundError: this provider has no such copy.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        filed = cases.find(view, report_id, asker)
        shown = _shown(view, filed)
        body = reports.text_of(view, filed)
        outcome = outcomes.find(view, filed.outcome)
        if body is not None or outcome is None:
            document, lines = open_text(body or b"{}")
        else:
            document, lines = cases.report_of(view, outcome), ()
    _record(gateway, asker, _read(report_id), [shown])
    return CopyToShow(filed=filed, document=document, lines=lines)


def _read(report_id: ReportId) -> Question:
    return Question(type=_TYPE, interaction=Interaction.READ, by={"_id": report_id})


def _shown(view: Reading, filed: FiledCopy) -> Shown:
    present = referrals.get(view, filed.referral)
    return Shown(practice=present.practice, subject=present.subject, referral=present.id)


def _record(gateway: Gateway, asker: Asker, question: Question, shown: Sequence[Shown]) -> None:
    """Record what is about to be shown, to a client or to an officer."""
    if asker.sender is not None:
        record_shown(gateway, asker.sender, question, shown)
    else:
        record_audit(gateway, asker.actor, question, None, len(shown))
