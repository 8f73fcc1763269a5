"""`gateway erase`: destroy everything that is about one person at one practice."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.journey.erase import Erasure
    from gateway.journey.gateway import Gateway
    from gateway.referral.identifiers import Handle

_AUTHORITIES = ("data-subject-request", "court-order", "entered-in-error", "retention")
"""As in `journey.erase.Authority`, so that --help needs no more of the program."""

_LONGEST_FILE = 1024
"""Bytes that are read of the file with the NHS number."""

_ON_DISK = {
    "overwritten": "the deleted bytes are overwritten in the database's files",
    "waiting": "readers were in the way: the deleted bytes leave the files with the next erasure,"
    " purge, or restart",
    "by-server": "PostgreSQL still has the deleted bytes until it vacuums, and in its archives:"
    " see docker/RUNBOOK.md",
}


@click.command()
@click.option("--referral", help="The person of a referral, by RG-reference.")
@click.option("--handle", help="The person, by handle.")
@click.option(
    "--nhs-number-from",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="The person whose NHS number stands in a file; - for stdin. Never on the command line.",
)
@click.option("--practice", help="ODS code of the practice, with --nhs-number-from.")
@click.option(
    "--authority", type=click.Choice(_AUTHORITIES), required=True, help="Under what, as recorded."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    referral: str | None,
    handle: str | None,
    file: Path | None,
    practice: str | None,
    authority: str,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Erase one person at one practice: handle, keys, referrals, decisions, Consents.

    Nothing of it can be brought back. Entries of the ledger stay, and still prove what happened,
    to nobody who can be named. Refused while a referral of theirs is not over. The same patient
    at another practice is another person here.
    """
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.erase import Authority, erase_subject, look_at_erasure, refusal_of

    if sum(each is not None for each in (referral, handle, file)) != 1:
        raise click.UsageError("give one of --referral, --handle and --nhs-number-from")
    if (file is None) != (practice is None):
        raise click.UsageError("--practice goes with --nhs-number-from")
    gateway = open_gateway(read_settings())
    try:
        subject = _subject(gateway, referral, handle, file, practice)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found = look_at_erasure(gateway, subject)
    _show(found)
    if found.blocking:
        click.echo(f"gateway: {refusal_of(found.blocking)}", err=True)
        raise SystemExit(1)
    if dry_run:
        return
    if not yes:
        click.confirm("Erase them for good?", abort=True, err=True)
    done = erase_subject(gateway, subject, authority=Authority(authority))
    click.echo(f"erased: {done.size} rows; it is on record as subject.erased")
    click.echo(_ON_DISK[str(done.on_disk)])


def _subject(
    gateway: "Gateway",
    referral: str | None,
    handle: str | None,
    file: Path | None,
    practice: str | None,
) -> "Handle":
    from gateway.journey.erase import find_subject
    from gateway.journey.hand_out import subject_of
    from gateway.referral.identifiers import Handle, NhsNumber, OdsCode, ReferralReference

    if referral is not None:
        return subject_of(gateway, ReferralReference(referral))
    if handle is not None:
        return Handle(handle)
    number = NhsNumber(_read(file).strip())
    return find_subject(gateway, OdsCode(str(practice)), number)


def _read(file: Path | None) -> str:
    """Read the text of a file, or of stdin; what is no text becomes no number either."""
    with click.open_file(str(file), "rb") as opened:
        content: bytes = opened.read(_LONGEST_FILE)
    return content.decode("ascii", errors="replace")


def _show(found: "Erasure") -> None:
    click.echo(f"person {found.subject} of practice {found.practice}")
    for each in found.rows:
        if each.rows:
            click.echo(f"  {each.table:<20} {each.rows:>6}")
    click.echo(f"  {'in all':<20} {found.size:>6}")
