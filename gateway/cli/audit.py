"""`gateway ledger verify`, `gateway reconcile` and `gateway replay`."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.progress import Progress

from gateway.app import open_gateway
from gateway.cli.verify_files import print_report
from gateway.config import read_settings
from gateway.errors import GatewayError
from gateway.journey.check_ledger import check_ledger
from gateway.journey.policies import put_in_force
from gateway.journey.reconcile import NOBODY, reconcile
from gateway.journey.replay import replay_referral
from gateway.journey.retention import purged_logs
from gateway.referral.identifiers import ReferralReference
from gateway.referral.lifecycle import ReferralState
from gateway.store.purging import PurgedLog


def verify_ledger(*, as_json: bool) -> bool:
    """Check every log; print what was checked and what this does not prove."""
    gateway = open_gateway(read_settings())
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("entries", total=None)
        reports = check_ledger(gateway, lambda n: progress.update(task, completed=n))
    purged = purged_logs(gateway)
    if as_json:
        told = [asdict(report) for report in reports]
        click.echo(json.dumps([*told, *map(_as_json, purged)], indent=2))
    else:
        for report in reports:
            print_report(report)
        for each in purged:
            click.echo(f"{each.log}: purged on {each.purged_at:%Y-%m-%d}, its time being over")
            click.echo(f"  entries it had   {each.size}")
            click.echo(f"  root             {each.checkpoint.root.hex()}")
        if not reports and not purged:
            click.echo("the ledger is empty")
    return all(report.ok for report in reports)


def _as_json(purged: PurgedLog) -> dict[str, object]:
    root = purged.checkpoint.root.hex()
    at = purged.purged_at.isoformat()
    return {"log": purged.log, "size": purged.size, "root": root, "ok": True, "purged_at": at}


def reconcile_referrals(*, as_json: bool) -> bool:
    """Prove that each referral is in one state, and each row has its entry; print what is not so."""
    found = reconcile(open_gateway(read_settings()))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "states": {state: found.states.get(state, 0) for state in ReferralState},
                    "overdue_holds": found.overdue_holds,
                    "overdue_recalls": found.overdue_recalls,
                    "lapsed_leases": found.lapsed_leases,
                    "discrepancies": [asdict(each) for each in found.discrepancies],
                    "entries": found.entries,
                },
                indent=2,
            )
        )
        return not found.discrepancies
    for state in ReferralState:
        click.echo(f"{state:<10} {found.states.get(state, 0):>8}")
    click.echo(
        f"holds overdue: {found.overdue_holds}; recalls overdue: {found.overdue_recalls};"
        f" leases lapsed: {found.lapsed_leases}"
    )
    for each in found.discrepancies:
        named = f"{each.reference}, {each.about}" if each.reference != NOBODY else each.about
        click.echo(f"{named}: {each.text}. {each.mend}")
    total = sum(found.states.values())
    if found.discrepancies:
        click.echo(f"{len(found.discrepancies)} discrepancies among {total} accepted")
        return False
    click.echo(f"{total} accepted, each in exactly one state")
    click.echo(f"{found.entries} entries, each row with its entry and each entry with its row")
    return True


def replay_referrals(references: Sequence[str]) -> bool:
    """Replay each; print what it came to."""
    gateway = open_gateway(read_settings())
    put_in_force(gateway)
    done = True
    for number, text in enumerate(references, start=1):
        try:
            replayed = replay_referral(ReferralReference(text), gateway)
        except ValueError as error:  # what is no reference may be anything, and is not shown again
            click.echo(f"argument {number}: {error}", err=True)
            done = False
        except GatewayError as error:
            click.echo(f"{text}: {error}", err=True)
            done = False
        else:
            why = replayed.hold.code if replayed.hold else replayed.closed_because or ""
            click.echo(f"{text}: {replayed.state} {why}".rstrip())
    return done
