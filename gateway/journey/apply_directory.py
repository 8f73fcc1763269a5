"""Bring the directory to what a file says: plan, then apply, in versions.

What enters: the text of a directory file. What leaves: a plan that a person can read, and,
once applied, new versions of the rows that changed. No row is ever edited in place. A record
that the file does not list stays, unless ending it was asked for.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import DirectoryFileError
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import DirectoryApplied
from gateway.mapping.directory_file import (
    DirectoryRow,
    Kind,
    Noun,
    noun_of,
    read_directory_file,
)
from gateway.referral.directory import Agreement, Practice, Service
from gateway.store import directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a file would change. `missing` are there now and not in the file."""

    added: tuple[DirectoryRow, ...]
    changed: tuple[DirectoryRow, ...]
    missing: tuple[DirectoryRow, ...]
    ends_missing: bool
    file_sha256: str

    @property
    def changes_anything(self) -> bool:
        """Whether applying would write anything."""
        return bool(self.added or self.changed or (self.missing and self.ends_missing))


def plan_directory(text: str, gateway: Gateway, *, end_missing: bool) -> Plan:
    """Compare a directory file with the directory as of now.

    Raises:
        DirectoryFileError: all that is wrong with the file, or with what would result.
    """
    wanted = read_directory_file(text)
    with gateway.store.reading() as view:
        present = directory.rows_as_of(view, gateway.clock())
    return _compare(wanted, present, text, end_missing=end_missing)


def apply_directory(plan: Plan, text: str, gateway: Gateway) -> Plan:
    """Apply a plan; it is made again inside the transaction, on what is there then.

    Returns: the plan that was applied.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        present = directory.rows_as_of(tx, tx.at)
        plan = _compare(read_directory_file(text), present, text, end_missing=plan.ends_missing)
        if not plan.changes_anything:
            return plan
        ended = plan.missing if plan.ends_missing else ()
        directory.replace_rows(tx, [*plan.added, *plan.changed])
        directory.end_rows(tx, [(row.kind, row.key) for row in ended])
        tx.record(
            DirectoryApplied(
                actor="operator",
                file_sha256=plan.file_sha256,
                added=len(plan.added),
                changed=len(plan.changed),
                ended=len(ended),
            )
        )
    return plan


def _compare(
    wanted: Sequence[DirectoryRow],
    present: Sequence[DirectoryRow],
    text: str,
    *,
    end_missing: bool,
) -> Plan:
    now = {(row.kind, row.key): row for row in present}
    then = {(row.kind, row.key): row for row in wanted}
    plan = Plan(
        added=tuple(row for name, row in then.items() if name not in now),
        changed=tuple(row for name, row in then.items() if name in now and now[name] != row),
        missing=tuple(row for name, row in now.items() if name not in then),
        ends_missing=end_missing,
        file_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    result = then if end_missing else now | then
    faults = sorted(_loose_ends(result.values()))
    if faults:
        raise DirectoryFileError("\n".join(faults))
    return plan


def _loose_ends(rows: Iterable[DirectoryRow]) -> Iterable[str]:
    """Find records that name others which are not there, and service ids used twice."""
    rows = list(rows)
    there = {(row.kind, row.key) for row in rows}
    known_as: dict[str, str] = {}
    for row in rows:
        noun = noun_of(row.kind, row.body)
        if isinstance(noun, Service):
            other = known_as.setdefault(noun.dos_service_id, row.key)
            if other != row.key:
                yield f"service {row.key}: its dos_service_id is also that of {other}"
        for kind, key in _named_by(noun):
            if (kind, key) not in there:
                yield f"{row.kind} {row.key}: there is no {kind} {key}"


def _named_by(noun: Noun) -> Iterable[tuple[Kind, str]]:
    if isinstance(noun, Service):
        yield from ((Kind.PROVIDER, noun.provider), (Kind.ENDPOINT, noun.endpoint))
        yield from ((Kind.COMMISSIONER, each) for each in noun.commissioners)
    if isinstance(noun, Agreement):
        yield from ((Kind.PRACTICE, noun.practice), (Kind.PROVIDER, noun.counterparty))
    if isinstance(noun, Practice) and noun.commissioner is not None:
        yield Kind.COMMISSIONER, noun.commissioner
