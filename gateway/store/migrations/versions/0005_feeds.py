"""Each provider's numbered list of events, and subscriptions to it."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "feed_head",
        sa.Column("subscriber", sa.String(length=10), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False, comment="of the newest event"),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_feed_head")),
    )
    op.create_table(
        "feed_event",
        sa.Column("subscriber", sa.String(length=10), nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="from 1, no gaps",
        ),
        sa.Column("at", Instant(), nullable=False, comment="never before that of the event before"),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("delivery", sa.String(length=36), nullable=True, comment="empty: it was erased"),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("fk_feed_event_delivery")),
        sa.PrimaryKeyConstraint("subscriber", "seq", name=op.f("pk_feed_event")),
    )
    op.create_index(op.f("ix_feed_event_delivery"), "feed_event", ["delivery"], unique=False)
    op.create_index(
        op.f("ix_feed_event_subscriber_at_seq"),
        "feed_event",
        ["subscriber", "at", "seq"],
        unique=False,
    )
    _list_what_was_delivered()
    op.add_column(
        "recall",
        sa.Column("ground", sa.String(length=24), nullable=True, comment="on which it is retained"),
    )
    _make_subscriptions()


def _list_what_was_delivered() -> None:
    """Begin each list with what its provider has already, in the order in which it came."""
    delivery = sa.table(
        "delivery",
        *(sa.column(name) for name in ("id", "kind", "provider", "state")),
        sa.column("updated_at", Instant()),
    )
    delivered = (
        sa.select(delivery)
        .where(delivery.c.state == "delivered")
        .order_by(delivery.c.updated_at, delivery.c.id)
    )
    heads: dict[str, dict[str, object]] = {}
    events: list[dict[str, object]] = []
    for row in op.get_bind().execute(delivered):
        size = int(str(heads.get(row.provider, {}).get("size", 0))) + 1
        heads[row.provider] = {"subscriber": row.provider, "size": size, "at": row.updated_at}
        events.append(
            {
                "subscriber": row.provider,
                "seq": size,
                "at": row.updated_at,
                "kind": row.kind,
                "delivery": row.id,
            }
        )
    head = sa.table(
        "feed_head", sa.column("subscriber"), sa.column("size"), sa.column("at", Instant())
    )
    event = sa.table(
        "feed_event",
        *(sa.column(name) for name in ("subscriber", "seq", "kind", "delivery")),
        sa.column("at", Instant()),
    )
    if events:
        op.get_bind().execute(sa.insert(head), list(heads.values()))
        op.get_bind().execute(sa.insert(event), events)


def _make_subscriptions() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subscriber", sa.String(length=10), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False, comment="what is posted"),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sealed_secret",
            sa.LargeBinary(),
            nullable=False,
            comment="what notifications are signed by",
        ),
        sa.Column(
            "sealed_headers",
            sa.LargeBinary(),
            nullable=True,
            comment="JSON: the receiver's own headers",
        ),
        sa.Column("payload", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column(
            "started_after",
            sa.BigInteger(),
            nullable=False,
            comment="the list's size when it was made",
        ),
        sa.Column(
            "next_seq", sa.BigInteger(), nullable=False, comment="the first one not yet taken"
        ),
        sa.Column(
            "batch_until",
            sa.BigInteger(),
            nullable=True,
            comment="the last one of what is sent until it is taken",
        ),
        sa.Column("heartbeat_seconds", sa.Integer(), nullable=False),
        sa.Column("timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("max_count", sa.Integer(), nullable=False, comment="events in one notification"),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("claimed_at", Instant(), nullable=False, comment="when it last had its turn"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="in a row; a 2xx ends the row"),
        sa.Column("switched_on_at", Instant(), nullable=False, comment="asked for, last"),
        sa.Column(
            "confirmed_at", Instant(), nullable=True, comment="when its address took the handshake"
        ),
        sa.Column("last_sent_at", Instant(), nullable=True),
        sa.Column("last_ok_at", Instant(), nullable=True),
        sa.Column("stalled_at", Instant(), nullable=True, comment="since when the alarm is up"),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.Column("end_at", Instant(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(lease_owner IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_subscription_a_lease_has_an_owner_and_an_end"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "subscriber", "address", name=op.f("uq_subscription_subscriber_address")
        ),
    )
    op.create_index(
        op.f("ix_subscription_status_next_at"), "subscription", ["status", "next_at"], unique=False
    )
