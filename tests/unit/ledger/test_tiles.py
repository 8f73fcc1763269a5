import pytest

from gateway.ledger.tiles import (
    MAX_BUNDLED_BYTES,
    Tile,
    entries_path,
    join_pairs,
    partial_widths,
    tile_path,
    tiles_of,
    write_bundle,
)
from tests.unit.ledger.lines import tree_root
from tests.unit.ledger.trees import Tree, some_bodies


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(level=0, index=0), "tile/0/000"),
        (Tile(level=0, index=999), "tile/0/999"),
        (Tile(level=0, index=1000), "tile/0/x001/000"),
        (Tile(level=0, index=1234, width=17), "tile/0/x001/234.p/17"),
        (Tile(level=2, index=1234067), "tile/2/x001/x234/067"),
        (Tile(level=63, index=0, width=1), "tile/63/000.p/1"),
        (Tile(level=1, index=7, width=255), "tile/1/007.p/255"),
    ],
)
def test_a_tile_has_one_path(tile: Tile, path: str) -> None:
    assert tile_path(tile) == path


def test_a_bundle_has_one_path() -> None:
    assert entries_path(1234067) == "tile/entries/x001/x234/067"
    assert entries_path(0, 3) == "tile/entries/000.p/3"


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_a_tile_that_no_tree_has_is_refused(level: int, index: int, width: int) -> None:
    with pytest.raises(ValueError, match="tile"):
        Tile(level=level, index=index, width=width)


@pytest.mark.parametrize(("index", "width"), [(-1, 1), (0, 0), (0, 257)])
def test_a_bundle_that_no_tree_has_is_refused(index: int, width: int) -> None:
    with pytest.raises(ValueError, match="tile"):
        entries_path(index, width)


def test_the_tree_of_70000_has_the_tiles_that_the_specification_names() -> None:
    tiles = list(tiles_of(70_000))
    full = [sum(tile.level == level and tile.width == 256 for tile in tiles) for level in range(3)]
    partial = {tile.level: tile.width for tile in tiles if tile.width < 256}
    assert full == [273, 1, 0]
    assert partial == {0: 112, 1: 17, 2: 1}
    assert partial_widths(70_000) == (112, 17, 1)
    assert len(tiles) == 277


def test_the_tree_of_256_is_one_full_tile_and_one_of_width_1_above_it() -> None:
    assert list(tiles_of(256)) == [Tile(level=0, index=0), Tile(level=1, index=0, width=1)]
    assert partial_widths(256) == (0, 1)


def test_an_empty_tree_has_no_tiles() -> None:
    assert list(tiles_of(0)) == []
    assert partial_widths(0) == ()


@pytest.mark.parametrize("size", [1, 255, 257, 512, 65_535, 65_536, 65_537, 131_073])
def test_the_tiles_of_a_level_hold_every_hash_of_it_once(size: int) -> None:
    for level in range(4):
        held = [
            tile.index * 256 + place
            for tile in tiles_of(size)
            if tile.level == level
            for place in range(tile.width)
        ]
        assert held == list(range(size // 256**level))


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        list(tiles_of(-1))


def test_a_bundle_is_each_entry_behind_its_length() -> None:
    bundle = write_bundle([b"", b"abc", b"x" * 258])
    assert bundle == b"\x00\x00" + b"\x00\x03abc" + b"\x01\x02" + b"x" * 258
    assert len(write_bundle([b"y" * MAX_BUNDLED_BYTES])) == 2 + 65_535


@pytest.mark.parametrize(
    "bodies", [[], [b"x"] * 257, [b"x" * (MAX_BUNDLED_BYTES + 1)]], ids=["none", "many", "long"]
)
def test_a_bundle_that_cannot_be_written_is_refused(bodies: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"holds 1 to 256|fits no bundle"):
        write_bundle(bodies)


@pytest.mark.parametrize("count", [1, 2, 4, 128, 256])
def test_neighbours_join_to_the_root_over_them(count: int) -> None:
    leaves = Tree(some_bodies(count)).leaves
    assert join_pairs(leaves) == tree_root(leaves)


@pytest.mark.parametrize("count", [0, 3, 255])
def test_what_is_no_complete_subtree_is_not_joined(count: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        join_pairs([bytes(32)] * count)
