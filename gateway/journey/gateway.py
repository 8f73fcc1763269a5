"""The live objects that every flow is handed: store, profiles, policy, schedule, clock."""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway.consent.decide import Policy
from gateway.fhir.profiles.model import Profiles
from gateway.mapping.mesh import Control
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import OdsCode, ReferralReference
from gateway.referral.model import Delivery, Referral
from gateway.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Exactly what leaves in one attempt. `body_sha256` is hexadecimal, of `body`.

    `media_type` is what its format is sent as. `control` goes with a letter, which MESH routes by
    the person; None: the transport makes its own.
    """

    delivery: Delivery
    referral: Referral
    endpoint: Endpoint
    media_type: str
    body: bytes
    body_sha256: str
    control: Control | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The destination has it. `status` is its HTTP status.

    `receipt` is by what name a transport that stores and forwards knows it from now on.
    """

    status: int
    receipt: str | None = None


class Writer(Protocol):
    """One format: a module under `mapping`. Pure: the same bytes for the same at every attempt.

    `media_type` is what the bytes are sent as.
    """

    media_type: str

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, endpoint: Endpoint
    ) -> bytes:
        """Map a message to the exact bytes that would leave.

        Raises:
            MessageError: this message cannot be written so; no later attempt will change that.
        """

    def write_recall(self, referral: Referral, recall: Delivery, endpoint: Endpoint) -> bytes:
        """Write the exact bytes that tell a service to stop: nothing of the person in them."""


class Destination(Protocol):
    """One transport: a module under `outbound`, or a fake in tests."""

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """Send the bytes and wait for the answer; no byte leaves after the deadline.

        Args:
            parcel: what to send, and where.
            deadline: a reading of `time.monotonic`. Not a duration: a pause before the first
                byte must not move it.

        Raises:
            DeliveryError: it did not arrive, or nobody knows, or it was refused.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a failed attempt is made again.

    The wait doubles from `first` to `longest`, less a random part of up to a half, and ends
    `horizon` after the delivery was queued. `hold_due` is how soon a held referral must be
    looked at. An attempt has `lease` from before its decision is begun; `margin` later another
    worker may take the delivery over, and a withdrawal waits for it no longer.

    After `silences` attempts in a row without an answer a destination is left alone, for
    `rest_first` at first and twice as long each time, up to `rest_longest`. A delivery that
    `lapses` workers in a row did not come back with is put aside. `recall_due` is how soon a
    provider must answer a recall, `letter_due` how soon a practice's system must answer a letter,
    `silence` how long a provider may say nothing of a referral.
    """

    first: timedelta
    longest: timedelta
    horizon: timedelta
    lease: timedelta
    margin: timedelta
    hold_due: timedelta
    silences: int = 5
    rest_first: timedelta = timedelta(seconds=10)
    rest_longest: timedelta = timedelta(minutes=5)
    lapses: int = 3
    recall_due: timedelta = timedelta(days=2)
    letter_due: timedelta = timedelta(days=1)
    silence: timedelta = timedelta(days=14)

    def rest(self, failures: int) -> timedelta:
        """Tell how long to leave a destination alone that gave no answer so many times."""
        doublings = min(max(failures - self.silences, 0), 30)
        return min(self.rest_first * (1 << doublings), self.rest_longest)

    def wait(self, attempts: int, chance: float) -> timedelta:
        """Tell how long to wait after so many attempts; `chance` is from 0 to 1."""
        doublings = min(max(attempts - 1, 0), 30)
        doubled: timedelta = self.first * (1 << doublings)
        return min(doubled, self.longest) * (1 - chance / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What the composition root hands to each flow. `clock` returns aware UTC times.

    `monotonic` is the clock that nobody sets, in seconds: what ends an attempt is read from it.

    `opt_out_age`: how old an answer of the national data opt-out service may be.
    """

    store: Store
    profiles: Profiles
    policy: Policy
    schedule: Schedule
    ods: OdsCode
    writers: Mapping[Format, Writer]
    destinations: Mapping[Transport, Destination]
    opt_out_age: timedelta = timedelta(days=1)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    new_uuid: Callable[[], uuid.UUID] = uuid.uuid4
    chance: Callable[[], float] = secrets.SystemRandom().random

    def new_reference(self) -> ReferralReference:
        """Draw a reference that a person can quote."""
        return ReferralReference.of(secrets.randbits(40))
