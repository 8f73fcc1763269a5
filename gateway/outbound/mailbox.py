"""The postman: a thread that looks after our MESH mailboxes while the worker delivers.

What enters: the gateway, and a line. What leaves: each message put on record, answered where its
sender waits for that, and only then acknowledged; and what recipients collected, noted. The message
is its own reminder: until it is acknowledged it is seen to again, after a crash too, and the answer
is the same. What is not understood is left where it is, told once by its id, and does not stop the
rest. The thread does not end by itself: what fails is told at its start and at its end, and tried
again in the next round.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from gateway.errors import (
    DeliveryError,
    DestinationRefusedError,
    DestinationUnreachableError,
    GatewayError,
    LeaseEndedError,
    StoreUnavailableError,
)
from gateway.journey.gateway import Gateway
from gateway.journey.returned import (
    Fate,
    Taken,
    mailboxes,
    not_yet_collected,
    note_collected,
    take_in,
)
from gateway.journey.returned_outcome import have_provider_told
from gateway.mapping.outcome_answer import Reply
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
_MOST_UNFINISHED = 500
"""Messages on record whose answer, or acknowledgement, is to be tried again; the oldest are read
again. An answer with a hundred faults has about 40 kB."""
_WHY_LEFT: Final = {
    Fate.REFUSED: "holds an outcome that is refused",
    Fate.NOT_UNDERSTOOD: "is not one that we understand",
}
_T = TypeVar("_T")
_FOR_GOOD = range(400, 500)
"""HTTP statuses by which MESH will never take an answer: 417, not registered for its workflow."""
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
        self._unfinished: dict[str, Taken] = {}

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

        A message that cannot be read, put on record or answered stops no other, and comes last
        next time.
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
                self._tried(label, take, what="read or answered", but=_ENDS_A_VISIT)
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
        """Read one message, put on record what it says, answer, acknowledge it, in this order.

        What could not be answered or acknowledged is not put on record a second time.
        """
        key = f"{mailbox.endpoint.id} {name}"
        if key in self._left:
            return
        taken = self._unfinished.get(key)
        if taken is None:
            post = mailbox.read(name, deadline=deadline)
            if post is None:
                return
            taken = take_in(post, endpoints, self._gateway)
        fate = taken.fate
        if taken.reply is not None:
            _put(self._unfinished, key, taken, most=_MOST_UNFINISHED)
            fate = self._answer(mailbox, name, taken, taken.reply, deadline)
            _put(self._unfinished, key, Taken(fate=fate), most=_MOST_UNFINISHED)
        if fate is Fate.ON_RECORD:
            mailbox.acknowledge(name, deadline=deadline)
        elif fate in _WHY_LEFT:
            self._leave(key, _WHY_LEFT[fate])
        self._unfinished.pop(key, None)

    def _answer(
        self, mailbox: Mailbox, name: str, taken: Taken, reply: Reply, deadline: float
    ) -> Fate:
        """Answer a message; return what becomes of it then.

        Where MESH will never take the answer, what was refused is left for MESH to give back, and
        what goes back to its provider otherwise is for a person to tell.
        """
        try:
            mailbox.reply(reply, deadline=deadline)
        except DestinationRefusedError as error:
            if error.status not in _FOR_GOOD:
                raise
            _log.error(
                "ALERT: MESH will not take the answer to MESH message %s, in the mailbox of endpoint"
                " %s (%s): is the workflow registered for both mailboxes?",
                name,
                mailbox.endpoint.id,
                error.status,
            )
            if taken.untold is not None:
                have_provider_told(taken.untold, self._gateway)
            return taken.fate
        return Fate.ON_RECORD

    def _leave(self, key: str, why: str) -> None:
        _put(self._left, key, None)
        endpoint, _, name = key.partition(" ")
        _log.warning(
            "MESH message %s, in the mailbox of endpoint %s, %s; it is left there, and MESH gives it"
            " back to its sender",
            name,
            endpoint,
            why,
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
        self,
        name: str,
        act: Callable[[], None],
        *,
        what: str = "read",
        but: tuple[type[GatewayError], ...] = (),
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
            self._tell(name, what, f"{type(error).__name__}, {error}")
        except GatewayError as error:
            self._tell(name, what, type(error).__name__)
        except Exception as error:  # noqa: BLE001  # a loop that must not end
            self._tell(name, what, f"an unforeseen {type(error).__name__}")
        else:
            if name in self._failing:
                del self._failing[name]
                _log.warning("ALERT: %s is %s again", name, what)

    def _tell(self, name: str, what: str, why: str) -> None:
        if name not in self._failing:
            _put(self._failing, name, None)
            _log.error("ALERT: %s cannot be %s (%s); it is tried again", name, what, why)


def _put(remembered: dict[str, _T], name: str, value: _T, *, most: int = _MOST_REMEMBERED) -> None:
    """Remember one thing more; where they are too many, forget the oldest."""
    remembered[name] = value
    if len(remembered) > most:
        del remembered[next(iter(remembered))]
