"""`gateway notice ...`: notices of practices to their ICB. What is done stands in `sharing`."""

from typing import TYPE_CHECKING

import click

from gateway.cli import practice_options as given

if TYPE_CHECKING:
    from gateway.referral.identifiers import NoticeId, OdsCode


@click.group()
def notice() -> None:
    """Show the notices of practices to their ICB, and say what became of them."""


@notice.command("list")
@given.optional_practice
@given.as_json
def list_(practice: "OdsCode | None", *, as_json: bool) -> None:
    """Show the notices of PRACTICE, or of all practices, oldest first."""
    from gateway.cli.sharing import list_notices

    list_notices(practice, as_json=as_json)


@notice.command("letter")
@given.notice
def letter(notice: "NoticeId") -> None:
    """Print the letter of notice ID as HTML, ready to print and sign."""
    from gateway.cli.sharing import print_letter

    print_letter(notice)


@notice.command("sent")
@given.notice
@given.actor
def sent(notice: "NoticeId", *, actor: str) -> None:
    """Record that the letter of notice ID was sent."""
    from gateway.cli.sharing import mark_notice

    mark_notice(notice, actor, is_acknowledged=False)


@notice.command("acknowledged")
@given.notice
@given.actor
def acknowledged(notice: "NoticeId", *, actor: str) -> None:
    """Record that the ICB acknowledged the letter of notice ID."""
    from gateway.cli.sharing import mark_notice

    mark_notice(notice, actor, is_acknowledged=True)
