"""`gateway shared-care ...`: agreements on shared care. What is done: `shared_care_terms`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from gateway.referral.identifiers import OdsCode


def _provider(_context: click.Context, _parameter: click.Parameter, text: str) -> "OdsCode":
    from gateway.referral.identifiers import OdsCode

    try:
        return OdsCode(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _by(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    from gateway.referral.identifiers import ClientId

    try:
        return ClientId(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_who = click.option(
    "--by", "actor", metavar="WHO", required=True, callback=_by, help="Who puts it on record."
)


@click.group("shared-care")
def shared_care() -> None:
    """Keep the formal agreements under which a provider may ask a practice to take work over."""


@shared_care.command("record")
@given.practice
@click.argument("provider", callback=_provider)
@click.option(
    "--file",
    "terms",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="JSON of the terms; see above.",
)
@_who
def record(practice: "OdsCode", provider: "OdsCode", *, terms: Path, actor: str) -> None:
    """Put on record what PRACTICE and PROVIDER have agreed; it counts in place of the one before.

    The file is a JSON object. A part that is left out is not agreed, and then a request is
    returned to the provider. Days are such as "2026-12-01".

    \b
    responsibilities  list of {"work": W, "party": practice or specialist}
    support           {"contact": a team, "confirmed_on": day, "ends_on": day, if any}
    resourcing        {"funder": an organisation, "works": list of W}
    starts_on         day from which it counts; work begins no earlier
    ends_on           last day, if any
    decision          accepted or declined: the practice's answer

    \b
    W is   prescribe  asked for by a MedicationRequest
           monitor    by a CarePlan
           do-work    by a ServiceRequest or a Task

    Name teams and organisations, never a patient.
    """  # noqa: D301  # \b keeps the lines of the list apart
    from gateway.cli.shared_care_terms import record_file

    record_file(practice, provider, terms, actor=actor)


@shared_care.command("capacity")
@given.practice
@click.option(
    "--has/--has-not", "has_capacity", default=None, required=True, help="What it says today."
)
@_who
def capacity(practice: "OdsCode", *, has_capacity: bool, actor: str) -> None:
    """Put on record whether PRACTICE has capacity for shared care. It counts for 28 days."""
    from gateway.cli.shared_care_terms import say_capacity

    say_capacity(practice, has_capacity=has_capacity, actor=actor)


@shared_care.command("list")
@given.as_json
def list_(*, as_json: bool) -> None:
    """List the agreements and words on capacity that count now."""
    from gateway.cli.shared_care_terms import list_on_record

    list_on_record(as_json=as_json)
