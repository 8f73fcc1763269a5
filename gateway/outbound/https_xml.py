"""The destination kind `https`: an XML message posted to a service that answers with a Receipt.

What enters: a parcel. What leaves: its bytes, once, and the service's answer, classified.
Must never: quote the service's words, nor believe a success that its Receipt does not bear out.

What an answer means, in order:

    5xx, 408, 425, 429                     again later, when it says
    a Receipt for another message, or
    a 2xx without a Receipt                nobody knows; again later
    a Receipt: Accepted, with a 2xx        delivered; with another status nobody knows
    a Receipt: Duplicate                   delivered, in an earlier attempt
    a Receipt: Rejected                    refused, for the reason that it names
    any other                              refused

The words of a refusal are codes of the schema, so they may be shown.
"""

from collections.abc import Callable
from typing import assert_never

from gateway.errors import DestinationBusyError, DestinationRefusedError, NoReplyError
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.mapping.health_and_work import Outcome, Receipt
from gateway.outbound.https_line import Answer, HttpsLine, posting_to


class HttpsXml:
    """Sends XML messages.

    Args:
        line: how they leave.
        read_receipt: reads an answer's body; None where it is no Receipt.
    """

    def __init__(self, line: HttpsLine, read_receipt: Callable[[bytes], Receipt | None]) -> None:
        self._line = line
        self._read_receipt = read_receipt

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """Post the message; see `journey.gateway.Destination`.

        Raises:
            LeaseEndedError: the deadline had passed before the first byte.
            DestinationUnreachableError: no connection.
            NoReplyError: sent, but no answer that says what became of it.
            DestinationBusyError: the service asks to be left alone for now.
            DestinationRefusedError: the service will not take it.
        """
        posting = posting_to(parcel.endpoint, headers=_headers(parcel), body=parcel.body)
        answer = self._line.exchange(posting, deadline=deadline)
        failure = None if answer.is_success else answer.failure()
        if isinstance(failure, DestinationBusyError):
            raise failure
        receipt = self._read_receipt(answer.body)
        if receipt is not None:
            return _received(answer, receipt, parcel)
        if failure is not None:
            raise failure
        msg = "the service answered success without a Receipt"
        raise NoReplyError(msg, status=answer.status)


def _headers(parcel: Parcel) -> dict[str, str]:
    """Carry the same idempotency key at every attempt, and the sender's correlation id."""
    return {
        "Content-Type": parcel.media_type,
        "Accept": parcel.media_type,
        "Idempotency-Key": parcel.delivery.id,
        "X-Request-Id": parcel.delivery.id,
        "X-Correlation-Id": parcel.referral.correlation_id,
    }


def _received(answer: Answer, receipt: Receipt, parcel: Parcel) -> Acknowledgement:
    """Take a Receipt at its word, if it is for what was sent."""
    status = answer.status
    if receipt.message_id != parcel.delivery.id:
        msg = "the service answered with a Receipt for another message"
        raise NoReplyError(msg, status=status)
    match receipt.outcome:
        case Outcome.ACCEPTED:
            if not answer.is_success:
                msg = "the service answered with a Receipt that its status contradicts"
                raise NoReplyError(msg, status=status)
            return Acknowledgement(status=status)
        case Outcome.DUPLICATE:
            return Acknowledgement(status=status)
        case Outcome.REJECTED:
            msg = f"the service rejects it: {receipt.reason}"
            raise DestinationRefusedError(msg, status=status)
        case _:
            assert_never(receipt.outcome)
