"""Decisions: each one kept as taken, its facts and reasons sealed under the person's key."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from gateway.consent.decide import Verdict
from gateway.consent.facts import Facts
from gateway.consent.record import detail_of
from gateway.referral.identifiers import (
    DecisionId,
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
    ServiceId,
)
from gateway.store import persons
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import decision

_ADD = insert(decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict at one moment, about exact bytes: what the ledger names by its id.

    `payload_sha256` is of the bytes as received (stage accept) or as they would leave.
    """

    id: DecisionId
    stage: str
    referral: ReferralId | None
    delivery: DeliveryId | None
    practice: OdsCode
    subject: Handle
    service: ServiceId | None
    provider: OdsCode | None
    purpose: str
    payload_sha256: str
    facts: Facts
    verdict: Verdict
    decided_at: datetime


def last_of(view: Reading | Transaction, referral: ReferralId) -> DecisionId:
    """Name the newest decision about an accepted referral; there is always one."""
    found = view.connection.execute(
        select(decision.c.id)
        .where(decision.c.referral == referral)
        .order_by(decision.c.decided_at.desc(), decision.c.id.desc())
        .limit(1)
    ).scalar_one()
    return DecisionId(found)


def add(tx: Transaction, taken: Decision) -> None:
    """Store a decision."""
    key = persons.key_of(tx, taken.subject)
    detail = json.dumps(
        detail_of(taken.facts, taken.verdict), default=datetime.isoformat, separators=(",", ":")
    )
    tx.connection.execute(
        _ADD,
        {
            "id": taken.id,
            "stage": taken.stage,
            "referral": taken.referral,
            "delivery": taken.delivery,
            "practice": taken.practice,
            "subject": taken.subject,
            "service": taken.service,
            "provider": taken.provider,
            "purpose": taken.purpose,
            "effect": taken.verdict.effect,
            "primary_rule": taken.verdict.primary_rule,
            "code": taken.verdict.code,
            "policy_version": taken.verdict.policy_version,
            "payload_sha256": taken.payload_sha256,
            "sealed_detail": tx.vault.seal(key, detail.encode(), f"decision/{taken.id}"),
            "decided_at": taken.decided_at,
        },
    )
