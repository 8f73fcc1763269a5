"""The tables of the ledger: its heads, its entries, and what is made from them.

Entries and heads are the truth. Tiles and checkpoints are made from them; a detail stands
beside its entry, sealed under the key of the person that the entry is about. The columns of an
entry other than `body` and `leaf_hash` are copies from the body, for look-ups.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from gateway.store.columns import CODE, HANDLE, LOG, ODS, UUID, metadata
from gateway.store.types import Instant

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("log", LOG, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("purged_at", Instant, comment="when its entries were destroyed; its head is kept"),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("log", LOG, ForeignKey("ledger_head.log"), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("practice", ODS),
    Column("subject", HANDLE),
    Column("kind", String(32), nullable=False),
    Column("referral", UUID, comment="copy of refs.referral, for look-ups"),
    Column("consent", UUID, comment="copy of refs.consent, for look-ups"),
    Column("at", Instant, comment="copy of t"),
    Column("actor", CODE, comment="copy of actor"),
    Column("effect", String(8), comment="copy of detail.effect"),
    Column("policy", CODE, comment="copy of detail.policy"),
    Column("body", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary(32), nullable=False),
    Index(None, "log", "subject", "idx"),
    Index(None, "log", "practice", "idx"),
    Index(None, "referral"),
    Index(None, "consent"),
    Index(None, "at"),
)

ledger_detail = Table(
    "ledger_detail",
    metadata,
    Column("log", LOG, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", HANDLE, nullable=False, index=True),
    Column("sealed_salt", LargeBinary, nullable=False),
    Column("sealed_detail", LargeBinary, comment="empty: it is the decision's own"),
    ForeignKeyConstraint(["log", "idx"], ["ledger_entry.log", "ledger_entry.idx"]),
)

ledger_tile = Table(
    "ledger_tile",
    metadata,
    Column("log", LOG, ForeignKey("ledger_head.log"), primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False, comment="of the tile, one level up"),
    Column("hashes", LargeBinary, nullable=False, comment="256 of 32 bytes"),
)

ledger_key = Table(
    "ledger_key",
    metadata,
    Column("public_key", LargeBinary(32), primary_key=True),
    Column("since", Instant, nullable=False, index=True),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("log", LOG, ForeignKey("ledger_head.log"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False, comment="the signed note, without cosignatures"),
    Column("made_at", Instant, nullable=False),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("log", LOG, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(128), primary_key=True),
    Column("line", Text, nullable=False, comment="the witness's signature line of the note"),
    Column("made_at", Instant, nullable=False),
    ForeignKeyConstraint(["log", "size"], ["checkpoint.log", "checkpoint.size"]),
)
