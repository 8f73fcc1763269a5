"""Walks through the gateway that go on one step at a time, as a test tells them to.

A walk is the real flow in a thread of its own: an attempt, or a withdrawal. It stops where it asks
a clock and where it meets the provider, so between any two of its transactions; then others may go
on, time may pass, or it may die there. Only one walk moves at a time, so what happened first is
never in doubt. The provider is a model: it notes each message whose bytes came, and takes each
idempotency key in once.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gateway.errors import (
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.inbound.front_door import build_front_door
from gateway.journey.gateway import Acknowledgement, Gateway, Parcel
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.lifecycle import DeliveryKind
from gateway.referral.model import Delivery, Referral
from tests.builders.house import START, House

_PATIENCE = 20.0
"""Seconds after which a walk that does not come back is taken to hang: more than any database's."""


class Fate(StrEnum):
    """What becomes of an attempt's message."""

    ARRIVES = "arrives"
    NO_REPLY = "the provider has it, its answer is lost"
    LOST = "its bytes left, and nobody has it"
    BUSY = "the provider answers 503"
    REFUSED = "the provider answers 422"
    UNREACHABLE = "no connection"


TAKEN_IN = (Fate.ARRIVES, Fate.NO_REPLY)


class Lost(BaseException):  # no error of the program: its process is gone
    """The process of a walk died."""


class Walk:
    """One flow, which goes on only when it is told to.

    `at` says where it stands: at a clock, at the provider; empty before it begins; None: it is
    over, and `failure` says how where it did not end well.
    """

    def __init__(self, stage: "Stage", act: Callable[[], object], fate: Fate) -> None:
        self.at: str | None = ""
        self.fate = fate
        self.failure: BaseException | None = None
        self._stage, self._act = stage, act
        self._may_go, self._has_stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._is_dying = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self, *, patience: float = _PATIENCE) -> bool:
        """Go on to the next stop, or the end; tell whether it came there: else it is waited for."""
        if self.at is not None:
            self._may_go.release()
        return self.arrive(patience=patience)

    def arrive(self, *, patience: float = _PATIENCE) -> bool:
        """Wait until it stands again."""
        if self.at is None:
            return True
        has_stopped = self._has_stopped.acquire(timeout=patience)
        assert has_stopped or patience < _PATIENCE, "a walk hangs"
        return has_stopped

    def die(self) -> None:
        """End it where it stands, as SIGKILL ends a process."""
        self._is_dying = True
        self.go_on()
        self._thread.join(_PATIENCE)

    def stop(self, at: str) -> None:
        """Stand here until told to go on. Called by the walk itself."""
        self.at = at
        self._has_stopped.release()
        self._may_go.acquire()
        if self._is_dying:
            raise Lost

    def _run(self) -> None:
        self._may_go.acquire()
        try:
            if not self._is_dying:
                self._stage.enter(self)
                self._act()
        except Lost:
            pass
        except BaseException as failure:  # noqa: BLE001  # told to the test
            self.failure = failure
        self.at = None
        self._has_stopped.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message whose bytes came to the provider."""

    key: str
    referral: str
    kind: DeliveryKind
    sha256: str


@dataclass
class Stage:
    """Where walks meet: the clocks, and the provider.

    `is_deaf_to_deadlines` breaks the fence of the transport, for a test of that test.
    """

    house: House
    arrivals: list[Arrival] = field(default_factory=list)
    taken_in: dict[str, str] = field(default_factory=dict)
    is_deaf_to_deadlines: bool = False
    _own: threading.local = field(default_factory=threading.local)

    def begin_again(self) -> None:
        """Forget all that happened; the database is another by now."""
        self.arrivals.clear()
        self.taken_in.clear()
        self.house.tokens.clear()
        self.house.clock.now = START

    def walk(self, act: Callable[[], object], fate: Fate = Fate.ARRIVES) -> Walk:
        return Walk(self, act, fate)

    def enter(self, walk: Walk) -> None:
        self._own.walk = walk

    def stop(self, at: str) -> None:
        """Let whoever walks here stand; the test itself never does."""
        walk: Walk | None = getattr(self._own, "walk", None)
        if walk is not None:
            walk.stop(at)

    def seconds(self) -> float:
        """The clock that nobody sets. It goes as the other does: all machines share that."""
        self.stop("monotonic")
        return self.passed()

    def passed(self) -> float:
        return (self.house.clock.now - START).total_seconds()

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """The provider, and the line to it, which lets no byte out after the deadline."""
        self.stop("sending")
        walk: Walk | None = getattr(self._own, "walk", None)
        fate = walk.fate if walk else Fate.ARRIVES
        if self.passed() >= deadline and not self.is_deaf_to_deadlines:
            msg = "too late"
            raise LeaseEndedError(msg)
        if fate is Fate.UNREACHABLE:
            msg = "off"
            raise DestinationUnreachableError(msg)
        self._take(parcel, fate)
        self.stop("answering")
        _answer(fate, is_late=self.passed() >= deadline)
        return Acknowledgement(status=200)

    def _take(self, parcel: Parcel, fate: Fate) -> None:
        key = parcel.delivery.id
        self.arrivals.append(
            Arrival(
                key=key,
                referral=parcel.referral.id,
                kind=parcel.delivery.kind,
                sha256=parcel.body_sha256,
            )
        )
        if fate in TAKEN_IN:
            before = self.taken_in.setdefault(key, parcel.body_sha256)
            assert before == parcel.body_sha256, "one key came with other bytes"


def _answer(fate: Fate, *, is_late: bool) -> None:
    if fate is Fate.BUSY and not is_late:
        msg = "later"
        raise DestinationBusyError(msg, status=503)
    if fate is Fate.REFUSED and not is_late:
        msg = "no"
        raise DestinationRefusedError(msg, status=422)
    if fate is not Fate.ARRIVES or is_late:
        msg = "nothing came back in time"
        raise NoReplyError(msg)


class StoppingWriter(FhirTransaction):
    """A writer at which a walk stands in the middle of its release transaction."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, endpoint: Endpoint
    ) -> bytes:
        """Write as the real one does."""
        self._stage.stop("deciding")
        return super().write(message, referral, delivery, endpoint)


def staged(house: House, **changed: object) -> Stage:
    """Put a house on a stage: whoever walks there meets its clocks and its provider."""
    stage = Stage(house)

    def now() -> object:
        stage.stop("clock")
        return stage.house.clock.now

    told: Mapping[str, object] = {
        "clock": now,
        "monotonic": stage.seconds,
        "destinations": {Transport.FHIR_REST: stage},
    }
    gateway: Gateway = replace(house.gateway, **{**told, **changed})  # type: ignore[arg-type]  # by name
    app = build_front_door(
        gateway,
        public_url=house.settings.public_url,
        token_lifetime=house.settings.token_lifetime,
        max_body_bytes=house.settings.max_body_bytes,
    )
    stage.house = replace(house, gateway=gateway, app=app, web=app.test_client())
    return stage


def deciding_slowly(stage: Stage, gateway: Gateway) -> Gateway:
    """A gateway whose releases stand still between their decision and their commit."""
    return replace(gateway, writers={Format.FHIR_TRANSACTION: StoppingWriter(stage)})
