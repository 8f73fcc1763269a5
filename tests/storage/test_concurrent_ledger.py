"""Writers at once: the ledger stays without gaps, and verifies."""

import threading
from concurrent.futures import ThreadPoolExecutor

from gateway.journey.check_ledger import check_ledger
from gateway.ledger.entry import TokenRefused
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.store import persons
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.messages import PRACTICE

WRITERS, EACH = 4, 15


def test_entries_of_concurrent_writers_stand_without_gaps_and_verify(house: House) -> None:
    together = threading.Barrier(WRITERS)

    def write(number: int) -> None:
        together.wait(timeout=20)
        for turn in range(EACH):
            with house.gateway.store.transaction(house.clock.now) as tx:
                persons.meet(tx, OdsCode(PRACTICE), NhsNumber(f"99900000{number}{turn % 10}"))
                tx.record(
                    TokenRefused(actor="unknown", practice=PRACTICE, code=f"W{number}"),
                    TokenRefused(actor="unknown", practice=None, code=f"T{turn}"),
                )

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    written = entries(house)
    assert [entry["idx"] for entry in written] == list(range(len(written)))
    assert len(entries(house, "token.refused")) == WRITERS * EACH * 2
    assert all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))


def test_each_year_has_its_own_log(house: House) -> None:
    for _ in range(2):
        with house.gateway.store.transaction(house.clock.now) as tx:
            tx.record(TokenRefused(actor="unknown", practice=PRACTICE, code="X"))
        house.clock.move(days=60)
    reports = check_ledger(house.gateway, lambda _rows: None)
    assert [report.log[-4:] for report in reports] == ["2026", "2027"]
    assert all(report.ok for report in reports)
