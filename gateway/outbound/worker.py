"""The worker: threads that bring due referrals to their services, until told to stop.

What enters: the gateway. What leaves: deliveries, one lease at a time. A thread that meets
an error which nobody foresaw notes its kind and goes on; the delivery's lease ends and it is
tried again. Stopping waits for the attempts under way.
"""

import logging
import os
import socket
import threading
from datetime import timedelta

from gateway.errors import KeyMissingError, StoreUnavailableError
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Gateway

_log = logging.getLogger(__name__)


class Worker:
    """A pool of delivery threads.

    Args:
        gateway: the live objects.
        threads: how many deliveries may be under way at once.
        poll: how long an idle thread waits before it looks again.
    """

    def __init__(self, gateway: Gateway, *, threads: int, poll: timedelta) -> None:
        self._gateway = gateway
        self._poll = poll
        self._stopping = threading.Event()
        name = f"{socket.gethostname()[:32]}.{os.getpid()}"
        self._threads = [
            threading.Thread(
                target=self._work, args=(f"{name}.{number}",), name=f"deliver-{number}"
            )
            for number in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: timedelta) -> bool:
        """Ask the threads to stop, and wait; tell whether all of them did."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(patience.total_seconds())
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, name: str) -> None:
        while not self._stopping.is_set():
            if not self._worked(name):
                self._stopping.wait(self._poll.total_seconds())

    def _worked(self, name: str) -> bool:
        """Deliver once; tell whether there was anything to do."""
        try:
            return deliver_next(name, self._gateway)
        except StoreUnavailableError:
            _log.warning("the database did not answer; the delivery will be tried again")
        except KeyMissingError:
            _log.error("a key-encryption key is missing: no delivery sealed under it can leave")
        except Exception as error:  # noqa: BLE001  # the worker loop: one of the two places
            _log.error("an unforeseen %s in delivery", type(error).__name__)
        return False
