"""Switches from their events: where each stands at a moment.

What enters: the switch events of one practice. What leaves: the newest that is in effect, for
each switch. One that nobody has set is not there: it is unknown, not on. Events count in the
order in which they take effect, and in the order of recording where that is one instant. One
that restricts takes back what was recorded before it, takes effect after it, and would permit
more: neither an old plan nor a clock that was set back undoes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.sharing import Moment, SwitchEvent

_TAKES: Mapping[Switch, frozenset[SwitchValue]] = {
    switch: frozenset({SwitchValue.ON, SwitchValue.OFF}) for switch in Switch
} | {Switch.SECONDARY_SHARING: frozenset(SwitchValue)}
"""Only secondary sharing has a third position."""

_STRICTNESS: Mapping[SwitchValue | None, int] = {
    SwitchValue.ON: 0,
    None: 1,
    SwitchValue.EXCLUSIVE_WITHDRAWN: 1,
    SwitchValue.OFF: 2,
}
"""How much a position keeps back. What nobody has set holds, as exclusive-withdrawn does."""


def positions_at(events: Iterable[SwitchEvent], moment: Moment) -> dict[Switch, SwitchEvent]:
    """Return the event that set each switch as it stands at a moment."""
    seen: dict[Switch, list[SwitchEvent]] = {}
    for event in events:
        if moment.sees(event.effective_at, event.recorded_at):
            seen.setdefault(event.switch, []).append(event)
    return {switch: in_order(of_one)[-1] for switch, of_one in seen.items()}


def in_order(events: Sequence[SwitchEvent]) -> list[SwitchEvent]:
    """Sort the events on one switch as they take effect; those that were taken back do not count.

    Of some events there is always one that counts.
    """
    every = sorted(events, key=lambda event: (event.effective_at, event.seq))
    return [event for event in every if not any(_takes_back(later, event) for later in every)]


def _takes_back(later: SwitchEvent, event: SwitchEvent) -> bool:
    """Whether it was recorded after an event, takes effect before it, and permits less."""
    if later.seq <= event.seq or later.effective_at >= event.effective_at:
        return False
    return permits_more(later.value, event.value)


def permits_more(before: SwitchValue | None, value: SwitchValue) -> bool:
    """Whether a position lets through what the one before it, or an unknown one, kept back."""
    return _STRICTNESS[value] < _STRICTNESS[before]


def course(events: Sequence[SwitchEvent]) -> list[tuple[datetime, SwitchValue]]:
    """Say from when one switch stands how, as far as that is known; no step says the same twice."""
    steps: list[tuple[datetime, SwitchValue]] = []
    for event in in_order(events):
        if steps and steps[-1][0] == event.effective_at:
            steps.pop()
        if not steps or steps[-1][1] is not event.value:
            steps.append((event.effective_at, event.value))
    return steps


def can_stand(switch: Switch, value: SwitchValue) -> bool:
    """Whether a switch has such a position."""
    return value in _TAKES[switch]
