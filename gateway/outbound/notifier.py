"""The notifier: threads that tell subscribers what happened, beside the worker.

What enters: the gateway, and how letters are posted. What leaves: notifications, one lease at a
time, by any number of processes; and the alarm of a subscription that is stalled, raised by a
thread of its own, which a slow address cannot delay. Half of the threads pass over subscriptions
whose last attempt failed, so that dead addresses delay no others. None ends by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from gateway.errors import StoreUnavailableError
from gateway.journey.gateway import Gateway
from gateway.journey.notify import Post, notify_next
from gateway.journey.stalls import watch

WATCH_EVERY = timedelta(seconds=2)
_log = logging.getLogger(__name__)


class Notifier:
    """A pool of threads that notify, and one that watches.

    Args:
        gateway: the live objects.
        post: how letters are posted.
        base_url: of our FHIR server, as subscribers reach it.
        threads: how many notifications may be under way at once.
        poll: how long an idle thread waits before it looks again.
        watch_every: how long the watch waits before it looks again.
    """

    def __init__(
        self,
        gateway: Gateway,
        post: Post,
        *,
        base_url: str,
        threads: int,
        poll: timedelta,
        watch_every: timedelta = WATCH_EVERY,
    ) -> None:
        self._stopping = threading.Event()
        tell = partial(notify_next, gateway, post, base_url=base_url)
        self._threads = [
            threading.Thread(
                target=self._repeat,
                args=(partial(tell, only_well=number < threads // 2), poll),
                name=f"notify-{number}",
            )
            for number in range(threads)
        ]
        looks = (partial(_watched, gateway), watch_every)
        self._threads.append(threading.Thread(target=self._repeat, args=looks, name="watch"))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: timedelta) -> bool:
        """Ask the threads to stop, and wait; tell whether all of them did."""
        self._stopping.set()
        until = time.monotonic() + patience.total_seconds()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _repeat(self, act: Callable[[], bool], pause: timedelta) -> None:
        """Act again and again; pause where there was nothing to do."""
        while not self._stopping.is_set():
            if not _tried(act):
                self._stopping.wait(pause.total_seconds())


def _watched(gateway: Gateway) -> bool:
    watch(gateway)
    return False


def _tried(act: Callable[[], bool]) -> bool:
    try:
        return act()
    except StoreUnavailableError:
        _log.warning("the database did not answer; subscribers will be told later")
    except Exception as error:  # noqa: BLE001  # a loop that must not end
        _log.error("an unforeseen %s in notifying", type(error).__name__)
    return False
