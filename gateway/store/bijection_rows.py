"""Rows that an entry stands for, each as the fact that its entry says too.

What enters: one consistent view of the database. What leaves: facts, streamed, in no order that
matters; and what the ledger says of rows that went, or that never had an entry. Must never:
leave a row out because nobody thought of its kind of loss: each exception is one that an entry,
or a migration, wrote.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, not_, select, true

from gateway.ledger.entry import RetentionPurged
from gateway.ledger.kinds import EntryKind, Source
from gateway.ledger.seal import read_placed
from gateway.ledger.values import write_instant
from gateway.store.engine import Reading
from gateway.store.tables import (
    agreement_event,
    decision,
    gate,
    icb_notice,
    policy_in_force,
    switch_event,
    withdrawal,
)
from gateway.store.tables_ledger import (
    checkpoint,
    cosignature,
    ledger_entry,
    ledger_head,
    ledger_key,
)

_AT_A_TIME = 1000
"""Rows of a long list that are in memory at once."""


class Pair(StrEnum):
    """A kind of row, and the kind of entry that each of its rows has."""

    DECISION = "decision that let no referral in"
    AGREEMENT = "agreement event"
    SWITCH = "switch event"
    NOTICE = "notice"
    POLICY = "rules in force"
    CHECKPOINT = "checkpoint"
    COSIGNATURE = "cosignature"
    KEY = "signing key"
    WITHDRAWAL = "withdrawal"
    GATE = "change that a gate counts"


@dataclass(frozen=True, slots=True)
class Fact:
    """What a row and its entry both say. `key` names the row; `told` is the rest, in order."""

    pair: Pair
    key: str
    told: tuple[str | int | None, ...]


TOLD: Mapping[Pair, tuple[str, ...]] = {
    Pair.DECISION: (
        "stage", "referral", "delivery", "practice", "subject", "service", "provider", "effect",
        "rule", "code", "policy", "payload_sha256", "time",
    ),
    Pair.AGREEMENT: (
        "type", "counterparty", "kind", "effective time", "source", "document_sha256", "actor",
    ),
    Pair.SWITCH: ("value", "effective time", "source", "actor"),
    Pair.NOTICE: ("practice", "commissioner", "kind", "letter_sha256", "time"),
    Pair.POLICY: ("version", "version before"),
    Pair.CHECKPOINT: ("root", "time"),
    Pair.COSIGNATURE: ("root", "time"),
    Pair.KEY: ("time",),
    Pair.WITHDRAWAL: (
        "practice", "recipient", "subject", "cause", "about", "actor", "time of withdrawal", "time",
    ),
    Pair.GATE: (),
}  # fmt: skip
"""What stands in `Fact.told` of each pair, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """That records of a kind from before a time were destroyed: how many, by all such entries."""

    before: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """What has no other side for a reason that the ledger itself, or a migration, gives.

    `kept_from`: entries from before are in purged logs. `unsaid_before`: no change of sharing
    was an entry before that time; None: none is to this day.
    """

    erased: frozenset[str]
    purged: Mapping[str, Purged]
    kept_from: datetime | None
    unsaid_before: datetime | None
    purged_logs: frozenset[str]
    entries: int

    def is_kept_from(self, at: datetime) -> bool:
        """Whether what was entered at a time is in a log that is still here."""
        return self.kept_from is None or at >= self.kept_from


def exceptions(view: Reading) -> Exceptions:
    """Read what the ledger says of persons, records and years that are gone."""
    e = ledger_entry.c
    kinds = [
        each.value
        for each in EntryKind
        if each.value.startswith("agreement.") or each is EntryKind.SWITCH_CHANGED
    ]
    run = view.connection.execute
    of_kind = select(func.min(e.at, type_=e.at.type)).where(e.kind.in_(kinds))
    erased = select(e.subject).distinct().where(e.kind == EntryKind.SUBJECT_ERASED.value)
    purged_logs = frozenset(
        run(select(ledger_head.c.log).where(ledger_head.c.purged_at.is_not(None))).scalars()
    )
    last = max((int(log[-4:]) for log in purged_logs), default=None)
    return Exceptions(
        erased=frozenset(run(erased).scalars()),
        purged=_purged(view),
        kept_from=None if last is None else datetime(last + 1, 1, 1, tzinfo=UTC),
        unsaid_before=run(of_kind).scalar_one(),
        purged_logs=purged_logs,
        entries=int(run(select(func.coalesce(func.sum(ledger_head.c.size), 0))).scalar_one()),
    )


def _purged(view: Reading) -> Mapping[str, Purged]:
    query = select(ledger_entry.c.body).where(
        ledger_entry.c.kind == EntryKind.RETENTION_PURGED.value
    )
    found: dict[str, Purged] = {}
    for body in view.connection.execution_options(yield_per=_AT_A_TIME).execute(query).scalars():
        entry = read_placed(body).entry
        if isinstance(entry, RetentionPurged):
            before, earlier = write_instant(entry.before), found.get(entry.record)
            found[entry.record] = Purged(
                before=max(before, earlier.before) if earlier else before,
                size=entry.size + (earlier.size if earlier else 0),
            )
    return found


def facts_of_rows(view: Reading, but: Exceptions) -> Iterator[Fact]:
    """Stream what every row says that its entry says too; none of a person who was erased.

    That rows of theirs are left all the same is for `erasing.left_behind` to say.
    """
    for read in _READERS:
        yield from read(view, but)


def _decisions(view: Reading, but: Exceptions) -> Iterator[Fact]:
    gone = but.purged.get("refusals")
    for row in _rows(view, decision, decision.c.referral.is_(None)):
        is_gone = gone is not None and write_instant(row.decided_at) < gone.before
        if not is_gone and row.subject not in but.erased:
            yield _decision(row)


def decisions_of(view: Reading, referrals: Sequence[str]) -> dict[str, list[Fact]]:
    """Read what the decisions on some referrals say that their entries say too."""
    found: dict[str, list[Fact]] = {each: [] for each in referrals}
    for row in _rows(view, decision, decision.c.referral.in_(referrals)):
        found[row.referral].append(_decision(row))
    return found


def _decision(row: Row[Any]) -> Fact:
    told = (
        row.stage, row.referral, row.delivery, row.practice, row.subject, row.service,
        row.provider, row.effect, row.primary_rule, row.code, row.policy_version,
        row.payload_sha256, write_instant(row.decided_at),
    )  # fmt: skip
    return Fact(Pair.DECISION, row.id, told)


def _agreements(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in _rows(view, agreement_event, not_(_is_from_before(agreement_event, but))):
        if but.is_kept_from(row.recorded_at):
            key = f"{row.practice}/{row.agreement}/{row.seq}"
            kind = json.loads(row.terms)["kind"]
            told = (
                row.type, row.counterparty, kind, write_instant(row.effective_at), row.source,
                row.document_sha256, row.actor,
            )  # fmt: skip
            yield Fact(Pair.AGREEMENT, key, told)


def _switches(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in _rows(view, switch_event, not_(_is_from_before(switch_event, but))):
        if but.is_kept_from(row.recorded_at):
            key = f"{row.practice}/{row.switch}/{row.seq}"
            told = (row.value, write_instant(row.effective_at), row.source, row.actor)
            yield Fact(Pair.SWITCH, key, told)


def _is_from_before(table: Table, but: Exceptions) -> ColumnElement[bool]:
    """Whether an event was made by migration 0002, of what a directory file had said before.

    It comes from a file; it was recorded when a file was applied; and no change of sharing was
    an entry yet.
    """
    applied = select(ledger_entry.c.at).where(
        ledger_entry.c.kind == EntryKind.DIRECTORY_APPLIED.value
    )
    before = true() if but.unsaid_before is None else table.c.recorded_at < but.unsaid_before
    return and_(
        table.c.source == Source.IMPORT.value,
        table.c.actor == "operator",
        before,
        table.c.recorded_at.in_(applied),
    )


def _notices(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in _rows(view, icb_notice):
        steps = {
            "drafted": row.created_at,
            "sent": row.sent_at,
            "acknowledged": row.acknowledged_at,
            "reinstated": row.reinstated_at,
        }
        for step, at in steps.items():
            if at is not None and but.is_kept_from(at):
                told = (row.practice, row.commissioner, row.kind, row.letter_sha256)
                yield Fact(Pair.NOTICE, f"{row.id}/{step}", (*told, write_instant(at)))


def _policies(view: Reading, but: Exceptions) -> Iterator[Fact]:
    before = None
    for row in view.connection.execute(select(policy_in_force).order_by(policy_in_force.c.seq)):
        if but.is_kept_from(row.since):
            yield Fact(Pair.POLICY, write_instant(row.since), (row.version, before))
        before = row.version


def _checkpoints(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in _rows(view, checkpoint, checkpoint.c.log.not_in(but.purged_logs)):
        told = (row.root.hex(), write_instant(row.made_at))
        yield Fact(Pair.CHECKPOINT, f"{row.log}/{row.size}", told)


def _cosignatures(view: Reading, but: Exceptions) -> Iterator[Fact]:
    on = and_(cosignature.c.log == checkpoint.c.log, cosignature.c.size == checkpoint.c.size)
    query = (
        select(cosignature, checkpoint.c.root)
        .outerjoin(checkpoint, on)
        .where(cosignature.c.log.not_in(but.purged_logs))
    )
    for row in _stream(view, query):
        root = row.root.hex() if row.root is not None else None
        key = f"{row.log}/{row.size}/{row.witness}"
        yield Fact(Pair.COSIGNATURE, key, (root, write_instant(row.made_at)))


def _keys(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in view.connection.execute(select(ledger_key)):
        if but.is_kept_from(row.since):
            name = hashlib.sha256(row.public_key).hexdigest()
            yield Fact(Pair.KEY, name, (write_instant(row.since),))


def _withdrawals(view: Reading, but: Exceptions) -> Iterator[Fact]:
    for row in _rows(view, withdrawal, withdrawal.c.acknowledged_at.is_not(None)):
        if row.subject not in but.erased and but.is_kept_from(row.acknowledged_at):
            told = (
                row.practice, row.recipient, row.subject, row.cause, row.about, row.actor,
                write_instant(row.withdrawn_at), write_instant(row.acknowledged_at),
            )  # fmt: skip
            yield Fact(Pair.WITHDRAWAL, row.id, told)


def _gates(view: Reading, but: Exceptions) -> Iterator[Fact]:
    """Give each change that a gate has counted; of a count beyond the ledger, the last alone."""
    for row in _rows(view, gate):
        if row.key in but.erased:
            continue
        first = 1 if row.epoch <= but.entries else row.epoch
        for number in range(first, row.epoch + 1):
            yield Fact(Pair.GATE, f"{row.kind}/{row.key}/{number}", ())


_READERS: tuple[Callable[[Reading, Exceptions], Iterator[Fact]], ...] = (
    _decisions, _agreements, _switches, _notices, _policies, _checkpoints, _cosignatures, _keys,
    _withdrawals, _gates,
)  # fmt: skip


def _rows(
    view: Reading, table: Table, where: ColumnElement[bool] | None = None
) -> Iterator[Row[Any]]:
    """Stream the rows of a table, without what is sealed in it."""
    columns = [c for c in table.c if not c.name.startswith("sealed")]
    query = select(*columns)
    yield from _stream(view, query if where is None else query.where(where))


def _stream(view: Reading, query: Select[Any]) -> Iterator[Row[Any]]:
    yield from view.connection.execution_options(yield_per=_AT_A_TIME).execute(query)


def notices_here(view: Reading) -> frozenset[str]:
    """Name the notices that have a row."""
    return frozenset(view.connection.execute(select(icb_notice.c.id)).scalars())


def withdrawals_here(view: Reading) -> frozenset[str]:
    """Name the withdrawals that have a row."""
    return frozenset(view.connection.execute(select(withdrawal.c.id)).scalars())
