"""Sign the ledger's heads, so that whoever keeps a checkpoint can prove a later change.

What enters: the ledger, and signers. What leaves: a checkpoint for each log that has news,
stored with its entry in one transaction. Must never: sign a head that does not continue the
checkpoint before it, or that its own entries do not hash to; or hold a transaction while a
signer works, which may be another machine.
Source: c2sp.org/tlog-checkpoint; the sharing rules, section 9.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from gateway.errors import DamagedRecordError
from gateway.journey.gateway import Gateway
from gateway.ledger.checkpoint import Checkpoint, sign_checkpoint
from gateway.ledger.entry import ChainVerifyFailed, CheckpointPublished, KeyRotated
from gateway.ledger.merkle import Frontier
from gateway.ledger.note import ED25519, Signer, VerifierKey
from gateway.ledger.proof import root_at
from gateway.store import checkpoints, ledger, tiles
from gateway.store.checkpoints import Signed
from gateway.store.engine import Transaction

ACTOR = "checkpointer"
EMPTY_ROOT = Frontier().root()
_TILES_AT_A_TIME = 16
"""Tiles that one transaction makes: about 4,000 entries are read in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a log that has news is signed: so long after the last time, or after so many entries."""

    every: timedelta
    entries: int


def publish(gateway: Gateway, signers: Sequence[Signer], *, due: Due | None = None) -> list[Signed]:
    """Sign the head of each log that has news since its last checkpoint.

    For each log:

    1. Look whether there is news, and whether it is due (`due` None: at once).
    2. Make the tiles that are missing, from the entries' bytes.
    --- one moment ---
    3. Check that the tree gives the root of the head, and that of the last checkpoint.
    --- end ---
    4. Sign. The first signer is the current key; the others are on their way out or in.
    --- one transaction ---
    5. Store the checkpoint, and record it; and the key, where it is another than before.
    --- end ---

    Returns: the checkpoints that were made.

    Raises:
        DamagedRecordError: the ledger is broken. That is on record, and nothing was signed.
        ValueError: a signer returned what does not verify. Nothing was stored.
    """
    with gateway.store.reading() as view:
        logs = [log for log, _ in ledger.logs(view.connection)]
    made = []
    for log in logs:
        if _is_due(gateway, log, due):
            signed = _publish(gateway, log, signers)
            made += [signed] if signed else []
    return made


def _is_due(gateway: Gateway, log: str, due: Due | None) -> bool:
    with gateway.store.reading(as_one_moment=True) as view:
        last = checkpoints.newest(view, log)
        since = last.checkpoint.size if last else 0
        size = ledger.head_of(view.connection, log).size
        # The log of a year that is over is signed whole, up to its own last checkpoint's entry.
        is_unfinished = year_of(log) < gateway.clock().year and size > since
        if size >= since and not is_unfinished and not checkpoints.has_news(view, log, since):
            return False
    if due is None or last is None or size < since:
        return True
    return gateway.clock() - last.made_at >= due.every or size - since >= due.entries


def _publish(gateway: Gateway, log: str, signers: Sequence[Signer]) -> Signed | None:
    try:
        head = _checked(gateway, log)
    except DamagedRecordError:
        _record_broken(gateway, log)
        raise
    if head is None:
        return None
    now = gateway.clock()
    signed = Signed(checkpoint=head, note=sign_checkpoint(head, signers), made_at=now)
    with gateway.store.transaction(now) as tx:
        if not checkpoints.add(tx, signed):
            return None
        _record_key(tx, signers[0].public_key)
        key = VerifierKey(name=log, algorithm=ED25519, public_key=signers[0].public_key)
        tx.record(
            CheckpointPublished(
                actor=ACTOR,
                year=year_of(log),
                size=head.size,
                root=head.root.hex(),
                key=key.key_id.hex(),
            )
        )
    return signed


def _checked(gateway: Gateway, log: str) -> Checkpoint | None:
    """Steps 2 and 3. None: another process signed a later head meanwhile."""
    with gateway.store.reading() as view:
        head = ledger.head_of(view.connection, log)
    made = _TILES_AT_A_TIME
    while made == _TILES_AT_A_TIME:
        with gateway.store.transaction(gateway.clock()) as tx:
            made = tiles.fill(tx, log, head.size, at_most=_TILES_AT_A_TIME)
    with gateway.store.reading(as_one_moment=True) as view:
        last = checkpoints.newest(view, log)
        before = last.checkpoint if last else Checkpoint(origin=log, size=0, root=EMPTY_ROOT)
        if before.size > head.size:
            now = ledger.head_of(view.connection, log).size
            _check(now >= before.size, "its head lies behind its last checkpoint")
            return None
        tiles.check_tail(view, log, head.size)
        read = tiles.reader(view, log)
        root = root_at(head.size, read)
        _check(root == head.root(), "the root over its entries is not that of its head")
        grew = root_at(before.size, read) == before.root
        _check(grew, "it does not continue its last checkpoint")
    return Checkpoint(origin=log, size=head.size, root=root)


def _check(holds: bool, text: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        msg = f"the ledger is broken, and nothing was signed: {text}"
        raise DamagedRecordError(msg)


def _record_broken(gateway: Gateway, log: str) -> None:
    """Record that a log is broken, unless it is so broken that it takes no entry."""
    with suppress(Exception), gateway.store.transaction(gateway.clock()) as tx:
        size = ledger.head_of(tx.connection, log).size
        tx.record(
            ChainVerifyFailed(actor=ACTOR, year=year_of(log), size=size, code="head-not-signed")
        )


def _record_key(tx: Transaction, public_key: bytes) -> None:
    """Record that another key signs than before."""
    before = checkpoints.signing_key(tx)
    if before != public_key:
        checkpoints.add_signing_key(tx, public_key)
        tx.record(
            KeyRotated(
                actor=ACTOR,
                old_key_sha256=hashlib.sha256(before).hexdigest() if before else None,
                new_key_sha256=hashlib.sha256(public_key).hexdigest(),
            )
        )


def year_of(log: str) -> int:
    """Tell the year of a log, which ends its name."""
    return int(log[-4:])
