"""Checkpoints: the name, size and root of a log in three lines, signed.

What enters: a tree head and signers; notes; what a witness answered. What leaves: a signed
note, its parts, the request that a witness is sent, and the lines to be added to the note.
Must never: write an extension line, hand out a note whose signature it did not verify, or
sign a head that does not follow from the one signed before: that must be shown with a
consistency proof by whoever calls. Sources: c2sp.org/tlog-checkpoint and tlog-witness.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.ledger.merkle import HASH_BYTES, Frontier
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    Signer,
    VerifierKey,
    read_base64,
    read_note,
    signature_line,
    verify,
    verify_cosignature,
    write_base64,
)

MAX_SIZE = 2**63 - 1
"""The most leaves that common readers of checkpoints can count."""

MAX_PROOF_LINES = 63
"""Hashes that a witness may be sent. Source: c2sp.org/tlog-witness, add-checkpoint."""

_SIZE = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)
_ORIGIN = re.compile("[^\x00-\x1f]+")
_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log: its name, how many entries it has, and the root over them.

    Raises:
        ValueError: the origin is empty or more than a line, the size is out of range, the
            root is not 32 bytes, or an empty log has another root than SHA-256 of nothing.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        _check(_ORIGIN.fullmatch(self.origin) is not None, "the origin of a log is one line")
        _check(0 <= self.size <= MAX_SIZE, "the size of a log is from 0 to 2**63 - 1")
        _check(len(self.root) == HASH_BYTES, f"the root of a log is {HASH_BYTES} bytes")
        empty = self.size > 0 or self.root == Frontier().root()
        _check(empty, "the root of an empty log is SHA-256 of nothing")

    @property
    def text(self) -> str:
        """Return what is signed: origin, size and root, each with a line end."""
        return f"{self.origin}\n{self.size}\n{write_base64(self.root)}\n"


def read_checkpoint(note_text: str) -> Checkpoint:
    """Read the checkpoint in a signed note. Not checked: any signature; see `note.verify`.

    Raises:
        ValueError: it is no signed note, or its text is not exactly three lines of a
            checkpoint. The message says how.
    """
    *lines, _ = read_note(note_text).text.split("\n")
    _check(len(lines) >= _LINES, "a checkpoint has three lines: origin, size and root")
    extended = "the checkpoint has extension lines after its root, and ours never has: ask its log"
    _check(len(lines) == _LINES, extended)
    origin, size, root = lines
    fit = _SIZE.fullmatch(size) is not None
    _check(fit, "line 2 of the checkpoint is not a size in decimal without leading zeroes")
    try:
        decoded = read_base64(root)
    except ValueError as error:
        message = f"line 3 of the checkpoint: {error}"
        raise ValueError(message) from None
    return Checkpoint(origin=origin, size=int(size), root=decoded)


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> str:
    """Return the checkpoint as a signed note: one line by each signer, named as the origin.

    Raises:
        ValueError: there is no signer, the origin cannot be a key's name, or what a signer
            returned does not verify.
    """
    _check(bool(signers), "nobody is there to sign the checkpoint: give a signing key")
    text, lines, keys = checkpoint.text, [], []
    for signer in signers:
        public_key = signer.public_key
        key = VerifierKey(name=checkpoint.origin, algorithm=ED25519, public_key=public_key)
        lines.append(signature_line(key.name, key.key_id, signer.sign(text.encode())))
        keys.append(key)
    signed = f"{text}\n{''.join(lines)}"
    note = read_note(signed)
    for key in keys:
        verify(note, key)
    return signed


def add_checkpoint_request(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """Return the body that asks a witness to cosign this checkpoint.

    `old_size` is that of the checkpoint which the witness cosigned last, 0 if none, and the
    proof leads from there. Not checked: the proof and the signatures; verify them before.

    Raises:
        ValueError: the note is no checkpoint, or the proof cannot belong to these sizes.
    """
    size = read_checkpoint(note).size
    behind = "the witness knows a larger log than this checkpoint: send it a newer one"
    _check(0 <= old_size <= size, behind)
    _check(
        bool(proof) == (0 < old_size < size),
        "a proof is due where the old size is neither 0 nor that of the checkpoint, and only there",
    )
    fit = len(proof) <= MAX_PROOF_LINES and all(len(each) == HASH_BYTES for each in proof)
    _check(fit, f"a proof is at most {MAX_PROOF_LINES} hashes of {HASH_BYTES} bytes")
    lines = [f"old {old_size}", *map(write_base64, proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def read_cosignatures(response_body: str, checkpoint_text: str, witness: VerifierKey) -> list[str]:
    """Return the lines of a witness's answer to be added to the note: those that it signed.

    `checkpoint_text` is `Checkpoint.text`, without signatures. Lines of unknown keys are left
    out; where the witness's own is not among them, nothing is returned.

    Raises:
        ValueError: the answer is not signature lines, a line by the witness does not hold,
            or the key is not a witness's.
    """
    _check(witness.algorithm == COSIGNATURE, "this is no key of a witness: its type is 4")
    note = read_note(f"{checkpoint_text}\n{response_body}")
    _check(note.text == checkpoint_text, "the answer holds more than signature lines")
    ours = note.signatures_by(witness)
    if ours:
        verify_cosignature(note, witness)
    return [signature_line(each.name, each.key_id, each.value) for each in ours]


def _check(fits: bool, message: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fits:
        raise ValueError(message)
