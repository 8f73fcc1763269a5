"""`gateway retention ...`: what was kept long enough, and letting go of it."""

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from gateway.config import Settings
    from gateway.journey.retention import Planned, Retention


@click.group()
def retention() -> None:
    """Show what was kept long enough, and let go of it."""


@retention.command("plan")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def plan(*, as_json: bool) -> None:
    """Count what a purge would take, of each kind; changes nothing."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.retention import plan_purge

    settings = read_settings()
    planned = plan_purge(open_gateway(settings), _retention(settings))
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in planned], indent=2))
    else:
        _show(planned)


@retention.command("purge")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what went as JSON.")
def purge(*, yes: bool, as_json: bool) -> None:
    """Delete what was kept long enough, some at a time, each time with an entry.

    It may be broken off and run again. A person of whom nothing is kept any more is erased. A
    year of the ledger keeps its head and its last checkpoint; give GATEWAY_LEDGER_KEYS, so that
    it is signed in full before it goes. Exit status 1 where a year could not go.
    """
    from rich.console import Console
    from rich.progress import Progress

    from gateway.app import open_gateway, open_signers
    from gateway.config import read_settings
    from gateway.journey import retention as journey

    settings = read_settings()
    gateway, kept = open_gateway(settings), _retention(settings)
    if not yes:
        _show(journey.plan_purge(gateway, kept), err=True)
        click.confirm("Delete these for good?", abort=True, err=True)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        gone = journey.purge(gateway, kept, open_signers(settings), _shown_on(bar))
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in gone], indent=2))
    else:
        _show(gone)
    sys.exit(1 if any(each.blocked for each in gone) else 0)


def _shown_on(bar: "Progress") -> Callable[[str, int], None]:
    """Make what shows, for each kind, how many are gone so far."""
    tasks: dict[str, TaskID] = {}

    def show(kind: str, done: int) -> None:
        if kind not in tasks:
            tasks[kind] = bar.add_task(kind, total=None)
        bar.update(tasks[kind], completed=done)

    return show


def _retention(settings: "Settings") -> "Retention":
    from gateway.journey.retention import Retention

    return Retention(
        referrals=settings.retention_referrals,
        refusals=settings.retention_refusals,
        consents=settings.retention_consents,
        requests=settings.retention_requests,
        tokens=settings.retention_tokens,
        notices=settings.retention_notices,
        opt_outs=settings.retention_opt_outs,
        ledger_years=settings.retention_ledger_years,
    )


def _as_json(each: "Planned") -> dict[str, object]:
    return {
        "record": each.record,
        "log": each.log,
        "before": each.before.isoformat(),
        "size": each.size,
        "oldest": each.oldest.isoformat() if each.oldest else None,
        "blocked": each.blocked,
    }


def _show(planned: "Sequence[Planned]", *, err: bool = False) -> None:
    for each in planned:
        since = f", the oldest of {each.oldest:%Y-%m-%d}" if each.oldest else ""
        name = each.log or each.record
        click.echo(f"{name:<12} {each.size:>8} from before {each.before:%Y-%m-%d}{since}", err=err)
        if each.blocked:
            click.echo(f"{'':<12} kept: {each.blocked}", err=err)
