"""A full outbox: referrals that were accepted and wait to leave.

What enters: a gateway with a directory, how many are wanted, and when each is due. What leaves:
rows as `accept` would have written them, each person and body sealed under a key of its own.
They go in by hundreds, past `journey`: nothing is recorded of them. All people are invented.
"""

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from gateway.journey.gateway import Gateway
from gateway.referral.directory import Service
from gateway.store.engine import Transaction
from gateway.store.tables import delivery, person, referral
from tests.builders.messages import NHS_NUMBER, PRACTICE

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One that waits: where it goes, what was received, and when it is due."""

    service: Service
    body: bytes
    due: datetime


def fill_outbox(gateway: Gateway, waiting: Sequence[Waiting]) -> list[str]:
    """Queue them; return the ids of their deliveries, in the same order."""
    names: list[str] = []
    for start in range(0, len(waiting), _AT_ONCE):
        with gateway.store.transaction(gateway.clock()) as tx:
            names += _write(tx, gateway, waiting[start : start + _AT_ONCE])
    return names


def _write(tx: Transaction, gateway: Gateway, waiting: Sequence[Waiting]) -> list[str]:
    people = [_person(tx) for _ in waiting]
    referrals = [
        _referral(tx, gateway, each, one["handle"])
        for each, one in zip(waiting, people, strict=True)
    ]
    deliveries = [
        _delivery(tx, gateway, each, one["id"])
        for each, one in zip(waiting, referrals, strict=True)
    ]
    for table, rows in ((person, people), (referral, referrals), (delivery, deliveries)):
        tx.connection.execute(insert(table), rows)
    return [row["id"] for row in deliveries]


def _person(tx: Transaction) -> Mapping[str, Any]:
    handle = secrets.token_hex(16)
    key = tx.vault.new_key(f"person/{handle}")
    return {
        "handle": handle,
        "practice": PRACTICE,
        "lookup": tx.vault.lookup("bench", handle),
        "wrapped_key": key.wrapped,
        "sealed_nhs_number": tx.vault.seal(key, NHS_NUMBER.encode(), f"person/{handle}/nhs-number"),
        "created_at": tx.at,
    }


def _referral(
    tx: Transaction, gateway: Gateway, waiting: Waiting, subject: str
) -> Mapping[str, Any]:
    referral_id = str(uuid.uuid4())
    key = tx.vault.new_key(f"referral/{referral_id}")
    return {
        "id": referral_id,
        "reference": gateway.new_reference(),
        "practice": PRACTICE,
        "sender": "gp-one",
        "subject": subject,
        "door": "rest",
        "request_id": str(uuid.uuid4()),
        "correlation_id": str(uuid.uuid4()),
        "purpose": "occupational-health",
        "service": waiting.service.id,
        "provider": waiting.service.provider,
        "state": "queued",
        "status": "active",
        "content_version": 1,
        "content_at": tx.at,
        "body_sha256": hashlib.sha256(waiting.body).hexdigest(),
        "wrapped_key": key.wrapped,
        "sealed_body": tx.vault.seal(key, waiting.body, f"referral/{referral_id}/body"),
        "version": 1,
        "received_at": tx.at,
        "updated_at": tx.at,
    }


def _delivery(
    tx: Transaction, gateway: Gateway, waiting: Waiting, referral_id: str
) -> Mapping[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "kind": "referral",
        "referral": referral_id,
        "service": waiting.service.id,
        "provider": waiting.service.provider,
        "state": "queued",
        "attempts": 0,
        "next_at": waiting.due,
        "give_up_at": tx.at + gateway.schedule.horizon,
        "may_have_arrived": False,
        "lane": waiting.service.endpoint,
        "lapses": 0,
        "withdrawn": False,
        "part": 0,
        "version": 1,
        "created_at": tx.at,
        "updated_at": tx.at,
    }
