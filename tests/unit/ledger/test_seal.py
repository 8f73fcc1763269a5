import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.errors import DamagedRecordError
from gateway.ledger.canonical import canonical_json
from gateway.ledger.entry import Entry
from gateway.ledger.kinds import EntryKind
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.seal import (
    MAX_BODY_BYTES,
    MAX_LOG_NAME,
    PlacedEntry,
    SealedEntry,
    log_name,
    read_entry,
    read_placed,
    seal,
)
from gateway.ledger.values import MAX_INTEGER
from tests.unit.ledger.lines import LOG, MORNING, VectorLine, an_entry, entry_of, vector_lines

LINES = vector_lines()


def sealed(entry: Entry, **place: object) -> SealedEntry:
    given = {"log": LOG, "index": 9, "at": MORNING, "prev_subject": None, "prev_practice": None}
    freely: Callable[..., SealedEntry] = seal
    return freely(entry, **(given | place))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["kind"])
def test_body_and_leaf_hash_are_those_of_the_vector(line: VectorLine) -> None:
    result = seal(
        entry_of(line["kind"], line["fields"]),
        log=line["log"],
        index=line["idx"],
        at=datetime.fromisoformat(line["t"]),
        prev_subject=line["prev_subject"],
        prev_practice=line["prev_practice"],
    )
    assert result.body.decode() == line["body"]
    assert result.leaf_hash.hex() == line["leaf_hash"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["kind"])
def test_a_body_is_read_back_as_what_was_sealed(line: VectorLine) -> None:
    entry = entry_of(line["kind"], line["fields"])
    assert read_entry(line["body"].encode()) == entry
    assert read_placed(line["body"].encode()) == PlacedEntry(
        entry=entry,
        log=line["log"],
        index=line["idx"],
        at=datetime.fromisoformat(line["t"]),
        prev_subject=line["prev_subject"],
        prev_practice=line["prev_practice"],
    )


def test_the_head_after_each_entry_is_that_of_the_vector() -> None:
    frontier = Frontier()
    for line in LINES:
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
    ],
)
def test_a_place_that_does_not_fit_is_refused(place: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        sealed(an_entry(EntryKind.REFERRAL_RECEIVED), **place)


@pytest.mark.parametrize("link", ["prev_subject", "prev_practice"])
def test_an_entry_on_nobody_links_to_nothing(link: str) -> None:
    with pytest.raises(ValueError, match="link to an entry on nobody"):
        sealed(an_entry(EntryKind.POLICY_CHANGED), **{link: 3})


def test_the_longest_place_leaves_room_for_the_longest_entry() -> None:
    place = {
        "log": f"{'g' * (MAX_LOG_NAME - 5)}/2026",
        "index": MAX_INTEGER,
        "prev_subject": MAX_INTEGER - 1,
        "prev_practice": MAX_INTEGER - 1,
    }
    entry = an_entry(EntryKind.REFERRAL_RECEIVED)
    added = len(sealed(entry, **place).body) - len(canonical_json(entry.as_json()))
    assert added <= 256
    assert MAX_BODY_BYTES == 1792 + 256


BODY = LINES[6]["body"]


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
        BODY.replace('"v":1', '"v":2'),
        BODY.replace('"v":1', '"v":true'),
        BODY.replace('"v":1', '"v":1.0'),
        BODY.replace('"v":1', '"v":1,"v":1'),
        BODY.replace('"v":1', '"v":NaN'),
        BODY.replace('"v":1', '"v":1,"w":1'),
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
        without("refs"),
        without("prev_practice"),
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
        (BODY.replace('"v":1', '"v":2'), "another version of the format"),
        (BODY.replace("decision.made", "decision.unmade"), "unknown kind"),
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
