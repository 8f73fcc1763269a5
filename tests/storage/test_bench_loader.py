"""The store that the benchmark fills is one that the gateway reads: it cannot rot unseen."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.referral.directory import Switch
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.store import consents, persons, tables
from gateway.store.engine import Store
from tests.bench.country import SINCE, Country, nhs_number_of
from tests.bench.fill import add_consents, fill_directory, fresh_vault, tidy
from tests.bench.plans import tables_scanned
from tests.bench.store_facts import fact_times

SMALL = Country(practices=5, providers=3)
CONSENTS = 50


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(
        database_url,
        vault=fresh_vault(),
        ledger_origin="gateway.example/bench",
        timeout=timedelta(seconds=5),
        pool_size=2,
    )
    with closing(made):
        yield made


def test_every_table_is_filled_as_full_as_was_asked(store: Store) -> None:
    fill_directory(store, SMALL)
    assert list(add_consents(store, SMALL, range(CONSENTS))) == [CONSENTS]
    tidy(store)
    with store.reading() as view:
        found = {
            table.name: view.connection.execute(
                select(func.count()).select_from(table)
            ).scalar_one()
            for table in tables.metadata.sorted_tables
        }
    assert {name: count for name, count in found.items() if count} == {
        "directory_record": 42 + 5 + 3 * 3,
        "agreement_event": 5 * 2,
        "switch_event": 5 * len(Switch),
        "person": CONSENTS,
        "consent": CONSENTS,
        "consent_version": CONSENTS,
        "consent_identifier": CONSENTS * 2,
    }


def test_each_person_and_each_consent_has_a_key_of_its_own(store: Store) -> None:
    fill_directory(store, SMALL)
    list(add_consents(store, SMALL, range(CONSENTS)))
    practice, number = OdsCode(SMALL.practice_of(7)), NhsNumber(nhs_number_of(7))
    with store.reading() as view:
        handle = persons.find_handle(view, practice, number)
        assert handle is not None
        wrapped = [
            row.wrapped_key
            for table in (tables.person, tables.consent)
            for row in view.connection.execute(select(table.c.wrapped_key))
        ]
        mine = view.connection.execute(
            select(tables.consent.c.id).where(tables.consent.c.subject == handle)
        ).scalar_one()
        (version,) = consents.versions_of(view, mine)
    assert len(set(wrapped)) == len(wrapped) == 2 * CONSENTS
    assert f'"value": "{number}"'.encode() in version.body


def test_decisions_are_timed_on_consents_of_the_register(database_url: str) -> None:
    # Whatever is not permitted by a Consent of the register makes the bench fail.
    (found,) = fact_times(database_url, [CONSENTS], country=SMALL)
    assert (found.consents, found.samples) == (CONSENTS, CONSENTS // 2)
    assert all(0 < cost.clock.p50 <= cost.clock.p99 for cost in (found.short, found.long))
    whole = sum(times.p50 for times in found.parts.values())
    assert whole >= found.parts["the rules"].p50 > 0


def test_a_table_that_is_read_from_end_to_end_is_noticed(store: Store) -> None:
    status = select(tables.consent).where(tables.consent.c.status == "active")
    with store.transaction(SINCE) as tx:
        assert tables_scanned(tx.connection, lambda: tx.connection.execute(status)) == ("consent",)


def test_numbers_are_valid_and_of_the_test_range() -> None:
    numbers = [NhsNumber(nhs_number_of(person)) for person in range(0, 1_000_000, 997)]
    assert all(number.startswith("999") and number.checks for number in numbers)
    assert len({(SMALL.practice_of(n), nhs_number_of(n)) for n in range(3_000)}) == 3_000
