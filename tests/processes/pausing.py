"""A worker that is stopped as by SIGSTOP between the release of a delivery and its first byte.

What enters: where to stop. The gateway is the real one, built by the composition root; its clock
or its destination is wrapped, and ends in a signal to its own process. Whoever started it lets it
go on with SIGCONT. No code outside the tests knows of it.
"""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Acknowledgement, Destination, Parcel
from gateway.referral.directory import Transport


class Pause(StrEnum):
    """Where to stop. After the check only the fence of the line itself is left."""

    BEFORE_THE_CHECK = "released, and the time not looked at"
    AFTER_THE_CHECK = "the time was looked at, and no byte sent"


class PausingClock:
    """A monotonic clock at whose second reading the process stops, before it reads."""

    def __init__(self) -> None:
        self._readings = 0

    def __call__(self) -> float:
        self._readings += 1
        if self._readings == 2:
            stop()
        return time.monotonic()


class PausingDestination:
    """A destination before which the process stops."""

    def __init__(self, inner: Destination) -> None:
        self._inner = inner

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        stop()
        return self._inner.send(parcel, deadline=deadline)


def deliver_and_pause(pause: Pause, environment: Mapping[str, str]) -> None:
    """Make one attempt as a worker does, and stop on the way."""
    os.environ.clear()
    os.environ.update(environment)
    gateway = open_gateway(read_settings())
    if pause is Pause.BEFORE_THE_CHECK:
        gateway = replace(gateway, monotonic=PausingClock())
    else:
        real = gateway.destinations[Transport.FHIR_REST]
        pausing = {Transport.FHIR_REST: PausingDestination(real)}
        gateway = replace(gateway, destinations={**gateway.destinations, **pausing})
    deliver_next("one-that-pauses", gateway)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped. Source: proc(5), /proc/pid/stat, field 3."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
