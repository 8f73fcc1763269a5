"""The events on agreements and switches: appended, never changed.

Whoever changes what a practice shares locks the practice first. An event that was appended
elsewhere all the same takes the number, and the second one fails whole.
"""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Insert, Row, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import MovedMeanwhileError
from gateway.mapping.directory_file import Kind
from gateway.referral.directory import (
    AgreementKind,
    ConfidentialityBasis,
    Switch,
    SwitchValue,
    Terms,
)
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.sharing import AgreementEvent, AgreementMove, Origin, SwitchEvent
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import agreement_event, directory_record, switch_event

_AGREEMENTS = select(agreement_event).where(agreement_event.c.practice == bindparam("practice"))
_WITH = _AGREEMENTS.where(agreement_event.c.counterparty == bindparam("counterparty"))
_OF_ONE = _AGREEMENTS.where(agreement_event.c.agreement == bindparam("agreement"))
_SWITCHES = select(switch_event).where(switch_event.c.practice == bindparam("practice"))
_ADD_AGREEMENT = insert(agreement_event)
_ADD_SWITCH = insert(switch_event)
_LOCK = (
    select(directory_record.c.key)
    .where(
        directory_record.c.kind == Kind.PRACTICE,
        directory_record.c.key == bindparam("practice"),
        directory_record.c.version == 1,
    )
    .with_for_update()
)
_OTHERS = (
    select(agreement_event.c.practice)
    .where(
        agreement_event.c.agreement == bindparam("agreement"),
        agreement_event.c.practice != bindparam("practice"),
    )
    .limit(1)
)


def lock_practice(tx: Transaction, practice: OdsCode) -> None:
    """Wait until nobody else changes what this practice shares, and keep others waiting.

    The row is the first version of its record, which is never edited again. SQLite has one
    writer at a time, and nothing to lock.
    """
    tx.connection.execute(_LOCK, {"practice": practice})


def is_taken(view: Reading | Transaction, practice: OdsCode, agreement: AgreementId) -> bool:
    """Whether another practice has an agreement of this id."""
    named = {"practice": practice, "agreement": agreement}
    return view.connection.execute(_OTHERS, named).first() is not None


def agreement_events(
    view: Reading | Transaction, practice: OdsCode, *, counterparty: OdsCode | None = None
) -> list[AgreementEvent]:
    """List the events on a practice's agreements: all of them, or those with one counterparty."""
    query = _AGREEMENTS if counterparty is None else _WITH
    named = {"practice": practice} | ({"counterparty": counterparty} if counterparty else {})
    return [_agreement_event(row, practice) for row in view.connection.execute(query, named)]


def events_on(
    view: Reading | Transaction, practice: OdsCode, agreement: AgreementId
) -> list[AgreementEvent]:
    """List the events on one agreement, in the order of recording."""
    rows = view.connection.execute(_OF_ONE, {"practice": practice, "agreement": agreement})
    return sorted((_agreement_event(row) for row in rows), key=lambda event: event.seq)


def all_agreement_events(view: Reading | Transaction) -> list[AgreementEvent]:
    """List every event on every agreement."""
    return [_agreement_event(row) for row in view.connection.execute(select(agreement_event))]


def switch_events(view: Reading | Transaction, practice: OdsCode) -> list[SwitchEvent]:
    """List the events on a practice's switches."""
    rows = view.connection.execute(_SWITCHES, {"practice": practice})
    return [_switch_event(row, practice) for row in rows]


def all_switch_events(view: Reading | Transaction) -> list[SwitchEvent]:
    """List every event on every switch."""
    return [_switch_event(row) for row in view.connection.execute(select(switch_event))]


def add_agreement_event(tx: Transaction, event: AgreementEvent) -> None:
    """Append an event; its number must be the next of its agreement.

    Raises:
        MovedMeanwhileError: that number was given to another event meanwhile.
    """
    _append(
        tx,
        _ADD_AGREEMENT,
        {
            "practice": event.practice,
            "agreement": event.agreement,
            "seq": event.seq,
            "counterparty": event.counterparty,
            "type": event.move,
            "terms": _written(event.terms),
            "effective_at": event.effective_at,
            "recorded_at": event.recorded_at,
            "actor": event.actor,
            "source": event.origin,
            "reason": event.reason,
            "document_sha256": event.document_sha256,
        },
    )


def add_switch_event(tx: Transaction, event: SwitchEvent) -> None:
    """Append an event; its number must be the next of its switch.

    Raises:
        MovedMeanwhileError: that number was given to another event meanwhile.
    """
    _append(
        tx,
        _ADD_SWITCH,
        {
            "practice": event.practice,
            "switch": event.switch,
            "seq": event.seq,
            "value": event.value,
            "effective_at": event.effective_at,
            "recorded_at": event.recorded_at,
            "actor": event.actor,
            "source": event.origin,
            "reason": event.reason,
        },
    )


def _append(tx: Transaction, statement: Insert, row: dict[str, Any]) -> None:
    try:
        tx.connection.execute(statement, row)
    except IntegrityError as error:
        msg = "what this practice shares was changed at the same moment; send it again"
        raise MovedMeanwhileError(msg) from error


def next_seq(events: Iterable[AgreementEvent | SwitchEvent]) -> int:
    """Return the number of the event after these."""
    return max((event.seq for event in events), default=0) + 1


def _agreement_event(
    row: Row[tuple[object, ...]], practice: OdsCode | None = None
) -> AgreementEvent:
    return AgreementEvent(
        practice=practice or OdsCode(row.practice),
        agreement=AgreementId(row.agreement),
        seq=row.seq,
        counterparty=OdsCode(row.counterparty),
        move=AgreementMove(row.type),
        terms=_read(row.terms),
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
        actor=row.actor,
        origin=Origin(row.source),
        reason=row.reason,
        document_sha256=row.document_sha256,
    )


def _switch_event(row: Row[tuple[object, ...]], practice: OdsCode | None = None) -> SwitchEvent:
    return SwitchEvent(
        practice=practice or OdsCode(row.practice),
        switch=Switch(row.switch),
        seq=row.seq,
        value=SwitchValue(row.value),
        effective_at=row.effective_at,
        recorded_at=row.recorded_at,
        actor=row.actor,
        origin=Origin(row.source),
        reason=row.reason,
    )


def _written(terms: Terms) -> str:
    told: dict[str, object] = {
        name: getattr(terms, name) for name in Terms.__dataclass_fields__ if name != "ends_on"
    }
    told |= {"purposes": sorted(terms.purposes), "data_classes": sorted(terms.data_classes)}
    told["ends_on"] = terms.ends_on.isoformat() if terms.ends_on else None
    return json.dumps({name: value for name, value in told.items() if value not in (None, [])})


def _read(text: str) -> Terms:
    told = json.loads(text)
    ends_on = told.pop("ends_on", None)
    basis = told.pop("confidentiality_basis", None)
    return Terms(
        **told
        | {
            "kind": AgreementKind(told["kind"]),
            "purposes": frozenset(told["purposes"]),
            "data_classes": frozenset(told.get("data_classes", ())),
            "confidentiality_basis": ConfidentialityBasis(basis) if basis else None,
            "ends_on": date.fromisoformat(ends_on) if ends_on else None,
        }
    )
