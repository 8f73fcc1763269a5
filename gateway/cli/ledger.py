"""`gateway ledger ...`: check the log, sign it, and hand it out with proof."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.journey.gateway import Gateway
    from gateway.journey.hand_out import Proved, Timeline
    from gateway.ledger.note import Signer
    from gateway.referral.identifiers import Handle, OdsCode

_YEAR = click.option("--year", type=int, help="Which log; the newest where this is left out.")
_OUT = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
_DETAILS = click.option(
    "--details", is_flag=True, help="Open the sealed details too; they tell who the person is."
)


@click.group()
def ledger() -> None:
    """Check the ledger, sign it, and hand it out with proof."""


@ledger.command("export")
@_OUT
@_YEAR
def export(folder: Path, year: int | None) -> None:
    """Write a log to FOLDER in the C2SP layout, with the public key in `vkey`.

    Signs what is new first, where GATEWAY_LEDGER_KEYS is given. Check the result with
    `gateway ledger verify FOLDER`, or with verify.py alone.
    """
    from rich.console import Console
    from rich.progress import Progress

    from gateway.app import open_gateway, open_signers
    from gateway.config import read_settings
    from gateway.journey.hand_out import export_log, newest_log

    settings = read_settings()
    gateway = open_gateway(settings)
    log = newest_log(gateway, year)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("entries", total=None)
        files = export_log(
            gateway,
            log,
            open_signers(settings),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        number = _write_all(folder, files)
    click.echo(f"{log}: {number} files in {folder}")
    click.echo((folder / "checkpoint").read_text(encoding="utf-8"), nl=False)


def _write_all(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write each file whole or not at all; a reader never sees half of one."""
    number = 0
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.writing")
        beside.write_bytes(content)
        beside.replace(path)
        number += 1
    return number


@ledger.command("checkpoint")
@_YEAR
def checkpoint(year: int | None) -> None:
    """Sign what is new, and print the newest checkpoint with its cosignatures.

    Keep what this prints: whoever holds an older checkpoint can prove a later change.
    """
    from gateway.app import open_gateway, open_signers
    from gateway.config import read_settings
    from gateway.journey.hand_out import newest_log, signed_head

    settings = read_settings()
    gateway = open_gateway(settings)
    log = newest_log(gateway, year)
    _, note = signed_head(gateway, log, open_signers(settings))
    click.echo(note, nl=False)


@ledger.command("vkey")
@_YEAR
def vkey(year: int | None) -> None:
    """Print the public key of a log, as verifiers read it."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.hand_out import newest_log, verifier_key

    gateway = open_gateway(read_settings())
    click.echo(verifier_key(gateway, newest_log(gateway, year)))


@ledger.command("prove")
@_OUT
@_YEAR
@click.option("--entry", type=click.IntRange(min=0), help="One entry, by its index.")
@click.option("--subject", help="All entries on one person, by handle.")
@click.option("--referral", help="All entries on the person of a referral, by RG-reference.")
@click.option("--practice", help="All entries on one practice, by ODS code.")
@_DETAILS
def prove(
    folder: Path,
    year: int | None,
    entry: int | None,
    subject: str | None,
    referral: str | None,
    practice: str | None,
    *,
    details: bool,
) -> None:
    """Write one entry, or a complete timeline, to FOLDER with what proves it.

    Check it with `gateway ledger verify FOLDER`, or with verify.py alone.
    """
    from gateway.app import open_gateway, open_signers
    from gateway.config import read_settings
    from gateway.journey.hand_out import newest_log, prove_entry, verifier_key

    if sum(each is not None for each in (entry, subject, referral, practice)) != 1:
        raise click.UsageError("give one of --entry, --subject, --referral and --practice")
    settings = read_settings()
    gateway = open_gateway(settings)
    log, signers = newest_log(gateway, year), open_signers(settings)
    if entry is not None:
        proved = prove_entry(gateway, log, entry, signers, with_detail=details)
        _write_all(folder, _files([proved]))
        click.echo(f"{log}: entry {entry} and its proof in {folder}")
        return
    about = _person(gateway, subject, referral) if practice is None else _practice(practice)
    timeline = _timeline(gateway, log, signers, about, details=details)
    _write_timeline(folder, timeline, verifier_key(gateway, log))
    click.echo(f"{log}: {len(timeline.entries)} entries, the whole timeline, in {folder}")


def _person(gateway: "Gateway", subject: str | None, referral: str | None) -> "Handle":
    from gateway.journey.hand_out import subject_of
    from gateway.referral.identifiers import Handle, ReferralReference

    try:
        if referral is not None:
            return subject_of(gateway, ReferralReference(referral))
        return Handle(subject or "")
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _practice(named: str) -> "OdsCode":
    from gateway.referral.identifiers import OdsCode

    try:
        return OdsCode(named)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _timeline(
    gateway: "Gateway",
    log: str,
    signers: "Sequence[Signer]",
    about: "Handle | OdsCode",
    *,
    details: bool,
) -> "Timeline":
    from gateway.journey.hand_out import prove_timeline
    from gateway.referral.identifiers import Handle

    if isinstance(about, Handle):
        return prove_timeline(gateway, log, signers, subject=about, with_detail=details)
    return prove_timeline(gateway, log, signers, practice=about, with_detail=details)


def _write_timeline(folder: Path, timeline: "Timeline", vkey: str) -> None:
    _write_all(folder, _files(timeline.entries))
    about = ("timeline", f"{timeline.about}\n".encode())
    _write_all(folder, [about, ("vkey", f"{vkey}\n".encode())])


def _files(entries: "Iterable[Proved]") -> Iterable[tuple[str, bytes]]:
    for each in entries:
        yield f"{each.index}.json", each.body
        yield f"{each.index}.tlog-proof", each.proof.encode()
        if each.detail is not None:
            yield f"{each.index}.detail", each.detail


@ledger.command("verify")
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--vkey", metavar="KEY_OR_FILE", help="The log's public key, from whom you trust.")
@click.option("--witness", "witnesses", multiple=True, metavar="KEY_OR_FILE",
              help="The key of a witness that must have cosigned; may be repeated.")  # fmt: skip
@click.option("--older", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="An earlier checkpoint that you kept.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(
    folder: Path | None,
    vkey: str | None,
    witnesses: tuple[str, ...],
    older: Path | None,
    *,
    as_json: bool,
) -> None:
    """Check the ledger in the database, or, offline, what was written to FOLDER.

    With FOLDER (an export, a timeline or a proof) no settings and no database are needed.
    Exit status 1 when anything is wrong.
    """
    if folder is None:
        from gateway.cli.audit import verify_ledger

        if vkey or witnesses or older:
            raise click.UsageError("--vkey, --witness and --older go with FOLDER")
        sys.exit(0 if verify_ledger(as_json=as_json) else 1)
    from gateway.cli.verify_files import verify_files

    intact = verify_files(folder, vkey=vkey, witnesses=witnesses, older=older, as_json=as_json)
    sys.exit(0 if intact else 1)
