"""Persons: one random handle for each (patient, practice), so practices cannot be linked."""

import secrets

from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from gateway.errors import StoreUnavailableError
from gateway.referral.identifiers import Handle, NhsNumber, OdsCode
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import person
from gateway.store.vault import RowKey

_FIND = select(person.c.handle, person.c.wrapped_key).where(person.c.lookup == bindparam("lookup"))
_KEY = select(person.c.wrapped_key).where(person.c.handle == bindparam("handle"))
_ADD = insert(person)
_ADD_UNLESS_KNOWN = postgresql_insert(person).on_conflict_do_nothing(index_elements=["lookup"])


def find_handle(view: Reading | Transaction, practice: OdsCode, number: NhsNumber) -> Handle | None:
    """Find the handle of a patient at a practice by the keyed hash of the NHS number."""
    lookup = view.vault.lookup("nhs-number", practice, number)
    found = view.connection.execute(_FIND, {"lookup": lookup}).one_or_none()
    if found is None:
        return None
    view.wrapped_keys[found.handle] = found.wrapped_key
    return Handle(found.handle)


def meet(tx: Transaction, practice: OdsCode, number: NhsNumber | None) -> Handle:
    """Find or make the handle of a patient at a practice.

    Without an NHS number nobody can be recognised: each time is a new handle.
    """
    if number is not None and (known := find_handle(tx, practice, number)):
        return known
    handle = Handle(secrets.token_hex(16))
    key = tx.vault.new_key(f"person/{handle}")
    row = {
        "handle": handle,
        "practice": practice,
        "lookup": tx.vault.lookup("nhs-number", practice, number) if number else None,
        "wrapped_key": key.wrapped,
        "sealed_nhs_number": (
            tx.vault.seal(key, number.encode(), f"person/{handle}/nhs-number") if number else None
        ),
        "created_at": tx.at,
    }
    if number is None or tx.connection.dialect.name == "sqlite":
        tx.connection.execute(_ADD, row)
        tx.wrapped_keys[handle] = key.wrapped
        return handle
    # Two web processes may meet the same person at once: the second takes the first's handle.
    tx.connection.execute(_ADD_UNLESS_KNOWN, row)
    known = find_handle(tx, practice, number)
    if known is None:
        msg = "a person row vanished inside its own transaction"
        raise StoreUnavailableError(msg)
    return known


def key_of(view: Reading | Transaction, handle: Handle) -> RowKey:
    """Open the key under which this person's decisions are sealed."""
    wrapped = view.wrapped_keys.get(handle)
    if wrapped is None:
        wrapped = view.connection.execute(_KEY, {"handle": handle}).scalar_one()
    return view.vault.open_key(wrapped, f"person/{handle}")
