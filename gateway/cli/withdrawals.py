"""What `gateway withdrawal` and `gateway recall` do, and how an acknowledgement is printed.

What enters: values of a command line, or withdrawals that were carried through. What leaves:
lines on stdout, or JSON. Referrals stand there by reference; nobody is named.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import click
from rich.console import Console

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.answer_recall import Said
from gateway.journey.gateway import Gateway
from gateway.journey.recalls import Open, answer, list_open
from gateway.journey.show_withdrawn import list_withdrawals, read_withdrawal
from gateway.journey.withdraw import acknowledge
from gateway.mapping.sharing_views import acknowledged_view, recall_view, withdrawal_view
from gateway.referral.identifiers import DeliveryId, OdsCode, WithdrawalId
from gateway.referral.json import JsonObject
from gateway.referral.withdrawals import (
    Acknowledged,
    Ground,
    Recall,
    RecallAnswer,
    Standing,
    Withdrawal,
)

ACTOR = "operator"


def print_list(practice: OdsCode | None, *, about: str | None, count: int, as_json: bool) -> None:
    """Print withdrawals with counts."""
    found = list_withdrawals(_gateway(), actor=ACTOR, practice=practice, about=about, limit=count)
    if as_json:
        _print_json([withdrawal_view(each.withdrawal, each.counts) for each in found])
        return
    for each in found:
        _print_tally(each.withdrawal, each.counts)
    if not found:
        click.echo("nothing was withdrawn")


def print_one(wanted: WithdrawalId, *, as_json: bool) -> None:
    """Print one withdrawal with all that it covers."""
    gateway = _gateway()
    done = read_withdrawal(gateway, wanted, actor=ACTOR)
    if as_json:
        click.echo(json.dumps(acknowledged_view(done, gateway.clock()), indent=2))
        return
    print_acknowledged(done, gateway)


def print_acknowledged(done: Acknowledged, gateway: Gateway) -> None:
    """Print a withdrawal, and a line for each delivery that it covers."""
    _print_tally(done.withdrawal, Counter(each.standing for each in done.covered))
    now = gateway.clock()
    for each in done.covered:
        told = ""
        if each.recall is not None:
            is_late = "late: " if each.recall.is_overdue(now) else ""
            told = f"  recall {each.recall.id}: {is_late}{_how(each.recall)}"
        click.echo(f"  {each.reference}  {each.provider:<10} {each.standing:<9}{told}".rstrip())


def print_recalls(*, overdue: bool, as_json: bool) -> None:
    """Print the recalls that wait for an answer."""
    gateway = _gateway()
    found = list_open(gateway, actor=ACTOR, overdue=overdue)
    if as_json:
        _print_json([_as_json(each, gateway) for each in found])
        return
    for each in found:
        _print_recall(each, gateway)
    if not found:
        click.echo("no answer is late" if overdue else "no recall waits for an answer")


def note_answer(
    recall: DeliveryId, said: str, *, ground: str | None, actor: str, as_json: bool
) -> None:
    """Keep an answer, and print how the recall stands then."""
    gateway = _gateway()
    told = Said(answer=RecallAnswer(said), ground=Ground(ground) if ground else None)
    done = answer(gateway, recall, told, actor=actor)
    if as_json:
        click.echo(json.dumps(_as_json(done, gateway), indent=2))
        return
    _print_recall(done, gateway)


def carry_through(gateway: Gateway, practices: Sequence[OdsCode | None]) -> list[Acknowledged]:
    """Wait until nothing that was withdrawn can leave any more; progress on stderr.

    Args:
        gateway: whose.
        practices: whose withdrawals; None for those of all.
    """
    done: list[Acknowledged] = []
    if not practices:
        return done
    console = Console(stderr=True)
    with console.status("waiting for what is on its way"):
        for practice in practices:
            while some := acknowledge(gateway, practice=practice):
                done += some
    return done


def print_totals(done: Sequence[Acknowledged]) -> None:
    """Print what withdrawals came to, added up."""
    counts = Counter(each.standing for one in done for each in one.covered)
    click.echo(f"{len(done)} withdrawals acknowledged: {_counted(counts)}")


def _print_tally(withdrawal: Withdrawal, counts: Mapping[Standing, int]) -> None:
    whose = withdrawal.practice or withdrawal.recipient or ""
    at = withdrawal.acknowledged_at
    told = f"acknowledged {at:%Y-%m-%d %H:%M:%S} UTC" if at else "not acknowledged yet"
    click.echo(
        f"{withdrawal.id}  {whose:<10} {withdrawal.cause} {withdrawal.about}"
        f" from {withdrawal.withdrawn_at:%Y-%m-%d %H:%M:%S} UTC, {told}: {_counted(counts)}"
    )


def _counted(counts: Mapping[Standing, int]) -> str:
    stopped, delivered, unknown, leaving = (
        counts.get(each, 0)
        for each in (Standing.STOPPED, Standing.DELIVERED, Standing.UNKNOWN, Standing.LEAVING)
    )
    under_way = f", {leaving} under way" if leaving else ""
    return f"{stopped} stopped, {delivered} delivered, {unknown} unknown{under_way}"


def _print_recall(each: Open, gateway: Gateway) -> None:
    is_late = "LATE " if each.recall.is_overdue(gateway.clock()) else ""
    click.echo(
        f"{each.recall.id}  {each.referral.reference}  {each.delivery.provider:<10}"
        f" {is_late}{_how(each.recall)} ({each.recall.cause})"
    )


def _how(recall: Recall) -> str:
    """Say how a recall stands."""
    if recall.answer is not None:
        return f"{recall.answer}, {recall.ground}" if recall.ground else recall.answer.value
    brought = "brought" if recall.sent_at else "not brought yet"
    return f"{brought}, answer due {recall.due:%Y-%m-%d %H:%M} UTC"


def _as_json(each: Open, gateway: Gateway) -> JsonObject:
    return {
        "reference": each.referral.reference,
        "practice": each.referral.practice,
        "provider": each.delivery.provider,
        "delivery": each.delivery.state.value,
        **recall_view(each.recall, gateway.clock()),
    }


def _gateway() -> Gateway:
    return open_gateway(read_settings())


def _print_json(tree: list[JsonObject]) -> None:
    click.echo(json.dumps(tree, indent=2))
