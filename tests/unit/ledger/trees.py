"""A tree in memory that answers with tiles, and what the definitions say of it."""

from collections.abc import Sequence
from functools import cache

from gateway.ledger.merkle import leaf_hash, node_hash
from tests.unit.ledger.lines import tree_root


def some_bodies(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


class Tree:
    """The tree over some bodies; `read` is its HashReader, and `asked` what it was asked for."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self.leaves = [leaf_hash(body) for body in bodies]
        self.levels = [self.leaves]
        while len(self.levels[-1]) >= 256:
            below = self.levels[-1]
            full = range(0, len(below) // 256 * 256, 256)
            self.levels.append([tree_root(below[start : start + 256]) for start in full])
        self.asked: list[tuple[int, int, int]] = []

    def read(self, level: int, index: int, width: int) -> list[bytes]:
        self.asked.append((level, index, width))
        return self.levels[level][index * 256 : index * 256 + width]


class Definitions:
    """The recursive definitions of RFC 6962, sections 2.1 to 2.1.2, over spans of leaves."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves
        self.root = cache(self._root)

    def _root(self, start: int, end: int) -> bytes:
        if end - start < 2:
            return tree_root(list(self.leaves[start:end]))
        middle = start + split(end - start)
        return node_hash(self.root(start, middle), self.root(middle, end))

    def path(self, index: int, start: int, end: int) -> tuple[bytes, ...]:
        if end - start == 1:
            return ()
        middle = start + split(end - start)
        if index < middle:
            return (*self.path(index, start, middle), self.root(middle, end))
        return (*self.path(index, middle, end), self.root(start, middle))

    def subproof(self, old: int, start: int, end: int, *, known: bool) -> tuple[bytes, ...]:
        if old == end:
            return () if known else (self.root(start, end),)
        middle = start + split(end - start)
        if old <= middle:
            return (*self.subproof(old, start, middle, known=known), self.root(middle, end))
        return (*self.subproof(old, middle, end, known=False), self.root(start, middle))

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        return self.path(index, 0, size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return self.subproof(old, 0, new, known=True) if old else ()


def split(size: int) -> int:
    """Return the largest power of two below the size."""
    found = 1
    while found * 2 < size:
        found *= 2
    return found
