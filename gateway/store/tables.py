"""The tables. Patient data stands only in columns whose name begins with `sealed`.

A sealed column is AES-256-GCM under a key of its own row, itself wrapped by a
key-encryption key that is not in the database; `lookup` columns are keyed hashes. The tables
of the ledger: `tables_ledger.py`; of the feeds: `tables_feeds.py`; of outcomes:
`tables_outcomes.py`; of reports: `tables_reports.py`; of shared care: `tables_shared_care.py`.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store import (
    columns,
    tables_feeds,
    tables_ledger,
    tables_outcomes,
    tables_reports,
    tables_shared_care,
)
from gateway.store.columns import CODE, HANDLE, ODS, SHA256_HEX, UUID
from gateway.store.types import Instant

metadata = columns.metadata
LEDGER = (tables_ledger.ledger_head, tables_ledger.ledger_entry)
"""Named here so that whoever has the metadata has the ledger's tables in it."""
FEEDS = (tables_feeds.feed_head, tables_feeds.feed_event, tables_feeds.subscription)
"""Likewise those of the feeds."""
OUTCOMES = (tables_outcomes.outcome, tables_outcomes.letter, tables_outcomes.reminder)
"""Likewise those of the way back."""
REPORTS = (tables_reports.report_copy, tables_reports.report_event)
"""Likewise those of reports."""
SHARED_CARE = (tables_shared_care.shared_care_agreement,)
"""Likewise those of shared care."""

directory_record = Table(
    "directory_record",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", CODE, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("also", CODE, comment="second name: DoS service id, or an agreement's practice"),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant, comment="empty: still valid"),
    Column("recorded_at", Instant, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "kind", "also"),
)

access_token = Table(
    "access_token",
    metadata,
    Column("token_sha256", LargeBinary(32), primary_key=True),
    Column("client", CODE, nullable=False),
    Column("ods", ODS, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

client_assertion = Table(
    "client_assertion",
    metadata,
    Column("client", CODE, primary_key=True),
    Column("jti", String(128), primary_key=True),
    Column("expires_at", Instant, nullable=False, index=True),
)

person = Table(
    "person",
    metadata,
    Column("handle", HANDLE, primary_key=True),
    Column("practice", ODS, nullable=False),
    Column("lookup", LargeBinary(32), unique=True, comment="empty: no NHS number was given"),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed_nhs_number", LargeBinary),
    Column("created_at", Instant, nullable=False),
)

referral = Table(
    "referral",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("reference", String(16), nullable=False, unique=True),
    Column("practice", ODS, nullable=False),
    Column("sender", CODE, nullable=False),
    Column("subject", HANDLE, ForeignKey("person.handle"), nullable=False, index=True),
    Column("door", String(8), nullable=False),
    Column("request_id", UUID, nullable=False),
    Column("correlation_id", UUID, nullable=False),
    Column("purpose", CODE, nullable=False),
    Column("service", CODE, nullable=False),
    Column("provider", ODS, nullable=False),
    Column("state", String(16), nullable=False),
    Column("hold_code", CODE),
    Column("hold_text", Text),
    Column("hold_remedy", Text),
    Column("hold_owner", CODE),
    Column("hold_due", Instant),
    Column("closed_because", CODE),
    Column("status", String(16), nullable=False, comment="the sender's: ServiceRequest.status"),
    Column("content_version", Integer, nullable=False),
    Column("content_at", Instant, nullable=False, comment="when the sender last changed it"),
    Column("body_sha256", SHA256_HEX, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False, comment="the bytes as received"),
    Column("version", Integer, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "practice", "subject"),
    Index(None, "practice", "content_at", "id"),
    Index(None, "practice", "updated_at", "id"),
    Index(None, "state"),
    CheckConstraint(
        "(state = 'held') = (hold_code IS NOT NULL AND hold_owner IS NOT NULL"
        " AND hold_due IS NOT NULL)",
        name="a_hold_has_a_reason_and_an_owner",
    ),
    CheckConstraint(
        "(state = 'closed') = (closed_because IS NOT NULL)", name="a_closing_has_a_reason"
    ),
)

referral_change = Table(
    "referral_change",
    metadata,
    Column("referral", UUID, ForeignKey("referral.id"), primary_key=True),
    Column("version", Integer, primary_key=True, comment="of the content; 1 is the referral's"),
    Column("status", String(16), nullable=False),
    Column("door", String(8), nullable=False),
    Column("sender", CODE, nullable=False),
    Column("request_id", UUID, nullable=False),
    Column("correlation_id", UUID, nullable=False),
    Column("body_sha256", SHA256_HEX, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False, comment="under the referral's key"),
    Column("at", Instant, nullable=False),
)

referral_identifier = Table(
    "referral_identifier",
    metadata,
    Column("referral", UUID, ForeignKey("referral.id"), primary_key=True),
    Column("lookup", LargeBinary(32), primary_key=True),
    Index(None, "lookup"),
)

request = Table(
    "request",
    metadata,
    Column("client", CODE, primary_key=True),
    Column("request_id", UUID, primary_key=True),
    Column("body_sha256", SHA256_HEX, nullable=False),
    Column("attempt", Integer, nullable=False, comment="which of its claims this is, from 1"),
    Column("running_until", Instant, comment="empty: it was answered"),
    Column("referral", UUID, comment="what it made or changed; empty: nothing", index=True),
    Column("refusal", Text, comment="JSON: what a decision answered where it refused"),
    Column("failure", Text, comment="JSON: the answer to a message that could not be taken"),
    Column("received_at", Instant, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("stage", String(16), nullable=False),
    Column("referral", UUID, ForeignKey("referral.id"), index=True),
    Column("delivery", UUID),
    Column("practice", ODS, nullable=False),
    Column("subject", HANDLE, ForeignKey("person.handle"), nullable=False, index=True),
    Column("service", CODE),
    Column("provider", ODS),
    Column("purpose", CODE, nullable=False),
    Column("effect", String(8), nullable=False),
    Column("primary_rule", String(16), nullable=False),
    Column("code", CODE, nullable=False),
    Column("policy_version", SHA256_HEX, nullable=False),
    Column("payload_sha256", SHA256_HEX, nullable=False),
    Column("sealed_detail", LargeBinary, nullable=False, comment="facts and reasons as decided"),
    Column("decided_at", Instant, nullable=False),
)

lane = Table(
    "lane",
    metadata,
    Column("endpoint", CODE, primary_key=True),
    Column("concurrency", Integer, nullable=False, comment="attempts under way at once"),
    Column("per_minute", Integer, comment="attempts begun; empty: any number"),
    Column("failures", Integer, nullable=False, comment="in a row; an answer ends the row"),
    Column("next_at", Instant, nullable=False, comment="no attempt begins before"),
    Column("claimed_at", Instant, nullable=False, comment="when it last had its turn"),
    Column("opened_at", Instant, comment="since when its destination does not answer"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", UUID, primary_key=True, comment="also the idempotency key of each attempt"),
    Column("kind", String(16), nullable=False),
    Column("referral", UUID, ForeignKey("referral.id"), nullable=False, index=True),
    Column("service", CODE, nullable=False),
    Column("part", Integer, nullable=False, comment="letters of a referral, from 1; others: 0"),
    Column("provider", ODS, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Column("lease_owner", CODE),
    Column("lease_until", Instant),
    Column("reason", CODE),
    Column("may_have_arrived", Boolean, nullable=False, comment="an attempt got no answer"),
    Column("lane", CODE, ForeignKey("lane.endpoint"), nullable=False, comment="its endpoint"),
    Column("released_at", Instant, comment="while in flight: since when its bytes may leave"),
    Column("lapses", Integer, nullable=False, comment="workers in a row that did not come back"),
    Column("withdrawn", Boolean, nullable=False, comment="no attempt follows the one under way"),
    Column("receipt", CODE, comment="its name at a transport that stores and forwards"),
    Column("reached", String(16), comment="how far such a transport has brought it"),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "lane", "state", "next_at"),
    Index(None, "provider", "updated_at", "id"),
    Index(
        None,
        "receipt",
        sqlite_where=text("receipt IS NOT NULL"),
        postgresql_where=text("receipt IS NOT NULL"),
    ),
    Index(
        "ix_delivery_lane_id_accepted",
        "lane",
        "id",
        sqlite_where=text("reached = 'accepted'"),
        postgresql_where=text("reached = 'accepted'"),
    ),
    UniqueConstraint("referral", "service", "kind", "part"),
    CheckConstraint(
        "(state = 'in-flight') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
        name="a_flight_has_a_lease",
    ),
)

recall = Table(
    "recall",
    metadata,
    Column("id", UUID, ForeignKey("delivery.id"), primary_key=True, comment="the recall's own"),
    Column("recalled", UUID, ForeignKey("delivery.id"), nullable=False, unique=True),
    Column("cause", CODE, nullable=False),
    Column("due", Instant, nullable=False, comment="when the provider's answer is due"),
    Column("sent_at", Instant),
    Column("answer", String(24), comment="stopped, returned or retained"),
    Column("ground", String(24), comment="on which it is retained"),
    Column("answered_at", Instant),
    Column("overdue_at", Instant, comment="when a person was asked to call"),
    Index(None, "answered_at", "due"),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("cause", String(24), nullable=False, comment="consent, agreement, switch or assurance"),
    Column("about", CODE, nullable=False, comment="id of what was withdrawn"),
    Column("practice", ODS),
    Column("recipient", ODS),
    Column("subject", HANDLE),
    Column("actor", CODE, nullable=False),
    Column("withdrawn_at", Instant, nullable=False),
    Column("acknowledged_at", Instant, comment="from here on nothing that it covers leaves"),
    Index(None, "practice", "withdrawn_at", "id"),
)

withdrawal_delivery = Table(
    "withdrawal_delivery",
    metadata,
    Column("withdrawal", UUID, ForeignKey("withdrawal.id"), primary_key=True),
    Column("delivery", UUID, ForeignKey("delivery.id"), primary_key=True, index=True),
    Column("standing", String(16), nullable=False, comment="stopped, delivered or unknown"),
    Column("recall", UUID),
)

agreement_event = Table(
    "agreement_event",
    metadata,
    Column("practice", ODS, primary_key=True),
    Column("agreement", CODE, primary_key=True),
    Column("seq", Integer, primary_key=True, comment="from 1, in the order of recording"),
    Column("counterparty", ODS, nullable=False),
    Column("type", String(16), nullable=False),
    Column("terms", Text, nullable=False, comment="JSON: the whole terms from this event on"),
    Column("effective_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", CODE, nullable=False),
    Column("source", String(16), nullable=False),
    Column("reason", Text),
    Column("document_sha256", SHA256_HEX),
)

switch_event = Table(
    "switch_event",
    metadata,
    Column("practice", ODS, primary_key=True),
    Column("switch", String(24), primary_key=True),
    Column("seq", Integer, primary_key=True, comment="from 1, in the order of recording"),
    Column("value", String(24), nullable=False),
    Column("effective_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", CODE, nullable=False),
    Column("source", String(16), nullable=False),
    Column("reason", Text),
)

icb_notice = Table(
    "icb_notice",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("practice", ODS, nullable=False, index=True),
    Column("commissioner", ODS),
    Column("kind", String(24), nullable=False),
    Column("state", String(16), nullable=False),
    Column("about", Text, nullable=False, comment="JSON: everything that the letter says"),
    Column("letter_sha256", SHA256_HEX, nullable=False),
    Column("effective_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("reply_by", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("acknowledged_at", Instant),
    Column("reinstated_at", Instant),
    Column("version", Integer, nullable=False),
)

consent = Table(
    "consent",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("practice", ODS, nullable=False),
    Column("subject", HANDLE, ForeignKey("person.handle"), nullable=False, index=True),
    Column("version", Integer, nullable=False, comment="the newest"),
    Column("status", String(16), nullable=False, comment="of the newest version"),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(None, "practice", "updated_at", "id"),
)

consent_version = Table(
    "consent_version",
    metadata,
    Column("consent", UUID, ForeignKey("consent.id"), primary_key=True),
    Column("version", Integer, primary_key=True, comment="from 1"),
    Column("status", String(16), nullable=False),
    Column("effective_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("client", CODE, nullable=False),
    Column("body_sha256", SHA256_HEX, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False, comment="under the consent's key"),
)

consent_identifier = Table(
    "consent_identifier",
    metadata,
    Column("consent", UUID, ForeignKey("consent.id"), primary_key=True),
    Column("lookup", LargeBinary(32), primary_key=True),
    Index(None, "lookup"),
)

national_opt_out = Table(
    "national_opt_out",
    metadata,
    Column("lookup", LargeBinary(32), primary_key=True),
    Column("opted_out", Boolean, nullable=False),
    Column("as_of", Instant, nullable=False, comment="when the national service answered"),
)

policy_in_force = Table(
    "policy_in_force",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1"),
    Column("version", SHA256_HEX, nullable=False),
    Column("text", Text, nullable=False, comment="the rules, as `gateway consent policy` prints"),
    Column("since", Instant, nullable=False),
)

gate = Table(
    "gate",
    metadata,
    Column("kind", String(16), primary_key=True, comment="practice, recipient or subject"),
    Column("key", HANDLE, primary_key=True),
    Column("epoch", Integer, nullable=False, comment="how often its sharing was changed"),
)
