"""Switches from their events: where each stands at a moment.

What enters: the switch events of one practice. What leaves: the newest that is in effect, for
each switch. One that nobody has set is not there: it is unknown, not on.
"""

from collections.abc import Iterable, Mapping

from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.sharing import Moment, SwitchEvent

_TAKES: Mapping[Switch, frozenset[SwitchValue]] = {
    switch: frozenset({SwitchValue.ON, SwitchValue.OFF}) for switch in Switch
} | {Switch.SECONDARY_SHARING: frozenset(SwitchValue)}
"""Only secondary sharing has a third position."""


def positions_at(events: Iterable[SwitchEvent], moment: Moment) -> dict[Switch, SwitchEvent]:
    """Return the event that set each switch as it stands at a moment."""
    seen = (e for e in events if moment.sees(e.effective_at, e.recorded_at))
    return {e.switch: e for e in sorted(seen, key=lambda e: (e.effective_at, e.seq))}


def can_stand(switch: Switch, value: SwitchValue) -> bool:
    """Whether a switch has such a position."""
    return value in _TAKES[switch]
