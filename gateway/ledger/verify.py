"""Check every row of a log against its head, and say what the check cannot show.

What enters: the rows of one log in the order of their index, and the head. What leaves: a
report with every finding: where, what and why. It stands alone: standard library,
`gateway.errors` and this room. It reads each row once and keeps only the last index on each
subject and for each practice. Must never stop at a damaged row, and never quote one.
Source of the tree: RFC 6962, section 2.1. Byte for byte: FORMAT.md.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.errors import DamagedRecordError
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.seal import PlacedEntry, read_placed

CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far a time may lie before an earlier entry's: several processes write, each by its clock."""

KEPT_FINDINGS = 1000
"""Findings that a report holds. All are counted."""

PROGRESS_EVERY = 1000
"""Rows between two calls of `progress`."""

NOT_PROVED = (
    "That everything which happened was entered: an event that was never logged leaves no gap.",
    "That what was entered was true at the time.",
    "That nobody replaced entries and head together: only a head kept by somebody else shows it.",
)
"""What stays open even when every check passes."""


class FindingCode(StrEnum):
    """What is wrong."""

    INDEX = "index"
    BODY = "body"
    LEAF_HASH = "leaf-hash"
    LOG = "log"
    PLACE = "place"
    PREV_SUBJECT = "prev-subject"
    PREV_PRACTICE = "prev-practice"
    TIME = "time"
    SIZE = "size"
    ROOT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row as it is stored."""

    index: int
    body: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `index` is None where it is the log as a whole."""

    index: int | None
    code: FindingCode
    text: str

    @property
    def is_note(self) -> bool:
        """A clock that stepped back is worth a look, and proves no tampering."""
        return self.code is FindingCode.TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of checking one log.

    `size` counts the rows that were read, and `root` is the hexadecimal root over their
    bodies. `findings` holds the first 1,000 in the order of the log; `found` counts all.
    `ok` is True where nothing was found but notes.
    """

    log: str
    size: int
    root: str
    ok: bool
    found: int
    findings: tuple[Finding, ...]
    not_proved: tuple[str, ...] = NOT_PROVED

    @property
    def first(self) -> Finding | None:
        """The first finding that is no note."""
        return next((finding for finding in self.findings if not finding.is_note), None)


@dataclass(slots=True)
class _Walk:
    """Where the walk through the log stands."""

    log: str
    next_index: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    latest: datetime | None = None
    on_subject: dict[str, int] = field(default_factory=dict)
    for_practice: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """What was found so far. The first failure is kept whatever number of notes precede it."""

    kept: list[Finding] = field(default_factory=list)
    found: int = 0
    failed: bool = False

    def add(self, finding: Finding) -> None:
        self.found += 1
        is_first_failure = not self.failed and not finding.is_note
        self.failed = self.failed or is_first_failure
        if is_first_failure or len(self.kept) < KEPT_FINDINGS:
            self.kept.append(finding)


def verify_entries(
    rows: Iterable[LedgerRow],
    *,
    log: str,
    head: Frontier,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check a whole log, row by row, and then its head.

    For each row:

    1. Its index follows the one before.
    2. Its stored leaf hash is that of its body.
    3. Its body is the exact canonical form of an entry of a known kind.
    4. The body names this log and this index.
    5. Its links name the last entry on the same subject and for the same practice.
    6. Its time does not lie more than two seconds before an earlier one (a note only).

    Then: size and root over all bodies are those of the head.

    `progress` is called with the number of rows read, after every thousand and at the end.
    """
    walk, tally = _Walk(log), _Tally()
    for row in rows:
        for finding in _check_row(row, walk):
            tally.add(finding)
        if progress and walk.frontier.size % PROGRESS_EVERY == 0:
            progress(walk.frontier.size)
    for finding in _check_head(walk.frontier, head):
        tally.add(finding)
    if progress:
        progress(walk.frontier.size)
    return Report(
        log=log,
        size=walk.frontier.size,
        root=walk.frontier.root().hex(),
        ok=not tally.failed,
        found=tally.found,
        findings=tuple(tally.kept),
    )


def _check_row(row: LedgerRow, walk: _Walk) -> Iterator[Finding]:
    """Check one row and take it into the walk."""
    if row.index != walk.next_index:
        text = f"expected index {walk.next_index}: a row is missing, repeated or out of order"
        yield Finding(row.index, FindingCode.INDEX, text)
    walk.next_index = row.index + 1
    computed = leaf_hash(row.body)
    walk.frontier = walk.frontier.append(computed)
    if row.leaf_hash != computed:
        text = "the stored leaf hash is not the hash of the stored body"
        yield Finding(row.index, FindingCode.LEAF_HASH, text)
    try:
        placed = read_placed(row.body)
    except DamagedRecordError as error:
        yield Finding(row.index, FindingCode.BODY, str(error))
    else:
        yield from _check_place(row.index, placed, walk)
        yield from _check_links(row.index, placed, walk)
        yield from _check_time(row.index, placed.at, walk)


def _check_place(index: int, placed: PlacedEntry, walk: _Walk) -> Iterator[Finding]:
    if placed.log != walk.log:
        yield Finding(index, FindingCode.LOG, "the body belongs to another log")
    if placed.index != index:
        text = f"the body was sealed for index {placed.index}"
        yield Finding(index, FindingCode.PLACE, text)


def _check_links(index: int, placed: PlacedEntry, walk: _Walk) -> Iterator[Finding]:
    entry = placed.entry
    if entry.subject is not None:
        last = walk.on_subject.get(entry.subject)
        walk.on_subject[entry.subject] = index
        if placed.prev_subject != last:
            text = _wrong_link("on this subject", placed.prev_subject, last)
            yield Finding(index, FindingCode.PREV_SUBJECT, text)
    if entry.practice is not None:
        last = walk.for_practice.get(entry.practice)
        walk.for_practice[entry.practice] = index
        if placed.prev_practice != last:
            text = _wrong_link("for this practice", placed.prev_practice, last)
            yield Finding(index, FindingCode.PREV_PRACTICE, text)


def _wrong_link(whose: str, said: int | None, last: int | None) -> str:
    names = "no entry" if said is None else f"entry {said}"
    found = "there is none" if last is None else f"it is entry {last}"
    return f"names {names} as the one before it {whose}; among those that can be read, {found}"


def _check_time(index: int, at: datetime, walk: _Walk) -> Iterator[Finding]:
    if walk.latest is not None and walk.latest - at > CLOCK_TOLERANCE:
        behind = (walk.latest - at).total_seconds()
        text = f"the time lies {behind:.0f} seconds before that of an earlier entry"
        yield Finding(index, FindingCode.TIME, text)
    walk.latest = at if walk.latest is None else max(walk.latest, at)


def _check_head(found: Frontier, head: Frontier) -> Iterator[Finding]:
    if found.size != head.size:
        text = f"the head counts {head.size} entries; {found.size} were read"
        yield Finding(None, FindingCode.SIZE, text)
    if found.root() != head.root():
        text = "the root over all entries is not the root of the head"
        yield Finding(None, FindingCode.ROOT, text)
