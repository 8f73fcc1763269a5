"""Cases about a referral that is taken back: a Task `abort` that names it by our reference."""

from http import HTTPStatus

from gateway.cli.certify.case import Finding, failed, not_shown, passed, warned
from gateway.cli.certify.copies import one_copy
from gateway.cli.certify.trial import Heard, Trial

_FAULT = 500


def revoked(trial: Trial) -> Finding:
    """Send a referral, then take it back."""
    parcel = trial.messages.form()
    sent = trial.send(parcel)
    if not sent.is_taken:
        return not_shown(sent.told)
    return _taken(trial.send(trial.messages.recall_of(parcel)))


def revoked_again(trial: Trial) -> Finding:
    """Send the same recall twice."""
    parcel = trial.messages.form()
    trial.send(parcel)
    recall = trial.messages.recall_of(parcel)
    heard = [trial.send(recall), trial.send(recall)]
    told = ", then ".join(each.told for each in heard)
    if not heard[1].is_taken:
        return failed(f"{told}: the second is refused")
    return one_copy(trial, recall, heard, told)


def revoked_unknown(trial: Trial) -> Finding:
    """Take back a referral that never came."""
    heard = trial.send(trial.messages.recall_of(trial.messages.form()))
    if (
        not heard.is_taken
        and heard.status == HTTPStatus.NOT_FOUND
        and not trial.wire.takes_any_recall
    ):
        return warned(f"{heard.told}: whether it came is then for a person to find out")
    return _taken(heard)


def revoked_first(trial: Trial) -> Finding:
    """Take a referral back, and send it only then."""
    parcel = trial.messages.form()
    recall = trial.send(trial.messages.recall_of(parcel))
    if not recall.is_taken:
        return not_shown(f"{recall.told}: see revoke-unknown")
    late = trial.send(parcel)
    if late.answer is None or late.answer.status >= _FAULT:
        return failed(f"the recall {recall.told}, then the referral: {late.told}")
    return passed(f"the recall {recall.told}, then the referral: {late.told}")


def _taken(heard: Heard) -> Finding:
    return passed(heard.told) if heard.is_taken else failed(heard.told)
