"""A delivery that a worker has leased, and its referral: locked and read as one.

What enters: a delivery as it was claimed or released. What leaves: its referral as it stands, and
the means to open what was received. Must never: hand out the referral of a delivery that
somebody else has moved since.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, bindparam, select

from gateway.referral.model import Delivery, Referral
from gateway.store import referrals
from gateway.store.engine import Transaction
from gateway.store.tables import delivery, person, referral
from gateway.store.vault import Vault

_TOGETHER = delivery.join(referral, referral.c.id == delivery.c.referral)
_LEASED: Select[Any] = (
    select(*referrals.COLUMNS, delivery.c.version.label("delivery_version"))
    .select_from(_TOGETHER)
    .where(delivery.c.id == bindparam("of_id"))
    .with_for_update(of=[delivery, referral])
)
_WITH_BODY: Select[Any] = (
    select(
        *referrals.COLUMNS,
        delivery.c.version.label("delivery_version"),
        referral.c.wrapped_key,
        referral.c.sealed_body,
        person.c.wrapped_key.label("key_of_person"),
    )
    .select_from(_TOGETHER.join(person, person.c.handle == referral.c.subject))
    .where(delivery.c.id == bindparam("of_id"))
    .with_for_update(of=[delivery, referral])
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A referral whose delivery nobody has touched, and its bytes as received, still sealed."""

    referral: Referral
    wrapped_key: bytes = field(repr=False)
    sealed_body: bytes = field(repr=False)

    def open(self, vault: Vault) -> bytes:
        """Open the bytes as received.

        Raises:
            DamagedRecordError: they do not open under their key.
        """
        name = f"referral/{self.referral.id}"
        key = vault.open_key(self.wrapped_key, name)
        return vault.open(key, self.sealed_body, f"{name}/body")


def hold_still(tx: Transaction, claimed: Delivery) -> Referral | None:
    """Lock a delivery and then its referral; None: somebody has moved the delivery since."""
    row = tx.connection.execute(_LEASED, {"of_id": claimed.id}).one()
    return referrals.read(row) if row.delivery_version == claimed.version else None


def hold_with_body(tx: Transaction, claimed: Delivery) -> Leased | None:
    """Do the same, and read what was received with it; the person's key is met on the way."""
    row = tx.connection.execute(_WITH_BODY, {"of_id": claimed.id}).one()
    if row.delivery_version != claimed.version:
        return None
    tx.wrapped_keys[row.subject] = row.key_of_person
    return Leased(
        referral=referrals.read(row), wrapped_key=row.wrapped_key, sealed_body=row.sealed_body
    )
