"""`gateway switch ...`: a practice's switches. What is done stands in `sharing`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.referral.identifiers import OdsCode

SWITCHES = (
    "secondary_sharing",
    "update_record",
    "send_document",
    "access_record",
    "new_agreements",
    "shared_care",
    "advice_and_guidance",
)
VALUES = ("on", "off", "exclusive-withdrawn")


@click.group()
def switch() -> None:
    """Set and show the switches of a practice: what it shares, and how."""


@switch.command("set")
@given.practice
@click.argument("switch", type=click.Choice(SWITCHES), metavar="SWITCH")
@click.argument("value", type=click.Choice(VALUES), metavar="VALUE")
@given.said
def set_(
    practice: "OdsCode",
    switch: str,
    value: str,
    *,
    at: "datetime | None",
    reason: str | None,
    actor: str,
) -> None:
    """Set SWITCH of PRACTICE to VALUE (on, off, exclusive-withdrawn), now or from a time.

    The switches are secondary_sharing, update_record, send_document, access_record,
    new_agreements, shared_care and advice_and_guidance. Where the ICB is to be told, the draft
    of a notice comes with it.
    """
    from gateway.cli.sharing import set_one_switch, word

    set_one_switch(practice, switch, value, at, word(actor, reason))


@switch.command("list")
@given.practice
@given.as_json
def list_(practice: "OdsCode", *, as_json: bool) -> None:
    """Show how each switch of PRACTICE stands, and what is planned."""
    from gateway.cli.sharing import list_switches

    list_switches(practice, as_json=as_json)


@switch.command("history")
@given.practice
@click.argument("switch", type=click.Choice(SWITCHES), metavar="[SWITCH]", required=False)
@given.as_json
def history(practice: "OdsCode", switch: str | None, *, as_json: bool) -> None:
    """Show every setting of the switches of PRACTICE, or of one SWITCH."""
    from gateway.cli.sharing import show_switch_history

    show_switch_history(practice, switch, as_json=as_json)


@switch.command("apply")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what it would come to; write nothing.")
@given.actor
@given.as_json
def apply(file: Path, *, dry_run: bool, actor: str, as_json: bool) -> None:
    """Change many practices from FILE, each practice as a whole or not at all.

    FILE is CSV with the header practice,what,name,value,effective_at,reason,confirmed_by (the
    last three may be left out); what is switch or agreement, value the position, or withdraw,
    suspend or reinstate. At most 50,000 lines. Exit status 1 when any practice failed; the others
    stand. The same file may be applied again.
    """
    from gateway.cli.sharing_file import apply_file

    sys.exit(0 if apply_file(file, actor=actor, dry_run=dry_run, as_json=as_json) else 1)


@switch.command("impact")
@given.practice
@click.argument("switch", type=click.Choice(SWITCHES), metavar="SWITCH")
@click.argument("value", type=click.Choice(VALUES), metavar="VALUE")
@given.since
@given.as_json
def impact(
    practice: "OdsCode", switch: str, value: str, *, since: "datetime | None", as_json: bool
) -> None:
    """Say what SWITCH at VALUE would have meant for recent referrals, and does for waiting ones.

    Nothing is changed. Looks at the decisions of the last 8 weeks, or since a time.
    """
    from gateway.cli.what_if import show_switch_impact
    from gateway.referral.directory import Switch, SwitchValue

    show_switch_impact(practice, Switch(switch), SwitchValue(value), since=since, as_json=as_json)
