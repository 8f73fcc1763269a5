"""`gateway opt-out ...`: the lists that the national data opt-out service takes and gives."""

import os
from datetime import datetime
from pathlib import Path

import click

from gateway.cli.instants import INSTANT

_OWN = 0o600
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("opt-out")
def opt_out() -> None:
    """Ask the national data opt-out service, and keep its answers."""


@opt_out.command("ask")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def ask(file: Path) -> None:
    """Write the list to ask into FILE: NHS numbers, readable by you alone."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.opt_outs import list_to_ask

    content = list_to_ask(open_gateway(read_settings()))
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWN), "wb") as written:
        os.fchmod(written.fileno(), _OWN)  # it may have been there before
        written.write(content)
    click.echo(f"{content.count(bytes([10]))} to ask about")


@opt_out.command("load")
@click.argument("asked", type=_FILE)
@click.argument("answer", type=_FILE)
@click.option("--at", type=INSTANT, required=True, help="When the service answered.")
def load(asked: Path, answer: Path, at: datetime) -> None:
    """Keep an ANSWER to the list that was ASKED: who is missing from it has opted out."""
    from gateway.app import open_gateway
    from gateway.config import read_settings
    from gateway.journey.opt_outs import load_answer

    gateway = open_gateway(read_settings())
    kept = load_answer(asked.read_bytes(), answer.read_bytes(), at, gateway)
    click.echo(f"{kept} answers kept")
