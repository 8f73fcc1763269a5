"""The tree as tiles: what the files of an export are called, and what is in them.

What enters: the size of a tree, and bodies. What leaves: the tiles of that tree, their paths,
and bundles of entries. A tile holds up to 256 neighbouring hashes of one level; each hash
above level 0 is the root of a full tile of the level below. Must never: read or write a
file. Source: c2sp.org/tlog-tiles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.ledger.merkle import node_hash

TILE_WIDTH = 256
"""Hashes in a full tile, and entries in a full bundle. Source: c2sp.org/tlog-tiles."""

MAX_LEVEL = 63
"""Source: c2sp.org/tlog-tiles, Merkle Tree."""

MAX_BUNDLED_BYTES = 0xFFFF
"""Bytes of one entry: its length stands before it in 16 bits."""

_THREE_DIGITS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The first `width` hashes of the tile with this level and index; partial below 256.

    Raises:
        ValueError: no tree has such a tile.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            message = f"the level of a tile lies between 0 and {MAX_LEVEL}"
            raise ValueError(message)
        _check_place(self.index, self.width)


def tile_path(tile: Tile) -> str:
    """Say where a tile stands in an export, such as `tile/0/x001/234.p/17`."""
    return f"tile/{tile.level}/{_place(tile.index, tile.width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Say where a bundle of entries stands in an export, such as `tile/entries/x001/234`.

    Raises:
        ValueError: the index is negative, or the width is not from 1 to 256.
    """
    _check_place(index, width)
    return f"tile/entries/{_place(index, width)}"


def tiles_of(size: int) -> Iterator[Tile]:
    """Name every tile of a tree of this many leaves, full and partial.

    Those of level 0 come first, each level from the left. The entry bundles of the tree have
    the indexes and widths of its tiles of level 0.

    Raises:
        ValueError: the size is negative.
    """
    for level, partial in enumerate(partial_widths(size)):
        full = size // TILE_WIDTH ** (level + 1)
        for index in range(full):
            yield Tile(level=level, index=index)
        if partial:
            yield Tile(level=level, index=full, width=partial)


def partial_widths(size: int) -> tuple[int, ...]:
    """Return the width of the partial tile of each level, from level 0; 0 where it has none.

    Raises:
        ValueError: the size is negative.
    """
    if size < 0:
        message = "the size of a tree is not negative"
        raise ValueError(message)
    widths = []
    while size:
        size, width = divmod(size, TILE_WIDTH)
        widths.append(width)
    return tuple(widths)


def write_bundle(bodies: Sequence[bytes]) -> bytes:
    """Join the bodies of one bundle, each behind its length in two bytes, the higher first.

    Raises:
        ValueError: there are none or more than 256, or one is longer than 65,535 bytes.
    """
    _check_place(0, len(bodies))
    if any(len(body) > MAX_BUNDLED_BYTES for body in bodies):
        message = f"an entry is longer than {MAX_BUNDLED_BYTES:,} bytes and fits no bundle"
        raise ValueError(message)
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


def join_pairs(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 1, 2, 4 ... or 256 neighbouring hashes of one level.

    Over a full tile, that is its hash in the tile above.

    Raises:
        ValueError: their number is not a power of two.
    """
    if len(hashes).bit_count() != 1:
        message = "only a power of two of hashes is a complete subtree"
        raise ValueError(message)
    while len(hashes) > 1:
        pairs = range(0, len(hashes), 2)
        hashes = [node_hash(hashes[left], hashes[left + 1]) for left in pairs]
    return hashes[0]


def _place(index: int, width: int) -> str:
    higher, digits = divmod(index, _THREE_DIGITS)
    parts = [f"{digits:03}"]
    while higher:
        higher, digits = divmod(higher, _THREE_DIGITS)
        parts.insert(0, f"x{digits:03}")
    path = "/".join(parts)
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def _check_place(index: int, width: int) -> None:
    if index < 0:
        message = "the index of a tile is not negative"
        raise ValueError(message)
    if not 1 <= width <= TILE_WIDTH:
        message = f"a tile or bundle holds 1 to {TILE_WIDTH}, never {width}"
        raise ValueError(message)
