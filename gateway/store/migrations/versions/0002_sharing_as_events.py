"""Agreements and switches as events, notices, a register of consents, national opt-outs."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.store.types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "agreement_event",
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="from 1, in the order of recording"),
        sa.Column("counterparty", sa.String(length=10), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column(
            "terms", sa.Text(), nullable=False, comment="JSON: the whole terms from this event on"
        ),
        sa.Column("effective_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("document_sha256", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("practice", "agreement", "seq", name=op.f("pk_agreement_event")),
    )
    op.create_table(
        "icb_notice",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("commissioner", sa.String(length=10), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column(
            "about", sa.Text(), nullable=False, comment="JSON: everything that the letter says"
        ),
        sa.Column("letter_sha256", sa.String(length=64), nullable=False),
        sa.Column("effective_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("reply_by", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("reinstated_at", Instant(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_icb_notice")),
    )
    op.create_index(op.f("ix_icb_notice_practice"), "icb_notice", ["practice"], unique=False)
    op.create_table(
        "national_opt_out",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
        sa.Column("as_of", Instant(), nullable=False, comment="when the national service answered"),
        sa.PrimaryKeyConstraint("lookup", name=op.f("pk_national_opt_out")),
    )
    op.create_table(
        "switch_event",
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("switch", sa.String(length=24), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="from 1, in the order of recording"),
        sa.Column("value", sa.String(length=24), nullable=False),
        sa.Column("effective_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("practice", "switch", "seq", name=op.f("pk_switch_event")),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("practice", sa.String(length=10), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="the newest"),
        sa.Column("status", sa.String(length=16), nullable=False, comment="of the newest version"),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["person.handle"], name=op.f("fk_consent_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(
        op.f("ix_consent_practice_updated_at_id"),
        "consent",
        ["practice", "updated_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_consent_subject"), "consent", ["subject"], unique=False)
    op.create_table(
        "consent_identifier",
        sa.Column("consent", sa.String(length=36), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["consent"], ["consent.id"], name=op.f("fk_consent_identifier_consent")
        ),
        sa.PrimaryKeyConstraint("consent", "lookup", name=op.f("pk_consent_identifier")),
    )
    op.create_index(
        op.f("ix_consent_identifier_lookup"), "consent_identifier", ["lookup"], unique=False
    )
    op.create_table(
        "consent_version",
        sa.Column("consent", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="from 1"),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("effective_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "sealed_body", sa.LargeBinary(), nullable=False, comment="under the consent's key"
        ),
        sa.ForeignKeyConstraint(
            ["consent"], ["consent.id"], name=op.f("fk_consent_version_consent")
        ),
        sa.PrimaryKeyConstraint("consent", "version", name=op.f("pk_consent_version")),
    )
    op.create_table(
        "policy_in_force",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column(
            "text",
            sa.Text(),
            nullable=False,
            comment="the rules, as `gateway consent policy` prints",
        ),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_policy_in_force")),
    )
    _agreements_become_events()
    _switches_become_events()


_TYPES = {
    "proposed": "proposed",
    "active": "signed",
    "suspended": "suspended",
    "withdrawn": "withdrawn",
    "expired": "expired",
}


def _rows(kind: str) -> list[tuple[Any, ...]]:
    """List every version of every record of a kind: key, version, body, from, to, recorded."""
    record = _record()
    query = (
        sa.select(
            record.c.key,
            record.c.version,
            record.c.body,
            record.c.valid_from,
            record.c.valid_to,
            record.c.recorded_at,
        )
        .where(record.c.kind == kind)
        .order_by(record.c.key, record.c.version)
    )
    return [tuple(row) for row in op.get_bind().execute(query)]


def _record() -> sa.TableClause:
    return sa.table(
        "directory_record",
        sa.column("kind", sa.String),
        sa.column("key", sa.String),
        sa.column("version", sa.Integer),
        sa.column("body", sa.Text),
        sa.column("valid_from", Instant),
        sa.column("valid_to", Instant),
        sa.column("recorded_at", Instant),
    )


def _agreements_become_events() -> None:
    """Each version of a directory's agreement is an event, and so is its end; the row itself goes.

    A version that ended without another of the same parties right after it was withdrawn then.
    """
    versions = _rows("agreement")
    seqs: dict[tuple[str, str], int] = {}
    for number, (key, _, body, valid_from, valid_to, recorded_at) in enumerate(versions):
        told = json.loads(body)
        _add_agreement_event(seqs, key, told, _TYPES[told["status"]], valid_from, recorded_at)
        after = versions[number + 1] if number + 1 < len(versions) else None
        goes_on = (
            after is not None
            and (after[0], after[3]) == (key, valid_to)
            and _parties(json.loads(after[2])) == _parties(told)
        )
        if valid_to is not None and not goes_on:
            _add_agreement_event(seqs, key, told, "withdrawn", valid_to, valid_to)
    record = _record()
    op.get_bind().execute(sa.delete(record).where(record.c.kind == "agreement"))


def _parties(told: dict[str, Any]) -> tuple[str, str]:
    return told["practice"], told["counterparty"]


def _add_agreement_event(
    seqs: dict[tuple[str, str], int],
    key: str,
    told: dict[str, Any],
    move: str,
    at: datetime,
    recorded_at: datetime,
) -> None:
    names = ("practice", "agreement", "seq", "counterparty", "type", "terms", "actor", "source")
    event = sa.table(
        "agreement_event",
        *(sa.column(name) for name in names),
        sa.column("effective_at", Instant),
        sa.column("recorded_at", Instant),
    )
    seq = seqs[told["practice"], key] = seqs.get((told["practice"], key), 0) + 1
    terms = {"name": key, "kind": told["kind"], "purposes": sorted(told["purposes"])}
    op.get_bind().execute(
        sa.insert(event).values(
            practice=told["practice"],
            agreement=key,
            seq=seq,
            counterparty=told["counterparty"],
            type=move,
            terms=json.dumps(terms),
            effective_at=at,
            recorded_at=recorded_at,
            actor="operator",
            source="import",
        )
    )


def _switches_become_events() -> None:
    """Make each change of a switch an event; the practice's row keeps the rest."""
    event = sa.table(
        "switch_event",
        *(sa.column(name) for name in ("practice", "switch", "seq", "value", "actor", "source")),
        sa.column("effective_at", Instant),
        sa.column("recorded_at", Instant),
    )
    record = _record()
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for key, version, body, valid_from, _, recorded_at in _rows("practice"):
        told = json.loads(body)
        told_of = told.pop("switches", {})
        # A switch that a later version no longer names was unknown from then on: off is as strict.
        dropped = {switch: "off" for practice, switch in last if practice == key}
        for switch, value in (dropped | told_of).items():
            seq, before = last.get((key, switch), (0, ""))
            if value == before:
                continue
            last[key, switch] = (seq + 1, value)
            op.get_bind().execute(
                sa.insert(event).values(
                    practice=key,
                    switch=switch,
                    seq=seq + 1,
                    value=value,
                    effective_at=valid_from,
                    recorded_at=recorded_at,
                    actor="operator",
                    source="import",
                )
            )
        op.get_bind().execute(
            sa.update(record)
            .where(record.c.kind == "practice", record.c.key == key, record.c.version == version)
            .values(body=json.dumps(told, separators=(",", ":")))
        )
