"""Erase one person at one practice: every row that is about them, and the keys with them.

What enters: a handle. What leaves: how many rows of each table went, and what the rows that
are left say of the persons who are gone. Entries of the ledger are never touched: they name a
handle that leads nowhere then. Must never: take a referral that is still on its way, or a row
of another practice. National opt-out answers stay: they are found by NHS number, for all
practices at once, and have a time of their own (`purging.py`).
Source: the sharing rules, section 9, erasure v immutability.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
)

from gateway.ledger.entry import DecisionMade, RetentionPurged
from gateway.ledger.kinds import EntryKind, Stage
from gateway.ledger.seal import read_placed
from gateway.referral.identifiers import Handle, OdsCode, ReferralReference
from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.store import feeds, outcomes
from gateway.store.engine import Reading, Store, Transaction, without_time_limit
from gateway.store.tables import (
    consent,
    consent_identifier,
    consent_version,
    decision,
    delivery,
    gate,
    person,
    recall,
    referral,
    referral_change,
    referral_identifier,
    request,
    withdrawal,
    withdrawal_delivery,
)
from gateway.store.tables_ledger import ledger_detail, ledger_entry, ledger_head

ENDED = (ReferralState.DELIVERED, ReferralState.CLOSED)
"""States in which nothing of a referral is still to happen."""

ON_THE_WAY = (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT)
"""States of a delivery that a worker will still act on."""

REFERRALS = "referrals"
"""What a `retention.purged` entry calls referrals that went because their time was over."""

_PATIENCE = 1.0
"""Seconds for which `flush` asks again while readers are in the way."""

_BETWEEN_TRIES = 0.02
"""Seconds between two of its tries."""

_NO_SIGN_OF_LIFE = (
    EntryKind.RECORD_READ,
    EntryKind.AUDIT_READ,
    EntryKind.AUDIT_EXPORTED,
    EntryKind.DECISION_PREVIEWED,
)
"""Entries that may name a referral long after it ended: they moved nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How many rows of one table."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """A referral that is not over, and where it stands."""

    reference: ReferralReference
    state: ReferralState


def practice_of(
    view: Reading | Transaction, handle: Handle, *, hold_still: bool = False
) -> OdsCode | None:
    """Tell whose patient a handle names; None: nobody's, here.

    `hold_still`: nobody adds a referral, a decision or a Consent to them until the transaction
    ends, because each of those points at this row.
    """
    query = select(person.c.practice).where(person.c.handle == handle)
    if hold_still:
        query = query.with_for_update()
    found = view.connection.execute(query).scalar_one_or_none()
    return None if found is None else OdsCode(found)


def blocking(
    view: Reading | Transaction, practice: OdsCode, handle: Handle, *, hold_still: bool = False
) -> list[Blocking]:
    """List the referrals of a person that are not over, by reference.

    `hold_still`: none of their referrals moves until the transaction ends.
    """
    own = and_(referral.c.practice == practice, referral.c.subject == handle)
    query = select(referral.c.id, referral.c.reference, referral.c.state).where(own)
    if hold_still:
        query = query.with_for_update()
    rows = view.connection.execute(query.order_by(referral.c.reference)).all()
    under_way = set(
        view.connection.execute(
            select(delivery.c.referral).where(
                delivery.c.referral.in_([row.id for row in rows]),
                delivery.c.state.in_(ON_THE_WAY),
            )
        ).scalars()
    )
    return [
        Blocking(reference=ReferralReference(row.reference), state=ReferralState(row.state))
        for row in rows
        if row.state not in ENDED or row.id in under_way
    ]


def is_being_withdrawn(tx: Transaction, practice: OdsCode, handle: Handle) -> bool:
    """Tell whether a withdrawal that may cover what is theirs is still being carried through.

    It may have to recall what was delivered, which would be gone. One of a provider's assurance
    may cover anybody's; one that counts later recalls nothing yet.
    """
    begun = select(withdrawal.c.id).where(
        withdrawal.c.acknowledged_at.is_(None),
        withdrawal.c.withdrawn_at <= tx.at,
        or_(withdrawal.c.practice.is_(None), withdrawal.c.practice == practice),
        or_(withdrawal.c.subject.is_(None), withdrawal.c.subject == handle),
    )
    return tx.connection.execute(begun.limit(1)).first() is not None


def count(view: Reading | Transaction, practice: OdsCode, handle: Handle) -> list[Rows]:
    """Count the rows that are about a person, by table."""
    return [
        Rows(
            table=table.name,
            rows=view.connection.execute(
                select(func.count()).select_from(table).where(theirs)
            ).scalar_one(),
        )
        for table, theirs in _belongings(practice, handle)
    ]


def erase(tx: Transaction, practice: OdsCode, handle: Handle) -> list[Rows]:
    """Delete every row that is about a person; tell how many of each table."""
    without_time_limit(tx.connection)
    is_own = and_(referral.c.practice == practice, referral.c.subject == handle)
    feeds.forget(tx, select(referral.c.id).where(is_own))
    return [
        Rows(table=table.name, rows=tx.connection.execute(delete(table).where(theirs)).rowcount)
        for table, theirs in _belongings(practice, handle)
    ]


def _belongings(practice: OdsCode, handle: Handle) -> Sequence[tuple[Table, ColumnElement[bool]]]:
    """Say which rows of each table are a person's, in the order in which they may be deleted.

    A request is theirs where it made a referral or a Consent of theirs, or where a decision
    about exactly its bytes refused it.
    """
    is_own = and_(referral.c.practice == practice, referral.c.subject == handle)
    own = select(referral.c.id).where(is_own)
    brought = select(delivery.c.id).where(delivery.c.referral.in_(own))
    withdrawn = select(withdrawal.c.id).where(withdrawal.c.subject == handle)
    agreed = select(consent.c.id).where(consent.c.subject == handle)
    refused = select(decision.c.payload_sha256).where(
        decision.c.subject == handle,
        decision.c.referral.is_(None),
        decision.c.stage == Stage.ACCEPT.value,
    )
    asked = or_(
        request.c.referral.in_(own),
        request.c.referral.in_(agreed),
        and_(request.c.refusal.is_not(None), request.c.body_sha256.in_(refused)),
    )
    return (
        (request, asked),
        (ledger_detail, ledger_detail.c.subject == handle),
        (
            withdrawal_delivery,
            or_(
                withdrawal_delivery.c.delivery.in_(brought),
                withdrawal_delivery.c.withdrawal.in_(withdrawn),
            ),
        ),
        (withdrawal, withdrawal.c.subject == handle),
        (recall, recall.c.id.in_(brought)),
        *outcomes.belongings(own),
        (delivery, delivery.c.referral.in_(own)),
        (decision, decision.c.subject == handle),
        (referral_change, referral_change.c.referral.in_(own)),
        (referral_identifier, referral_identifier.c.referral.in_(own)),
        (referral, is_own),
        (consent_version, consent_version.c.consent.in_(agreed)),
        (consent_identifier, consent_identifier.c.consent.in_(agreed)),
        (consent, consent.c.subject == handle),
        (gate, and_(gate.c.kind == "subject", gate.c.key == handle)),
        (person, person.c.handle == handle),
    )


def nothing_kept(view: Reading) -> Iterator[Handle]:
    """Name the persons of whom no referral, decision or Consent is kept any more."""
    rows = view.connection.execution_options(yield_per=1000).execute(
        select(person.c.handle)
        .except_(select(referral.c.subject), select(decision.c.subject), select(consent.c.subject))
        .order_by("handle")
    )
    yield from (Handle(row.handle) for row in rows)


def has_nothing_kept(tx: Transaction, practice: OdsCode, handle: Handle) -> bool:
    """Tell whether nothing but keys is left of a person, who must be held still."""
    whose = {"of_practice": practice, "of_subject": handle}
    return all(tx.connection.execute(query, whose).first() is None for query in _KEPT)


def erase_keys(tx: Transaction, handle: Handle) -> int:
    """Delete the keys of a person of whom nothing else is left; tell how many rows went."""
    whose = {"of_subject": handle}
    return sum(tx.connection.execute(statement, whose).rowcount for statement in _DROP_KEYS)


_WHOSE: BindParameter[str] = bindparam("of_subject")
_KEPT = (
    select(referral.c.id).where(
        referral.c.practice == bindparam("of_practice"), referral.c.subject == _WHOSE
    ),
    select(decision.c.id).where(decision.c.subject == _WHOSE),
    select(consent.c.id).where(consent.c.subject == _WHOSE),
)
_DROP_KEYS = (
    delete(ledger_detail).where(ledger_detail.c.subject == _WHOSE),
    delete(gate).where(gate.c.kind == "subject", gate.c.key == _WHOSE),
    delete(withdrawal).where(withdrawal.c.subject == _WHOSE),
    delete(person).where(person.c.handle == _WHOSE),
)


def left_behind(view: Reading) -> list[Rows]:
    """Count rows of persons of whom the ledger says that they were erased: there are none."""
    erased = _erased()
    places: tuple[tuple[Table, ColumnElement[bool]], ...] = (
        (person, person.c.handle.in_(erased)),
        (referral, referral.c.subject.in_(erased)),
        (decision, decision.c.subject.in_(erased)),
        (consent, consent.c.subject.in_(erased)),
        (ledger_detail, ledger_detail.c.subject.in_(erased)),
        (withdrawal, withdrawal.c.subject.in_(erased)),
        (gate, and_(gate.c.kind == "subject", gate.c.key.in_(erased))),
    )
    counted = [
        Rows(
            table=table.name,
            rows=view.connection.execute(
                select(func.count()).select_from(table).where(theirs)
            ).scalar_one(),
        )
        for table, theirs in places
    ]
    return [each for each in counted if each.rows]


def gone_for_a_reason(view: Reading) -> frozenset[str]:
    """Name the referrals in the ledger whose rows went, and whose going is in the ledger too.

    Their person was erased; or their log is being destroyed; or they ended before a time up to
    which referrals were purged. Of the last there are no more than were counted then.
    """
    purges = _purges(view)
    allowed = sum(each.size for each in purges)
    last_before = max((each.before for each in purges), default=None)
    found: set[str] = set()
    aged: list[tuple[datetime, str]] = []
    for row in view.connection.execute(_without_a_row()):
        if row.erased or row.destroyed is not None:
            found.add(row.referral)
        elif last_before is not None and row.last is not None:
            last = row.last if row.last < last_before else _last_move(view, row.referral)
            if last < last_before:
                aged.append((last, row.referral))
    return frozenset(found | {name for _, name in sorted(aged)[:allowed]})


def _last_move(view: Reading, name: str) -> datetime:
    """Tell when a referral last moved: that a provider read it again was no move."""
    query = select(ledger_entry.c.at, ledger_entry.c.body).where(
        ledger_entry.c.referral == name, ledger_entry.c.kind.not_in(_NO_SIGN_OF_LIFE)
    )
    rows = view.connection.execute(query)
    moves: list[datetime] = [row.at for row in rows if not _is_reading(row.body)]
    return max(moves)


def _is_reading(body: bytes) -> bool:
    entry = read_placed(body).entry
    return isinstance(entry, DecisionMade) and entry.stage is Stage.READ


def _purges(view: Reading) -> list[RetentionPurged]:
    bodies = view.connection.execute(
        select(ledger_entry.c.body).where(ledger_entry.c.kind == EntryKind.RETENTION_PURGED.value)
    ).scalars()
    entries = [read_placed(body).entry for body in bodies]
    return [e for e in entries if isinstance(e, RetentionPurged) and e.record == REFERRALS]


def _without_a_row() -> Select[Any]:
    """Of each referral that only the ledger knows: whether erased, and when it last moved."""
    moved = case((ledger_entry.c.kind.not_in(_NO_SIGN_OF_LIFE), ledger_entry.c.at))
    return (
        select(
            ledger_entry.c.referral,
            func.max(moved, type_=ledger_entry.c.at.type).label("last"),
            func.max(case((ledger_entry.c.subject.in_(_erased()), 1), else_=0)).label("erased"),
            func.max(ledger_head.c.purged_at).label("destroyed"),
        )
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .outerjoin(referral, referral.c.id == ledger_entry.c.referral)
        .where(ledger_entry.c.referral.is_not(None), referral.c.id.is_(None))
        .group_by(ledger_entry.c.referral)
    )


def _erased() -> Select[Any]:
    return (
        select(ledger_entry.c.subject)
        .distinct()
        .where(ledger_entry.c.kind == EntryKind.SUBJECT_ERASED.value)
    )


class OnDisk(StrEnum):
    """What became of the deleted bytes themselves."""

    OVERWRITTEN = "overwritten"
    WAITING = "waiting"
    BY_SERVER = "by-server"


def flush(store: Store) -> OnDisk:
    """Take what was deleted out of SQLite's files, and tell whether it is out of them.

    Its pages were overwritten in the log of writes, which is copied into the database here, and
    emptied. WAITING: readers were in the way, and the next time may do better. BY_SERVER: it is
    PostgreSQL, where vacuuming and the server's own archives decide (docker/RUNBOOK.md).
    """
    if store.engine.dialect.name != "sqlite":
        return OnDisk.BY_SERVER
    until = time.monotonic() + _PATIENCE
    with store.engine.connect() as connection:
        driver = connection.connection.driver_connection
        while _is_busy(driver):
            if time.monotonic() >= until:
                return OnDisk.WAITING
            time.sleep(_BETWEEN_TRIES)
    return OnDisk.OVERWRITTEN


def _is_busy(driver: Any) -> bool:  # noqa: ANN401  # DB-API
    """Try to empty the log of writes; outside of any transaction, or it would wait for itself."""
    return bool(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
