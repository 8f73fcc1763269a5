"""The Merkle tree over all entries of a log, kept as its right edge only.

What enters: leaf hashes, in order. What leaves: the frontier and the root. A frontier is
the roots of the complete subtrees, largest first: one for each 1 bit of the size, which is
all that appending needs. Nothing here holds the entries themselves. Source: RFC 6962,
section 2.1.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from gateway.errors import DamagedRecordError

HASH_BYTES = 32
"""Length of SHA-256, the only hash of this tree."""

_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"


def leaf_hash(body: bytes) -> bytes:
    """Hash one entry. Returns: 32 bytes: SHA-256(0x00 || body). Source: RFC 6962, 2.1."""
    return hashlib.sha256(_LEAF_PREFIX + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees. Returns: 32 bytes: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves.

    `peaks` are the roots of its complete subtrees, largest and leftmost first.

    Raises:
        DamagedRecordError: the peaks are not one hash for each 1 bit of the size.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        fit = self.size >= 0 and len(self.peaks) == self.size.bit_count()
        if not fit or any(len(peak) != HASH_BYTES for peak in self.peaks):
            message = "the ledger's frontier does not fit its size"
            raise DamagedRecordError(message)

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier with one more leaf hash at its right."""
        peaks = list(self.peaks)
        joined = leaf
        higher = self.size
        while higher & 1:
            joined = node_hash(peaks.pop(), joined)
            higher >>= 1
        return Frontier(self.size + 1, (*peaks, joined))

    def root(self) -> bytes:
        """Return the 32 bytes that stand for the whole tree; of no leaf, SHA-256 of nothing."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        *larger, joined = self.peaks
        for peak in reversed(larger):
            joined = node_hash(peak, joined)
        return joined

    def to_bytes(self) -> bytes:
        """Return the peaks, one after the other. The size is kept beside them."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            DamagedRecordError: the length is not 32 bytes for each 1 bit of the size.
        """
        cuts = range(0, len(peaks), HASH_BYTES)
        return cls(size, tuple(peaks[cut : cut + HASH_BYTES] for cut in cuts))


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree over these leaf hashes, in this order."""
    frontier = Frontier()
    for leaf in leaf_hashes:
        frontier = frontier.append(leaf)
    return frontier.root()
