"""Put shared care on record: what practice and provider agreed, and what practices have room for.

What enters: terms as somebody has them on paper, or a practice's word on its capacity, and who
puts them here. What leaves: a row, beside those of before; or a list of what counts. Must never:
change what stood before. No entry of the ledger is made: each decision that reads a row is one,
and names the row. Source: the sharing rules, R27 and R27b.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import NotFoundError
from gateway.journey.gateway import Gateway
from gateway.journey.sharing import enter
from gateway.referral.identifiers import OdsCode
from gateway.referral.instants import day_of
from gateway.store import shared_care
from gateway.store.directory import DirectoryAsOf
from gateway.store.shared_care import RecordedAgreement, RecordedCapacity
from gateway.writeback.shared_care import CapacityWord, SharedCareAgreement


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """What counts now: the newest agreement of each two, and the newest word of each practice."""

    agreements: Sequence[RecordedAgreement]
    capacities: Sequence[RecordedCapacity]


def record_terms(
    gateway: Gateway,
    practice: OdsCode,
    provider: OdsCode,
    terms: SharedCareAgreement,
    *,
    actor: str,
) -> RecordedAgreement:
    """Put an agreement on record. It counts from then on, in place of the one before.

    Raises:
        NotFoundError: the directory has no such practice or provider.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        enter(tx, practice)
        if DirectoryAsOf(tx, tx.at).parties(practice, provider).provider is None:
            msg = f"the directory has no provider {provider}: whoever runs the gateway can add it"
            raise NotFoundError(msg)
        before = shared_care.agreement_between(tx, practice, provider)
        new = RecordedAgreement(
            practice=practice,
            provider=provider,
            seq=shared_care.next_seq(before),
            terms=terms,
            recorded_at=tx.at,
            by=actor,
        )
        shared_care.add_agreement(tx, new)
    return new


def record_capacity(
    gateway: Gateway, practice: OdsCode, *, has_capacity: bool, actor: str
) -> RecordedCapacity:
    """Put on record what a practice says of its capacity today.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        enter(tx, practice)
        before = shared_care.capacity_of(tx, practice)
        new = RecordedCapacity(
            practice=practice,
            seq=shared_care.next_seq(before),
            word=CapacityWord(has_capacity=has_capacity, said_on=day_of(tx.at)),
            recorded_at=tx.at,
            by=actor,
        )
        shared_care.add_capacity(tx, new)
    return new


def shared_care_on_record(gateway: Gateway) -> OnRecord:
    """List what counts now, by practice."""
    with gateway.store.reading() as view:
        return OnRecord(
            agreements=shared_care.agreements(view), capacities=shared_care.capacities(view)
        )
