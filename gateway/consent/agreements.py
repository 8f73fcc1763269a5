"""Agreements from their events: where one stands, what may happen next, what signing changes.

What enters: the events of one agreement. What leaves: the Agreement as of a moment, or a
refusal of the next event, or the facts on which its signing is decided. Events count in the
order in which they take effect; of two that take effect at the same instant the one recorded
later counts after. A withdrawal takes back all that was recorded before it to take effect
after it, and a suspension whatever of that would permit: neither an old plan nor a clock that
was set back undoes it. Must never: read an agreement as in force because a later event is not
understood; there is no such event.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, assert_never

from gateway.consent.facts import Action, AgreementChange, Facts, OnOff, Source
from gateway.errors import IllegalMoveError
from gateway.referral.directory import Agreement, AgreementStatus, Purpose, SwitchValue, Terms
from gateway.referral.identifiers import OdsCode
from gateway.referral.instants import day_of
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment, SwitchEvent

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
        {
            AgreementMove.SIGNED,
            AgreementMove.REINSTATED,
            AgreementMove.WITHDRAWN,
            AgreementMove.EXPIRED,
        }
    ),
    AgreementStatus.WITHDRAWN: frozenset({AgreementMove.REINSTATED, AgreementMove.SIGNED}),
    AgreementStatus.EXPIRED: frozenset(
        {AgreementMove.RENEWED, AgreementMove.SIGNED, AgreementMove.WITHDRAWN}
    ),
}
"""What may happen to an agreement that stands so. None: there is none yet."""

_BRINGS_INTO_FORCE = frozenset(
    {AgreementMove.SIGNED, AgreementMove.WIDENED, AgreementMove.RENEWED, AgreementMove.REINSTATED}
)
_SIGNS_UP = frozenset({AgreementMove.SIGNED, AgreementMove.WIDENED})
RESTRICTS = frozenset({AgreementMove.SUSPENDED, AgreementMove.WITHDRAWN, AgreementMove.EXPIRED})
"""The moves after which nothing may be shared: they may count from a time that is past."""

Course: TypeAlias = list[tuple[datetime, AgreementStatus, OdsCode, Terms]]
"""From when an agreement stands how, with whom and under which terms."""


def in_order(events: Iterable[AgreementEvent]) -> list[AgreementEvent]:
    """Sort the events that count as they take effect; those that were taken back do not."""
    every = sorted(events, key=lambda event: (event.effective_at, event.seq))
    return [event for event in every if not any(_takes_back(later, event) for later in every)]


def _takes_back(later: AgreementEvent, event: AgreementEvent) -> bool:
    """Whether a restriction was recorded after an event, and takes effect before it."""
    if later.seq <= event.seq or later.effective_at >= event.effective_at:
        return False
    if later.move is AgreementMove.WITHDRAWN:
        return True
    return later.move in RESTRICTS and event.move not in RESTRICTS


def course(events: Iterable[AgreementEvent]) -> Course:
    """Say how an agreement stands over time, as far as that is known; no step says the same twice.

    The last day of its terms is not counted: nobody records it.
    """
    steps: Course = []
    for event in in_order(events):
        step = (event.effective_at, _STANDS[event.move], event.counterparty, event.terms)
        if steps and steps[-1][0] == step[0]:
            steps.pop()
        if not steps or steps[-1][1:] != step[1:]:
            steps.append(step)
    return steps


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
    is_over = counts_last_day and ends_on is not None and day_of(moment.at) > ends_on
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
        if status is AgreementStatus.ACTIVE and ends_on and day_of(event.effective_at) > ends_on:
            status = AgreementStatus.EXPIRED
        is_past = (event.effective_at, event.seq) < (new.effective_at, new.seq)
        if event.move not in _MOVES[status] and not is_past:
            stands = "is not known" if status is None else f"is {status}"
            then = "" if event is new else f" when it is to be {event.move}, as is planned"
            legal = ", ".join(sorted(_MOVES[status]))
            msg = f"agreement {new.agreement} {stands}{then}: it can be {legal}"
            raise IllegalMoveError(msg)
        status, ends_on = _STANDS[event.move], event.terms.ends_on


def goes_on(events: Iterable[AgreementEvent], new: AgreementEvent) -> bool:
    """Whether an agreement that is in force up to an event is so after it, on the same terms."""
    steps = [step for step in course(events) if step[0] < new.effective_at]
    stands = (_STANDS[new.move], new.counterparty, new.terms)
    return stands[0] is AgreementStatus.ACTIVE and bool(steps) and steps[-1][1:] == stands


def was_in_force(events: Iterable[AgreementEvent], terms: Terms, by: datetime) -> bool:
    """Whether an agreement came into force by an instant, on terms as wide as these.

    It did not where it was known beforehand that it ends at the instant at which it begins.
    """
    ordered = in_order(events)
    return any(
        event.move in _BRINGS_INTO_FORCE
        and event.effective_at <= by
        and not _is_wider(event.terms, terms)
        and not any(e.recorded_at < e.effective_at for e in _ends_at_once(ordered, place))
        for place, event in enumerate(ordered)
    )


def _ends_at_once(ordered: Sequence[AgreementEvent], place: int) -> list[AgreementEvent]:
    """List what restricts at the very instant of an event, after it."""
    at = ordered[place].effective_at
    return [e for e in ordered[place + 1 :] if e.effective_at == at and e.move in RESTRICTS]


def signed_under(
    events: Iterable[AgreementEvent], freeze_at: datetime, now: datetime
) -> tuple[AgreementEvent, Agreement | None] | None:
    """Find the first planned event that signs up while a freeze lasts, and how it stood before.

    Also one that takes up again what was to be signed only then. None: there is none, or what
    it brings is ended at the same instant.
    """
    ordered = in_order(events)
    for place, event in enumerate(ordered):
        at, earlier = event.effective_at, ordered[:place]
        if at <= now or at < freeze_at or event.move not in _BRINGS_INTO_FORCE:
            continue
        if _ends_at_once(ordered, place):
            continue
        if event.move in _SIGNS_UP or not was_in_force(earlier, event.terms, at):
            return event, agreement_at(earlier, Moment(at=at))
    return None


def moves_back(before: Agreement | None) -> tuple[AgreementMove, ...]:
    """Name the moves that, at the instant of a signing, leave an agreement as it stood before.

    The first takes back what was planned to permit more after it. One that was not in force
    is withdrawn: nobody has to remember that it was ever to be signed.
    """
    match before.status if before else None:
        case AgreementStatus.ACTIVE:
            return AgreementMove.SUSPENDED, AgreementMove.REINSTATED
        case AgreementStatus.SUSPENDED:
            return (AgreementMove.SUSPENDED,)
        case _:
            return (AgreementMove.WITHDRAWN,)


def move_to(before: Agreement | None, wanted: Agreement) -> AgreementMove:
    """Name the move that brings an agreement to where a file of the directory says it stands."""
    if wanted.status is not AgreementStatus.ACTIVE:
        return AgreementMove(wanted.status)
    match before.status if before else None:
        case None | AgreementStatus.PROPOSED:
            return AgreementMove.SIGNED
        case AgreementStatus.SUSPENDED | AgreementStatus.WITHDRAWN:
            is_wider = before is not None and _is_wider(before.terms, wanted.terms)
            return AgreementMove.SIGNED if is_wider else AgreementMove.REINSTATED
        case AgreementStatus.EXPIRED | AgreementStatus.ACTIVE:
            return move_by_signing(before, wanted.terms)
        case unreachable:
            assert_never(unreachable)


def move_by_signing(before: Agreement | None, terms: Terms) -> AgreementMove:
    """Name the move that signing these terms is."""
    change = change_of(before, terms)
    match before.status if before else None:
        case AgreementStatus.ACTIVE:
            is_wider = change is AgreementChange.WIDENED
            return AgreementMove.WIDENED if is_wider else AgreementMove.RENEWED
        case AgreementStatus.EXPIRED if change is AgreementChange.RENEWAL:
            return AgreementMove.RENEWED
        case _:
            return AgreementMove.SIGNED


def change_of(before: Agreement | None, terms: Terms) -> AgreementChange:
    """Say what signing these terms would change.

    New: there is nothing signed before, or it was withdrawn. Widened: another kind, or a
    purpose or class of data more. Renewal: no more than what is or was in force.
    """
    if before is None or before.status in _NOT_IN_FORCE:
        return AgreementChange.NEW
    is_wider = _is_wider(before.terms, terms)
    return AgreementChange.WIDENED if is_wider else AgreementChange.RENEWAL


def _is_wider(before: Terms, terms: Terms) -> bool:
    return (
        terms.kind is not before.kind
        or not terms.purposes <= before.purposes
        or not _within(terms.data_classes, before.data_classes)
        or terms.processor != before.processor
    )


_NOT_IN_FORCE = frozenset({AgreementStatus.PROPOSED, AgreementStatus.WITHDRAWN})


def _within(classes: frozenset[str], bounds: frozenset[str]) -> bool:
    """Whether classes of data are all within others; none named means all of them."""
    return not bounds or (bool(classes) and classes <= bounds)


def facts_of_signing(
    *, change: AgreementChange, terms: Terms, freeze: SwitchEvent | None, at: datetime
) -> Facts:
    """Gather the facts on which an agreement may come into force at an instant.

    `freeze` is the event that set the switch new_agreements as it stands then; None: unknown.
    """
    frozen = {SwitchValue.ON: OnOff.OFF, SwitchValue.OFF: OnOff.ON}
    version = f"{freeze.switch}/{freeze.seq}" if freeze else None
    return Facts(
        action=Action.ACTIVATE_AGREEMENT,
        purpose=Purpose.PRACTICE_ADMIN,
        sw_freeze=frozen.get(freeze.value) if freeze else None,
        agr_change=change,
        dpia=terms.dpia_ref is not None,
        sources=(
            Source(name="switches", version=version, as_of=at, facts=("sw_freeze",)),
            Source(name="agreements", version=None, as_of=at, facts=("agr_change", "dpia")),
        ),
    )
