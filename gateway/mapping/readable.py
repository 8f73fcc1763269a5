"""A document for people: a title, whom it is about, headed rows, and where it comes from.

Values and their bounds. What enters: rows of text, taken from what a provider sent. What leaves:
the same rows, or a fault that says what is too much. Must never: hold a code as anything but text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.london import say_day, say_time
from gateway.referral.identifiers import DecisionId, NhsNumber, OdsCode, ReferralReference

MOST_ROWS: Final = 2_000
MOST_CHARACTERS: Final = 200_000
MOST_LINES: Final = 5_000
MOST_PAGES: Final = 100
MOST_LABEL: Final = 300
"""Characters of a title, a heading or a label."""

_BLANKS: Final = re.compile(r"\s+")
_BREAK: Final = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is said, and of what. A text may have several lines."""

    label: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under one heading."""

    heading: str = field(repr=False)
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A whole document. `footer` stands on every page beside the page's number."""

    title: str = field(repr=False)
    sections: tuple[Section, ...]
    footer: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a document is about."""

    number: NhsNumber = field(repr=False)
    birth_date: date = field(repr=False)
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who said what a document says, and by which decision of which gateway it came.

    `why_no_codes`: the gateway's own words, never the sender's; None: there were no codes.
    """

    author: str | None = field(default=None, repr=False)
    organisation: str
    ods: OdsCode
    said_at: datetime
    gateway: str
    decision: DecisionId
    reference: ReferralReference
    why_no_codes: str | None = None


def about_person(person: Person) -> Section:
    """Say whom a document is about."""
    return Section(
        heading="Patient",
        rows=(
            Row(label="Name", text=person.name),
            Row(label="NHS number", text=spaced(person.number)),
            Row(label="Date of birth", text=say_day(person.birth_date)),
        ),
    )


def about_source(source: Provenance) -> Section:
    """Say who wrote what a document says, and why it holds no codes where some were sent."""
    rows = [
        Row(label="Written by", text=source.author or "not named by the sender"),
        Row(label="Of", text=f"{source.organisation} ({source.ods})"),
        Row(label="Written at", text=say_time(source.said_at)),
        Row(label="Made readable and sent by", text=source.gateway),
        Row(label="Referral", text=source.reference),
        Row(label="Decision", text=source.decision),
    ]
    if source.why_no_codes is not None:
        rows += [
            Row(label="Why no code was written", text=source.why_no_codes),
            Row(
                label="Codes in this document",
                text="Text only, as the sender wrote it: nothing was entered into the record.",
            ),
        ]
    return Section(heading="Where this comes from", rows=tuple(rows))


def spaced(number: NhsNumber) -> str:
    """Write an NHS number as people read it."""
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def one_line(text: str) -> str:
    """Put a text on one line, as a heading or label needs it."""
    return _BLANKS.sub(" ", text).strip()


def lines_of(text: str) -> Sequence[str]:
    """Part a text at every kind of line end."""
    return _BREAK.sub("\n", text).split("\n")


def check_bounds(document: Readable) -> Readable:
    """Return a document that can be read to its end.

    Raises:
        InvalidMessageError: it has more rows, lines or characters than are rendered.
    """
    rows = [row for section in document.sections for row in section.rows]
    if len(rows) + len(document.sections) > MOST_ROWS:
        raise too_much(f"more than {MOST_ROWS} rows and headings")
    if sum(len(lines_of(row.text)) for row in rows) > MOST_LINES:
        raise too_much(f"more than {MOST_LINES} lines")
    if sum(map(len, _texts(document))) > MOST_CHARACTERS:
        raise too_much(f"more than {MOST_CHARACTERS} characters")
    if max(map(len, _labels(document))) > MOST_LABEL:
        raise too_much(f"a title or label of more than {MOST_LABEL} characters")
    return document


def too_much(what: str) -> InvalidMessageError:
    """Make the refusal of a document that is too long; it says which bound was passed."""
    text = f"The outcome has {what}, too much for a document: send less, or a PDF of your own."
    return InvalidMessageError(Fault(code=IssueCode.TOO_COSTLY, diagnostics=text))


def as_text(document: Readable) -> str:
    """Write a document as plain text, each row on a line; further lines are indented."""
    blocks = [document.title]
    for section in document.sections:
        rows = [f"{row.label}: " + "\n    ".join(lines_of(row.text)) for row in section.rows]
        blocks.append("\n".join([section.heading, *rows]))
    return "\n\n".join(blocks) + "\n"


def _labels(document: Readable) -> Iterator[str]:
    yield document.title
    for section in document.sections:
        yield section.heading
        yield from (row.label for row in section.rows)


def _texts(document: Readable) -> Iterator[str]:
    yield from _labels(document)
    for section in document.sections:
        yield from (row.text for row in section.rows)
