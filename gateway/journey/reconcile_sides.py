"""Two long lists of facts held against each other, in memory that does not grow with them.

What enters: the facts of the rows, and those of the entries, each as often as it is asked for.
What leaves: every fact that one side has and the other has not. Both sides are summed by hash
into a fixed number of drawers, rows added and entries taken away; a drawer that does not come
out at nothing is opened in a second reading. Not for whoever would craft facts: `gateway ledger
verify` is what finds a forger.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.store.bijection_rows import Fact

DRAWERS = 4096
OPENED = 64
"""Drawers that are opened, at most: of a million facts some 16,000 are then in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """Facts that only rows, or only entries, have: how often. `unopened`: drawers not looked into."""

    rows: Mapping[Fact, int]
    entries: Mapping[Fact, int]
    unopened: int


def compare(
    rows: Callable[[], Iterable[Fact]],
    entries: Callable[[], Iterable[Fact]],
    *,
    opened: int = OPENED,
) -> Unequal:
    """Find the facts that one side has more often than the other."""
    sums = [0] * DRAWERS
    for sign, side in ((1, rows), (-1, entries)):
        for fact in side():
            sums[_drawer(fact)] += sign * _number(fact)
    unequal = [drawer for drawer, total in enumerate(sums) if total]
    wanted = frozenset(unequal[:opened])
    left: Counter[Fact] = Counter()
    if wanted:
        for sign, side in ((1, rows), (-1, entries)):
            for fact in side():
                if _drawer(fact) in wanted:
                    left[fact] += sign
    return Unequal(
        rows={fact: n for fact, n in left.items() if n > 0},
        entries={fact: -n for fact, n in left.items() if n < 0},
        unopened=len(unequal) - len(wanted),
    )


def _drawer(fact: Fact) -> int:
    """Choose by the key alone, so that a row and its altered entry lie together."""
    digest = hashlib.blake2b(f"{fact.pair.name}/{fact.key}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % DRAWERS


def _number(fact: Fact) -> int:
    digest = hashlib.blake2b(repr((fact.pair.name, fact.key, fact.told)).encode(), digest_size=16)
    return int.from_bytes(digest.digest(), "big")
