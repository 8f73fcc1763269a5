"""Reports: a copy for each recipient, and what was done with each."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "report_copy",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=36), nullable=False, comment="that holds it"),
        sa.Column("delivery", sa.String(length=36), nullable=False, comment="what it answers"),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("recipient", sa.String(length=16), nullable=False),
        sa.Column(
            "organisation",
            sa.String(length=10),
            nullable=False,
            comment="the person's own: the provider",
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of its text, from 1"),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("offered_on", sa.Date(), nullable=True, comment="days are those of London"),
        sa.Column("access_asked_on", sa.Date(), nullable=True),
        sa.Column(
            "was_in_touch", sa.Boolean(), nullable=False, comment="since they asked for access"
        ),
        sa.Column("shown_on", sa.Date(), nullable=True),
        sa.Column("answer", sa.String(length=24), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("has_statement", sa.Boolean(), nullable=False),
        sa.Column("supplied_on", sa.Date(), nullable=True),
        sa.Column("third_party", sa.Boolean(), nullable=True, comment="empty: nobody reviewed it"),
        sa.Column("would_harm", sa.Boolean(), nullable=False),
        sa.Column(
            "route",
            sa.String(length=16),
            nullable=True,
            comment="the person's choice for their GP; empty: none yet",
        ),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column(
            "sealed_text",
            sa.LargeBinary(),
            nullable=True,
            comment="under the referral's key; empty: the outcome's",
        ),
        sa.Column(
            "sealed_words",
            sa.LargeBinary(),
            nullable=True,
            comment="the person's own, under the referral's key",
        ),
        sa.Column(
            "decision",
            sa.String(length=36),
            nullable=True,
            comment="by which it left, or was last refused",
        ),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery"], ["delivery.id"], name=op.f("fk_report_copy_delivery")
        ),
        sa.ForeignKeyConstraint(["outcome"], ["outcome.id"], name=op.f("fk_report_copy_outcome")),
        sa.ForeignKeyConstraint(
            ["referral"], ["referral.id"], name=op.f("fk_report_copy_referral")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_copy")),
        sa.UniqueConstraint(
            "outcome",
            "recipient",
            "organisation",
            name=op.f("uq_report_copy_outcome_recipient_organisation"),
        ),
    )
    op.create_index(
        op.f("ix_report_copy_provider_created_at"),
        "report_copy",
        ["provider", "created_at"],
        unique=False,
    )
    op.create_index(op.f("ix_report_copy_referral"), "report_copy", ["referral"], unique=False)
    op.create_table(
        "report_event",
        sa.Column("copy", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the text that it is about"),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column(
            "code", sa.String(length=64), nullable=True, comment="the answer, the route, or why not"
        ),
        sa.ForeignKeyConstraint(["copy"], ["report_copy.id"], name=op.f("fk_report_event_copy")),
        sa.PrimaryKeyConstraint("copy", "seq", name=op.f("pk_report_event")),
    )
