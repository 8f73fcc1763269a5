"""A worker that dies of SIGKILL at one chosen step of its walk, and nowhere else.

What enters: the step, and a receiver to listen to. The gateway is the real one, built by the
composition root; around its destination, and on its database's commits, stands a wrapper
that ends the process. No code outside the tests knows of it.
"""

import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, event

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Acknowledgement, Destination, Parcel
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.model import Delivery, Referral
from tests.processes.receiver import Receiver


class Step(StrEnum):
    """Where to die. The -ing of a transaction is just before its commit."""

    CLAIMING = "claiming"
    CLAIMED = "claimed"
    RELEASING = "releasing"
    RELEASED = "released"
    SENDING = "the receiver reads, and has not taken it in"
    TAKEN = "the receiver has taken it in, and not answered"
    ANSWERED = "the answer is read"
    SETTLING = "settling"
    SETTLED = "settled"


_COMMITS = {Step.CLAIMING: 1, Step.RELEASING: 2, Step.SETTLING: 3}


class FatalWriter(FhirTransaction):
    """A writer that ends its process before it has written anything."""

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, endpoint: Endpoint
    ) -> bytes:
        die()
        return super().write(message, referral, delivery, endpoint)


class FatalDestination:
    """A destination that ends its process at its step."""

    def __init__(self, inner: Destination, step: Step, receiver: Receiver) -> None:
        self._inner = inner
        self._step = step
        self._receiver = receiver

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if self._step is Step.RELEASED:
            die()
        heard = {Step.SENDING: "began", Step.TAKEN: "kept"}.get(self._step)
        if heard is not None:
            threading.Thread(target=self._die_on, args=(heard, parcel.delivery.id)).start()
        acknowledged = self._inner.send(parcel, deadline=deadline)
        if self._step is Step.ANSWERED:
            die()
        return acknowledged

    def _die_on(self, heard: str, key: str) -> None:
        self._receiver.await_event(event=heard, key=key)
        die()


def deliver_and_die(step: Step, environment: Mapping[str, str], receiver: Path) -> None:
    """Make one attempt as a worker does, and die at the step, or else at the end."""
    os.environ.clear()
    os.environ.update(environment)
    gateway = open_gateway(read_settings())
    commits = 0

    def count(_connection: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits == _COMMITS.get(step):
            die()

    event.listen(gateway.store.engine, "commit", count)
    real = gateway.destinations[Transport.FHIR_REST]
    fatal = FatalDestination(real, step, Receiver(receiver))
    writer = FatalWriter() if step is Step.CLAIMED else FhirTransaction()
    deliver_next(
        "one-that-dies",
        replace(
            gateway,
            writers={Format.FHIR_TRANSACTION: writer},
            destinations={Transport.FHIR_REST: fatal},
        ),
    )
    die()


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()
