"""The command line. Results on stdout, progress on stderr.

Exit status: 0 done; 1 checked and failed, or could not be done; 2 a bad call.
"""

import sys
from pathlib import Path

import click

from gateway import __version__
from gateway.cli.agreement import agreement
from gateway.cli.certify_command import certify
from gateway.cli.consent_commands import consent
from gateway.cli.erase import erase
from gateway.cli.ledger import ledger
from gateway.cli.notice import notice
from gateway.cli.opt_out import opt_out
from gateway.cli.outcome import outcome
from gateway.cli.reminder import reminder
from gateway.cli.report import report
from gateway.cli.retention import retention
from gateway.cli.shared_care import shared_care
from gateway.cli.subscription import subscription
from gateway.cli.switch import switch
from gateway.cli.withdrawal import recall, withdrawal
from gateway.errors import GatewayError


class Room(click.Group):
    """A group whose commands turn foreseen errors into one line and status 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            click.echo(f"gateway: {error}", err=True)
            ctx.exit(1)


@click.group(cls=Room, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """Send GP referrals to occupational health, and prove what was decided.

    Settings come from GATEWAY_* environment variables, from files in
    GATEWAY_SECRETS_DIR, or from the TOML file GATEWAY_CONFIG. Try `gateway demo` first: it
    needs none of them.
    """


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, help="Port to listen on.")
def serve(host: str, port: int) -> None:
    """Run the front door (gunicorn)."""
    from gateway.cli.serve import run_front_door
    from gateway.config import read_settings

    run_front_door(read_settings(), host=host, port=port)


@main.command()
def worker() -> None:
    """Run the back door: deliver what is due until stopped."""
    from gateway.cli.serve import run_worker
    from gateway.config import read_settings

    run_worker(read_settings())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Make a settings file and the keys of data at rest in FOLDER."""
    from gateway.cli.init import make_settings

    click.echo(make_settings(folder))


@main.command()
@click.argument(
    "files",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    nargs=-1,
    required=True,
    metavar="FILE...",
)
@click.option(
    "--profiles",
    "profiles_dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of profiles to hold them against, instead of our own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def validate(files: tuple[Path, ...], *, profiles_dir: Path | None, as_json: bool) -> None:
    """Say what the door would say of each message in FILE: JSON or XML, - for stdin.

    Needs no settings and no database. Exit status 1 when one would be refused.
    """
    from gateway.cli.validate import validate_files

    sys.exit(0 if validate_files(files, profiles_dir=profiles_dir, as_json=as_json) else 1)


@main.group()
def db() -> None:
    """Look after the database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema up to date."""
    from gateway.app import open_store
    from gateway.config import read_settings
    from gateway.store.schema import upgrade

    click.echo(f"schema {upgrade(open_store(read_settings()).engine)}")


@main.group()
def certs() -> None:
    """Look after certificates."""


@certs.command("dev")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="certs")
def certs_dev(folder: Path) -> None:
    """Make a development CA and a server certificate for localhost in FOLDER."""
    from gateway.cli.certs import make_development_certificates

    for path in make_development_certificates(folder):
        click.echo(path)


@main.group()
def directory() -> None:
    """Look after the directory of practices, providers, services and agreements."""


@directory.command("apply")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--end-missing", is_flag=True, help="End records that the file does not list.")
def directory_apply(file: Path, *, end_missing: bool) -> None:
    """Show what FILE would change, then apply it at once."""
    from gateway.cli.directory import apply_file

    apply_file(file, end_missing=end_missing)


@directory.command("diff")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--end-missing", is_flag=True, help="End records that the file does not list.")
def directory_diff(file: Path, *, end_missing: bool) -> None:
    """Show what FILE would change. Exit status 1 when it would change anything."""
    from gateway.cli.directory import show_difference

    sys.exit(1 if show_difference(file, end_missing=end_missing) else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def reconcile(*, as_json: bool) -> None:
    """Prove that every accepted referral is in exactly one state; list any that is not."""
    from gateway.cli.audit import reconcile_referrals

    sys.exit(0 if reconcile_referrals(as_json=as_json) else 1)


@main.command()
@click.argument("reference", nargs=-1, required=True)
def replay(reference: tuple[str, ...]) -> None:
    """Decide again about held referrals, by REFERENCE, and queue what is now permitted."""
    from gateway.cli.audit import replay_referrals

    sys.exit(0 if replay_referrals(reference) else 1)


@main.command()
@click.option("--once", is_flag=True, help="Stop when every sample has ended; check how.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="Keep everything under this folder, with demo.json.",
)  # fmt: skip
def demo(folder: Path | None, *, once: bool) -> None:
    """Run the whole gateway with sample referrals; no settings needed."""
    from gateway.cli.demo.run import run_demo

    sys.exit(run_demo(folder, once=once))


main.add_command(ledger)
main.add_command(consent)
main.add_command(switch)
main.add_command(agreement)
main.add_command(shared_care)
main.add_command(notice)
main.add_command(outcome)
main.add_command(reminder)
main.add_command(withdrawal)
main.add_command(recall)
main.add_command(report)
main.add_command(opt_out)
main.add_command(erase)
main.add_command(retention)
main.add_command(subscription)
main.add_command(certify)
