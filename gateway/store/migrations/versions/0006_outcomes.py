"""Outcomes, letters to practices, reminders, and what was learned of practices' switches."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    _make_outcomes()
    _make_letters()
    _make_reminders()
    with op.batch_alter_table("delivery") as delivery:
        delivery.add_column(
            sa.Column(
                "part",
                sa.Integer(),
                nullable=False,
                server_default="0",
                comment="letters of a referral, from 1; others: 0",
            )
        )
        delivery.drop_constraint(op.f("uq_delivery_referral_service_kind"), type_="unique")
    with op.batch_alter_table("delivery") as delivery:
        delivery.alter_column("part", existing_type=sa.Integer(), server_default=None)
        delivery.create_unique_constraint(
            op.f("uq_delivery_referral_service_kind_part"),
            ["referral", "service", "kind", "part"],
        )


def _make_outcomes() -> None:
    op.create_table(
        "outcome",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="of its referral, from 1"),
        sa.Column("delivery", sa.String(length=36), nullable=False, comment="what it answers"),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("closes", sa.Boolean(), nullable=False, comment="its provider will say no more"),
        sa.Column(
            "reason_system",
            sa.Text(),
            nullable=True,
            comment="of a list that is known here, else empty",
        ),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("door", sa.String(length=8), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "sealed_body", sa.LargeBinary(), nullable=False, comment="under the referral's key"
        ),
        sa.Column("said_at", Instant(), nullable=True, comment="by the provider's own clock"),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column(
            "payload",
            sa.String(length=24),
            nullable=True,
            comment="what it holds for a record; empty: nothing",
        ),
        sa.Column("row", sa.Integer(), nullable=True, comment="of the write guard's table"),
        sa.Column(
            "code",
            sa.String(length=64),
            nullable=True,
            comment="what the guard, or the sharing rules, said",
        ),
        sa.Column("kept", sa.String(length=24), nullable=True, comment="why codes of it stay here"),
        sa.Column("asked", sa.Integer(), nullable=False, comment="questions of the referral"),
        sa.Column(
            "answered", sa.Integer(), nullable=False, comment="how many of them it answers by name"
        ),
        sa.Column(
            "replaces",
            sa.String(length=36),
            nullable=True,
            comment="the outcome whose document it replaces",
        ),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("fk_outcome_delivery")),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("fk_outcome_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome")),
        sa.UniqueConstraint(
            "delivery", "body_sha256", name=op.f("uq_outcome_delivery_body_sha256")
        ),
        sa.UniqueConstraint("referral", "seq", name=op.f("uq_outcome_referral_seq")),
    )
    op.create_table(
        "outcome_name",
        sa.Column("outcome", sa.String(length=36), nullable=False),
        sa.Column(
            "lookup",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="a document's own identifier",
        ),
        sa.ForeignKeyConstraint(["outcome"], ["outcome.id"], name=op.f("fk_outcome_name_outcome")),
        sa.PrimaryKeyConstraint("outcome", "lookup", name=op.f("pk_outcome_name")),
    )
    op.create_index(op.f("ix_outcome_name_lookup"), "outcome_name", ["lookup"], unique=False)


def _make_letters() -> None:
    op.create_table(
        "letter",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the delivery's"),
        sa.Column("outcome", sa.String(length=36), nullable=False),
        sa.Column(
            "interaction", sa.String(length=32), nullable=False, comment="by which it is to go"
        ),
        sa.Column("recipient_type", sa.String(length=2), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False, comment="of the write guard's table"),
        sa.Column(
            "decision",
            sa.String(length=36),
            nullable=False,
            comment="that queued it; the document names it",
        ),
        sa.Column(
            "payload_sha256",
            sa.String(length=64),
            nullable=True,
            comment="of the bytes that left",
        ),
        sa.Column("number", sa.Integer(), nullable=False, comment="version of the document"),
        sa.Column(
            "replaces",
            sa.String(length=36),
            nullable=True,
            comment="the letter whose document it replaces",
        ),
        sa.Column(
            "infrastructure",
            sa.String(length=64),
            nullable=True,
            comment="what the practice's system answered",
        ),
        sa.Column(
            "business",
            sa.String(length=64),
            nullable=True,
            comment="what it answered of the person",
        ),
        sa.Column("returned", sa.String(length=64), nullable=True, comment="why it came back"),
        sa.Column(
            "answer_due",
            Instant(),
            nullable=True,
            comment="when its answers are missed; empty: none is awaited",
        ),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["delivery.id"], name=op.f("fk_letter_id")),
        sa.ForeignKeyConstraint(["outcome"], ["outcome.id"], name=op.f("fk_letter_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letter")),
    )
    op.create_index(op.f("ix_letter_answer_due"), "letter", ["answer_due"], unique=False)
    op.create_index(op.f("ix_letter_outcome"), "letter", ["outcome"], unique=False)


def _make_reminders() -> None:
    op.create_table(
        "reminder",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column(
            "about",
            sa.String(length=36),
            nullable=False,
            comment="the delivery or outcome that it is about",
        ),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False, comment="who is to act"),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("due", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.Column("resolution", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("fk_reminder_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.UniqueConstraint("about", "code", name=op.f("uq_reminder_about_code")),
    )
    op.create_index(
        op.f("ix_reminder_closed_at_due"), "reminder", ["closed_at", "due"], unique=False
    )
    op.create_index(op.f("ix_reminder_referral"), "reminder", ["referral"], unique=False)
    op.create_table(
        "coding_event",
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "sender",
            sa.String(length=24),
            nullable=True,
            comment="a kind of sender; empty: GP Connect as a whole",
        ),
        sa.Column("value", sa.String(length=8), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("expires", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("practice", "seq", name=op.f("pk_coding_event")),
    )
