"""`gateway validate`: what the door would say of a message, without a gateway.

What enters: files, JSON or XML. What leaves: each fault with its place, and how to mend it;
nothing of the message is shown.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from gateway.config import OWN_PROFILES
from gateway.errors import Fault, MessageError
from gateway.fhir.examine import examine, is_error, require_own
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.profiles.load import load_profiles
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.text import read_resource


def validate_files(files: Sequence[Path], *, profiles_dir: Path | None, as_json: bool) -> bool:
    """Examine each file; tell whether the door would refuse none of them.

    Raises:
        ProfileError: a file of the profiles is wrong.
    """
    profiles = require_own(load_profiles(profiles_dir or OWN_PROFILES))
    console = Console(stderr=True)
    steps = track(files, "messages", console=console, transient=True, disable=len(files) == 1)
    found = {path: _examined(path, profiles) for path in steps}
    if as_json:
        click.echo(json.dumps([_as_json(path, faults) for path, faults in found.items()], indent=2))
    else:
        for path, faults in found.items():
            _print(path, faults)
    return not any(is_error(fault) for faults in found.values() for fault in faults)


def _examined(path: Path, profiles: Profiles) -> Sequence[Fault]:
    try:
        body = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return examine(read_resource(body), profiles)
    except MessageError as refusal:
        return refusal.faults


def _as_json(path: Path, faults: Sequence[Fault]) -> dict[str, object]:
    outcome = operation_outcome(faults, code=None) if faults else None
    return {
        "file": str(path),
        "ok": not any(is_error(fault) for fault in faults),
        "issue": outcome["issue"] if outcome else [],
    }


def _print(path: Path, faults: Sequence[Fault]) -> None:
    errors = sum(is_error(fault) for fault in faults)
    others = len(faults) - errors
    remarks = f", {others} remark{'s' if others > 1 else ''}" if others else ""
    verdict = f"{errors} error{'s' if errors > 1 else ''}" if errors else "good"
    click.echo(f"{path}: {verdict}{remarks}")
    for fault in faults:
        click.echo(f"  {fault.severity:<11} {fault.expression or ''}")
        click.echo(f"              {fault.diagnostics} ({fault.code})")
