"""Gates: how often the sharing of a practice, with a recipient, or of a person was changed.

What enters: whose. What leaves: their epochs. A change of sharing adds one in its own
transaction, so that an epoch in a ledger entry says which changes came before it. A release
holds the three rows it goes through, so each release comes before a change or after it.
Source: the sharing rules, section 10.
"""

from typing import Any

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.values import Epochs
from gateway.referral.identifiers import Handle, OdsCode
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import gate

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_KINDS = ("practice", "recipient", "subject")
_FIND = select(gate.c.kind, gate.c.epoch).where(
    or_(*(and_(gate.c.kind == kind, gate.c.key == bindparam(kind)) for kind in _KINDS))
)
_HOLD = _FIND.order_by(gate.c.kind, gate.c.key).with_for_update(read=True)


def epochs(
    view: Reading | Transaction,
    *,
    practice: OdsCode | None = None,
    recipient: OdsCode | None = None,
    subject: Handle | None = None,
) -> Epochs:
    """Tell how often the sharing of each has been changed; None for whom nobody asked."""
    asked = {"practice": practice, "recipient": recipient, "subject": subject}
    found = {row.kind: row.epoch for row in view.connection.execute(_FIND, asked)}
    return Epochs(
        **{kind: None if key is None else found.get(kind, 0) for kind, key in asked.items()}
    )


def hold(tx: Transaction, *, practice: OdsCode, recipient: OdsCode, subject: Handle) -> Epochs:
    """Keep the sharing of all three as it is until this transaction ends; tell their epochs.

    Whoever would change it waits; whoever changed it has committed, so that what is read from
    here on is what they wrote. The rows are locked in the order in which `change` takes them.
    """
    asked = {"practice": practice, "recipient": recipient, "subject": subject}
    found = {row.kind: row.epoch for row in tx.connection.execute(_HOLD, asked)}
    if len(found) < len(asked):
        make = _INSERTS[tx.connection.dialect.name](gate).on_conflict_do_nothing()
        rows = [{"kind": k, "key": v, "epoch": 0} for k, v in sorted(asked.items())]
        tx.connection.execute(make, rows)
        found = {row.kind: row.epoch for row in tx.connection.execute(_HOLD, asked)}
    return Epochs(**found)


def change(
    tx: Transaction,
    *,
    practice: OdsCode | None = None,
    recipient: OdsCode | None = None,
    subject: Handle | None = None,
) -> Epochs:
    """Add one to the epoch of each, in one order for all writers; tell what they are then."""
    asked = {"practice": practice, "recipient": recipient, "subject": subject}
    added = _INSERTS[tx.connection.dialect.name](gate)
    add_one = added.on_conflict_do_update(
        index_elements=["kind", "key"], set_={"epoch": gate.c.epoch + 1}
    )
    for kind, key in sorted(asked.items()):
        if key is not None:
            tx.connection.execute(add_one, {"kind": kind, "key": key, "epoch": 1})
    return epochs(tx, practice=practice, recipient=recipient, subject=subject)
