"""A practice sets its switches, and reads how they stand.

What enters: a practice's word on one switch. What leaves: an event with its ledger entry and,
where the ICB is to be told, the draft of a notice, all in one transaction; or that it stands so
already. Must never: let through more from a time that is past, or leave standing under a freeze
what was to be signed then. Deliveries read the switches at
their release, so nothing more is to be done for a change to count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.consent.agreements import RESTRICTS
from gateway.consent.switches import can_stand, course, in_order, permits_more, positions_at
from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.journey.gateway import Gateway
from gateway.journey.notices import draft_notices
from gateway.journey.sharing import (
    Word,
    enter,
    moment_of,
    once_more,
    present,
    record_switch,
    refuse_past,
    require_practice,
)
from gateway.journey.withdraw import acknowledge
from gateway.referral.directory import Practice, Switch, SwitchValue
from gateway.referral.identifiers import OdsCode
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementEvent, Moment, SwitchEvent
from gateway.referral.withdrawals import Acknowledged
from gateway.store import sharing
from gateway.store.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchWish:
    """Where a switch is to stand, and from when. `effective_at` None: at once."""

    switch: Switch
    value: SwitchValue
    effective_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStanding:
    """How one switch stands. `event` None: nobody has set it. `planned` takes effect later."""

    switch: Switch
    event: SwitchEvent | None
    planned: tuple[SwitchEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchSet:
    """What a word on a switch came to. `event` None: it stood so already, nothing was written.

    `taken_back` are the events that took back, with a freeze, what was to be signed under it.
    `note` says what is planned all the same, and how to cancel it. `withdrawn`: what no longer
    leaves by it, and what had left.
    """

    event: SwitchEvent | None
    standing: SwitchStanding
    taken_back: tuple[AgreementEvent, ...] = ()
    note: str | None = None
    withdrawn: tuple[Acknowledged, ...] = ()

    @property
    def written(self) -> list[AgreementEvent | SwitchEvent]:
        """The events that may call for a notice: an agreement that goes on calls for none."""
        ended = [event for event in self.taken_back if event.move in RESTRICTS]
        return [self.event, *ended] if self.event else []


def set_switch(
    practice: OdsCode, wish: SwitchWish, word: Word, gateway: Gateway
) -> tuple[SwitchSet, tuple[Notice, ...]]:
    """Set one switch of a practice.

    --- one transaction ---
    1. Lock the practice; read the events on the switch.
    2. Say so where it stands that way already; refuse more from a time that is past.
    3. Write the event and its entry; a freeze takes back what is to be signed under it.
    4. Draft the notices that are due.
    --- end ---
    5. Wait until nothing that it covers can leave any more; recall what had left.

    Raises:
        InvalidMessageError: the switch has no such position.
        NotFoundError: the directory has no such practice.
        IllegalMoveError: it would permit more from a time that is past.
        MovedMeanwhileError: somebody else changed the same at that moment, twice.
    """

    def act() -> tuple[SwitchSet, tuple[Notice, ...]]:
        with gateway.store.transaction(gateway.clock()) as tx:
            here = enter(tx, practice)
            done = change_switch(tx, gateway, here, wish, word)
            return done, draft_notices(tx, gateway, here, done.written, actor=word.actor)

    done, drafted = once_more(act)
    recorded_at = done.event.recorded_at if done.event else None
    withdrawn = acknowledge(gateway, practice=practice, at=recorded_at)
    return replace(done, withdrawn=withdrawn), drafted


def change_switch(
    tx: Transaction, gateway: Gateway, practice: Practice, wish: SwitchWish, word: Word
) -> SwitchSet:
    """Set one switch inside a transaction that has entered the practice; draft no notice.

    Raises:
        InvalidMessageError, IllegalMoveError: as `set_switch`.
    """
    _require_position(wish)
    earlier = _on_one(sharing.switch_events(tx, practice.ods), wish.switch)
    now = present(earlier, tx.at)
    then = moment_of(wish.effective_at, now)
    event = SwitchEvent(
        practice=practice.ods,
        switch=wish.switch,
        seq=sharing.next_seq(earlier),
        value=wish.value,
        effective_at=then.at,
        recorded_at=now.at,
        actor=word.actor,
        origin=word.origin,
        reason=word.reason,
    )
    if course([*earlier, event]) == course(earlier):
        standing = _standing(wish.switch, earlier, now)
        return SwitchSet(event=None, standing=standing, note=_note(earlier, event))
    stood = [positions_at(earlier, moment).get(wish.switch) for moment in (then, now)]
    if any(permits_more(each.value if each else None, wish.value) for each in stood):
        refuse_past(event.effective_at, now)
    taken_back = record_switch(tx, gateway, event)
    standing = _standing(wish.switch, [*earlier, event], now)
    return SwitchSet(event=event, standing=standing, taken_back=taken_back)


def switches_of(practice: OdsCode, gateway: Gateway) -> list[SwitchStanding]:
    """List how each switch of a practice stands.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    at = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        require_practice(view, practice, at)
        events = sharing.switch_events(view, practice)
    return [
        _standing(switch, of_one, present(of_one, at))
        for switch in Switch
        for of_one in [_on_one(events, switch)]
    ]


def switch_history(
    practice: OdsCode, gateway: Gateway, *, switch: Switch | None = None
) -> list[SwitchEvent]:
    """List every event on a practice's switches, or on one, as they were recorded.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        require_practice(view, practice, gateway.clock())
        events = sharing.switch_events(view, practice)
    wanted = [event for event in events if switch in (None, event.switch)]
    return sorted(wanted, key=lambda event: (event.recorded_at, event.switch, event.seq))


def _require_position(wish: SwitchWish) -> None:
    if not can_stand(wish.switch, wish.value):
        text = f"{wish.switch} is on or off: only secondary_sharing has a third position"
        raise InvalidMessageError(
            Fault(code=IssueCode.CODE_INVALID, expression="value", diagnostics=text)
        )


def _note(earlier: Sequence[SwitchEvent], wanted: SwitchEvent) -> str | None:
    """Say what is planned after the time at which a switch stands as wanted already."""
    steps = [step for step in course(earlier) if step[0] > wanted.effective_at]
    if not steps:
        return None
    (at, value), *_ = steps
    return (
        f"it is to be {value} from {at.isoformat()}, as is planned; to cancel that, set it to"
        f" {wanted.value} from that same time"
    )


def _on_one(events: Sequence[SwitchEvent], switch: Switch) -> list[SwitchEvent]:
    return sorted((e for e in events if e.switch is switch), key=lambda event: event.seq)


def _standing(switch: Switch, events: Sequence[SwitchEvent], now: Moment) -> SwitchStanding:
    return SwitchStanding(
        switch=switch,
        event=positions_at(events, now).get(switch),
        planned=tuple(event for event in in_order(events) if event.effective_at > now.at),
    )
