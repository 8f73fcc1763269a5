"""Notices to ICBs: what each tells, and where it stands. What it tells is never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from gateway.errors import MovedMeanwhileError, NotFoundError
from gateway.mapping.directory_file import Kind, noun_of
from gateway.referral.directory import AgreementKind, Commissioner, Provider, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.notices import (
    About,
    AgreementAct,
    AgreementTold,
    Notice,
    NoticeKind,
    NoticeState,
    Organisation,
    SwitchTold,
)
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import directory_record as record
from gateway.store.tables import icb_notice as table


def organisation(
    view: Reading | Transaction, kind: Kind, ods: OdsCode, at: datetime
) -> Organisation | None:
    """Find how the directory names a provider or a commissioner at an instant."""
    body = view.connection.execute(
        select(record.c.body).where(
            record.c.kind == kind,
            record.c.key == ods,
            record.c.valid_from <= at,
            or_(record.c.valid_to.is_(None), record.c.valid_to > at),
        )
    ).scalar_one_or_none()
    found = noun_of(kind, body) if body is not None else None
    if not isinstance(found, Commissioner | Provider):
        return None
    return Organisation(ods=ods, name=found.name)


def add(tx: Transaction, notice: Notice, *, reply_by: datetime) -> None:
    """Keep a new notice. `reply_by` is the last instant of the day on which a reply is due."""
    about = notice.about
    tx.connection.execute(
        insert(table).values(
            id=notice.id,
            practice=notice.practice,
            commissioner=about.commissioner.ods if about.commissioner else None,
            kind=about.kind,
            about=json.dumps(asdict(about), default=_as_text),
            effective_at=about.effective_at,
            reply_by=reply_by,
            **_where_it_stands(notice),
            letter_sha256=notice.letter_sha256,
            created_at=notice.created_at,
        )
    )


def move(tx: Transaction, notice: Notice) -> Notice:
    """Keep where a notice stands now; return it with its new version.

    Raises:
        MovedMeanwhileError: it was moved by another since it was read.
    """
    moved = replace(notice, version=notice.version + 1)
    changed = tx.connection.execute(
        update(table)
        .where(table.c.id == notice.id, table.c.version == notice.version)
        .values(**_where_it_stands(moved))
    )
    if changed.rowcount != 1:
        msg = "the notice was moved by another at the same moment"
        raise MovedMeanwhileError(msg)
    return moved


def of_practice(view: Reading | Transaction, practice: OdsCode | None) -> list[Notice]:
    """List the notices of a practice, or of all, oldest first."""
    query = select(table).order_by(table.c.created_at, table.c.id)
    if practice is not None:
        query = query.where(table.c.practice == practice)
    return [_notice(row) for row in view.connection.execute(query)]


def get(view: Reading | Transaction, notice: NoticeId, practice: OdsCode | None) -> Notice:
    """Read one notice; `practice` None: whosever it is.

    Raises:
        NotFoundError: there is none, or it is another practice's.
    """
    row = view.connection.execute(select(table).where(table.c.id == notice)).one_or_none()
    if row is None or practice not in (None, row.practice):
        msg = "no notice has this id: the list of notices shows those that there are"
        raise NotFoundError(msg)
    return _notice(row)


def _where_it_stands(notice: Notice) -> dict[str, object]:
    return {
        "state": notice.state,
        "sent_at": notice.sent_at,
        "acknowledged_at": notice.acknowledged_at,
        "reinstated_at": notice.reinstated_at,
        "version": notice.version,
    }


def _notice(row: Row[tuple[object, ...]]) -> Notice:
    return Notice(
        id=NoticeId(row.id),
        practice=OdsCode(row.practice),
        state=NoticeState(row.state),
        about=_about(json.loads(row.about)),
        letter_sha256=row.letter_sha256,
        created_at=row.created_at,
        sent_at=row.sent_at,
        acknowledged_at=row.acknowledged_at,
        reinstated_at=row.reinstated_at,
        version=row.version,
    )


def _as_text(value: date) -> str:
    """Write a day or an instant; nothing else of a notice needs it."""
    return value.isoformat()


def _about(told: Mapping[str, Any]) -> About:
    return About(
        template=told["template"],
        id=NoticeId(told["id"]),
        kind=NoticeKind(told["kind"]),
        practice=_organisation(told["practice"]),
        commissioner=_organisation(told["commissioner"]) if told["commissioner"] else None,
        written_on=date.fromisoformat(told["written_on"]),
        effective_at=datetime.fromisoformat(told["effective_at"]),
        reply_by=date.fromisoformat(told["reply_by"]),
        agreements=tuple(_agreement(each) for each in told["agreements"]),
        switches=_switches(told["switches"]),
        replies_to=tuple(NoticeId(each) for each in told["replies_to"]),
    )


def _organisation(told: Mapping[str, Any]) -> Organisation:
    return Organisation(ods=OdsCode(told["ods"]), name=told["name"])


def _agreement(told: Mapping[str, Any]) -> AgreementTold:
    return AgreementTold(
        id=AgreementId(told["id"]),
        version=told["version"],
        act=AgreementAct(told["act"]),
        name=told["name"],
        kind=AgreementKind(told["kind"]),
        counterparty=_organisation(told["counterparty"]),
        processor=told["processor"],
        purposes=tuple(told["purposes"]),
        gdpr_basis=told["gdpr_basis"],
        confidentiality_basis=told["confidentiality_basis"],
    )


def _switches(told: Sequence[Mapping[str, Any]]) -> tuple[SwitchTold, ...]:
    return tuple(
        SwitchTold(switch=Switch(each["switch"]), value=SwitchValue(each["value"])) for each in told
    )
