"""An export as a whole: what an honest one passes, and the named reason of every damage."""

import base64
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import verify
from gateway.ledger.canonical import canonical_json
from gateway.ledger.merkle import leaf_hash, root_of
from gateway.ledger.verify import (
    KEY_CAME_ALONG,
    NOT_PROVED,
    SHARED_FROM,
    UNREAD,
    Report,
    verify_export,
)
from tests.builders.exported import (
    COSIGNED_AT,
    STRANGER,
    VKEY,
    WITNESS,
    WITNESS_KEY,
    WITNESS_NAME,
    bodies_of,
    checkpoint_of,
    cosignature_line,
    cosigned,
    files_of,
    log_key,
    signed,
    write_files,
)
from tests.unit.ledger.lines import LOG

Files = dict[str, bytes]
SIZE = 600
HONEST = files_of(bodies_of(SIZE))
NOTE = HONEST["checkpoint"].decode()
TEXT = NOTE[: NOTE.index("\n\n") + 1]


def checked(folder: Path, files: Files, **given: object) -> Report:
    freely: Callable[..., Report] = partial(verify_export, vkey=VKEY)
    return freely(write_files(folder, files), **given)


def codes_of(report: Report) -> set[str]:
    return {finding.code.value for finding in report.findings}


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 1000])
def test_an_honest_export_passes(tmp_path: Path, size: int) -> None:
    bodies = bodies_of(size)
    report = checked(tmp_path, files_of(bodies))
    assert (report.findings, report.ok, report.log) == ((), True, LOG)
    assert (report.size, report.root) == (size, root_of(map(leaf_hash, bodies)).hex())
    assert f"{size:,} entries: canonical form, hashes, links" in report.checked
    assert report.not_proved == NOT_PROVED


def test_a_tree_has_the_tiles_of_the_example_in_the_specification() -> None:
    # c2sp.org/tlog-tiles, Partial Tiles: a tree of 70,000.
    leaves = [leaf_hash(b"%d" % number) for number in range(70_000)]
    tree = verify._Tree()
    filled = [
        level
        for start in range(0, len(leaves), 256)
        for level, _, tile in tree.add(leaves[start : start + 256])
        if len(tile) == 256
    ]
    assert (filled.count(0), filled.count(1), len(filled)) == (273, 1, 274)
    open_tiles = [(level, index, len(tile)) for level, index, tile in tree.partial()]
    assert open_tiles == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert tree.root() == root_of(leaves)


def flipped(name: str, bit: int = 700) -> Callable[[Files], None]:
    def flip(files: Files) -> None:
        content = bytearray(files[name])
        content[bit // 8] ^= 1 << bit % 8
        files[name] = bytes(content)

    return flip


def without(name: str) -> Callable[[Files], None]:
    def take_away(files: Files) -> None:
        del files[name]

    return take_away


def holding(name: str, content: bytes) -> Callable[[Files], None]:
    def put(files: Files) -> None:
        files[name] = content

    return put


def noted(note: str) -> Callable[[Files], None]:
    return holding("checkpoint", note.encode())


def bundled(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], None]:
    """Change the entries of the second bundle, and nothing else."""
    changed = change([*bodies_of(SIZE)[256:512]])
    content = b"".join(len(body).to_bytes(2, "big") + body for body in changed)
    return holding("tile/entries/001", content)


def lines(*given: str) -> str:
    return signed("".join(f"{line}\n" for line in given))


ORIGIN, COUNT, ROOT = TEXT.splitlines()
OTHER_ROOT = ("B" if ROOT[0] == "A" else "A") + ROOT[1:]
LAST = NOTE.splitlines()[-1]
BITS_TOO_MANY = ROOT[:-2] + chr(ord(ROOT[-2]) + 1) + "="

DAMAGE: dict[str, tuple[Callable[[Files], None], str]] = {
    "a bit of a full bundle": (flipped("tile/entries/001"), "tile"),
    "a length in a bundle": (flipped("tile/entries/001", 0), "bundle"),
    "a bit of the partial bundle": (flipped("tile/entries/002.p/88"), "tile"),
    "a bit of a tile of leaves": (flipped("tile/0/001"), "tile"),
    "a bit of the partial tile of leaves": (flipped("tile/0/002.p/88"), "tile"),
    "a bit of a higher tile": (flipped("tile/1/000.p/2", 7), "tile"),
    "a bit of the size": (flipped("checkpoint", (len(ORIGIN) + 1) * 8), "signature"),
    "a letter of the root": (noted(NOTE.replace(ROOT, OTHER_ROOT)), "signature"),
    "a bit of the signature": (noted(NOTE[:-20] + "AAAA" + NOTE[-16:]), "signature"),
    "swapped entries": (bundled(lambda b: [b[1], b[0], *b[2:]]), "place"),
    "an entry deleted": (bundled(lambda b: b[1:]), "bundle"),
    "an entry inserted": (bundled(lambda b: [b[0], *b]), "bundle"),
    "an entry in place of another": (bundled(lambda b: [b[1], *b[1:]]), "place"),
    "a bundle cut": (holding("tile/entries/001", HONEST["tile/entries/001"][:-1]), "bundle"),
    "a bundle with a byte over": (
        holding("tile/entries/001", HONEST["tile/entries/001"] + b"\0"), "bundle",
    ),
    "an empty bundle": (holding("tile/entries/001", b""), "bundle"),
    "a bundle without end": (holding("tile/entries/001", bytes(256 * 65_537 + 1)), "length"),
    "a body of 2,049 bytes": (bundled(lambda b: [b"x" * 2049, *b[1:]]), "body"),
    "a missing bundle": (without("tile/entries/001"), "missing"),
    "a missing tile of leaves": (without("tile/0/000"), "missing"),
    "a missing partial tile": (without("tile/0/002.p/88"), "missing"),
    "a missing higher tile": (without("tile/1/000.p/2"), "missing"),
    "a missing checkpoint": (without("checkpoint"), "missing"),
    "a tile too long": (holding("tile/0/000", HONEST["tile/0/000"] + bytes(32)), "length"),
    "a higher tile too long": (holding("tile/1/000.p/2", bytes(96)), "length"),
    "a tile too short": (holding("tile/0/001", HONEST["tile/0/001"][:-32]), "length"),
    "a partial tile where a full one belongs": (
        lambda files: files.update({"tile/0/000.p/255": files.pop("tile/0/000")[:-32]}), "missing",
    ),
    "an older checkpoint over newer tiles": (noted(checkpoint_of(bodies_of(590))), "missing"),
    "a checkpoint over more than there is": (noted(checkpoint_of(bodies_of(1000))), "missing"),
    "a checkpoint over other entries": (noted(checkpoint_of([b"x"] * SIZE)), "root"),
    "a root of an empty log over entries": (noted(lines(ORIGIN, "0", ROOT)), "root"),
    "an endless size": (noted(lines(ORIGIN, str(10**18), ROOT)), "missing"),
    "a size beyond all": (noted(lines(ORIGIN, str(10**19), ROOT)), "checkpoint"),
    "another key of the same name": (noted(signed(TEXT, STRANGER)), "wrong-key"),
    "an unknown key only": (noted(signed(TEXT, STRANGER, "x.example")), "unknown-key"),
    "another origin": (noted(lines("x.example/2026", COUNT, ROOT)), "origin"),
    "the origin of another year": (noted(lines("gateway.example/ledger/2025", COUNT, ROOT)), "origin"),
    "a size with a leading zero": (noted(lines(ORIGIN, "0600", ROOT)), "checkpoint"),
    "a size with a sign": (noted(lines(ORIGIN, "+600", ROOT)), "checkpoint"),
    "an extension line": (noted(lines(ORIGIN, COUNT, ROOT, "more")), "extension"),
    "a line too few": (noted(lines(ORIGIN, COUNT)), "base64"),
    "a root of 33 bytes": (
        noted(lines(ORIGIN, COUNT, base64.b64encode(bytes(33)).decode())), "checkpoint",
    ),
    "a root with stray bits": (noted(lines(ORIGIN, COUNT, BITS_TOO_MANY)), "base64"),
    "a root in the other alphabet": (noted(lines(ORIGIN, COUNT, "-" + ROOT[1:])), "base64"),
    "a signature with stray characters": (noted(NOTE[:-1] + "*\n"), "base64"),
    "no final newline": (noted(NOTE[:-1]), "note"),
    "no blank line": (noted(TEXT + LAST + "\n"), "note"),
    "no signature": (noted(TEXT + "\n"), "note"),
    "a control character": (noted(signed(f"{ORIGIN}\t\n{COUNT}\n{ROOT}\n")), "note"),
    "a carriage return": (noted(NOTE.replace("\n", "\r\n")), "note"),
    "half a character": (holding("checkpoint", HONEST["checkpoint"] + b"\xe2\x80"), "note"),
    "a hyphen for the dash": (noted(NOTE.replace("\u2014", "-")), "note"),
    "a nameless signature": (noted(f"{TEXT}\n\u2014  AAAAAAA=\n"), "note"),
    "a plus in a key name": (noted(NOTE + "\u2014 a+b AAAAAAA=\n"), "note"),
    "a signature of nothing": (noted(NOTE + "\u2014 a AAAAAA==\n"), "note"),
    "a word too many": (noted(NOTE + "\u2014 a AAAAAAA= b\n"), "note"),
    "65 signatures": (noted(NOTE + "\u2014 a AAAAAAA=\n" * 64), "note"),
    "a checkpoint of 1 MB": (noted(NOTE + "\u2014 a AAAAAAA=\n" * 60_000), "length"),
    "one of two signatures bad": (noted(NOTE + NOTE[:-20].splitlines()[-1] + "AAAA" + NOTE[-16:]), "signature"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_for_its_reason(tmp_path: Path, damage: str) -> None:
    change, reason = DAMAGE[damage]
    files = {**HONEST}
    change(files)
    report = checked(tmp_path, files)
    assert not report.ok
    assert reason in codes_of(report)
    if reason in ("tile", "length") and damage.endswith("tile too long"):
        assert codes_of(report) == {reason}


def test_one_wrong_hash_of_a_higher_tile_is_the_only_finding(tmp_path: Path) -> None:
    files = {**HONEST}
    flipped("tile/1/000.p/2", 300)(files)
    report = checked(tmp_path, files)
    assert [finding.text for finding in report.findings] == [
        "tile/1/000.p/2: hash 1 is not what the entries under it hash to"
    ]


def test_what_was_not_read_is_said_to_be_not_proved(tmp_path: Path) -> None:
    report = checked(tmp_path, HONEST | {"tile/entries/001": b""})
    assert UNREAD in report.not_proved
    assert report.size == 256
    assert not any("entries" in text for text in report.checked)


def changed_entries(change: Callable[[dict[str, object]], None], index: int) -> list[bytes]:
    import json

    bodies = [*bodies_of(300)]
    whole = json.loads(bodies[index])
    change(whole)
    bodies[index] = canonical_json(whole)
    return bodies


LIES: dict[str, tuple[dict[str, object], int, str]] = {
    "no link where there is one": ({"prev_subject": None}, 299, "prev-subject"),
    "a link to one that is not the latest": ({"prev_practice": 3}, 299, "prev-practice"),
    "a link to the future": ({"prev_subject": 299}, 150, "prev-subject"),
    "an entry of another log": ({"log": "x.example/2026"}, 7, "log"),
    "a repeated index": ({"idx": 299}, 150, "place"),
    "an NHS number": ({"actor": "9990000018"}, 7, "identifier"),
    "an unknown kind": ({"kind": "nobody.knows"}, 7, "kind"),
    "version 3": ({"v": 3}, 7, "version"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_that_is_signed_is_still_found(tmp_path: Path, lie: str) -> None:
    values, index, reason = LIES[lie]
    bodies = changed_entries(lambda whole: whole.update(values), _on_somebody(index))
    report = checked(tmp_path, files_of(bodies))
    assert not report.ok
    assert reason in codes_of(report)
    assert codes_of(report) <= {reason, "prev-subject", "prev-practice"}


def _on_somebody(index: int) -> int:
    """The entry with this index, or the next before it, that is on a subject seen before."""
    return next(
        at for at in range(index, 0, -1) if b'"prev_subject":null' not in bodies_of(300)[at]
    )


def test_a_clock_that_stepped_back_is_a_note(tmp_path: Path) -> None:
    bodies = changed_entries(lambda whole: whole.update(t="2026-01-01T00:00:00.000000Z"), 280)
    report = checked(tmp_path, files_of(bodies))
    assert (report.ok, codes_of(report)) == (True, {"time"})


# ---- older checkpoints


def test_an_older_checkpoint_of_any_size_is_found_consistent(tmp_path: Path) -> None:
    write_files(tmp_path, HONEST)
    for size in (0, 1, 255, 256, 257, 511, 512, 513, 599, 600):
        older = checkpoint_of(bodies_of(SIZE)[:size])
        report = verify_export(tmp_path, vkey=VKEY, older=older)
        assert report.findings == ()
        assert f"consistent with the older checkpoint of size {size}" in report.checked


@pytest.mark.parametrize("size", [1, 256, 300, 600])
def test_a_fork_is_found_by_an_older_checkpoint(tmp_path: Path, size: int) -> None:
    other = [b"x", *bodies_of(SIZE)[1:size]]
    report = checked(tmp_path, HONEST, older=checkpoint_of(other))
    assert codes_of(report) == {"fork"}
    assert not report.ok


def test_a_fork_of_an_empty_log_is_found(tmp_path: Path) -> None:
    assert codes_of(checked(tmp_path, HONEST, older=lines(ORIGIN, "0", ROOT))) == {"fork"}


def test_a_rollback_is_found_by_an_older_checkpoint(tmp_path: Path) -> None:
    older = checkpoint_of(bodies_of(SIZE + 1))
    assert codes_of(checked(tmp_path, HONEST, older=older)) == {"rollback"}


def test_an_older_checkpoint_that_the_log_did_not_sign_counts_for_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, HONEST)
    for older, code in [
        (signed(TEXT, STRANGER), "wrong-key"),
        (NOTE.replace("600", "599"), "signature"),
        ("", "note"),
    ]:
        report = verify_export(tmp_path, vkey=VKEY, older=older)
        assert codes_of(report) == {code}
        assert report.findings[0].text.startswith("older checkpoint: ")


# ---- keys and witnesses


def test_a_key_that_came_with_the_export_proves_nothing_about_who_wrote_it(tmp_path: Path) -> None:
    report = checked(tmp_path, HONEST, vkey=None)
    assert report.ok
    assert KEY_CAME_ALONG in report.not_proved
    assert KEY_CAME_ALONG not in checked(tmp_path, HONEST).not_proved


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xfe", VKEY.encode()[:-4], b"a+b+c"])
def test_a_key_in_the_folder_that_is_none_is_found(tmp_path: Path, content: bytes) -> None:
    report = checked(tmp_path, HONEST | {"vkey": content}, vkey=None)
    assert codes_of(report) == {"key"}


def test_a_folder_without_a_key_says_so(tmp_path: Path) -> None:
    files = {**HONEST}
    del files["vkey"]
    assert codes_of(checked(tmp_path, files, vkey=None)) == {"missing"}


@pytest.mark.parametrize(
    "vkey",
    ["", "x", "x+00000000+AAAA", f"{VKEY}x", WITNESS_KEY.text, f"a b{VKEY[VKEY.index('+') :]}",
     VKEY.replace("gateway", "gatewax"), VKEY[VKEY.index("+") :]],
)  # fmt: skip
def test_a_key_given_that_is_none_is_refused(tmp_path: Path, vkey: str) -> None:
    with pytest.raises(ValueError, match="verifier key"):
        verify_export(write_files(tmp_path, HONEST), vkey=vkey)
    with pytest.raises(ValueError, match="verifier key"):
        verify_export(tmp_path, vkey=VKEY, witnesses=[vkey if vkey != WITNESS_KEY.text else VKEY])


def test_two_keys_of_a_log_that_rotates_are_each_enough(tmp_path: Path) -> None:
    note = checkpoint_of(bodies_of(SIZE), signers=[STRANGER, WITNESS])
    write_files(tmp_path, HONEST | {"checkpoint": note.encode()})
    for signer in (STRANGER, WITNESS):
        assert verify_export(tmp_path, vkey=log_key(signer).text).ok


def test_a_witness_is_named_with_its_time(tmp_path: Path) -> None:
    files = HONEST | {"checkpoint": cosigned(NOTE).encode()}
    report = checked(tmp_path, files, witnesses=[WITNESS_KEY.text])
    assert report.ok
    assert report.witnesses == (f"{WITNESS_NAME} at {COSIGNED_AT.isoformat()}, size 600",)
    assert checked(tmp_path, files).witnesses == ()


def test_a_witness_that_has_not_cosigned_is_found(tmp_path: Path) -> None:
    report = checked(tmp_path, HONEST, witnesses=[WITNESS_KEY.text])
    assert codes_of(report) == {"unwitnessed"}
    assert not report.ok


FAR = 2**62
BAD_COSIGNATURES = {
    "of another text": cosigned(NOTE, over=TEXT.replace("600", "599")),
    "of another time": NOTE + cosignature_line(1, base64.b64decode(
        cosigned(NOTE).splitlines()[-1].split(" ")[2])[12:]),
    "too short": NOTE + cosignature_line(1, b"x"),
    "after the year 9999": NOTE + cosignature_line(
        FAR, WITNESS.sign(f"cosignature/v1\ntime {FAR}\n{TEXT}".encode())),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD_COSIGNATURES)
def test_a_cosignature_that_does_not_hold_is_found(tmp_path: Path, bad: str) -> None:
    files = HONEST | {"checkpoint": BAD_COSIGNATURES[bad].encode()}
    report = checked(tmp_path, files, witnesses=[WITNESS_KEY.text])
    assert codes_of(report) == {"cosignature"}
    assert report.witnesses == ()


# ---- the folder


def test_a_file_too_many_is_noted_and_no_failure(tmp_path: Path) -> None:
    files = HONEST | {"README.md": b"x", "proof/1": b"x", "detail/2": b"x", "tile/0/009": b"x"}
    files |= {"note.txt": b"x", "tile/x/000": b"x", "other/deep/file": b"x", "tile/0/002": b""}
    report = checked(tmp_path, files)
    assert report.ok
    assert [finding.text.split(" ")[0] for finding in report.findings] == [
        "'note.txt'", "'other'", "'tile/0/002'", "'tile/0/009'", "'tile/x'",
    ]  # fmt: skip
    assert codes_of(report) == {"stray"}


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/entries/002.p/88"])
def test_a_link_is_never_followed(tmp_path: Path, name: str) -> None:
    folder = write_files(tmp_path / "export", HONEST)
    outside = tmp_path / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    assert codes_of(verify_export(folder, vkey=VKEY)) == {"not-a-file"}


def test_a_linked_folder_is_never_followed(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "export", HONEST)
    (folder / "tile").rename(tmp_path / "outside")
    (folder / "tile").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    assert codes_of(verify_export(folder, vkey=VKEY)) == {"not-a-file"}


@pytest.mark.parametrize("name", ["checkpoint", "tile/1/000.p/2"])
def test_a_folder_or_a_pipe_where_a_file_belongs_is_found(tmp_path: Path, name: str) -> None:
    folder = write_files(tmp_path, HONEST)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert codes_of(verify_export(folder, vkey=VKEY)) == {"not-a-file"}
    (folder / name).rmdir()
    os.mkfifo(folder / name)
    assert codes_of(verify_export(folder, vkey=VKEY)) == {"not-a-file"}


def test_a_file_that_goes_while_it_is_read_is_found(tmp_path: Path) -> None:
    folder = write_files(tmp_path, files_of(bodies_of(1100)))

    def remove(size: int) -> None:
        (folder / "tile/entries/004.p/76").unlink(missing_ok=True)

    report = verify_export(folder, vkey=VKEY, progress=remove)
    assert codes_of(report) == {"missing"}
    assert "cannot be read" in report.findings[0].text


def test_a_folder_that_is_none_is_a_bad_call(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        verify_export(tmp_path / "nowhere", vkey=VKEY)


def test_progress_is_told_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    told: list[int] = []
    verify_export(write_files(tmp_path, files_of(bodies_of(1100))), vkey=VKEY, progress=told.append)
    assert told == [1024, 1100]


def test_several_processes_find_the_same_as_one(tmp_path: Path) -> None:
    size = SHARED_FROM + 1
    bodies = [b"x"] * size
    bodies[:600] = bodies_of(SIZE)
    folder = write_files(tmp_path, files_of(bodies))
    alone, shared = (verify_export(folder, vkey=VKEY, processes=count) for count in (1, 2))
    assert alone == shared
    assert alone.found == size - SIZE
    (folder / "tile/entries/015").write_bytes(b"x")
    alone, shared = (verify_export(folder, vkey=VKEY, processes=count) for count in (1, 2))
    assert alone == shared
    assert alone.size == 15 * 256


# ---- any damage


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("export"), HONEST)


@given(st.sampled_from(sorted(HONEST.keys() - {"vkey"})), st.data())
def test_any_damage_to_any_file_is_found_and_nothing_stops_the_check(
    export: Path, name: str, data: st.DataObject
) -> None:
    content = HONEST[name]
    at = data.draw(st.integers(0, len(content) - 1))
    cut, put = data.draw(st.tuples(st.integers(0, 40), st.binary(max_size=40)))
    damaged = content[:at] + put + content[at + cut :]
    (export / name).write_bytes(damaged)
    try:
        report = verify_export(export, vkey=VKEY)
    finally:
        (export / name).write_bytes(content)
    assert report.ok == (damaged == content)


@given(st.binary(max_size=300))
def test_nothing_that_stands_for_a_checkpoint_stops_the_check(export: Path, note: bytes) -> None:
    (export / "checkpoint").write_bytes(note)
    try:
        report = verify_export(export, vkey=VKEY, older=note.decode(errors="replace"))
    finally:
        (export / "checkpoint").write_bytes(HONEST["checkpoint"])
    assert not report.ok
