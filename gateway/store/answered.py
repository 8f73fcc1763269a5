"""What a provider was brought, by the names that it may use; and how many letters a referral has."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from gateway.referral.identifiers import OdsCode, ReferralId
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.referral.model import Delivery
from gateway.store import deliveries
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import delivery, referral


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """By what a provider may name what it was sent: ours alone, and the sender's correlation id."""

    ids: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    correlation_id: str | None = None


def brought_to(view: Reading | Transaction, provider: OdsCode, names: Names) -> list[Delivery]:
    """List what was sent to a provider of the referrals that it names, oldest first.

    An id is a delivery's or a referral's. What has not left yet is not listed.
    """
    is_named = or_(
        delivery.c.id.in_(names.ids),
        referral.c.id.in_(names.ids),
        referral.c.reference.in_(names.references),
        referral.c.correlation_id == names.correlation_id,
    )
    has_left = or_(delivery.c.state == DeliveryState.DELIVERED, delivery.c.may_have_arrived)
    rows = view.connection.execute(
        select(delivery)
        .join(referral, referral.c.id == delivery.c.referral)
        .where(
            delivery.c.provider == provider,
            delivery.c.kind == DeliveryKind.REFERRAL,
            is_named,
            has_left,
        )
        .order_by(delivery.c.created_at, delivery.c.id)
    )
    return [deliveries.read(row) for row in rows]


def parts_of(tx: Transaction, referral_id: ReferralId) -> int:
    """Count the letters of a referral, which is locked."""
    query = select(func.count()).where(
        delivery.c.referral == referral_id, delivery.c.kind == DeliveryKind.LETTER
    )
    return tx.connection.execute(query).scalar_one()
