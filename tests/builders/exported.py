"""Logs as an outsider gets them: exports, proofs and timelines in a folder, signed by made-up keys."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from gateway.ledger.checkpoint import Checkpoint, sign_checkpoint
from gateway.ledger.entry import Entry
from gateway.ledger.merkle import leaf_hash, root_of
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Signer,
    VerifierKey,
    cosignature_message,
    signature_line,
)
from gateway.ledger.proof import inclusion_proof, write_tlog_proof
from gateway.ledger.seal import commit, seal
from gateway.ledger.tiles import entries_path, tile_path, tiles_of, write_bundle
from tests.unit.ledger.lines import LOG, ONE_OF_EACH
from tests.unit.ledger.trees import Tree

MORNING = datetime(2026, 11, 22, 9, tzinfo=UTC)
SALT = bytes(range(32))
SIGNER = Ed25519Signer(bytes([1]) * 32)
STRANGER = Ed25519Signer(bytes([2]) * 32)
WITNESS = Ed25519Signer(bytes([3]) * 32)
WITNESS_NAME = "witness.example/one"
COSIGNED_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def log_key(signer: Ed25519Signer = SIGNER, name: str = LOG) -> VerifierKey:
    return VerifierKey(name=name, algorithm=ED25519, public_key=signer.public_key)


WITNESS_KEY = VerifierKey(name=WITNESS_NAME, algorithm=COSIGNATURE, public_key=WITNESS.public_key)
VKEY = log_key().text


def detail_of(index: int) -> bytes:
    return b"what stands beside entry %d" % index


@cache
def bodies_of(size: int, log: str = LOG) -> tuple[bytes, ...]:
    """Make an honest log with every kind, over and over, in both versions."""
    entries = (ONE_OF_EACH[index % len(ONE_OF_EACH)] for index in range(size))
    return tuple(sealed_log(entries, log=log))


def sealed_log(entries: Iterable[Entry], *, log: str = LOG) -> Iterable[bytes]:
    """Seal entries one behind the other; those with a subject commit to a detail."""
    last: dict[str | None, int] = {}
    for index, entry in enumerate(entries):
        version = 1 if index % 5 == 2 and entry.epochs is None else 2
        has_detail = version == 2 and entry.subject is not None
        yield seal(
            entry,
            log=log,
            index=index,
            at=MORNING + index * timedelta(seconds=1),
            prev_subject=last.get(entry.subject),
            prev_practice=last.get(entry.practice),
            detail_commit=commit(SALT, detail_of(index)) if has_detail else None,
            version=version,
        ).body
        last |= {key: index for key in (entry.subject, entry.practice) if key is not None}


def checkpoint_of(
    bodies: Sequence[bytes], *, signers: Sequence[Ed25519Signer] = (SIGNER,), log: str = LOG
) -> str:
    root = root_of(map(leaf_hash, bodies))
    return sign_checkpoint(Checkpoint(origin=log, size=len(bodies), root=root), signers)


def signed(text: str, signer: Ed25519Signer = SIGNER, name: str = LOG) -> str:
    """Sign any text as a log would sign its checkpoint."""
    key = log_key(signer, name)
    return f"{text}\n" + signature_line(name, key.key_id, signer.sign(text.encode()))


def cosigned(note: str, at: datetime = COSIGNED_AT, *, over: str | None = None) -> str:
    """Add a line by the witness; `over`: the text that it signs, where that is another."""
    text = note[: note.rindex("\n\n") + 1] if over is None else over
    seconds = int(at.timestamp())
    return note + cosignature_line(seconds, WITNESS.sign(cosignature_message(text, seconds)))


def cosignature_line(seconds: int, signature: bytes) -> str:
    value = seconds.to_bytes(8, "big") + signature
    return signature_line(WITNESS_NAME, WITNESS_KEY.key_id, value)


def files_of(bodies: Sequence[bytes], note: str | None = None) -> dict[str, bytes]:
    """Make every file of an export."""
    size = len(bodies)
    tree = Tree(bodies) if size else None
    files = {
        "checkpoint": (checkpoint_of(bodies) if note is None else note).encode(),
        "vkey": f"{VKEY}\n".encode(),
    }
    for tile in tiles_of(size):
        assert tree is not None
        hashes = tree.read(tile.level, tile.index, tile.width)
        files[tile_path(tile)] = b"".join(hashes)
        if tile.level == 0:
            part = bodies[tile.index * 256 : tile.index * 256 + tile.width]
            files[entries_path(tile.index, tile.width)] = write_bundle(part)
    return files


def proof_of(bodies: Sequence[bytes], index: int, note: str | None = None) -> str:
    path = inclusion_proof(index, len(bodies), Tree(bodies).read)
    return write_tlog_proof(index, path, checkpoint_of(bodies) if note is None else note)


def timeline_of(
    bodies: Sequence[bytes], party: str, indexes: Iterable[int], note: str | None = None
) -> dict[str, bytes]:
    """Make every file of a timeline; `party` is its one line, without the line end."""
    files = {"timeline": f"{party}\n".encode(), "vkey": f"{VKEY}\n".encode()}
    for index in indexes:
        files[f"{index}.json"] = bodies[index]
        files[f"{index}.tlog-proof"] = proof_of(bodies, index, note).encode()
    return files


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
