"""Search parameters and result pages, for every route that searches.

What enters: the query string. What leaves: values, or a refusal that names the parameter and
never repeats the value. A parameter that is not known is refused: it might have narrowed the
result.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.service_request import searchset
from gateway.inbound.house import house
from gateway.inbound.media import SHAPING, is_only_counted
from gateway.referral.identifiers import (
    NHS_NUMBER_SYSTEM,
    NhsNumber,
    ReferralId,
    normal_system,
)
from gateway.referral.json import JsonObject
from gateway.referral.model import ANY_SYSTEM, Identifier

MAX_PAGE = 200
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2999, 1, 1, tzinfo=UTC)
_UNLINKED = frozenset({"_after"})
_T = TypeVar("_T")


def own_id(text: str) -> ReferralId:
    """Read the id of a path; what is no UUID names nothing here."""
    try:
        return ReferralId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def parameters(known: frozenset[str]) -> Mapping[str, list[str]]:
    """Take the query apart; refuse what is not known, which might have narrowed the result.

    What shapes an answer (`media.SHAPING`) is known to every search, and goes into its links.
    """
    given = flask.request.args
    known |= SHAPING
    strange = [name for name in given if name not in known]
    if strange:
        raise ParameterError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics=f"Only these parameters are supported here: {', '.join(sorted(known))}.",
            )
        )
    empty = [name for name in given if not all(given.getlist(name))]
    if empty:
        raise malformed(empty[0], "left out, or given with a value")
    return {name: given.getlist(name) for name in given}


_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<moment>[0-9]{4}(?P<month>-[0-9]{2}(?P<day>-[0-9]{2}"
    r"(?P<time>T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+ -][0-9]{2}:[0-9]{2}))?)?)?)"
)
_AS = {"sa": "gt", "eb": "lt"}
"""Starts after, ends before: for an instant, which has no length, the same as gt and lt."""
_WITHOUT_ORDER = frozenset({"ne", "ap"})
_PREFIXES = frozenset({"eq", "ge", "gt", "le", "lt"})
_NO_SUCH_PREFIX = (
    "The prefixes ne and ap of {} are not supported here. Give the ends of the period with ge"
    " and lt."
)


def period(
    given: Mapping[str, list[str]], name: str = "_lastUpdated"
) -> tuple[datetime | None, datetime | None]:
    """Read dates and times as a half-open period; given more than once, all of them hold."""
    since: datetime | None = None
    before: datetime | None = None
    for text in given.get(name, []):
        found = _DATE.fullmatch(text)
        prefix = (found and found["prefix"]) or "eq"
        prefix = _AS.get(prefix, prefix)
        if prefix in _WITHOUT_ORDER:
            diagnostics = _NO_SUCH_PREFIX.format(name)
            raise ParameterError(Fault(code=IssueCode.NOT_SUPPORTED, diagnostics=diagnostics))
        if found is None or prefix not in _PREFIXES:
            wanted = "a date or time such as ge2026-01-31 or gt2026-01-31T09:00:00Z"
            raise malformed(name, wanted)
        start, end = _moments(found, name)
        if prefix in ("ge", "gt", "eq"):
            since = max(since or _EARLIEST, end if prefix == "gt" else start)
        if prefix in ("le", "lt", "eq"):
            before = min(before or _LATEST, start if prefix == "lt" else end)
    return since, before


def _moments(found: re.Match[str], name: str) -> tuple[datetime, datetime]:
    """Return the first instant of a date or time, and the first one after it."""
    text = found["moment"].replace(" ", "+")  # an unescaped + arrives as a blank
    whole = text + ("" if found["day"] else "-01" if found["month"] else "-01-01")
    moment = read(name, "a real date", lambda: instant_of(whole))
    if found["day"]:
        return moment, moment + (timedelta(microseconds=1) if found["time"] else timedelta(days=1))
    month = moment.month % 12 + 1 if found["month"] else 1
    return moment, moment.replace(year=moment.year + (month == 1), month=month)


def instant_of(text: str) -> datetime:
    """Read a time with its offset, or the start of a day in UTC, if it is one we can count from.

    Raises:
        ValueError: it is no time, or too near to the ends of the calendar.
    """
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment <= _LATEST:
        msg = "out of range"
        raise ValueError(msg)
    return moment.astimezone(UTC)


def count(given: Mapping[str, list[str]]) -> int:
    """Read `_count`: how many to a page, capped."""
    text = single(given, "_count")
    if not text:
        return 50
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise malformed("_count", f"a number from 1 to {MAX_PAGE}")
    return min(int(text), MAX_PAGE)


def after(given: Mapping[str, list[str]]) -> tuple[datetime, str] | None:
    """Read `_after`: the place where the page before ended."""
    text = single(given, "_after")
    if not text:
        return None
    try:
        moment, _, row = base64.urlsafe_b64decode(text).decode("ascii").partition("|")
        return instant_of(moment), ReferralId(row)
    except (binascii.Error, ValueError):
        raise malformed("_after", "the one of a next link") from None


def own_token(name: str, text: str) -> Identifier:
    """Read `system|value`, or a value alone; an NHS number alone is none of a referral's."""
    if "|" in text:
        found = token(name, text)
        if found.system != NHS_NUMBER_SYSTEM:
            return found
    elif not (re.fullmatch(r"[0-9]{10}", text) and NhsNumber(text).checks):
        return Identifier(ANY_SYSTEM, text)
    raise malformed(name, "a referral's identifier; a person is found by patient:identifier")


def token(name: str, text: str) -> Identifier:
    """Read `system|value`."""
    system, bar, value = text.partition("|")
    if not bar or not value:
        raise malformed(name, "system|value")
    return Identifier(normal_system(system), value)


def nhs_number(given: Mapping[str, list[str]]) -> NhsNumber | None:
    """Read the person of a search: an NHS number, in either spelling of the parameter."""
    name, text = one_spelling(given, "patient:identifier", "patient.identifier")
    if text is None:
        return None
    found = token(name, text)
    if found.system != NHS_NUMBER_SYSTEM:
        raise malformed(name, f"{NHS_NUMBER_SYSTEM}|number")
    return read(name, "an NHS number of ten digits", partial(NhsNumber, found.value))


def one_spelling(given: Mapping[str, list[str]], *names: str) -> tuple[str, str | None]:
    """Take a parameter that may be spelt in two ways and given in one of them."""
    present = [name for name in names if name in given] or [names[0]]
    if len(present) > 1:
        raise malformed(present[0], f"given once, not beside {present[1]}")
    return present[0], single(given, present[0])


def page_of(
    kind: str,
    found: Sequence[tuple[str, JsonObject]],
    total: int | None,
    given: Mapping[str, list[str]],
    place: tuple[datetime, str] | None,
) -> JsonObject:
    """Make the searchset. The next link carries the search by reference to its place only.

    A link repeats the parameters, except the NHS number of a search by patient: the caller
    puts the person's handle (`_subject`) into `given` instead.
    """
    base_url = house().base_url
    kept = {n: v for n, v in given.items() if not n.startswith("patient") and n not in _UNLINKED}
    self_url = f"{base_url}/{kind}" + (f"?{urlencode(kept, doseq=True)}" if kept else "")
    next_url = None
    if place is not None and not is_only_counted():
        mark = base64.urlsafe_b64encode(f"{place[0].isoformat()}|{place[1]}".encode()).decode()
        next_url = f"{base_url}/{kind}?{urlencode({**kept, '_after': mark}, doseq=True)}"
    return searchset(
        [(f"{base_url}/{kind}/{own}", resource) for own, resource in found],
        total=total,
        self_url=self_url,
        next_url=next_url,
    )


def single(given: Mapping[str, list[str]], name: str) -> str | None:
    """Return the value of a parameter that may be given once."""
    values = given.get(name, [])
    if len(values) > 1:
        raise malformed(name, "given once")
    return values[0] if values else None


def read(name: str, wanted: str, parse: Callable[[], _T]) -> _T:
    """Parse a value; on ValueError refuse the parameter, saying what is wanted."""
    try:
        return parse()
    except ValueError:
        raise malformed(name, wanted) from None


def malformed(name: str, wanted: str) -> ParameterError:
    """Refuse a parameter by name, saying what is wanted."""
    return ParameterError(
        Fault(code=IssueCode.VALUE, diagnostics=f"The parameter {name} is {wanted}.")
    )
