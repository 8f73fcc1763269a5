"""Have witnesses cosign checkpoints, so that no second history can be shown to somebody else.

What enters: the ledger's checkpoints, and a witness. What leaves: its cosignature, verified and
stored with its entry in one transaction; or its refusal, on record once for each change. Must
never: hold a transaction while a witness is asked, send a proof that does not hold, believe a
word of the answer before it is checked, or quote it. Not checked: the time that a cosignature
states. Source: c2sp.org/tlog-witness and tlog-cosignature; the sharing rules, section 9.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from gateway.errors import (
    DamagedRecordError,
    DeliveryError,
    DestinationUnreachableError,
)
from gateway.journey.gateway import Gateway
from gateway.journey.publish import ACTOR, year_of
from gateway.ledger.checkpoint import Checkpoint, add_checkpoint_request, read_cosignatures
from gateway.ledger.entry import CheckpointCosigned, CheckpointRefused
from gateway.ledger.note import VerifierKey
from gateway.ledger.proof import consistency_proof, root_at, verify_consistency
from gateway.store import checkpoints, ledger, tiles
from gateway.store.checkpoints import Cosigned
from gateway.store.engine import Reading

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)
"""How long a witness that refused is left alone: the first time, and where doubling ends."""

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_OK, _CONFLICT = 200, 409
_LAST_DOUBLING = 12


class Refusal(StrEnum):
    """Why there is no cosignature. Stands in entries: once released, never respelt."""

    UNREACHABLE = "unreachable"
    NO_REPLY = "no-reply"
    """No whole answer in time, or one that is too long."""
    NOT_UNDERSTOOD = "not-understood"
    """An answer that the protocol does not have, such as a redirect."""
    BUSY = "busy"
    MALFORMED = "malformed"
    UNKNOWN_LOG = "unknown-log"
    UNKNOWN_KEY = "unknown-key"
    NO_COSIGNATURE = "no-cosignature"
    BAD_COSIGNATURE = "bad-cosignature"
    CONFLICT = "conflict"
    """It named the size that it knows, and then another one."""
    AHEAD = "ahead"
    """It has seen more of this log than there is."""
    OTHER_HISTORY = "other-history"
    """It has seen another root at a size that this log had."""


ALARMS = frozenset({Refusal.AHEAD, Refusal.OTHER_HISTORY})
"""Of an honest witness they mean a fork: two histories, or a backup that was restored."""

_REFUSALS = {
    400: Refusal.MALFORMED,
    403: Refusal.UNKNOWN_KEY,
    404: Refusal.UNKNOWN_LOG,
    408: Refusal.BUSY,
    422: Refusal.OTHER_HISTORY,
    425: Refusal.BUSY,
    429: Refusal.BUSY,
}
"""What a status says. The proof of a 422 was checked here, so the witness knows another root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a witness answered: a status of HTTP, and a body of bounded length."""

    status: int
    body: bytes


class Witness(Protocol):
    """Whoever cosigns: `outbound/witness.py`, or a witness in the same process in tests."""

    @property
    def key(self) -> VerifierKey:
        """Return the key that its cosignatures must hold under."""

    def add_checkpoint(self, request: bytes) -> Reply:
        """Ask for a cosignature, in a bounded time.

        Raises:
            DestinationUnreachableError: there was no connection.
            NoReplyError: no usable answer came in time.
        """


@dataclass(slots=True)
class Standing:
    """What is remembered of a witness and a log: its last refusal, and when to ask again."""

    refusal: Refusal | None = None
    failures: int = 0
    ask_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A witness, and how it stands with each log. Used by one thread; forgotten at the end."""

    witness: Witness
    standings: dict[str, Standing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """That a witness stands otherwise with a log than before; `refusal` None: it cosigns again."""

    log: str
    refusal: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What a witness is asked: the checkpoint, the size to prove from, and the request.

    `request` None: the witness says to know a size that this log has not reached.
    """

    head: Checkpoint
    old: int
    request: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of asking about one checkpoint."""

    head: Checkpoint
    found: Cosigned | Refusal


def cosign(gateway: Gateway, cosigner: Cosigner) -> list[Change]:
    """Ask a witness about the newest checkpoint of each log, where it has not cosigned it.

    For each log:

    --- one moment ---
    1. Prove that the checkpoint continues the one that the witness cosigned last; check that.
    --- end ---
    2. Ask. Where it says that it knows another size, prove from there, and ask once more.
    3. Check its cosignature with its key.
    --- one transaction ---
    4. Store the cosignature, and record it; or record the refusal, where it is a new one.
    --- end ---

    A witness that gave no answer is asked about no other log in this turn.

    Returns: what changed, for the log of the program.

    Raises:
        DamagedRecordError: our own proof does not hold. Nothing was sent for that log.
    """
    with gateway.store.reading() as view:
        logs = [log for log, _ in ledger.logs(view.connection)]
    changes = []
    for log in logs:
        standing = cosigner.standings.setdefault(log, Standing())
        if standing.ask_at is not None and gateway.clock() < standing.ask_at:
            continue
        before = standing.refusal
        _turn(gateway, log, cosigner.witness, standing)
        if standing.refusal is not before:
            changes.append(Change(log=log, refusal=standing.refusal))
        if standing.refusal in (Refusal.UNREACHABLE, Refusal.NO_REPLY):
            break
    return changes


def _turn(gateway: Gateway, log: str, witness: Witness, standing: Standing) -> None:
    """Take one log to the witness, and settle what comes of it."""
    question = _question(gateway, log, witness)
    outcome = _asked(gateway, witness, question) if question else None
    if outcome is not None:
        if isinstance(outcome.found, Refusal):
            _refused(gateway, outcome.head, witness, standing, outcome.found)
            return
        _store(gateway, outcome.head, outcome.found)
    standing.refusal, standing.failures, standing.ask_at = None, 0, None


def _question(
    gateway: Gateway, log: str, witness: Witness, *, known: int | None = None
) -> _Question | None:
    """Step 1. `known` is the size that the witness says to know; else the store tells.

    Returns: nothing where there is nothing to ask.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        signed = checkpoints.newest(view, log)
        last = checkpoints.last_cosigned(view, log, witness.key.name)
        if signed is None or last >= signed.checkpoint.size:
            return None
        head, old = signed.checkpoint, last if known is None else known
        if old > head.size:
            return _Question(head=head, old=old, request=None)
        proof = _proof(view, head, old)
        request = add_checkpoint_request(old, proof, signed.note)
    return _Question(head=head, old=old, request=request)


def _proof(view: Reading, head: Checkpoint, old: int) -> tuple[bytes, ...]:
    read = tiles.reader(view, head.origin)
    proof = consistency_proof(old, head.size, read)
    if not verify_consistency(old, root_at(old, read), head.size, head.root, proof):
        msg = "the proof for a witness does not hold: `gateway ledger verify` says why"
        raise DamagedRecordError(msg)
    return proof


def _asked(gateway: Gateway, witness: Witness, question: _Question) -> _Outcome | None:
    """Step 2. None: another process had it cosigned meanwhile."""
    reply = _sent(witness, question)
    if isinstance(reply, Reply) and reply.status == _CONFLICT:
        known = _size_in(reply)
        if known is None:
            return _Outcome(head=question.head, found=Refusal.NOT_UNDERSTOOD)
        again = _question(gateway, question.head.origin, witness, known=known)
        if again is None:
            return None
        question, reply = again, _sent(witness, again)
    if isinstance(reply, Refusal):
        return _Outcome(head=question.head, found=reply)
    return _Outcome(head=question.head, found=_judged(gateway, witness.key, question, reply))


def _sent(witness: Witness, question: _Question) -> Reply | Refusal:
    if question.request is None:
        return Refusal.AHEAD
    try:
        return witness.add_checkpoint(question.request)
    except DestinationUnreachableError:
        return Refusal.UNREACHABLE
    except DeliveryError:
        return Refusal.NO_REPLY


def _size_in(reply: Reply) -> int | None:
    """Read the size that a witness says to know; None where the body says no such thing."""
    found = _SIZE.fullmatch(reply.body)
    return int(found[1]) if found else None


def _judged(
    gateway: Gateway, key: VerifierKey, question: _Question, reply: Reply
) -> Cosigned | Refusal:
    """Step 3. Of several lines by the same key, the first is kept."""
    if reply.status != _OK:
        return _refusal(question, reply)
    head = question.head
    try:
        lines = read_cosignatures(reply.body.decode(), head.text, key)
    except ValueError:
        return Refusal.BAD_COSIGNATURE
    if not lines:
        return Refusal.NO_COSIGNATURE
    return Cosigned(size=head.size, witness=key.name, line=lines[0], made_at=gateway.clock())


def _refusal(question: _Question, reply: Reply) -> Refusal:
    """Read a refusal. A conflict here is the second one: the size that it knew was proved from.

    Where that is the checkpoint's own size, the conflict is about its root.
    """
    if reply.status == _CONFLICT:
        has_other_root = _size_in(reply) == question.old == question.head.size
        return Refusal.OTHER_HISTORY if has_other_root else Refusal.CONFLICT
    if reply.status >= 500:  # noqa: PLR2004  # HTTP classes
        return Refusal.BUSY
    return _REFUSALS.get(reply.status, Refusal.NOT_UNDERSTOOD)


def _store(gateway: Gateway, head: Checkpoint, cosigned: Cosigned) -> None:
    """Keep a cosignature with its entry, unless another process did."""
    with gateway.store.transaction(cosigned.made_at) as tx:
        if checkpoints.add_cosignature(tx, head.origin, cosigned):
            tx.record(
                CheckpointCosigned(
                    actor=ACTOR,
                    year=year_of(head.origin),
                    size=head.size,
                    root=head.root.hex(),
                    witness=cosigned.witness,
                )
            )


def _refused(
    gateway: Gateway, head: Checkpoint, witness: Witness, standing: Standing, refusal: Refusal
) -> None:
    """Leave the witness alone for a while, and record what is new."""
    now = gateway.clock()
    standing.failures += 1
    doublings = min(standing.failures - 1, _LAST_DOUBLING)
    standing.ask_at = now + min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
    if refusal is standing.refusal:
        return
    with gateway.store.transaction(now) as tx:
        tx.record(
            CheckpointRefused(
                actor=ACTOR,
                year=year_of(head.origin),
                size=head.size,
                witness=witness.key.name,
                code=refusal.value,
            )
        )
    standing.refusal = refusal
