"""`gateway outcome ...`: what was said of a referral, and decisions on what is held."""

from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given
from gateway.cli.codes import CODE

if TYPE_CHECKING:
    from gateway.referral.identifiers import OutcomeId, ReferralReference


def _outcome(_context: click.Context, _parameter: click.Parameter, text: str) -> "OutcomeId":
    from gateway.referral.identifiers import OutcomeId

    try:
        return OutcomeId(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _reference(
    _context: click.Context, _parameter: click.Parameter, text: str
) -> "ReferralReference":
    from gateway.referral.identifiers import ReferralReference

    try:
        return ReferralReference(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def outcome() -> None:
    """Show what providers said of a referral, and decide on what is held."""


@outcome.command("show")
@click.argument("reference", callback=_reference)
@given.as_json
def show(reference: "ReferralReference", *, as_json: bool) -> None:
    """Show each outcome of REFERENCE, its letters, what waits, and its questions.

    That it is read is an entry. No letter is ever said to be in a record.
    """
    from gateway.cli.outcomes import print_story

    print_story(reference, as_json=as_json)


@outcome.command("decide")
@click.argument("outcome", metavar="ID", callback=_outcome)
@click.option(
    "--release/--keep", "is_released", default=None, required=True,
    help="Ask the rules and the guard again, or keep it here.",
)  # fmt: skip
@click.option("--because", type=CODE, required=True, help="Why, as a code.")
@given.actor
def decide(outcome: "OutcomeId", *, is_released: bool, because: str, actor: str) -> None:
    """Decide on held outcome ID, as the officer for information governance.

    A release is no milder than the rules: what they still hold stays held (exit status 1).
    """
    from gateway.cli.outcomes import decide_one

    if not decide_one(outcome, is_released=is_released, because=because, actor=actor):
        raise click.exceptions.Exit(1)
