"""National data opt-outs, as the national service last answered. Found by a keyed hash."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from gateway.referral.identifiers import NhsNumber
from gateway.referral.lifecycle import ReferralState
from gateway.referral.sharing import OptOut
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import national_opt_out as row
from gateway.store.tables import person, referral

_FIND = select(row.c.opted_out, row.c.as_of).where(row.c.lookup == bindparam("lookup"))
_DROP = delete(row).where(row.c.lookup == bindparam("named"))
_ADD = insert(row)


def find(view: Reading | Transaction, number: NhsNumber) -> OptOut | None:
    """Find the last answer about a person; None where nobody ever asked."""
    found = view.connection.execute(_FIND, {"lookup": _lookup(view, number)}).one_or_none()
    return None if found is None else OptOut(opted_out=found.opted_out, as_of=found.as_of)


def put(tx: Transaction, answers: Mapping[NhsNumber, bool], as_of: datetime) -> None:
    """Keep answers in the place of earlier ones about the same persons."""
    if not answers:
        return
    looked_up = [(_lookup(tx, number), opted_out) for number, opted_out in answers.items()]
    tx.connection.execute(_DROP, [{"named": lookup} for lookup, _ in looked_up])
    rows = [{"lookup": key, "opted_out": out, "as_of": as_of} for key, out in looked_up]
    tx.connection.execute(_ADD, rows)


def wanted(view: Reading, purposes: Iterable[str], *, older_than: datetime) -> list[NhsNumber]:
    """List the persons whose referral for such a purpose waits, and of whom too little is known.

    Args:
        view: must see the database at one moment.
        purposes: for which an opt-out matters.
        older_than: an answer from before counts as none.
    """
    query = (
        select(person.c.handle, person.c.wrapped_key, person.c.sealed_nhs_number)
        .distinct()
        .join(referral, referral.c.subject == person.c.handle)
        .where(
            referral.c.purpose.in_(list(purposes)),
            referral.c.state.in_((ReferralState.HELD, ReferralState.QUEUED)),
            person.c.sealed_nhs_number.is_not(None),
        )
    )
    found = set()
    for handle, wrapped, sealed in view.connection.execute(query).all():
        key = view.vault.open_key(wrapped, f"person/{handle}")
        number = NhsNumber(view.vault.open(key, sealed, f"person/{handle}/nhs-number").decode())
        known = find(view, number)
        if known is None or known.as_of < older_than:
            found.add(number)
    return sorted(found)


def newer_than(
    view: Reading | Transaction, numbers: Iterable[NhsNumber], as_of: datetime
) -> set[NhsNumber]:
    """Return those of some persons about whom a later answer is here already."""
    found = ((number, find(view, number)) for number in numbers)
    return {number for number, known in found if known is not None and known.as_of > as_of}


def _lookup(view: Reading | Transaction, number: NhsNumber) -> bytes:
    return view.vault.lookup("national-opt-out", number)
