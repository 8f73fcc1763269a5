"""The figures as tables, on stdout."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.load import Load
from tests.bench.log import Appends, Checks
from tests.bench.store_facts import FactTimes
from tests.bench.times import Cost


def requests(disk: Mapping[str, float], loads: Sequence[Load], rooms: Mapping[str, float]) -> None:
    """Show how fast referrals are accepted, and where the time goes."""
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


def way_back(times: Mapping[str, float]) -> None:
    """Show how long an outcome takes on its way back."""
    table = Table(title="An outcome with codes, on its way back: milliseconds, median")
    for heading in ("part", "ms"):
        table.add_column(heading, justify="right")
    for part, spent in times.items():
        table.add_row(part, f"{spent:.2f}")
    Console().print(table)


def validation(found: Mapping[str, Mapping[str, float]]) -> None:
    """Show how long it takes to say whether a message is right."""
    table = Table(title="Is this message right? Milliseconds, median")
    table.add_column("part")
    for name in found:
        table.add_column(name, justify="right")
    for part in next(iter(found.values())):
        table.add_row(part, *(f"{times[part]:.2f}" for times in found.values()))
    Console().print(table)


def decisions(found: Mapping[str, Cost]) -> None:
    """Show what a decision costs with its facts in hand."""
    table = Table(title="May this go? Microseconds, with the facts in hand")
    table.add_column("question")
    for heading in ("p50", "p99", "of processor: p50", "p99"):
        table.add_column(heading, justify="right")
    for question, cost in found.items():
        table.add_row(question, *_cells(cost, "{:.0f}"))
    Console().print(table)


def facts(found: Sequence[FactTimes]) -> None:
    """Show what a decision costs with its facts read from a store, and where the time goes."""
    table = Table(title="May this go? Milliseconds, with the facts read from a store")
    table.add_column("engine")
    for heading in ("consents", "decisions", "p50", "p99", "of processor: p50", "p99"):
        table.add_column(heading, justify="right")
    for each in found:
        table.add_row(
            each.engine, f"{each.consents:,}", f"{each.samples:,}", *_cells(each.short, "{:.2f}")
        )
    Console().print(table)
    for each in found:
        clock = each.long.clock
        Console().print(
            f"{each.engine}, {each.consents:,} consents: a form of 20 kB {clock.p50:.2f} ms"
            f" (p99 {clock.p99:.2f}); tables read from end to end: {', '.join(each.scans) or 'none'}"
        )
    largest = [each for each in found if each.consents == max(one.consents for one in found)]
    parts = Table(title="Where it goes with the most consents. Milliseconds, p50 (p99)")
    parts.add_column("part")
    for each in largest:
        parts.add_column(each.engine, justify="right")
    for part in largest[0].parts:
        cells = (f"{each.parts[part].p50:.2f} ({each.parts[part].p99:.2f})" for each in largest)
        parts.add_row(part, *cells)
    Console().print(parts)


def _cells(cost: Cost, spelt: str) -> Iterator[str]:
    for times in (cost.clock, cost.processor):
        yield from (spelt.format(times.p50), spelt.format(times.p99))


def ledger(disk: Mapping[str, float], appends: Sequence[Appends], checks: Checks) -> None:
    """Show what the log costs."""
    out = Console()
    out.print(f"fdatasync of 4 KiB here: p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms")
    table = Table(title="Entries appended a second, each transaction durable")
    for heading in ("engine", "way", "writers", "per second"):
        table.add_column(heading, justify="right")
    for each in appends:
        table.add_row(each.engine, each.way, str(each.writers), f"{each.per_second:,.0f}")
    out.print(table)
    out.print(f"A log of {checks.entries:,} entries (SQLite):")
    proof = checks.proof_ms
    out.print(f"  a proof of inclusion     p50 {proof.p50:.2f} ms, p99 {proof.p99:.2f} ms")
    out.print(f"  signing and exporting    {checks.export_s:.1f} s")
    out.print(f"  checking all of it       {checks.verify_one_s:.1f} s in one process")
    out.print(f"                           {checks.verify_all_s:.1f} s in {checks.processes}")
