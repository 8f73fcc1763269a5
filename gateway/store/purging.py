"""Delete what was kept long enough: a few records in each transaction, and whole years of the log.

What enters: a kind of record, and a time before which it is over. What leaves: how many went.
Must never: take a referral that is not over, a Consent that still counts, or an entry of a log
that is not marked as purged. A year is marked first and swept after, so that whatever breaks
off between leaves a log that is whole, or one that nobody reads.
Source: the sharing rules, section 9, recommended format, 8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)

from gateway.consent.register import IN_ERROR
from gateway.ledger.checkpoint import Checkpoint
from gateway.ledger.seal import read_placed
from gateway.referral.notices import NoticeKind, NoticeState
from gateway.store import checkpoints, erasing, feeds, outcomes
from gateway.store.checkpoints import Signed
from gateway.store.engine import Reading, Store, Transaction, without_time_limit
from gateway.store.tables import (
    access_token,
    client_assertion,
    consent,
    consent_identifier,
    consent_version,
    decision,
    delivery,
    icb_notice,
    national_opt_out,
    recall,
    referral,
    referral_change,
    referral_identifier,
    request,
    withdrawal,
    withdrawal_delivery,
)
from gateway.store.tables_ledger import (
    checkpoint,
    cosignature,
    ledger_detail,
    ledger_entry,
    ledger_head,
    ledger_tile,
)

AT_A_TIME = 500
"""Rows that one transaction deletes of a table; a writer who waits for it waits milliseconds."""

_WITH_PARTS = 25
"""Records that one transaction deletes where each has some twenty rows in other tables."""

_PAGES_AT_A_TIME = 500
"""Pages that SQLite gives back in one transaction: 2 MB."""


class Record(StrEnum):
    """What is kept for a time of its own. Stored in `retention.purged`; never respelt."""

    REFERRALS = erasing.REFERRALS
    REFUSALS = "refusals"
    CONSENTS = "consents"
    REQUESTS = "requests"
    TOKENS = "tokens"
    ASSERTIONS = "assertions"
    NOTICES = "notices"
    OPT_OUTS = "opt-outs"
    WITHDRAWALS = "withdrawals"
    LEDGER_YEAR = "ledger-year"


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where records of a kind are, from when their time runs, and which of them are over."""

    table: Table
    since: ColumnElement[datetime]
    is_over: ColumnElement[bool]


def _first(*columns: Column[datetime]) -> ColumnElement[datetime]:
    """Take the first of these times that is set."""
    return func.coalesce(*columns, type_=columns[0].type)


_on_the_way = exists().where(
    delivery.c.referral == referral.c.id, delivery.c.state.in_(erasing.ON_THE_WAY)
)
_covers_something = exists().where(withdrawal_delivery.c.withdrawal == withdrawal.c.id)
_KEPT: Mapping[Record, _Kept] = {
    Record.REFERRALS: _Kept(
        referral,
        referral.c.updated_at,
        and_(referral.c.state.in_(erasing.ENDED), ~_on_the_way),
    ),
    Record.REFUSALS: _Kept(decision, decision.c.decided_at, decision.c.referral.is_(None)),
    Record.CONSENTS: _Kept(
        consent, consent.c.updated_at, consent.c.status.in_(("inactive", IN_ERROR))
    ),
    Record.REQUESTS: _Kept(request, _first(request.c.running_until, request.c.received_at), true()),
    Record.TOKENS: _Kept(access_token, access_token.c.expires_at, true()),
    Record.ASSERTIONS: _Kept(client_assertion, client_assertion.c.expires_at, true()),
    Record.NOTICES: _Kept(
        icb_notice,
        _first(icb_notice.c.reinstated_at, icb_notice.c.acknowledged_at),
        or_(
            icb_notice.c.state == NoticeState.REINSTATED,
            and_(
                icb_notice.c.kind == NoticeKind.REINSTATE,
                icb_notice.c.state == NoticeState.ACKNOWLEDGED,
            ),
        ),
    ),
    Record.OPT_OUTS: _Kept(national_opt_out, national_opt_out.c.as_of, true()),
    Record.WITHDRAWALS: _Kept(withdrawal, withdrawal.c.acknowledged_at, ~_covers_something),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """How many records of a kind are over, and since when the oldest of them."""

    size: int
    oldest: datetime | None


def due(view: Reading, record: Record, before: datetime) -> Due:
    """Count the records of a kind whose time ended before an instant."""
    kept = _KEPT[record]
    row = view.connection.execute(
        select(func.count(), func.min(kept.since, type_=referral.c.updated_at.type))
        .select_from(kept.table)
        .where(kept.is_over, kept.since < before)
    ).one()
    return Due(size=row[0], oldest=row[1])


def purge(tx: Transaction, record: Record, before: datetime) -> int:
    """Delete some records of a kind whose time ended before an instant; tell how many.

    None, where others were quicker.
    """
    without_time_limit(tx.connection)
    kept = _KEPT[record]
    keys = list(kept.table.primary_key)
    has_parts = record in _PARTS
    some = (
        select(*keys)
        .where(kept.is_over, kept.since < before)
        .limit(_WITH_PARTS if has_parts else AT_A_TIME)
        .with_for_update(skip_locked=True)
    )
    found = [tuple(row) for row in tx.connection.execute(some)]
    if not found:
        return 0
    if has_parts:
        _delete_parts(tx, record, [key for (key,) in found])
    tx.connection.execute(delete(kept.table).where(_is_one_of(keys, found)))
    return len(found)


def _is_one_of(
    keys: Sequence[Column[Any]], found: Sequence[tuple[Any, ...]]
) -> ColumnElement[bool]:
    if len(keys) == 1:
        return keys[0].in_([key for (key,) in found])
    return tuple_(*keys).in_(found)


_PARTS: Mapping[Record, tuple[Column[Any], ...]] = {
    Record.REFERRALS: (
        request.c.referral,
        delivery.c.referral,
        decision.c.referral,
        referral_change.c.referral,
        referral_identifier.c.referral,
    ),
    Record.REFUSALS: (),
    Record.CONSENTS: (
        request.c.referral,
        consent_version.c.consent,
        consent_identifier.c.consent,
    ),
}
"""Columns by which other tables point at a record: those rows go with it, and before it."""


def _delete_parts(tx: Transaction, record: Record, ids: Sequence[str]) -> None:
    """Delete what belongs to records, and what is sealed beside the entries about them."""
    if record is Record.REFUSALS:
        _delete_details(tx, _details_of_refusals(tx, ids))
    else:
        about = ledger_entry.c.referral if record is Record.REFERRALS else ledger_entry.c.consent
        rows = tx.connection.execute(
            select(ledger_entry.c.log, ledger_entry.c.idx).where(about.in_(ids))
        )
        _delete_details(tx, [tuple(row) for row in rows])
    if record is Record.REFERRALS:
        _delete_of_deliveries(tx, ids)
    for column in _PARTS[record]:
        tx.connection.execute(delete(column.table).where(column.in_(ids)))


def _delete_of_deliveries(tx: Transaction, ids: Sequence[str]) -> None:
    """Delete what points at the deliveries of referrals; the events of the feeds keep their numbers."""
    brought = select(delivery.c.id).where(delivery.c.referral.in_(ids))
    feeds.forget(tx, ids)
    covered = withdrawal_delivery.c.delivery
    tx.connection.execute(delete(withdrawal_delivery).where(covered.in_(brought)))
    tx.connection.execute(delete(recall).where(recall.c.id.in_(brought)))
    for table, theirs in outcomes.belongings(ids):
        tx.connection.execute(delete(table).where(theirs))


def _delete_details(tx: Transaction, places: Sequence[tuple[str, int]]) -> None:
    where = tuple_(ledger_detail.c.log, ledger_detail.c.idx)
    for start in range(0, len(places), AT_A_TIME):
        some = places[start : start + AT_A_TIME]
        tx.connection.execute(delete(ledger_detail).where(where.in_(some)))


def _details_of_refusals(tx: Transaction, ids: Sequence[str]) -> list[tuple[str, int]]:
    """Find the salts of decisions that let no referral in: the entry names the decision."""
    subjects = select(decision.c.subject).where(decision.c.id.in_(ids))
    rows = tx.connection.execute(
        select(ledger_entry.c.log, ledger_entry.c.idx, ledger_entry.c.body)
        .join(
            ledger_detail,
            and_(
                ledger_detail.c.log == ledger_entry.c.log, ledger_detail.c.idx == ledger_entry.c.idx
            ),
        )
        .where(
            ledger_detail.c.subject.in_(subjects),
            ledger_detail.c.sealed_detail.is_(None),
            ledger_entry.c.referral.is_(None),
        )
    )
    wanted = set(ids)
    return [
        (row.log, row.idx)
        for row in rows
        if getattr(read_placed(row.body).entry, "decision", None) in wanted
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgedLog:
    """A log whose entries were destroyed: its head, and what still proves what it was.

    `signed` and `note`, with its cosignatures, are its last checkpoint.
    """

    log: str
    size: int
    purged_at: datetime
    signed: Signed
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        """What the last checkpoint says."""
        return self.signed.checkpoint


def purged_logs(view: Reading) -> list[PurgedLog]:
    """List the logs whose entries were destroyed, the oldest first."""
    heads = view.connection.execute(
        select(ledger_head).where(ledger_head.c.purged_at.is_not(None)).order_by(ledger_head.c.log)
    ).all()
    found = []
    for head in heads:
        signed = checkpoints.newest(view, head.log)
        if signed is not None:
            found.append(
                PurgedLog(
                    log=head.log,
                    size=head.size,
                    purged_at=head.purged_at,
                    signed=signed,
                    note=checkpoints.note_of(view, signed),
                )
            )
    return found


def kept_from_before(view: Reading | Transaction, before: datetime) -> int:
    """Count the referrals and decisions from before a time that are still here."""
    return sum(
        view.connection.execute(select(func.count()).where(column < before)).scalar_one()
        for column in (referral.c.received_at, decision.c.decided_at)
    )


def mark_purged(tx: Transaction, log: str) -> bool:
    """Mark a log as purged: nobody reads its entries from here on; tell whether it was not yet."""
    done = tx.connection.execute(
        update(ledger_head)
        .where(ledger_head.c.log == log, ledger_head.c.purged_at.is_(None))
        .values(purged_at=tx.at)
    )
    return done.rowcount == 1


def sweep(tx: Transaction, log: str) -> int:
    """Delete some rows of a purged log; tell how many. Its head and last checkpoint stay."""
    marked = (
        select(ledger_head.c.log)
        .where(ledger_head.c.log == log, ledger_head.c.purged_at.is_not(None))
        .scalar_subquery()
    )
    last = select(func.max(checkpoint.c.size)).where(checkpoint.c.log == log).scalar_subquery()
    for table in (ledger_detail, ledger_entry, ledger_tile, cosignature, checkpoint):
        keys = list(table.primary_key)
        query = select(*keys).where(table.c.log == marked).order_by(*keys).limit(AT_A_TIME)
        if table in (cosignature, checkpoint):
            query = query.where(table.c.size < last)
        found = [tuple(row) for row in tx.connection.execute(query)]
        if found:
            return tx.connection.execute(delete(table).where(_is_one_of(keys, found))).rowcount
    return 0


def give_back_space(store: Store, at: datetime) -> bool:
    """Give free pages of SQLite's file back, some at a time; tell whether there may be more.

    A file that was made without `auto_vacuum` keeps its size and uses its pages again;
    PostgreSQL looks after its own files.
    """
    if store.engine.dialect.name != "sqlite":
        return False
    with store.transaction(at) as tx:
        driver: Any = tx.connection.connection.driver_connection
        if driver.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
            return False
        # A row for each page: a page whose row is not fetched is not given back.
        driver.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_A_TIME})").fetchall()
        return bool(driver.execute("PRAGMA freelist_count").fetchone()[0])


_INCREMENTAL = 2
"""What SQLite says of a database that can give its pages back."""
