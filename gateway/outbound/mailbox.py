"""The postman: a thread that looks after our MESH mailboxes while the worker delivers.

What enters: the gateway, and a line. What leaves: each message put on record, and only then
acknowledged; and what recipients collected, noted. What is not understood is left where it is,
told once by its id, and does not stop the rest. The thread does not end by itself: what fails
is told at its start and at its end, and tried again in the next round.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from gateway.errors import (
    DeliveryError,
    DestinationUnreachableError,
    GatewayError,
    LeaseEndedError,
    StoreUnavailableError,
)
from gateway.journey.gateway import Gateway
from gateway.journey.returned import (
    Fate,
    mailboxes,
    not_yet_collected,
    note_collected,
    take_in,
)
from gateway.outbound.https_line import HttpsLine
from gateway.outbound.mesh import Mailbox
from gateway.referral.directory import Endpoint

_log = logging.getLogger(__name__)
_ROUND = timedelta(minutes=2)
"""How long one visit to one mailbox may take."""
_GREET_EVERY = timedelta(hours=24)
"""Source: MESH API, handshake: once every 24 hours."""
_MOST_MESSAGES = 5_000
_MOST_TRACKED = 50
_MOST_REMEMBERED = 10_000
"""Messages that are remembered as not understood, or as failing; the oldest are told again."""
_ENDS_A_VISIT = (LeaseEndedError, DestinationUnreachableError, StoreUnavailableError)


class Postman:
    """A thread that visits every mailbox which the directory names, again and again.

    Args:
        gateway: the live objects.
        line: what requests go out on.
        poll: how long to wait between two rounds.
    """

    def __init__(self, gateway: Gateway, line: HttpsLine, *, poll: timedelta) -> None:
        self._gateway = gateway
        self._line = line
        self._poll = poll
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mailboxes")
        self._left: dict[str, None] = {}
        self._greeted: dict[str, float] = {}
        self._tracked: dict[str, str] = {}
        self._failing: dict[str, None] = {}

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, *, patience: timedelta) -> bool:
        """Ask the thread to stop, and wait; tell whether it did."""
        self._stopping.set()
        self._thread.join(patience.total_seconds())
        return not self._thread.is_alive()

    def _work(self) -> None:
        self._tried("mailboxes", self.make_round)
        while not self._stopping.wait(self._poll.total_seconds()):
            self._tried("mailboxes", self.make_round)

    def make_round(self) -> None:
        """Visit each mailbox once."""
        for endpoints in mailboxes(self._gateway):
            self._visit(endpoints)

    def _visit(self, endpoints: Sequence[Endpoint]) -> None:
        """Take in what waits in one mailbox, then see what was collected of ours.

        A message that cannot be read or put on record stops no other, and comes last next time.
        """
        where = f"the mailbox of endpoint {endpoints[0].id}"
        mailbox = Mailbox(self._line, endpoints[0])
        deadline = time.monotonic() + _ROUND.total_seconds()

        def visit() -> None:
            self._greet(mailbox, deadline)
            most = _MOST_MESSAGES + len(self._left)
            found = {
                f"MESH message {each}, in {where},": each
                for each in mailbox.waiting(most=most, deadline=deadline)
            }
            for label in sorted(found, key=self._failing.__contains__):
                if self._stopping.is_set():
                    return
                take = partial(self._take, mailbox, found[label], endpoints, deadline)
                self._tried(label, take, but=_ENDS_A_VISIT)
            self._track(mailbox, endpoints, deadline)

        self._tried(where, visit)

    def _greet(self, mailbox: Mailbox, deadline: float) -> None:
        key, now = mailbox.endpoint.id, time.monotonic()
        if now - self._greeted.get(key, -_GREET_EVERY.total_seconds()) >= (
            _GREET_EVERY.total_seconds()
        ):
            mailbox.greet(deadline=deadline)
            self._greeted[key] = now

    def _take(
        self, mailbox: Mailbox, name: str, endpoints: Sequence[Endpoint], deadline: float
    ) -> None:
        """Read one message, put on record what it says, and acknowledge it, in this order."""
        key = f"{mailbox.endpoint.id} {name}"
        if key in self._left:
            return
        post = mailbox.read(name, deadline=deadline)
        if post is None:
            return
        fate = take_in(post, endpoints, self._gateway)
        if fate is Fate.ON_RECORD:
            mailbox.acknowledge(name, deadline=deadline)
        elif fate is Fate.NOT_UNDERSTOOD:
            self._leave(key)

    def _leave(self, key: str) -> None:
        _put(self._left, key)
        endpoint, _, name = key.partition(" ")
        _log.warning(
            "MESH message %s, in the mailbox of endpoint %s, is not one that we understand; it is"
            " left there, and MESH gives it back to its sender",
            name,
            endpoint,
        )

    def _track(self, mailbox: Mailbox, endpoints: Sequence[Endpoint], deadline: float) -> None:
        """See what the recipients collected, some deliveries in each round, in turn."""
        key = mailbox.endpoint.id
        some = not_yet_collected(
            self._gateway, endpoints, after=self._tracked.get(key, ""), most=_MOST_TRACKED
        )
        for each in some:
            if each.receipt and mailbox.is_collected(each.receipt, deadline=deadline):
                note_collected(each, self._gateway)
        is_last = len(some) < _MOST_TRACKED
        self._tracked[key] = "" if is_last else some[-1].id

    def _tried(
        self, name: str, act: Callable[[], None], *, but: tuple[type[GatewayError], ...] = ()
    ) -> None:
        """Do something; tell when it begins to fail, and when it is well again.

        Raises:
            GatewayError: one of those in `but`.
        """
        try:
            act()
        except but:
            raise
        except DeliveryError as error:
            self._tell(name, f"{type(error).__name__}, {error}")
        except GatewayError as error:
            self._tell(name, type(error).__name__)
        except Exception as error:  # noqa: BLE001  # a loop that must not end
            self._tell(name, f"an unforeseen {type(error).__name__}")
        else:
            if name in self._failing:
                del self._failing[name]
                _log.warning("ALERT: %s is read again", name)

    def _tell(self, name: str, why: str) -> None:
        if name not in self._failing:
            _put(self._failing, name)
            _log.error("ALERT: %s cannot be read (%s); it is tried again", name, why)


def _put(remembered: dict[str, None], name: str) -> None:
    """Remember one thing more; where they are too many, forget the oldest."""
    remembered[name] = None
    if len(remembered) > _MOST_REMEMBERED:
        del remembered[next(iter(remembered))]
