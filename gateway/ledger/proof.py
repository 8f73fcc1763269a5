"""Proofs from tiles: that an entry is in a tree, and that a tree grew out of an older one.

What enters: indexes, sizes, and a reader that answers with tiles. What leaves: hashes in the
order of RFC 6962, the file that carries an inclusion proof, and whether a proof holds. Must
never: hand on what the reader says without counting it. Source: RFC 6962, section 2.1, for
making; RFC 9162, sections 2.1.3.2 and 2.1.4.2, for checking; c2sp.org/tlog-proof.

A proof is over hashes only, and says nothing of the sizes: one for entry 0 of 3 also fits
entry 0 of 4. Size and root are bound together by the signature under a checkpoint, so both
must come from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.errors import DamagedRecordError
from gateway.ledger.checkpoint import read_checkpoint
from gateway.ledger.merkle import HASH_BYTES, Frontier, node_hash
from gateway.ledger.note import write_base64
from gateway.ledger.tiles import TILE_WIDTH, join_pairs

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
"""The first line of a proof file. Source: c2sp.org/tlog-proof."""

TILE_HEIGHT = TILE_WIDTH.bit_length() - 1
"""Levels of the tree from one level of tiles to the next."""

_EMPTY_ROOT = Frontier().root()


class HashReader(Protocol):
    """Where the hashes of a tree come from."""

    def __call__(self, level: int, index: int, width: int, /) -> Sequence[bytes]:
        """Return the first `width` hashes, 32 bytes each, of the tile with this place.

        `width` is 256, or that of the partial tile in the tree that is asked about.
        """


def inclusion_proof(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """Prove that the entry with this index is in the tree of this size.

    Returns: from the leaf's sibling to the root's child. Source: RFC 6962, section 2.1.1.

    Raises:
        ValueError: the tree of this size has no such entry.
        DamagedRecordError: the reader answered with too few, too many or wrong hashes.
    """
    if not 0 <= index < size:
        message = f"there is no entry {index} in a tree of {size}: the index lies below the size"
        raise ValueError(message)
    nodes = _Nodes(size, read)
    siblings = [nodes.root(*span) for span in _spans_beside(index, index + 1, size)]
    return tuple(reversed(siblings))


def consistency_proof(old: int, new: int, read: HashReader) -> tuple[bytes, ...]:
    """Prove that the tree of size `new` begins with the tree of size `old`.

    Returns: nothing where `old` is 0 or equals `new`. Source: RFC 6962, section 2.1.2.

    Raises:
        ValueError: `old` is negative, or larger than `new`.
        DamagedRecordError: the reader answered with too few, too many or wrong hashes.
    """
    if not 0 <= old <= new:
        message = f"no tree of {new} grew out of one of {old}: name the smaller size first"
        raise ValueError(message)
    if old in (0, new):
        return ()
    nodes = _Nodes(new, read)
    start = old & (old - 1)  # the last complete subtree of the old tree starts here
    siblings = [nodes.root(*span) for span in _spans_beside(start, old, new)]
    # Where the old tree is that one subtree, whoever checks has its root already.
    known = [nodes.root(start, old)] if start else []
    return (*known, *reversed(siblings))


def root_at(size: int, read: HashReader) -> bytes:
    """Return the root of the tree of this size.

    Raises:
        ValueError: the size is negative.
        DamagedRecordError: the reader answered with too few, too many or wrong hashes.
    """
    if size < 0:
        message = "the size of a tree is not negative"
        raise ValueError(message)
    return _Nodes(size, read).root(0, size) if size else _EMPTY_ROOT


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Say whether the proof leads from the leaf at this index to the root of this size.

    Not checked: that root and size belong together; see the module. Source: RFC 9162,
    section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(leaf_hash):
        return False
    at, last, joined = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            joined = node_hash(sibling, joined)
            at, last = _climb(at, last)
        else:
            joined = node_hash(joined, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and joined == root


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether the proof leads from the old root to the new one.

    Not checked: that roots and sizes belong together; see the module. Source: RFC 9162,
    section 2.1.4.2, and c2sp.org/tlog-witness for `old` of 0 or equal to `new`.
    """
    if not 0 <= old <= new or not _are_hashes(old_root, new_root):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == _EMPTY_ROOT
    if not proof:
        return False
    path = proof if old & (old - 1) else [old_root, *proof]
    return _both_roots(old, new, path) == (old_root, new_root)


def write_tlog_proof(index: int, proof: Sequence[bytes], checkpoint_note: str) -> str:
    """Write the file that lets anybody check one entry offline, beside the entry itself.

    Not checked: the proof and the signatures; verify them before.

    Raises:
        ValueError: the note is no checkpoint, its tree has no such entry, or a hash is not
            32 bytes.
    """
    if not 0 <= index < read_checkpoint(checkpoint_note).size:
        message = f"entry {index} is not under this checkpoint: take a later one"
        raise ValueError(message)
    if not _are_hashes(*proof):
        message = f"every hash of a proof is {HASH_BYTES} bytes"
        raise ValueError(message)
    lines = [PROOF_HEADER, f"index {index}", *map(write_base64, proof)]
    return "\n".join(lines) + "\n\n" + checkpoint_note


@dataclass(slots=True)
class _Nodes:
    """The nodes of one tree, each tile asked for at most once."""

    size: int
    read: HashReader
    _tiles: dict[tuple[int, int], Sequence[bytes]] = field(default_factory=dict)

    def root(self, start: int, end: int) -> bytes:
        """Return the root over the leaves from `start` up to `end`.

        `start` is a multiple of the largest power of two below the length, as in every tree.
        """
        *larger, joined = (self._complete(*span) for span in _peaks(start, end))
        for peak in reversed(larger):
            joined = node_hash(peak, joined)
        return joined

    def _complete(self, start: int, height: int) -> bytes:
        """Return the root over the 2**height leaves from `start`."""
        level, above = divmod(height, TILE_HEIGHT)
        index, offset = divmod(start >> level * TILE_HEIGHT, TILE_WIDTH)
        return join_pairs(self._tile(level, index)[offset : offset + (1 << above)])

    def _tile(self, level: int, index: int) -> Sequence[bytes]:
        if (level, index) not in self._tiles:
            left = (self.size >> level * TILE_HEIGHT) - index * TILE_WIDTH
            width = min(left, TILE_WIDTH)
            hashes = self.read(level, index, width)
            if len(hashes) != width or not _are_hashes(*hashes):
                message = f"tile {index} of level {level} does not hold {width} hashes"
                raise DamagedRecordError(message)
            self._tiles[level, index] = hashes
        return self._tiles[level, index]


def _peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a span into its complete subtrees, largest first: where each starts, its height."""
    while start < end:
        height = (end - start).bit_length() - 1
        yield start, height
        start += 1 << height


def _spans_beside(start: int, end: int, size: int) -> list[tuple[int, int]]:
    """Walk down from the root to the node over `start` to `end`; name what lies beside it."""
    left, right, beside = 0, size, []
    while (left, right) != (start, end):
        middle = left + (1 << (right - left - 1).bit_length() - 1)
        if start < middle:
            beside.append((middle, right))
            right = middle
        else:
            beside.append((left, middle))
            left = middle
    return beside


def _both_roots(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Compute the old and the new root from a path; None where it has another length."""
    at, last = old - 1, new - 1
    while at & 1:  # up to the last complete subtree of the old tree
        at, last = at >> 1, last >> 1
    old_joined = new_joined = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            old_joined = node_hash(sibling, old_joined)
            new_joined = node_hash(sibling, new_joined)
            at, last = _climb(at, last)
        else:
            new_joined = node_hash(new_joined, sibling)
        at, last = at >> 1, last >> 1
    return (old_joined, new_joined) if last == 0 else None


def _climb(at: int, last: int) -> tuple[int, int]:
    """Go up past the levels on which a node at the right edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(each) == HASH_BYTES for each in hashes)
