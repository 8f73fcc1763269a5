"""`gateway reminder ...`: what waits for somebody, and that it was seen to."""

import json
from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given
from gateway.cli.codes import CODE

if TYPE_CHECKING:
    from gateway.journey.show_reminders import Waiting
    from gateway.referral.identifiers import OdsCode, ReminderId


def _reminder(_context: click.Context, _parameter: click.Parameter, text: str) -> "ReminderId":
    from gateway.referral.identifiers import ReminderId

    try:
        return ReminderId(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _practice(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> "OdsCode | None":
    from gateway.referral.identifiers import OdsCode

    try:
        return None if text is None else OdsCode(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def reminder() -> None:
    """Show what waits for somebody, and note that it was seen to."""


@reminder.command("list")
@click.option("--overdue", is_flag=True, help="Only what is due by now.")
@click.option("--practice", callback=_practice, help="Only of this practice's referrals.")
@given.as_json
def list_waiting(*, overdue: bool, practice: "OdsCode | None", as_json: bool) -> None:
    """List what waits, the one due first at the head; that it is read is an entry."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.show_reminders import list_reminders
    from gateway.mapping.reminder_views import reminder_view

    gateway = open_gateway(read_settings())
    found = list_reminders(gateway, actor="operator", practice=practice, overdue=overdue)
    if as_json:
        now = gateway.clock()
        shown = [
            reminder_view(each.reminder, each.referral.reference, each.referral.practice, now)
            for each in found
        ]
        click.echo(json.dumps(shown, indent=2))
        return
    for each in found:
        _print(each)
    if not found:
        click.echo("nothing is overdue" if overdue else "nothing waits")


@reminder.command("done")
@click.argument("reminder", metavar="ID", callback=_reminder)
@click.option("--because", type=CODE, required=True, help="How it was seen to, as a code.")
@given.actor
def finish(reminder: "ReminderId", *, because: str, actor: str) -> None:
    """Note that reminder ID was seen to."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.show_reminders import finish_reminder

    done = finish_reminder(open_gateway(read_settings()), reminder, because=because, actor=actor)
    _print(done)


def _print(each: "Waiting") -> None:
    one = each.reminder
    told = f"due {one.due:%Y-%m-%d %H:%M} UTC" if one.is_open else f"done: {one.resolution}"
    click.echo(
        f"{one.id}  {each.referral.reference}  {each.referral.practice:<10}"
        f" {one.owner:<10} {one.code}, {told}"
    )
