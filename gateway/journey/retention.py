"""Let go of what was kept long enough, and say so in the ledger.

What enters: for how long each kind of record is kept, and signers. What leaves: what would go,
or what went, each time with a `retention.purged` entry in the same transaction. A person of
whom nothing is kept any more is erased. A year of the ledger goes as a whole: its head and its
last checkpoint stay. Whatever breaks off is gone on with the next time. Must never: take what
is not over, or destroy a log that is not signed in full, or does not hash to what was signed.
Source: the sharing rules, section 9; NHS Records Management Code of Practice, appendix II.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from gateway.errors import DamagedRecordError
from gateway.journey.erase import ACTOR, erase_keys
from gateway.journey.gateway import Gateway
from gateway.journey.publish import publish, year_of
from gateway.ledger.entry import RetentionPurged
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.note import Signer
from gateway.store import checkpoints, erasing, ledger, purging
from gateway.store.engine import Reading
from gateway.store.purging import PurgedLog, Record

Progress: TypeAlias = Callable[[str, int], None]
"""Told, after each commit, of which kind how many are gone so far."""

PERSONS = "persons"
"""What progress is told of persons who were erased, of whom nothing was kept any more."""


_PERSONS_AT_A_TIME = 25
"""Persons of whom only keys are left that one transaction erases, each with an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long each kind of record is kept after it is over: see `store.purging`.

    `ledger_years` are whole years after the end of the year that a log is of.
    """

    referrals: timedelta
    refusals: timedelta
    consents: timedelta
    requests: timedelta
    tokens: timedelta
    notices: timedelta
    opt_outs: timedelta
    ledger_years: int

    def before(self, record: Record, now: datetime) -> datetime:
        """Tell before which time a record's own time must have ended for it to go now."""
        kept = {
            Record.REFERRALS: self.referrals,
            Record.REFUSALS: self.refusals,
            Record.CONSENTS: self.consents,
            Record.REQUESTS: self.requests,
            Record.TOKENS: self.tokens,
            Record.ASSERTIONS: self.tokens,
            Record.NOTICES: self.notices,
            Record.OPT_OUTS: self.opt_outs,
            Record.WITHDRAWALS: self.referrals,  # it goes once all is gone that it covers
        }
        if record is Record.LEDGER_YEAR:
            return datetime(now.year - self.ledger_years, 1, 1, tzinfo=UTC)
        return now - kept[record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What of one kind is over: how many from before when, and the time of the oldest.

    Of the ledger, `log` says which year's, `size` counts its entries, and `blocked` says what
    must come first.
    """

    record: Record
    before: datetime
    size: int
    oldest: datetime | None
    log: str | None = None
    blocked: str | None = None


_RECORDS = [record for record in Record if record is not Record.LEDGER_YEAR]


def plan_purge(gateway: Gateway, retention: Retention) -> list[Planned]:
    """Count what is over by now, of each kind; change nothing.

    A year of the ledger may be blocked by what this very purge would take.
    """
    now = gateway.clock()
    with gateway.store.reading(as_one_moment=True) as view:
        found = []
        for record in _RECORDS:
            before = retention.before(record, now)
            due = purging.due(view, record, before)
            found.append(Planned(record=record, before=before, size=due.size, oldest=due.oldest))
        return found + _years(view, retention.before(Record.LEDGER_YEAR, now))


def purge(
    gateway: Gateway, retention: Retention, signers: Sequence[Signer], progress: Progress
) -> list[Planned]:
    """Let go of what is over.

    1. Of each kind of record: count what is over; delete some, and record how many, until as
       many are gone.
    2. Erase each person of whom nothing is kept any more.
    3. Sign what is new, so that a year that is over is signed in full.
    4. Of each year of the ledger that is over, the oldest first: check it against what was
       signed; mark it as purged, and record that; then delete its rows, some at a time.
    5. Take the deleted bytes out of SQLite's files, and give the space back.

    Each deletion, and each marking, is one transaction with its entry. Marked years that were
    not swept to the end are swept on.

    Returns: what went, by kind; and the years that could not go, with the reason.

    Raises:
        DamagedRecordError: a log does not hash to what was signed; it was not touched.
    """
    now = gateway.clock()
    gone = [_purge_records(gateway, record, retention, progress) for record in _RECORDS]
    _erase_those_of_whom_nothing_is_kept(gateway, progress)
    if signers:
        publish(gateway, signers)
    gone += _purge_years(gateway, retention.before(Record.LEDGER_YEAR, now), progress)
    while purging.give_back_space(gateway.store, now):
        pass
    erasing.flush(gateway.store)
    return gone


def purged_logs(gateway: Gateway) -> list[PurgedLog]:
    """List the logs whose entries were destroyed, with what still proves what they were."""
    with gateway.store.reading(as_one_moment=True) as view:
        return purging.purged_logs(view)


def _purge_records(
    gateway: Gateway, record: Record, retention: Retention, progress: Progress
) -> Planned:
    """Step 1, for one kind."""
    before = retention.before(record, gateway.clock())
    with gateway.store.reading(as_one_moment=True) as view:
        due = purging.due(view, record, before)
    gone = 0
    while gone < due.size:
        with gateway.store.transaction(gateway.clock()) as tx:
            size = purging.purge(tx, record, before)
            if size:
                tx.record(
                    RetentionPurged(
                        actor=ACTOR,
                        record=record.value,
                        before=before,
                        size=size,
                        year=None,
                        root=None,
                    )
                )
        if not size:
            break
        gone += size
        progress(record, gone)
    return Planned(record=record, before=before, size=gone, oldest=due.oldest)


def _erase_those_of_whom_nothing_is_kept(gateway: Gateway, progress: Progress) -> None:
    """Step 2. Each is looked at again in its transaction: a referral may have come."""
    with gateway.store.reading(as_one_moment=True) as view:
        handles = list(erasing.nothing_kept(view))
    gone = 0
    for start in range(0, len(handles), _PERSONS_AT_A_TIME):
        with gateway.store.transaction(gateway.clock()) as tx:
            some = handles[start : start + _PERSONS_AT_A_TIME]
            gone += sum(erase_keys(tx, handle) for handle in some)
        progress(PERSONS, gone)


def _years(view: Reading, before: datetime) -> list[Planned]:
    """List the logs whose year ended before a time, the oldest first, and what blocks each."""
    found: list[Planned] = []
    for log, head in ledger.logs(view.connection):
        ended = datetime(year_of(log) + 1, 1, 1, tzinfo=UTC)
        if ended > before:
            continue
        is_behind_another = any(each.blocked for each in found)
        found.append(
            Planned(
                record=Record.LEDGER_YEAR,
                before=ended,
                size=head.size,
                oldest=ended.replace(year=ended.year - 1),
                log=log,
                blocked="an earlier year is blocked"
                if is_behind_another
                else _blocked(view, log, head, ended),
            )
        )
    return found


def _blocked(view: Reading, log: str, head: Frontier, ended: datetime) -> str | None:
    signed = checkpoints.newest(view, log)
    told = signed.checkpoint if signed else None
    if told is None or (told.size, told.root) != (head.size, head.root()):
        return "it is not signed in full: `gateway ledger checkpoint` signs it"
    kept = purging.kept_from_before(view, ended)
    if kept:
        return f"{kept} referrals and decisions from then are still kept, and it proves them"
    return None


def _purge_years(gateway: Gateway, before: datetime, progress: Progress) -> list[Planned]:
    """Step 4: check, and mark; then sweep whatever is marked."""
    with gateway.store.reading(as_one_moment=True) as view:
        planned = _years(view, before)
        for each in planned:
            if each.blocked is None:
                _check_whole(view, str(each.log))
    for each in planned:
        if each.blocked is None:
            _mark(gateway, each)
            progress(str(each.log), 0)
    for log in purged_logs(gateway):
        _sweep(gateway, log.log, progress)
    return planned


def _check_whole(view: Reading, log: str) -> None:
    """Check that the entries of a log are what was signed: what is broken is evidence."""
    found = Frontier()
    for row in ledger.entries(view.connection, log):
        found = found.append(leaf_hash(row.body))
    signed = checkpoints.newest(view, log)
    if signed is None or (found.size, found.root()) != (
        signed.checkpoint.size,
        signed.checkpoint.root,
    ):
        msg = f"{log} is not what was signed, and is kept: `gateway ledger verify` says where"
        raise DamagedRecordError(msg)


def _mark(gateway: Gateway, planned: Planned) -> None:
    """Mark a log as purged, unless something was added to it, or another was quicker."""
    log = str(planned.log)
    with gateway.store.transaction(gateway.clock()) as tx:
        head = ledger.head_of(tx.connection, log)
        if head.size == planned.size and purging.mark_purged(tx, log):
            tx.record(
                RetentionPurged(
                    actor=ACTOR,
                    record=planned.record.value,
                    before=planned.before,
                    size=head.size,
                    year=year_of(log),
                    root=head.root().hex(),
                )
            )


def _sweep(gateway: Gateway, log: str, progress: Progress) -> None:
    """Delete the rows of a marked log; what it held is on record already."""
    gone = 0
    size = -1
    while size:
        with gateway.store.transaction(gateway.clock()) as tx:
            size = purging.sweep(tx, log)
        if size:
            gone += size
            progress(log, gone)
