"""Record that somebody is about to be shown something: before the first byte, or not at all.

What enters: who asks, by which question, and what was found. What leaves: one entry for each
person of whom something is shown; one without a person where nothing was found. Where it cannot
be written, nothing is shown. Must never: take an NHS number, or a hash of one, into an entry:
of a question, the leaf commits to which parameters it had, and to values that name nobody.
Source: GP Connect, audit: each transaction, failed ones in the same detail.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.journey.gateway import Gateway
from gateway.ledger.canonical import Json, canonical_json
from gateway.ledger.entry import AuditRead, RecordRead
from gateway.ledger.kinds import Interaction
from gateway.ledger.values import write_instant
from gateway.referral.identifiers import ConsentId, Handle, OdsCode, ReferralId
from gateway.referral.model import Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of one person: a referral of theirs, or a Consent."""

    practice: OdsCode
    subject: Handle
    referral: ReferralId | None = None
    consent: ConsentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: of which type, how, and by which parameters.

    `by` holds values that name nobody: ids, handles, codes, times, counts. A parameter that may
    name somebody (a number, a name, an identifier) stands in `named` without its value.
    """

    type: str
    interaction: Interaction
    by: Mapping[str, object]
    named: Sequence[str] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the question in canonical JSON, in hexadecimal."""
        told: dict[str, Json] = {
            "type": self.type,
            "interaction": self.interaction.value,
            "by": {name: _told(value) for name, value in self.by.items() if value is not None},
            "named": sorted(self.named),
        }
        return hashlib.sha256(canonical_json(told)).hexdigest()


class Searched(Protocol):
    """What a search of either register may be narrowed by."""

    @property
    def id(self) -> str | None:
        """The resource by its id."""

    @property
    def statuses(self) -> Collection[str] | None:
        """Any of these."""

    @property
    def subject(self) -> Handle | None:
        """A person by handle."""

    @property
    def updated_from(self) -> datetime | None:
        """Changed then or later."""

    @property
    def updated_before(self) -> datetime | None:
        """Changed earlier."""

    @property
    def after(self) -> tuple[datetime, str] | None:
        """The last one of the page before: its time and id."""

    @property
    def limit(self) -> int:
        """How many on a page."""


def search_for(type_: str, wanted: Searched, naming: Mapping[str, object]) -> Question:
    """Put a search as a question; `naming` holds the parameters whose values may name somebody."""
    return Question(
        type=type_,
        interaction=Interaction.SEARCH,
        by={
            "_id": wanted.id,
            "status": None if wanted.statuses is None else frozenset(wanted.statuses),
            "_subject": wanted.subject,
            "from": wanted.updated_from,
            "before": wanted.updated_before,
            "after": wanted.after[0] if wanted.after else None,
            "_count": wanted.limit,
        },
        named=[name for name, value in naming.items() if value],
    )


def record_shown(
    gateway: Gateway, sender: Sender, question: Question, shown: Sequence[Shown]
) -> None:
    """Record what a client is about to be shown.

    Raises:
        StoreUnavailableError: it could not be recorded, so it may not be shown.
    """
    of_each: dict[Handle, list[Shown]] = {}
    for each in shown:
        of_each.setdefault(each.subject, []).append(each)
    with gateway.store.transaction(gateway.clock()) as tx:
        for subject, records in of_each.items():
            only = records[0] if len(records) == 1 else None
            tx.record(_read(sender, question, records[0].practice, subject, only, len(records)))
        if not of_each:
            tx.record(_read(sender, question, sender.ods, None, None, 0))


def read_of(sender: Sender, question: Question, shown: Shown) -> RecordRead:
    """Say that a client is about to be shown one record, for a transaction that decides on it."""
    return _read(sender, question, shown.practice, shown.subject, shown, 1)


def record_audit(
    gateway: Gateway, actor: str, question: Question, practice: OdsCode | None, size: int
) -> None:
    """Record that decisions were read over: by an officer, or to try a change on them."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            AuditRead(
                actor=actor,
                practice=practice,
                subject=None,
                query_sha256=question.sha256,
                size=size,
            )
        )


def _read(
    sender: Sender,
    question: Question,
    practice: OdsCode,
    subject: Handle | None,
    only: Shown | None,
    size: int,
) -> RecordRead:
    return RecordRead(
        actor=sender.client,
        practice=practice,
        subject=subject,
        referral=only.referral if only else None,
        consent=only.consent if only else None,
        interaction=question.interaction,
        query_sha256=question.sha256,
        size=size,
    )


def _told(value: object) -> Json:
    if isinstance(value, datetime):
        return write_instant(value)
    if isinstance(value, (frozenset, set)):
        return sorted(str(each) for each in value)
    return value if isinstance(value, int) else str(value)
