"""What `gateway report` does.

What enters: values of a command line. What leaves: lines on stdout, or JSON. A referral stands
there by reference; nobody is named, and neither the text of a report nor the person's words are
shown.
"""

import json
import sys
from pathlib import Path

import click

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.errors import Fault, IssueCode, ParameterError
from gateway.journey import reports as acts
from gateway.journey.gateway import Gateway
from gateway.journey.report_cases import Asker, CopyStanding
from gateway.journey.report_reads import Listed, list_copies, read_copy
from gateway.journey.report_release import release
from gateway.mapping.practice_words import read_body
from gateway.mapping.report_views import event_view, filed_view, standing_view, verdict_view
from gateway.mapping.report_words import AnswerBody
from gateway.referral.identifiers import ReportId
from gateway.referral.json import JsonObject

ACTOR = "operator"
_MOST_BYTES = 64 * 1024
"""Bytes of a statement's file that are read."""


def print_list(*, count: int, as_json: bool) -> None:
    """Print copies, the newest first."""
    found = list_copies(_gateway(), Asker(actor=ACTOR), limit=count)
    if as_json:
        shown = [filed_view(each.filed) | {"referral": each.reference} for each in found]
        click.echo(json.dumps(shown, indent=2))
        return
    for each in found:
        click.echo(_line(each))
    if not found:
        click.echo("there is no copy of a report")


def print_one(copy: ReportId, *, as_json: bool) -> None:
    """Print how one copy stands."""
    _print(read_copy(_gateway(), copy, Asker(actor=ACTOR)), as_json=as_json)


def record_offer(copy: ReportId, *, actor: str, as_json: bool) -> None:
    """Record an offer, and print how the copy stands then."""
    _print(acts.offer(_gateway(), copy, Asker(actor=actor)), as_json=as_json)


def record_answer(
    copy: ReportId,
    said: str,
    *,
    version: int,
    statement: Path | None,
    actor: str,
    as_json: bool,
) -> None:
    """Record what the person said, and print how the copy stands then."""
    told: JsonObject = {"version": version, "answer": said}
    if statement is not None:
        told["statement"] = _words_in(statement)
    body = read_body(told, AnswerBody)
    standing = acts.answer(
        _gateway(),
        copy,
        Asker(actor=actor),
        body.answer,
        version=body.version,
        statement=body.statement,
    )
    _print(standing, as_json=as_json)


def release_copy(copy: ReportId, *, version: int, actor: str, as_json: bool) -> None:
    """Let a copy go, and print how it stands then."""
    _print(release(_gateway(), copy, Asker(actor=actor), version=version), as_json=as_json)


def withhold_copy(copy: ReportId, *, actor: str, as_json: bool) -> None:
    """Keep a copy here, and print how it stands then."""
    _print(acts.withhold(_gateway(), copy, Asker(actor=actor)), as_json=as_json)


def _words_in(file: Path) -> str:
    """Read a statement; what parts its lines becomes a blank.

    Raises:
        ParameterError: it is empty, not UTF-8, or longer than is read.
    """
    source = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    with source:
        body = source.read(_MOST_BYTES + 1)
    try:
        text = body.decode()
    except ValueError:
        text = ""
    if not text or len(body) > _MOST_BYTES:
        why = f"The statement is a text in UTF-8 of at most {_MOST_BYTES} bytes."
        raise ParameterError(Fault(code=IssueCode.VALUE, diagnostics=why))
    return " ".join(text.split())


def _print(standing: CopyStanding, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(standing), indent=2))
        return
    filed, gate, verdict = standing.filed, standing.gate, standing.verdict
    click.echo(_line(Listed(filed=filed, reference=standing.reference)))
    until = f" (until {gate.until})" if gate.until else ""
    click.echo(f"  next: {gate.step}: {gate.reason} {gate.remedy}{until}")
    click.echo(f"  rules: {verdict.effect} {verdict.primary_rule} {verdict.code}")
    if verdict.primary is not None:
        click.echo(f"    mend: {verdict.primary.remedy} ({verdict.primary.owner})")
    for fault in standing.left_out:
        click.echo(f"  left out: {fault.expression}: {fault.diagnostics}")
    for event in standing.events:
        code = f" {event.code}" if event.code else ""
        at = f"{event.at:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(f"  {event.seq}. {at}  {event.act}{code}, text {event.version}, by {event.by}")


def _line(each: Listed) -> str:
    filed = each.filed
    answer = f", {filed.copy.answer}" if filed.copy.answer else ""
    return (
        f"{filed.id}  {each.reference}  {filed.recipient:<15} {filed.organisation:<10}"
        f" {filed.copy.state}{answer}, text {filed.copy.version}"
    )


def _as_json(standing: CopyStanding) -> JsonObject:
    shown = standing_view(standing.filed, standing.reference, standing.gate, standing.left_out)
    events = [event_view(each) for each in standing.events]
    return shown | {"rules": verdict_view(standing.verdict), "events": [*events]}


def _gateway() -> Gateway:
    return open_gateway(read_settings())
