"""Outcomes: what providers said, sealed under the keys of their referrals."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, func, insert, select, update

from gateway.referral.identifiers import (
    ClientId,
    DeliveryId,
    OdsCode,
    OutcomeId,
    ReferralId,
)
from gateway.referral.model import Identifier
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import referral
from gateway.store.tables_outcomes import letter, outcome, outcome_name, reminder
from gateway.store.tables_reports import report_copy, report_event

_COLUMNS = [each for each in outcome.c if each.name != "sealed_body"]


def add(tx: Transaction, new: Outcome, body: bytes, names: Collection[Identifier]) -> None:
    """Store an outcome, its bytes as received, and the names of its documents."""
    key = tx.vault.open_key(_wrapped_key(tx, new.referral), f"referral/{new.referral}")
    sealed = tx.vault.seal(key, body, _place(new.referral, new.id))
    tx.connection.execute(insert(outcome), _row(new) | {"sealed_body": sealed})
    lookups = sorted({_lookup(tx, each) for each in names})
    if lookups:
        tx.connection.execute(
            insert(outcome_name), [{"outcome": new.id, "lookup": each} for each in lookups]
        )


def rule(tx: Transaction, ruled: Outcome) -> None:
    """Note where an outcome stands, and what was said of it by whoever decided."""
    tx.connection.execute(
        update(outcome)
        .where(outcome.c.id == ruled.id)
        .values(standing=ruled.standing, row=ruled.row, code=ruled.code, kept=ruled.kept)
    )


def find(view: Reading | Transaction, outcome_id: OutcomeId) -> Outcome | None:
    """Read one outcome; None if there is none under this id."""
    row = view.connection.execute(select(*_COLUMNS).where(outcome.c.id == outcome_id)).one_or_none()
    return _read(row) if row else None


def body_of(view: Reading | Transaction, kept: Outcome) -> bytes:
    """Open the bytes as received.

    Raises:
        DamagedRecordError: they do not open under their key.
    """
    sealed = view.connection.execute(
        select(outcome.c.sealed_body).where(outcome.c.id == kept.id)
    ).scalar_one()
    key = view.vault.open_key(_wrapped_key(view, kept.referral), f"referral/{kept.referral}")
    return view.vault.open(key, sealed, _place(kept.referral, kept.id))


def of_referral(view: Reading | Transaction, referral_id: ReferralId) -> list[Outcome]:
    """List what was said of a referral, in the order in which it came."""
    rows = view.connection.execute(
        select(*_COLUMNS).where(outcome.c.referral == referral_id).order_by(outcome.c.seq)
    )
    return [_read(row) for row in rows]


def last_of(
    view: Reading | Transaction, delivered: Sequence[DeliveryId]
) -> dict[DeliveryId, Outcome]:
    """Read the newest outcome of each of some deliveries; one that nobody answered is left out.

    What may not reach the practice is nobody's to see.
    """
    newest = (
        select(outcome.c.delivery, func.max(outcome.c.seq).label("seq"))
        .where(outcome.c.delivery.in_(delivered), outcome.c.standing != Standing.KEPT)
        .group_by(outcome.c.delivery)
        .subquery()
    )
    rows = view.connection.execute(
        select(*_COLUMNS).join(
            newest,
            (newest.c.delivery == outcome.c.delivery) & (newest.c.seq == outcome.c.seq),
        )
    )
    return {DeliveryId(row.delivery): _read(row) for row in rows}


def find_same(
    view: Reading | Transaction, delivery: DeliveryId, body_sha256: str
) -> Outcome | None:
    """Read the outcome of a delivery that came in exactly these bytes; None: there is none."""
    row = view.connection.execute(
        select(*_COLUMNS).where(
            outcome.c.delivery == delivery, outcome.c.body_sha256 == body_sha256
        )
    ).one_or_none()
    return _read(row) if row else None


def named(
    view: Reading | Transaction, delivery: DeliveryId, names: Collection[Identifier]
) -> Outcome | None:
    """Read the newest outcome of a delivery that has a document of any of these names."""
    lookups = sorted({_lookup(view, each) for each in names})
    row = view.connection.execute(
        select(*_COLUMNS)
        .where(
            outcome.c.delivery == delivery,
            outcome.c.id.in_(
                select(outcome_name.c.outcome).where(outcome_name.c.lookup.in_(lookups))
            ),
        )
        .order_by(outcome.c.seq.desc())
        .limit(1)
    ).first()
    return _read(row) if row else None


def belongings(
    referrals: Select[Any] | Collection[str],
) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Say which rows of the way back belong to referrals, in the order in which they may go."""
    own = select(outcome.c.id).where(outcome.c.referral.in_(referrals))
    copies = select(report_copy.c.id).where(report_copy.c.referral.in_(referrals))
    return (
        (report_event, report_event.c.copy.in_(copies)),
        (report_copy, report_copy.c.referral.in_(referrals)),
        (reminder, reminder.c.referral.in_(referrals)),
        (letter, letter.c.outcome.in_(own)),
        (outcome_name, outcome_name.c.outcome.in_(own)),
        (outcome, outcome.c.referral.in_(referrals)),
    )


def _lookup(view: Reading | Transaction, name: Identifier) -> bytes:
    return view.vault.lookup("document", name.system, name.value)


def _place(referral_id: ReferralId, outcome_id: OutcomeId) -> str:
    return f"referral/{referral_id}/outcome/{outcome_id}"


def _wrapped_key(view: Reading | Transaction, referral_id: ReferralId) -> bytes:
    query = select(referral.c.wrapped_key).where(referral.c.id == referral_id)
    return bytes(view.connection.execute(query).scalar_one())


def _row(o: Outcome) -> dict[str, Any]:
    return {
        "id": o.id,
        "referral": o.referral,
        "seq": o.seq,
        "delivery": o.delivery,
        "provider": o.provider,
        "kind": o.kind,
        "closes": o.closes,
        "reason_system": o.reason_system,
        "reason": o.reason,
        "door": o.door,
        "client": o.client,
        "body_sha256": o.body_sha256,
        "said_at": o.said_at,
        "received_at": o.received_at,
        "standing": o.standing,
        "payload": o.payload,
        "row": o.row,
        "code": o.code,
        "kept": o.kept,
        "asked": o.asked,
        "answered": o.answered,
        "replaces": o.replaces,
    }


def _read(row: Row[Any]) -> Outcome:
    return Outcome(
        id=OutcomeId(row.id),
        referral=ReferralId(row.referral),
        seq=row.seq,
        delivery=DeliveryId(row.delivery),
        provider=OdsCode(row.provider),
        kind=OutcomeKind(row.kind),
        closes=row.closes,
        reason_system=row.reason_system,
        reason=row.reason,
        door=row.door,
        client=ClientId(row.client),
        body_sha256=row.body_sha256,
        said_at=row.said_at,
        received_at=row.received_at,
        standing=Standing(row.standing),
        payload=row.payload,
        row=row.row,
        code=row.code,
        kept=row.kept,
        asked=row.asked,
        answered=row.answered,
        replaces=OutcomeId(row.replaces) if row.replaces else None,
    )
