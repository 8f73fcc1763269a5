"""Proofs of one entry, timelines of one subject or practice, and details that were disclosed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.canonical import canonical_json
from gateway.ledger.merkle import leaf_hash, root_of
from gateway.ledger.verify import (
    KEY_CAME_ALONG,
    Report,
    open_detail,
    verify_proof,
    verify_timeline,
)
from tests.builders.exported import (
    COSIGNED_AT,
    SALT,
    STRANGER,
    VKEY,
    WITNESS_KEY,
    WITNESS_NAME,
    bodies_of,
    checkpoint_of,
    cosigned,
    detail_of,
    proof_of,
    signed,
    timeline_of,
    write_files,
)
from tests.unit.ledger.lines import LOG

SIZE = 240
BODIES = bodies_of(SIZE)
ROOT = root_of(map(leaf_hash, BODIES)).hex()
AT = 150
PROOF = proof_of(BODIES, AT)
HEAD, NOTE = PROOF.split("\n\n", 1)
NOTE_TEXT = NOTE[: NOTE.index("\n\n") + 1]
HEADER, INDEX, *PATH = HEAD.split("\n")


def proved(proof: str = PROOF, body: bytes = BODIES[AT]) -> Report:
    return verify_proof(body, proof, vkey=VKEY)


def codes_of(report: Report) -> set[str]:
    return {finding.code.value for finding in report.findings}


def joined(*lines: str, note: str = NOTE) -> str:
    return "\n".join(lines) + "\n\n" + note


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100])
def test_every_honest_proof_passes(size: int) -> None:
    for index in range(size):
        report = proved(proof_of(BODIES[:size], index), BODIES[index])
        assert (report.ok, report.findings) == (True, ())
        assert (report.log, report.size) == (LOG, 1)
        assert report.root == root_of(map(leaf_hash, BODIES[:size])).hex()
        assert "1 entry: canonical form, and that it is in the log" in report.checked


def test_extra_data_is_left_aside() -> None:
    assert proved(joined(HEADER, "extra AAAA", INDEX, *PATH)).ok


def test_a_proof_says_who_cosigned_its_checkpoint() -> None:
    proof = proof_of(BODIES, AT, cosigned(NOTE))
    report = verify_proof(BODIES[AT], proof, vkey=VKEY, witnesses=[WITNESS_KEY.text])
    assert report.ok
    assert report.witnesses == (f"{WITNESS_NAME} at {COSIGNED_AT.isoformat()}, size {SIZE}",)


DAMAGE = {
    "another body": (PROOF, BODIES[AT - 1], "proof"),
    "a body with a bit flipped": (PROOF, BODIES[AT][:-2] + b"3}", "proof"),
    "another header": (joined("c2sp.org/tlog-proof@v2", INDEX, *PATH), BODIES[AT], "proof"),
    "nothing": ("", BODIES[AT], "proof"),
    "the header only": (HEADER, BODIES[AT], "proof"),
    "no index": (joined(HEADER, *PATH), BODIES[AT], "proof"),
    "another index": (joined(HEADER, "index 151", *PATH), BODIES[AT], "proof"),
    "an index with a leading zero": (joined(HEADER, "index 0150", *PATH), BODIES[AT], "proof"),
    "an index beyond the log": (joined(HEADER, "index 999", *PATH), BODIES[AT], "proof"),
    "an index beyond the log, with the path of the last": (
        proof_of(BODIES, SIZE - 1).replace("index 239", "index 999"), BODIES[-1], "proof",
    ),
    "a hash too few": (joined(HEADER, INDEX, *PATH[1:]), BODIES[AT], "proof"),
    "a hash too many": (joined(HEADER, INDEX, *PATH, PATH[0]), BODIES[AT], "proof"),
    "a hash changed": (joined(HEADER, INDEX, PATH[1], *PATH[1:]), BODIES[AT], "proof"),
    "two hashes swapped": (joined(HEADER, INDEX, PATH[1], PATH[0], *PATH[2:]), BODIES[AT], "proof"),
    "64 hashes": (joined(HEADER, INDEX, *[PATH[0]] * 64), BODIES[AT], "proof"),
    "a hash of 31 bytes": (joined(HEADER, INDEX, "AAAA", *PATH[1:]), BODIES[AT], "proof"),
    "a hash that is not base64": (joined(HEADER, INDEX, "*", *PATH[1:]), BODIES[AT], "base64"),
    "no checkpoint": (joined(HEADER, INDEX, *PATH, note=""), BODIES[AT], "note"),
    "a stranger's checkpoint": (
        joined(HEADER, INDEX, *PATH, note=signed(NOTE_TEXT, STRANGER)), BODIES[AT], "wrong-key",
    ),
    "a smaller checkpoint": (
        joined(HEADER, INDEX, *PATH, note=checkpoint_of(BODIES[:AT])), BODIES[AT], "proof",
    ),
    "the empty log": (joined(HEADER, "index 0", note=checkpoint_of([])), BODIES[0], "proof"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_proof_that_does_not_hold_is_found_for_its_reason(damage: str) -> None:
    proof, body, reason = DAMAGE[damage]
    report = proved(proof, body)
    assert not report.ok
    assert reason in codes_of(report)


def test_a_proved_entry_must_itself_be_in_its_form_and_place() -> None:
    for body, code in [(b"x", "body"), (BODIES[1], "place")]:
        bodies = [body, *BODIES[1:3]]
        assert codes_of(proved(proof_of(bodies, 0), body)) == {code}


@given(st.data())
def test_any_change_to_a_proof_is_found(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(PROOF) - 1))
    cut, put = data.draw(st.tuples(st.integers(0, 3), st.text(max_size=3)))
    changed = PROOF[:at] + put + PROOF[at + cut :]
    is_extra = changed.startswith(f"{HEADER}\nextra ")
    assert proved(changed).ok == (changed == PROOF or is_extra)


@given(st.binary(max_size=200), st.text(max_size=200))
def test_nothing_that_stands_for_a_proof_stops_the_check(body: bytes, proof: str) -> None:
    assert not proved(proof, body).ok


# ---- details


def test_a_detail_is_what_the_entry_committed_to_or_is_not() -> None:
    index = next(at for at in range(SIZE) if b'"detail_commit":"' in BODIES[at])
    assert open_detail(BODIES[index], SALT, detail_of(index))
    assert not open_detail(BODIES[index], SALT, detail_of(index + 1))
    assert not open_detail(BODIES[index], SALT[::-1], detail_of(index))
    assert not open_detail(BODIES[index], SALT[:31], SALT[31:] + detail_of(index))
    without = next(body for body in BODIES if b'"detail_commit":null' in body)
    assert not open_detail(without, SALT, b"")
    assert not open_detail(b"x", SALT, b"")


# ---- timelines


def on(key: str, party: str) -> list[int]:
    return [at for at in range(SIZE) if json.loads(BODIES[at])[key] == party]


SUBJECT = json.loads(BODIES[AT])["subject"] or json.loads(BODIES[5])["subject"]
PRACTICE = json.loads(BODIES[5])["practice"]
ON_SUBJECT = on("subject", SUBJECT)
TIMELINE = timeline_of(BODIES, f"subject {SUBJECT}", ON_SUBJECT, NOTE)
FIRST, SECOND, *_, LAST = ON_SUBJECT
Files = dict[str, bytes]


def followed(folder: Path, files: Files) -> Report:
    return verify_timeline(write_files(folder, files), vkey=VKEY)


def test_a_whole_timeline_of_a_subject_passes(tmp_path: Path) -> None:
    details = {
        f"{at}.detail": SALT + detail_of(at)
        for at in ON_SUBJECT
        if b'"detail_commit":"' in BODIES[at]
    }
    report = followed(tmp_path, TIMELINE | details | {"README": b"x"})
    assert (report.ok, report.findings) == (True, ())
    assert (report.log, report.size, report.root) == (LOG, len(ON_SUBJECT), ROOT)
    assert any(f"on this subject up to entry {LAST}" in text for text in report.checked)
    assert any(f"after entry {LAST}: a later entry" in text for text in report.not_proved)
    assert sum("is what the entry committed to" in text for text in report.checked) == len(details)
    assert sum("signature by" in text for text in report.checked) == 1


def test_a_whole_timeline_of_a_practice_passes(tmp_path: Path) -> None:
    indexes = on("practice", PRACTICE)
    report = followed(tmp_path, timeline_of(BODIES, f"practice {PRACTICE}", indexes, NOTE))
    assert (report.ok, report.size) == (True, len(indexes))


def test_a_timeline_may_bring_its_key_and_is_believed_accordingly(tmp_path: Path) -> None:
    report = verify_timeline(write_files(tmp_path, TIMELINE), vkey=None)
    assert report.ok
    assert KEY_CAME_ALONG in report.not_proved


def test_a_timeline_without_its_newest_entries_passes_and_says_so(tmp_path: Path) -> None:
    report = followed(tmp_path, timeline_of(BODIES, f"subject {SUBJECT}", ON_SUBJECT[:-3], NOTE))
    assert report.ok
    assert any(f"after entry {ON_SUBJECT[-4]}: a later" in text for text in report.not_proved)


def left_out(*indexes: int) -> Callable[[Files], None]:
    def leave_out(files: Files) -> None:
        for index in indexes:
            del files[f"{index}.json"], files[f"{index}.tlog-proof"]

    return leave_out


def without(name: str) -> Callable[[Files], None]:
    def take_away(files: Files) -> None:
        del files[name]

    return take_away


def held(**files: bytes) -> Callable[[Files], None]:
    return lambda given: given.update(files)


def put(name: str, content: bytes) -> Callable[[Files], None]:
    return held(**{name: content})


OTHER = next(at for at in range(SIZE) if at not in ON_SUBJECT and at > FIRST)
OLDER = checkpoint_of(BODIES[: SECOND + 1])
COMMITTED = next(at for at in ON_SUBJECT if b'"detail_commit":"' in BODIES[at])
GAPS: dict[str, tuple[Callable[[Files], None], str]] = {
    "the first is missing": (left_out(FIRST), "timeline"),
    "one between is missing": (left_out(SECOND), "timeline"),
    "all are missing": (left_out(*ON_SUBJECT), "missing"),
    "a proof is missing": (without(f"{SECOND}.tlog-proof"), "missing"),
    "one of another subject": (
        held(**timeline_of(BODIES, f"subject {SUBJECT}", [OTHER], NOTE)), "timeline",
    ),
    "one under another's name": (
        lambda files: files.update({
            f"{SECOND}.json": files[f"{FIRST}.json"],
            f"{SECOND}.tlog-proof": files[f"{FIRST}.tlog-proof"],
        }), "timeline",
    ),
    "a body changed": (put(f"{SECOND}.json", b"x"), "proof"),
    "another checkpoint": (
        put(f"{SECOND}.tlog-proof", proof_of(BODIES[: SECOND + 1], SECOND, OLDER).encode()), "proof",
    ),
    "no timeline": (without("timeline"), "missing"),
    "another subject": (put("timeline", b"subject " + b"0" * 32 + b"\n"), "timeline"),
    "neither subject nor practice": (put("timeline", b"patient x\n"), "timeline"),
    "a subject that is none": (put("timeline", b"subject x\n"), "timeline"),
    "a line too many": (put("timeline", TIMELINE["timeline"] + b"x\n"), "timeline"),
    "no line end": (put("timeline", TIMELINE["timeline"][:-1]), "timeline"),
    "a detail that is another": (put(f"{COMMITTED}.detail", SALT + b"other"), "detail"),
    "a detail that is empty": (put(f"{COMMITTED}.detail", b""), "detail"),
}  # fmt: skip


@pytest.mark.parametrize("gap", GAPS)
def test_a_timeline_that_is_not_whole_is_found_for_its_reason(tmp_path: Path, gap: str) -> None:
    change, reason = GAPS[gap]
    files = {**TIMELINE}
    change(files)
    report = followed(tmp_path, files)
    assert not report.ok
    assert reason in codes_of(report)


def test_a_timeline_whose_log_hides_an_entry_from_its_links_is_not_believed(tmp_path: Path) -> None:
    # The log itself lies here, and signs it: the second entry says that there is none before it.
    lie = json.loads(BODIES[SECOND]) | {"prev_subject": None}
    bodies = [*BODIES[:SECOND], canonical_json(lie), *BODIES[SECOND + 1 :]]
    files = timeline_of(bodies, f"subject {SUBJECT}", ON_SUBJECT, checkpoint_of(bodies))
    assert codes_of(followed(tmp_path, files)) == {"timeline"}


def test_a_file_that_belongs_to_no_timeline_is_noted(tmp_path: Path) -> None:
    report = followed(tmp_path, TIMELINE | {"007.json": b"x", "x.json": b"x", "9.txt": b"x"})
    assert report.ok
    assert codes_of(report) == {"stray"}


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        ("one under another's name", f"{SECOND}.tlog-proof is of entry {FIRST}"),
        ("another checkpoint", "it is against another checkpoint than the proofs before it"),
    ],
)
def test_what_is_wrong_with_a_proof_in_a_timeline_is_said(
    tmp_path: Path, gap: str, text: str
) -> None:
    files = {**TIMELINE}
    GAPS[gap][0](files)
    assert any(text in finding.text for finding in followed(tmp_path, files).findings)
