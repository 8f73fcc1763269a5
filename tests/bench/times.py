"""What many turns of the same thing took: the middle one, and the slowest of a hundred.

By the clock, and by the processor: on a shared machine the clock also counts the turns of
others, which shows in the slowest first. The processor's time is our thread's alone; a
database in another process is not in it.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

_T = TypeVar("_T")

A_MILLISECOND, A_MICROSECOND = 1e-3, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In the unit of what was measured."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The same turns by the clock and by the processor."""

    clock: Times
    processor: Times


@dataclass(slots=True)
class Turns:
    """Takes the time of turns; `unit` in seconds."""

    unit: float
    _clock: list[float] = field(default_factory=list)
    _processor: list[float] = field(default_factory=list)

    def take(self, way: Callable[[], _T]) -> _T:
        """Time one."""
        ours, started = time.thread_time(), time.perf_counter()
        done = way()
        ended = time.perf_counter()
        self._processor.append((time.thread_time() - ours) / self.unit)
        self._clock.append((ended - started) / self.unit)
        return done

    def cost(self) -> Cost:
        """Sum up at least two turns."""
        return Cost(clock=times_of(self._clock), processor=times_of(self._processor))


def times_of(spent: Sequence[float]) -> Times:
    """Sum up at least two turns."""
    cuts = statistics.quantiles(spent, n=100, method="inclusive")
    return Times(p50=cuts[49], p99=cuts[98])
