"""The consent register: a practice records what its patients say about sharing.

What enters: an authenticated envelope and the Consent read from its bytes. What leaves: the
Consent as it stands in the register. A Consent is never edited or deleted: each change is a
version of its own, with the time from which it counts, and each is in the ledger. What the
register holds is read by every decision from the commit on. Must never: show or change a
Consent of another practice, or say that there is one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from gateway.consent.elements import is_understood
from gateway.consent.moments import is_past
from gateway.consent.register import IN_ERROR, Registered, effective_from, names_of
from gateway.errors import (
    DuplicateRequestError,
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    MovedMeanwhileError,
    NotFoundError,
    PreconditionFailedError,
)
from gateway.fhir.read_consent import IncomingConsent, shown_as, standing
from gateway.fhir.text import read_resource
from gateway.journey import withdraw
from gateway.journey.disclose import Question, Shown, record_shown, search_for
from gateway.journey.gateway import Gateway
from gateway.journey.withdraw import Concerns
from gateway.ledger.entry import (
    ConsentEnteredInError,
    ConsentRecorded,
    ConsentSuperseded,
    ConsentWithdrawn,
)
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import ConsentId, Handle, NhsNumber, OdsCode
from gateway.referral.json import JsonObject
from gateway.referral.model import Envelope, Identifier, Sender
from gateway.referral.withdrawals import Cause
from gateway.store import consents, details, gates, persons, requests
from gateway.store.consents import Search
from gateway.store.engine import Reading, Transaction

_Entry: TypeAlias = (
    type[ConsentRecorded]
    | type[ConsentSuperseded]
    | type[ConsentWithdrawn]
    | type[ConsentEnteredInError]
)
_ENTRIES: Mapping[str, _Entry] = {"inactive": ConsentWithdrawn, IN_ERROR: ConsentEnteredInError}
"""Which entry a later version of this status makes; any other supersedes."""


def record_consent(incoming: IncomingConsent, sent: Envelope, gateway: Gateway) -> Registered:
    """Take a Consent into the register; the request id is claimed (see `take_up`).

    --- one transaction ---
    1. Check that it is not dated in the future.
    2. Check that the practice's register has no Consent of the same identifier.
    3. Meet the person under a handle; store the first version; write it in the ledger.
    4. Note what the request came to.
    --- end ---
    5. Where it takes sharing back: wait until nothing of it can leave; recall what had left.

    Raises:
        InvalidMessageError: its dateTime is still to come.
        DuplicateRequestError: the register has it: a change of it is a new version.
        StoreUnavailableError, TooSlowError: nothing was written; it may be sent again.
    """
    with gateway.store.transaction(gateway.clock(), answer_by=sent.answer_by) as tx:
        _check_date(incoming, tx.at)
        names = names_of(incoming.tree)
        _check_names(tx, sent.sender.ods, names)
        new = Registered(
            id=ConsentId.of(gateway.new_uuid()),
            practice=sent.sender.ods,
            subject=persons.meet(tx, sent.sender.ods, incoming.nhs_number),
            version=1,
            status=incoming.status,
            created_at=tx.at,
            updated_at=tx.at,
        )
        effective_at = effective_from(
            incoming.date_time, incoming.status, recorded_at=tx.at, earlier=()
        )
        consents.add(tx, new, effective_at, sent)
        consents.add_names(tx, new.id, names)
        _record(tx, gateway, ConsentRecorded, new, effective_at, sent)
        requests.settle(tx, sent, consent=new.id)
    withdraw.acknowledge(gateway, practice=new.practice, subject=new.subject)
    return new


def change_consent(
    consent_id: ConsentId,
    known_version: int,
    incoming: IncomingConsent,
    sent: Envelope,
    gateway: Gateway,
) -> Registered:
    """Append a version to a Consent; the request id is claimed (see `take_up`).

    --- one transaction ---
    1. Find the Consent among those of the sender's organisation.
    2. Check that the sender knows its present version, and that it was not entered in error.
    3. Check that it is the same person's, not dated in the future, and of no other's name.
    4. Append the version, which counts from when `effective_from` says; write it in the ledger.
    5. Note what the request came to.
    --- end ---
    6. Where it takes sharing back: wait until nothing of it can leave; recall what had left.

    Raises:
        NotFoundError: the sender's organisation has no such Consent.
        PreconditionFailedError: there is a later version than the sender knows.
        IllegalMoveError: it was entered in error: what never counted is not changed.
        InvalidMessageError: it is somebody else's, has another id, or is dated in the future.
        DuplicateRequestError: another Consent has one of its identifiers.
        StoreUnavailableError, TooSlowError: nothing was written; it may be sent again.
    """
    with gateway.store.transaction(gateway.clock(), answer_by=sent.answer_by) as tx:
        present = _own(tx, consent_id, sent.sender.ods)
        _check_change(tx, present, known_version, incoming)
        names = names_of(incoming.tree)
        _check_names(tx, sent.sender.ods, names, but=present.id)
        changed = replace(
            present, version=present.version + 1, status=incoming.status, updated_at=tx.at
        )
        effective_at = effective_from(
            incoming.date_time,
            incoming.status,
            recorded_at=tx.at,
            earlier=consents.times_of(tx, present.id),
        )
        try:
            consents.supersede(tx, present, changed, effective_at, sent)
        except MovedMeanwhileError:
            raise _is_older() from None
        consents.add_names(tx, changed.id, names)
        entry = _ENTRIES.get(changed.status, ConsentSuperseded)
        _record(tx, gateway, entry, changed, effective_at, sent)
        requests.settle(tx, sent, consent=changed.id)
    withdraw.acknowledge(gateway, practice=changed.practice, subject=changed.subject)
    return changed


def consent_receipt(tx: Transaction, consent_id: str) -> Registered:
    """Tell the same request again what it made: the Consent as it stands now."""
    found = consents.find(tx, ConsentId(consent_id))
    if found is None:
        msg = "the Consent that this request made is not there any more"
        raise NotFoundError(msg)
    return found


def is_clear(incoming: IncomingConsent) -> bool:
    """Whether the sharing rules understand every element of it; one that is not clear holds."""
    return is_understood(standing(incoming.tree))


def show_versions(
    sender: Sender, consent_id: ConsentId, gateway: Gateway, interaction: Interaction
) -> list[JsonObject]:
    """Read every version of a Consent, as `own_versions`, and record that it is shown.

    Raises:
        NotFoundError: there is none, or it is another organisation's; that is on record too.
    """
    question = Question(type="Consent", interaction=interaction, by={"_id": consent_id})
    with gateway.store.reading() as view:
        found = consents.find(view, consent_id)
    own = [_shown(found)] if found is not None and found.practice == sender.ods else []
    record_shown(gateway, sender, question, own)
    return own_versions(sender, consent_id, gateway)


def _shown(found: Registered) -> Shown:
    return Shown(practice=found.practice, subject=found.subject, consent=found.id)


def own_versions(sender: Sender, consent_id: ConsentId, gateway: Gateway) -> list[JsonObject]:
    """Read every version of a Consent of the sender's own organisation, the oldest first.

    Raises:
        NotFoundError: there is none, or it is another organisation's.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        found = _own(view, consent_id, sender.ods)
        return [
            shown_as(read_resource(each.body), found.id, each.version, each.recorded_at)
            for each in consents.versions_of(view, found.id)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a practice searches its register for; all conditions hold together.

    `subject` is a person by the handle that a link carries. `after` is the place of the last
    one of the page before: when it last changed, and its id.
    """

    id: ConsentId | None = None
    statuses: frozenset[str] | None = None
    subject: Handle | None = None
    nhs_number: NhsNumber | None = None
    identifiers: tuple[Identifier, ...] = ()
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def own_consents(
    sender: Sender, wanted: Wanted, gateway: Gateway
) -> tuple[list[tuple[Registered, JsonObject]], int]:
    """Search a practice's own register; return a page, each in its newest version, and the total.

    What is shown is recorded. A person whom this practice has never met is nobody: an empty
    result, not an error.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        subjects = frozenset({wanted.subject}) if wanted.subject else None
        if wanted.nhs_number is not None:
            handle = persons.find_handle(view, sender.ods, wanted.nhs_number)
            found = frozenset({handle} if handle else ())
            subjects = found if subjects is None else found & subjects
        page, total = consents.search(
            view,
            Search(
                practice=sender.ods,
                id=wanted.id,
                statuses=wanted.statuses,
                subjects=subjects,
                identifiers=wanted.identifiers,
                updated_from=wanted.updated_from,
                updated_before=wanted.updated_before,
                after=wanted.after,
                limit=wanted.limit,
            ),
        )
        newest = [(each, _newest(view, each)) for each in page]
    record_shown(gateway, sender, _question(wanted), [_shown(each) for each in page])
    return newest, total


def _question(wanted: Wanted) -> Question:
    naming = {"patient:identifier": wanted.nhs_number, "identifier": wanted.identifiers}
    return search_for("Consent", wanted, naming)


def _newest(view: Reading, found: Registered) -> JsonObject:
    last = consents.versions_of(view, found.id)[-1]
    return shown_as(read_resource(last.body), found.id, last.version, last.recorded_at)


def _own(view: Reading | Transaction, consent_id: ConsentId, ods: OdsCode) -> Registered:
    found = consents.find(view, consent_id)
    if found is None or found.practice != ods:
        msg = "no Consent of your organisation has this id"
        raise NotFoundError(msg)
    return found


def _check_date(incoming: IncomingConsent, at: datetime) -> None:
    if incoming.date_time is not None and is_past(incoming.date_time, at) is False:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.VALUE,
                expression="Consent.dateTime",
                diagnostics="This time is still to come; a Consent is dated when it was given. To"
                " plan ahead, put into provision.period from when (start) and until when (end)"
                " it is to hold.",
            )
        )


def _check_names(
    tx: Transaction,
    practice: OdsCode,
    names: frozenset[Identifier],
    *,
    but: ConsentId | None = None,
) -> None:
    """Check that a Consent has its identifiers to itself; one entered in error has none."""
    found = consents.named(tx, practice, names, status_not=IN_ERROR) if names else []
    if any(each != but for each in found):
        msg = (
            "the register has another Consent with this identifier; read it by its identifier, and"
            " send the change as a new version of it with PUT"
        )
        raise DuplicateRequestError(msg)


def _check_change(
    tx: Transaction, present: Registered, known_version: int, incoming: IncomingConsent
) -> None:
    if known_version != present.version:
        raise _is_older()
    if present.status == IN_ERROR:
        msg = "the Consent was entered in error and never counted; record a new one with POST"
        raise IllegalMoveError(msg)
    faults = []
    if incoming.id != present.id:
        says = "Send the Consent with the id that is in the address."
        faults.append(Fault(code=IssueCode.INVALID, expression="Consent.id", diagnostics=says))
    if persons.find_handle(tx, present.practice, incoming.nhs_number) != present.subject:
        says = "This is another person than that of the version before. Record a new Consent."
        faults.append(
            Fault(code=IssueCode.INVARIANT, expression="Consent.patient", diagnostics=says)
        )
    if faults:
        raise InvalidMessageError(*faults)
    _check_date(incoming, tx.at)


def _is_older() -> PreconditionFailedError:
    return PreconditionFailedError("the Consent has another version by now; read it again first")


def _record(
    tx: Transaction,
    gateway: Gateway,
    entry: _Entry,
    new: Registered,
    effective_at: datetime,
    sent: Envelope,
) -> None:
    details.record(
        tx,
        entry(
            actor=sent.sender.client,
            epochs=gates.change(tx, subject=new.subject),
            practice=new.practice,
            subject=new.subject,
            consent=new.id,
            version=new.version,
            effective_at=effective_at,
        ),
        sent.told,
    )
    withdraw.begin(
        tx,
        gateway,
        cause=Cause.CONSENT,
        about=new.id,
        actor=sent.sender.client,
        recorded_at=tx.at,
        concerns=Concerns(subject=new.subject, practice=new.practice),
    )
