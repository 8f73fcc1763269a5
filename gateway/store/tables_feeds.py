"""The tables of the feeds: each provider's numbered list, and who is told of it.

A list has a head, which says how many events it has, and one row for each. Its numbers are 1
to `size`, none left out: a row outlives the delivery that it was about.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from gateway.store.columns import CODE, ODS, UUID, metadata
from gateway.store.types import Instant

feed_head = Table(
    "feed_head",
    metadata,
    Column("subscriber", ODS, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("at", Instant, nullable=False, comment="of the newest event"),
)

feed_event = Table(
    "feed_event",
    metadata,
    Column("subscriber", ODS, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="from 1, no gaps"),
    Column("at", Instant, nullable=False, comment="never before that of the event before"),
    Column("kind", String(24), nullable=False),
    Column("delivery", UUID, ForeignKey("delivery.id"), comment="empty: it was erased"),
    Index(None, "delivery"),
    Index(None, "subscriber", "at", "seq"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("subscriber", ODS, nullable=False),
    Column("client", CODE, nullable=False),
    Column("channel", String(16), nullable=False, comment="what is posted"),
    Column("address", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column(
        "sealed_secret", LargeBinary, nullable=False, comment="what notifications are signed by"
    ),
    Column("sealed_headers", LargeBinary, comment="JSON: the receiver's own headers"),
    Column("payload", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_after", BigInteger, nullable=False, comment="the list's size when it was made"),
    Column("next_seq", BigInteger, nullable=False, comment="the first one not yet taken"),
    Column("batch_until", BigInteger, comment="the last one of what is sent until it is taken"),
    Column("heartbeat_seconds", Integer, nullable=False),
    Column("timeout_seconds", Integer, nullable=False),
    Column("max_count", Integer, nullable=False, comment="events in one notification"),
    Column("next_at", Instant, nullable=False),
    Column("claimed_at", Instant, nullable=False, comment="when it last had its turn"),
    Column("failures", Integer, nullable=False, comment="in a row; a 2xx ends the row"),
    Column("switched_on_at", Instant, nullable=False, comment="asked for, last"),
    Column("confirmed_at", Instant, comment="when its address took the handshake"),
    Column("last_sent_at", Instant),
    Column("last_ok_at", Instant),
    Column("stalled_at", Instant, comment="since when the alarm is up"),
    Column("error", CODE),
    Column("end_at", Instant),
    Column("lease_owner", CODE),
    Column("lease_until", Instant),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("subscriber", "address"),
    Index(None, "status", "next_at"),
    CheckConstraint(
        "(lease_owner IS NULL) = (lease_until IS NULL)", name="a_lease_has_an_owner_and_an_end"
    ),
)
