"""Shared care on record: agreements, and practices' words on their capacity; rows are only added.

Whoever adds one locks the practice first, as for its agreements: see `sharing.lock_practice`.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.consent.facts import Facts
from gateway.consent.record import facts_of
from gateway.errors import MovedMeanwhileError
from gateway.ledger.kinds import Stage
from gateway.mapping.shared_care_terms import read_terms, write_terms
from gateway.referral.identifiers import Handle, OdsCode
from gateway.referral.outcome import Outcome
from gateway.store import persons
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import decision
from gateway.store.tables_shared_care import shared_care_agreement, shared_care_capacity
from gateway.writeback.shared_care import CapacityWord, SharedCareAgreement


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAgreement:
    """What practice and provider have agreed, as somebody put it on record. `seq` counts from 1."""

    practice: OdsCode
    provider: OdsCode
    seq: int
    terms: SharedCareAgreement
    recorded_at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCapacity:
    """What a practice said of its capacity, as somebody put it on record. `seq` counts from 1."""

    practice: OdsCode
    seq: int
    word: CapacityWord
    recorded_at: datetime
    by: str


def add_agreement(tx: Transaction, new: RecordedAgreement) -> None:
    """Add an agreement; its number is the next between the two.

    Raises:
        MovedMeanwhileError: that number was given to another meanwhile.
    """
    _add(
        tx,
        shared_care_agreement,
        {
            "practice": new.practice,
            "provider": new.provider,
            "seq": new.seq,
            "terms": write_terms(new.terms),
            "recorded_at": new.recorded_at,
            "by": new.by,
        },
    )


def add_capacity(tx: Transaction, new: RecordedCapacity) -> None:
    """Add a practice's word; its number is the practice's next.

    Raises:
        MovedMeanwhileError: that number was given to another meanwhile.
    """
    _add(
        tx,
        shared_care_capacity,
        {
            "practice": new.practice,
            "seq": new.seq,
            "has_capacity": new.word.has_capacity,
            "said_on": new.word.said_on,
            "recorded_at": new.recorded_at,
            "by": new.by,
        },
    )


def agreement_between(
    view: Reading | Transaction, practice: OdsCode, provider: OdsCode
) -> RecordedAgreement | None:
    """Read the newest agreement between two; None: they have none on record."""
    table = shared_care_agreement
    query = (
        select(table)
        .where(table.c.practice == practice, table.c.provider == provider)
        .order_by(table.c.seq.desc())
        .limit(1)
    )
    row = view.connection.execute(query).one_or_none()
    return _agreement(row) if row else None


def capacity_of(view: Reading | Transaction, practice: OdsCode) -> RecordedCapacity | None:
    """Read a practice's newest word; None: it has said nothing."""
    table = shared_care_capacity
    query = select(table).where(table.c.practice == practice).order_by(table.c.seq.desc()).limit(1)
    row = view.connection.execute(query).one_or_none()
    return _capacity(row) if row else None


def agreements(view: Reading) -> list[RecordedAgreement]:
    """List the newest agreement of each two."""
    table = shared_care_agreement
    newest = (
        select(table.c.practice, table.c.provider, func.max(table.c.seq).label("seq"))
        .group_by(table.c.practice, table.c.provider)
        .subquery()
    )
    query = (
        select(table)
        .join(
            newest,
            (newest.c.practice == table.c.practice)
            & (newest.c.provider == table.c.provider)
            & (newest.c.seq == table.c.seq),
        )
        .order_by(table.c.practice, table.c.provider)
    )
    return [_agreement(row) for row in view.connection.execute(query)]


def capacities(view: Reading) -> list[RecordedCapacity]:
    """List the newest word of each practice."""
    table = shared_care_capacity
    newest = (
        select(table.c.practice, func.max(table.c.seq).label("seq"))
        .group_by(table.c.practice)
        .subquery()
    )
    query = (
        select(table)
        .join(newest, (newest.c.practice == table.c.practice) & (newest.c.seq == table.c.seq))
        .order_by(table.c.practice)
    )
    return [_capacity(row) for row in view.connection.execute(query)]


def next_seq(before: RecordedAgreement | RecordedCapacity | None) -> int:
    """Return the number after the newest."""
    return before.seq + 1 if before else 1


def facts_refused(view: Reading | Transaction, kept: Outcome, code: str) -> Facts | None:
    """Open the facts on which an outcome was last refused for a code; None: it was not.

    Raises:
        DamagedRecordError: they do not open under their key.
    """
    row = view.connection.execute(
        select(decision.c.id, decision.c.subject, decision.c.sealed_detail)
        .where(
            decision.c.referral == kept.referral,
            decision.c.delivery == kept.delivery,
            decision.c.payload_sha256 == kept.body_sha256,
            decision.c.stage == Stage.WRITE_BACK.value,
            decision.c.code == code,
        )
        .order_by(decision.c.decided_at.desc(), decision.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    key = persons.key_of(view, Handle(row.subject))
    return facts_of(json.loads(view.vault.open(key, row.sealed_detail, f"decision/{row.id}")))


def _add(tx: Transaction, table: Table, row: dict[str, Any]) -> None:
    try:
        tx.connection.execute(insert(table), row)
    except IntegrityError as error:
        msg = "somebody else put shared care on record at the same moment; try again"
        raise MovedMeanwhileError(msg) from error


def _agreement(row: Row[Any]) -> RecordedAgreement:
    return RecordedAgreement(
        practice=OdsCode(row.practice),
        provider=OdsCode(row.provider),
        seq=row.seq,
        terms=read_terms(row.terms.encode()),
        recorded_at=row.recorded_at,
        by=row.by,
    )


def _capacity(row: Row[Any]) -> RecordedCapacity:
    return RecordedCapacity(
        practice=OdsCode(row.practice),
        seq=row.seq,
        word=CapacityWord(has_capacity=row.has_capacity, said_on=row.said_on),
        recorded_at=row.recorded_at,
        by=row.by,
    )
