"""Made-up entries for tests: one of every kind, from the vectors, and logs made of them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NotRequired, TypedDict, get_args, get_type_hints

from gateway.ledger.entry import Entry
from gateway.ledger.kinds import EntryKind
from gateway.ledger.line import slots_of
from gateway.ledger.merkle import Frontier
from gateway.ledger.seal import PlacedEntry, seal
from gateway.ledger.values import Rule
from gateway.ledger.verify import LedgerRow

VECTORS = Path(__file__).parents[2] / "vectors" / "ledger"
LOG = "gateway.example/ledger/2026"
MORNING = datetime(2026, 11, 22, 9, tzinfo=UTC)
KINDS: Mapping[str, type[Entry]] = {cls.kind.value: cls for cls in get_args(Entry)}


def _closed_lists(kind: type[Entry]) -> Iterator[tuple[type[StrEnum], Rule]]:
    hints = get_type_hints(kind, include_extras=True)
    for slot in slots_of(kind):
        holds = get_args(hints[slot.name])[0]
        if isinstance(holds, type) and issubclass(holds, StrEnum):
            yield holds, slot.rule


CLOSED_LISTS: Mapping[type[StrEnum], Rule] = dict(
    pair for kind in KINDS.values() for pair in _closed_lists(kind)
)
"""The closed lists that stand in fields, each with its rule."""


class Sealed(TypedDict):
    """What a line commits to: salt in hexadecimal, plaintext as text."""

    salt: str
    plaintext: str


class VectorLine(TypedDict):
    """One line of `entries.json`; those of `entries_v1.json` have only what version 1 had."""

    kind: str
    fields: dict[str, Any]
    v: NotRequired[int]
    log: str
    idx: int
    t: str
    prev_subject: int | None
    prev_practice: int | None
    sealed: NotRequired[Sealed]
    detail_commit: NotRequired[str | None]
    body: str
    leaf_hash: str
    size: int
    frontier: str
    root: str


def vector_lines(file: str = "entries.json") -> list[VectorLine]:
    read: list[VectorLine] = json.loads((VECTORS / file).read_text(encoding="utf-8"))["lines"]
    return read


def placed_of(line: VectorLine, *, version: int = 2) -> PlacedEntry:
    """Make what a vector says of an entry and its place; `version` is where it does not say."""
    return PlacedEntry(
        entry=entry_of(line["kind"], line["fields"]),
        log=line["log"],
        index=line["idx"],
        at=datetime.fromisoformat(line["t"]),
        prev_subject=line["prev_subject"],
        prev_practice=line["prev_practice"],
        detail_commit=line.get("detail_commit"),
        version=line.get("v", version),
    )


def entry_of(kind: str, values: Mapping[str, Any]) -> Entry:
    """Make an entry from what a vector says of it; its constructor checks the rest."""
    construct: Callable[..., Entry] = KINDS[kind]
    rules = {slot.name: slot.rule for slot in slots_of(KINDS[kind])}
    return construct(
        **{
            name: None if value is None else rules[name].read(value)
            for name, value in values.items()
        }
    )


ENTRIES = tuple(entry_of(line["kind"], line["fields"]) for line in vector_lines())


def an_entry(kind: EntryKind) -> Entry:
    return next(entry for entry in ENTRIES if entry.kind is kind)


ONE_OF_EACH = tuple(map(an_entry, EntryKind))


def changed(entry: Entry, **fields: object) -> Entry:
    """Make an entry again with other values, whatever their types: its constructor judges."""
    construct: Callable[..., Entry] = replace
    return construct(entry, **fields)


def tree_root(leaves: list[bytes]) -> bytes:
    """Follow the definition of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = tree_root(leaves[:split]), tree_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def written(
    entries: Iterable[Entry], *, step: timedelta = timedelta(seconds=1)
) -> tuple[list[LedgerRow], Frontier]:
    """Write an honest log, as the store does it. Returns: its rows and its head."""
    rows: list[LedgerRow] = []
    head = Frontier()
    last: dict[str | None, int] = {}
    for index, entry in enumerate(entries):
        sealed = seal(
            entry,
            log=LOG,
            index=index,
            at=MORNING + index * step,
            prev_subject=last.get(entry.subject),
            prev_practice=last.get(entry.practice),
        )
        last |= {key: index for key in (entry.subject, entry.practice) if key is not None}
        rows.append(LedgerRow(index=index, body=sealed.body, leaf_hash=sealed.leaf_hash))
        head = head.append(sealed.leaf_hash)
    return rows, head
