"""The worker: brings due referrals to their services, until told to stop.

What enters: the gateway. What leaves: deliveries. One thread claims for all the others, as many
as they have hands for, and no more of one lane than its share: a destination that hangs holds
up its own. A thread that meets an error which nobody foresaw notes its kind and goes on; the
delivery's lease ends and it is tried again. Beside them one thread does what is due from time to
time. Stopping waits for the attempts under way.
"""

import logging
import os
import queue
import socket
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.errors import KeyMissingError, StoreUnavailableError
from gateway.journey.claim import claim_due, end_overdue
from gateway.journey.deliver import deliver
from gateway.journey.gateway import Gateway
from gateway.journey.recalls import chase
from gateway.journey.silences import notice_silences
from gateway.journey.withdraw import go_on
from gateway.referral.identifiers import EndpointId
from gateway.referral.model import Delivery

_P = ParamSpec("_P")
_T = TypeVar("_T")
CHORES: Sequence[Callable[[Gateway], object]] = (end_overdue, go_on, chase, notice_silences)
"""What is due from time to time, whichever worker does it."""
CHORES_EVERY = timedelta(seconds=5)
_TURN = timedelta(milliseconds=0.5)
"""How long one thread may hold the interpreter while another one waits for it. Python's own is
5 ms, and what holds the ledger's head would wait for so long, and hold everybody up, at each of
its answers from the database."""
_log = logging.getLogger(__name__)


class Worker:
    """A pool of delivery threads, and the one that claims for them.

    Args:
        gateway: the live objects.
        threads: how many deliveries may be under way at once.
        share: how many of them may be to one destination.
        poll: how long to wait before looking again where nothing was due.
    """

    def __init__(
        self, gateway: Gateway, *, threads: int, poll: timedelta, share: int | None = None
    ) -> None:
        self._gateway = gateway
        self._hands = threads
        self._share = share
        self._poll = poll.total_seconds()
        self._stopping = threading.Event()
        self._claimed: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._busy: Counter[EndpointId] = Counter()
        self._changed = threading.Condition()
        self._name = f"{socket.gethostname()[:32]}.{os.getpid()}"
        self._threads = [
            threading.Thread(target=self._claim_on, name="claim"),
            threading.Thread(target=self._tidy_on, name="tidy"),
            *(
                threading.Thread(target=self._deliver_on, name=f"deliver-{number}")
                for number in range(threads)
            ),
        ]

    def start(self) -> None:
        """Start the threads."""
        sys.setswitchinterval(_TURN.total_seconds())
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: timedelta) -> bool:
        """Ask the threads to stop, and wait; tell whether all of them did."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(patience.total_seconds())
        return not any(thread.is_alive() for thread in self._threads)

    def _claim_on(self) -> None:
        while not self._stopping.is_set():
            free, busy = self._wait_for_hands()
            claimed = self._minding(self._claim, free, busy) or ()
            with self._changed:
                self._busy.update(each.lane for each in claimed)
            for each in claimed:
                self._claimed.put(each)
            if len(claimed) < free:
                self._rest()
        for _ in range(self._hands):
            self._claimed.put(None)

    def _wait_for_hands(self) -> tuple[int, Counter[EndpointId]]:
        """Wait until a quarter of the threads is free, or for a while until any is."""
        with self._changed:
            few = max(self._hands // 4, 1)
            self._changed.wait_for(
                lambda: self._free() >= few or self._stopping.is_set(), timeout=self._poll
            )
            self._changed.wait_for(lambda: self._free() > 0 or self._stopping.is_set())
            return self._free(), Counter(self._busy)

    def _rest(self) -> None:
        """Wait for a while; no longer than until a lane that had its share has half of it back."""
        share = self._hands if self._share is None else self._share
        with self._changed:
            full, half = [lane for lane, count in self._busy.items() if count >= share], share // 2
            self._changed.wait_for(
                lambda: self._stopping.is_set() or any(self._busy[lane] <= half for lane in full),
                timeout=self._poll,
            )

    def _free(self) -> int:
        return self._hands - self._busy.total()

    def _claim(self, free: int, busy: Counter[EndpointId]) -> Sequence[Delivery]:
        if free <= 0 or self._stopping.is_set():
            return ()
        return claim_due(self._name, self._gateway, most=free, busy=busy, share=self._share)

    def _deliver_on(self) -> None:
        while (claimed := self._claimed.get()) is not None:
            self._minding(deliver, claimed, self._gateway)
            with self._changed:
                self._busy[claimed.lane] -= 1
                self._busy += Counter()  # forgets the lanes with none
                self._changed.notify_all()

    def _tidy_on(self) -> None:
        while not self._stopping.is_set():
            for chore in CHORES:
                self._minding(chore, self._gateway)
            self._stopping.wait(CHORES_EVERY.total_seconds())

    def _minding(self, act: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T | None:
        """Do it, and whatever goes wrong, go on."""
        try:
            return act(*args, **named)
        except StoreUnavailableError:
            _log.warning("the database did not answer; the delivery will be tried again")
        except KeyMissingError:
            _log.error("a key-encryption key is missing: no delivery sealed under it can leave")
        except Exception as error:  # noqa: BLE001  # the worker loop: one of the two places
            _log.error("an unforeseen %s in delivery, %s", type(error).__name__, _place_of(error))
        return None


def _place_of(error: Exception) -> str:
    """Name the line that failed, and none of its values."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{Path(last.filename).name}:{last.lineno}"
