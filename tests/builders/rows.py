"""One referral and its delivery as the store keeps them, always the same."""

from datetime import UTC, datetime

from gateway.referral.identifiers import (
    ClientId,
    CorrelationId,
    DeliveryId,
    EndpointId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
)
from gateway.referral.lifecycle import (
    DeliveryKind,
    DeliveryState,
    ReferralState,
    RequestStatus,
)
from gateway.referral.model import Delivery, Door, Referral

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NAMES = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")


def a_referral(purpose: str = "occupational-health") -> Referral:
    return Referral(
        id=ReferralId(NAMES[0]), reference=ReferralReference("RG-7K3M-9QX2"),
        practice=OdsCode("G99001"), sender=ClientId("gp-one"), subject=Handle("0" * 32),
        door=Door.REST, request_id=RequestId(NAMES[0]), correlation_id=CorrelationId(NAMES[0]),
        purpose=purpose, service=ServiceId("oh-assessment"), provider=OdsCode("RX901"),
        state=ReferralState.IN_FLIGHT, hold=None, closed_because=None,
        status=RequestStatus.ACTIVE, content_version=1, content_at=AT, body_sha256="0" * 64,
        version=2, received_at=AT, updated_at=AT,
    )  # fmt: skip


def a_delivery(attempts: int = 1) -> Delivery:
    return Delivery(
        id=DeliveryId(NAMES[1]), kind=DeliveryKind.REFERRAL, referral=ReferralId(NAMES[0]),
        service=ServiceId("oh-assessment"), provider=OdsCode("RX901"),
        state=DeliveryState.IN_FLIGHT, attempts=attempts, next_at=AT, give_up_at=AT,
        lease_owner="worker", lease_until=AT, reason=None, may_have_arrived=False, lane=EndpointId("oh"),
        version=attempts, created_at=AT, updated_at=AT,
    )  # fmt: skip
