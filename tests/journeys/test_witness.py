"""Witnesses cosign what continues; whatever else one answers is on record, and is not believed."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.errors import DamagedRecordError, DestinationUnreachableError, NoReplyError
from gateway.journey.cosign import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Change,
    Cosigner,
    Refusal,
    Reply,
    cosign,
)
from gateway.journey.hand_out import newest_log, verifier_key
from gateway.journey.publish import publish
from gateway.ledger.note import Ed25519Signer, read_note, read_verifier_key, verify_cosignature
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute
from tests.builders.house import House
from tests.builders.witness import Notary
from tests.builders.witnesses import (
    SIGNER,
    Near,
    grow,
    log_of,
    near,
    notary_of,
    note,
    sign,
    size_of,
)

ROOT = "A" * 43 + "="


@pytest.fixture
def small(tmp_path: Path) -> Iterator[House]:
    """A house on SQLite, whose head is signed."""
    with embedded_house(tmp_path) as built:
        sign(built)
        yield built


def refusals(house: House) -> list[str]:
    return [entry["code"] for entry in entries(house, "checkpoint.refused")]


def cosigned_sizes(house: House) -> list[int]:
    return [entry["size"] for entry in entries(house, "checkpoint.cosigned")]


def witnesses_in(text: str, notary: Notary) -> int:
    """How many cosignatures of this witness a note has; each must hold."""
    found = read_note(text).signatures_by(read_verifier_key(notary.vkey))
    if found:
        verify_cosignature(read_note(text), read_verifier_key(notary.vkey))
    return len(found)


def test_a_witness_cosigns_the_newest_checkpoint_and_its_note_says_so(
    house: House, tmp_path: Path
) -> None:
    sizes = [sign(house)]
    notary = notary_of(house, tmp_path)
    cosigner = Cosigner(witness=near(notary))
    assert cosign(house.gateway, cosigner) == []
    sizes.append(sign(house))
    assert cosign(house.gateway, cosigner) == []
    assert witnesses_in(note(house), notary) == 1
    assert cosigned_sizes(house) == sizes
    assert entries(house, "checkpoint.cosigned")[-1]["witness"] == notary.name
    assert notary.seen[log_of(house)][0] == sizes[-1]


def test_what_is_cosigned_is_not_asked_about_again(small: House, tmp_path: Path) -> None:
    notary = notary_of(small, tmp_path)
    for _ in range(3):
        cosign(small.gateway, Cosigner(witness=near(notary)))
    assert len(notary.requests) == 1
    assert publish(small.gateway, [SIGNER]) == []


def test_before_the_first_checkpoint_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        notary = Notary(tmp_path / "witness.json")
        assert cosign(house.gateway, Cosigner(witness=near(notary))) == []
    assert notary.requests == []


@pytest.mark.parametrize(
    "sizes",
    [(255, 511), (256, 512, 515), (257, 513), (128, 256, 1024, 1100), (100, 103, 768, 770 + 256)],
)
def test_a_witness_is_proved_that_the_log_grew_across_tiles(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    with embedded_house(tmp_path) as house:
        sign(house)
        notary = notary_of(house, tmp_path)
        cosigner = Cosigner(witness=near(notary))
        for size in sizes:
            assert sign(house, at=size) == size
            assert cosign(house.gateway, cosigner) == []
            assert notary.seen[log_of(house)][0] == size
        assert cosigned_sizes(house) == list(sizes)


def test_a_witness_that_lost_its_state_is_proved_everything_again(
    small: House, tmp_path: Path
) -> None:
    notary = notary_of(small, tmp_path)
    cosigner = Cosigner(witness=near(notary))
    cosign(small.gateway, cosigner)
    notary.state.unlink()
    size = sign(small)
    assert cosign(small.gateway, cosigner) == []
    assert cosigned_sizes(small)[-1] == size


def test_a_witness_that_was_restarted_goes_on_where_it_was(small: House, tmp_path: Path) -> None:
    cosign(small.gateway, Cosigner(witness=near(notary_of(small, tmp_path))))
    sign(small)
    again = notary_of(small, tmp_path)
    assert cosign(small.gateway, Cosigner(witness=near(again))) == []
    assert [request.split(b"\n")[0] != b"old 0" for request in again.requests] == [True]


def test_a_cosignature_whose_answer_was_lost_is_asked_for_again(
    house: House, tmp_path: Path
) -> None:
    size = sign(house)
    notary = notary_of(house, tmp_path)
    honest = near(notary)

    def lost(request: bytes) -> Reply:
        honest.says(request)
        raise NoReplyError("lost")

    witness = replace(honest, says=lost)
    cosigner = Cosigner(witness=witness)
    log = log_of(house)
    assert cosign(house.gateway, cosigner) == [Change(log=log, refusal=Refusal.NO_REPLY)]
    witness.says = honest.says
    house.clock.move(seconds=1)
    assert cosign(house.gateway, cosigner) == [Change(log=log, refusal=None)]
    assert cosigned_sizes(house) == [size]
    assert refusals(house) == ["no-reply"]


def test_a_checkpoint_is_cosigned_under_a_key_that_the_witness_still_has(
    small: House, tmp_path: Path
) -> None:
    notary = notary_of(small, tmp_path)
    grow(small)
    publish(small.gateway, [Ed25519Signer(b"n" * 32), SIGNER])
    assert cosign(small.gateway, Cosigner(witness=near(notary))) == []
    grow(small)
    publish(small.gateway, [Ed25519Signer(b"n" * 32)])
    cosign(small.gateway, Cosigner(witness=near(notary)))
    assert refusals(small) == ["unknown-key"]


# Two keepers, of one house.


def test_two_keepers_keep_one_cosignature_with_one_entry(house: House, tmp_path: Path) -> None:
    sign(house)
    notary = notary_of(house, tmp_path)
    cosigners = [Cosigner(witness=near(notary)) for _ in range(2)]
    for _ in range(4):
        size = sign(house)
        start = threading.Barrier(2)

        def ask(cosigner: Cosigner, start: threading.Barrier = start) -> None:
            start.wait(10)
            cosign(house.gateway, cosigner)

        threads = [threading.Thread(target=ask, args=(each,)) for each in cosigners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert cosigned_sizes(house)[-1] == size
    assert len(cosigned_sizes(house)) == len(set(cosigned_sizes(house))) == 4
    assert refusals(house) == []


def overtaken(honest: Near, by: Callable[[], object]) -> Near:
    """A witness to whom another keeper comes first, once."""
    left = [by]

    def says(request: bytes) -> Reply:
        if left:
            left.pop()()
        return honest.says(request)

    return replace(honest, says=says)


def test_a_keeper_that_another_one_overtook_writes_nothing(small: House, tmp_path: Path) -> None:
    notary = notary_of(small, tmp_path)
    other = Cosigner(witness=near(notary))
    slow = overtaken(near(notary), by=lambda: cosign(small.gateway, other))
    assert cosign(small.gateway, Cosigner(witness=slow)) == []
    assert (len(cosigned_sizes(small)), refusals(small)) == (1, [])


def test_a_larger_log_of_our_own_is_no_fork(small: House, tmp_path: Path) -> None:
    notary = notary_of(small, tmp_path)
    honest = near(notary)

    def other_signs_and_its_answer_is_lost() -> None:
        sign(small)

        def lost(request: bytes) -> Reply:
            honest.says(request)
            raise NoReplyError("lost")

        cosign(small.gateway, Cosigner(witness=replace(honest, says=lost)))

    slow = overtaken(honest, by=other_signs_and_its_answer_is_lost)
    assert cosign(small.gateway, Cosigner(witness=slow)) == []
    assert cosigned_sizes(small) == [notary.seen[log_of(small)][0]]
    assert refusals(small) == ["no-reply"]


# Witnesses that refuse, lie or fail.


def reply(status: int, body: bytes | str = b"") -> Callable[[Notary, str], Reply]:
    told = body.encode() if isinstance(body, str) else body
    return lambda _notary, _text: Reply(status=status, body=told)


def garbage_after(notary: Notary, text: str) -> Reply:
    return Reply(status=200, body=(notary.line(text) + "thanks\n").encode())


def under_another_key(notary: Notary, text: str) -> Reply:
    return Reply(status=200, body=replace(notary, seed=b"e" * 32).line(text).encode())


def under_another_name(notary: Notary, text: str) -> Reply:
    return Reply(status=200, body=replace(notary, name="other.example").line(text).encode())


def of_another_checkpoint(notary: Notary, text: str) -> Reply:
    origin, size, root = text.splitlines()
    return Reply(status=200, body=notary.line(f"{origin}\n{int(size) - 1}\n{root}\n").encode())


def with_a_false_id(notary: Notary, text: str) -> Reply:
    """A line that names the right key, and is signed by another."""
    right, other = notary.line(text), replace(notary, seed=b"e" * 32).line(text)
    dash, name, value = right.rstrip("\n").split(" ")
    raw = base64.b64decode(value)[:4] + base64.b64decode(other.split(" ")[2])[4:]
    return Reply(status=200, body=f"{dash} {name} {base64.b64encode(raw).decode()}\n".encode())


def under_a_text_of_its_own(notary: Notary, text: str) -> Reply:
    return Reply(status=200, body=f"more\n\n{notary.line(text)}".encode())


def echoing_sizes() -> Callable[[Notary, str], Reply]:
    """Says to know another size each time."""
    sizes = iter(range(1, 100))
    return lambda _notary, _text: Reply(status=409, body=b"%d\n" % next(sizes))


HOSTILE = {
    "another-key": (under_another_key, "no-cosignature"),
    "another-name": (under_another_name, "no-cosignature"),
    "another-checkpoint": (of_another_checkpoint, "bad-cosignature"),
    "false-id": (with_a_false_id, "bad-cosignature"),
    "text-of-its-own": (under_a_text_of_its_own, "bad-cosignature"),
    "garbage-after": (garbage_after, "bad-cosignature"),
    "200-empty": (reply(200), "bad-cosignature"),
    "200-html": (reply(200, "<html>Welcome</html>\n"), "bad-cosignature"),
    "200-bytes": (reply(200, bytes(range(256))), "bad-cosignature"),
    "201": (reply(201), "not-understood"),
    "204": (reply(204), "not-understood"),
    "302": (reply(302), "not-understood"),
    "400": (reply(400), "malformed"),
    "403": (reply(403), "unknown-key"),
    "404": (reply(404), "unknown-log"),
    "422": (reply(422), "other-history"),
    "429": (reply(429), "busy"),
    "503": (reply(503), "busy"),
    "409-huge": (reply(409, f"{10**30}\n"), "not-understood"),
    "409-leading-zero": (reply(409, "05\n"), "not-understood"),
    "409-negative": (reply(409, "-1\n"), "not-understood"),
    "409-other-digits": (reply(409, "٣\n"), "not-understood"),
    "409-no-line-end": (reply(409, "5"), "not-understood"),
    "409-page": (reply(409, "<html>5</html>\n"), "not-understood"),
    "409-for-ever": (reply(409, "2\n"), "conflict"),
    "409-each-time-another": (echoing_sizes(), "conflict"),
    "409-one-ahead": (None, "ahead"),
    "409-far-ahead": (reply(409, f"{2**62}\n"), "ahead"),
}


@pytest.mark.parametrize("defect", HOSTILE)
def test_an_answer_is_not_believed(small: House, tmp_path: Path, defect: str) -> None:
    conduct, code = HOSTILE[defect]
    notary = notary_of(small, tmp_path)
    text = note(small).partition("\n\n")[0] + "\n"
    size = int(text.splitlines()[1])
    answers = conduct or reply(409, f"{size + 1}\n")
    asked: list[bytes] = []

    def says(request: bytes) -> Reply:
        asked.append(request)
        return answers(notary, text)

    witness = replace(near(notary), says=says)
    changes = cosign(small.gateway, Cosigner(witness=witness))
    assert changes == [Change(log=log_of(small), refusal=Refusal(code))]
    assert refusals(small) == [code]
    assert entries(small, "checkpoint.refused")[0]["size"] == size
    assert cosigned_sizes(small) == []
    assert witnesses_in(note(small), notary) == 0
    assert len(asked) <= 2


@pytest.mark.parametrize(
    ("failure", "code"),
    [(NoReplyError("x"), "no-reply"), (DestinationUnreachableError("x"), "unreachable")],
)
def test_a_witness_that_gives_no_answer_is_recorded(
    small: House, tmp_path: Path, failure: Exception, code: str
) -> None:
    def says(request: bytes) -> Reply:
        raise failure

    cosign(small.gateway, Cosigner(witness=replace(near(notary_of(small, tmp_path)), says=says)))
    assert refusals(small) == [code]


def test_of_two_lines_by_the_witness_one_is_kept(small: House, tmp_path: Path) -> None:
    notary = notary_of(small, tmp_path)
    text = note(small).partition("\n\n")[0] + "\n"
    both = notary.line(text) + replace(notary, now=notary.now + 1).line(text)
    witness = replace(near(notary), says=lambda _: Reply(status=200, body=both.encode()))
    assert cosign(small.gateway, Cosigner(witness=witness)) == []
    assert witnesses_in(note(small), notary) == 1


@pytest.mark.parametrize(("less", "code"), [(0, "other-history"), (1, "other-history")])
def test_a_witness_that_saw_another_history_says_so(
    small: House, tmp_path: Path, less: int, code: str
) -> None:
    notary = notary_of(small, tmp_path)
    size = int(note(small).splitlines()[1])
    notary.state.write_text(json.dumps({log_of(small): (size - less, ROOT)}))
    cosign(small.gateway, Cosigner(witness=near(notary)))
    assert refusals(small) == [code]


def test_a_restored_backup_is_noticed_before_and_after_it_has_grown(
    small: House, tmp_path: Path
) -> None:
    """The log lost entries that a witness saw, and grew anew beyond them."""
    notary = notary_of(small, tmp_path)
    cosigner = Cosigner(witness=near(notary))
    cosign(small.gateway, cosigner)
    lost_at = size_of(small) + 50
    notary.state.write_text(json.dumps({log_of(small): (lost_at, ROOT)}))
    sign(small)
    cosign(small.gateway, cosigner)
    assert refusals(small) == ["ahead"]
    sign(small, at=lost_at + 10)
    small.clock.move(hours=1)
    cosign(small.gateway, cosigner)
    assert refusals(small) == ["ahead", "other-history"]


def test_a_refusal_is_recorded_once_until_it_changes(small: House, tmp_path: Path) -> None:
    notary = notary_of(small, tmp_path)
    honest = near(notary)
    witness = replace(honest, says=lambda _: Reply(status=503, body=b""))
    cosigner = Cosigner(witness=witness)
    for _ in range(5):
        cosign(small.gateway, cosigner)
        small.clock.move(hours=1)
        sign(small)
    assert refusals(small) == ["busy"]
    witness.says = lambda _: Reply(status=404, body=b"")
    cosign(small.gateway, cosigner)
    assert refusals(small) == ["busy", "unknown-log"]
    small.clock.move(hours=1)
    witness.says = honest.says
    cosign(small.gateway, cosigner)
    sign(small)
    witness.says = lambda _: Reply(status=404, body=b"")
    cosign(small.gateway, cosigner)
    assert refusals(small) == ["busy", "unknown-log", "unknown-log"]


def test_a_witness_that_refuses_is_left_alone_longer_and_longer_up_to_an_hour(
    small: House, tmp_path: Path
) -> None:
    asked: list[float] = []

    def says(request: bytes) -> Reply:
        asked.append(small.clock.now.timestamp())
        return Reply(status=503, body=b"")

    cosigner = Cosigner(witness=replace(near(notary_of(small, tmp_path)), says=says))
    while len(asked) < 16:
        cosign(small.gateway, cosigner)
        small.clock.move(seconds=0.5 if len(asked) < 4 else 100)
    waits = [timedelta(seconds=after - at) for at, after in pairwise(asked)]
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-3:] == [LONGEST_WAIT] * 3
    assert waits == sorted(waits)


def test_a_witness_that_gives_no_answer_is_asked_about_one_log_at_a_time(
    small: House, tmp_path: Path
) -> None:
    small.clock.move(days=60)
    sign(small)
    old, new = (newest_log(small.gateway, year) for year in (2026, 2027))
    asked: list[str] = []

    def says(request: bytes) -> Reply:
        asked.append(request.decode().partition("\n\n")[2].splitlines()[0])
        raise NoReplyError("x")

    cosigner = Cosigner(witness=replace(near(notary_of(small, tmp_path)), says=says))
    cosign(small.gateway, cosigner)
    assert asked == [old]
    cosign(small.gateway, cosigner)
    assert asked == [old, new]
    cosign(small.gateway, cosigner)
    assert len(asked) == 2


def test_each_year_is_cosigned_in_its_own_log(small: House, tmp_path: Path) -> None:
    small.clock.move(days=60)
    sign(small)
    notary = notary_of(small, tmp_path)
    old, new = (newest_log(small.gateway, year) for year in (2026, 2027))
    notary.logs = {log: [verifier_key(small.gateway, log)] for log in (old, new)}
    assert cosign(small.gateway, Cosigner(witness=near(notary))) == []
    assert [witnesses_in(note(small, log=log), notary) for log in (old, new)] == [1, 1]
    assert [e["year"] for e in entries(small, "checkpoint.cosigned")] == [2026, 2027]


def test_a_proof_that_does_not_hold_is_not_sent(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        sign(house, at=100)
        notary = notary_of(house, tmp_path)
        cosigner = Cosigner(witness=near(notary))
        cosign(house.gateway, cosigner)
        sign(house, at=300)
        changed = "UPDATE ledger_tile SET hashes = :hashes WHERE level = 0 AND idx = 0"
        execute(house, changed, hashes=bytes(256 * 32))
        with pytest.raises(DamagedRecordError, match="does not hold"):
            cosign(house.gateway, cosigner)
    assert len(notary.requests) == 1
