"""Details of ledger entries: who exactly, with which facts, sealed beside the leaf.

What enters: an entry on a person and what else is known of the act. What leaves: the entry,
whose leaf commits to the detail without telling it. Salt and detail are sealed under the
person's key, so erasing the person makes both unreadable and the commitment unguessable.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, select

from gateway.errors import DamagedRecordError
from gateway.ledger.entry import Entry
from gateway.ledger.seal import commit, read_placed
from gateway.referral.identifiers import Handle
from gateway.store import persons
from gateway.store.engine import Reading, Transaction
from gateway.store.ledger import Sealed
from gateway.store.tables import decision, person
from gateway.store.tables_ledger import ledger_detail, ledger_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A detail that was opened, with the salt that its commitment was made with."""

    salt: bytes = field(repr=False)
    detail: bytes = field(repr=False)


def record(tx: Transaction, entry: Entry, detail: Mapping[str, object]) -> None:
    """Record an entry on a person, with a detail sealed beside it; times become ISO 8601."""
    _record(tx, entry, written(detail), is_own=True)


def record_decided(tx: Transaction, entry: Entry, detail: bytes) -> None:
    """Record a decision; the detail is kept with the decision, and committed to here."""
    _record(tx, entry, detail, is_own=False)


def written(detail: Mapping[str, object]) -> bytes:
    """Write a detail as the JSON that is sealed, byte for byte."""
    text = json.dumps(detail, default=datetime.isoformat, separators=(",", ":"))
    return text.encode()


def _record(tx: Transaction, entry: Entry, detail: bytes, *, is_own: bool) -> None:
    if entry.subject is None:
        msg = "a detail is sealed under the key of a person"
        raise AssertionError(msg)
    key = persons.key_of(tx, Handle(entry.subject))
    salt = tx.vault.new_salt()
    committed = commit(salt, detail)
    tx.record_sealed(
        entry,
        Sealed(
            commit=committed,
            salt=tx.vault.seal(key, salt, f"salt/{committed}"),
            detail=tx.vault.seal(key, detail, f"detail/{committed}") if is_own else None,
        ),
    )


def open_detail(view: Reading | Transaction, log: str, index: int) -> Opened | None:
    """Open what is sealed beside an entry; None: nothing is, or the person was erased.

    Raises:
        DamagedRecordError: it does not open, or is not what the leaf committed to.
    """
    on = and_(ledger_entry.c.log == ledger_detail.c.log, ledger_entry.c.idx == ledger_detail.c.idx)
    row = view.connection.execute(
        select(ledger_detail, ledger_entry.c.body, person.c.wrapped_key)
        .join(ledger_entry, on)
        .join(person, person.c.handle == ledger_detail.c.subject)
        .where(ledger_detail.c.log == log, ledger_detail.c.idx == index)
    ).one_or_none()
    if row is None:
        return None
    placed = read_placed(row.body)
    key = view.vault.open_key(row.wrapped_key, f"person/{row.subject}")
    salt = view.vault.open(key, row.sealed_salt, f"salt/{placed.detail_commit}")
    if row.sealed_detail is None:
        name = str(getattr(placed.entry, "decision", ""))
        kept = view.connection.execute(
            select(decision.c.sealed_detail).where(decision.c.id == name)
        ).scalar_one()
        detail = view.vault.open(key, kept, f"decision/{name}")
    else:
        detail = view.vault.open(key, row.sealed_detail, f"detail/{placed.detail_commit}")
    if commit(salt, detail) != placed.detail_commit:
        msg = "a sealed detail is not the one that its entry committed to"
        raise DamagedRecordError(msg)
    return Opened(salt=salt, detail=detail)
