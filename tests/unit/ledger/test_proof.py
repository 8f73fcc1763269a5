import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DamagedRecordError
from gateway.ledger.proof import (
    HashReader,
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
    write_tlog_proof,
)
from tests.unit.ledger.lines import VECTORS
from tests.unit.ledger.trees import Definitions, Tree, some_bodies, split

SMALL = 300
LARGE = 100_000
BORDERS = (1, 2, 3, 127, 128, 129, 255, 256, 257, 299, 300)


@cache
def tree() -> Tree:
    return Tree(some_bodies(LARGE))


@cache
def defined() -> Definitions:
    return Definitions(tree().leaves)


def spans(largest: int) -> Iterator[tuple[int, int]]:
    """Yield every pair with 0 <= first < second <= largest."""
    return ((first, second) for second in range(largest + 1) for first in range(second))


def few_spans() -> list[tuple[int, int]]:
    near = {(first, second) for second in BORDERS for first in BORDERS if first < second}
    at_ends = {(first, size) for size in range(2, SMALL + 1) for first in (0, size // 2, size - 1)}
    return sorted(near | at_ends | set(spans(48)))


def bit_flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def altered(proof: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Damage a proof: one bit, one more, one fewer, two in the other order, one cut short."""
    whole = tuple(proof)
    yield (*whole, bytes(32))
    yield (bytes(32), *whole)
    for place, each in enumerate(whole):
        yield (*whole[:place], bit_flipped(each), *whole[place + 1 :])
        yield (*whole[:place], *whole[place + 1 :])
        yield (*whole[:place], each[:-1], *whole[place + 1 :])
        yield (*whole[:place], each, *whole[place:])
    for place, (one, other) in enumerate(pairwise(whole)):
        yield (*whole[:place], other, one, *whole[place + 2 :])


def sides(index: int, size: int) -> str:
    """Say on which side each sibling of an inclusion proof stands, from the leaf up."""
    if size == 1:
        return ""
    middle = split(size)
    if index < middle:
        return sides(index, middle) + "r"
    return sides(index - middle, size - middle) + "l"


def steps(old: int, size: int, *, known: bool = True) -> str:
    """Say what each hash of a consistency proof is joined to: the new root, or both."""
    if old == size:
        return "known " if known else "given "
    middle = split(size)
    if old <= middle:
        return steps(old, middle, known=known) + "n"
    return steps(old - middle, size - middle, known=False) + "b"


# Making: what the definitions say.


def test_roots_are_as_defined_at_every_size() -> None:
    for size in range(SMALL + 1):
        assert root_at(size, tree().read) == defined().root(0, size)


def test_proofs_are_as_defined() -> None:
    for first, second in few_spans():
        assert inclusion_proof(first, second, tree().read) == defined().inclusion(first, second)
        assert consistency_proof(first, second, tree().read) == defined().consistency(first, second)


@pytest.mark.soak
def test_proofs_are_as_defined_for_every_index_and_size() -> None:
    for first, second in spans(SMALL):
        assert inclusion_proof(first, second, tree().read) == defined().inclusion(first, second)
        assert consistency_proof(first, second, tree().read) == defined().consistency(first, second)


@given(st.integers(1, LARGE), st.data())
def test_proofs_in_large_trees_are_as_defined_and_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = root_at(size, tree().read)
    inclusion = inclusion_proof(index, size, tree().read)
    consistency = consistency_proof(index, size, tree().read)
    assert root == defined().root(0, size)
    assert inclusion == defined().inclusion(index, size)
    assert consistency == defined().consistency(index, size)
    assert verify_inclusion(tree().leaves[index], index, size, inclusion, root)
    old_root = root_at(index, tree().read)
    assert verify_consistency(index, old_root, size, root, consistency)
    assert not verify_inclusion(bit_flipped(tree().leaves[index]), index, size, inclusion, root)
    assert not verify_consistency(index, bit_flipped(old_root), size, root, consistency)


@pytest.mark.parametrize("size", [0, 1, 255, 256, SMALL])
def test_a_tree_is_consistent_with_itself_and_with_nothing_without_a_proof(size: int) -> None:
    assert consistency_proof(size, size, tree().read) == ()
    assert consistency_proof(0, size, tree().read) == ()


@pytest.mark.parametrize("size", [256**3 - 1, 256**3, 10**6 + 3, 2**40 + 1])
@pytest.mark.parametrize("parts", [(0, 1), (1, 3), (1, 2), (2, 3)])
def test_a_proof_asks_for_two_tiles_a_level_each_once(size: int, parts: tuple[int, int]) -> None:
    asked: list[tuple[int, int, int]] = []

    def read(level: int, index: int, width: int) -> list[bytes]:
        asked.append((level, index, width))
        return [bytes(32)] * width

    numerator, denominator = parts
    for proof in (inclusion_proof, consistency_proof):
        asked.clear()
        proof(size * numerator // denominator, size, read)
        places = [(level, index) for level, index, _ in asked]
        assert len(places) == len(set(places))
        assert all(sum(at == level for at, _ in places) <= 2 for level in range(6))
        assert all(width == min(256, size // 256**at - to * 256) for at, to, width in asked)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (4, 3), (0, 0)])
def test_an_entry_that_the_tree_has_not_is_not_proved(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"no entry {index} in a tree of {size}"):
        inclusion_proof(index, size, tree().read)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (0, -1)])
def test_a_tree_that_did_not_grow_is_not_proved(old: int, new: int) -> None:
    with pytest.raises(ValueError, match=f"no tree of {new} grew out of one of {old}"):
        consistency_proof(old, new, tree().read)


def test_a_negative_size_has_no_root() -> None:
    with pytest.raises(ValueError, match="not negative"):
        root_at(-1, tree().read)


@pytest.mark.parametrize(
    "answer",
    [[], [bytes(32)] * 2, [bytes(32)] * 4, [bytes(32), bytes(31), bytes(32)]],
    ids=["none", "one_too_few", "one_too_many", "a_short_hash"],
)
def test_a_tile_that_does_not_hold_what_it_must_is_noticed(answer: list[bytes]) -> None:
    def damaged(_level: int, _index: int, _width: int) -> list[bytes]:
        return answer

    read: HashReader = damaged
    with pytest.raises(DamagedRecordError, match="tile 0 of level 0 does not hold 3 hashes"):
        root_at(3, read)


# Checking.


def test_every_proof_holds_to_300() -> None:
    roots = [defined().root(0, size) for size in range(SMALL + 1)]
    for index, size in spans(SMALL):
        leaf = tree().leaves[index]
        assert verify_inclusion(leaf, index, size, defined().inclusion(index, size), roots[size]), (
            index,
            size,
        )
    for old, new in spans(SMALL):
        proof = defined().consistency(old, new)
        assert verify_consistency(old, roots[old], new, roots[new], proof), (old, new)


def test_a_tree_is_consistent_with_itself_alone() -> None:
    root, other = defined().root(0, 5), defined().root(0, 6)
    assert verify_consistency(5, root, 5, root, ())
    assert not verify_consistency(5, root, 5, other, ())
    assert not verify_consistency(5, root, 5, root, (root,))


def test_an_empty_tree_is_consistent_with_all_by_an_empty_proof() -> None:
    empty, root = defined().root(0, 0), defined().root(0, 5)
    assert verify_consistency(0, empty, 5, root, ())
    assert verify_consistency(0, empty, 0, empty, ())
    assert not verify_consistency(0, empty, 5, root, (root,))
    assert not verify_consistency(0, root, 5, root, ())


def test_no_altered_inclusion_proof_holds() -> None:
    for index, size in (*spans(20), (0, SMALL), (255, SMALL), (256, SMALL), (299, SMALL)):
        leaf, root = tree().leaves[index], defined().root(0, size)
        proof = defined().inclusion(index, size)
        assert verify_inclusion(leaf, index, size, proof, root)
        assert not verify_inclusion(bit_flipped(leaf), index, size, proof, root)
        assert not verify_inclusion(leaf, index, size, proof, bit_flipped(root))
        assert not verify_inclusion(leaf[:-1], index, size, proof, root)
        for wrong in altered(proof):
            assert not verify_inclusion(leaf, index, size, wrong, root)


def test_no_altered_consistency_proof_holds() -> None:
    for old, new in (*spans(20), (1, SMALL), (255, SMALL), (256, SMALL), (299, SMALL)):
        if old == 0:
            continue
        old_root, new_root = defined().root(0, old), defined().root(0, new)
        proof = defined().consistency(old, new)
        assert verify_consistency(old, old_root, new, new_root, proof)
        assert not verify_consistency(old, bit_flipped(old_root), new, new_root, proof)
        assert not verify_consistency(old, old_root, new, bit_flipped(new_root), proof)
        assert not verify_consistency(old, new_root, new, old_root, proof)
        assert not verify_consistency(old, old_root, new, new_root, ())
        for wrong in altered(proof):
            assert not verify_consistency(old, old_root, new, new_root, wrong)


def test_no_byte_moves_from_what_is_proved_into_its_proof() -> None:
    leaf, sibling = tree().leaves[:2]
    root = defined().root(0, 2)
    assert verify_inclusion(leaf, 0, 2, (sibling,), root)
    assert not verify_inclusion(leaf[:-1], 0, 2, (leaf[-1:] + sibling,), root)
    assert verify_consistency(1, leaf, 2, root, (sibling,))
    assert not verify_consistency(1, leaf[:-1], 2, root, (leaf[-1:] + sibling,))


def test_what_is_no_hash_is_no_root() -> None:
    assert not verify_inclusion(b"x", 0, 1, (), b"x")
    assert not verify_consistency(1, b"x", 1, b"x", ())
    assert not verify_consistency(0, defined().root(0, 0), 1, b"x", ())


def test_no_inclusion_proof_holds_for_another_index_or_size_unless_its_sides_are_the_same() -> None:
    # A proof says nothing of the sizes: that is why size and root come from one checkpoint.
    for index, size in spans(17):
        leaf, root = tree().leaves[index], defined().root(0, size)
        proof = defined().inclusion(index, size)
        for other, wrong in product(range(-1, 18), range(18)):
            fits = 0 <= other < wrong and sides(other, wrong) == sides(index, size)
            assert verify_inclusion(leaf, other, wrong, proof, root) == fits
            assert not (fits and wrong == size and other != index)


def test_no_consistency_proof_holds_for_other_sizes_unless_its_steps_are_the_same() -> None:
    for old, new in spans(12):
        if old == 0:
            continue
        old_root, new_root = defined().root(0, old), defined().root(0, new)
        proof = defined().consistency(old, new)
        for other, wrong in product(range(-1, 14), range(14)):
            fits = 0 < other < wrong and steps(other, wrong) == steps(old, new)
            assert verify_consistency(other, old_root, wrong, new_root, proof) == fits


# The file.


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    index: int
    size: int
    root: bytes
    inclusion: tuple[bytes, ...]
    old_size: int
    old_root: bytes
    consistency: tuple[bytes, ...]
    checkpoint: str
    tlog_proof: str


def read_vector() -> Vector:
    read: dict[str, Any] = json.loads((VECTORS / "proofs.json").read_text(encoding="utf-8"))
    return Vector(
        index=read["index"],
        size=read["size"],
        root=bytes.fromhex(read["root"]),
        inclusion=tuple(map(bytes.fromhex, read["inclusion"])),
        old_size=read["old_size"],
        old_root=bytes.fromhex(read["old_root"]),
        consistency=tuple(map(bytes.fromhex, read["consistency"])),
        checkpoint=read["checkpoint"],
        tlog_proof=read["tlog_proof"],
    )


def test_proofs_are_those_of_the_vector() -> None:
    vector = read_vector()
    assert root_at(vector.size, tree().read) == vector.root
    assert root_at(vector.old_size, tree().read) == vector.old_root
    assert inclusion_proof(vector.index, vector.size, tree().read) == vector.inclusion
    assert consistency_proof(vector.old_size, vector.size, tree().read) == vector.consistency


def test_a_proof_file_is_that_of_the_vector() -> None:
    vector = read_vector()
    written = write_tlog_proof(vector.index, vector.inclusion, vector.checkpoint)
    assert written == vector.tlog_proof


@pytest.mark.parametrize("index", [-1, 300])
def test_a_proof_file_for_an_entry_that_is_not_under_the_checkpoint_is_refused(index: int) -> None:
    vector = read_vector()
    with pytest.raises(ValueError, match="take a later one"):
        write_tlog_proof(index, vector.inclusion, vector.checkpoint)


def test_a_proof_file_with_a_short_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        write_tlog_proof(0, (bytes(31),), read_vector().checkpoint)


def test_a_proof_file_without_a_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="blank line"):
        write_tlog_proof(0, (), "no checkpoint\n")
