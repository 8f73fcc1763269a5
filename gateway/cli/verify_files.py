"""`gateway ledger verify FOLDER`: check what was handed out, offline, and print what came of it.

Imports only the verifier, so that it starts quickly and needs no settings.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from gateway.ledger.verify import Report, verify_export, verify_proof, verify_timeline


def verify_files(
    folder: Path,
    *,
    vkey: str | None,
    witnesses: Sequence[str],
    older: Path | None,
    as_json: bool,
) -> bool:
    """Check what was handed out, offline: an export, a timeline, or one entry with its proof.

    Raises:
        BadParameter: a key is none, or the folder holds nothing of the three.
    """
    keys = [_key_text(each) for each in witnesses]
    try:
        report = _checked(folder, _key_text(vkey) if vkey else None, keys, older)
    except (ValueError, OSError) as error:
        raise click.BadParameter(str(error)) from None
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        print_report(report)
    return report.ok


def _checked(folder: Path, vkey: str | None, witnesses: list[str], older: Path | None) -> Report:
    if (folder / "checkpoint").exists() or (folder / "tile").exists():
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("entries", total=None)
            return verify_export(
                folder,
                vkey=vkey,
                witnesses=witnesses,
                older=older.read_text("utf-8") if older else None,
                progress=lambda n: progress.update(task, completed=n),
                processes=os.cpu_count() or 1,
            )
    if (folder / "timeline").exists():
        return verify_timeline(folder, vkey=vkey, witnesses=witnesses)
    proofs = sorted(folder.glob("*.tlog-proof"))
    if len(proofs) != 1 or vkey is None:
        msg = (
            f"{folder} holds no checkpoint, no timeline, and not one single proof; to check one"
            " proof, give --vkey too"
        )
        raise ValueError(msg)
    proof = proofs[0]
    body = proof.with_suffix(".json").read_bytes()
    return verify_proof(body, proof.read_text("utf-8"), vkey=vkey, witnesses=witnesses)


def _key_text(given: str) -> str:
    return given if "+" in given else Path(given).read_text("utf-8").strip()


def print_report(report: Report) -> None:
    """Print a report: what was found and checked, and what this does not prove."""
    click.echo(f"{report.log}: {'intact' if report.ok else 'BROKEN'}")
    click.echo(f"  entries checked  {report.size}")
    click.echo(f"  root             {report.root}")
    for text in report.checked:
        click.echo(f"  checked: {text}")
    for text in report.witnesses:
        click.echo(f"  witness: {text}")
    for finding in report.findings:
        where = "" if finding.index is None else f"entry {finding.index}: "
        click.echo(f"  {where}{finding.code}: {finding.text}")
    for text in report.not_proved:
        click.echo(f"  not proved: {text}")
