"""The tables of the way back: outcomes, letters to practices, reminders, and what was learned.

What a provider sent stands sealed under the key of its referral, which erases it too. A letter is
a delivery: its own row says what it brings, by which interaction, and what was answered to it.
"""

from sqlalchemy import (
    Boolean,
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

from gateway.store.columns import CODE, ODS, SHA256_HEX, UUID, metadata
from gateway.store.types import Instant

outcome = Table(
    "outcome",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("referral", UUID, ForeignKey("referral.id"), nullable=False),
    Column("seq", Integer, nullable=False, comment="of its referral, from 1"),
    Column("delivery", UUID, ForeignKey("delivery.id"), nullable=False, comment="what it answers"),
    Column("provider", ODS, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("closes", Boolean, nullable=False, comment="its provider will say no more"),
    Column("reason_system", Text, comment="of a list that is known here, else empty"),
    Column("reason", CODE),
    Column("door", String(8), nullable=False),
    Column("client", CODE, nullable=False),
    Column("body_sha256", SHA256_HEX, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False, comment="under the referral's key"),
    Column("said_at", Instant, comment="by the provider's own clock"),
    Column("received_at", Instant, nullable=False),
    Column("standing", String(16), nullable=False),
    Column("payload", String(24), comment="what it holds for a record; empty: nothing"),
    Column("row", Integer, comment="of the write guard's table"),
    Column("code", CODE, comment="what the guard, or the sharing rules, said"),
    Column("kept", String(24), comment="why codes of it stay here"),
    Column("asked", Integer, nullable=False, comment="questions of the referral"),
    Column("answered", Integer, nullable=False, comment="how many of them it answers by name"),
    Column("replaces", UUID, comment="the outcome whose document it replaces"),
    UniqueConstraint("referral", "seq"),
    UniqueConstraint("delivery", "body_sha256"),
)

outcome_name = Table(
    "outcome_name",
    metadata,
    Column("outcome", UUID, ForeignKey("outcome.id"), primary_key=True),
    Column("lookup", LargeBinary(32), primary_key=True, comment="a document's own identifier"),
    Index(None, "lookup"),
)

letter = Table(
    "letter",
    metadata,
    Column("id", UUID, ForeignKey("delivery.id"), primary_key=True, comment="the delivery's"),
    Column("outcome", UUID, ForeignKey("outcome.id"), nullable=False, index=True),
    Column("interaction", String(32), nullable=False, comment="by which it is to go"),
    Column("recipient_type", String(2), nullable=False),
    Column("row", Integer, nullable=False, comment="of the write guard's table"),
    Column("decision", UUID, nullable=False, comment="that queued it; the document names it"),
    Column("payload_sha256", SHA256_HEX, comment="of the bytes that left"),
    Column("number", Integer, nullable=False, comment="version of the document"),
    Column("replaces", UUID, comment="the letter whose document it replaces"),
    Column("infrastructure", CODE, comment="what the practice's system answered"),
    Column("business", CODE, comment="what it answered of the person"),
    Column("returned", CODE, comment="why it came back"),
    Column("answer_due", Instant, comment="when its answers are missed; empty: none is awaited"),
    Column("answered_at", Instant),
    Index(None, "answer_due"),
)

reminder = Table(
    "reminder",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("referral", UUID, ForeignKey("referral.id"), nullable=False, index=True),
    Column("about", UUID, nullable=False, comment="the delivery or outcome that it is about"),
    Column("code", CODE, nullable=False),
    Column("owner", CODE, nullable=False, comment="who is to act"),
    Column("opened_at", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("closed_by", CODE),
    Column("resolution", CODE),
    UniqueConstraint("about", "code"),
    Index(None, "closed_at", "due"),
)

coding_event = Table(
    "coding_event",
    metadata,
    Column("practice", ODS, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("sender", String(24), comment="a kind of sender; empty: GP Connect as a whole"),
    Column("value", String(8), nullable=False),
    Column("source", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", CODE, nullable=False),
    Column("expires", Instant),
)
