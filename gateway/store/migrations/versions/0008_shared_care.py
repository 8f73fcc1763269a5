"""Shared care: agreements on record, and what practices say of their capacity."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "shared_care_agreement",
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column(
            "seq",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="from 1; newest counts",
        ),
        sa.Column(
            "terms",
            sa.Text(),
            nullable=False,
            comment="JSON; of people, a team to turn to at most",
        ),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint(
            "practice", "provider", "seq", name=op.f("pk_shared_care_agreement")
        ),
    )
    op.create_table(
        "shared_care_capacity",
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column(
            "seq",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="from 1; newest counts",
        ),
        sa.Column("has_capacity", sa.Boolean(), nullable=False),
        sa.Column("said_on", sa.Date(), nullable=False, comment="a day of London"),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("practice", "seq", name=op.f("pk_shared_care_capacity")),
    )
