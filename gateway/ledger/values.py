"""What one value of an entry may look like, and what may never get in.

What enters: one value, or a whole body. What leaves: its JSON form, or a refusal. An entry
holds identifiers of things, codes from closed lists, hashes, counts and times; every
pattern here is too narrow for free text, and none has room for an NHS number. Not checked:
that a code is one which the gateway knows. A single word such as a surname fits the pattern
of a code, so codes must come from lists in the program, never from a message.

No message quotes the value that it refuses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, get_args

from gateway.ledger.canonical import Json

MAX_INTEGER = 999_999_999
"""Nine digits: no integer of an entry can be an NHS number, which has ten."""

MAX_CODES = 64
"""Codes in one list."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How one value is checked and written, and how it is read back.

    Both functions raise ValueError for a value that does not fit.
    """

    write: Callable[[object], Json]
    read: Callable[[Json], object]


def _same(value: Json) -> object:
    return value


def _text(pattern: str, what: str) -> Rule:
    """Make the rule for a string that matches the whole pattern."""
    fits = re.compile(pattern, re.ASCII).fullmatch

    def write(value: object) -> Json:
        if isinstance(value, str) and fits(value):
            return value
        message = f"is not {what}"
        raise ValueError(message)

    return Rule(write, _same)


def _integer(low: int, high: int) -> Rule:
    """Make the rule for an integer from low to high, both included."""

    def write(value: object) -> Json:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        message = f"is not an integer from {low} to {high}"
        raise ValueError(message)

    return Rule(write, _same)


def _list_of(rule: Rule) -> Rule:
    """Make the rule for at most MAX_CODES values in a tuple, each under the given rule."""

    def write(value: object) -> Json:
        if isinstance(value, tuple) and len(value) <= MAX_CODES:
            return [rule.write(item) for item in value]
        message = f"is not a tuple of at most {MAX_CODES} values"
        raise ValueError(message)

    def read(value: Json) -> object:
        return tuple(value) if isinstance(value, list) else value

    return Rule(write, read)


def one_of(closed_list: type[StrEnum]) -> Rule:
    """Make the rule for one member of a closed list."""
    members = {member.value: member for member in closed_list}

    def write(value: object) -> Json:
        if isinstance(value, closed_list):
            return value.value
        message = f"is not a {closed_list.__name__}"
        raise ValueError(message)

    def read(value: Json) -> object:
        return members.get(value) if isinstance(value, str) else None

    return Rule(write, read)


def _write_boolean(value: object) -> Json:
    if isinstance(value, bool):
        return value
    message = "is not true or false"
    raise ValueError(message)


_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)


def write_instant(value: object) -> str:
    """Write an aware UTC datetime as RFC 3339 with six decimals and Z.

    Raises:
        ValueError: not a datetime, or not in UTC.
    """
    if isinstance(value, datetime) and value.utcoffset() == timedelta(0):
        return value.isoformat(timespec="microseconds")[:-6] + "Z"
    message = "is not an aware datetime in UTC"
    raise ValueError(message)


def read_instant(value: Json) -> datetime:
    """Read what `write_instant` wrote.

    Raises:
        ValueError: any other spelling of a time, or no such time.
    """
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value)
    message = "is not a UTC time with six decimals"
    raise ValueError(message)


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _write_day(value: object) -> Json:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    message = "is not a date"
    raise ValueError(message)


def _read_day(value: Json) -> object:
    return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None


def say_instant(at: datetime) -> str:
    """Write a time for people: to the minute, in UTC. No entry holds this form."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SHA256 = "[0-9a-f]{64}"
_FEW_DIGITS = "(?!(?:[^0-9]*[0-9]){10})"
_CODE = _FEW_DIGITS + "[A-Za-z0-9_.:|/-]{1,64}"
_NAME = f"{_UUID}|{_SHA256}|{_CODE}"

Ods = Annotated[str, _text("(?![0-9]{10})[A-Z0-9]{3,10}", "an ODS code")]
"""Three to ten capitals or digits, not ten digits."""
Handle = Annotated[str, _text("[0-9a-f]{32}", "a handle of 32 hexadecimal digits")]
"""The random name of one person at one practice."""
Uuid = Annotated[str, _text(_UUID, "a UUID in lower case")]
Sha256 = Annotated[str, _text(_SHA256, "a SHA-256 of 64 hexadecimal digits")]
Code = Annotated[str, _text(_CODE, "a code with at most nine digits")]
"""A word of a closed list, at most 64 characters, at most nine of them digits."""
Name = Annotated[str, _text(_NAME, "a code, a UUID or a SHA-256")]
"""The name of a client, role, service or policy in this gateway, never of a person."""
Names = Annotated[tuple[str, ...], _list_of(_text(_NAME, "a code, a UUID or a SHA-256"))]
Codes = Annotated[tuple[str, ...], _list_of(_text(_CODE, "a code with at most nine digits"))]
Scopes = Annotated[
    tuple[str, ...],
    _list_of(_text(_FEW_DIGITS + "[A-Za-z0-9_.:/*-]{1,64}", "a scope")),
]
LISTS = tuple(get_args(each)[1] for each in (Codes, Names, Scopes))
"""The rules of lists, which alone can make an entry long."""
Instant = Annotated[datetime, Rule(write_instant, read_instant)]
"""An aware UTC datetime, exact to the microsecond."""
Day = Annotated[date, Rule(_write_day, _read_day)]
"""A day of the calendar, in no time zone."""
Count = Annotated[int, _integer(0, MAX_INTEGER)]
HttpStatus = Annotated[int, _integer(100, 599)]
Truth = Annotated[bool, Rule(_write_boolean, _same)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """How often the sharing of a practice, with a recipient, of a subject has been changed.

    None: the line does not concern that one.
    """

    practice: int | None = None
    recipient: int | None = None
    subject: int | None = None


def _write_epochs(value: object) -> Json:
    if isinstance(value, Epochs):
        number = get_args(Count)[1]
        counts = {name: getattr(value, name) for name in _GATES}
        return {name: None if n is None else number.write(n) for name, n in counts.items()}
    message = "is not Epochs"
    raise ValueError(message)


def _read_epochs(value: Json) -> object:
    if isinstance(value, dict) and value.keys() == set(_GATES):
        return Epochs(**value)
    return None


_GATES = ("practice", "recipient", "subject")

Fence = Annotated[Epochs, Rule(_write_epochs, _read_epochs)]

_PLAIN = bytes(code for code in range(0x21, 0x7F) if code != ord("\\"))
"""Visible ASCII without the backslash: no space, so no sentence; no escape, so no disguise."""

_TEN_DIGITS = re.compile(
    rb"[0-9](?<![0-9A-Za-z].)[0-9]{2}[-_.:|/]?[0-9]{3}[-_.:|/]?[0-9]{4}(?![0-9A-Za-z])"
)
"""The first digit comes before the look behind it, so that the search skips to it."""


def refuse_identifiers(body: bytes) -> None:
    """Refuse a body that holds free text or an NHS number; the last guard before the hash.

    A number is found where it stands alone, in one piece or grouped 3-3-4. Not found: a
    number inside a longer word or hash; the rules of the single values keep those out.

    Raises:
        ValueError: the body may not be written.
    """
    if body.translate(None, _PLAIN):
        message = "an entry may not hold a space, a backslash or a character outside ASCII"
        raise ValueError(message)
    for found in _TEN_DIGITS.finditer(body):
        if _is_nhs_number([int(c) for c in found.group().decode() if c.isdigit()]):
            message = "an entry may not hold an NHS number"
            raise ValueError(message)


def _is_nhs_number(digits: list[int]) -> bool:
    """Check ten digits by modulus 11. Source: NHS Data Dictionary, NHS NUMBER."""
    weighted = sum(digit * weight for digit, weight in zip(digits, range(10, 0, -1), strict=True))
    return weighted % 11 == 0
