"""Fewer cases out of a product of many, so that each pair of what matters is still seen once.

What enters: all cases, and what each of them shows (its defect's name, its door with its code,
and so on). What leaves: those that show something which none before them showed. The choice
depends on names alone, so that a new case does not change which of the others are tried.
The soak tries the whole product, in random order, until its time is up.
"""

import random
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar
from zlib import crc32

Case = TypeVar("Case")


def lot(*words: str) -> int:
    """A number that words draw: the same in every run, and no order of theirs."""
    return crc32(" ".join(words).encode())


def thinned(cases: Iterable[Case], shows: Callable[[Case], Iterable[Hashable]]) -> Iterator[Case]:
    """Keep each case, in order, that shows something new."""
    seen: set[Hashable] = set()
    for case in cases:
        shown = set(shows(case))
        if shown - seen:
            seen |= shown
            yield case


def until_time_is_up(cases: Sequence[Case], lasting: timedelta) -> Iterator[Case]:
    """Give each case once, in random order, as long as there is time."""
    last = time.monotonic() + lasting.total_seconds()
    for case in random.sample(cases, len(cases)):
        if time.monotonic() > last:
            return
        yield case
