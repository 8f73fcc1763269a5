"""`gateway subscription ...`: who is told of its events, and whether it is."""

import sys

import click

from gateway.cli import practice_options as given


@click.group()
def subscription() -> None:
    """Show how the subscriptions of providers to their events stand."""


@subscription.command("list")
@given.as_json
def list_(*, as_json: bool) -> None:
    """Show every subscription: how far it was told, and what is wrong. Status 1: one is stalled."""
    from gateway.cli.subscriptions import list_subscriptions

    sys.exit(0 if list_subscriptions(as_json=as_json) else 1)
