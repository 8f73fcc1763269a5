"""A database as years of use leave it: a directory, what practices agreed, a consent register.

What enters: a store with an empty, current schema, and how much is wanted. What leaves: rows
as the gateway itself would have written them, each person and each Consent sealed under a key
of its own. The rows go in by thousands, past `journey`: no ledger entry is written for them.
All people are invented; their NHS numbers are from the 999 test range.
"""

import hashlib
import json
import os
import secrets
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert

from gateway.referral.model import ANY_SYSTEM
from gateway.store import consents, tables
from gateway.store.engine import Store
from gateway.store.vault import Vault
from tests.bench.country import (
    SINCE,
    Country,
    agreement_rows,
    directory_rows,
    nhs_number_of,
    switch_rows,
)
from tests.builders.register import NAMES, to_register

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the name of their table, in an order that foreign keys allow."""

GIVEN = datetime(2026, 10, 30, 10, 0, tzinfo=UTC)
_NOBODY, _NO_NAME = "the NHS number", "the name"
_AT_ONCE = 5_000
"""Consents that one process seals, and one transaction writes."""
_AHEAD = 4
"""Parcels of rows that may wait for the database."""
_PRACTICES_AT_ONCE = 1_000
_SQLITE_CACHE_KIB = 512 * 1024
"""While it is filled: the indexes by random names outgrow the usual 2 MiB."""


def fresh_vault() -> Vault:
    """Make a vault with the keys of every bench; nonces and keys of rows are random."""
    return Vault({"k1": bytes(32)}, bytes(range(32)), os.urandom)


def fill_directory(store: Store, country: Country) -> None:
    """Write the directory, two agreements for each practice, and each of its switches."""
    _write(store, {"directory_record": list(directory_rows(country))})
    practices = country.all_practices()
    for start in range(0, len(practices), _PRACTICES_AT_ONCE):
        some = practices[start : start + _PRACTICES_AT_ONCE]
        agreements = [row for practice in some for row in agreement_rows(country, practice)]
        switches = [row for practice in some for row in switch_rows(practice)]
        _write(store, {"agreement_event": agreements, "switch_event": switches})


def add_consents(
    store: Store, country: Country, persons: range, *, processes: int = 0
) -> Iterator[int]:
    """Give each of these persons a Consent in the register, while the answer is read.

    Args:
        store: where they go.
        country: what the directory was filled with.
        persons: those that are not there yet.
        processes: how many seal at once; 0: this one does.

    Yields:
        After each transaction, how many persons there are now.
    """
    parts = [persons[start : start + _AT_ONCE] for start in range(0, len(persons), _AT_ONCE)]
    for part, rows in zip(parts, _sealed_in_turn(country, parts, processes), strict=True):
        _write(store, rows)
        yield part.stop


def tidy(store: Store) -> None:
    """Do what the database does by itself in time: PostgreSQL's statistics, or the WAL's end."""
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in ("SET statement_timeout = 0", "VACUUM ANALYZE", "CHECKPOINT"):
            alone.exec_driver_sql(statement)


def _sealed_in_turn(country: Country, parts: Sequence[range], processes: int) -> Iterator[Rows]:
    """Give the rows of each part, in order; no more than a few wait in memory."""
    if not processes:
        yield from (_sealed(country, part) for part in parts)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Rows]] = deque()
        for part in parts:
            waiting.append(pool.submit(_sealed, country, part))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        for sealed in waiting:
            yield sealed.result()


def _sealed(country: Country, persons: range) -> Rows:
    """Make the rows of some persons and of their Consents."""
    vault, rows = fresh_vault(), _no_rows()
    for number in persons:
        practice, nhs_number = country.practice_of(number), nhs_number_of(number)
        text = _consent(country.provider_of(practice)).replace(_NOBODY, nhs_number)
        name = f"C-{number}"
        person = _person(vault, practice, nhs_number)
        rows["person"].append(person)
        body = text.replace(_NO_NAME, name).encode()
        consent, version = _registered(vault, practice, person["handle"], body)
        rows["consent"].append(consent)
        rows["consent_version"].append(version)
        rows["consent_identifier"] += [
            {"consent": consent["id"], "lookup": vault.lookup("identifier", system, name)}
            for system in (NAMES, ANY_SYSTEM)
        ]
    return rows


def _no_rows() -> dict[str, list[Mapping[str, Any]]]:
    return {name: [] for name in ("person", "consent", "consent_version", "consent_identifier")}


def _person(vault: Vault, practice: str, nhs_number: str) -> Mapping[str, Any]:
    """Write a person as `persons.meet` does."""
    handle = secrets.token_hex(16)
    key = vault.new_key(f"person/{handle}")
    return {
        "handle": handle,
        "practice": practice,
        "lookup": vault.lookup("nhs-number", practice, nhs_number),
        "wrapped_key": key.wrapped,
        "sealed_nhs_number": vault.seal(key, nhs_number.encode(), f"person/{handle}/nhs-number"),
        "created_at": GIVEN,
    }


def _registered(
    vault: Vault, practice: str, subject: str, body: bytes
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Write a Consent and its first version as `consents.add` does."""
    consent_id = str(uuid.uuid4())
    key = vault.new_key(consents._name_of(consent_id))
    consent = {
        "id": consent_id,
        "practice": practice,
        "subject": subject,
        "version": 1,
        "status": "active",
        "wrapped_key": key.wrapped,
        "created_at": GIVEN,
        "updated_at": GIVEN,
    }
    version = {
        "consent": consent_id,
        "version": 1,
        "status": "active",
        "effective_at": GIVEN,
        "recorded_at": GIVEN,
        "client": "gp-system",
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "sealed_body": vault.seal(key, body, consents._place(consent_id, 1)),
    }
    return consent, version


@cache
def _consent(provider: str) -> str:
    """Write a Consent as a practice sends it: narrative, period, and room for whose it is."""
    tree = to_register(_NO_NAME, number=_NOBODY, to=provider, dateTime=GIVEN.isoformat())
    tree["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">The patient agrees that this practice'
        " refers them to the occupational health provider named below, and that it sends what"
        " the provider needs to know of their health for that purpose.</div>",
    }
    tree["provision"]["period"] = {"start": "2026-10-30", "end": "2027-04-30"}
    return json.dumps(tree)


def _write(store: Store, rows: Rows) -> None:
    with store.transaction(SINCE) as tx:
        for name, some in rows.items():
            _write_table(tx.connection, tables.metadata.tables[name], some)


def _write_table(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if connection.dialect.name == "sqlite":
        statement = str(insert(table).compile(dialect=connection.dialect))
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_SQLITE_CACHE_KIB}")
        connection.exec_driver_sql(statement, list(_bound(connection.dialect, table, rows)))
        return
    names = [column.name for column in table.c]
    columns = ", ".join(f'"{name}"' for name in names)
    driver: Any = connection.connection.driver_connection  # psycopg's own, which can COPY
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row([row[name] for name in names])


def _bound(
    dialect: Dialect, table: Table, rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Any, ...]]:
    """Write values as the columns' types do; a statement for each row would take longer."""
    writers = [(c.name, c.type.dialect_impl(dialect).bind_processor(dialect)) for c in table.c]
    for row in rows:
        yield tuple(write(row[name]) if write else row[name] for name, write in writers)
