"""`make bench`: how fast referrals come in and leave, where the time goes, what a decision costs."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.store.engine import make_engine
from gateway.store.schema import upgrade
from tests.bench import show
from tests.bench.back_door import (
    FIFTIETH,
    Drain,
    Late,
    Place,
    Walk,
    beside_a_dead_one,
    drain,
    placed,
    walk,
)
from tests.bench.cedar import cedar_times, disagreements, forwarded_cases
from tests.bench.country import Country
from tests.bench.decision import decision_times
from tests.bench.disk import sync_times
from tests.bench.load import Load, accept_load
from tests.bench.log import append_times, bare_sqlite, check_times
from tests.bench.quick_receiver import quick_receiver
from tests.bench.rooms import share_of_rooms
from tests.bench.show_back_door import show_back_door
from tests.bench.store_facts import FactTimes, fact_times
from tests.bench.validation import validation_times
from tests.bench.way_back import way_back_times
from tests.postgres import started_server

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_USUAL, _FULL = 100_000, 1_000_000
"""Consents of the largest store: some minutes for both engines, or about a quarter of an hour."""
_PROCESSES = 2
_LANES = [f"lane-{number}" for number in range(8)]
"""Destinations that share a full queue: one alone takes no more at once than its endpoint says."""


def main() -> int:
    """Measure and print; `--json FILE` keeps the figures."""
    given = _arguments()
    stage = Console(stderr=True)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        for part, measure in _PARTS.items():
            if given.only in (None, part):
                figures |= measure(given, Path(name), stage)
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=2))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each load")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--repeats", type=int, default=200, help="requests for the shares")
    parser.add_argument("--only", choices=list(_PARTS), help="leave the rest out")
    parser.add_argument(
        "--entries",
        type=int,
        default=100_000,
        help="of the log that is checked; default %(default)s",
    )
    parser.add_argument(
        "--consents", type=int, default=_USUAL, help="in the largest store; default %(default)s"
    )
    parser.add_argument(
        "--full",
        action="store_const",
        dest="consents",
        const=_FULL,
        help=f"the same as --consents {_FULL}",
    )
    parser.add_argument("--samples", type=int, default=2_000, help="decisions at each size")
    parser.add_argument("--queue", type=int, default=1_500, help="deliveries in a full queue")
    parser.add_argument("--pace", type=float, default=30.0, help="deliveries due a second")
    parser.add_argument("--rounds", type=int, default=5, help="beside a dead destination")
    parser.add_argument("--json", help="also write the figures to this file")
    return parser.parse_args()


def _of_requests(given: argparse.Namespace, folder: Path, stage: Console) -> Mapping[str, Any]:
    stage.print("syncing a file …")
    disk = sync_times(folder)
    loads = []
    for engine in given.engines:
        for clients in given.clients:
            stage.print(f"{engine}, {clients} clients, {given.seconds} s …")
            loads.append(_load(engine, clients, given.seconds, folder))
    stage.print("where the time goes …")
    rooms = share_of_rooms(folder, repeats=given.repeats)
    stage.print("is it right? …")
    validation = validation_times(given.repeats)
    show.requests(disk, loads, rooms)
    show.validation(validation)
    return {
        "fsync_ms": disk,
        "loads": [vars(load) for load in loads],
        "rooms": rooms,
        "validation_ms": validation,
    }


def _of_decisions(given: argparse.Namespace, folder: Path, stage: Console) -> Mapping[str, Any]:
    stage.print("may it go? …")
    pure, cases = decision_times(), forwarded_cases()
    differ = list(disagreements(cases))
    if differ:
        raise ValueError(f"Cedar and our rules differ, so their times say nothing: {differ}")
    pure |= cedar_times(cases)
    show.decisions(pure)
    found: list[FactTimes] = []
    for engine in given.engines:
        with _database(engine, folder) as url:
            found += fact_times(
                url,
                _sizes_up_to(given.consents),
                country=Country(),
                samples=given.samples,
                processes=_PROCESSES,
                told=partial(stage.print, f"{engine}:"),
            )
    show.facts(found)
    return {
        "decision_us": {name: asdict(times) for name, times in pure.items()},
        "decision_with_facts_ms": [asdict(each) for each in found],
    }


def _of_ledger(given: argparse.Namespace, folder: Path, stage: Console) -> Mapping[str, Any]:
    disk = sync_times(folder)
    appends = [bare_sqlite(folder, given.seconds)]
    for engine in given.engines:
        with _database(engine, folder) as url:
            for each in append_times(engine, url, given.seconds):
                stage.print(f"{each.engine}, {each.way}, {each.writers} writers …")
                appends.append(each)
    with _database("sqlite", folder) as url, tempfile.TemporaryDirectory(dir=folder) as own:
        checks = check_times(url, Path(own), given.entries, stage.print)
    show.ledger(disk, appends, checks)
    return {
        "ledger_appends": [asdict(each) for each in appends],
        "ledger_checks": asdict(checks),
        "ledger_fsync_ms": disk,
    }


def _of_deliveries(given: argparse.Namespace, folder: Path, stage: Console) -> Mapping[str, Any]:
    disk = sync_times(folder)
    drains: list[Drain] = []
    walks: list[Walk] = []
    late: list[Late] = []
    for engine in given.engines:
        for workers in (1, 2, 4):
            stage.print(f"{engine}, a full queue, {workers} workers …")
            with _back_door(engine, folder, dict.fromkeys(_LANES, "good")) as (place, pid):
                drains.append(drain(place, workers=workers, number=given.queue, database_pid=pid))
        stage.print(f"{engine}, from the 201 to the receiver …")
        with _back_door(engine, folder, dict.fromkeys(_LANES, "good")) as (place, _):
            walks.append(walk(place, workers=1, per_second=20, seconds=given.seconds))
        stage.print(f"{engine}, one dead destination of fifty …")
        names = {f"other-{number}": "good" for number in range(49)} | FIFTIETH
        with _back_door(engine, folder, names) as (place, _):
            pace, rounds = given.pace, given.rounds
            late += beside_a_dead_one(
                place, workers=2, per_second=pace, seconds=given.seconds, rounds=rounds
            )
    show_back_door(disk, drains, walks, late)
    return {
        "drains": [asdict(each) for each in drains],
        "walks": [asdict(each) for each in walks],
        "late": [asdict(each) for each in late],
        "drain_fsync_ms": disk,
    }


def _of_outcomes(given: argparse.Namespace, folder: Path, stage: Console) -> Mapping[str, Any]:
    stage.print("the way back …")
    times = way_back_times(folder, given.repeats)
    show.way_back(times)
    return {"way_back_ms": times}


@contextmanager
def _back_door(
    engine: str, folder: Path, names: Mapping[str, str]
) -> Iterator[tuple[Place, int | None]]:
    """Give a gateway with a receiver of its own, and the process of its database, if it has one."""
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        (own / "receiver").mkdir()
        receiver = stack.enter_context(quick_receiver(own / "receiver"))
        url, pid = f"sqlite:///{own / 'gateway.sqlite3'}", None
        if engine != "sqlite":
            server = stack.enter_context(started_server(durable=True))
            url = server.fresh_database()
            pid = int((server.socket_folder / "data" / "postmaster.pid").read_text().split()[0])
        _upgrade(url)
        yield stack.enter_context(placed(engine, url, own, receiver, names)), pid


def _sizes_up_to(most: int) -> list[int]:
    """List the sizes at which to measure: each ten times the last, and the largest."""
    return [*(size for size in _SIZES if size < most), most]


def _load(engine: str, clients: int, seconds: float, folder: Path) -> Load:
    own = Path(tempfile.mkdtemp(dir=folder))
    if engine == "sqlite":
        return accept_load(f"sqlite:///{own / 'gateway.sqlite3'}", own, clients, seconds)
    with started_server(durable=True) as server:
        return accept_load(server.fresh_database(), own, clients, seconds)


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    """Give an empty database with a current schema, as durable as it would be in earnest."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(dir=folder) as own:
            url = f"sqlite:///{Path(own) / 'gateway.sqlite3'}"
            _upgrade(url)
            yield url
        return
    with started_server(durable=True) as server:
        url = server.fresh_database()
        _upgrade(url)
        yield url


def _upgrade(url: str) -> None:
    engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
    upgrade(engine)
    engine.dispose()


_PARTS: Mapping[str, Callable[[argparse.Namespace, Path, Console], Mapping[str, Any]]] = {
    "requests": _of_requests,
    "decisions": _of_decisions,
    "ledger": _of_ledger,
    "deliveries": _of_deliveries,
    "outcomes": _of_outcomes,
}


if __name__ == "__main__":
    sys.exit(main())
