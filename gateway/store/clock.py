"""The clock that all machines share: the database's, carried on by this process's own ticking.

What enters: an engine. What leaves: aware UTC times. The database is asked now and then; in
between, the monotonic clock counts, which nobody sets. So a machine whose clock is wrong, or is
stepped, neither takes over another's lease too early nor writes a time that is its alone. Must
never: wait for the database where an earlier answer will do.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

EVERY = timedelta(seconds=10)
"""How long the process's own ticking is trusted: it may be off by some parts in a million."""
TOO_FAR = timedelta(seconds=2)
"""How far a machine's clock may be off before its operator is told."""
_log = logging.getLogger(__name__)
_ASK = text("SELECT clock_timestamp()")


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database said, and what the process's own clocks said then."""

    at: datetime
    ticks: float
    own: datetime


class DatabaseClock:
    """Tells the time of a PostgreSQL database. Safe to share between threads.

    Args:
        engine: of the database.
        ticks: the monotonic clock, in seconds.
        own: the clock of this machine.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        ticks: Callable[[], float] = time.monotonic,
        own: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._ticks = ticks
        self._own = own
        self._asking = threading.Lock()
        self._read: _Read | None = None
        self._is_off = False

    def __call__(self) -> datetime:
        """Return the time: the machine's own where the database has never answered."""
        last = self._read
        if last is None or self._ticks() - last.ticks >= EVERY.total_seconds():
            last = self._ask_again(last)
        if last is None:
            return self._own()
        return last.at + timedelta(seconds=self._ticks() - last.ticks)

    def drift(self) -> timedelta:
        """Tell how far this machine's clock is ahead of the database's."""
        last = self._read
        return last.own - last.at if last else timedelta(0)

    def _ask_again(self, last: _Read | None) -> _Read | None:
        """Ask, unless another thread does so now and there is an answer to go on with."""
        if not self._asking.acquire(blocking=last is None):
            return last
        try:
            asked = self._ticks()
            with self._engine.connect() as connection:
                at = connection.execute(_ASK).scalar_one()
            halfway = (asked + self._ticks()) / 2
            self._read = _Read(at=at.astimezone(UTC), ticks=halfway, own=self._own())
            self._tell_drift()
        except SQLAlchemyError:
            if last is not None:  # it is asked again in its time, not at each call
                self._read = _Read(
                    at=last.at + timedelta(seconds=self._ticks() - last.ticks),
                    ticks=self._ticks(),
                    own=last.own,
                )
        finally:
            self._asking.release()
        return self._read

    def _tell_drift(self) -> None:
        """Tell the operator once when this machine's clock goes wrong, and once when it is well."""
        off = self.drift()
        is_off = abs(off) > TOO_FAR
        if is_off and not self._is_off:
            seconds = off.total_seconds()
            _log.warning("ALERT: this machine's clock is %+.1f s off the database's", seconds)
        if self._is_off and not is_off:
            _log.warning("ALERT: this machine's clock agrees with the database's again")
        self._is_off = is_off
