"""Days and times as a letter writes them, by the clock in London.

What enters: a UTC instant, or a day. What leaves: a text.
"""

from datetime import date, datetime

from gateway.referral.instants import in_london

_MONTHS = (
    "January February March April May June July August September October November December".split()
)


def say_day(day: date) -> str:
    """Write a day as a letter does: 1 December 2026."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def say_time(at: datetime) -> str:
    """Write an instant as a letter does: 1 December 2026 at 09:00, by the clock in London."""
    here = in_london(at)
    return f"{say_day(here.date())} at {here:%H:%M}"
