"""A sender takes its referral back.

What enters: an authenticated envelope and what its message says of one referral. What
leaves: the referral as it stands then. What has not left is stopped; a service that has it,
or may have it, is told. Must never: answer before the commit, lose an earlier version, or
touch a referral of another organisation. Source: BaRS Core, cancellation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import (
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    ManyFoundError,
    MovedMeanwhileError,
    NotFoundError,
    PreconditionFailedError,
)
from gateway.fhir.demographics import is_same_person
from gateway.fhir.references import index
from gateway.fhir.text import read_resource
from gateway.journey.gateway import Gateway
from gateway.journey.recall import close_cancelled, has_not_left, queue_recall, stop
from gateway.ledger.entry import HoldResolved, ReferralCancelled
from gateway.ledger.kinds import Cancellation as LedgerCancellation
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.referral.identifiers import DosServiceId, OdsCode, ReferralId
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import (
    CANCELLED,
    DeliveryKind,
    DeliveryState,
    ReferralState,
    RequestStatus,
)
from gateway.referral.model import Delivery, Envelope, Identifier, Receipt, Referral
from gateway.store import decisions, deliveries, details, referrals, requests
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction

_TRIES = 5
_LEFT_AS_IT_IS = (ReferralState.IN_FLIGHT, ReferralState.RECALLING, ReferralState.CLOSED)
"""Its worker goes on from there; its service is being told already; it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a message says of the referral that it takes back.

    It is found by `id`, else by the first group of `names` that fits one. `patient`, where
    given, must be the person of the referral, and stands at `person_at` (FHIRPath).
    `service`, where given, must be the one that the referral is for. `known_version` is the
    version that the sender knows, where it says so.
    """

    id: ReferralId | None
    names: Sequence[Sequence[Identifier]]
    status: RequestStatus
    patient: JsonObject | None
    person_at: str
    service: DosServiceId | None
    known_version: int | None


def cancel_referral(cancellation: Cancellation, envelope: Envelope, gateway: Gateway) -> Receipt:
    """Take one referral back; the request id is claimed (see `take_up`).

    --- one transaction ---
    1. Find the referral among those of the sender's organisation.
    2. Check that it is the same person's, that the sender knows its present version, and
       that it was not taken back before.
    3. Keep the message as the next version; say so in the ledger.
    4. Stop what is queued; resolve what is held; queue a recall where a service has it, or
       may have it. An attempt under way is left to end: its worker goes on from there.
    5. Note what the request came to.
    --- end ---

    Raises:
        NotFoundError: the sender's organisation has no such referral.
        ManyFoundError: the names fit more than one.
        InvalidMessageError: the message is about somebody else.
        PreconditionFailedError: there is a later version than the sender knows.
        IllegalMoveError: it was taken back before.
        StoreUnavailableError, TooSlowError: nothing was written; it may be sent again.
    """
    for _ in range(_TRIES - 1):
        try:
            return _cancel(cancellation, envelope, gateway)
        except MovedMeanwhileError:  # a worker moved it at the same moment
            continue
    return _cancel(cancellation, envelope, gateway)


def _cancel(cancellation: Cancellation, envelope: Envelope, gateway: Gateway) -> Receipt:
    with gateway.store.transaction(gateway.clock(), answer_by=envelope.answer_by) as tx:
        present = _find(tx, cancellation, envelope)
        _check(tx, present, cancellation)
        cancelled = replace(
            present,
            status=cancellation.status,
            content_version=present.content_version + 1,
            content_at=tx.at,
        )
        referrals.add_change(tx, cancelled, envelope)
        details.record(tx, _recorded(cancelled, envelope), envelope.told)
        after = _stop(tx, gateway, present, cancelled, actor=envelope.sender.client)
        requests.settle(tx, envelope, referral=after.id)
    return Receipt(referral=after)


def _find(tx: Transaction, wanted: Cancellation, envelope: Envelope) -> Referral:
    """Step 1: by our id, then by its identifiers, then by where the original came from."""
    practice = envelope.sender.ods
    if wanted.id is not None:
        found = referrals.find(tx, wanted.id)
        if found is not None and found.practice == practice:
            _check_names(tx, found, wanted, practice)
            return found
    for names in wanted.names:
        ids = referrals.find_named(tx, practice, names)
        if len(ids) > 1:
            msg = "more than one referral fits; name it by the id that it has here"
            raise ManyFoundError(msg)
        if ids:
            return referrals.get(tx, ids[0])
    msg = "no referral of your organisation has this id, identifier or origin"
    raise NotFoundError(msg)


def _check_names(tx: Transaction, found: Referral, wanted: Cancellation, of: OdsCode) -> None:
    """Check that identifiers given beside the id are not those of another referral.

    Where a message came from is not compared: senders use names of entries again.
    """
    for names in wanted.names[:1]:
        ids = referrals.find_named(tx, of, names)
        if ids and found.id not in ids:
            msg = "the id and the other names are those of different referrals"
            raise ManyFoundError(msg)


def _check(tx: Transaction, present: Referral, wanted: Cancellation) -> None:
    """Step 2."""
    if wanted.service is not None:
        known = DirectoryAsOf(tx, tx.at).service_known_as(wanted.service)
        if known is None or known.id != present.service:
            msg = "the referral is not one to the service that the message is addressed to"
            raise NotFoundError(msg)
    if wanted.patient is not None and not _is_the_person(tx, present, wanted.patient):
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVARIANT,
                expression=wanted.person_at,
                diagnostics="Nothing shows that this is the person of the referral that is taken"
                " back. Send the same NHS number, or else the same name and date of birth.",
            )
        )
    if wanted.known_version is not None and wanted.known_version != present.content_version:
        msg = "the referral has another version by now; read it again first"
        raise PreconditionFailedError(msg)
    if present.is_cancelled:
        msg = f"the referral is {present.status} already; only an active one can be taken back"
        raise IllegalMoveError(msg)


def _is_the_person(tx: Transaction, present: Referral, claimed: JsonObject) -> bool:
    message = read_resource(referrals.body_of(tx, present.id))
    return any(is_same_person(part.resource, claimed) for part in index(message).of_type("Patient"))


def _stop(
    tx: Transaction, gateway: Gateway, present: Referral, cancelled: Referral, *, actor: str
) -> Referral:
    """Step 4."""
    own = [d for d in deliveries.of_referral(tx, present.id) if d.kind is DeliveryKind.REFERRAL]
    for each in own:
        if has_not_left(each):
            stop(tx, each, cancelled, actor=actor)
    if present.hold is not None:
        tx.record(_resolved(tx, present, actor))
    if present.state in _LEFT_AS_IT_IS:
        referrals.change(tx, present, cancelled)
        return cancelled
    reached = [d for d in own if _may_have_it(d)]
    if not reached:
        return close_cancelled(tx, present, cancelled, actor=actor)
    waiting = replace(cancelled, state=ReferralState.RECALLING, hold=None)
    referrals.change(tx, present, waiting)
    for each in reached:
        queue_recall(tx, gateway, each, waiting, actor=actor)
    return waiting


def _may_have_it(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.DELIVERED or delivery.may_have_arrived


def _recorded(cancelled: Referral, envelope: Envelope) -> ReferralCancelled:
    return ReferralCancelled(
        actor=envelope.sender.client,
        practice=cancelled.practice,
        subject=cancelled.subject,
        referral=cancelled.id,
        door=LedgerDoor(envelope.door),
        request_sha256=envelope.body_sha256,
        status=LedgerCancellation(cancelled.status),
    )


def _resolved(tx: Transaction, present: Referral, actor: str) -> HoldResolved:
    if present.hold is None:
        msg = "a held referral has a hold"
        raise AssertionError(msg)
    return HoldResolved(
        actor=actor,
        practice=present.practice,
        subject=present.subject,
        referral=present.id,
        decision=decisions.last_of(tx, present.id),
        delivery=None,
        code=present.hold.code,
        resolution=CANCELLED,
    )
