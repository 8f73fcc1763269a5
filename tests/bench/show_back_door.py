"""The figures of the back door as tables, on stdout."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.back_door import Drain, Late, Walk


def show_back_door(
    disk: Mapping[str, float],
    drains: Sequence[Drain],
    walks: Sequence[Walk],
    late: Sequence[Late],
) -> None:
    """Show how fast what was accepted leaves."""
    out = Console()
    out.print(f"fdatasync of 4 KiB here: p50 {disk['p50']:.2f} ms, p99 {disk['p99']:.2f} ms")
    out.print(_drained(drains))
    for each in walks:
        there, here = each.accepted_to_received, each.posted_to_accepted
        out.print(
            f"{each.engine}, {each.per_second:.0f} a second, {each.referrals} referrals: from the"
            f" 201 to the receiver's 2xx p50 {there.p50:.0f} ms, p99 {there.p99:.0f} ms;"
            f" before that, the 201 itself p50 {here.p50:.0f} ms, p99 {here.p99:.0f} ms"
        )
    for engine in dict.fromkeys(each.engine for each in late):
        out.print(_late([each for each in late if each.engine == engine]))


def _drained(drains: Sequence[Drain]) -> Table:
    size, lanes = drains[0].body_bytes / 1000, drains[0].lanes
    table = Table(title=f"Deliveries of {size:.1f} kB from a full queue, {lanes} destinations")
    for heading in ("engine", "workers", "per second"):
        table.add_column(heading, justify="right")
    for heading in ("gateway", "database", "receiver"):
        table.add_column(f"{heading}, ms of processor each", justify="right")
    for each in drains:
        table.add_row(
            each.engine,
            str(each.workers),
            f"{each.per_second:.0f}",
            f"{each.gateway_ms:.1f}",
            f"{each.database_ms:.1f}" if each.database_ms else "in the gateway",
            f"{each.receiver_ms:.1f}",
        )
    return table


def _late(late: Sequence[Late]) -> Table:
    """Show each kind of round beside the first, in which all fifty are well."""
    well = late[0].late_ms
    title = f"{late[0].engine}: forty-nine destinations, from due to 2xx, the fiftieth …"
    table = Table(title=f"{title} {late[0].per_second:.0f} a second, medians of the rounds")
    for heading in ("the fiftieth", "deliveries", "p50 ms", "p99 ms", "p50 moved", "p99 moved"):
        table.add_column(heading, justify="right")
    for each in late:
        spent = each.late_ms
        table.add_row(
            each.fiftieth,
            str(each.deliveries),
            f"{spent.p50:.0f}",
            f"{spent.p99:.0f}",
            f"{spent.p50 / well.p50 - 1:+.1%}",
            f"{spent.p99 / well.p99 - 1:+.1%}",
        )
    return table
