"""`gateway certify URL`: the command; what it does is in `certify/`."""

import sys
from pathlib import Path

import click

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _list(context: click.Context, _option: click.Parameter, is_asked: bool) -> None:
    """Print what is asked of an endpoint, and end."""
    if is_asked:
        from gateway.cli.certify.show import list_cases

        list_cases()
        context.exit(0)


@click.command()
@click.argument("url")
@click.option("--ca-file", type=_FILE, help="Authorities to trust; else the usual public ones.")
@click.option("--client-certificate", type=_FILE, help="PEM the gateway shows: chain and key.")
@click.option("--token-file", type=_FILE, help="A bearer token for searches; no post carries it.")
@click.option("--provider", metavar="ODS", help="Whom the referrals are for, if you check it.")
@click.option("--service", metavar="ID", help="Their service (DoS), if you check it.")
@click.option(
    "--format",
    "wire",
    type=click.Choice(["fhir-transaction", "bars-message"]),
    default="fhir-transaction",
    show_default=True,
    help="What your endpoint takes.",
)
@click.option("--only", multiple=True, metavar="CASE", help="This case, and what it needs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list,
    help="Say what is asked, and why; send nothing.",
)  # fmt: skip
def certify(  # noqa: PLR0913  # one for each option
    url: str,
    *,
    ca_file: Path | None,
    client_certificate: Path | None,
    token_file: Path | None,
    provider: str | None,
    service: str | None,
    wire: str,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Try your own endpoint at URL as the gateway will use it: a provider's self-test.

    Sends synthetic referrals, marked HTEST, and takes some of them back: name a test endpoint,
    never one where people work. Needs no settings and no database. Exit status 0 when no case
    failed, 1 when one did, 2 on a bad call, or where nothing answered.
    """
    from gateway.cli.certify.run import Target, chosen
    from gateway.cli.certify.show import try_endpoint
    from gateway.errors import ConfigError
    from gateway.referral.directory import Format

    target = Target(
        url=url,
        ca_file=ca_file,
        client_certificate=client_certificate,
        token_file=token_file,
        provider=provider,
        service=service,
        format=Format(wire),
    )
    try:
        status = try_endpoint(target, chosen(only), as_json=as_json)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(status)
