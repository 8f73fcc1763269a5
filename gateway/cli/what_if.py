"""`gateway consent what-if`, and the impact of a switch or an agreement before it is changed."""

import json
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.consent.draft import read_policy
from gateway.journey.gateway import Gateway
from gateway.journey.what_if import (
    RECENT,
    Period,
    Touched,
    WhatIf,
    impact_of_agreement,
    impact_of_switch,
    replay_decisions,
    told,
)
from gateway.referral.directory import AgreementStatus, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode


def try_policy(
    file: Path, *, since: datetime, until: datetime | None, practice: str | None, as_json: bool
) -> None:
    """Take the decisions of a period again by a draft of the rules."""
    try:
        policy = read_policy(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name}: this is not text in UTF-8") from None
    except (ValueError, OSError) as fault:
        raise click.UsageError(f"{file.name}: {fault}") from None
    gateway = open_gateway(read_settings())
    period = _period(gateway, since=since, until=until, practice=practice)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("decisions", total=None)
        found = replay_decisions(
            gateway, period, policy=policy, progress=lambda: progress.advance(task)
        )
    _show(found, as_json=as_json)


def show_switch_impact(
    practice: OdsCode, switch: Switch, value: SwitchValue, *, since: datetime | None, as_json: bool
) -> None:
    """Say what a practice's decisions would have been with a switch elsewhere."""
    gateway = open_gateway(read_settings())
    period = _period(gateway, since=since, until=None, practice=practice)
    _show(impact_of_switch(gateway, period, switch, value), as_json=as_json)


def show_agreement_impact(
    practice: OdsCode,
    agreement: AgreementId,
    status: AgreementStatus,
    *,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Say what a practice's decisions would have been with an agreement standing otherwise."""
    gateway = open_gateway(read_settings())
    period = _period(gateway, since=since, until=None, practice=practice)
    found = impact_of_agreement(gateway, period, agreement, status)
    _show(found, as_json=as_json)


def _period(
    gateway: Gateway, *, since: datetime | None, until: datetime | None, practice: str | None
) -> Period:
    now = gateway.clock()
    try:
        ods = OdsCode(practice) if practice else None
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="--practice") from None
    if since is not None and since >= (until or now):
        raise click.UsageError("The period ends before it begins: --since is to be earlier.")
    return Period(since=since or now - RECENT, until=until or now, practice=ods)


def _show(found: WhatIf, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told(found), indent=2))
        return
    period = f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    click.echo(f"{found.considered} referrals and refusals, {period}, and those that wait now")
    for week, (released, blocked) in found.by_week().items():
        click.echo(f"  week of {week}: {released} newly released, {blocked} newly blocked")
    for each in found.touched:
        click.echo(f"  {_line(each)}")
    if not found.touched:
        click.echo("  nothing would have come out otherwise")
    if found.unreadable:
        click.echo(f"  {found.unreadable} were kept by a version whose facts this one lacks")


def _line(each: Touched) -> str:
    kept, shift = each.decision, each.shift
    name = kept.reference or f"refusal {kept.id}"
    now = f", {kept.state} now" if kept.is_waiting else ""
    spoke = ", ".join((*(f"+{r}" for r in shift.gained), *(f"-{r}" for r in shift.lost)))
    return f"{name}  {kept.decided_at:%Y-%m-%d}  {shift.before} -> {shift.after}  {spoke}{now}"
