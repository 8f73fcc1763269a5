"""The first tables."""

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "access_token",
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("ods", sa.String(length=10), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_access_token")),
    )
    op.create_index(
        op.f("ix_access_token_expires_at"), "access_token", ["expires_at"], unique=False
    )
    op.create_table(
        "client_assertion",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("jti", sa.String(length=128), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client", "jti", name=op.f("pk_client_assertion")),
    )
    op.create_index(
        op.f("ix_client_assertion_expires_at"), "client_assertion", ["expires_at"], unique=False
    )
    op.create_table(
        "directory_record",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "also",
            sa.String(length=64),
            nullable=True,
            comment="second name: DoS service id, or an agreement's practice",
        ),
        sa.Column("valid_from", Instant(), nullable=False),
        sa.Column("valid_to", Instant(), nullable=True, comment="empty: still valid"),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", "version", name=op.f("pk_directory_record")),
    )
    op.create_index(
        op.f("ix_directory_record_kind_also"), "directory_record", ["kind", "also"], unique=False
    )
    op.create_table(
        "ledger_head",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "person",
        sa.Column("handle", sa.String(length=32), nullable=False),
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column(
            "lookup",
            sa.LargeBinary(length=32),
            nullable=True,
            comment="empty: no NHS number was given",
        ),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_nhs_number", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_person")),
        sa.UniqueConstraint("lookup", name=op.f("uq_person_lookup")),
    )
    op.create_table(
        "request",
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "attempt", sa.Integer(), nullable=False, comment="which of its claims this is, from 1"
        ),
        sa.Column("running_until", Instant(), nullable=True, comment="empty: it was answered"),
        sa.Column(
            "referral",
            sa.String(length=36),
            nullable=True,
            comment="what it made or changed; empty: nothing",
        ),
        sa.Column(
            "refusal",
            sa.Text(),
            nullable=True,
            comment="JSON: what a decision answered where it refused",
        ),
        sa.Column(
            "failure",
            sa.Text(),
            nullable=True,
            comment="JSON: the answer to a message that could not be taken",
        ),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client", "request_id", name=op.f("pk_request")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("practice", sa.String(length=10), nullable=True),
        sa.Column("subject", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column(
            "referral",
            sa.String(length=36),
            nullable=True,
            comment="copy of refs.referral, for look-ups",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_head.log"], name=op.f("fk_ledger_entry_log")),
        sa.PrimaryKeyConstraint("log", "idx", name=op.f("pk_ledger_entry")),
    )
    op.create_index(
        op.f("ix_ledger_entry_log_practice_idx"),
        "ledger_entry",
        ["log", "practice", "idx"],
        unique=False,
    )
    op.create_index(
        op.f("ix_ledger_entry_log_subject_idx"),
        "ledger_entry",
        ["log", "subject", "idx"],
        unique=False,
    )
    op.create_index(op.f("ix_ledger_entry_referral"), "ledger_entry", ["referral"], unique=False)
    op.create_table(
        "referral",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("door", sa.String(length=8), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("correlation_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("hold_code", sa.String(length=64), nullable=True),
        sa.Column("hold_text", sa.Text(), nullable=True),
        sa.Column("hold_remedy", sa.Text(), nullable=True),
        sa.Column("hold_owner", sa.String(length=64), nullable=True),
        sa.Column("hold_due", Instant(), nullable=True),
        sa.Column("closed_because", sa.String(length=64), nullable=True),
        sa.Column(
            "status",
            sa.String(length=16),
            nullable=False,
            comment="the sender's: ServiceRequest.status",
        ),
        sa.Column("content_version", sa.Integer(), nullable=False),
        sa.Column(
            "content_at", Instant(), nullable=False, comment="when the sender last changed it"
        ),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False, comment="the bytes as received"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_because IS NOT NULL)",
            name=op.f("ck_referral_a_closing_has_a_reason"),
        ),
        sa.CheckConstraint(
            "(state = 'held') = (hold_code IS NOT NULL AND hold_owner IS NOT NULL AND hold_due IS NOT NULL)",
            name=op.f("ck_referral_a_hold_has_a_reason_and_an_owner"),
        ),
        sa.ForeignKeyConstraint(["subject"], ["person.handle"], name=op.f("fk_referral_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint("reference", name=op.f("uq_referral_reference")),
    )
    op.create_index(
        op.f("ix_referral_practice_content_at_id"),
        "referral",
        ["practice", "content_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_referral_practice_subject"), "referral", ["practice", "subject"], unique=False
    )
    op.create_index(
        op.f("ix_referral_practice_updated_at_id"),
        "referral",
        ["practice", "updated_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_referral_state"), "referral", ["state"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("referral", sa.String(length=36), nullable=True),
        sa.Column("delivery", sa.String(length=36), nullable=True),
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=10), nullable=True),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("effect", sa.String(length=8), nullable=False),
        sa.Column("primary_rule", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("policy_version", sa.String(length=64), nullable=False),
        sa.Column("payload_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "sealed_detail",
            sa.LargeBinary(),
            nullable=False,
            comment="facts and reasons as decided",
        ),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("fk_decision_referral")),
        sa.ForeignKeyConstraint(["subject"], ["person.handle"], name=op.f("fk_decision_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_referral"), "decision", ["referral"], unique=False)
    op.create_table(
        "delivery",
        sa.Column(
            "id",
            sa.String(length=36),
            nullable=False,
            comment="also the idempotency key of each attempt",
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("give_up_at", Instant(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column(
            "may_have_arrived", sa.Boolean(), nullable=False, comment="an attempt got no answer"
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "(state = 'in-flight') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_delivery_a_flight_has_a_lease"),
        ),
        sa.ForeignKeyConstraint(["referral"], ["referral.id"], name=op.f("fk_delivery_referral")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint(
            "referral", "service", "kind", name=op.f("uq_delivery_referral_service_kind")
        ),
    )
    op.create_index(
        op.f("ix_delivery_provider_updated_at_id"),
        "delivery",
        ["provider", "updated_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_delivery_referral"), "delivery", ["referral"], unique=False)
    op.create_index(
        op.f("ix_delivery_state_next_at"), "delivery", ["state", "next_at"], unique=False
    )
    op.create_table(
        "referral_change",
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="of the content; 1 is the referral's"
        ),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("door", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("correlation_id", sa.String(length=36), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "sealed_body", sa.LargeBinary(), nullable=False, comment="under the referral's key"
        ),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral"], ["referral.id"], name=op.f("fk_referral_change_referral")
        ),
        sa.PrimaryKeyConstraint("referral", "version", name=op.f("pk_referral_change")),
    )
    op.create_table(
        "referral_identifier",
        sa.Column("referral", sa.String(length=36), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral"], ["referral.id"], name=op.f("fk_referral_identifier_referral")
        ),
        sa.PrimaryKeyConstraint("referral", "lookup", name=op.f("pk_referral_identifier")),
    )
    op.create_index(
        op.f("ix_referral_identifier_lookup"), "referral_identifier", ["lookup"], unique=False
    )
