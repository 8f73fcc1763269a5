"""Whoever appends to the ledger waits only for others who append, and never in a circle."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from gateway.ledger.entry import TokenRefused
from gateway.ledger.seal import log_name
from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.store.engine import Transaction
from gateway.store.feed_numbers import FeedKind, Told
from gateway.store.pen import Pen
from gateway.store.tables_ledger import checkpoint
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.messages import PRACTICE

NOTHING = DeliveryId("11111111-1111-4111-8111-111111111111")
REFUSED = TokenRefused(actor="unknown", practice=PRACTICE, code="X")
pytestmark = [
    pytest.mark.postgresql,  # the other engine takes one writer at a time
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
WRITERS, EACH = 4, 10
_no_more_entries = text("ALTER TABLE ledger_entry ADD CHECK (idx < 0) NOT VALID")


def sign(tx: Transaction, house: House, size: int) -> None:
    """Store what refers to the log's head, as the signing of a checkpoint does."""
    log = log_name(house.gateway.store.ledger_origin, tx.at)
    row = {"log": log, "size": size, "root": bytes(32), "note": "", "made_at": tx.at}
    tx.connection.execute(insert(checkpoint).values(**row))


def _slowly(write: Callable[..., None]) -> Callable[..., None]:
    def written(*given: Any) -> None:
        time.sleep(0.05)
        write(*given)

    return written


def test_an_entry_does_not_wait_for_a_checkpoint_that_is_not_committed(house: House) -> None:
    before = len(entries(house))
    with house.gateway.store.transaction(house.clock.now) as signing:
        sign(signing, house, 1)
        with house.gateway.store.transaction(house.clock.now) as tx:
            tx.record(REFUSED)
        signing.record(REFUSED)
    assert [entry["idx"] for entry in entries(house)] == [*range(before + 2)]


def test_writers_and_signers_at_once_never_wait_in_a_circle(house: House) -> None:
    together, before = threading.Barrier(WRITERS), len(entries(house))

    def write(number: int) -> None:
        together.wait(timeout=20)
        for turn in range(EACH):
            with house.gateway.store.transaction(house.clock.now) as tx:
                if number % 2:
                    sign(tx, house, 1000 * number + turn)
                tx.record(REFUSED)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    assert len(entries(house)) == before + WRITERS * EACH


@pytest.mark.parametrize("told", ["at the commit", "at the next write", "at the next wait"])
def test_a_write_that_the_database_refuses_late_takes_the_whole_transaction_back(
    house: House, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if told == "at the next write":  # by then the answer to the one before is there
        monkeypatch.setattr(Pen, "write", _slowly(Pen.write))
    before = len(entries(house))
    with house.gateway.store.transaction(house.clock.now) as tx:
        tx.connection.execute(_no_more_entries)

    def sign_and_tell() -> None:
        with house.gateway.store.transaction(house.clock.now) as tx:
            sign(tx, house, 1)
            tx.record(REFUSED)
            tx.told += [Told(OdsCode(PRACTICE), FeedKind.REFERRAL, NOTHING)] * (
                told == "at the next wait"
            )

    with pytest.raises(IntegrityError):
        sign_and_tell()
    with house.gateway.store.reading() as view:
        assert view.connection.execute(select(checkpoint)).all() == []
    assert len(entries(house)) == before
