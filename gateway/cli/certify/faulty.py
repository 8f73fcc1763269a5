"""Cases about what must not be taken: another media type, half a message, one that is not there yet."""

from dataclasses import replace

from gateway.cli.certify.case import Finding, failed, not_shown, passed
from gateway.cli.certify.copies import is_kept
from gateway.cli.certify.manners import Manner, drip
from gateway.cli.certify.trial import Heard, Trial
from gateway.errors import DestinationUnreachableError, LeaseEndedError
from gateway.outbound.https_line import Posting
from gateway.referral.json import string

_REFUSALS = range(400, 500)
_TOO_SLOW = 408
_BUSY = frozenset({429, 503})


def wrong_media_type(trial: Trial) -> Finding:
    """Send a good referral as plain text."""
    parcel = trial.messages.form()
    posting = trial.posting(parcel)
    heard = trial.exchange(_as(posting, "text/plain; charset=utf-8", posting.body or b""))
    found = _refused(heard)
    if found.verdict.is_good and is_kept(trial, parcel):
        return failed(f"{heard.told}, and yet its search finds it")
    return found


def malformed(trial: Trial) -> Finding:
    """Send the first half of a referral as if it were all."""
    parcel = trial.messages.form()
    posting = trial.posting(parcel)
    body = posting.body or b""
    heard = trial.exchange(_as(posting, parcel.media_type, body[: len(body) // 2]))
    found = _refused(heard)
    if not found.verdict.is_good or heard.answer is None:
        return found
    if string(heard.answer.tree() or {}, "resourceType") != "OperationOutcome":
        return failed(f"{heard.told}, but the body is no OperationOutcome")
    return passed(f"{heard.told} with an OperationOutcome")


def slow_sender(trial: Trial) -> Finding:
    """Send the end of a referral byte by byte."""
    manner = Manner(trial.raw, drip, drip=trial.patience.drip.total_seconds())
    heard = trial.send(trial.messages.form(), manner)
    if isinstance(heard.failure, DestinationUnreachableError | LeaseEndedError):
        return not_shown(heard.told)
    if manner.early == _TOO_SLOW or (manner.early is None and not manner.is_whole):
        return passed("it ended the wait for the rest")
    if manner.early is not None:
        return failed(f"{manner.early} before it had the whole message")
    if heard.status in _BUSY:
        return not_shown(heard.told)
    return passed(heard.told) if heard.is_taken else failed(heard.told)


def _as(posting: Posting, media_type: str, body: bytes) -> Posting:
    return replace(posting, headers={**posting.headers, "Content-Type": media_type}, body=body)


def _refused(heard: Heard) -> Finding:
    """Judge an answer to what must not be taken; none at all is tried again for days."""
    is_unsent = isinstance(heard.failure, DestinationUnreachableError | LeaseEndedError)
    if is_unsent or heard.status in _BUSY:
        return not_shown(heard.told)
    return passed(heard.told) if heard.status in _REFUSALS else failed(heard.told)
