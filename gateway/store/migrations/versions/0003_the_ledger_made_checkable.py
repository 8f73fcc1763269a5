"""The ledger made checkable: details, tiles, checkpoints, cosignatures, epochs, look-ups."""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "gate",
        sa.Column(
            "kind", sa.String(length=16), nullable=False, comment="practice, recipient or subject"
        ),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column(
            "epoch", sa.Integer(), nullable=False, comment="how often its sharing was changed"
        ),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_gate")),
    )
    op.create_table(
        "ledger_key",
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("public_key", name=op.f("pk_ledger_key")),
    )
    op.create_index(op.f("ix_ledger_key_since"), "ledger_key", ["since"], unique=False)
    op.create_table(
        "checkpoint",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "note", sa.Text(), nullable=False, comment="the signed note, without cosignatures"
        ),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["ledger_head.log"], name=op.f("fk_checkpoint_log")),
        sa.PrimaryKeyConstraint("log", "size", name=op.f("pk_checkpoint")),
    )
    op.create_table(
        "ledger_tile",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "root", sa.LargeBinary(length=32), nullable=False, comment="of the tile, one level up"
        ),
        sa.Column("hashes", sa.LargeBinary(), nullable=False, comment="256 of 32 bytes"),
        sa.ForeignKeyConstraint(["log"], ["ledger_head.log"], name=op.f("fk_ledger_tile_log")),
        sa.PrimaryKeyConstraint("log", "level", "idx", name=op.f("pk_ledger_tile")),
    )
    op.create_table(
        "cosignature",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=128), nullable=False),
        sa.Column(
            "line", sa.Text(), nullable=False, comment="the witness's signature line of the note"
        ),
        sa.Column("made_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["log", "size"], ["checkpoint.log", "checkpoint.size"], name=op.f("fk_cosignature_log")
        ),
        sa.PrimaryKeyConstraint("log", "size", "witness", name=op.f("pk_cosignature")),
    )
    op.create_table(
        "ledger_detail",
        sa.Column("log", sa.String(length=128), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("sealed_salt", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sealed_detail",
            sa.LargeBinary(),
            nullable=True,
            comment="empty: it is the decision's own",
        ),
        sa.ForeignKeyConstraint(
            ["log", "idx"],
            ["ledger_entry.log", "ledger_entry.idx"],
            name=op.f("fk_ledger_detail_log"),
        ),
        sa.PrimaryKeyConstraint("log", "idx", name=op.f("pk_ledger_detail")),
    )
    op.create_index(op.f("ix_ledger_detail_subject"), "ledger_detail", ["subject"], unique=False)
    op.add_column(
        "ledger_entry",
        sa.Column(
            "consent",
            sa.String(length=36),
            nullable=True,
            comment="copy of refs.consent, for look-ups",
        ),
    )
    op.add_column("ledger_entry", sa.Column("at", Instant(), nullable=True, comment="copy of t"))
    op.add_column(
        "ledger_entry",
        sa.Column("actor", sa.String(length=64), nullable=True, comment="copy of actor"),
    )
    op.add_column(
        "ledger_entry",
        sa.Column("effect", sa.String(length=8), nullable=True, comment="copy of detail.effect"),
    )
    op.add_column(
        "ledger_entry",
        sa.Column("policy", sa.String(length=64), nullable=True, comment="copy of detail.policy"),
    )
    op.create_index(op.f("ix_ledger_entry_at"), "ledger_entry", ["at"], unique=False)
    op.create_index(op.f("ix_ledger_entry_consent"), "ledger_entry", ["consent"], unique=False)
    op.add_column(
        "ledger_head",
        sa.Column(
            "purged_at",
            Instant(),
            nullable=True,
            comment="when its entries were destroyed; its head is kept",
        ),
    )
    op.create_index(op.f("ix_decision_subject"), "decision", ["subject"], unique=False)
    op.create_index(op.f("ix_referral_subject"), "referral", ["subject"], unique=False)
    op.create_index(op.f("ix_request_referral"), "request", ["referral"], unique=False)
    _copy_out_of_the_bodies()


def _copy_out_of_the_bodies() -> None:
    """Fill the new columns of the entries that are there, a thousand at a time."""
    entry = sa.table(
        "ledger_entry",
        *(sa.column(name) for name in ("log", "idx", "consent", "actor", "effect", "policy")),
        sa.column("at", Instant()),
        sa.column("body", sa.LargeBinary()),
    )
    connection = op.get_bind()
    change = sa.update(entry).where(
        entry.c.log == sa.bindparam("of_log"), entry.c.idx == sa.bindparam("of_idx")
    )
    query = sa.select(entry.c.log, entry.c.idx, entry.c.body).order_by(entry.c.log, entry.c.idx)
    last = ("", -1)
    while rows := connection.execute(
        query.where(sa.tuple_(entry.c.log, entry.c.idx) > last).limit(1000)
    ).all():
        connection.execute(change, [_copies(*row) for row in rows])
        last = (rows[-1].log, rows[-1].idx)


def _copies(log: str, idx: int, body: bytes) -> dict[str, object]:
    said = json.loads(body)
    return {
        "of_log": log,
        "of_idx": idx,
        "consent": said["refs"].get("consent"),
        "at": datetime.fromisoformat(said["t"]),
        "actor": said["actor"],
        "effect": said["detail"].get("effect"),
        "policy": said["detail"].get("policy"),
    }
