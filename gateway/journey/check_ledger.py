"""Check the ledger in the database, and record that it was checked."""

from collections.abc import Callable

from gateway.journey.gateway import Gateway
from gateway.ledger.entry import LedgerVerified
from gateway.ledger.verify import Report, verify_entries
from gateway.store import ledger


def check_ledger(gateway: Gateway, progress: Callable[[int], None]) -> list[Report]:
    """Check each log against its head, in one consistent view; record each result."""
    with gateway.store.reading(as_one_moment=True) as view:
        reports = [
            verify_entries(
                ledger.entries(view.connection, log), log=log, head=head, progress=progress
            )
            for log, head in ledger.logs(view.connection)
        ]
    if reports:
        with gateway.store.transaction(gateway.clock()) as tx:
            tx.record(
                *(
                    LedgerVerified(
                        actor="operator", size=report.size, root=report.root, ok=report.ok
                    )
                    for report in reports
                )
            )
    return reports
