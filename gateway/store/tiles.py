"""Tiles of the ledger's tree: made from its entries once, so that a proof asks for few rows.

What enters: the entries of a log. What leaves: the hashes of any tile of its tree, for
`ledger.proof`. Only full tiles are kept; a partial one is read from the level below. Tiles can
be made again from the entries at any time. Source: c2sp.org/tlog-tiles.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, insert, select

from gateway.errors import DamagedRecordError
from gateway.ledger.merkle import HASH_BYTES, leaf_hash
from gateway.ledger.proof import HashReader
from gateway.ledger.tiles import TILE_WIDTH, join_pairs
from gateway.store.engine import Reading, Transaction
from gateway.store.tables_ledger import ledger_entry, ledger_tile

_ADD = insert(ledger_tile)


def fill(tx: Transaction, log: str, size: int, *, at_most: int) -> int:
    """Make full tiles of the first `size` entries that are not there yet, of each level.

    Returns: how many were made; fewer than `at_most` means that none is missing.

    Raises:
        DamagedRecordError: an entry is missing, or its stored hash is not that of its body.
    """
    made = 0
    for level in range(size.bit_length() // 8):
        wanted = size // TILE_WIDTH ** (level + 1)
        for index in range(_next(tx, log, level), wanted):
            if made == at_most:
                return made
            hashes = _checked_leaves(tx, log, index) if level == 0 else None
            _add(tx, log, level, index, hashes or _below(tx, log, level, index, TILE_WIDTH))
            made += 1
    return made


def reader(view: Reading | Transaction, log: str) -> HashReader:
    """Answer `ledger.proof` from the tiles that are kept, and from below where none is."""
    return partial(_read, view, log)


def _read(
    view: Reading | Transaction, log: str, level: int, index: int, width: int
) -> Sequence[bytes]:
    kept = view.connection.execute(
        select(ledger_tile.c.hashes).where(
            ledger_tile.c.log == log, ledger_tile.c.level == level, ledger_tile.c.idx == index
        )
    ).scalar_one_or_none()
    if kept is None:
        return _below(view, log, level, index, width)
    return [kept[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]


def _below(
    view: Reading | Transaction, log: str, level: int, index: int, width: int
) -> Sequence[bytes]:
    """Read the hashes of a tile from the level below it: leaves, or the roots of tiles."""
    first = index * TILE_WIDTH
    if level == 0:
        query = (
            select(ledger_entry.c.leaf_hash)
            .where(ledger_entry.c.log == log, ledger_entry.c.idx >= first)
            .where(ledger_entry.c.idx < first + width)
            .order_by(ledger_entry.c.idx)
        )
    else:
        query = (
            select(ledger_tile.c.root)
            .where(ledger_tile.c.log == log, ledger_tile.c.level == level - 1)
            .where(ledger_tile.c.idx >= first, ledger_tile.c.idx < first + width)
            .order_by(ledger_tile.c.idx)
        )
    hashes = list(view.connection.execute(query).scalars())
    if len(hashes) != width:
        msg = "the ledger's tree has a gap: `gateway ledger verify` says where"
        raise DamagedRecordError(msg)
    return hashes


def check_tail(view: Reading | Transaction, log: str, size: int) -> None:
    """Check the stored hashes of the entries that stand in no full tile yet.

    Raises:
        DamagedRecordError: an entry is missing, or its stored hash is not that of its body.
    """
    whole = size // TILE_WIDTH
    if size % TILE_WIDTH:
        _checked_leaves(view, log, whole, size % TILE_WIDTH)


def _checked_leaves(
    view: Reading | Transaction, log: str, index: int, width: int = TILE_WIDTH
) -> Sequence[bytes]:
    first = index * TILE_WIDTH
    rows = view.connection.execute(
        select(ledger_entry.c.body, ledger_entry.c.leaf_hash)
        .where(ledger_entry.c.log == log, ledger_entry.c.idx >= first)
        .where(ledger_entry.c.idx < first + width)
        .order_by(ledger_entry.c.idx)
    ).all()
    hashes = [leaf_hash(row.body) for row in rows]
    if len(hashes) != width or hashes != [row.leaf_hash for row in rows]:
        msg = "an entry of the ledger is missing or was changed: `gateway ledger verify` says which"
        raise DamagedRecordError(msg)
    return hashes


def _next(view: Reading | Transaction, log: str, level: int) -> int:
    last = view.connection.execute(
        select(func.max(ledger_tile.c.idx)).where(
            ledger_tile.c.log == log, ledger_tile.c.level == level
        )
    ).scalar_one()
    return 0 if last is None else last + 1


def _add(tx: Transaction, log: str, level: int, index: int, hashes: Sequence[bytes]) -> None:
    row = {"log": log, "level": level, "idx": index}
    tx.connection.execute(_ADD, row | {"root": join_pairs(hashes), "hashes": b"".join(hashes)})
