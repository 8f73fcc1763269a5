"""Checkpoints and cosignatures: added once, never changed; and under which key they are signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway.ledger.checkpoint import Checkpoint
from gateway.ledger.kinds import EntryKind
from gateway.store.engine import Reading, Transaction
from gateway.store.tables_ledger import checkpoint, cosignature, ledger_entry, ledger_key

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_OF_THEMSELVES = (
    EntryKind.CHECKPOINT_PUBLISHED,
    EntryKind.CHECKPOINT_COSIGNED,
    EntryKind.CHECKPOINT_REFUSED,
    EntryKind.KEY_ROTATED,
)
"""Entries that publishing writes itself: alone they make no new checkpoint due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A published checkpoint: what it says, and the signed note without cosignatures."""

    checkpoint: Checkpoint
    note: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """That a witness cosigned a checkpoint; `line` is its signature line."""

    size: int
    witness: str
    line: str
    made_at: datetime


def newest(view: Reading | Transaction, log: str) -> Signed | None:
    """Find the newest checkpoint of a log."""
    row = view.connection.execute(
        select(checkpoint)
        .where(checkpoint.c.log == log)
        .order_by(checkpoint.c.size.desc())
        .limit(1)
    ).one_or_none()
    return _signed(row) if row else None


def of_size(view: Reading | Transaction, log: str, size: int) -> Signed | None:
    """Find the checkpoint of a log at one size."""
    row = view.connection.execute(
        select(checkpoint).where(checkpoint.c.log == log, checkpoint.c.size == size)
    ).one_or_none()
    return _signed(row) if row else None


def _signed(row: Row[Any]) -> Signed:
    told = Checkpoint(origin=row.log, size=row.size, root=row.root)
    return Signed(checkpoint=told, note=row.note, made_at=row.made_at)


def add(tx: Transaction, signed: Signed) -> bool:
    """Keep a checkpoint; tell whether it is new. One of this size may be there already."""
    told = signed.checkpoint
    row = {"log": told.origin, "size": told.size, "root": told.root, "note": signed.note}
    return _is_added(tx, checkpoint, row | {"made_at": signed.made_at})


def has_news(view: Reading | Transaction, log: str, since: int) -> bool:
    """Tell whether an entry from index `since` on is about anything but checkpoints."""
    found = view.connection.execute(
        select(ledger_entry.c.idx)
        .where(ledger_entry.c.log == log, ledger_entry.c.idx >= since)
        .where(ledger_entry.c.kind.not_in(_OF_THEMSELVES))
        .limit(1)
    )
    return found.one_or_none() is not None


def note_of(view: Reading | Transaction, signed: Signed) -> str:
    """Return the note with the cosignatures that it has by now."""
    told = signed.checkpoint
    lines = [each.line for each in cosignatures(view, told.origin, told.size)]
    return signed.note + "".join(lines)


def cosignatures(view: Reading | Transaction, log: str, size: int) -> Sequence[Cosigned]:
    """List the cosignatures of one checkpoint."""
    rows = view.connection.execute(
        select(cosignature)
        .where(cosignature.c.log == log, cosignature.c.size == size)
        .order_by(cosignature.c.made_at, cosignature.c.witness)
    )
    return [_cosigned(row) for row in rows]


def last_cosigned(view: Reading | Transaction, log: str, witness: str) -> int:
    """Tell the size that a witness cosigned last; 0: none."""
    found = view.connection.execute(
        select(func.max(cosignature.c.size)).where(
            cosignature.c.log == log, cosignature.c.witness == witness
        )
    ).scalar_one()
    return found or 0


def add_cosignature(tx: Transaction, log: str, cosigned: Cosigned) -> bool:
    """Keep a cosignature; tell whether it is new."""
    row = {
        "log": log,
        "size": cosigned.size,
        "witness": cosigned.witness,
        "line": cosigned.line,
        "made_at": cosigned.made_at,
    }
    return _is_added(tx, cosignature, row)


def _is_added(tx: Transaction, table: Table, row: dict[str, object]) -> bool:
    added = _INSERTS[tx.connection.dialect.name](table).on_conflict_do_nothing()
    new = tx.connection.execute(added.returning(table.c.size), row)
    return new.one_or_none() is not None


def _cosigned(row: Row[Any]) -> Cosigned:
    return Cosigned(size=row.size, witness=row.witness, line=row.line, made_at=row.made_at)


def signing_key(view: Reading | Transaction) -> bytes | None:
    """Return the public key that signs: the newest; None: none ever did."""
    return view.connection.execute(
        select(ledger_key.c.public_key).order_by(ledger_key.c.since.desc()).limit(1)
    ).scalar_one_or_none()


def signing_keys(view: Reading | Transaction) -> Sequence[bytes]:
    """List the public keys that have signed, the newest first."""
    query = select(ledger_key.c.public_key).order_by(ledger_key.c.since.desc())
    return list(view.connection.execute(query).scalars())


def add_signing_key(tx: Transaction, public_key: bytes) -> None:
    """Keep a public key as the one that signs from here on, also where it did before."""
    tx.connection.execute(delete(ledger_key).where(ledger_key.c.public_key == public_key))
    tx.connection.execute(insert(ledger_key), {"public_key": public_key, "since": tx.at})
