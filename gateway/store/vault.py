"""Data at rest: sealed under a key of its own, which is wrapped by a key from outside.

What enters: plain bytes and the name of where they will stand. What leaves: sealed bytes
that open only there. AES-256-GCM throughout, a fresh 96-bit nonce each time; the place is
authenticated, so a value moved to another row does not open. Deleting the wrapped key
erases what it sealed.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import DamagedRecordError, KeyMissingError

_KEY_ID = re.compile(rb"[A-Za-z0-9._-]{1,32}")
_NONCE_BYTES = 12
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class RowKey:
    """An opened key of one row. `wrapped` is what the row stores."""

    key: bytes
    wrapped: bytes

    def __repr__(self) -> str:
        """Never show the key."""
        return "RowKey(...)"


class Vault:
    """Seals, opens and finds.

    Args:
        keys: key-encryption keys by id, 32 bytes each; the first wraps, all open.
        lookup_key: 32 bytes; keys the hash by which identifiers are found.
        random: returns that many random bytes.
    """

    def __init__(
        self, keys: Mapping[str, bytes], lookup_key: bytes, random: Callable[[int], bytes]
    ) -> None:
        self._wrappers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(self._wrappers))
        self._lookup_key = lookup_key
        self._random = random

    def new_salt(self) -> bytes:
        """Draw 32 random bytes, so that a hash of them and a value tells nothing of the value."""
        return self._random(_KEY_BYTES)

    def new_key(self, row: str) -> RowKey:
        """Make the key of a new row; `row` names it, as in `referral/<id>`."""
        key = self._random(_KEY_BYTES)
        nonce = self._random(_NONCE_BYTES)
        sealed = self._wrappers[self._current].encrypt(nonce, key, row.encode())
        return RowKey(key, self._current.encode() + b":" + nonce + sealed)

    def open_key(self, wrapped: bytes, row: str) -> RowKey:
        """Unwrap the key of a row.

        Raises:
            KeyMissingError: the key-encryption key that wrapped it is not configured.
            DamagedRecordError: it does not open, or belongs to another row.
        """
        name, _, rest = wrapped.partition(b":")
        if not _KEY_ID.fullmatch(name):
            msg = "a stored key does not name the key that wrapped it"
            raise DamagedRecordError(msg)
        wrapper = self._wrappers.get(name.decode())
        if wrapper is None:
            msg = "a record was sealed under a key-encryption key that is not configured"
            raise KeyMissingError(msg)
        return RowKey(_opened(wrapper, rest, row), wrapped)

    def seal(self, key: RowKey, plain: bytes, place: str) -> bytes:
        """Seal bytes for one place, as in `referral/<id>/body`."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + AESGCM(key.key).encrypt(nonce, plain, place.encode())

    def open(self, key: RowKey, sealed: bytes, place: str) -> bytes:
        """Open what was sealed for this place.

        Raises:
            DamagedRecordError: it was changed, moved, or sealed under another key.
        """
        return _opened(AESGCM(key.key), sealed, place)

    def lookup(self, *parts: str) -> bytes:
        """Hash identifiers so that they can be found and not guessed.

        Returns: 32 bytes: HMAC-SHA-256 over the parts, each with its length before it.
        """
        message = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
        return hmac.new(self._lookup_key, message, hashlib.sha256).digest()


def _opened(cipher: AESGCM, sealed: bytes, place: str) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
    except (InvalidTag, ValueError):
        msg = "a stored record does not open under its key"
        raise DamagedRecordError(msg) from None
