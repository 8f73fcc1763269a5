"""The tables of reports: a copy for each recipient, and what was done with each.

The text of a copy and what the person said stand sealed under the key of its referral, which
erases them too. The text of one that goes in full is the outcome's own, and stands there.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from gateway.store.columns import CODE, ODS, SHA256_HEX, UUID, metadata
from gateway.store.types import Instant

report_copy = Table(
    "report_copy",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("referral", UUID, ForeignKey("referral.id"), nullable=False, index=True),
    Column("outcome", UUID, ForeignKey("outcome.id"), nullable=False, comment="that holds it"),
    Column("delivery", UUID, ForeignKey("delivery.id"), nullable=False, comment="what it answers"),
    Column("provider", ODS, nullable=False),
    Column("recipient", String(16), nullable=False),
    Column("organisation", ODS, nullable=False, comment="the person's own: the provider"),
    Column("kind", String(16), nullable=False),
    Column("version", Integer, nullable=False, comment="of its text, from 1"),
    Column("state", String(24), nullable=False),
    Column("offered_on", Date, comment="days are those of London"),
    Column("access_asked_on", Date),
    Column("was_in_touch", Boolean, nullable=False, comment="since they asked for access"),
    Column("shown_on", Date),
    Column("answer", String(24)),
    Column("answered_on", Date),
    Column("has_statement", Boolean, nullable=False),
    Column("supplied_on", Date),
    Column("third_party", Boolean, comment="empty: nobody reviewed it"),
    Column("would_harm", Boolean, nullable=False),
    Column("route", String(16), comment="the person's choice for their GP; empty: none yet"),
    Column("text_sha256", SHA256_HEX, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Column("sealed_text", LargeBinary, comment="under the referral's key; empty: the outcome's"),
    Column("sealed_words", LargeBinary, comment="the person's own, under the referral's key"),
    Column("decision", UUID, comment="by which it left, or was last refused"),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("outcome", "recipient", "organisation"),
    Index(None, "provider", "created_at"),
)

report_event = Table(
    "report_event",
    metadata,
    Column("copy", UUID, ForeignKey("report_copy.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("act", String(16), nullable=False),
    Column("version", Integer, nullable=False, comment="of the text that it is about"),
    Column("at", Instant, nullable=False),
    Column("by", CODE, nullable=False),
    Column("code", CODE, comment="the answer, the route, or why not"),
)
