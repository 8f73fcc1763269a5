"""`gateway switch apply`: changes of many practices from one file.

What enters: a CSV file. What leaves: what each practice's lines came to, on stdout; progress on
stderr. The form of the whole file is checked before anything is written.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from gateway.app import open_gateway
from gateway.cli.sharing import refusals_told, word
from gateway.config import read_settings
from gateway.journey.bulk import LineResult, Outcome, PracticeResult, apply_lines, practices_in
from gateway.mapping.bulk_file import read_bulk_file


def apply_file(file: Path, *, actor: str, dry_run: bool, as_json: bool) -> bool:
    """Apply a file, or rehearse it; tell whether every practice's lines did what they should."""
    with refusals_told():
        lines = read_bulk_file(file.read_bytes())
    gateway = open_gateway(read_settings())
    applied = apply_lines(lines, word(actor, None), gateway, is_rehearsal=dry_run)
    console = Console(stderr=True)
    count = len(practices_in(lines))
    results = list(track(applied, "practices", total=count, console=console, transient=True))
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in results], indent=2))
    else:
        _print(results, is_rehearsal=dry_run)
    return all(each.is_good for each in results)


def _as_json(result: PracticeResult) -> dict[str, object]:
    return {
        "practice": result.practice,
        "ok": result.is_good,
        "notices": result.notices,
        "lines": [_line_as_json(each) for each in result.lines],
    }


def _line_as_json(result: LineResult) -> dict[str, object]:
    line = result.line
    told: dict[str, object] = {
        "line": line.number,
        "name": line.change.name,
        "value": line.change.value,
        "outcome": result.outcome,
    }
    more = {"fault": result.fault, "note": result.note}
    return told | {name: text for name, text in more.items() if text}


def _print(results: Sequence[PracticeResult], *, is_rehearsal: bool) -> None:
    click.echo("Practice    Lines  Changed  Already  Failed  Notices")
    for result in results:
        of_each = Counter(each.outcome for each in result.lines)
        failed = of_each[Outcome.FAILED] + of_each[Outcome.UNDONE]
        click.echo(
            f"{result.practice:<10} {len(result.lines):>6} {of_each[Outcome.CHANGED]:>8}"
            f" {of_each[Outcome.ALREADY]:>8} {failed:>7} {result.notices:>8}"
        )
    for result in results:
        for each in result.lines:
            text = each.fault or each.note
            if text:
                click.echo(f"line {each.line.number}: {result.practice}: {text}")
    bad = sum(not each.is_good for each in results)
    rehearsed = "; a rehearsal, nothing was written" if is_rehearsal else ""
    click.echo(f"{len(results) - bad} of {len(results)} practices applied, {bad} failed{rehearsed}")
