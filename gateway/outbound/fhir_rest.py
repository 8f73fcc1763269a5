"""The destination kind `fhir-rest`: a FHIR R4 server over HTTPS.

What enters: a parcel. What leaves: its bytes, once, and the server's answer, classified.
Must never: quote the server's words, nor believe a success that its body does not bear out.
"""

from gateway.errors import DestinationRefusedError, NoReplyError
from gateway.fhir.json_text import read_own
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.outbound.https_line import Answer, HttpsLine, posting_to
from gateway.referral.json import child, objects, string


class FhirRest:
    """Sends transactions to FHIR servers."""

    def __init__(self, line: HttpsLine) -> None:
        self._line = line

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """Post the transaction; see `journey.gateway.Destination`.

        Raises:
            LeaseEndedError: the deadline had passed before the first byte.
            DestinationUnreachableError: no connection.
            NoReplyError: sent, but no usable answer came back in time.
            DestinationBusyError: the server asks to be left alone for now.
            DestinationRefusedError: the server will not take it.
        """
        posting = posting_to(parcel.endpoint, headers=_headers(parcel), body=parcel.body)
        return _classify(self._line.exchange(posting, deadline=deadline), parcel)


def _headers(parcel: Parcel) -> dict[str, str]:
    """Carry the same idempotency key at every attempt, and the sender's correlation id."""
    return {
        "Content-Type": parcel.media_type,
        "Accept": parcel.media_type,
        "Idempotency-Key": parcel.delivery.id,
        "X-Request-Id": parcel.delivery.id,
        "X-Correlation-Id": parcel.referral.correlation_id,
    }


def _classify(answer: Answer, parcel: Parcel) -> Acknowledgement:
    if answer.is_success:
        return _acknowledged(answer, parcel)
    if answer.status == 409 and answer.says_duplicate():  # noqa: PLR2004
        return Acknowledgement(status=answer.status)  # a retry of what had arrived: it has it
    raise answer.failure()


def _acknowledged(answer: Answer, parcel: Parcel) -> Acknowledgement:
    """Believe a success only where the body says the same of every part that was sent.

    Source: FHIR R4, http.html, section 3.1.0.11.2: one entry for each, in the same order.
    """
    tree, status = answer.tree(), answer.status
    if tree is None or string(tree, "type") != "transaction-response":
        msg = "the destination answered success without a transaction-response"
        raise NoReplyError(msg, status=status)
    answers = [child(e, "response") or {} for e in objects(tree, "entry")]
    if not all((string(a, "status") or "").startswith("2") for a in answers):
        msg = "the destination answered success but refused a part"
        raise DestinationRefusedError(msg, status=status)
    if len(answers) != len(objects(read_own(parcel.body), "entry")):
        msg = "the destination answered success but not for every part"
        raise NoReplyError(msg, status=status)
    return Acknowledgement(status=status)
