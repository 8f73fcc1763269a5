"""FHIR dateTime and Period against one instant, in three-valued logic.

What enters: text as sent, and an aware instant. What leaves: True, False, or None where the
text is unreadable or too coarse to tell. A date carries no offset; it is taken for a day of
the United Kingdom, which in summer begins and ends one hour before UTC's day.
Source: FHIR R4, datatypes, dateTime and Period.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from gateway.consent.kleene import both, negate
from gateway.referral.json import JsonObject, string

_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_UK_SUMMER = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=5)
"""By how much two clocks may differ."""

_YEAR, _MONTH, _DAY = len("2026"), len("2026-01"), len("2026-01-01")
_LONGEST = {_YEAR: timedelta(days=366), _MONTH: timedelta(days=31), _DAY: timedelta(days=1)}
_ALWAYS, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Where the calendar begins and ends: `9999-12-31` is how some systems write "for ever".

What lies beyond them in UTC counts as the end itself. Two instants are subtracted, which
never fails; moving one on may.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """The instants that a dateTime stands for, in UTC: from `first`, up to but not with `after`."""

    first: datetime
    after: datetime
    slack: timedelta


def is_within(period: JsonObject | None, at: datetime) -> bool | None:
    """Whether an instant lies in a Period; a bound that is absent does not bound."""
    if period is None:
        return True
    try:
        start, end = (_span(text) for text in (string(period, "start"), string(period, "end")))
    except ValueError:
        return None
    begun = True if start is None else _has_come(start.first, start.slack, at)
    ended = False if end is None else _has_come(end.after, end.slack, at)
    return both(begun, negate(ended))


def is_past(text: str | None, at: datetime) -> bool | None:
    """Whether a dateTime is there, readable and, but for clocks that differ, not to come."""
    try:
        span = _span(text)
    except ValueError:
        return False
    return False if span is None else _has_come(span.first, span.slack, at, CLOCK_SKEW)


def first_instant(text: str | None) -> datetime | None:
    """Return where a dateTime begins, as an aware UTC time; None: absent or unreadable.

    A year, a month or a day begins as UTC's does; what begins before the calendar, with it.
    """
    try:
        span = _span(text)
    except ValueError:
        return None
    return span.first if span else None


def is_after(one: str | None, other: str | None) -> bool | None:
    """Whether one dateTime is later than another; unknown where they overlap or cannot be read."""
    try:
        first, second = _span(one), _span(other)
    except ValueError:
        return None
    if first is None or second is None:
        return None
    if _is_before(second, first):
        return True
    return False if first == second or _is_before(first, second) else None


def _has_come(
    moment: datetime, slack: timedelta, at: datetime, skew: timedelta = timedelta()
) -> bool | None:
    ahead = moment - at
    if ahead <= skew:
        return True
    return None if ahead <= skew + slack else False


def _span(text: str | None) -> _Span | None:
    if text is None:
        return None
    if _TIME.fullmatch(text):
        # A fraction finer than microseconds is cut off.
        moment, slack = _in_utc(datetime.fromisoformat(text)), timedelta()
    elif _DATE.fullmatch(text):
        parts = (text + "-01-01")[:_DAY].split("-")
        year, month, day = (int(part) for part in parts)
        moment, slack = datetime(year, month, day, tzinfo=UTC), _UK_SUMMER
    else:
        msg = "a dateTime is a date, or a date and time with its offset"
        raise ValueError(msg)
    return _Span(first=moment, after=_following(moment, len(text)), slack=slack)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _ALWAYS if moment.year == _ALWAYS.year else _NEVER


def _following(first: datetime, length: int) -> datetime:
    """Return where the year, month, day or instant after this one begins."""
    try:
        later = first + _LONGEST.get(length, timedelta(microseconds=1))
    except OverflowError:
        return _NEVER
    if length == _YEAR:
        return later.replace(month=1, day=1)
    return later.replace(day=1) if length == _MONTH else later


_Bounds: TypeAlias = tuple[str | None, str | None]
"""The start and end of a time as written; None: no bound on that side."""


def is_apart(time: _Bounds, period: _Bounds) -> bool:
    """Whether a time certainly has no instant in common with a period."""
    try:
        (first, last), (start, end) = _ends(time), _ends(period)
    except ValueError:
        return False
    return _is_before(last, start) or _is_before(end, first)


def is_inside(time: _Bounds, period: _Bounds) -> bool:
    """Whether a time certainly lies in a period, all of it."""
    try:
        (first, last), (start, end) = _ends(time), _ends(period)
    except ValueError:
        return False
    begins = start is None or (
        first is not None and first.first - start.first >= _doubt(first, start)
    )
    ends = end is None or (last is not None and end.after - last.after >= _doubt(last, end))
    return begins and ends


def _ends(bounds: _Bounds) -> tuple[_Span | None, _Span | None]:
    return _span(bounds[0]), _span(bounds[1])


def _is_before(one: _Span | None, other: _Span | None) -> bool:
    """Whether a time that ends with one is over, for certain, when the other begins."""
    if one is None or other is None:
        return False
    return other.first - one.after >= _doubt(one, other)


def _doubt(one: _Span, other: _Span) -> timedelta:
    """Two days are counted alike; a day against an instant may be an hour out."""
    return max(one.slack, other.slack) if one.slack != other.slack else timedelta()
