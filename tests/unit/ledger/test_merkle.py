import json

import pytest

from gateway.errors import DamagedRecordError
from gateway.ledger.merkle import Frontier, leaf_hash, node_hash, root_of
from tests.unit.ledger.lines import VECTORS, tree_root


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def frontier_of(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier


def test_roots_are_those_of_certificate_transparency() -> None:
    vector = json.loads((VECTORS / "rfc6962_roots.json").read_text())
    leaves = [leaf_hash(bytes.fromhex(text)) for text in vector["leaves"]]
    roots = [root_of(leaves[:size]).hex() for size in range(9)]
    assert roots == vector["roots"]


def test_roots_equal_the_recursive_definition_at_every_size_to_300() -> None:
    leaves = some_leaves(300)
    frontier = Frontier()
    for size, leaf in enumerate(leaves):
        assert frontier.size == size
        assert frontier.root() == tree_root(leaves[:size])
        frontier = frontier.append(leaf)
    assert frontier.root() == tree_root(leaves) == root_of(leaves)


def test_a_leaf_never_hashes_like_a_node() -> None:
    left, right = some_leaves(2)
    assert node_hash(left, right) != leaf_hash(left + right)


def test_a_frontier_survives_being_stored() -> None:
    for size in (0, 1, 2, 7, 8, 255, 256):
        frontier = frontier_of(some_leaves(size))
        stored = frontier.to_bytes()
        assert len(stored) == 32 * size.bit_count()
        assert Frontier.from_bytes(size, stored) == frontier


def test_a_stored_frontier_grows_like_one_that_was_never_stored() -> None:
    leaves = some_leaves(12)
    stored = Frontier.from_bytes(11, frontier_of(leaves[:11]).to_bytes())
    assert stored.append(leaves[11]) == frontier_of(leaves)


@pytest.mark.parametrize(
    ("size", "length"),
    [(0, 32), (1, 0), (3, 32), (3, 63), (3, 65), (4, 64), (-1, 32), (1, 31), (2, 33)],
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, length: int) -> None:
    with pytest.raises(DamagedRecordError):
        Frontier.from_bytes(size, bytes(length))
