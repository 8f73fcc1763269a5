"""Instants as people give them on a command line, in a file or in a request.

What enters: ISO 8601 text. What leaves: an aware UTC datetime. A day alone is its beginning in
London, where the practices are; a time without an offset is refused, since twice a year nobody
could tell what it means.
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
