"""Take up each request of a sender once, whatever its network does.

What enters: an authenticated envelope. What leaves: leave to go on, or what the same request
was answered with before. The id is claimed, and that is committed, before the message is
looked at. Source: BaRS Core, transactional integrity.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias, TypeVar

from gateway.errors import (
    ConsentRefusedError,
    FailedBeforeError,
    RequestIdReusedError,
)
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import ReferralRejected
from gateway.ledger.kinds import Door as LedgerDoor
from gateway.referral.identifiers import ReferralId
from gateway.referral.model import Envelope, Receipt
from gateway.store import decisions, referrals, requests
from gateway.store.engine import Reading, Transaction
from gateway.store.requests import Known, Refusal

CLAIM = timedelta(seconds=5)
"""How long a request may be worked on before another process may take it over: the time in
which BaRS wants every answer. Whoever is slower commits nothing (`Envelope.answer_by`)."""

_T = TypeVar("_T")
ReceiptOf: TypeAlias = Callable[[Transaction, str], _T]
"""Makes a receipt again, from the id of what a request made or changed."""


def take_up(
    envelope: Envelope, gateway: Gateway, receipt_of: ReceiptOf[_T]
) -> tuple[Envelope, _T | None]:
    """Claim a request id, or tell what became of it.

    A message that could not be taken made nothing, so it may be mended under its id.

    Args:
        envelope: the request.
        gateway: the live objects.
        receipt_of: for the same request that came before.

    Returns: the envelope, with which claim of its id this is; and the receipt of the same
        request before, or None: go on.

    Raises:
        RequestIdReusedError: the id was used for another message, which was answered.
        TooEarlyError: the same request is being worked on.
        FailedBeforeError: the same request failed, and was told so.
        ConsentRefusedError: the same request was refused by a decision.
        TooSlowError, StoreUnavailableError: nothing was written.
    """
    if not envelope.is_repeatable:
        return envelope, None
    with gateway.store.transaction(gateway.clock(), answer_by=envelope.answer_by) as tx:
        known = requests.find(tx, envelope)
        until = tx.at + CLAIM
        if known is None:
            requests.claim(tx, envelope, until)
            return replace(envelope, attempt=1), None
        is_mended = known.failure is not None and known.body_sha256 != envelope.body_sha256
        if known.body_sha256 != envelope.body_sha256 and not is_mended:
            msg = "X-Request-Id was used before for another message. Use a new one."
            raise RequestIdReusedError(msg)
        if known.running_until is not None and known.running_until > tx.at:
            raise requests.running()
        if known.running_until is not None or is_mended:
            requests.claim_again(tx, envelope, known, until)
            return replace(envelope, attempt=known.attempt + 1), None
        return envelope, receipt_of(tx, _made(known))


def referral_receipt(view: Reading | Transaction, referral_id: str) -> Receipt:
    """Make the receipt of a referral again."""
    present = referrals.get(view, ReferralId(referral_id))
    told = decisions.withheld_at_first(view, present.id)
    return Receipt(referral=present, repeated=True, withheld=told)


def reject(envelope: Envelope, codes: Sequence[str], gateway: Gateway, *, told: str | None) -> None:
    """Record that a message was refused at the door.

    `told` is the answer, which a repeat will be given too; None where the request is not, or
    no longer, claimed.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        if told is not None:
            requests.settle(tx, envelope, failure=told)
        tx.record(
            ReferralRejected(
                actor=envelope.sender.client,
                practice=envelope.sender.ods,
                door=LedgerDoor(envelope.door),
                request_sha256=envelope.body_sha256,
                codes=tuple(dict.fromkeys(codes))[:64],
            )
        )


def give_back(envelope: Envelope, gateway: Gateway) -> None:
    """End the claim of a request that came to nothing, so that it may be sent again at once."""
    if envelope.is_repeatable:
        with gateway.store.transaction(gateway.clock()) as tx:
            requests.give_back(tx, envelope)


def refused(refusal: Refusal) -> ConsentRefusedError:
    """Tell a decision that refused."""
    return ConsentRefusedError(
        code=refusal.code,
        spine_code=refusal.spine_code,
        external_text=refusal.external_text,
        remedy=refusal.remedy,
    )


def _made(known: Known) -> str:
    if known.refusal is not None:
        raise refused(known.refusal)
    if known.failure is not None:
        raise FailedBeforeError(known.failure)
    if known.made is None:
        msg = "a request that was answered made something, or was refused, or failed"
        raise AssertionError(msg)
    return known.made
