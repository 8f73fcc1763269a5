"""Lanes to each endpoint, what recalls are for, and withdrawals with what each covers."""

import json
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_RECALL_DUE = timedelta(days=2)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "lane",
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column(
            "concurrency", sa.Integer(), nullable=False, comment="attempts under way at once"
        ),
        sa.Column(
            "per_minute", sa.Integer(), nullable=True, comment="attempts begun; empty: any number"
        ),
        sa.Column(
            "failures", sa.Integer(), nullable=False, comment="in a row; an answer ends the row"
        ),
        sa.Column("next_at", Instant(), nullable=False, comment="no attempt begins before"),
        sa.Column("claimed_at", Instant(), nullable=False, comment="when it last had its turn"),
        sa.Column(
            "opened_at",
            Instant(),
            nullable=True,
            comment="since when its destination does not answer",
        ),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_lane")),
    )
    lane_of = _make_lanes()
    _give_deliveries_lanes(lane_of)
    op.create_table(
        "recall",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the recall's own"),
        sa.Column("recalled", sa.String(length=36), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("due", Instant(), nullable=False, comment="when the provider's answer is due"),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column(
            "answer", sa.String(length=24), nullable=True, comment="stopped, returned or retained"
        ),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column(
            "overdue_at", Instant(), nullable=True, comment="when a person was asked to call"
        ),
        sa.ForeignKeyConstraint(["id"], ["delivery.id"], name=op.f("fk_recall_id")),
        sa.ForeignKeyConstraint(["recalled"], ["delivery.id"], name=op.f("fk_recall_recalled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
        sa.UniqueConstraint("recalled", name=op.f("uq_recall_recalled")),
    )
    op.create_index(
        op.f("ix_recall_answered_at_due"), "recall", ["answered_at", "due"], unique=False
    )
    _tell_what_recalls_are_for()
    _make_withdrawals()


def _tell_what_recalls_are_for() -> None:
    """Give each recall that was queued before a row; its provider has as long as for a new one."""
    names = ("id", "kind", "referral", "service", "state", "reason")
    told, brought = (
        sa.table("delivery", *map(sa.column, names), sa.column("updated_at", Instant())).alias(name)
        for name in ("told", "brought")
    )
    is_same = sa.and_(brought.c.referral == told.c.referral, brought.c.service == told.c.service)
    recall = sa.table(
        "recall",
        *(sa.column(name) for name in ("id", "recalled", "cause")),
        *(sa.column(name, Instant()) for name in ("due", "sent_at")),
    )
    due = datetime.now(UTC) + _RECALL_DUE
    rows = (
        sa.select(
            told.c.id,
            brought.c.id,
            sa.func.coalesce(told.c.reason, "CANCELLED"),
            sa.literal(due, Instant()),
            sa.case((told.c.state == "delivered", told.c.updated_at)),
        )
        .join(brought, sa.and_(is_same, brought.c.kind == "referral"))
        .where(told.c.kind == "recall")
    )
    names_here = ["id", "recalled", "cause", "due", "sent_at"]
    op.get_bind().execute(sa.insert(recall).from_select(names_here, rows))


def _make_withdrawals() -> None:
    op.create_table(
        "withdrawal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column(
            "cause",
            sa.String(length=24),
            nullable=False,
            comment="consent, agreement, switch or assurance",
        ),
        sa.Column(
            "about", sa.String(length=64), nullable=False, comment="id of what was withdrawn"
        ),
        sa.Column("practice", sa.String(length=10), nullable=True),
        sa.Column("recipient", sa.String(length=10), nullable=True),
        sa.Column("subject", sa.String(length=32), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("withdrawn_at", Instant(), nullable=False),
        sa.Column(
            "acknowledged_at",
            Instant(),
            nullable=True,
            comment="from here on nothing that it covers leaves",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal")),
    )
    op.create_index(
        op.f("ix_withdrawal_practice_withdrawn_at_id"),
        "withdrawal",
        ["practice", "withdrawn_at", "id"],
        unique=False,
    )
    op.create_table(
        "withdrawal_delivery",
        sa.Column("withdrawal", sa.String(length=36), nullable=False),
        sa.Column("delivery", sa.String(length=36), nullable=False),
        sa.Column(
            "standing",
            sa.String(length=16),
            nullable=False,
            comment="stopped, delivered or unknown",
        ),
        sa.Column("recall", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery"], ["delivery.id"], name=op.f("fk_withdrawal_delivery_delivery")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal"], ["withdrawal.id"], name=op.f("fk_withdrawal_delivery_withdrawal")
        ),
        sa.PrimaryKeyConstraint("withdrawal", "delivery", name=op.f("pk_withdrawal_delivery")),
    )
    op.create_index(
        op.f("ix_withdrawal_delivery_delivery"), "withdrawal_delivery", ["delivery"], unique=False
    )


def _make_lanes() -> dict[str, str]:
    """Make a lane for each endpoint that was ever in the directory; tell each service's."""
    connection = op.get_bind()
    record = sa.table(
        "directory_record",
        *(sa.column(name) for name in ("kind", "key", "version", "body")),
    )
    of_kind = sa.select(record.c.key, record.c.body).where(record.c.kind == sa.bindparam("kind"))
    in_order = of_kind.order_by(record.c.key, record.c.version)
    endpoints = {row.key for row in connection.execute(in_order, {"kind": "endpoint"})}
    services = {
        row.key: json.loads(row.body)["endpoint"]
        for row in connection.execute(in_order, {"kind": "service"})
    }
    used = connection.execute(sa.text("SELECT DISTINCT service FROM delivery")).scalars()
    lane_of = {service: services.get(service, service) for service in used}
    lane = sa.table(
        "lane",
        *(sa.column(name) for name in ("endpoint", "concurrency", "failures")),
        *(sa.column(name, Instant()) for name in ("next_at", "claimed_at")),
    )
    for endpoint in sorted(endpoints | set(lane_of.values())):
        row = {"endpoint": endpoint, "concurrency": 8, "failures": 0}
        connection.execute(sa.insert(lane).values(**row, next_at=_LONG_AGO, claimed_at=_LONG_AGO))
    return lane_of


def _give_deliveries_lanes(lane_of: dict[str, str]) -> None:
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(
            sa.Column("lane", sa.String(length=64), nullable=True, comment="its endpoint")
        )
        delivery.add_column(
            sa.Column(
                "released_at",
                Instant(),
                nullable=True,
                comment="while in flight: since when its bytes may leave",
            )
        )
        delivery.add_column(
            sa.Column(
                "lapses",
                sa.Integer(),
                nullable=False,
                server_default="0",
                comment="workers in a row that did not come back",
            )
        )
        delivery.add_column(
            sa.Column(
                "withdrawn",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="no attempt follows the one under way",
            )
        )
        delivery.add_column(
            sa.Column(
                "receipt",
                sa.String(length=64),
                nullable=True,
                comment="its name at a transport that stores and forwards",
            )
        )
        delivery.add_column(
            sa.Column(
                "reached",
                sa.String(length=16),
                nullable=True,
                comment="how far such a transport has brought it",
            )
        )
    change = sa.text("UPDATE delivery SET lane = :lane WHERE service = :service")
    for service, lane in lane_of.items():
        op.get_bind().execute(change, {"lane": lane, "service": service})
    with op.batch_alter_table("delivery") as delivery:
        delivery.alter_column("lane", existing_type=sa.String(length=64), nullable=False)
        delivery.alter_column("lapses", existing_type=sa.Integer(), server_default=None)
        delivery.alter_column("withdrawn", existing_type=sa.Boolean(), server_default=None)
        delivery.create_foreign_key(op.f("fk_delivery_lane"), "lane", ["lane"], ["endpoint"])
        delivery.drop_index(op.f("ix_delivery_state_next_at"))
        delivery.create_index(
            op.f("ix_delivery_lane_state_next_at"), ["lane", "state", "next_at"], unique=False
        )
    for name, columns, which in (
        (op.f("ix_delivery_receipt"), ["receipt"], "receipt IS NOT NULL"),
        (op.f("ix_delivery_lane_id_accepted"), ["lane", "id"], "reached = 'accepted'"),
    ):
        op.create_index(
            name,
            "delivery",
            columns,
            unique=False,
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )
