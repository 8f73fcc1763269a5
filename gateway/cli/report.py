"""`gateway report ...`: copies of reports, for whoever governs them. What is done: `reports`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from gateway.referral.identifiers import ReportId

ANSWERS = (
    "asks-sight",
    "declines-sight",
    "agrees",
    "objects",
    "asks-amendment",
    "attaches-statement",
)


def _report(_context: click.Context, _parameter: click.Parameter, text: str) -> "ReportId":
    from gateway.referral.identifiers import ReportId

    try:
        return ReportId(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_copy = click.argument("copy", metavar="ID", callback=_report)
_version = click.option(
    "--version",
    type=click.IntRange(min=1),
    required=True,
    help="Of the text that it is about: `show` names it.",
)


@click.group()
def report() -> None:
    """Show the copies of reports, and record what the person said of them on the telephone."""


@report.command("list")
@click.option(
    "--count", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many."
)
@given.as_json
def list_copies(*, count: int, as_json: bool) -> None:
    """List copies, the newest first; that they are read is an entry."""
    from gateway.cli.reports import print_list

    print_list(count=count, as_json=as_json)


@report.command("show")
@_copy
@given.as_json
def show_copy(copy: "ReportId", *, as_json: bool) -> None:
    """Show how copy ID stands, what may be done with it, and what was done.

    Neither its text nor the person's words are shown. That it is read is an entry.
    """
    from gateway.cli.reports import print_one

    print_one(copy, as_json=as_json)


@report.command("offer")
@_copy
@given.actor
@given.as_json
def offer(copy: "ReportId", *, actor: str, as_json: bool) -> None:
    """Record that the person was told that they may see copy ID first."""
    from gateway.cli.reports import record_offer

    record_offer(copy, actor=actor, as_json=as_json)


@report.command("answer")
@_copy
@click.argument("said", type=click.Choice(ANSWERS), metavar="ANSWER")
@_version
@click.option(
    "--statement",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="File with the person's statement, - for stdin: with attaches-statement.",
)
@given.actor
@given.as_json
def answer(  # one for each argument and option
    copy: "ReportId",
    said: str,
    *,
    version: int,
    statement: Path | None,
    actor: str,
    as_json: bool,
) -> None:
    """Record what the person said of copy ID.

    ANSWER is asks-sight, declines-sight, agrees, objects, asks-amendment or attaches-statement.
    """
    from gateway.cli.reports import record_answer

    if (said == "attaches-statement") is not (statement is not None):
        msg = "a statement is given with attaches-statement, and with nothing else"
        raise click.UsageError(msg)
    record_answer(copy, said, version=version, statement=statement, actor=actor, as_json=as_json)


@report.command("release")
@_copy
@_version
@given.actor
@given.as_json
def release(copy: "ReportId", *, version: int, actor: str, as_json: bool) -> None:
    """Let copy ID go to its recipient, if the rules and the person permit it."""
    from gateway.cli.reports import release_copy

    release_copy(copy, version=version, actor=actor, as_json=as_json)


@report.command("withhold")
@_copy
@given.actor
@given.as_json
def withhold(copy: "ReportId", *, actor: str, as_json: bool) -> None:
    """Keep copy ID here: only another text of the report can go then."""
    from gateway.cli.reports import withhold_copy

    withhold_copy(copy, actor=actor, as_json=as_json)
