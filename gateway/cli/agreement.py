"""`gateway agreement ...`: a practice's agreements. What is done stands in `sharing`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.referral.identifiers import AgreementId, OdsCode

STATUSES = ("withdrawn", "suspended", "active")


@click.group()
def agreement() -> None:
    """Sign, withdraw, suspend, reinstate and show the data-sharing agreements of a practice."""


@agreement.command("sign")
@given.practice
@given.agreement
@click.option(
    "--file",
    "terms",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="YAML: kind, purposes, dpia_ref, ends_on and the other terms.",
)
@click.option("--counterparty", help="ODS code of the provider; the file may say it instead.")
@click.option(
    "--document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The signed document: its hash is kept, not the document.",
)
@given.confirmed_by
@given.said
def sign(  # noqa: PLR0913  # one for each argument and option
    practice: "OdsCode",
    agreement: "AgreementId",
    *,
    terms: Path,
    counterparty: str | None,
    document: Path | None,
    confirmed_by: str | None,
    at: "datetime | None",
    reason: str | None,
    actor: str,
) -> None:
    """Sign the terms of a file as agreement ID of PRACTICE, now or from a time.

    Also widens or renews one that is in force. Without a data protection impact assessment it
    is kept as a proposal.
    """
    from gateway.cli.sharing import sign_terms, word

    sign_terms(
        practice,
        agreement,
        terms,
        {"counterparty": counterparty, "confirmed_by": confirmed_by},
        document=document,
        at=at,
        said=word(actor, reason),
    )


@agreement.command("withdraw")
@given.practice
@given.agreement
@given.said
def withdraw(
    practice: "OdsCode",
    agreement: "AgreementId",
    *,
    at: "datetime | None",
    reason: str | None,
    actor: str,
) -> None:
    """Withdraw PRACTICE from agreement ID, now or from a time."""
    from gateway.cli.sharing import move_agreement, word

    move_agreement(practice, agreement, "withdrawn", at, word(actor, reason))


@agreement.command("suspend")
@given.practice
@given.agreement
@given.said
def suspend(
    practice: "OdsCode",
    agreement: "AgreementId",
    *,
    at: "datetime | None",
    reason: str | None,
    actor: str,
) -> None:
    """Suspend agreement ID of PRACTICE, now or from a time."""
    from gateway.cli.sharing import move_agreement, word

    move_agreement(practice, agreement, "suspended", at, word(actor, reason))


@agreement.command("reinstate")
@given.practice
@given.agreement
@given.confirmed_by
@given.said
def reinstate(
    practice: "OdsCode",
    agreement: "AgreementId",
    *,
    confirmed_by: str | None,
    at: "datetime | None",
    reason: str | None,
    actor: str,
) -> None:
    """Reinstate agreement ID of PRACTICE under its last terms, now or from a time."""
    from gateway.cli.sharing import move_agreement, word

    said = word(actor, reason)
    move_agreement(practice, agreement, "reinstated", at, said, confirmed_by=confirmed_by)


@agreement.command("list")
@given.practice
@given.as_json
def list_(practice: "OdsCode", *, as_json: bool) -> None:
    """Show how each agreement of PRACTICE stands, and what is planned."""
    from gateway.cli.sharing import list_agreements

    list_agreements(practice, as_json=as_json)


@agreement.command("history")
@given.practice
@given.optional_agreement
@given.as_json
def history(practice: "OdsCode", agreement: "AgreementId | None", *, as_json: bool) -> None:
    """Show every event on the agreements of PRACTICE, or on one."""
    from gateway.cli.sharing import show_agreement_history

    show_agreement_history(practice, agreement, as_json=as_json)


@agreement.command("impact")
@given.practice
@given.agreement
@click.argument("status", type=click.Choice(STATUSES), metavar="STATUS")
@given.since
@given.as_json
def impact(
    practice: "OdsCode",
    agreement: "AgreementId",
    status: str,
    *,
    since: "datetime | None",
    as_json: bool,
) -> None:
    """Say what agreement ID at STATUS would have meant for recent referrals, and does for waiting ones.

    STATUS is withdrawn, suspended or active. Nothing is changed. Looks at the decisions of the
    last 8 weeks, or since a time; other agreements count as they stood then.
    """
    from gateway.cli.what_if import show_agreement_impact
    from gateway.referral.directory import AgreementStatus

    show_agreement_impact(
        practice, agreement, AgreementStatus(status), since=since, as_json=as_json
    )
