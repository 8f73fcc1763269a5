"""kill -9 at every write: what the log held before is a prefix of what it holds after, rows and
entries agree, and whatever comes next links right. Item 21 of the sharing rules, section 11."""

import resource
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, reduce
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.errors import NoReplyError
from gateway.journey.check_ledger import check_ledger
from gateway.journey.hand_out import export_log
from gateway.journey.publish import publish
from gateway.journey.reconcile import reconcile
from gateway.ledger.checkpoint import read_checkpoint
from gateway.ledger.entry import TokenRefused
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.note import Signer, read_note, verify
from gateway.ledger.proof import (
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from gateway.ledger.verify import verify_export
from gateway.store import checkpoints, ledger, tiles
from gateway.store.tables_ledger import checkpoint, ledger_entry
from tests.builders.crashing import (
    ENDED,
    KILLED,
    die,
    die_at_rename,
    die_at_write,
    in_a_child,
)
from tests.builders.evidence import id_in, take_back, work
from tests.builders.house import House, build_house
from tests.builders.messages import OTHER_PRACTICE, PRACTICE, service_request
from tests.builders.register import change, register, to_register
from tests.builders.sharing import set_to
from tests.builders.signed import SIGNER, key_of, sign
from tests.builders.witnesses import grow


def bodies(house: House) -> list[bytes]:
    query = select(ledger_entry.c.body).order_by(ledger_entry.c.log, ledger_entry.c.idx)
    with house.gateway.store.reading() as view:
        return list(view.connection.execute(query).scalars())


def is_whole(house: House, before: Sequence[bytes]) -> None:
    """The log verifies, continues what it was, and says what the rows say."""
    after = bodies(house)
    assert after[: len(before)] == list(before)
    reports = check_ledger(house.gateway, lambda _rows: None)
    assert [report.findings for report in reports] == [()]
    assert reconcile(house.gateway).discrepancies == ()


def is_continued(house: House, before: Sequence[bytes]) -> None:
    """The log continues what it was, and its head is that of its entries.

    What is whole at the end was whole here: it is a prefix of that. Nothing mends a row without
    its entry, or an entry without its row; so that neither is there at the end is enough.
    """
    after = bodies(house)
    assert after[: len(before)] == list(before)
    with house.gateway.store.reading() as view:
        ((_, head),) = ledger.logs(view.connection)
    assert head == reduce(lambda tree, body: tree.append(leaf_hash(body)), after, Frontier())


def every_proof_holds(house: House, *, step: int = 1) -> None:
    """Every entry is proved against the newest checkpoint, and that against each before it.

    `step`: of the entries, one in so many, and the last ones.
    """
    with house.gateway.store.reading(as_one_moment=True) as view:
        ((log, _),) = ledger.logs(view.connection)
        query = select(checkpoint.c.size).where(checkpoint.c.log == log)
        sizes = view.connection.execute(query.order_by(checkpoint.c.size)).scalars().all()
        signed = [each for size in sizes if (each := checkpoints.of_size(view, log, size))]
        told, read = signed[-1].checkpoint, cache(tiles.reader(view, log))
        for index, body in enumerate(ledger.bodies(view.connection, log, 0, told.size)):
            if index % step and index < told.size - 3:
                continue
            proof = inclusion_proof(index, told.size, read)
            assert verify_inclusion(leaf_hash(body), index, told.size, proof, told.root)
        for each in signed[:-1]:
            old = each.checkpoint
            path = consistency_proof(old.size, told.size, read)
            assert verify_consistency(old.size, old.root, told.size, told.root, path)
        for each in signed:
            verify(read_note(each.note), key_of(log))
            assert read_checkpoint(each.note) == each.checkpoint


def walk_through(house: House, answered: Path) -> None:
    """Everything that a day brings; what was answered is written down at once."""

    def note(text: str) -> None:
        with answered.open("a") as book:
            book.write(f"{text}\n")

    sent = house.post("/ServiceRequest", service_request())
    if sent.status_code == 201:
        note(f"referral {id_in(sent.headers['Location'])}")
    house.destination.failures.append(NoReplyError("gone"))
    work(house)
    house.clock.move(minutes=1)
    work(house)
    own = id_in(sent.headers["Location"])
    assert take_back(house, own).status_code == 200
    note(f"cancelled {own}")
    work(house)
    consent = register(house, to_register())
    note(f"consent {consent}")
    assert change(house, consent, status="inactive").status_code == 200
    house.post("/ServiceRequest", service_request(requester=OTHER_PRACTICE))
    for value in ("off", "on"):
        set_to(house, "secondary_sharing", value)
        note(f"switched {value}")


KINDS = {
    "referral": "referral.received",
    "cancelled": "referral.cancelled",
    "consent": "consent.recorded",
    "switched": "switch.changed",
}


def nothing_answered_is_lost(house: House, answered: Path) -> None:
    """Each line of the book has its entry."""
    said = b"\n".join(bodies(house)).decode()
    for line in answered.read_text().splitlines() if answered.exists() else ():
        kind, name = line.split()
        entries = [b for b in said.splitlines() if f'"kind":"{KINDS[kind]}"' in b]
        assert any(name in entry for entry in entries), line


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_a_day_survives_a_death_at_every_write_and_every_commit(
    house: House, tmp_path: Path, every: int
) -> None:
    """At each write in `make soak`, at every fifth in `make test`."""
    house.bearer()
    number, ended = 0, KILLED
    while ended != ENDED:
        number += every
        answered = tmp_path / f"answered-{number}"
        before = bodies(house)

        def act(at: int = number, book: Path = answered) -> None:
            die_at_write(house.gateway.store, at)
            walk_through(house, book)

        ended = in_a_child(house, act)
        assert ended in (KILLED, ENDED)
        house.clock.move(minutes=10)
        is_continued(house, before)
        if number % 10 == 0:
            is_whole(house, before)
        nothing_answered_is_lost(house, answered)
        house.tokens.clear()
        house.bearer()
        work(house)
    assert number > 60, "it died so often"
    is_whole(house, before)


def test_a_checkpoint_survives_a_death_at_every_write_of_its_making(house: House) -> None:
    sign(house)
    number, ended = 0, KILLED
    while ended != ENDED:
        number += 1
        grow(house, by=256)  # so that each checkpoint needs another tile
        before = bodies(house)

        def act(at: int = number) -> None:
            die_at_write(house.gateway.store, at)
            publish(house.gateway, [SIGNER])

        ended = in_a_child(house, act)
        is_whole(house, before)
        grow(house)
        sign(house)
        every_proof_holds(house, step=29)
    assert number > 6
    every_proof_holds(house)


class Dying:
    """A signer that takes its process with it."""

    public_key = SIGNER.public_key

    def sign(self, _message: bytes) -> bytes:
        die()
        raise AssertionError


class Failing(Dying):
    def sign(self, _message: bytes) -> bytes:
        msg = "the key is elsewhere"
        raise OSError(msg)


class Lying(Dying):
    def sign(self, message: bytes) -> bytes:
        return SIGNER.sign(message + b" ")


@pytest.mark.parametrize(("signer", "ending"), [(Dying, KILLED), (Failing, 1), (Lying, 1)])
def test_a_signer_that_fails_between_tiles_and_checkpoint_spoils_nothing(
    house: House, signer: Callable[[], Signer], ending: int
) -> None:
    """Where `tlog-scales` 0.0.3 lost its newest tile: fail, start again, append, publish."""
    grow(house, by=250)
    sign(house)
    grow(house, by=300)
    before = bodies(house)
    assert in_a_child(house, lambda: publish(house.gateway, [signer()])) == ending
    again = build_house(house.settings.database_url, is_furnished=True)
    is_whole(again, before)
    grow(again)
    sign(again)
    every_proof_holds(again)
    grow(again, by=300)
    sign(again)
    every_proof_holds(again)
    again.gateway.store.close()


def exported(house: House, folder: Path) -> None:
    """Write an export as the command does: each file beside its place, then into it."""
    ((log, _),) = _logs(house)
    for name, content in export_log(house.gateway, log, [SIGNER], lambda _done, _all: None):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.writing")
        beside.write_bytes(content)
        beside.replace(path)


def _logs(house: House) -> list[tuple[str, object]]:
    with house.gateway.store.reading() as view:
        return list(ledger.logs(view.connection))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_export_that_is_broken_off_is_intact_as_of_before_or_names_what_is_missing(
    house: House, tmp_path: Path
) -> None:
    grow(house, by=600)
    sign(house)
    folder, fresh = tmp_path / "kept", tmp_path / "fresh"
    exported(house, folder)
    older = (folder / "checkpoint").read_text()
    size = read_checkpoint(older).size
    key = key_of(_logs(house)[0][0]).text
    number, ended = 0, KILLED
    while ended != ENDED:
        number += 1
        grow(house, by=40)

        def act(at: int = number) -> None:
            die_at_rename(tmp_path, at)
            exported(house, folder)
            exported(house, fresh / str(at))

        ended = in_a_child(house, act)
        report = verify_export(folder, vkey=key, older=older)
        assert report.ok, report.findings
        assert report.size >= size
        for broken in fresh.glob(str(number)):
            half = verify_export(broken, vkey=key, older=older)
            is_complete = (broken / "checkpoint").exists()
            assert half.ok is is_complete
            assert is_complete or "checkpoint" in half.findings[0].text
        if number > 24:
            break
    exported(house, folder)
    whole = verify_export(folder, vkey=key, older=older)
    assert whole.ok
    assert whole.size > size


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_export_for_which_there_is_no_room_is_intact_as_of_before(
    house: House, tmp_path: Path
) -> None:
    grow(house, by=600)
    sign(house)
    folder = tmp_path / "kept"
    exported(house, folder)
    older = (folder / "checkpoint").read_text()
    key = key_of(_logs(house)[0][0]).text
    grow(house, by=600)
    sign(house)

    def act() -> None:
        # The database's own files are larger than this by now, and are not written to after.
        files = export_log(house.gateway, _logs(house)[0][0], [], lambda _done, _all: None)
        first = next(files)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        for name, content in [first, *files]:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f"{path.name}.writing").write_bytes(content)
            path.with_name(f"{path.name}.writing").replace(path)

    assert in_a_child(house, act) == 1
    assert verify_export(folder, vkey=key, older=older).ok
    exported(house, folder)
    assert verify_export(folder, vkey=key, older=older).ok


WRITERS, EACH = 8, 25


def _append(url: str, number: int) -> int:
    """Append from a process of its own, a subject's entries among them."""
    house = build_house(url, is_furnished=True)
    done = 0
    for turn in range(EACH):
        with house.gateway.store.transaction(house.clock()) as tx:
            tx.record(
                TokenRefused(actor="unknown", practice=PRACTICE, code=f"W{number}"),
                TokenRefused(actor="unknown", practice=None, code=f"T{turn}"),
            )
        done += 2
    house.gateway.store.close()
    return done


def test_eight_processes_that_append_at_once_make_one_log_without_a_gap(house: House) -> None:
    before = bodies(house)
    house.gateway.store.close()
    urls = [house.settings.database_url] * WRITERS
    with ProcessPoolExecutor(WRITERS, mp_context=get_context("fork")) as pool:
        written = sum(pool.map(_append, urls, range(WRITERS)))
    assert written == WRITERS * EACH * 2
    assert len(bodies(house)) == len(before) + written
    is_whole(house, before)
