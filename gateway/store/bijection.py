"""Rows and entries side by side, so that each can be held against the other.

What enters: one consistent view of the database. What leaves: every entry as it says itself,
with its copies and with what stands beside it; and, for some referrals or Consents at a time,
their rows. Read in stretches: no list here grows with the ledger. Must never: change anything,
or open what is sealed. Entries of logs that were purged are read nowhere.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, not_, select

from gateway.ledger.kinds import EntryKind
from gateway.ledger.values import write_instant
from gateway.referral.lifecycle import DeliveryKind, DeliveryState
from gateway.store.engine import Reading
from gateway.store.tables import consent, consent_version, delivery, referral, referral_change
from gateway.store.tables_ledger import ledger_detail, ledger_entry, ledger_head

_AT_A_TIME = 1000
"""Rows of a long list that are in memory at once."""
_COPIES = ("log", "idx", "practice", "subject", "kind", "referral", "consent", "at", "actor",
           "effect", "policy")  # fmt: skip
"""Columns of an entry that repeat what its body says."""
_KEPT = ledger_head.c.purged_at.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the body of an entry says, loosely read; times stand as they are written there.

    `named` holds its `refs` and its `detail`. That the bytes are exactly those of an entry is
    for `gateway ledger verify` to say.
    """

    log: str
    index: int
    kind: str
    at: str
    practice: str | None
    subject: str | None
    actor: str
    epochs: Mapping[str, int | None]
    commit: str | None
    named: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # a value of JSON
        """Return a reference or a detail by its name; None where the entry has none."""
        return self.named.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An entry as it stands in its table. `said` None: its body cannot be read.

    `differing` names the columns that do not repeat what the body says. `detail_of` is whose
    detail stands beside it; `is_own`: the bytes are there too, not with a decision.
    """

    log: str
    index: int
    said: Said | None
    differing: tuple[str, ...]
    has_detail: bool
    detail_of: str | None
    is_own: bool
    has_referral: bool
    has_consent: bool


def standings(view: Reading) -> Iterator[Standing]:
    """Stream every entry, in order, with what stands beside it."""
    beside = and_(
        ledger_detail.c.log == ledger_entry.c.log, ledger_detail.c.idx == ledger_entry.c.idx
    )
    query = (
        select(
            ledger_entry,
            ledger_detail.c.idx.label("detail_idx"),
            ledger_detail.c.subject.label("detail_of"),
            ledger_detail.c.sealed_detail.is_not(None).label("is_own"),
            referral.c.id.label("referral_row"),
            consent.c.id.label("consent_row"),
        )
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .outerjoin(ledger_detail, beside)
        .outerjoin(referral, referral.c.id == ledger_entry.c.referral)
        .outerjoin(consent, consent.c.id == ledger_entry.c.consent)
        .where(_KEPT)
        .order_by(ledger_entry.c.log, ledger_entry.c.idx)
    )
    for row in view.connection.execution_options(yield_per=_AT_A_TIME).execute(query):
        said = read_said(row.body)
        yield Standing(
            log=row.log,
            index=row.idx,
            said=said,
            differing=tuple(_differing(row, said)) if said else (),
            has_detail=row.detail_idx is not None,
            detail_of=row.detail_of,
            is_own=bool(row.is_own),
            has_referral=row.referral_row is not None,
            has_consent=row.consent_row is not None,
        )


def said_of_kinds(view: Reading, kinds: Collection[str]) -> Iterator[Said]:
    """Stream what the entries of some kinds say, in order; of decisions, those on no referral."""
    is_on_referral = and_(
        ledger_entry.c.kind == EntryKind.DECISION_MADE.value, ledger_entry.c.referral.is_not(None)
    )
    query = (
        select(ledger_entry.c.body)
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .where(ledger_entry.c.kind.in_(kinds), not_(is_on_referral), _KEPT)
        .order_by(ledger_entry.c.log, ledger_entry.c.idx)
    )
    for body in view.connection.execution_options(yield_per=_AT_A_TIME).execute(query).scalars():
        said = read_said(body)
        if said is not None:
            yield said


def read_said(body: bytes) -> Said | None:
    """Read a body loosely; None: it is none."""
    try:
        whole = json.loads(body)
        return Said(
            log=whole["log"],
            index=whole["idx"],
            kind=whole["kind"],
            at=whole["t"],
            practice=whole["practice"],
            subject=whole["subject"],
            actor=whole["actor"],
            epochs=whole.get("epochs") or {},
            commit=whole.get("detail_commit"),
            named={**whole["refs"], **whole["detail"]},
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _differing(row: Row[Any], said: Said) -> Iterator[str]:
    """Name the columns that do not repeat the body."""
    told = (
        said.log, said.index, said.practice, said.subject, said.kind, said["referral"],
        said["consent"], said.at, said.actor, said["effect"], said["policy"],
    )  # fmt: skip
    for name, value in zip(_COPIES, told, strict=True):
        kept = getattr(row, name)
        if (write_instant(kept) if isinstance(kept, datetime) else kept) != value:
            yield name


def details_without_an_entry(view: Reading) -> Iterator[tuple[str, int]]:
    """Name the places of details beside which no entry stands."""
    beside = and_(
        ledger_detail.c.log == ledger_entry.c.log, ledger_detail.c.idx == ledger_entry.c.idx
    )
    query = (
        select(ledger_detail.c.log, ledger_detail.c.idx)
        .outerjoin(ledger_entry, beside)
        .where(ledger_entry.c.idx.is_(None))
        .order_by(ledger_detail.c.log, ledger_detail.c.idx)
        .limit(_AT_A_TIME)
    )
    yield from ((row.log, row.idx) for row in view.connection.execute(query))


def said_of_referrals(view: Reading, ids: Sequence[str]) -> dict[str, list[Said]]:
    """Read what the ledger says of some referrals, in order."""
    return _said_by(view, ids, "referral", ledger_entry.c.referral.in_(ids))


def said_of_consents(view: Reading, ids: Sequence[str]) -> dict[str, list[Said]]:
    """Read which versions of some Consents the ledger names, in order."""
    changes = (
        EntryKind.CONSENT_RECORDED,
        EntryKind.CONSENT_SUPERSEDED,
        EntryKind.CONSENT_WITHDRAWN,
        EntryKind.CONSENT_ERROR,
    )
    on = and_(ledger_entry.c.consent.in_(ids), ledger_entry.c.kind.in_(changes))
    return _said_by(view, ids, "consent", on)


def _said_by(
    view: Reading, ids: Sequence[str], name: str, on: ColumnElement[bool]
) -> dict[str, list[Said]]:
    query = (
        select(ledger_entry.c.body)
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .where(on, _KEPT)
        .order_by(ledger_entry.c.log, ledger_entry.c.idx)
    )
    found: dict[str, list[Said]] = {each: [] for each in ids}
    for body in view.connection.execute(query).scalars():
        said = read_said(body)
        if said is not None and said[name] in found:
            found[said[name]].append(said)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery as its row has it."""

    id: str
    kind: DeliveryKind
    service: str
    provider: str
    state: DeliveryState
    attempts: int
    lease_until: datetime | None
    reason: str | None
    created_at: str


def deliveries_of(view: Reading, ids: Sequence[str]) -> dict[str, list[DeliveryRow]]:
    """Read the deliveries of some referrals, the oldest first."""
    query = (
        select(delivery)
        .where(delivery.c.referral.in_(ids))
        .order_by(delivery.c.created_at, delivery.c.id)
    )
    found: dict[str, list[DeliveryRow]] = {each: [] for each in ids}
    for row in view.connection.execute(query):
        found[row.referral].append(
            DeliveryRow(
                id=row.id,
                kind=DeliveryKind(row.kind),
                service=row.service,
                provider=row.provider,
                state=DeliveryState(row.state),
                attempts=row.attempts,
                lease_until=row.lease_until,
                reason=row.reason,
                created_at=write_instant(row.created_at),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """A later message of a sender about its referral, as its row has it."""

    status: str
    door: str
    sender: str
    body_sha256: str
    at: str


def changes_of(view: Reading, ids: Sequence[str]) -> dict[str, list[ChangeRow]]:
    """Read the later messages about some referrals, the oldest first."""
    names = ("status", "door", "sender", "body_sha256", "at")
    query = (
        select(referral_change.c.referral, *(referral_change.c[name] for name in names))
        .where(referral_change.c.referral.in_(ids))
        .order_by(referral_change.c.version)
    )
    found: dict[str, list[ChangeRow]] = {each: [] for each in ids}
    for row in view.connection.execute(query):
        found[row.referral].append(
            ChangeRow(
                status=row.status,
                door=row.door,
                sender=row.sender,
                body_sha256=row.body_sha256,
                at=write_instant(row.at),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """A Consent as its row has it, and its versions: number, status, from when, recorded, by whom."""

    id: str
    practice: str
    subject: str
    version: int
    status: str
    versions: tuple[tuple[int, str, str, str, str], ...]


def consent_rows(view: Reading) -> Iterator[list[ConsentRow]]:
    """Read every Consent with its versions, some at a time."""
    last = ""
    while rows := view.connection.execute(
        select(consent).where(consent.c.id > last).order_by(consent.c.id).limit(_AT_A_TIME)
    ).all():
        last = rows[-1].id
        of_each: dict[str, list[tuple[int, str, str, str, str]]] = {row.id: [] for row in rows}
        query = select(
            consent_version.c.consent,
            consent_version.c.version,
            consent_version.c.status,
            consent_version.c.effective_at,
            consent_version.c.recorded_at,
            consent_version.c.client,
        ).where(consent_version.c.consent.in_(list(of_each)))
        for each in view.connection.execute(query.order_by(consent_version.c.version)):
            times = write_instant(each.effective_at), write_instant(each.recorded_at)
            of_each[each.consent].append((each.version, each.status, *times, each.client))
        yield [
            ConsentRow(
                id=row.id,
                practice=row.practice,
                subject=row.subject,
                version=row.version,
                status=row.status,
                versions=tuple(of_each[row.id]),
            )
            for row in rows
        ]


def referrals_without_a_row(view: Reading) -> Iterator[str]:
    """Name the referrals of which only the ledger knows."""
    query = (
        select(ledger_entry.c.referral)
        .distinct()
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .outerjoin(referral, referral.c.id == ledger_entry.c.referral)
        .where(ledger_entry.c.referral.is_not(None), referral.c.id.is_(None), _KEPT)
        .order_by(ledger_entry.c.referral)
    )
    yield from view.connection.execute(query).scalars()


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something of which only the ledger knows: its id, its person, and its last change."""

    id: str
    subject: str | None
    last: str


def consents_without_a_row(view: Reading) -> Iterator[Missing]:
    """Name the Consents of which only the ledger knows, the longest unchanged first."""
    changed = func.max(ledger_entry.c.at, type_=ledger_entry.c.at.type).label("last")
    query = (
        select(ledger_entry.c.consent, func.max(ledger_entry.c.subject).label("subject"), changed)
        .join(ledger_head, ledger_head.c.log == ledger_entry.c.log)
        .outerjoin(consent, consent.c.id == ledger_entry.c.consent)
        .where(ledger_entry.c.kind.like("consent.%"), consent.c.id.is_(None), _KEPT)
        .group_by(ledger_entry.c.consent)
        .order_by(changed)
    )
    for row in view.connection.execution_options(yield_per=_AT_A_TIME).execute(query):
        yield Missing(id=row.consent, subject=row.subject, last=write_instant(row.last))
