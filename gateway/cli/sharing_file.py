"""`gateway switch apply`: changes of many practices from one file.

What enters: a CSV file. What leaves: what each practice's lines came to, on stdout; progress on
stderr. The form of the whole file is checked before anything is written. It ends once nothing
that was withdrawn can leave any more.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from gateway.app import open_gateway
from gateway.cli.sharing import refusals_told, word
from gateway.cli.withdrawals import carry_through
from gateway.config import read_settings
from gateway.journey.bulk import LineResult, Outcome, PracticeResult, apply_lines, practices_in
from gateway.mapping.bulk_file import read_bulk_file
from gateway.referral.identifiers import OdsCode
from gateway.referral.withdrawals import Acknowledged, Standing

_ENDS = {Standing.STOPPED: 9, Standing.DELIVERED: 11, Standing.UNKNOWN: 9}
"""What may have become of what a practice's lines withdrew, and how wide its column is."""


def apply_file(file: Path, *, actor: str, dry_run: bool, as_json: bool) -> bool:
    """Apply a file, or rehearse it; tell whether every practice's lines did what they should."""
    with refusals_told():
        lines = read_bulk_file(file.read_bytes())
    gateway = open_gateway(read_settings())
    applied = apply_lines(lines, word(actor, None), gateway, is_rehearsal=dry_run)
    console = Console(stderr=True)
    count = len(practices_in(lines))
    results = list(track(applied, "practices", total=count, console=console, transient=True))
    changed = [] if dry_run else [each.practice for each in results if each.is_good]
    withdrawn = _by_practice(carry_through(gateway, changed))
    if as_json:
        told = [_as_json(each, withdrawn.get(each.practice, Counter())) for each in results]
        click.echo(json.dumps(told, indent=2))
    else:
        _print(results, withdrawn, is_rehearsal=dry_run)
    return all(each.is_good for each in results)


def _by_practice(done: Sequence[Acknowledged]) -> dict[OdsCode, Counter[Standing]]:
    """Count what the withdrawals of each practice came to."""
    found: dict[OdsCode, Counter[Standing]] = {}
    for each in done:
        if each.withdrawal.practice is not None:
            counts = found.setdefault(each.withdrawal.practice, Counter())
            counts.update(covered.standing for covered in each.covered)
    return found


def _as_json(result: PracticeResult, withdrawn: Counter[Standing]) -> dict[str, object]:
    return {
        "practice": result.practice,
        "ok": result.is_good,
        "notices": result.notices,
        **{each.value: withdrawn[each] for each in _ENDS},
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


def _print(
    results: Sequence[PracticeResult],
    withdrawn: Mapping[OdsCode, Counter[Standing]],
    *,
    is_rehearsal: bool,
) -> None:
    click.echo("Practice    Lines  Changed  Already  Failed  Notices  Stopped  Delivered  Unknown")
    for result in results:
        of_each = Counter(each.outcome for each in result.lines)
        counts = withdrawn.get(result.practice, Counter())
        failed = of_each[Outcome.FAILED] + of_each[Outcome.UNDONE]
        click.echo(
            f"{result.practice:<10} {len(result.lines):>6} {of_each[Outcome.CHANGED]:>8}"
            f" {of_each[Outcome.ALREADY]:>8} {failed:>7} {result.notices:>8}"
            + "".join(f"{counts[each]:>{width}}" for each, width in _ENDS.items())
        )
    for result in results:
        for each in result.lines:
            text = each.fault or each.note
            if text:
                click.echo(f"line {each.line.number}: {result.practice}: {text}")
    bad = sum(not each.is_good for each in results)
    rehearsed = "; a rehearsal, nothing was written" if is_rehearsal else ""
    click.echo(f"{len(results) - bad} of {len(results)} practices applied, {bad} failed{rehearsed}")
