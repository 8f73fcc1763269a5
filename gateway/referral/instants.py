"""Instants as people give them, and days by the clock in London, where the practices are.

What enters: ISO 8601 text, an instant, or a day. What leaves: an aware UTC datetime, or a day. A
day alone is its beginning in London; a time without an offset is refused, since twice a year
nobody could tell what it means.
"""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_LONDON = ZoneInfo("Europe/London")
_WANTED = "write a day (2026-11-30), or a time with its offset (2026-11-30T08:00:00+00:00)"


def read_instant(text: str) -> datetime:
    """Read an instant.

    Raises:
        ValueError: it is neither a day nor a time with its offset.
    """
    try:
        return datetime.combine(date.fromisoformat(text), time(), _LONDON).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_WANTED) from None
    if moment.tzinfo is None:
        raise ValueError(_WANTED)
    return in_utc


def in_london(at: datetime) -> datetime:
    """Return an instant by the clock in London."""
    return at.astimezone(_LONDON)


def day_of(at: datetime) -> date:
    """Return the day that an instant belongs to in London."""
    return in_london(at).date()


def end_of_day(day: date) -> datetime:
    """Return the last instant of a day in London."""
    return datetime.combine(day, time.max, _LONDON).astimezone(UTC)
