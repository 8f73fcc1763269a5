"""Gates: how often the sharing of a practice, with a recipient, or of a person was changed.

What enters: whose. What leaves: their epochs. A change of sharing adds one in its own
transaction, so that an epoch in a ledger entry says which changes came before it. A release
holds the three rows it goes through, so each release comes before a change or after it.
Source: the sharing rules, section 10.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.values import Epochs
from gateway.referral.identifiers import Handle, OdsCode, ReferralId
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import gate, referral

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_KINDS = ("practice", "recipient", "subject")
_FIND = select(gate.c.kind, gate.c.epoch).where(
    or_(*(and_(gate.c.kind == kind, gate.c.key == bindparam(kind)) for kind in _KINDS))
)
_HOLD = (
    select(gate.c.kind, gate.c.epoch, referral.c.subject)
    .join_from(
        referral,
        gate,
        or_(
            and_(gate.c.kind == "practice", gate.c.key == referral.c.practice),
            and_(gate.c.kind == "recipient", gate.c.key == bindparam("recipient")),
            and_(gate.c.kind == "subject", gate.c.key == referral.c.subject),
        ),
    )
    .where(referral.c.id == bindparam("of_referral"))
    .order_by(gate.c.kind, gate.c.key)
    .with_for_update(read=True, of=gate)
)
_MAKE_LAST: dict[str, Any] = {
    name: insert(gate)
    .values(kind="subject", key=bindparam("subject"), epoch=0)
    .on_conflict_do_nothing()
    .returning(gate.c.epoch)
    for name, insert in _INSERTS.items()
}
_WHOSE = select(referral.c.practice, referral.c.subject).where(
    referral.c.id == bindparam("of_referral")
)


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


def hold(tx: Transaction, referral_id: ReferralId, *, recipient: OdsCode) -> Epochs:
    """Keep the sharing that a referral goes through as it is until this transaction ends.

    Whoever would change it waits; whoever changed it has committed, so that what is read from
    here on is what they wrote. The rows are locked in the order in which `change` takes them.
    Whose sharing it is never changes, so nothing of the referral is locked.

    Returns: the epochs of its practice, the recipient and its person.
    """
    named = {"of_referral": referral_id, "recipient": recipient}
    rows = tx.connection.execute(_HOLD, named).all()
    found = {row.kind: row.epoch for row in rows}
    if found.keys() == {"practice", "recipient"} and _make_last(tx, rows[0].subject):
        return Epochs(**found, subject=0)
    if len(found) < len(_KINDS):
        _make_all(tx, named)
        found = {row.kind: row.epoch for row in tx.connection.execute(_HOLD, named)}
    return Epochs(**found)


def _make_last(tx: Transaction, subject: Handle) -> bool:
    """Make the gate that comes last, and so hold it; tell whether nobody had made it yet."""
    make = _MAKE_LAST[tx.connection.dialect.name]
    return tx.connection.execute(make, {"subject": subject}).first() is not None


def _make_all(tx: Transaction, named: Mapping[str, str]) -> None:
    whose = tx.connection.execute(_WHOSE, named).one()
    keys = {"practice": whose.practice, "subject": whose.subject, "recipient": named["recipient"]}
    make = _INSERTS[tx.connection.dialect.name](gate).on_conflict_do_nothing()
    tx.connection.execute(
        make, [{"kind": kind, "key": key, "epoch": 0} for kind, key in sorted(keys.items())]
    )


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
