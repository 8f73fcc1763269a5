import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.errors import DamagedRecordError
from gateway.ledger.canonical import canonical_json
from gateway.ledger.entry import Entry
from gateway.ledger.kinds import EntryKind
from gateway.ledger.line import MAX_ENTRY_BYTES
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.seal import (
    FORMAT_VERSION,
    MAX_BODY_BYTES,
    MAX_LOG_NAME,
    SALT_BYTES,
    SealedEntry,
    commit,
    log_name,
    read_entry,
    read_placed,
    seal,
)
from gateway.ledger.values import MAX_INTEGER
from tests.unit.ledger.lines import LOG, MORNING, VectorLine, an_entry, placed_of, vector_lines

LINES = vector_lines()
LINES_1 = vector_lines("entries_v1.json")
A_COMMIT = "ab" * 32


def sealed(entry: Entry, **place: object) -> SealedEntry:
    given = {"log": LOG, "index": 9, "at": MORNING, "prev_subject": None, "prev_practice": None}
    freely: Callable[..., SealedEntry] = seal
    return freely(entry, **(given | place))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["kind"])
def test_body_and_leaf_hash_are_those_of_the_vector(line: VectorLine) -> None:
    placed = placed_of(line)
    result = seal(
        placed.entry,
        log=placed.log,
        index=placed.index,
        at=placed.at,
        prev_subject=placed.prev_subject,
        prev_practice=placed.prev_practice,
        detail_commit=placed.detail_commit,
        version=placed.version,
    )
    assert result.body.decode() == line["body"]
    assert result.leaf_hash.hex() == line["leaf_hash"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["kind"])
def test_a_body_is_read_back_as_what_was_sealed(line: VectorLine) -> None:
    placed = placed_of(line)
    assert read_entry(line["body"].encode()) == placed.entry
    assert read_placed(line["body"].encode()) == placed


@pytest.mark.parametrize("line", LINES_1, ids=lambda line: line["kind"])
def test_a_body_of_version_1_is_still_read(line: VectorLine) -> None:
    placed = read_placed(line["body"].encode())
    assert placed == placed_of(line, version=1)
    assert (placed.version, placed.detail_commit, placed.entry.epochs) == (1, None, None)
    assert leaf_hash(line["body"].encode()).hex() == line["leaf_hash"]


def test_both_versions_stand_in_one_log_and_only_the_second_is_written() -> None:
    assert [line.get("v") for line in LINES[:4]] == [1, 1, 1, 2]
    assert {line.get("v") for line in LINES[3:]} == {FORMAT_VERSION} == {2}
    assert read_placed(sealed(an_entry(EntryKind.REFERRAL_CLOSED)).body).version == 2


@pytest.mark.parametrize(
    "line", [line for line in LINES if "sealed" in line], ids=lambda line: line["kind"]
)
def test_a_sealed_detail_is_what_its_entry_committed_to(line: VectorLine) -> None:
    salt, detail = bytes.fromhex(line["sealed"]["salt"]), line["sealed"]["plaintext"].encode()
    assert commit(salt, detail) == line.get("detail_commit")
    assert commit(salt, detail + b" ") != line.get("detail_commit")
    assert commit(bytes(SALT_BYTES), detail) != line.get("detail_commit")


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_that_could_be_tried_is_refused(salt: bytes) -> None:
    with pytest.raises(ValueError, match="a salt has 32 bytes"):
        commit(salt, b"detail")


@pytest.mark.parametrize("lines", [LINES, LINES_1], ids=["both versions", "version 1"])
def test_the_head_after_each_entry_is_that_of_the_vector(lines: list[VectorLine]) -> None:
    frontier = Frontier()
    for line in lines:
        frontier = frontier.append(bytes.fromhex(line["leaf_hash"]))
        assert frontier.size == line["size"]
        assert frontier.to_bytes().hex() == line["frontier"]
        assert frontier.root().hex() == line["root"]


def test_there_is_one_log_a_calendar_year_in_utc() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=MORNING.tzinfo)
    assert log_name("gateway.example/ledger", MORNING) == LOG
    assert log_name("gateway.example/ledger", new_year) == "gateway.example/ledger/2027"


@pytest.mark.parametrize("origin", ["", "Gateway.example", "a b", "gateway.example/", "g" * 92])
def test_an_origin_that_is_not_host_and_path_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="the name of the log"):
        log_name(origin, MORNING)


def test_a_log_is_not_named_by_a_local_time() -> None:
    with pytest.raises(ValueError, match="UTC"):
        log_name("gateway.example/ledger", MORNING.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ({"at": MORNING.replace(tzinfo=None)}, "UTC"),
        ({"at": MORNING.astimezone(timezone(timedelta(hours=1)))}, "UTC"),
        ({"log": "gateway.example/ledger/2025"}, "this year"),
        ({"log": "gateway.example/ledger"}, "name of the log"),
        ({"index": -1}, "index"),
        ({"index": MAX_INTEGER + 1}, "index"),
        ({"index": True}, "index"),
        ({"prev_subject": 9}, "backwards"),
        ({"prev_practice": -1}, "backwards"),
        ({"prev_practice": False}, "backwards"),
        ({"log": "9990000018/2026"}, "NHS number"),
        ({"detail_commit": "ab" * 31}, "detail_commit is not a SHA-256"),
        ({"detail_commit": "AB" * 32}, "detail_commit is not a SHA-256"),
        ({"detail_commit": A_COMMIT + "\n"}, "detail_commit is not a SHA-256"),
        ({"detail_commit": bytes(32)}, "detail_commit is not a SHA-256"),
    ],
)
def test_a_place_that_does_not_fit_is_refused(place: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        sealed(an_entry(EntryKind.REFERRAL_RECEIVED), **place)


@pytest.mark.parametrize("link", ["prev_subject", "prev_practice"])
def test_an_entry_on_nobody_links_to_nothing(link: str) -> None:
    with pytest.raises(ValueError, match="link to an entry on nobody"):
        sealed(an_entry(EntryKind.POLICY_CHANGED), **{link: 3})


def test_a_detail_of_nobody_has_no_key_to_be_sealed_under() -> None:
    with pytest.raises(ValueError, match="sealed under the key of a subject"):
        sealed(an_entry(EntryKind.POLICY_CHANGED), detail_commit=A_COMMIT)


def test_the_longest_place_leaves_room_for_the_longest_entry() -> None:
    place = {
        "log": f"{'g' * (MAX_LOG_NAME - 5)}/2026",
        "index": MAX_INTEGER,
        "prev_subject": MAX_INTEGER - 1,
        "prev_practice": MAX_INTEGER - 1,
        "detail_commit": A_COMMIT,
    }
    entry = an_entry(EntryKind.REFERRAL_RECEIVED)
    added = len(sealed(entry, **place).body) - len(canonical_json(entry.as_json()))
    assert added <= 320
    assert MAX_BODY_BYTES == MAX_ENTRY_BYTES + 320 == 1728 + 320


BODY = LINES[6]["body"]
BODY_1 = LINES_1[6]["body"]
EPOCHS = '"epochs":{"practice":0,"recipient":0,"subject":0}'
COMMIT = f'"detail_commit":"{LINES[6].get("detail_commit")}"'


def without(key: str) -> str:
    read = json.loads(BODY)
    del read[key]
    return canonical_json(read).decode()


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{}",
        BODY[:-1],
        BODY + "\n",
        " " + BODY,
        BODY.replace(":", ": ", 1),
        BODY.replace('"v":2', '"v":3'),
        BODY.replace('"v":2', '"v":true'),
        BODY.replace('"v":2', '"v":2.0'),
        BODY.replace('"v":2', '"v":2,"v":2'),
        BODY.replace('"v":2', '"v":NaN'),
        BODY.replace('"v":2', '"v":2,"w":1'),
        BODY.replace('"idx":6', '"idx":06'),
        BODY.replace('"idx":6', '"idx":"6"'),
        BODY.replace('"idx":6', '"idx":1000000000'),
        BODY.replace('"prev_subject":5', '"prev_subject":6'),
        BODY.replace('"prev_subject":5', '"prev_subject":[5]'),
        BODY.replace("decision.made", "decision.unmade"),
        BODY.replace('"kind":"decision.made"', '"kind":["decision.made"]'),
        BODY.replace('"kind":"decision.made"', '"kind":"referral.closed"'),
        BODY.replace('"stage":"accept"', '"stage":"except"'),
        BODY.replace('"stage":"accept"', '"stage":7'),
        BODY.replace('"rules":[]', '"rules":{}'),
        BODY.replace('"rules":[]', '"rules":[[]]'),
        BODY.replace('"rules":[]', '"rules":""'),
        BODY.replace("2026-11-22T", "2026-13-22T"),
        BODY.replace(".123456Z", ".123456+00:00"),
        BODY.replace(".123456Z", ".1234Z"),
        BODY.replace('"t":"2026-11-22T09:03:00.123456Z"', '"t":5'),
        BODY.replace("gateway.example/ledger/2026", "gateway.example/ledger/2025"),
        BODY.replace('"log":"gateway.example/ledger/2026"', '"log":2026'),
        BODY.replace("A81001", "\\u004181001"),
        BODY.replace("A81001", "Ä81001"),
        BODY.replace("A81001", "9990000018"),
        BODY.replace('"v":2', '"v":1'),
        BODY.replace('"v":2', '"v":0'),
        BODY.replace('"v":2', '"v":"2"'),
        BODY_1.replace('"v":1', '"v":2'),
        BODY_1.replace('"v":1', '"v":true'),
        BODY_1.replace('"v":1', '"v":[1]'),
        BODY_1.replace('"v":1', '"epochs":null,"v":1'),
        BODY.replace(EPOCHS, '"epochs":{"practice":0,"recipient":0}'),
        BODY.replace(EPOCHS, '"epochs":{"practice":0,"recipient":0,"subject":0,"world":0}'),
        BODY.replace(EPOCHS, '"epochs":{"practice":0,"recipient":0,"subject":-1}'),
        BODY.replace(EPOCHS, '"epochs":{"practice":0,"recipient":0,"subject":true}'),
        BODY.replace(EPOCHS, '"epochs":{"practice":0,"recipient":0,"subject":[0]}'),
        BODY.replace(EPOCHS, '"epochs":{}'),
        BODY.replace(EPOCHS, '"epochs":[0,0,0]'),
        BODY.replace(EPOCHS, '"epochs":0'),
        BODY.replace(COMMIT, '"detail_commit":""'),
        BODY.replace(COMMIT, f'"detail_commit":"{"A" * 64}"'),
        BODY.replace(COMMIT, f'"detail_commit":{"1" * 64}'),
        BODY.replace(COMMIT, '"detail_commit":["a"]'),
        without("refs"),
        without("prev_practice"),
        without("epochs"),
        without("detail_commit"),
        "[" * 2000,
        BODY.replace('"rules":[]', f'"rules":{"[" * 400 + "]" * 400}'),
        BODY.replace('"idx":6', f'"idx":{"6" * 1200}'),
        BODY + " " * MAX_BODY_BYTES,
    ],
)
def test_a_body_that_is_not_exactly_an_entry_is_damaged(damaged: str) -> None:
    assert damaged != BODY
    with pytest.raises(DamagedRecordError, match="a ledger entry") as caught:
        read_entry(damaged.encode())
    assert "A81001" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY + " " * MAX_BODY_BYTES, "longer than 2,048 bytes"),
        (BODY.replace('"v":2', '"v":3'), "another version of the format"),
        (BODY.replace("decision.made", "decision.unmade"), "unknown kind"),
        (BODY.replace('"v":2', '"v":1'), "an object lacks a field or has one too many"),
        (BODY.replace(EPOCHS, '"epochs":{"practice":-1,"recipient":0,"subject":0}'), "epochs is"),
        (BODY.replace(COMMIT, '"detail_commit":"ab"'), "detail_commit is not a SHA-256"),
        (without("refs"), "an object lacks a field or has one too many"),
        (BODY.replace("A81001", "a81001"), "decision.made: practice is not an ODS code"),
        (BODY.replace(":", ": ", 1), "not in its canonical form"),
    ],
)
def test_a_damaged_body_says_what_is_wrong_with_it(body: str, said: str) -> None:
    with pytest.raises(DamagedRecordError, match=said):
        read_entry(body.encode())


def test_a_body_that_is_no_text_is_damaged() -> None:
    with pytest.raises(DamagedRecordError):
        read_entry(b"\xff\xfe{}")


def test_the_leaf_hash_is_that_of_the_body() -> None:
    result = sealed(an_entry(EntryKind.REFERRAL_CLOSED))
    assert result.leaf_hash == leaf_hash(result.body)
