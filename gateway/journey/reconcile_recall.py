"""Recalls and withdrawals: what their rows say, and what the ledger says of them.

What enters: the recalls of one referral with every entry that names it; or one consistent view
of the database. What leaves: each way in which they contradict each other. That each recall was
queued, brought or given up is looked at as for any delivery, in `reconcile_referral.py`; that
each acknowledgement has its entry, in `reconcile_entries.py`.
"""

from collections.abc import Iterator, Sequence

from gateway.journey.reconcile_ledger import Fault
from gateway.ledger.kinds import EntryKind
from gateway.store.bijection import Said
from gateway.store.bijection_recalls import RecallRow, unsettled
from gateway.store.engine import Reading

_MEND = (
    "Compare the rows with a dump, and find out what was changed past the gateway; then call the"
    " provider of each delivery that the withdrawal covers."
)


def recall_faults(rows: Sequence[RecallRow], entries: Sequence[Said]) -> Iterator[str]:
    """Say where the recalls of a referral, and the entries on them, contradict each other."""
    queued = _last(entries, EntryKind.RECALL_QUEUED)
    here = {row.id: row for row in rows}
    for name in sorted(queued.keys() - here.keys()):
        yield f"recall {name} is in the ledger, and there is no row that says what it is for"
    for name in sorted(here.keys() - queued.keys()):
        yield f"recall {name} has a row, and the ledger never queued it"
    late = [said["delivery"] for said in entries if said.kind == EntryKind.RECALL_OVERDUE]
    for name in sorted({name for name in late if late.count(name) > 1}):
        yield f"recall {name} became overdue in the ledger more than once"
    sent = _last(entries, EntryKind.RECALL_SENT)
    answers = _last(entries, EntryKind.RECALL_ACKNOWLEDGED)
    overdue = _last(entries, EntryKind.RECALL_OVERDUE)
    for name in sorted(here.keys() & queued.keys()):
        row, said = here[name], queued[name]
        answered, noted = answers.get(name), overdue.get(name)
        told: dict[str, tuple[object, object]] = {
            "what it recalls": (said["recalled"], row.recalled),
            "its cause": (said["cause"], row.cause),
            "when it was brought": (_at(sent.get(name)), row.sent_at),
            "its answer": (answered and answered["answer"], row.answer),
            "when it was answered": (_at(answered), row.answered_at),
            "when it became overdue": (_at(noted), row.overdue_at),
            "when its answer is due": (noted["due"] if noted else row.due, row.due),
        }
        differing = [what for what, (there, mine) in told.items() if there != mine]
        if differing:
            yield f"recall {name} and its entries differ in {', '.join(differing)}"


def withdrawal_faults(view: Reading) -> Iterator[Fault]:
    """Find acknowledged withdrawals of which something may still leave, or was not recalled."""
    for name, number in unsettled(view):
        text = f"it is acknowledged, and yet {number} of what it covers may leave or has no recall"
        yield Fault(about=f"withdrawal {name}", text=text, mend=_MEND)


def _last(entries: Sequence[Said], kind: EntryKind) -> dict[str, Said]:
    """Find the last entry of a kind on each delivery."""
    return {said["delivery"]: said for said in entries if said.kind == kind}


def _at(said: Said | None) -> str | None:
    return said.at if said else None
