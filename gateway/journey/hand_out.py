"""Hand entries out with what proves them: a whole log, one entry, or a timeline.

What enters: what is wanted, and signers. What leaves: bytes that `ledger/verify.py`, or any
reader of the C2SP formats, checks without us. That they were handed out is an entry, committed
before the first byte is returned. Must never: hand out what is not under a signed checkpoint,
or a detail that nobody asked for.
Source: c2sp.org/tlog-tiles and tlog-proof; FORMAT.md, Timeline.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from gateway.errors import DamagedRecordError, NotFoundError
from gateway.journey.gateway import Gateway
from gateway.journey.publish import publish, year_of
from gateway.ledger.checkpoint import Checkpoint
from gateway.ledger.entry import AuditExported
from gateway.ledger.kinds import Extent
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import ED25519, Signer, VerifierKey, read_note
from gateway.ledger.proof import inclusion_proof, verify_inclusion, write_tlog_proof
from gateway.ledger.seal import PlacedEntry, read_placed
from gateway.ledger.tiles import TILE_WIDTH, entries_path, tile_path, tiles_of, write_bundle
from gateway.referral.identifiers import Handle, OdsCode, ReferralReference
from gateway.store import checkpoints, details, ledger, referrals, tiles
from gateway.store.checkpoints import Signed
from gateway.store.engine import Reading

ACTOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One entry: its exact bytes, its tlog-proof, and its opened detail where that was asked."""

    index: int
    body: bytes
    proof: str
    detail: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All entries of one subject or practice, the oldest first; the last is its handing-out."""

    about: str
    log: str
    entries: tuple[Proved, ...]


def newest_log(gateway: Gateway, year: int | None) -> str:
    """Name the log of a year, or the newest.

    Raises:
        NotFoundError: there is none, or its entries were purged.
    """
    with gateway.store.reading() as view:
        names = [log for log, _ in ledger.logs(view.connection)]
    found = [log for log in names if year in (None, year_of(log))]
    if not found:
        msg = "there is no such log here; `gateway ledger verify` lists those that are"
        raise NotFoundError(msg)
    return found[-1]


def verifier_key(gateway: Gateway, log: str) -> str:
    """Return the public key that signed the newest checkpoint of a log, as a vkey.

    Raises:
        NotFoundError: no checkpoint of this log was ever signed.
    """
    with gateway.store.reading() as view:
        signed = checkpoints.newest(view, log)
        keys = checkpoints.signing_keys(view)
    if signed is not None:
        note = read_note(signed.note)
        for public_key in keys:
            key = VerifierKey(name=log, algorithm=ED25519, public_key=public_key)
            if note.signatures_by(key):
                return key.text
    msg = "no checkpoint of this log was signed"
    raise NotFoundError(msg)


def signed_head(gateway: Gateway, log: str, signers: Sequence[Signer]) -> tuple[Signed, str]:
    """Sign what is new, and return the newest checkpoint of a log with its whole note.

    Raises:
        NotFoundError: none was ever signed, and no signer is here to do it.
    """
    if signers:
        publish(gateway, signers)
    with gateway.store.reading() as view:
        signed = checkpoints.newest(view, log)
        if signed is None:
            msg = "no checkpoint was signed yet; give GATEWAY_LEDGER_KEYS, or ask its keeper"
            raise NotFoundError(msg)
        return signed, checkpoints.note_of(view, signed)


def export_log(
    gateway: Gateway, log: str, signers: Sequence[Signer], progress: Callable[[int, int], None]
) -> Iterator[tuple[str, bytes]]:
    """Give every file of an export, by its path; the checkpoint comes last.

    So an export that was cut off has an older checkpoint, or none. `progress` is told how many
    entries of how many were given.
    """
    signed, note = signed_head(gateway, log, signers)
    head = signed.checkpoint
    _record(gateway, head, Extent.LOG, practice=None, subject=None, opened=False)
    for tile in tiles_of(head.size):
        with gateway.store.reading(as_one_moment=True) as view:
            hashes = tiles.reader(view, log)(tile.level, tile.index, tile.width)
            yield tile_path(tile), b"".join(hashes)
            if tile.level == 0:
                first = tile.index * TILE_WIDTH
                bodies = ledger.bodies(view.connection, log, first, tile.width)
                yield entries_path(tile.index, tile.width), write_bundle(bodies)
                progress(first + tile.width, head.size)
    yield "vkey", f"{verifier_key(gateway, log)}\n".encode()
    yield "checkpoint", note.encode()


def prove_entry(
    gateway: Gateway, log: str, index: int, signers: Sequence[Signer], *, with_detail: bool
) -> Proved:
    """Give one entry with its proof.

    Raises:
        NotFoundError: the log has no such entry, or no checkpoint covers it yet.
    """
    signed, note = signed_head(gateway, log, signers)
    head = signed.checkpoint
    with gateway.store.reading() as view:
        found = ledger.bodies(view.connection, log, index, 1) if index >= 0 else []
    if not found or index >= head.size:
        msg = f"the log has no entry {index} under a checkpoint"
        raise NotFoundError(msg)
    entry = read_placed(found[0]).entry
    _record(
        gateway,
        head,
        Extent.ENTRY,
        practice=entry.practice,
        subject=entry.subject,
        opened=with_detail,
    )
    with gateway.store.reading(as_one_moment=True) as view:
        return _proved(view, head, note, index, with_detail=with_detail)


def prove_timeline(
    gateway: Gateway,
    log: str,
    signers: Sequence[Signer],
    *,
    subject: Handle | None = None,
    practice: OdsCode | None = None,
    with_detail: bool = False,
) -> Timeline:
    """Give every entry of a subject, or of a practice, each with its proof.

    1. Record the handing-out: an entry of the same subject or practice, whose link names the
       last one before it. So the timeline is complete up to that moment.
    2. Sign a checkpoint that covers it.
    3. Follow the links back to the first, proving each.

    Raises:
        NotFoundError: there is nothing on it in this log, or no signer is here.
    """
    if not signers:
        msg = "a timeline ends with a fresh checkpoint: give GATEWAY_LEDGER_KEYS"
        raise NotFoundError(msg)
    before, _ = signed_head(gateway, log, signers)
    with gateway.store.reading() as view:
        last = _last(view, before.checkpoint, subject, practice)
    if last is None:
        msg = "nothing stands in this log on that subject or practice"
        raise NotFoundError(msg)
    _record(
        gateway,
        before.checkpoint,
        Extent.PRACTICE if subject is None else Extent.SUBJECT,
        practice=last.entry.practice,
        subject=subject,
        opened=with_detail,
    )
    signed, note = signed_head(gateway, log, signers)
    found = []
    with gateway.store.reading(as_one_moment=True) as view:
        placed = _last(view, signed.checkpoint, subject, practice)
        at = placed.index if placed else None
        while at is not None:
            found.append(_proved(view, signed.checkpoint, note, at, with_detail=with_detail))
            placed = read_placed(found[-1].body)
            at = placed.prev_practice if subject is None else placed.prev_subject
    about = f"practice {practice}" if subject is None else f"subject {subject}"
    return Timeline(about=about, log=log, entries=tuple(reversed(found)))


def subject_of(gateway: Gateway, reference: ReferralReference) -> Handle:
    """Name the person of a referral by handle.

    Raises:
        NotFoundError: no referral has this reference.
    """
    with gateway.store.reading() as view:
        return referrals.find_reference(view, reference).subject


def _last(
    view: Reading, head: Checkpoint, subject: Handle | None, practice: OdsCode | None
) -> PlacedEntry | None:
    """Read the last entry on a subject, or else of a practice, that a checkpoint covers."""
    at = ledger.last_on(view.connection, head.origin, head.size, subject=subject, practice=practice)
    if at is None:
        return None
    return read_placed(ledger.bodies(view.connection, head.origin, at, 1)[0])


def _proved(view: Reading, head: Checkpoint, note: str, index: int, *, with_detail: bool) -> Proved:
    log = head.origin
    body = ledger.bodies(view.connection, log, index, 1)[0]
    proof = inclusion_proof(index, head.size, tiles.reader(view, log))
    if not verify_inclusion(leaf_hash(body), index, head.size, proof, head.root):
        msg = "the proof of an entry does not hold: `gateway ledger verify` says why"
        raise DamagedRecordError(msg)
    opened = details.open_detail(view, log, index) if with_detail else None
    return Proved(
        index=index,
        body=body,
        proof=write_tlog_proof(index, proof, note),
        detail=opened.salt + opened.detail if opened else None,
    )


def _record(
    gateway: Gateway,
    head: Checkpoint,
    extent: Extent,
    *,
    practice: str | None,
    subject: str | None,
    opened: bool,
) -> None:
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            AuditExported(
                actor=ACTOR,
                practice=practice,
                subject=subject,
                year=year_of(head.origin),
                extent=extent,
                size=head.size,
                root=head.root.hex(),
                opened=opened,
            )
        )
