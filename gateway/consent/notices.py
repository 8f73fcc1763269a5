"""Which changes of sharing an ICB is told of, and the life of a notice.

What enters: a switch or an agreement and where it goes; a notice and what became of it. What
leaves: the kind of notice that is due, or none; the notice as it stands then. A notice never
decides when the practice's act takes effect. Source: the sharing rules, sections 1 and 6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from gateway.errors import IllegalMoveError
from gateway.referral.directory import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    Switch,
    SwitchValue,
)
from gateway.referral.notices import Notice, NoticeKind, NoticeState

_TOLD_OF: Mapping[Switch, NoticeKind] = {
    Switch.SECONDARY_SHARING: NoticeKind.WITHDRAW_SECONDARY,
    Switch.NEW_AGREEMENTS: NoticeKind.FREEZE_NEW,
    Switch.UPDATE_RECORD: NoticeKind.WRITE_SWITCH,
    Switch.ACCESS_RECORD: NoticeKind.WRITE_SWITCH,
    Switch.SHARED_CARE: NoticeKind.SHARED_CARE,
}
"""The ICB is not told of documents, or of advice and guidance: no letter of the sort is known."""


def notice_due(switch: Switch, value: SwitchValue) -> NoticeKind | None:
    """Name the notice that is due when a switch is set so; None: none is."""
    return None if value is SwitchValue.ON else _TOLD_OF.get(switch)


def is_secondary(kind: AgreementKind) -> bool:
    """Whether an agreement shares for secondary purposes, alone or beside others."""
    return kind is not AgreementKind.DIRECT


def stopped_by(value: SwitchValue, agreements: Iterable[Agreement]) -> list[Agreement]:
    """List the agreements in force of which the switch of secondary sharing stops something.

    Off stops each secondary use, exclusive-withdrawn those that have no other. What the law
    requires goes on.
    """
    stops = {
        SwitchValue.ON: frozenset[AgreementKind](),
        SwitchValue.EXCLUSIVE_WITHDRAWN: frozenset({AgreementKind.EXCLUSIVE_SECONDARY}),
        SwitchValue.OFF: frozenset({AgreementKind.EXCLUSIVE_SECONDARY, AgreementKind.MIXED}),
    }[value]
    return [
        each
        for each in agreements
        if each.status is AgreementStatus.ACTIVE
        and each.kind in stops
        and not each.terms.is_statutory
    ]


def mark_sent(notice: Notice, at: datetime) -> Notice:
    """Say that the letter went. Of one that went before nothing changes.

    Raises:
        IllegalMoveError: what it tells of no longer stands.
    """
    _require_standing(notice)
    if notice.state is not NoticeState.DRAFTED:
        return notice
    return replace(notice, state=NoticeState.SENT, sent_at=at)


def mark_acknowledged(notice: Notice, at: datetime) -> Notice:
    """Say that the ICB has it. Of one that was acknowledged before nothing changes.

    Raises:
        IllegalMoveError: it was not sent, or what it tells of no longer stands.
    """
    _require_standing(notice)
    if notice.state is NoticeState.DRAFTED:
        msg = "the notice was not sent yet: say first that it was sent"
        raise IllegalMoveError(msg)
    if notice.state is NoticeState.ACKNOWLEDGED:
        return notice
    return replace(notice, state=NoticeState.ACKNOWLEDGED, acknowledged_at=at)


def mark_reinstated(notice: Notice, at: datetime) -> Notice:
    """Say that what it tells of no longer stands, however far it came."""
    return replace(notice, state=NoticeState.REINSTATED, reinstated_at=at)


def _require_standing(notice: Notice) -> None:
    if notice.state is NoticeState.REINSTATED:
        msg = "what the notice tells of no longer stands: there is a newer notice that says so"
        raise IllegalMoveError(msg)
