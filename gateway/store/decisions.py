"""Decisions: each one kept as taken, its facts and reasons sealed under the person's key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, exists, insert, or_, select

from gateway.consent.decide import Verdict
from gateway.consent.facts import Facts
from gateway.consent.record import detail_of
from gateway.consent.withhold import OPEN, TakenOut
from gateway.ledger.kinds import Stage
from gateway.referral.identifiers import (
    DecisionId,
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    ServiceId,
)
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import ReferralState
from gateway.store import details, persons
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import decision, person, referral

_ADD = insert(decision)
_AT_A_TIME = 500
"""Rows of a long list that are in memory at once."""
_WAITING = (ReferralState.QUEUED, ReferralState.IN_FLIGHT, ReferralState.HELD)


_IS_FORWARD = decision.c.stage != Stage.WRITE_BACK.value
"""Decisions on a referral's own way; those on what comes back are others."""


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
    taken_out: tuple[TakenOut, ...]
    decided_at: datetime


def last_of(view: Reading | Transaction, referral: ReferralId) -> DecisionId:
    """Name the newest decision about an accepted referral; there is always one."""
    found = view.connection.execute(
        select(decision.c.id)
        .where(decision.c.referral == referral, _IS_FORWARD)
        .order_by(decision.c.decided_at.desc(), decision.c.id.desc())
        .limit(1)
    ).scalar_one()
    return DecisionId(found)


def withheld_at_first(view: Reading | Transaction, referral_id: ReferralId) -> int:
    """Count the parts that were to stay behind when a referral came in, of those to be told."""
    row = view.connection.execute(
        select(decision.c.id, decision.c.subject, decision.c.sealed_detail)
        .where(decision.c.referral == referral_id)
        .order_by(decision.c.decided_at, decision.c.id)
        .limit(1)
    ).one()
    key = persons.key_of(view, Handle(row.subject))
    detail = json.loads(view.vault.open(key, row.sealed_detail, f"decision/{row.id}"))
    return sum(each["why"] in OPEN for each in detail.get("taken_out", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A decision as it was kept. `referral` and `state` None: it let no referral in."""

    id: DecisionId
    referral: ReferralId | None
    reference: ReferralReference | None
    state: ReferralState | None
    practice: OdsCode
    provider: OdsCode | None
    purpose: str
    policy_version: str
    decided_at: datetime
    detail: JsonObject = field(repr=False)

    @property
    def is_waiting(self) -> bool:
        """Whether its referral has been accepted and has not left."""
        return self.state in _WAITING


def newest(
    view: Reading, *, since: datetime, until: datetime, practice: OdsCode | None
) -> Iterator[Kept]:
    """Give the newest decision about each referral, and each refusal, of a period, by time.

    Referrals that wait still are given whenever they were decided on.

    Args:
        view: must see the database at one moment.
        since: the first instant of the period.
        until: the first instant after it.
        practice: whose; None: everybody's.
    """
    later = decision.alias("later")
    is_newest = ~exists().where(
        later.c.referral == decision.c.referral,
        later.c.stage != Stage.WRITE_BACK.value,
        or_(
            later.c.decided_at > decision.c.decided_at,
            and_(later.c.decided_at == decision.c.decided_at, later.c.id > decision.c.id),
        ),
    )
    in_period = and_(decision.c.decided_at >= since, decision.c.decided_at < until)
    query = (
        select(decision, referral.c.reference, referral.c.state, person.c.wrapped_key)
        .join(person, person.c.handle == decision.c.subject)
        .outerjoin(referral, referral.c.id == decision.c.referral)
        .where(or_(in_period, referral.c.state.in_(_WAITING)), is_newest, _IS_FORWARD)
        .order_by(decision.c.decided_at, decision.c.id)
    )
    if practice is not None:
        query = query.where(decision.c.practice == practice)
    for row in view.connection.execution_options(yield_per=_AT_A_TIME).execute(query):
        yield _kept(view, row)


def _kept(view: Reading, row: Row[Any]) -> Kept:
    key = view.vault.open_key(row.wrapped_key, f"person/{row.subject}")
    detail = view.vault.open(key, row.sealed_detail, f"decision/{row.id}")
    return Kept(
        id=DecisionId(row.id),
        referral=ReferralId(row.referral) if row.referral else None,
        reference=ReferralReference(row.reference) if row.reference else None,
        state=ReferralState(row.state) if row.state else None,
        practice=OdsCode(row.practice),
        provider=OdsCode(row.provider) if row.provider else None,
        purpose=row.purpose,
        policy_version=row.policy_version,
        decided_at=row.decided_at,
        detail=json.loads(detail),
    )


def add(tx: Transaction, taken: Decision) -> bytes:
    """Store a decision. Returns: its detail, as it was sealed."""
    key = persons.key_of(tx, taken.subject)
    tx.wrapped_keys[taken.subject] = key.wrapped  # the entry's own detail is sealed under it, too
    detail = details.written(detail_of(taken.facts, taken.verdict, taken.taken_out))
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
            "sealed_detail": tx.vault.seal(key, detail, f"decision/{taken.id}"),
            "decided_at": taken.decided_at,
        },
    )
    return detail
