"""What a request that brought an outcome came to, so that its repeat hears the same.

What enters: a request that was taken up, and the outcome that it brought. What leaves: the request
settled; or, for a repeat, the outcome as it stands. The outcome is on record before: where this
process ends between the two, the same bytes are known again. Source: BaRS Core, transactional
integrity.
"""

from gateway.errors import NotFoundError
from gateway.journey.gateway import Gateway
from gateway.journey.return_outcome import Returned
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, DosServiceId, OutcomeId, ReferralId
from gateway.referral.model import Envelope, Receipt
from gateway.store import deliveries, outcomes, referrals, requests
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction


def settle_outcome(sent: Envelope, returned: Returned, gateway: Gateway) -> None:
    """Note which outcome a request brought."""
    with gateway.store.transaction(gateway.clock()) as tx:
        requests.settle(tx, sent, referral=ReferralId(returned.outcome.id))


def replies_come_to(service: DosServiceId, gateway: Gateway) -> bool:
    """Whether a service id is one under which we have told a provider to reply."""
    name = f"{DOS_SERVICE_SYSTEM}|{service}"
    with gateway.store.reading() as view:
        every = DirectoryAsOf(view, gateway.clock()).endpoints()
    return any(each.parameters.get("source_identifier") == name for each in every)


def outcome_receipt(tx: Transaction, made: str) -> Returned:
    """Say again what became of an outcome.

    Raises:
        NotFoundError: the request brought something else.
    """
    before = outcomes.find(tx, OutcomeId(made))
    if before is None:
        msg = "this request brought no outcome"
        raise NotFoundError(msg)
    return Returned(
        outcome=before,
        delivery=deliveries.lock(tx, before.delivery),
        referral=referrals.get(tx, before.referral),
        repeated=True,
    )


def message_receipt(tx: Transaction, made: str) -> Receipt | Returned:
    """Say again what a message brought: a referral, or an outcome."""
    present = referrals.find(tx, ReferralId(made))
    return Receipt(referral=present, repeated=True) if present else outcome_receipt(tx, made)
