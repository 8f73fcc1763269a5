"""`make bench`: how fast referrals are accepted, and where the time goes."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.decision import decision_times
from tests.bench.disk import sync_times
from tests.bench.load import Load, accept_load
from tests.bench.rooms import share_of_rooms
from tests.bench.validation import validation_times
from tests.postgres import started_server


def main() -> int:
    """Measure and print; `--json FILE` keeps the figures."""
    given = _arguments()
    stage = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        folder = Path(name)
        stage.print("syncing a file …")
        disk = sync_times(folder)
        loads = []
        for engine in given.engines:
            for clients in given.clients:
                stage.print(f"{engine}, {clients} clients, {given.seconds} s …")
                loads.append(_measured(engine, clients, given.seconds, folder))
        stage.print("where the time goes …")
        rooms = share_of_rooms(folder, repeats=given.repeats)
        stage.print("is it right? …")
        validation = validation_times(given.repeats)
        stage.print("may it go? …")
        decisions = decision_times()
    _print(disk, loads, rooms)
    _print_validation(validation)
    _print_decisions(decisions)
    if given.json:
        figures = {
            "fsync_ms": disk,
            "loads": [vars(load) for load in loads],
            "rooms": rooms,
            "validation_ms": validation,
            "decision_us": decisions,
        }
        Path(given.json).write_text(json.dumps(figures, indent=2))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each load")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--engines", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--repeats", type=int, default=200, help="requests for the shares")
    parser.add_argument("--json", help="also write the figures to this file")
    return parser.parse_args()


def _measured(engine: str, clients: int, seconds: float, folder: Path) -> Load:
    own = Path(tempfile.mkdtemp(dir=folder))
    if engine == "sqlite":
        return accept_load(f"sqlite:///{own / 'gateway.sqlite3'}", own, clients, seconds)
    with started_server(durable=True) as server:
        return accept_load(server.fresh_database(), own, clients, seconds)


def _print(disk: dict[str, float], loads: list[Load], rooms: dict[str, float]) -> None:
    out = Console()
    out.print(f"fdatasync of 4 KiB here: p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms")
    table = Table(title=f"Referrals of {loads[0].body_bytes / 1000:.1f} kB accepted over HTTP")
    for heading in ("engine", "clients", "per second", "p50 ms", "p99 ms", "other answers"):
        table.add_column(heading, justify="right")
    for load in loads:
        table.add_row(
            load.engine,
            str(load.clients),
            f"{load.per_second:.0f}",
            f"{load.p50_ms:.1f}",
            f"{load.p99_ms:.1f}",
            str(load.other_answers),
        )
    out.print(table)
    shares = Table(title="Where one accepted request spends its time (SQLite, one thread)")
    for heading in ("room", "ms", "share"):
        shares.add_column(heading, justify="right")
    whole = rooms["whole request"]
    for room, spent in rooms.items():
        shares.add_row(room, f"{spent:.2f}", f"{spent / whole:.0%}")
    out.print(shares)


def _print_validation(found: Mapping[str, Mapping[str, float]]) -> None:
    table = Table(title="Is this message right? Milliseconds, median")
    table.add_column("part")
    for name in found:
        table.add_column(name, justify="right")
    for part in next(iter(found.values())):
        table.add_row(part, *(f"{times[part]:.2f}" for times in found.values()))
    Console().print(table)


def _print_decisions(found: Mapping[str, Mapping[str, float]]) -> None:
    table = Table(title="May this go? Microseconds, with the facts in hand")
    table.add_column("question")
    for heading in ("p50", "p99"):
        table.add_column(heading, justify="right")
    for question, times in found.items():
        table.add_row(question, f"{times['p50']:.0f}", f"{times['p99']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
