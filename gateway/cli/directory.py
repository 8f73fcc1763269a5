"""`gateway directory apply` and `diff`."""

from pathlib import Path

import click

from gateway.app import open_gateway
from gateway.cli.withdrawals import carry_through, print_totals
from gateway.config import read_settings
from gateway.errors import DirectoryFileError
from gateway.journey.apply_directory import Plan, apply_directory, plan_directory


def apply_file(file: Path, *, end_missing: bool) -> None:
    """Show the plan, then apply it; wait until nothing that it withdrew can leave any more."""
    gateway = open_gateway(read_settings())
    text = _text(file)
    plan = plan_directory(text, gateway, end_missing=end_missing)
    _show(plan)
    applied = apply_directory(plan, text, gateway)
    if applied.changes_anything:
        ended = len(applied.missing) if end_missing else 0
        click.echo(
            f"applied: {len(applied.added)} added, {len(applied.changed)} changed, {ended} ended"
        )
        withdrawn = carry_through(gateway, [None])
        if withdrawn:
            print_totals(withdrawn)
    else:
        click.echo("nothing to change")


def show_difference(file: Path, *, end_missing: bool) -> bool:
    """Show the plan; tell whether applying would change anything."""
    gateway = open_gateway(read_settings())
    plan = plan_directory(_text(file), gateway, end_missing=end_missing)
    _show(plan)
    return plan.changes_anything


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read as UTF-8 text"
        raise DirectoryFileError(msg) from error


def _show(plan: Plan) -> None:
    for sign, rows in (("+", plan.added), ("~", plan.changed)):
        for row in rows:
            click.echo(f"{sign} {row.kind} {row.key}")
    for text in plan.kept:
        click.echo(f"= {text}; kept")
    for text in plan.notes:
        click.echo(f"note: {text}")
    for row in plan.missing:
        note = "" if plan.ends_missing else "  (not in the file; kept, see --end-missing)"
        click.echo(f"{'-' if plan.ends_missing else ' '} {row.kind} {row.key}{note}")
