"""Arguments and options that the commands on what a practice shares have in common.

What enters: texts of the command line. What leaves: values, or a bad call (exit status 2). Little
is imported here, so that `--help` stays quick.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.instants import INSTANT

if TYPE_CHECKING:
    from gateway.referral.identifiers import (
        AgreementId,
        DeliveryId,
        NoticeId,
        OdsCode,
        WithdrawalId,
    )

_Command = TypeVar("_Command", bound=Callable[..., Any])
_T = TypeVar("_T")


def _parsed(read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _practice(_context: click.Context, _parameter: click.Parameter, text: str) -> "OdsCode":
    from gateway.referral.identifiers import OdsCode

    return _parsed(OdsCode, text)


def _agreement(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> "AgreementId | None":
    from gateway.referral.identifiers import AgreementId

    return None if text is None else _parsed(AgreementId, text)


def _notice(_context: click.Context, _parameter: click.Parameter, text: str) -> "NoticeId":
    from gateway.referral.identifiers import NoticeId

    return _parsed(NoticeId, text)


def _withdrawal(_context: click.Context, _parameter: click.Parameter, text: str) -> "WithdrawalId":
    from gateway.referral.identifiers import WithdrawalId

    return _parsed(WithdrawalId, text)


def _recall(_context: click.Context, _parameter: click.Parameter, text: str) -> "DeliveryId":
    from gateway.referral.identifiers import DeliveryId

    return _parsed(DeliveryId, text)


def _optional_practice(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> "OdsCode | None":
    return None if text is None else _practice(context, parameter, text)


def _reason(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    from gateway.mapping.practice_words import read_reason

    return None if text is None else _parsed(read_reason, text)


def _actor(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    from gateway.referral.identifiers import ClientId

    return _parsed(ClientId, text)


practice = click.argument("practice", callback=_practice)
optional_practice = click.argument("practice", required=False, callback=_optional_practice)
agreement = click.argument("agreement", metavar="ID", callback=_agreement)
optional_agreement = click.argument(
    "agreement", metavar="[ID]", required=False, callback=_agreement
)
notice = click.argument("notice", metavar="ID", callback=_notice)
withdrawal = click.argument("withdrawal", metavar="ID", callback=_withdrawal)
recall = click.argument("recall", metavar="ID", callback=_recall)
at = click.option(
    "--at",
    type=INSTANT,
    help="From when: 2026-12-01 (midnight in London) or 2026-12-01T09:00Z. Default: now.",
)
reason = click.option(
    "--reason", callback=_reason, help="Why, in the practice's words; name no patient."
)
actor = click.option(
    "--actor", default="operator", show_default=True, callback=_actor, help="Who says so."
)
confirmed_by = click.option(
    "--confirmed-by",
    callback=_reason,
    help="Who decided to renew unchanged while sign-up is frozen.",
)
since = click.option("--since", type=INSTANT, help="How far back to look. Default: 8 weeks.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def said(command: _Command) -> _Command:
    """Add what each change may carry: from when, why, and who says so."""
    return at(reason(actor(command)))
