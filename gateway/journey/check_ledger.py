"""Check the ledger in the database, and record that it was checked."""

from collections.abc import Callable

from gateway.journey.gateway import Gateway
from gateway.journey.publish import year_of
from gateway.ledger.entry import ChainVerifyFailed, LedgerVerified
from gateway.ledger.verify import Head, Report, verify_entries
from gateway.store import ledger
from gateway.store.engine import Transaction

ACTOR = "operator"


def check_ledger(gateway: Gateway, progress: Callable[[int], None]) -> list[Report]:
    """Check each log against its head, in one consistent view; record each result.

    Logs whose entries were purged when their time was over are left out.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        reports = [
            verify_entries(
                ledger.entries(view.connection, log),
                log=log,
                head=Head(size=head.size, root=head.root()),
                progress=progress,
            )
            for log, head in ledger.logs(view.connection)
        ]
    if reports:
        with gateway.store.transaction(gateway.clock()) as tx:
            for report in reports:
                _record(tx, report)
    return reports


def _record(tx: Transaction, report: Report) -> None:
    tx.record(LedgerVerified(actor=ACTOR, size=report.size, root=report.root, ok=report.ok))
    if report.first is not None:
        tx.record(
            ChainVerifyFailed(
                actor=ACTOR,
                year=year_of(report.log),
                size=report.size,
                code=report.first.code.value,
            )
        )
