"""Reading the ledger, for those who may; each read is itself an entry.

What enters: who asks, and for what. What leaves: entries with their places, after the read is
on record. A practice reads the entries on its own practice, the organisation that runs the
gateway reads all; to anybody else the ledger is closed, also to a provider: which entries
name it as recipient is no condition of the query. Rules about who sees what are conditions of
the query, never a filter over its result, so that what is another's looks like what is not
there. Must never: keep an NHS number, or a hash of one: a person stands in the query by
handle, or as nobody. Source: the sharing rules, section 8; IHE BALP, audit log used.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError, ScopeMissingError
from gateway.journey.gateway import Gateway
from gateway.journey.sign_in import refuse_access
from gateway.ledger.balp import audit_event, event_id
from gateway.ledger.balp_table import Codes, Coding, sorts_with
from gateway.ledger.canonical import Json, canonical_json
from gateway.ledger.entry import AuditRead
from gateway.ledger.values import write_instant
from gateway.referral.directory import Scope
from gateway.referral.identifiers import (
    ConsentId,
    DeliveryId,
    Handle,
    NhsNumber,
    OdsCode,
    ReferralId,
)
from gateway.referral.json import JsonObject
from gateway.referral.model import Sender
from gateway.store import details, ledger_search, persons
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction
from gateway.store.ledger_search import Found, Place, Search

_UNKNOWN: Final = "unknown"
_EVENT_ID: Final = re.compile(r"[0-9]{4}-(0|[1-9][0-9]{0,8})(\.[0-9a-f]{12})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched; all conditions hold together, None: any.

    A person is given by handle or by NHS number. `task` is a delivery or a recall. `id` and
    `after` are ids of AuditEvents.
    """

    id: str | None = None
    practice: OdsCode | None = None
    handle: Handle | None = None
    nhs_number: NhsNumber | None = None
    actor: str | None = None
    referral: ReferralId | None = None
    consent: ConsentId | None = None
    task: DeliveryId | None = None
    codes: Codes = field(default_factory=Codes)
    since: datetime | None = None
    before: datetime | None = None
    policy: str | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One page of AuditEvents by their ids, the newest first.

    `goes_on` is the `after` of the next page, if there is one. `handle` is that of the person
    who was asked for; None also where the NHS number is nobody's.
    """

    events: Mapping[str, JsonObject]
    goes_on: str | None
    handle: Handle | None


def read_entries(sender: Sender, wanted: Wanted, gateway: Gateway) -> Read:
    """Read one page of the ledger.

    --- one transaction ---
    1. May the sender read, and whose entries?
    2. Find the person that the search means.
    3. Find the page.
    4. Record the read, and what was asked.
    --- end ---
    5. Only now is anything shown.

    Raises:
        ScopeMissingError: the ledger is not open to the sender's organisation.
        ParameterError: an NHS number without the practice where it is somebody's.
        StoreUnavailableError: the read could not be recorded; nothing is shown.
    """
    origin = gateway.store.ledger_origin
    _check_role(sender, gateway)
    with gateway.store.transaction(gateway.clock()) as tx:
        own = _own_practice(tx, tx.at, sender, gateway)
        asked = _Asked(
            wanted=wanted,
            own=own,
            handle=_person_meant(tx, wanted, own),
            id=_place(tx, wanted.id, origin),
            after=_place(tx, wanted.after, origin),
        )
        page = (
            ledger_search.search(tx, _search(asked)) if _may_fit(asked) else ledger_search.NOTHING
        )
        _record(tx, sender, asked, page.entries)
    events = [
        audit_event(e.placed, e.leaf_hash, ods=gateway.ods, origin=origin) for e in page.entries
    ]
    last = page.goes_on
    return Read(
        events={str(event["id"]): event for event in events},
        goes_on=event_id(last.log, last.index, origin=origin) if last else None,
        handle=asked.handle,
    )


def read_entry(sender: Sender, own_id: str, gateway: Gateway) -> JsonObject:
    """Read one entry by the id of its AuditEvent; also that nothing was found is on record.

    Raises:
        NotFoundError: nothing has this id that the sender may see.
        ScopeMissingError, StoreUnavailableError: as of `read_entries`.
    """
    read = read_entries(sender, Wanted(id=own_id, limit=1), gateway)
    if own_id not in read.events:
        msg = "no AuditEvent has this id"
        raise NotFoundError(msg)
    return read.events[own_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A search, whose entries it is limited to, and the person and the places that it means."""

    wanted: Wanted
    own: OdsCode | None
    handle: Handle | None
    id: Place | None
    after: Place | None


def _check_role(sender: Sender, gateway: Gateway) -> None:
    """Record it where the ledger is not open to the sender's organisation."""
    try:
        with gateway.store.reading() as view:
            _own_practice(view, gateway.clock(), sender, gateway)
    except ScopeMissingError:
        refuse_access(gateway, sender, Scope.AUDIT_READ, "not-open")
        raise


def _own_practice(
    view: Reading | Transaction, at: datetime, sender: Sender, gateway: Gateway
) -> OdsCode | None:
    """Tell whose entries the sender may read; None: everybody's."""
    if sender.ods == gateway.ods:
        return None
    if DirectoryAsOf(view, at).practice(sender.ods) is not None:
        return sender.ods
    msg = "the ledger is open to practices, each for its own entries, and to who runs the gateway"
    raise ScopeMissingError(msg)


def _person_meant(tx: Transaction, wanted: Wanted, own: OdsCode | None) -> Handle | None:
    if wanted.nhs_number is None:
        return wanted.handle
    practice = own or wanted.practice
    if practice is None:
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics="Give practice (its ODS code) beside an NHS number: a person has"
                " another handle at each practice.",
            )
        )
    return persons.find_handle(tx, practice, wanted.nhs_number)


def _place(tx: Transaction, text: str | None, origin: str) -> Place | None:
    """Find what the id of an AuditEvent names; None: it can name nothing here."""
    found = _EVENT_ID.fullmatch(text or "")
    if found is None:
        return None
    places = (Place(log.log, int(found[1])) for log in ledger_search.logs(tx))
    return next((p for p in places if event_id(p.log, p.index, origin=origin) == text), None)


def _may_fit(asked: _Asked) -> bool:
    """Tell whether anything can fit: what is named is there, and whose it is can be read."""
    wanted = asked.wanted
    is_nobody = wanted.nhs_number is not None and asked.handle is None
    is_nowhere = (wanted.id and not asked.id) or (wanted.after and not asked.after)
    is_others = None not in (asked.own, wanted.practice) and asked.own != wanted.practice
    return not (is_nobody or is_nowhere or is_others)


def _search(asked: _Asked) -> Search:
    wanted = asked.wanted
    return Search(
        id=asked.id,
        practice=asked.own or wanted.practice,
        subject=asked.handle,
        actor=wanted.actor,
        referral=wanted.referral,
        consent=wanted.consent,
        task=wanted.task,
        sorts=None if wanted.codes.are_any else sorts_with(wanted.codes),
        since=wanted.since,
        before=wanted.before,
        policy=wanted.policy,
        after=asked.after,
        limit=wanted.limit,
    )


def _record(tx: Transaction, sender: Sender, asked: _Asked, entries: tuple[Found, ...]) -> None:
    """Record who read what; the query itself is sealed where it was about one person."""
    practice, subject = _whom(tx, asked, entries)
    query = _written(asked)
    entry = AuditRead(
        actor=sender.client,
        practice=practice,
        subject=subject,
        query_sha256=hashlib.sha256(query).hexdigest(),
        size=len(entries),
    )
    if subject is not None and ledger_search.practice_of(tx, Handle(subject)) is not None:
        details.record(tx, entry, {"query": query.decode()})
    else:
        tx.record(entry)


def _whom(
    tx: Transaction, asked: _Asked, entries: tuple[Found, ...]
) -> tuple[str | None, str | None]:
    """Tell to which practice and person a read was narrowed, as far as the reader may know.

    A handle that nobody has, or somebody at another practice, is no person to this reader. That
    of a person who was erased still leads to entries.
    """
    if entries and (asked.wanted.id or asked.handle):
        first = entries[0].placed.entry
        return first.practice, first.subject
    owner = ledger_search.practice_of(tx, asked.handle) if asked.handle else None
    if owner is not None and asked.own in (None, owner):
        return owner, asked.handle
    return asked.own or asked.wanted.practice, None


def _written(asked: _Asked) -> bytes:
    """Write a query in the one form of which the ledger keeps the hash.

    Only what was understood stands in it, so that no number can: what names nothing here is
    `unknown`.
    """
    wanted, codes = asked.wanted, asked.wanted.codes
    said: dict[str, Json] = {
        "_id": wanted.id if asked.id else wanted.id and _UNKNOWN,
        "practice": asked.own or wanted.practice,
        "patient": asked.handle or (wanted.nhs_number and _UNKNOWN),
        "agent": wanted.actor,
        "referral": wanted.referral,
        "consent": wanted.consent,
        "task": wanted.task,
        "type": _sorted(codes.types),
        "subtype": _sorted(codes.subtypes),
        "action": _sorted(codes.actions),
        "outcome": _sorted(codes.outcomes),
        "since": write_instant(wanted.since) if wanted.since else None,
        "before": write_instant(wanted.before) if wanted.before else None,
        "policy": wanted.policy,
        "_after": wanted.after if asked.after else wanted.after and _UNKNOWN,
        "_count": wanted.limit,
    }
    return canonical_json({name: value for name, value in said.items() if value is not None})


def _sorted(codes: Collection[Coding | str] | None) -> Sequence[str] | None:
    if codes is None:
        return None
    return sorted(c if isinstance(c, str) else f"{c.system}|{c.code}" for c in codes)
