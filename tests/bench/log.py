"""What the ledger costs: appending, proving, checking, beside the bare database in one run."""

import hashlib
import json
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from gateway.journey.hand_out import export_log
from gateway.ledger.entry import DecisionMade, DeliveryDelivered, Entry
from gateway.ledger.kinds import Effect, Stage
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.note import Ed25519Signer
from gateway.ledger.proof import inclusion_proof, verify_inclusion
from gateway.ledger.verify import verify_export
from gateway.store import checkpoints, ledger, tiles
from gateway.store.engine import Store
from gateway.store.vault import Vault
from tests.bench.times import Times, times_of
from tests.builders.house import build_house

ORIGIN = "bench.example/ledger"
BATCH = 100
_FILL = 1_000
_SEED = bytes(32)
_PEOPLE, _PRACTICES = 20_000, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Appends:
    """Appends a second of one way, with so many writers at once (a process each)."""

    engine: str
    way: str
    writers: int
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Proofs (milliseconds) and whole checks (seconds) of a log of so many entries."""

    entries: int
    proof_ms: Times
    export_s: float
    verify_one_s: float
    verify_all_s: float
    processes: int


def store_on(url: str) -> Store:
    """Open a store as a process of the gateway does."""
    vault = Vault({"k": bytes(32)}, bytes(32), os.urandom)
    wait = timedelta(seconds=30)
    return Store(url, vault=vault, ledger_origin=ORIGIN, timeout=wait, pool_size=2)


def entry(number: int) -> Entry:
    """Make an entry as the walk of a referral does: every third is a decision."""
    text = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    name = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"
    practice = f"G{99000 + number % _PRACTICES}"
    subject = f"{number % _PEOPLE:032x}"
    if number % 3:
        return DeliveryDelivered(
            actor="worker",
            practice=practice,
            subject=subject,
            referral=name,
            delivery=name,
            recipient="RX901",
            attempt=1,
            status=200,
        )
    return DecisionMade(
        actor="worker",
        practice=practice,
        subject=subject,
        decision=name,
        referral=name,
        delivery=name,
        service="rowan-oh-assessment",
        recipient="RX901",
        stage=Stage.RELEASE,
        effect=Effect.PERMIT,
        rule="G1",
        code="PERMITTED",
        rules=("G1", "R51"),
        obligations=("LOG", "MINIMUM", "NOREUSE"),
        policy=text,
        payload_sha256=text,
    )


def append_times(engine: str, url: str, seconds: float) -> Iterator[Appends]:
    """Measure appends: one a transaction, and a hundred; one writer, and eight."""
    for batch, way in ((1, "one a transaction"), (BATCH, f"{BATCH} a transaction")):
        for writers in (1, 8):
            yield Appends(
                engine=engine,
                way=way,
                writers=writers,
                per_second=_at_once(_append_for, writers, url, seconds, batch),
            )


def bare_sqlite(folder: Path, seconds: float) -> Appends:
    """Measure the floor: a row and a head a transaction, by the driver alone, same durability."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        database = sqlite3.connect(Path(own) / "bare.sqlite3", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, body BLOB, leaf BLOB)")
        database.execute("CREATE TABLE head (size INTEGER)")
        database.execute("INSERT INTO head VALUES (0)")
        body, done, until = os.urandom(600), 0, time.monotonic() + seconds
        started = time.perf_counter()
        while time.monotonic() < until:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO entry VALUES (?, ?, ?)", (done, body, body[:32]))
            database.execute("UPDATE head SET size = size + 1")
            database.execute("COMMIT")
            done += 1
        spent = time.perf_counter() - started
        database.close()
    return Appends(
        engine="sqlite", way="bare driver, one a transaction", writers=1, per_second=done / spent
    )


def _at_once(
    work: Callable[[str, float, int, int], int], writers: int, url: str, seconds: float, batch: int
) -> float:
    with ProcessPoolExecutor(writers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_ready, range(writers)))
        tasks = [pool.submit(work, url, seconds, batch, number) for number in range(writers)]
        return sum(task.result() for task in tasks) / seconds


def _ready(_number: int) -> None:
    time.sleep(0.2)  # so that each process takes one


def _append_for(url: str, seconds: float, batch: int, writer: int) -> int:
    store = store_on(url)
    number, done = writer * 10_000_000, 0
    _append(store, range(number, number + 20))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _append(store, range(number, number + batch))
        number, done = number + batch, done + batch
    store.close()
    return done


def _append(store: Store, numbers: Sequence[int]) -> None:
    made = [entry(number) for number in numbers]
    with store.transaction(datetime.now(UTC)) as tx:
        tx.record(*made)


def check_times(url: str, folder: Path, entries: int, told: Callable[[str], None]) -> Checks:
    """Fill a log, sign it, prove at random places, export it, and check the export."""
    store = store_on(url)
    for first in range(0, entries, _FILL):
        _append(store, range(first, min(first + _FILL, entries)))
        if first % 100_000 == 0:
            told(f"{first:,} entries …")
    built = build_house(url, checks_answers=False, is_furnished=True).gateway
    gateway = replace(built, store=store, clock=lambda: datetime.now(UTC))
    with store.reading() as view:
        ((log, _),) = ledger.logs(view.connection)
    exported = folder / "exported"
    started = time.perf_counter()
    for name, content in export_log(gateway, log, [Ed25519Signer(_SEED)], lambda _n, _of: None):
        path = exported / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    spent = time.perf_counter() - started
    proofs = times_of([_prove(store, log) for _ in range(500)])
    processes = os.cpu_count() or 1
    one, everyone = _verified(exported, 1), _verified(exported, processes)
    store.close()
    return Checks(
        entries=entries,
        proof_ms=proofs,
        export_s=spent,
        verify_one_s=one,
        verify_all_s=everyone,
        processes=processes,
    )


def _prove(store: Store, log: str) -> float:
    with store.reading(as_one_moment=True) as view:
        signed = checkpoints.newest(view, log)
        if signed is None:
            raise ValueError("the log was not signed")
        head = signed.checkpoint
        index = random.randrange(head.size)  # noqa: S311  # a place to measure at
        started = time.perf_counter()
        proof = inclusion_proof(index, head.size, tiles.reader(view, log))
        spent = (time.perf_counter() - started) * 1000
        (body,) = ledger.bodies(view.connection, log, index, 1)
    if not verify_inclusion(leaf_hash(body), index, head.size, proof, head.root):
        raise ValueError("the proof does not hold")
    return spent


def _verified(folder: Path, processes: int) -> float:
    started = time.perf_counter()
    report = verify_export(folder, vkey=None, processes=processes)
    if not report.ok:
        raise ValueError(json.dumps([finding.text for finding in report.findings[:3]]))
    return time.perf_counter() - started
