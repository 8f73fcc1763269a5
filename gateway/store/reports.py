"""Copies of reports, their texts and the person's words, sealed under the keys of their referrals.

Whoever changes a copy holds its delivery and its referral still.
"""

import json
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from gateway.referral.identifiers import (
    DecisionId,
    DeliveryId,
    OdsCode,
    OutcomeId,
    ReferralId,
    ReportId,
)
from gateway.referral.report import Answer, CopyState, GpRoute, Recipient, ReportCopy, ReportKind
from gateway.referral.report_copy import FiledCopy, PersonsWords, ReportAct, ReportEvent
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import referral
from gateway.store.tables_reports import report_copy, report_event
from gateway.store.vault import RowKey

_COLUMNS = [each for each in report_copy.c if not each.name.startswith("sealed_")]


def add(tx: Transaction, new: FiledCopy, text: bytes | None) -> None:
    """Store a copy with its text; None: the outcome's own bytes are its text."""
    sealed = _sealed(tx, new, text, "text")
    tx.connection.execute(insert(report_copy), _row(new) | {"sealed_text": sealed})


def change(tx: Transaction, changed: FiledCopy) -> None:
    """Store where a copy stands. Its delivery and referral are held still."""
    tx.connection.execute(
        update(report_copy).where(report_copy.c.id == changed.id).values(_row(changed))
    )


def set_text(tx: Transaction, filed: FiledCopy, text: bytes | None) -> None:
    """Put another text in the place of a copy's."""
    _set(tx, filed, sealed_text=_sealed(tx, filed, text, "text"))


def set_words(tx: Transaction, filed: FiledCopy, words: PersonsWords) -> None:
    """Keep what the person said in words."""
    written = json.dumps({"statement": words.statement, "clinician": words.clinician}).encode()
    _set(tx, filed, sealed_words=_sealed(tx, filed, written, "words"))


def text_of(view: Reading | Transaction, filed: FiledCopy) -> bytes | None:
    """Open a copy's text; None: the outcome's own bytes are its text.

    Raises:
        DamagedRecordError: it does not open under its key.
    """
    return _opened(view, filed, "text")


def words_of(view: Reading | Transaction, filed: FiledCopy) -> PersonsWords:
    """Open what the person said in words; empty where they said nothing.

    Raises:
        DamagedRecordError: it does not open under its key.
    """
    opened = _opened(view, filed, "words")
    return PersonsWords() if opened is None else PersonsWords(**json.loads(opened))


def find(view: Reading | Transaction, report_id: ReportId) -> FiledCopy | None:
    """Read one copy; None if there is none under this id."""
    row = view.connection.execute(
        select(*_COLUMNS).where(report_copy.c.id == report_id)
    ).one_or_none()
    return _read(row) if row else None


def find_same(
    view: Reading | Transaction, outcome: OutcomeId, recipient: Recipient, organisation: OdsCode
) -> FiledCopy | None:
    """Read the copy of an outcome for one recipient; None: there is none."""
    row = view.connection.execute(
        select(*_COLUMNS).where(
            report_copy.c.outcome == outcome,
            report_copy.c.recipient == recipient,
            report_copy.c.organisation == organisation,
        )
    ).one_or_none()
    return _read(row) if row else None


def of_outcome(
    view: Reading | Transaction, outcome: OutcomeId, recipient: Recipient
) -> list[FiledCopy]:
    """List the copies of a report for one kind of recipient, by id."""
    query = select(*_COLUMNS).where(
        report_copy.c.outcome == outcome, report_copy.c.recipient == recipient
    )
    return [_read(row) for row in view.connection.execute(query.order_by(report_copy.c.id))]


def list_some(
    view: Reading | Transaction,
    *,
    provider: OdsCode | None = None,
    task: DeliveryId | None = None,
    limit: int,
) -> list[FiledCopy]:
    """List copies, the newest first: a provider's, those of a task, or all."""
    query = select(*_COLUMNS)
    if provider is not None:
        query = query.where(report_copy.c.provider == provider)
    if task is not None:
        query = query.where(report_copy.c.delivery == task)
    query = query.order_by(report_copy.c.created_at.desc(), report_copy.c.id).limit(limit)
    return [_read(row) for row in view.connection.execute(query)]


def note(
    tx: Transaction, filed: FiledCopy, act: ReportAct, *, by: str, code: str | None = None
) -> None:
    """Note what was done with a copy, after what was done before."""
    own = report_event.c.copy == filed.id
    last = tx.connection.execute(select(func.max(report_event.c.seq)).where(own)).scalar_one()
    tx.connection.execute(
        insert(report_event),
        {
            "copy": filed.id,
            "seq": (last or 0) + 1,
            "act": act,
            "version": filed.copy.version,
            "at": tx.at,
            "by": by,
            "code": code,
        },
    )


def events_of(view: Reading | Transaction, filed: FiledCopy) -> list[ReportEvent]:
    """List what was done with a copy, in its order."""
    query = select(report_event).where(report_event.c.copy == filed.id)
    return [
        ReportEvent(
            seq=row.seq,
            act=ReportAct(row.act),
            version=row.version,
            at=row.at,
            by=row.by,
            code=row.code,
        )
        for row in view.connection.execute(query.order_by(report_event.c.seq))
    ]


def _set(tx: Transaction, filed: FiledCopy, **sealed: bytes | None) -> None:
    tx.connection.execute(update(report_copy).where(report_copy.c.id == filed.id).values(**sealed))


def _sealed(tx: Transaction, filed: FiledCopy, plain: bytes | None, what: str) -> bytes | None:
    if plain is None:
        return None
    return tx.vault.seal(_key(tx, filed), plain, _place(filed, what))


def _opened(view: Reading | Transaction, filed: FiledCopy, what: str) -> bytes | None:
    column = report_copy.c[f"sealed_{what}"]
    sealed = view.connection.execute(
        select(column).where(report_copy.c.id == filed.id)
    ).scalar_one()
    return (
        None if sealed is None else view.vault.open(_key(view, filed), sealed, _place(filed, what))
    )


def _place(filed: FiledCopy, what: str) -> str:
    return f"referral/{filed.referral}/report/{filed.id}/{what}"


def _key(view: Reading | Transaction, filed: FiledCopy) -> RowKey:
    query = select(referral.c.wrapped_key).where(referral.c.id == filed.referral)
    wrapped = bytes(view.connection.execute(query).scalar_one())
    return view.vault.open_key(wrapped, f"referral/{filed.referral}")


def _row(filed: FiledCopy) -> dict[str, Any]:
    copy = filed.copy
    return {
        "id": filed.id,
        "referral": filed.referral,
        "outcome": filed.outcome,
        "delivery": filed.delivery,
        "provider": filed.provider,
        "recipient": copy.recipient,
        "organisation": filed.organisation,
        "kind": copy.kind,
        "version": copy.version,
        "state": copy.state,
        "offered_on": copy.offered_on,
        "access_asked_on": copy.access_asked_on,
        "was_in_touch": copy.was_in_touch,
        "shown_on": copy.shown_on,
        "answer": copy.answer,
        "answered_on": copy.answered_on,
        "has_statement": copy.has_statement,
        "supplied_on": copy.supplied_on,
        "third_party": copy.third_party,
        "would_harm": copy.would_harm,
        "route": filed.route,
        "text_sha256": filed.text_sha256,
        "is_complete": filed.is_complete,
        "decision": filed.decision,
        "created_at": filed.created_at,
    }


def _read(row: Row[Any]) -> FiledCopy:
    return FiledCopy(
        id=ReportId(row.id),
        referral=ReferralId(row.referral),
        outcome=OutcomeId(row.outcome),
        delivery=DeliveryId(row.delivery),
        provider=OdsCode(row.provider),
        organisation=OdsCode(row.organisation),
        copy=ReportCopy(
            recipient=Recipient(row.recipient),
            kind=ReportKind(row.kind),
            version=row.version,
            state=CopyState(row.state),
            offered_on=row.offered_on,
            access_asked_on=row.access_asked_on,
            was_in_touch=row.was_in_touch,
            shown_on=row.shown_on,
            answer=Answer(row.answer) if row.answer else None,
            answered_on=row.answered_on,
            has_statement=row.has_statement,
            supplied_on=row.supplied_on,
            third_party=row.third_party,
            would_harm=row.would_harm,
        ),
        text_sha256=row.text_sha256,
        is_complete=row.is_complete,
        created_at=row.created_at,
        route=GpRoute(row.route) if row.route else None,
        decision=DecisionId(row.decision) if row.decision else None,
    )
