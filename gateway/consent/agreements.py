"""Agreements from their events: where one stands, what may happen next, what signing changes.

What enters: the events of one agreement. What leaves: the Agreement as of a moment, or a
refusal of the next event. Events count in the order in which they take effect; of two that
take effect at the same instant the one recorded later counts after. Must never: read an
agreement as in force because a later event is not understood; there is no such event.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from gateway.consent.facts import AgreementChange
from gateway.errors import IllegalMoveError
from gateway.referral.directory import Agreement, AgreementStatus, Terms
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment

_STANDS: Mapping[AgreementMove, AgreementStatus] = {
    AgreementMove.PROPOSED: AgreementStatus.PROPOSED,
    AgreementMove.SIGNED: AgreementStatus.ACTIVE,
    AgreementMove.WIDENED: AgreementStatus.ACTIVE,
    AgreementMove.RENEWED: AgreementStatus.ACTIVE,
    AgreementMove.SUSPENDED: AgreementStatus.SUSPENDED,
    AgreementMove.WITHDRAWN: AgreementStatus.WITHDRAWN,
    AgreementMove.REINSTATED: AgreementStatus.ACTIVE,
    AgreementMove.EXPIRED: AgreementStatus.EXPIRED,
}

_IN_FORCE = frozenset(
    {
        AgreementMove.WIDENED,
        AgreementMove.RENEWED,
        AgreementMove.SUSPENDED,
        AgreementMove.WITHDRAWN,
        AgreementMove.EXPIRED,
    }
)
_MOVES: Mapping[AgreementStatus | None, frozenset[AgreementMove]] = {
    None: frozenset({AgreementMove.PROPOSED, AgreementMove.SIGNED}),
    AgreementStatus.PROPOSED: frozenset(
        {AgreementMove.PROPOSED, AgreementMove.SIGNED, AgreementMove.WITHDRAWN}
    ),
    AgreementStatus.ACTIVE: _IN_FORCE,
    AgreementStatus.SUSPENDED: frozenset(
        {AgreementMove.REINSTATED, AgreementMove.WITHDRAWN, AgreementMove.EXPIRED}
    ),
    AgreementStatus.WITHDRAWN: frozenset({AgreementMove.REINSTATED, AgreementMove.SIGNED}),
    AgreementStatus.EXPIRED: frozenset({AgreementMove.RENEWED, AgreementMove.SIGNED}),
}
"""What may happen to an agreement that stands so. None: there is none yet."""


def in_order(events: Iterable[AgreementEvent]) -> list[AgreementEvent]:
    """Sort events as they take effect."""
    return sorted(events, key=lambda event: (event.effective_at, event.seq))


def agreements_at(
    events: Iterable[AgreementEvent], moment: Moment, *, counts_last_day: bool = True
) -> list[Agreement]:
    """Return every agreement that was known at a moment, as it stood then, by id."""
    of_each: dict[tuple[str, str], list[AgreementEvent]] = {}
    for event in events:
        of_each.setdefault((event.agreement, event.practice), []).append(event)
    found = (
        agreement_at(of_each[name], moment, counts_last_day=counts_last_day)
        for name in sorted(of_each)
    )
    return [agreement for agreement in found if agreement is not None]


def agreement_at(
    events: Iterable[AgreementEvent], moment: Moment, *, counts_last_day: bool = True
) -> Agreement | None:
    """Return an agreement as it stands at a moment; None where nothing was known of it.

    One whose last day is over has expired, though nobody recorded it: `counts_last_day`.
    """
    seen = in_order(e for e in events if moment.sees(e.effective_at, e.recorded_at))
    if not seen:
        return None
    last = seen[-1]
    status = _STANDS[last.move]
    ends_on = last.terms.ends_on
    is_over = counts_last_day and ends_on is not None and moment.at.date() > ends_on
    if status is AgreementStatus.ACTIVE and is_over:
        status = AgreementStatus.EXPIRED
    return Agreement(
        id=last.agreement,
        practice=last.practice,
        counterparty=last.counterparty,
        status=status,
        version=last.seq,
        terms=last.terms,
        since=last.effective_at,
    )


def require_legal(events: Sequence[AgreementEvent], new: AgreementEvent) -> None:
    """Check that an event may follow those before it, and those planned after it it.

    Raises:
        IllegalMoveError: the agreement does not stand so that this could happen to it.
    """
    status: AgreementStatus | None = None
    ends_on = None
    for event in in_order([*events, new]):
        if status is AgreementStatus.ACTIVE and ends_on and event.effective_at.date() > ends_on:
            status = AgreementStatus.EXPIRED
        is_past = (event.effective_at, event.seq) < (new.effective_at, new.seq)
        if event.move not in _MOVES[status] and not is_past:
            stands = "is not known" if status is None else f"is {status}"
            then = "" if event is new else f" when it is to be {event.move}, as is planned"
            legal = ", ".join(sorted(_MOVES[status]))
            msg = f"agreement {new.agreement} {stands}{then}: it can be {legal}"
            raise IllegalMoveError(msg)
        status, ends_on = _STANDS[event.move], event.terms.ends_on


def move_to(before: Agreement | None, wanted: Agreement) -> AgreementMove:
    """Name the move that brings an agreement to where a file of the directory says it stands."""
    if wanted.status is not AgreementStatus.ACTIVE:
        return AgreementMove(wanted.status)
    match before.status if before else None:
        case None | AgreementStatus.PROPOSED:
            return AgreementMove.SIGNED
        case AgreementStatus.SUSPENDED | AgreementStatus.WITHDRAWN:
            return AgreementMove.REINSTATED
        case AgreementStatus.EXPIRED:
            return AgreementMove.RENEWED
        case AgreementStatus.ACTIVE:
            is_wider = change_of(before, wanted.terms) is AgreementChange.WIDENED
            return AgreementMove.WIDENED if is_wider else AgreementMove.RENEWED
        case unreachable:
            assert_never(unreachable)


def change_of(before: Agreement | None, terms: Terms) -> AgreementChange:
    """Say what signing these terms would change.

    New: there is nothing signed before, or it was withdrawn. Widened: another kind, or a
    purpose or class of data more. Renewal: no more than what is or was in force.
    """
    if before is None or before.status in _NOT_IN_FORCE:
        return AgreementChange.NEW
    is_wider = (
        terms.kind is not before.terms.kind
        or not terms.purposes <= before.terms.purposes
        or not _within(terms.data_classes, before.terms.data_classes)
        or terms.processor != before.terms.processor
    )
    return AgreementChange.WIDENED if is_wider else AgreementChange.RENEWAL


_NOT_IN_FORCE = frozenset({AgreementStatus.PROPOSED, AgreementStatus.WITHDRAWN})


def _within(classes: frozenset[str], bounds: frozenset[str]) -> bool:
    """Whether classes of data are all within others; none named means all of them."""
    return not bounds or (bool(classes) and classes <= bounds)
