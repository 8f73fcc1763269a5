"""Reading for those who may: a practice its own referrals, an owner its own hops.

What enters: who asks, and for what. What leaves: referrals, deliveries and messages. Rules
about who sees what are conditions of the query, never a filter over its result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import NotFoundError
from gateway.fhir.references import index
from gateway.fhir.service_request import service_request_of
from gateway.fhir.text import read_resource
from gateway.journey.disclose import Question, Shown, record_shown, search_for
from gateway.journey.gateway import Gateway
from gateway.ledger.kinds import Interaction
from gateway.referral.directory import Offer
from gateway.referral.identifiers import (
    DeliveryId,
    DosServiceId,
    Handle,
    NhsNumber,
    OdsCode,
    ReferralId,
)
from gateway.referral.json import JsonObject, objects
from gateway.referral.letter import Letter
from gateway.referral.lifecycle import DeliveryKind, RequestStatus
from gateway.referral.model import Change, Delivery, Identifier, Referral, Sender
from gateway.referral.outcome import Outcome
from gateway.referral.withdrawals import Recall
from gateway.store import deliveries, feeds, letters, outcomes, persons, recalls, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Reading, Transaction
from gateway.store.referrals import Changed, Search


@dataclass(frozen=True, slots=True)
class Hop:
    """One leg: the referral itself (`delivery` None), or one of its deliveries.

    `recall` is what a delivery of that kind is for, and what came of it; `outcome` what its
    provider said last of the referral, of what whoever asks may know; `letter` what a delivery
    to the practice brings.
    """

    referral: Referral
    delivery: Delivery | None
    recall: Recall | None = None
    outcome: Outcome | None = None
    letter: Letter | None = None

    @property
    def id(self) -> str:
        """The id of its Task."""
        return self.delivery.id if self.delivery else self.referral.id

    @property
    def moved_at(self) -> datetime:
        """When it last moved."""
        return self.delivery.updated_at if self.delivery else self.referral.updated_at


def hop_of(view: Reading | Transaction, delivery: Delivery) -> Hop:
    """Put a delivery together with its referral, and a recall with what it is for."""
    is_recall = delivery.kind is DeliveryKind.RECALL
    return Hop(
        referral=referrals.get(view, delivery.referral),
        delivery=delivery,
        recall=recalls.find(view, delivery.id) if is_recall else None,
        outcome=outcomes.last_of(view, [delivery.id]).get(delivery.id),
        letter=letters.find(view, delivery.id) if delivery.kind is DeliveryKind.LETTER else None,
    )


def hops_of(view: Reading, found: Sequence[Delivery]) -> Iterator[Hop]:
    """Put many together likewise. The view must be one moment."""
    wanted = {each.referral for each in found}
    of_each = {each.id: each for each in referrals.everyone(view, wanted)}
    told = {each.id: each for each in recalls.of_ids(view, [each.id for each in found])}
    said = outcomes.last_of(view, [each.id for each in found])
    sent = letters.of_ids(view, [each.id for each in found if each.kind is DeliveryKind.LETTER])
    brings = {each.id: each for each in sent}
    for each in found:
        yield Hop(
            of_each[each.referral], each, told.get(each.id), said.get(each.id), brings.get(each.id)
        )


def service_is_known(service: DosServiceId, gateway: Gateway) -> bool:
    """Tell whether the directory has a service of this id now."""
    with gateway.store.reading() as view:
        return DirectoryAsOf(view, gateway.clock()).service_known_as(service) is not None


def offers_of(service: DosServiceId, gateway: Gateway) -> tuple[Offer, ...] | None:
    """List what a service takes now; None where the directory has no service of this id."""
    with gateway.store.reading() as view:
        known = DirectoryAsOf(view, gateway.clock()).service_known_as(service)
    return known.offers if known is not None else None


@dataclass(frozen=True, slots=True)
class Kept:
    """A referral with the message that brought it and every later change, oldest first."""

    referral: Referral
    message: JsonObject
    changes: tuple[Change, ...]


def present_version(kept: Kept) -> JsonObject:
    """Show the ServiceRequest as its sender left it."""
    return service_request_of(
        kept.message, kept.referral, kept.changes[-1] if kept.changes else None
    )


def show_referral(
    sender: Sender, referral_id: ReferralId, gateway: Gateway, interaction: Interaction
) -> Kept:
    """Read a referral of the sender's own organisation, and record that it is shown.

    Raises:
        NotFoundError: as `own_referral`; that is on record too.
    """
    question = Question(type="ServiceRequest", interaction=interaction, by={"_id": referral_id})
    try:
        kept = own_referral(sender, referral_id, gateway)
    except NotFoundError:
        record_shown(gateway, sender, question, ())
        raise
    record_shown(gateway, sender, question, [shown_of(kept.referral)])
    return kept


def shown_of(referral: Referral) -> Shown:
    """Say for the ledger whose referral, or hop, is shown."""
    return Shown(practice=referral.practice, subject=referral.subject, referral=referral.id)


def own_referral(sender: Sender, referral_id: ReferralId, gateway: Gateway) -> Kept:
    """Read a referral of the sender's own organisation.

    Raises:
        NotFoundError: there is none, or it is another organisation's.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        referral = referrals.get(view, referral_id)
        if referral.practice != sender.ods:
            msg = "no referral has this id"
            raise NotFoundError(msg)
        return _kept(view, referral)


def _kept(view: Reading, referral: Referral) -> Kept:
    changes: tuple[Change, ...] = ()
    if referral.is_cancelled:
        changes = tuple(_change(each) for each in referrals.changes_of(view, referral.id))
    return Kept(referral, read_resource(referrals.body_of(view, referral.id)), changes)


def _change(changed: Changed) -> Change:
    """Show what a sender said when it took its referral back."""
    said = index(read_resource(changed.body)).of_type("ServiceRequest")
    reason = objects(said[0].resource, "reasonCode") if said else []
    return Change(
        version=changed.version, status=changed.status, reason=tuple(reason), at=changed.at
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a practice searches its own referrals for; all conditions hold together.

    `subject` is a person by the handle that this practice's referrals carry, `person` one by
    name, date of birth and postcode, `mark` the same as a link carries it. `after` is the
    place of the last one of the page before: when it came in, and its id.
    """

    id: ReferralId | None = None
    statuses: frozenset[RequestStatus] | None = None
    subject: Handle | None = None
    nhs_number: NhsNumber | None = None
    person: Identifier | None = None
    mark: bytes | None = None
    identifiers: tuple[Identifier, ...] = ()
    updated_from: datetime | None = None
    updated_before: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


def own_referrals(sender: Sender, wanted: Wanted, gateway: Gateway) -> tuple[list[Kept], int]:
    """Search a practice's own referrals; return a page with their messages, and the total.

    What is shown is recorded. A number that this practice has never sent is nobody: an empty result, not an error.
    """
    with gateway.store.reading() as view:
        subjects = frozenset({wanted.subject}) if wanted.subject else None
        if wanted.nhs_number is not None:
            handle = persons.find_handle(view, sender.ods, wanted.nhs_number)
            found = frozenset({handle} if handle else ())
            subjects = found if subjects is None else found & subjects
        search = Search(
            practice=sender.ods,
            id=wanted.id,
            statuses=wanted.statuses,
            subjects=subjects,
            identifiers=wanted.identifiers,
            person=wanted.person,
            mark=wanted.mark,
            updated_from=wanted.updated_from,
            updated_before=wanted.updated_before,
            after=wanted.after,
            limit=wanted.limit,
        )
        page, total = referrals.search(view, search)
        found_here = [_kept(view, each) for each in page]
    record_shown(gateway, sender, _question(wanted), [shown_of(each) for each in page])
    return found_here, total


def _question(wanted: Wanted) -> Question:
    naming = {
        "patient:identifier": wanted.nhs_number,
        "person": wanted.person,
        "_person": wanted.mark,
        "identifier": wanted.identifiers,
    }
    return search_for("ServiceRequest", wanted, naming)


def mark_of(person: Identifier, gateway: Gateway) -> str:
    """Name a person in a link by the keyed hash under which the referral is kept."""
    return referrals.mark_of(gateway.store.vault, person).hex()


def own_hops(
    sender: Sender,
    *,
    since: datetime | None,
    before: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
    gateway: Gateway,
) -> list[Hop]:
    """List hops of which the sender's organisation is requester or owner, oldest move first.

    A provider sees what it was told of. A practice sees its referrals and all their deliveries.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        owned = deliveries.owned_by(
            view, sender.ods, since=since, before=before, after=after, limit=limit
        )
        placed = deliveries.placed_by(
            view, sender.ods, since=since, before=before, after=after, limit=limit
        )
        asked = referrals.placed_by(
            view, sender.ods, since=since, before=before, after=after, limit=limit
        )
        hops = {each.id: each for each in hops_of(view, [*owned, *placed])}
        everything: Sequence[Hop] = [*hops.values(), *(Hop(r, None) for r in asked)]
    found = sorted(everything, key=lambda hop: (hop.moved_at, hop.id))[:limit]
    place = after[0] if after else None
    by = {"from": since, "before": before, "after": place, "_count": limit}
    question = Question(type="Task", interaction=Interaction.SEARCH, by=by)
    record_shown(gateway, sender, question, [shown_of(hop.referral) for hop in found])
    return found


def own_hop(sender: Sender, hop_id: str, gateway: Gateway) -> Hop:
    """Read one hop of which the sender's organisation is requester or owner.

    Raises:
        NotFoundError: there is none, or it is not theirs to see.
    """
    question = Question(type="Task", interaction=Interaction.READ, by={"_id": hop_id})
    with gateway.store.reading() as view:
        found = _hop(view, sender.ods, hop_id)
    if found is not None:
        record_shown(gateway, sender, question, [shown_of(found.referral)])
        return found
    record_shown(gateway, sender, question, ())
    msg = "no task has this id"
    raise NotFoundError(msg)


def _hop(view: Reading, ods: OdsCode, hop_id: str) -> Hop | None:
    """Find a hop that is an organisation's to see: of its own referral, or told to it."""
    delivery = deliveries.find(view, DeliveryId(hop_id))
    if delivery is None:
        referral = referrals.find(view, ReferralId(hop_id))
        return Hop(referral, None) if referral and referral.practice == ods else None
    found = hop_of(view, delivery)
    is_theirs = found.referral.practice == ods or feeds.names(view, ods, delivery.id)
    return found if is_theirs else None
