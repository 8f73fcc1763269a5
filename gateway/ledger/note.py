"""Signed notes: a text, and under it one line for each key that signed it.

What enters: the text of a note, keys and signatures. What leaves: their parts, or a refusal
that says what to mend; lines; and whether a signature holds. Must never: make a key (a seed is
handed in), show one, or believe a note of which no known key's signature was verified.
Sources: c2sp.org/signed-note; for witnesses, c2sp.org/tlog-cosignature, `cosignature/v1`.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519: Final = 1
"""A signature over the text. Source: c2sp.org/signed-note, Signature types."""

COSIGNATURE: Final = 4
"""A witness's signature over text and time. Source: c2sp.org/signed-note, Signature types."""

KEY_BYTES = 32
"""Of an Ed25519 seed, and of a public key. Source: RFC 8032, section 5.1."""

MAX_NOTE_BYTES = 65_536
"""Our own limit; a checkpoint with 64 Ed25519 signatures needs a tenth of it."""

MAX_SIGNATURES = 64
"""Our own limit; the least that a reader must accept is 16. Source: c2sp.org/signed-note."""

_DASH = "\u2014"  # an em dash begins every signature line
_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_LATEST = 2**63 - 1  # seconds. Source: c2sp.org/tlog-cosignature, Format
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_NO_KEY_NAME = re.compile("[\\s+\x00-\x1f]")
_HEX_ID = re.compile("[0-9a-f]{8}", re.ASCII)


class Signer(Protocol):
    """Whoever holds a private Ed25519 key; it may stand in another process."""

    @property
    def public_key(self) -> bytes:
        """Return the 32 bytes of the public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over these bytes. Source: RFC 8032."""


class Ed25519Signer:
    """A signer whose key is in this process. Neither its repr nor its str tells the key.

    Raises:
        ValueError: the seed is not 32 bytes.
    """

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            message = f"the seed of a signing key is exactly {KEY_BYTES} bytes"
            raise ValueError(message)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    def __repr__(self) -> str:
        return "Ed25519Signer()"

    @property
    def public_key(self) -> bytes:
        """Return the 32 bytes of the public key."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over these bytes."""
        return self._key.sign(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: who says to have signed. It proves nothing before it is verified."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """The public half of a key, with the name under which it signs, and how.

    `algorithm` is ED25519 for a log and COSIGNATURE for a witness.

    Raises:
        ValueError: the name is empty, or holds a space, a plus or a control character; the
            algorithm is another; the key is not 32 bytes.
    """

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        known = self.algorithm in (ED25519, COSIGNATURE)
        _check(known, "the key is of a type that is not read here: give an Ed25519 key (1 or 4)")
        _check(len(self.public_key) == KEY_BYTES, f"a public key is exactly {KEY_BYTES} bytes")

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes by which a signature line names this key."""
        named = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key
        return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """Return the key as one line of text, to be handed to whoever verifies (a vkey)."""
        key = write_base64(bytes([self.algorithm]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note in its parts. `text` ends with a line end; what follows it is not part of it."""

    text: str
    signatures: tuple[Signature, ...]

    def signatures_by(self, key: VerifierKey) -> tuple[Signature, ...]:
        """Return those that say to be by this key, in their order. Not checked: that they are."""
        named = (key.name, key.key_id)
        return tuple(each for each in self.signatures if (each.name, each.key_id) == named)


def read_verifier_key(text: str) -> VerifierKey:
    """Read a key from what `VerifierKey.text` writes, without a line end.

    Raises:
        ValueError: it is not name, id and key with a plus between, or the id is not that of
            the name and the key.
    """
    name, _, rest = text.partition("+")
    key_id, _, key = rest.partition("+")
    fit = bool(key) and _HEX_ID.fullmatch(key_id) is not None
    _check(fit, "a verifier key is name+id+key, the id in 8 lower-case hexadecimal digits")
    decoded = read_base64(key)
    found = VerifierKey(name=name, algorithm=decoded[0], public_key=decoded[1:])
    message = "the id of the verifier key is not that of its name and key: copy it once more"
    _check(found.key_id.hex() == key_id, message)
    return found


def read_note(text: str) -> Note:
    """Read a signed note. Not checked: any signature; see `verify`.

    Raises:
        ValueError: it is not exactly in the form of a signed note. The message says how.
    """
    _check_characters(text)
    _check(text.endswith("\n"), "the note does not end with a line end: it was cut off")
    above, between, below = text.rpartition("\n\n")
    _check(bool(between), "the note lacks the blank line between text and signatures")
    _check(bool(below), "the note has no signature line after its last blank line")
    lines = below.removesuffix("\n").split("\n")
    many = f"the note has more than {MAX_SIGNATURES} signatures: take out those of unknown keys"
    _check(len(lines) <= MAX_SIGNATURES, many)
    signatures = tuple(_read_line(number, line) for number, line in enumerate(lines, 1))
    return Note(text=f"{above}\n", signatures=signatures)


def signature_line(name: str, key_id: bytes, value: bytes) -> str:
    """Write one signature line, with its line end.

    Raises:
        ValueError: the name cannot be that of a key, the id is not 4 bytes, or the value is
            empty.
    """
    _check_name(name)
    _check(len(key_id) == _KEY_ID_BYTES, f"a key id is exactly {_KEY_ID_BYTES} bytes")
    _check(bool(value), "a signature is not empty")
    return f"{_DASH} {name} {write_base64(key_id + value)}\n"


def verify(note: Note, key: VerifierKey) -> None:
    """Check that this key signed this note. Returns nothing: no error is the answer.

    Raises:
        ValueError: the note has no signature by this key, or one that does not hold, or the
            key is a witness's.
    """
    _check(key.algorithm == ED25519, "a witness's key is not a log's: use verify_cosignature")
    for signature in _made_by(note, key):
        _check_signature(key, signature.value, note.text.encode())


def verify_cosignature(note: Note, key: VerifierKey) -> datetime:
    """Check that this witness cosigned this note, and return when: the latest time, in UTC.

    Not checked: that this time is not in the future, for nothing here knows a clock.

    Raises:
        ValueError: the note has no cosignature by this key, or one that does not hold, or
            the key is a log's.
    """
    _check(key.algorithm == COSIGNATURE, "a log's key is not a witness's: use verify")
    return max(_check_cosignature(note, key, each.value) for each in _made_by(note, key))


def cosignature_message(text: str, seconds: int) -> bytes:
    """Return what a witness signs: the note's text under the time, in seconds since 1970."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def read_base64(text: str) -> bytes:
    """Read base64 in its only canonical spelling.

    Raises:
        ValueError: another alphabet, padding that lacks or is too much, or stray bits.
    """
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    _check(write_base64(decoded) == text and bool(text), "this is not base64 in canonical form")
    return decoded


def write_base64(value: bytes) -> str:
    """Write base64, with padding. Source: RFC 4648, section 4."""
    return base64.b64encode(value).decode("ascii")


def _read_line(number: int, line: str) -> Signature:
    where = f"signature line {number}"
    dash, _, rest = line.partition(" ")
    name, _, value = rest.partition(" ")
    fit = dash == _DASH and bool(value)
    _check(fit, f"{where} is not an em dash, a key name and base64, with one space between")
    try:
        _check_name(name)
        decoded = read_base64(value)
    except ValueError as error:
        message = f"{where}: {error}"
        raise ValueError(message) from None
    _check(len(decoded) > _KEY_ID_BYTES, f"{where} holds no signature after the key id")
    return Signature(name=name, key_id=decoded[:_KEY_ID_BYTES], value=decoded[_KEY_ID_BYTES:])


def _made_by(note: Note, key: VerifierKey) -> tuple[Signature, ...]:
    """Return the signatures that say to be by this key; at least one, else refuse the note."""
    found = note.signatures_by(key)
    _check(bool(found), f"the note has no signature by {key.name}+{key.key_id.hex()}")
    return found


def _check_cosignature(note: Note, key: VerifierKey, value: bytes) -> datetime:
    seconds = int.from_bytes(value[:_TIME_BYTES], "big")
    _check(seconds <= _LATEST, "the time of a cosignature is out of range")
    _check_signature(key, value[_TIME_BYTES:], cosignature_message(note.text, seconds))
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        message = "the time of a cosignature lies after the year 9999: ask the witness"
        raise ValueError(message) from None


def _check_signature(key: VerifierKey, value: bytes, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(value, message)
    except InvalidSignature:
        fault = (
            f"the signature by {key.name}+{key.key_id.hex()} does not hold: "
            "the text was changed, or was signed by another"
        )
        raise ValueError(fault) from None


def _check_characters(text: str) -> None:
    try:
        length = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        message = "the note holds half a surrogate pair, which is no character"
        raise ValueError(message) from None
    long = f"the note is longer than {MAX_NOTE_BYTES:,} bytes: take out signatures of unknown keys"
    _check(length <= MAX_NOTE_BYTES, long)
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        message = f"line {line} of the note holds a control character; only line ends may be there"
        raise ValueError(message)


def _check_name(name: str) -> None:
    fit = bool(name) and not _NO_KEY_NAME.search(name)
    _check(fit, "a key name is not empty and holds no space, plus or control character")


def _check(fits: bool, message: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fits:
        raise ValueError(message)
