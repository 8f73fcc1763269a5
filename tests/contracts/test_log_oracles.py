"""Two other implementations of the log as oracles: they make and read what we make and read.

tlog-scales follows the same texts of C2SP: its reader opens our tiles, our checkpoints open
under its keys, and the reverse. Where the two differ, it is looser, and a test below names
it: it reads a size of `05`, drops extension lines or trips over them with an IndexError, and
takes base64 in several spellings, and lets any root of a log of 0 grow out of a log of 0. It is
no oracle for refusals. pymerkle has only the tree: it counts leaves from one, and proves
consistency by a list of its own, so there only its verdict is asked.
"""

from argparse import Namespace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import (  # type: ignore[import-untyped]  # carries no types
    ConsistencyProof,
    InmemoryTree,
    InvalidProof,
)
from tlog_scales import cli as scales_cli
from tlog_scales.reader import TilesReader
from tlog_scales.signing import NoteSignature, PlainEd25519Signer, Vkey, VkeySet
from tlog_scales.tlog import Checkpoint as ScalesCheckpoint
from tlog_scales.tlog import ConsistencyProof as ScalesConsistency
from tlog_scales.tlog import ConsistencyProofInvalid, InclusionProofInvalid
from tlog_scales.tlog import InclusionProof as ScalesInclusion
from tlog_scales.writer import TilesWriter

from gateway.ledger.checkpoint import (
    Checkpoint,
    read_checkpoint,
    read_cosignatures,
    sign_checkpoint,
)
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Signer,
    VerifierKey,
    cosignature_message,
    read_note,
    read_verifier_key,
    signature_line,
    verify,
)
from gateway.ledger.proof import (
    consistency_proof,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
    write_tlog_proof,
)
from gateway.ledger.tiles import entries_path, tile_path, tiles_of, write_bundle
from tests.unit.ledger.trees import Tree, some_bodies

SMALL = 300
LARGE = 100_000
ORIGIN = "gateway.example/ledger/2026"
SEED = bytes(range(32))
SIGNER = Ed25519Signer(SEED)
KEY = VerifierKey(name=ORIGIN, algorithm=ED25519, public_key=SIGNER.public_key)


def exported(bodies: list[bytes], sizes: list[int]) -> dict[str, bytes]:
    """Write the tiles and bundles that a log of these sizes would have exported."""
    tree, files = Tree(bodies), {}
    for size in sizes:
        for tile in tiles_of(size):
            hashes = tree.read(tile.level, tile.index, tile.width)
            files[tile_path(tile)] = b"".join(hashes)
            if tile.level == 0:
                first = tile.index * 256
                bundle = write_bundle(bodies[first : first + tile.width])
                files[entries_path(tile.index, tile.width)] = bundle
    return files


class Files:
    """Where tlog-scales looks for the files of a log."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def get(self, *path: str) -> bytes | None:
        return self.files.get("/".join(path))


@cache
def small() -> Tree:
    return Tree(some_bodies(SMALL))


@cache
def small_files() -> dict[str, bytes]:
    return exported(some_bodies(SMALL), list(range(1, SMALL + 1)))


@cache
def large() -> Tree:
    return Tree(some_bodies(LARGE))


@cache
def second_tree() -> InmemoryTree:
    tree = InmemoryTree()
    for body in some_bodies(SMALL):
        tree.append_entry(body)
    return tree


def reader_at(files: dict[str, bytes], size: int) -> TilesReader:
    reader = TilesReader(Files(files))
    reader.set_size(size)
    return reader


def some_places(size: int) -> list[int]:
    """Both ends, the middle, around the border of the tiles, and one that wanders."""
    wanted = {0, size // 2, size - 2, size - 1, 254, 255, 256, 257, size * 7919 % size}
    return sorted(place for place in wanted if 0 <= place < size)


def is_valid(proof: ScalesInclusion | ScalesConsistency, first: bytes, root: bytes) -> bool:
    try:
        proof.check(first, root)
    except (InclusionProofInvalid, ConsistencyProofInvalid):
        return False
    return True


def is_consistent(proof: ConsistencyProof, old_root: bytes, new_root: bytes) -> bool:
    try:
        proof.verify(old_root, new_root)
    except InvalidProof:
        return False
    return True


def test_roots_are_the_same_at_every_size() -> None:
    for size in range(1, SMALL + 1):
        root = root_at(size, small().read)
        assert root == reader_at(small_files(), size).calculate_root_hash()
        assert root == second_tree().get_root(size)


def test_the_reader_of_tlog_scales_proves_the_same_from_our_tiles_at_every_size() -> None:
    for size in range(1, SMALL + 1):
        reader = reader_at(small_files(), size)
        for place in some_places(size):
            inclusion = inclusion_proof(place, size, small().read)
            assert list(inclusion) == reader.get_inclusion_proof(place, size).node_hashes
            if place:
                consistency = consistency_proof(place, size, small().read)
                theirs = reader.get_consistency_proof(place, size)
                assert list(consistency) == theirs.node_hashes


def test_pymerkle_proves_the_same_inclusion_at_every_size() -> None:
    for size in range(1, SMALL + 1):
        for place in some_places(size):
            theirs = second_tree().prove_inclusion(place + 1, size).path
            assert [small().leaves[place], *inclusion_proof(place, size, small().read)] == theirs


def test_pymerkle_agrees_that_the_log_only_grew() -> None:
    for new in range(2, SMALL + 1):
        new_root = root_at(new, small().read)
        for old in some_places(new)[1:]:
            old_root = root_at(old, small().read)
            proof = consistency_proof(old, new, small().read)
            theirs = second_tree().prove_consistency(old, new)
            assert is_consistent(theirs, old_root, new_root)
            assert verify_consistency(old, old_root, new, new_root, proof)
            assert not is_consistent(theirs, new_root, new_root)


@given(st.integers(1, LARGE), st.data())
def test_tlog_scales_accepts_our_proofs_in_large_trees(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, root = large().leaves[index], root_at(size, large().read)
    inclusion = list(inclusion_proof(index, size, large().read))
    assert is_valid(ScalesInclusion(index, size, inclusion), leaf, root)
    old_root = root_at(index, large().read)
    consistency = list(consistency_proof(index, size, large().read))
    assert is_valid(ScalesConsistency(index, size, consistency), old_root, root)


@given(st.integers(0, 40), st.integers(1, 40), st.data())
def test_both_checks_say_the_same_of_any_proof(
    first: int, second: int, data: st.DataObject
) -> None:
    # Hashes of some tree, so that proofs which hold are among them.
    size = data.draw(st.integers(1, 40))
    place = data.draw(st.integers(0, size - 1))
    proof = data.draw(
        st.just(list(inclusion_proof(place, size, small().read)))
        | st.just(list(consistency_proof(place, size, small().read)))
        | st.lists(st.sampled_from(small().leaves[:4]), max_size=4)
    )
    root = root_at(size, small().read)
    leaf, old_root = small().leaves[place], root_at(place, small().read)
    theirs = is_valid(ScalesInclusion(first, second, proof), leaf, root)
    assert verify_inclusion(leaf, first, second, proof, root) == theirs
    theirs = is_valid(ScalesConsistency(first, second, proof), old_root, root)
    assert verify_consistency(first, old_root, second, root, proof) == theirs


def test_our_export_has_the_files_that_tlog_scales_writes_byte_for_byte(tmp_path: Path) -> None:
    for size in (1, 255, 256, 257, SMALL):
        folder = tmp_path / str(size)
        writer = TilesWriter.create(folder, ORIGIN)
        for body in some_bodies(size):
            writer.add_leaf(body)
        writer.commit([PlainEd25519Signer(ORIGIN, SEED)])
        found = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        root = root_at(size, small().read)
        head = Checkpoint(origin=ORIGIN, size=size, root=root)
        ours = exported(some_bodies(size), [size])
        assert ours | {"checkpoint": sign_checkpoint(head, [SIGNER]).encode()} == found


def test_tlog_scales_reads_entries_out_of_our_bundles() -> None:
    bodies = [b"", b"x" * 65_535, *some_bodies(256)]
    reader = reader_at(exported(bodies, [len(bodies)]), len(bodies))
    assert [reader.get_entry(index) for index in range(len(bodies))] == bodies


def test_tlog_scales_writes_the_same_proof_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = Checkpoint(origin=ORIGIN, size=SMALL, root=root_at(SMALL, small().read))
    note = sign_checkpoint(head, [SIGNER])
    for path, content in {**small_files(), "checkpoint": note.encode()}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for index in (0, 255, 256, 299):
        scales_cli.cmd_gen_proof(Namespace(location=str(tmp_path), leaf_index=index))
        proof = inclusion_proof(index, SMALL, small().read)
        assert capsys.readouterr().out == write_tlog_proof(index, proof, note)


# Checkpoints.

HEAD = Checkpoint(origin=ORIGIN, size=SMALL, root=bytes(range(32)))


def test_our_checkpoint_opens_under_their_key_and_theirs_under_ours() -> None:
    theirs = PlainEd25519Signer(ORIGIN, SEED)
    vkey = theirs.vkey.serialize()  # type: ignore[no-untyped-call]  # theirs is half typed
    assert vkey == KEY.text
    note = sign_checkpoint(HEAD, [SIGNER])
    found = ScalesCheckpoint.from_text(note)
    found.verify(Vkey.from_string(KEY.text))
    assert (found.origin, found.size, found.root_hash) == (ORIGIN, HEAD.size, HEAD.root)
    written = ScalesCheckpoint.make_signed(ORIGIN, HEAD.size, HEAD.root, [theirs]).serialize()
    assert written == note
    verify(read_note(written), read_verifier_key(vkey))
    assert read_checkpoint(written) == HEAD


def test_tlog_scales_accepts_the_cosignatures_that_we_do() -> None:
    signer = Ed25519Signer(bytes(32))
    witness = VerifierKey(
        name="witness.example/w1", algorithm=COSIGNATURE, public_key=signer.public_key
    )
    seconds = 1_795_341_600
    value = seconds.to_bytes(8, "big") + signer.sign(cosignature_message(HEAD.text, seconds))
    line = signature_line(witness.name, witness.key_id, value)
    assert read_cosignatures(line, HEAD.text, witness) == [line]
    theirs = ScalesCheckpoint.from_text(sign_checkpoint(HEAD, [SIGNER]) + line)
    keys = VkeySet(Vkey.from_string(witness.text), Vkey.from_string(KEY.text))
    assert {key.name for key, _ in keys.verify(theirs.signatures, theirs)} == {
        ORIGIN,
        witness.name,
    }
    assert NoteSignature.from_line(line.rstrip("\n")).serialize() == line.rstrip("\n")


def test_tlog_scales_reads_a_size_with_a_leading_zero_and_we_do_not() -> None:
    loose = sign_checkpoint(HEAD, [SIGNER]).replace("\n300\n", "\n0300\n")
    assert ScalesCheckpoint.from_text(loose).size == SMALL
    with pytest.raises(ValueError, match="leading zeroes"):
        read_checkpoint(loose)


def test_tlog_scales_lets_a_log_of_0_have_any_root_and_we_do_not() -> None:
    empty, other = root_at(0, small().read), root_at(1, small().read)
    assert is_valid(ScalesConsistency(0, 0, []), empty, other)
    assert not verify_consistency(0, empty, 0, other, ())


def test_tlog_scales_reads_base64_with_stray_bits_and_we_do_not() -> None:
    line = HEAD.text.split("\n")[2]
    loose = sign_checkpoint(HEAD, [SIGNER]).replace(line, f"{line[:-2]}9=")
    assert ScalesCheckpoint.from_text(loose).root_hash == HEAD.root
    with pytest.raises(ValueError, match=r"line 3 .* canonical"):
        read_checkpoint(loose)


def test_tlog_scales_trips_over_extension_lines_and_we_say_what_is_wrong() -> None:
    text = f"{HEAD.text}extension\n"
    line = signature_line(ORIGIN, KEY.key_id, SIGNER.sign(text.encode()))
    with pytest.raises(IndexError):
        ScalesCheckpoint.from_text(f"{text}\n{line}")
    with pytest.raises(ValueError, match="extension lines"):
        read_checkpoint(f"{text}\n{line}")
