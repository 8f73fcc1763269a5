"""What `gateway certify` prints: a table, or JSON, and how to mend what failed."""

import json
import shutil
import sys
from collections.abc import Sequence

import click
from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from gateway.cli.certify.case import Case, Verdict
from gateway.cli.certify.run import Result, Target, certify, exit_status, longest, open_trial
from gateway.cli.certify.table import CASES

_STYLES = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.NOT_SHOWN: "dim",
}


def try_endpoint(target: Target, cases: Sequence[Case], *, as_json: bool) -> int:
    """Try an endpoint, print what was found, and return the exit status.

    Raises:
        ConfigError: this is no endpoint that could be tried.
    """
    trial = open_trial(target)
    console = Console(stderr=True)
    minutes = max(round(longest(cases) / 60), 1)
    console.print(f"{len(cases)} cases, at most {minutes} minutes; synthetic referrals only")
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("")
        results = list(certify(trial, cases, lambda c: bar.update(task, description=c.name)))
    if as_json:
        click.echo(json.dumps([_as_json(result) for result in results], indent=2))
    else:
        _print(results)
    return exit_status(results)


def list_cases() -> None:
    """Print what is asked of an endpoint, and why."""
    table = _table("Case", "What is asked", "Why")
    for case in CASES:
        table.add_row(case.name, case.asks, case.why)
    _out().print(table)


def _out() -> Console:
    width = shutil.get_terminal_size((120, 24)).columns
    return Console(file=sys.stdout, width=width, highlight=False)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0, overflow="fold")
    return table


def _print(results: Sequence[Result]) -> None:
    table = _table("Case", "Verdict", "What is asked", "What was seen")
    for result in results:
        verdict = result.finding.verdict
        table.add_row(
            result.case.name,
            Text(verdict, style=_STYLES[verdict]),
            Text(result.case.asks),
            Text(result.finding.seen),
        )
    out = _out()
    out.print(table)
    for result in results:
        if result.finding.verdict is Verdict.FAIL:
            click.echo(f"{result.case.name}: {result.finding.seen}")
            click.echo(f"  why:  {result.case.why}")
            click.echo(f"  mend: {result.case.mend}")
    click.echo(_sum(results))


def _sum(results: Sequence[Result]) -> str:
    verdicts = [result.finding.verdict for result in results]
    counts = [(verdicts.count(each), each) for each in Verdict]
    return f"{len(results)} cases: " + ", ".join(f"{n} {each}" for n, each in counts if n)


def _as_json(result: Result) -> dict[str, object]:
    return {
        "case": result.case.name,
        "asks": result.case.asks,
        "why": result.case.why,
        "mend": result.case.mend,
        "verdict": result.finding.verdict.value,
        "seen": result.finding.seen,
        "seconds": round(result.seconds, 3),
    }
