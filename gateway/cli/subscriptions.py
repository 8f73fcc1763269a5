"""`gateway subscription list`: what is on stdout. Addresses are shown without their queries."""

import json
from datetime import datetime
from urllib.parse import urlsplit

import click

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.subscribe import everybodys
from gateway.mapping.notification import said_of
from gateway.referral.subscriptions import Notice, Trouble

_STALLS = frozenset({Trouble.SILENT, Trouble.BEHIND})


def list_subscriptions(*, as_json: bool) -> bool:
    """Print every subscription; tell whether none is stalled."""
    found = everybodys(open_gateway(read_settings()))
    if as_json:
        click.echo(json.dumps([_as_json(notice, since) for notice, since in found], indent=2))
    else:
        for notice, since in found:
            _print(notice, since)
        if not found:
            click.echo("there is no subscription")
    return not any(_is_stalled(notice) for notice, _ in found)


def _is_stalled(notice: Notice) -> bool:
    return any(each in _STALLS for each in notice.troubles)


def _taken(notice: Notice) -> int:
    own = notice.subscription
    return own.next_seq - 1 - own.started_after


def _address(notice: Notice) -> str:
    url = urlsplit(notice.subscription.terms.address)
    return f"{url.scheme}://{url.netloc}{url.path}"


def _as_json(notice: Notice, since: datetime | None) -> dict[str, object]:
    own = notice.subscription
    return {
        "id": own.id,
        "subscriber": own.subscriber,
        "client": own.client,
        "address": _address(notice),
        "channel": own.terms.channel,
        "status": own.status,
        "events": notice.total,
        "taken": _taken(notice),
        "failures": own.failures,
        "waiting_since": since.isoformat() if since else None,
        "last_sent_at": own.last_sent_at.isoformat() if own.last_sent_at else None,
        "last_ok_at": own.last_ok_at.isoformat() if own.last_ok_at else None,
        "next_at": own.next_at.isoformat(),
        "stalled": _is_stalled(notice),
        "troubles": list(notice.troubles),
    }


def _print(notice: Notice, since: datetime | None) -> None:
    own = notice.subscription
    mark = "STALLED " if _is_stalled(notice) else ""
    click.echo(f"{own.id}  {own.subscriber:<10} {own.status:<10} {mark}{_address(notice)}")
    waits = f", the next one waits since {since:%Y-%m-%d %H:%M:%S}Z" if since else ""
    click.echo(f"  {_taken(notice)} of {notice.total} events taken{waits}")
    for each in notice.troubles:
        click.echo(f"  {said_of(each)}")
