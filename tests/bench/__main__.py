"""`make bench`: how fast referrals are accepted, where the time goes, and what a decision costs."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.store.engine import make_engine
from gateway.store.schema import upgrade
from tests.bench import show
from tests.bench.cedar import cedar_times, disagreements, forwarded_cases
from tests.bench.country import Country
from tests.bench.decision import decision_times
from tests.bench.disk import sync_times
from tests.bench.load import Load, accept_load
from tests.bench.log import append_times, bare_sqlite, check_times
from tests.bench.rooms import share_of_rooms
from tests.bench.store_facts import FactTimes, fact_times
from tests.bench.validation import validation_times
from tests.postgres import started_server

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_USUAL, _FULL = 100_000, 1_000_000
"""Consents of the largest store: some minutes for both engines, or about a quarter of an hour."""
_PROCESSES = 2


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
}


if __name__ == "__main__":
    sys.exit(main())
