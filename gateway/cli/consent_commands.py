"""`gateway consent ...`: ask the sharing rules, and try drafts of them."""

import sys
from datetime import datetime
from pathlib import Path

import click

from gateway.cli.instants import INSTANT


@click.group()
def consent() -> None:
    """Ask the sharing rules."""


@consent.command("decide")
@click.option(
    "--jsonl", is_flag=True, required=True, help="Read facts and write decisions, a line each."
)
@click.option("--baseline", is_flag=True, help="Take facts that are left out from a good referral.")
def consent_decide(*, jsonl: bool, baseline: bool) -> None:
    """Decide on facts from stdin, one JSON object a line; a fact left out is unknown.

    Needs no settings and no database. Exit status 1 when a line cannot be decided.
    """
    from gateway.cli.consent import decide_lines

    del jsonl  # the only form there is; named, so that another may come
    sys.exit(0 if decide_lines(of_good_referral=baseline) else 1)


@consent.command("explain")
@click.argument("reference", required=False)
@click.option("--practice", help="ODS code, with --recipient and --purpose instead of a REFERENCE.")
@click.option("--recipient", help="ODS code of the provider.")
@click.option("--purpose", help="Code of the purpose, such as occupational-health.")
@click.option("--service", help="Our id of the service; else any service of the recipient.")
@click.option("--action", default="forward", show_default=True, help="What is to be done.")
@click.option(
    "--assume",
    multiple=True,
    metavar="FACT=VALUE",
    help="A fact of the referral or patient; else they are as in a good referral.",
)
@click.option("--at", type=INSTANT, help="As of when; a day is its beginning in London.")
@click.option(
    "--known",
    type=click.Choice(["now", "then"]),
    default="now",
    show_default=True,
    help="With --at: on what is known now, or on what was known then.",
)
@click.option(
    "--rules",
    type=click.Choice(["now", "then"]),
    default="now",
    show_default=True,
    help="With --at: by the rules of this version, or by those that were in force then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def consent_explain(  # noqa: PLR0913  # one argument an option
    *,
    reference: str | None,
    practice: str | None,
    recipient: str | None,
    purpose: str | None,
    service: str | None,
    action: str,
    assume: tuple[str, ...],
    at: datetime | None,
    known: str,
    rules: str,
    as_json: bool,
) -> None:
    """Explain what the rules say of a referral, by REFERENCE, or of a practice and a recipient.

    Says which rules speak, on which facts, and the smallest steps that would change the
    answer, each tried. Nothing is stored or sent.
    """
    from gateway.cli.explain import Asked, When, explain

    asked = Asked(
        reference=reference,
        practice=practice,
        recipient=recipient,
        purpose=purpose,
        service=service,
        action=action,
        assume=assume,
    )
    if at is None and "then" in (known, rules):
        raise click.UsageError("Say of when: --known then and --rules then go with --at.")
    when = When(at=at, as_known_then=known == "then", by_rules_of_then=rules == "then")
    explain(asked, when, as_json=as_json)


@consent.command("policy")
def consent_policy() -> None:
    """Print the rules in force as a text to edit and to try with `what-if`."""
    from gateway.consent.draft import policy_text

    click.echo(policy_text(), nl=False)


@consent.command("what-if")
@click.option(
    "--policy",
    "policy_file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A draft: what `gateway consent policy` prints, edited.",
)
@click.option("--since", type=INSTANT, required=True, help="The first instant of the period.")
@click.option("--until", type=INSTANT, help="The first instant after it; else now.")
@click.option("--practice", help="ODS code: the decisions of this practice alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def consent_what_if(
    *,
    policy_file: Path,
    since: datetime,
    until: datetime | None,
    practice: str | None,
    as_json: bool,
) -> None:
    """Take the decisions of a period again by a draft of the rules; list what would differ.

    Nothing is stored, sent or decided.
    """
    from gateway.cli.what_if import try_policy

    try_policy(policy_file, since=since, until=until, practice=practice, as_json=as_json)
