"""The live objects that every flow is handed: store, profiles, policy, schedule, clock."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from gateway.consent.decide import Policy
from gateway.fhir.profiles.model import Profiles
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.identifiers import OdsCode, ReferralReference
from gateway.referral.model import Delivery, Referral
from gateway.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Exactly what leaves in one attempt. `body_sha256` is hexadecimal, of `body`."""

    delivery: Delivery
    referral: Referral
    endpoint: Endpoint
    body: bytes
    body_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The destination has it. `status` is its HTTP status."""

    status: int


class Destination(Protocol):
    """One way to reach a provider: a module under `outbound`, or a fake in tests."""

    def prepare(self, message: Outgoing, referral: Referral, delivery: Delivery) -> bytes:
        """Map a message to the exact bytes that would leave. Pure."""

    def prepare_recall(self, referral: Referral, recall: Delivery) -> bytes:
        """Write the exact bytes that tell a service to stop. Pure; no patient data."""

    def send(self, parcel: Parcel, *, timeout: timedelta) -> Acknowledgement:
        """Send the bytes and wait for the answer, in all no longer than the timeout.

        Raises:
            DeliveryError: it did not arrive, or nobody knows, or it was refused.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a failed attempt is made again.

    The wait doubles from `first` to `longest`, less a random part of up to a half, and ends
    `horizon` after the delivery was queued. `hold_due` is how soon a held referral must be
    looked at. A worker stops waiting for an answer `margin` before its lease ends.
    """

    first: timedelta
    longest: timedelta
    horizon: timedelta
    lease: timedelta
    margin: timedelta
    hold_due: timedelta

    def wait(self, attempts: int, chance: float) -> timedelta:
        """Tell how long to wait after so many attempts; `chance` is from 0 to 1."""
        doublings = min(max(attempts - 1, 0), 30)
        doubled: timedelta = self.first * (1 << doublings)
        return min(doubled, self.longest) * (1 - chance / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What the composition root hands to each flow. `clock` returns aware UTC times.

    `opt_out_age`: how old an answer of the national data opt-out service may be.
    """

    store: Store
    profiles: Profiles
    policy: Policy
    schedule: Schedule
    ods: OdsCode
    destinations: dict[Transport, Destination]
    opt_out_age: timedelta = timedelta(days=1)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_uuid: Callable[[], uuid.UUID] = uuid.uuid4
    chance: Callable[[], float] = secrets.SystemRandom().random

    def new_reference(self) -> ReferralReference:
        """Draw a reference that a person can quote."""
        return ReferralReference.of(secrets.randbits(40))
