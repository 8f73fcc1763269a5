"""Consents of the register: each version has its entry, and each entry its version.

What enters: one consistent view of the database. What leaves: each fault, by the Consent's id.
A Consent of which only the ledger knows is in order where its person was erased, or where it
was purged and the ledger says so.
"""

from collections.abc import Iterator

from gateway.consent.register import IN_ERROR
from gateway.journey.reconcile_ledger import UNDONE, UNRECORDED, Fault
from gateway.ledger.kinds import EntryKind
from gateway.ledger.values import read_instant
from gateway.store.bijection import (
    ConsentRow,
    Said,
    consent_rows,
    consents_without_a_row,
    said_of_consents,
)
from gateway.store.bijection_rows import Exceptions
from gateway.store.engine import Reading

_KINDS = {"inactive": EntryKind.CONSENT_WITHDRAWN, IN_ERROR: EntryKind.CONSENT_ERROR}
_Version = tuple[int, str, str, str, str]
"""Number, kind of entry, from when it counts, when it was recorded, and by whom."""


def consent_faults(view: Reading, but: Exceptions) -> Iterator[Fault]:
    """Hold each Consent of the register against its entries."""
    for some in consent_rows(view):
        entries = said_of_consents(view, [row.id for row in some])
        for row in some:
            yield from _faults(row, entries[row.id], but)
    purged = but.purged.get("consents")
    left = purged.size if purged else 0
    for missing in consents_without_a_row(view):
        if missing.subject in but.erased:
            continue
        if purged is not None and left and missing.last < purged.before:
            left -= 1
            continue
        text = "the ledger names it, and there is no row"
        yield Fault(about=f"Consent {missing.id}", text=text, mend=UNDONE)


def _faults(row: ConsentRow, entries: list[Said], but: Exceptions) -> Iterator[Fault]:
    about = f"Consent {row.id}"
    here: list[_Version] = [
        (number, _kind(number, status), effective_at, recorded_at, client)
        for number, status, effective_at, recorded_at, client in row.versions
        if but.is_kept_from(read_instant(recorded_at))
    ]
    there: list[_Version] = [
        (said["version"], said.kind, said["effective_at"], said.at, said.actor) for said in entries
    ]
    for version in sorted({each[0] for each in [*here, *there]}):
        mine = [each for each in here if each[0] == version]
        said = [each for each in there if each[0] == version]
        if mine != said:
            text, mend = _why(version, len(mine), len(said))
            yield Fault(about=about, text=text, mend=mend)
    if any((each.practice, each.subject) != (row.practice, row.subject) for each in entries):
        text = "its row and its entries name another practice or person"
        yield Fault(about=about, text=text, mend=UNRECORDED)
    newest = row.versions[-1][:2] if row.versions else None
    if newest != (row.version, row.status):
        text = "it stands in another version or status than its newest version has"
        yield Fault(about=about, text=text, mend=UNRECORDED)


def _kind(number: int, status: str) -> str:
    """Say which entry a version makes."""
    if number == 1:
        return EntryKind.CONSENT_RECORDED
    return _KINDS.get(status, EntryKind.CONSENT_SUPERSEDED)


def _why(version: int, rows: int, entries: int) -> tuple[str, str]:
    if not entries:
        return f"version {version} has no entry", UNRECORDED
    if not rows:
        return f"the ledger names version {version}, and there is no row", UNDONE
    if entries > rows:
        return f"version {version} stands in the ledger {entries} times", UNDONE
    return f"version {version} and its entry differ in status, time or client", UNRECORDED
