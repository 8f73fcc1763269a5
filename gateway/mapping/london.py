"""Days and times as a letter writes them, by the clock in London.

What enters: a UTC instant, or a day. What leaves: a text, a day, or an instant.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_LONDON = ZoneInfo("Europe/London")
_MONTHS = (
    "January February March April May June July August September October November December".split()
)


def end_of_day(day: date) -> datetime:
    """Return the last instant of a day in London."""
    return datetime.combine(day, time.max, _LONDON).astimezone(UTC)


def day_of(at: datetime) -> date:
    """Return the day that an instant belongs to in London."""
    return at.astimezone(_LONDON).date()


def say_day(day: date) -> str:
    """Write a day as a letter does: 1 December 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def say_time(at: datetime) -> str:
    """Write an instant as a letter does: 1 December 2026 at 09:00, by the clock in London."""
    here = at.astimezone(_LONDON)
    return f"{say_day(here.date())} at {here:%H:%M}"
