"""A delivery as it begins, and what every ledger entry about one says.

What enters: a referral, and where it, or word of it, is to go. What leaves: a delivery that
is due at once; and the six fields by which an entry names a delivery.
"""

from dataclasses import dataclass
from typing import TypedDict

from gateway.journey.gateway import Gateway
from gateway.referral.identifiers import (
    DeliveryId,
    EndpointId,
    Handle,
    OdsCode,
    ReferralId,
    ServiceId,
)
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.referral.model import Delivery, Referral
from gateway.store import deliveries
from gateway.store.engine import Transaction


class Named(TypedDict):
    """How an entry names a delivery."""

    actor: str
    practice: OdsCode
    subject: Handle
    referral: ReferralId
    delivery: DeliveryId
    recipient: OdsCode


@dataclass(frozen=True, slots=True, kw_only=True)
class To:
    """Where a delivery goes: a service, who offers it, and the endpoint that it waits for."""

    service: ServiceId
    provider: OdsCode
    lane: EndpointId


def named(delivery: Delivery, referral: Referral, *, actor: str) -> Named:
    """Name a delivery in an entry."""
    return Named(
        actor=actor,
        practice=referral.practice,
        subject=referral.subject,
        referral=referral.id,
        delivery=delivery.id,
        recipient=delivery.provider,
    )


def put(
    tx: Transaction,
    gateway: Gateway,
    referral: ReferralId,
    *,
    kind: DeliveryKind,
    to: To,
    reason: str | None,
    delivery_id: DeliveryId | None = None,
    part: int = 0,
) -> Delivery:
    """Put a new delivery into the outbox, due at once; `part` numbers the letters of a referral."""
    new = Delivery(
        id=delivery_id or DeliveryId.of(gateway.new_uuid()),
        kind=kind,
        referral=referral,
        service=to.service,
        provider=to.provider,
        state=DeliveryState.QUEUED,
        attempts=0,
        next_at=tx.at,
        give_up_at=tx.at + gateway.schedule.horizon,
        lease_owner=None,
        lease_until=None,
        reason=reason,
        may_have_arrived=False,
        lane=to.lane,
        part=part,
        version=1,
        created_at=tx.at,
        updated_at=tx.at,
    )
    deliveries.add(tx, new)
    return new
