"""`gateway withdrawal ...` and `gateway recall ...`. What is done stands in `withdrawals`."""

from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from gateway.referral.identifiers import DeliveryId, OdsCode, WithdrawalId

ANSWERS = ("stopped", "returned", "retained")
GROUNDS = ("legal-obligation", "health-record", "legal-claims", "other")


@click.group()
def withdrawal() -> None:
    """Show what was withdrawn, and what became of what it covers."""


@withdrawal.command("list")
@given.optional_practice
@click.option("--about", help="Only of this agreement, switch, Consent or provider.")
@click.option(
    "--count", default=50, show_default=True, type=click.IntRange(1, 1000), help="How many."
)
@given.as_json
def list_withdrawals(
    practice: "OdsCode | None", *, about: str | None, count: int, as_json: bool
) -> None:
    """List what PRACTICE withdrew, or everybody, the newest first; that it is read is an entry."""
    from gateway.cli.withdrawals import print_list

    print_list(practice, about=about, count=count, as_json=as_json)


@withdrawal.command("show")
@given.withdrawal
@given.as_json
def show_withdrawal(withdrawal: "WithdrawalId", *, as_json: bool) -> None:
    """Show withdrawal ID with each delivery that it covers; that it is read is an entry."""
    from gateway.cli.withdrawals import print_one

    print_one(withdrawal, as_json=as_json)


@click.group()
def recall() -> None:
    """Show which recalls wait for an answer, and note what a provider said on the telephone."""


@recall.command("list")
@click.option("--overdue", is_flag=True, help="Only those whose answer is late.")
@given.as_json
def list_recalls(*, overdue: bool, as_json: bool) -> None:
    """List the recalls that wait for an answer, the one due first at the head.

    Late ones are for the officer for information governance: call the provider.
    """
    from gateway.cli.withdrawals import print_recalls

    print_recalls(overdue=overdue, as_json=as_json)


@recall.command("answer")
@given.recall
@click.argument("said", type=click.Choice(ANSWERS), metavar="ANSWER")
@click.option(
    "--ground", type=click.Choice(GROUNDS), help="On which a provider keeps it: with retained."
)
@given.actor
@given.as_json
def answer_recall(
    recall: "DeliveryId", said: str, *, ground: str | None, actor: str, as_json: bool
) -> None:
    """Note that the provider of recall ID said: stopped, returned or retained."""
    from gateway.cli.withdrawals import note_answer

    if (said == "retained") is not (ground is not None):
        msg = "a ground is said with retained, and with nothing else"
        raise click.UsageError(msg)
    note_answer(recall, said, ground=ground, actor=actor, as_json=as_json)
