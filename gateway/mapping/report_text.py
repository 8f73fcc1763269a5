"""The text of a copy of a report, and the document that is handed over when it is released.

What enters: a report as its provider sent it, and for which recipient. What leaves: the text that
the person is shown and that leaves, byte for byte; the document around it, as JSON or PDF, with
the person's statement and the decision's id. Must never: put anything into the copy of an employer
or an HR service but what the dataset names; or name the person in it.

The report in full is the outcome's own bytes; nothing is added to it or taken out.
Source: `gateway/writeback/employer_copy.py`; `mappings/employer-copy/README.md`.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError, Fault, MessageError
from gateway.fhir.json_text import read_json, write_json
from gateway.mapping.london import say_day
from gateway.mapping.readable import Person, Provenance, Readable, Row, Section, check_bounds
from gateway.mapping.readable_content import render_content
from gateway.mapping.readable_pdf import write_pdf
from gateway.referral.json import JsonObject, child, strings
from gateway.referral.report import Recipient
from gateway.referral.report_copy import FiledCopy
from gateway.writeback.employer_copy import build_employer_copy, digest_of_note, notes_to_show
from gateway.writeback.employer_minimum import EmployerMinimum, read_employer_minimum

_DATASET: Final = Path(__file__).parents[2] / "mappings" / "employer-copy" / "minimum.json"
_TITLE: Final = "Fitness for work"
_BETWEEN: Final = ": "
"""Stands between a label of the dataset and what is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyText:
    """The text of a copy. `body` None: the outcome's own bytes. `left_out`: what is to be mended."""

    body: bytes | None = field(repr=False)
    sha256: str
    is_complete: bool = True
    left_out: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A copy that was released, with what goes round its text.

    `clinician`: who alone is to read it, where the person named one for their GP.
    """

    filed: FiledCopy
    document: JsonObject = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)
    statement: str | None = field(default=None, repr=False)
    clinician: str | None = field(default=None, repr=False)


@cache
def employer_minimum() -> EmployerMinimum:
    """Read the dataset for employers that comes with the program, once."""
    return read_dataset(_DATASET)


def read_dataset(file: Path) -> EmployerMinimum:
    """Read a dataset for employers.

    Raises:
        ConfigError: it is missing or wrong; the text says where.
    """
    try:
        return read_employer_minimum(read_json(file.read_bytes()))
    except (OSError, ValueError, MessageError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        msg = f"the dataset for employers, {file.name}, cannot be used: {why}"
        raise ConfigError(msg) from error


def full_text(body_sha256: str) -> CopyText:
    """Name the text of a copy that goes in full: the bytes of this hash."""
    return CopyText(body=None, sha256=body_sha256)


def employer_text(report: JsonObject, written_on: date, *, with_notes: bool) -> CopyText:
    """Write what an employer or HR service may read of a report.

    Args:
        report: the report as it was sent.
        written_on: its day.
        with_notes: whether the person is shown, or has seen, the provider's notes as they stand.
    """
    minimum = employer_minimum()
    notes = notes_to_show(report, minimum) if with_notes else ()
    seen = {digest_of_note(each) for each in notes}
    made = build_employer_copy(report, minimum, written_on=written_on, seen=seen)
    body = write_json({"document": made.tree, "lines": [*made.lines]})
    return CopyText(
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        is_complete=made.is_complete,
        left_out=made.left_out,
    )


def open_text(body: bytes) -> tuple[JsonObject, tuple[str, ...]]:
    """Read a text that `employer_text` wrote: the document, and its lines."""
    tree = read_json(body)
    return child(tree, "document") or {}, tuple(strings(tree, "lines"))


def as_json(handed: Handed) -> bytes:
    """Write a released copy as JSON, for its recipient."""
    return write_json(_head(handed) | {"document": handed.document})


def as_pdf(handed: Handed, person: Person | None, source: Provenance | None) -> bytes:
    """Write a released copy as PDF, for its recipient.

    Args:
        handed: the copy.
        person: whom it is about, and
        source: where it comes from: both for a report in full, none for an employer's.

    Raises:
        InvalidMessageError: the report is longer than is rendered, or cannot be read.
    """
    if person is not None and source is not None and handed.filed.is_in_full:
        document = render_content(handed.document, person, source)
    else:
        document = _of_lines(handed)
    added = Section(heading="Release", rows=_release(handed))
    return write_pdf(check_bounds(replace(document, sections=(*document.sections, added))))


def _head(handed: Handed) -> JsonObject:
    filed = handed.filed
    head: JsonObject = {
        "report": filed.id,
        "version": filed.copy.version,
        "recipient": filed.recipient.value,
        "decision": filed.decision,
        "released_on": _released_on(filed).isoformat(),
    }
    if filed.recipient is not Recipient.PERSON:
        head["organisation"] = filed.organisation
    if handed.clinician is not None:
        head["only_for"] = handed.clinician
    if handed.statement is not None:
        head["statement_of_the_person"] = handed.statement
    return head


def _of_lines(handed: Handed) -> Readable:
    pairs = [line.partition(_BETWEEN) for line in handed.lines]
    rows = tuple(Row(label=label, text=text) for label, _, text in pairs)
    return Readable(
        title=_TITLE,
        sections=(Section(heading="Function and adjustments", rows=rows),),
        footer=f"Decision {handed.filed.decision}",
    )


def _release(handed: Handed) -> tuple[Row, ...]:
    filed = handed.filed
    rows = [
        Row(label="Released on", text=say_day(_released_on(filed))),
        Row(label="Decision", text=str(filed.decision)),
    ]
    if handed.clinician is not None:
        rows.append(Row(label="To be read by this clinician alone", text=handed.clinician))
    if handed.statement is not None:
        rows.append(Row(label="Statement of the person", text=handed.statement))
    return tuple(rows)


def _released_on(filed: FiledCopy) -> date:
    if filed.copy.supplied_on is None:
        msg = "only what was released is handed over"
        raise AssertionError(msg)
    return filed.copy.supplied_on
