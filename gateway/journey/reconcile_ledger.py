"""Hold every entry against its row, and every row against its entry.

What enters: one consistent view of the database. What leaves: each fault, with what it is
about and how to mend it. Copies beside an entry, details, decisions that let nobody in,
agreements, switches, notices, withdrawals, rules, checkpoints, keys and gates are held here; referrals and
Consents one at a time, in `reconcile_referral.py` and `reconcile_consent.py`.
Source: the sharing rules, section 11, item 22.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gateway.journey.reconcile_entries import TELLING, KeyRing, facts_of
from gateway.journey.reconcile_sides import Unequal, compare
from gateway.ledger.kinds import EntryKind
from gateway.store.bijection import (
    Standing,
    details_without_an_entry,
    said_of_kinds,
    standings,
)
from gateway.store.bijection_rows import (
    TOLD,
    Exceptions,
    Fact,
    Pair,
    Purged,
    facts_of_rows,
    notices_here,
    withdrawals_here,
)
from gateway.store.engine import Reading

VERIFY = "Run `gateway ledger verify`: it says whether stored history was changed."
COPIES = "The body is the truth: `gateway ledger verify` checks it; copy it into the columns again."
UNRECORDED = (
    "The row was written or changed past the gateway, or the database is partly an older copy:"
    " compare it with a dump, and have somebody answer for the difference."
)
UNDONE = (
    "The row was removed or changed past the gateway, or the database is partly an older copy:"
    " bring it back from a dump; the entry says what it must hold."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, about which row or entry, and how to mend it."""

    about: str
    text: str
    mend: str


def faults_of_entries(view: Reading, but: Exceptions) -> Iterator[Fault]:
    """Check each entry's copies and what stands beside it; give those that lack either."""
    for each in standings(view):
        about = f"entry {each.index} of {each.log}"
        yield from (Fault(about=about, text=t, mend=m) for t, m in _entry_faults(each, but))
    for log, index in details_without_an_entry(view):
        text = "a sealed detail stands beside no entry"
        yield Fault(about=f"entry {index} of {log}", text=text, mend=VERIFY)


def _entry_faults(each: Standing, but: Exceptions) -> Iterator[tuple[str, str]]:
    said = each.said
    if said is None:
        yield "its body cannot be read", VERIFY
        return
    if each.differing:
        columns = ", ".join(each.differing)
        yield f"its columns do not repeat what its body says: {columns}", COPIES
    if not each.has_detail:
        if said.commit is not None and not _may_lack_detail(each, but):
            yield "it commits to a sealed detail that is not there", UNDONE
        return
    if said.commit is None:
        yield "a sealed detail stands beside it, and it commits to none", UNRECORDED
    if each.detail_of != said.subject:
        yield "the sealed detail beside it is another person's", UNDONE
    if each.is_own == (said.kind == EntryKind.DECISION_MADE):
        yield "the sealed detail beside it is not kept where its kind has it", UNDONE


def _may_lack_detail(each: Standing, but: Exceptions) -> bool:
    """Whether a detail went with its person, or with the record that it was about.

    That a referral or a Consent is gone is looked at where those are; here it is enough.
    """
    said = each.said
    if said is None or said.subject in but.erased:
        return True
    if said["referral"] is not None and not each.has_referral:
        return True
    if said["consent"] is not None and not each.has_consent:
        return True
    refusals = but.purged.get("refusals")
    is_refusal = said.kind == EntryKind.DECISION_MADE and said["referral"] is None
    return refusals is not None and is_refusal and said.at < refusals.before


def faults_of_pairs(view: Reading, but: Exceptions) -> Iterator[Fault]:
    """Check that each row has its entry, and each entry its row, and that both say the same."""
    unequal = compare(lambda: facts_of_rows(view, but), lambda: _facts_of_entries(view, but))
    yield from _told(_excused(view, unequal, but))
    if unequal.unopened:
        yield Fault(
            about="rows and entries",
            text="so many differ that not all are named here",
            mend="Mend those that are named, then run `gateway reconcile` again.",
        )


def _facts_of_entries(view: Reading, but: Exceptions) -> Iterator[Fact]:
    ring = KeyRing()
    for said in said_of_kinds(view, TELLING):
        ring.add(said)
        yield from facts_of(said, but)
    yield from ring.facts()


def _excused(view: Reading, unequal: Unequal, but: Exceptions) -> Unequal:
    """Leave out what was purged, and changes that gates counted in years that were purged."""
    rows, entries = dict(unequal.rows), dict(unequal.entries)
    if but.kept_from is not None:
        rows = {fact: n for fact, n in rows.items() if fact.pair is not Pair.GATE}
    for pair, (record, those_here) in _PURGED.items():
        gone = but.purged.get(record)
        if gone is not None:
            entries = _without_purged(entries, pair, gone, those_here(view))
    return Unequal(rows=rows, entries=entries, unopened=unequal.unopened)


_PURGED: Mapping[Pair, tuple[str, Callable[[Reading], frozenset[str]]]] = {
    Pair.NOTICE: ("notices", notices_here),
    Pair.WITHDRAWAL: ("withdrawals", withdrawals_here),
}
"""What each purge of such rows is called, and which of them are still here."""


def _without_purged(
    entries: Mapping[Fact, int], pair: Pair, gone: Purged, here: frozenset[str]
) -> dict[Fact, int]:
    """Leave out as many as were purged, of those whose last entry is old enough: the oldest."""
    lasts: dict[str, str] = {}
    for fact in entries:
        name = fact.key.partition("/")[0]
        if fact.pair is pair and name not in here:
            lasts[name] = max(lasts.get(name, ""), str(fact.told[-1]))
    old = sorted((last, each) for each, last in lasts.items() if last < gone.before)
    excused = {each for _, each in old[: gone.size]}
    return {
        fact: n
        for fact, n in entries.items()
        if fact.pair is not pair or fact.key.partition("/")[0] not in excused
    }


def _told(unequal: Unequal) -> Iterator[Fault]:
    """Name each fact that one side lacks; where both have its key, say in what they differ."""
    said = {(fact.pair, fact.key): fact for fact in unequal.entries}
    both = set()
    for fact, number in sorted(unequal.rows.items(), key=_place):
        about = f"{fact.pair} {fact.key}"
        other = said.get((fact.pair, fact.key))
        if other is not None:
            both.add(other)
            text = f"its row and its entry differ in {_differences(fact, other)}"
            yield Fault(about=about, text=text, mend=UNRECORDED)
        else:
            more = "" if number == 1 else f", {number} times"
            yield Fault(about=about, text=f"the row has no entry{more}", mend=UNRECORDED)
    for fact, number in sorted(unequal.entries.items(), key=_place):
        if fact not in both:
            more = "" if number == 1 else f", {number} times"
            text = f"the ledger names it, and there is no row{more}"
            yield Fault(about=f"{fact.pair} {fact.key}", text=text, mend=UNDONE)


def _place(each: tuple[Fact, int]) -> tuple[str, str, str]:
    fact, _ = each
    return fact.pair.name, fact.key, repr(fact.told)


def _differences(one: Fact, other: Fact) -> str:
    names = zip(TOLD[one.pair], one.told, other.told, strict=True)
    return ", ".join(name for name, here, there in names if here != there)
