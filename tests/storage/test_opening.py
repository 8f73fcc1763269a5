"""A database that others open and close at this moment is waited for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.store.engine import make_engine
from gateway.store.tables_ledger import ledger_head
from tests.builders.house import House

AT_ONCE, EACH = 8, 60


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the other is a server
def test_processes_that_come_and_go_find_the_database_open(house: House, database_url: str) -> None:
    """The last one that leaves SQLite locks its log of changes; so does the first that comes."""
    house.gateway.store.close()

    def come_and_go(_: int) -> int:
        counted = 0
        for _ in range(EACH):
            engine = make_engine(database_url, timeout=timedelta(seconds=20), pool_size=1)
            with engine.connect() as connection:
                counted += connection.scalar(select(func.count()).select_from(ledger_head)) or 0
            engine.dispose()
        return counted

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert len({*pool.map(come_and_go, range(AT_ONCE))}) == 1
