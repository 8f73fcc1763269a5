"""A file that changes what many practices share: CSV, one change a line, checked whole first.

What enters: the bytes of the file. What leaves: its lines, or every fault of its form, each with
its line and how to mend it. Not checked here: what the directory and the events say. Must never:
quote a cell, since anything may stand in one.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeAlias, TypeVar

from gateway.consent.switches import can_stand
from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.practice_words import read_reason
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.instants import read_instant
from gateway.referral.sharing import AgreementMove

COLUMNS = ("practice", "what", "name", "value", "effective_at", "reason", "confirmed_by")
_MAY_LACK = frozenset({"effective_at", "reason", "confirmed_by"})
MOST_LINES = 50_000
"""Changes in one file. Our choice: seven for each practice of England, and no file by mistake."""

_MOVES: Mapping[str, AgreementMove] = {
    "withdraw": AgreementMove.WITHDRAWN,
    "suspend": AgreementMove.SUSPENDED,
    "reinstate": AgreementMove.REINSTATED,
}


_T = TypeVar("_T")
_Cell = TypeVar("_Cell")


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchTo:
    """Where a switch is to stand."""

    name: Switch
    value: SwitchValue


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTo:
    """What is to happen to an agreement."""

    name: AgreementId
    value: AgreementMove


Change: TypeAlias = SwitchTo | AgreementTo


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkLine:
    """One line: from when a practice's switch or agreement is to stand otherwise, and why.

    `confirmed_by` says on whose authority an agreement is renewed while sign-up is frozen.
    """

    number: int
    practice: OdsCode
    change: Change
    effective_at: datetime | None
    reason: str | None
    confirmed_by: str | None


def read_bulk_file(body: bytes) -> list[BulkLine]:
    """Read a whole file.

    Raises:
        InvalidMessageError: every fault of its form, each at its line; or that it is too long.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidMessageError(
            _fault(line, "the file is not UTF-8: save it as CSV in UTF-8")
        ) from None
    faults: list[Fault] = []
    lines = list(_lines(text, faults))
    faults += _contradictions(lines)
    if not faults and not lines:
        faults.append(_fault(1, "nothing follows the header, so there is nothing to apply"))
    if faults:
        raise InvalidMessageError(*faults)
    return lines


def _lines(text: str, faults: list[Fault]) -> Iterator[BulkLine]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: dict[str, int] | None = None
    count = 0
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = _header(cells, rows.line_num)
                continue
            count += 1
            if count > MOST_LINES:
                text = f"the file has more than {MOST_LINES:,} changes: apply it in parts"
                raise InvalidMessageError(_fault(rows.line_num, text))
            found = _line(header, cells, rows.line_num, faults)
            if found is not None:
                yield found
    except csv.Error:
        text = "this is not CSV: look for a quote that is not closed, or a cell that is too long"
        faults.append(_fault(rows.line_num, text))


def _header(cells: list[str], number: int) -> dict[str, int]:
    names = [cell.lower() for cell in cells]
    while not names[-1]:  # A spreadsheet writes empty columns at the end; here one is not empty.
        names.pop()
    required = set(COLUMNS) - _MAY_LACK
    if not required <= set(names) <= set(COLUMNS) or len(set(names)) < len(names):
        text = (
            f"the header is {','.join(COLUMNS)}, parted by commas; effective_at, reason and"
            " confirmed_by may be left out"
        )
        raise InvalidMessageError(_fault(number, text))
    return {name: place for place, name in enumerate(names)}


def _line(
    header: Mapping[str, int], cells: list[str], number: int, faults: list[Fault]
) -> BulkLine | None:
    if len(cells) < len(header) or any(cells[len(header) :]):
        text = (
            f"it has {len(cells)} cells and the header {len(header)}: put a cell that contains a"
            " comma in quotes"
        )
        faults.append(_fault(number, text))
        return None
    row = {name: cells[place] for name, place in header.items()}
    found: list[Fault] = []
    practice = _read(OdsCode, row["practice"], number, found)
    change = _read(_change, (row["what"], row["name"], row["value"]), number, found)
    at, why, who = row.get("effective_at"), row.get("reason"), row.get("confirmed_by")
    effective_at = _read(read_instant, at, number, found) if at else None
    reason = _read(partial(_words, "reason"), why, number, found) if why else None
    confirmed_by = _read(partial(_words, "confirmed_by"), who, number, found) if who else None
    if confirmed_by and isinstance(change, SwitchTo):
        found.append(_fault(number, "confirmed_by is for reinstating an agreement: leave it empty"))
    faults += found
    if practice is None or change is None or found:
        return None
    return BulkLine(
        number=number,
        practice=practice,
        change=change,
        effective_at=effective_at,
        reason=reason,
        confirmed_by=confirmed_by,
    )


def _read(read: Callable[[_Cell], _T], cell: _Cell, number: int, faults: list[Fault]) -> _T | None:
    try:
        return read(cell)
    except ValueError as error:
        faults.append(_fault(number, str(error)))
        return None


def _words(column: str, text: str) -> str:
    try:
        return read_reason(text)
    except ValueError as error:
        msg = f"the {column} {error}"
        raise ValueError(msg) from None


def _change(cells: tuple[str, str, str]) -> Change:
    """Read what is changed, and to what.

    Raises:
        ValueError: there is no such thing; the text lists those that there are.
    """
    what, name, value = cells[0].lower(), cells[1], cells[2].lower()
    if what == "agreement":
        if value not in _MOVES:
            msg = f"the value of an agreement is one of {', '.join(_MOVES)}"
            raise ValueError(msg)
        return AgreementTo(name=AgreementId(name), value=_MOVES[value])
    if what != "switch":
        msg = "what is switch or agreement"
        raise ValueError(msg)
    if name.lower() not in set(Switch):
        msg = f"the name of a switch is one of {', '.join(Switch)}"
        raise ValueError(msg)
    switch = Switch(name.lower())
    can = [each for each in SwitchValue if can_stand(switch, each)]
    if value not in can:
        msg = f"the value of {switch} is one of {', '.join(can)}"
        raise ValueError(msg)
    return SwitchTo(name=switch, value=SwitchValue(value))


def _contradictions(lines: Iterable[BulkLine]) -> Iterator[Fault]:
    """Find lines that say two things of the same practice, name and time."""
    first: dict[tuple[str, type[Change], str, datetime | None], BulkLine] = {}
    for line in lines:
        change = line.change
        name = (line.practice, type(change), change.name, line.effective_at)
        other = first.setdefault(name, line)
        if other.change.value != change.value:
            text = f"it contradicts line {other.number}: keep one of the two, or part their times"
            yield _fault(line.number, text)


def _fault(number: int, text: str) -> Fault:
    return Fault(code=IssueCode.VALUE, expression=f"line {number}", diagnostics=text)
