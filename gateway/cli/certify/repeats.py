"""Cases about one message that comes more than once: there must be one copy of it.

The gateway sends again whatever was not answered, with the same bytes and the same
Idempotency-Key, for days.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.cli.certify.arrivals import OLD
from gateway.cli.certify.case import Finding, Verdict, failed, not_shown, warned
from gateway.cli.certify.copies import one_copy, other_parts_moved
from gateway.cli.certify.manners import (
    Manner,
    break_off,
    hang_up_at_once,
    hang_up_on_answer,
)
from gateway.cli.certify.trial import Heard, Trial
from gateway.journey.gateway import Parcel

_TRIES = 4
"""Attempts that are made until an endpoint has taken a message that it may be working on."""


def repeated(trial: Trial) -> Finding:
    """Send the same twice, one after the other."""
    parcel = trial.messages.letter()
    heard = [trial.send(parcel), trial.send(parcel)]
    found = _judge(trial, parcel, heard)
    if found.verdict is Verdict.PASS and other_parts_moved(heard):
        return warned(f"{found.seen}, but the repeat created parts beside Task and referral again")
    return found


def repeated_at_once(trial: Trial) -> Finding:
    """Send the same twice at the same time."""
    parcel = trial.messages.form()
    with ThreadPoolExecutor(2) as pool:
        heard = list(pool.map(trial.send, (parcel, parcel)))
    refused = [each for each in heard if not each.is_taken and not each.may_retry]
    if refused:
        return failed(f"one of two at once is refused for good: {refused[0].told}")
    if not all(each.is_taken for each in heard):
        heard.append(_until_taken(trial, parcel))
    return _judge(trial, parcel, heard)


def replayed(trial: Trial) -> Finding:
    """Send one that is days old, then another, then the old one again."""
    parcel = trial.messages.form(age=OLD)
    first = trial.send(parcel)
    if not first.is_taken:
        return not_shown(f"{first.told}: see out-of-order")
    trial.send(trial.messages.form())
    return _judge(trial, parcel, [first, trial.send(parcel)])


def answer_lost(trial: Trial) -> Finding:
    """Send all of it and go away: at once, then as the answer begins; then send it properly."""
    parcel = trial.messages.form()
    for way in (hang_up_at_once, hang_up_on_answer):
        trial.send(parcel, Manner(trial.raw, way))
        trial.wait(trial.patience.pause)
    return _judge(trial, parcel, [_until_taken(trial, parcel)])


def broken_off(trial: Trial) -> Finding:
    """Break the line off half-way; then send it properly."""
    parcel = trial.messages.form()
    trial.send(parcel, Manner(trial.raw, break_off))
    trial.wait(trial.patience.pause)
    return _judge(trial, parcel, [_until_taken(trial, parcel)])


def _until_taken(trial: Trial, parcel: Parcel) -> Heard:
    """Send it as production does, which tries again where it is told to."""
    for _ in range(_TRIES - 1):
        heard = trial.send(parcel)
        if heard.is_taken or not heard.may_retry:
            return heard
        trial.wait(trial.patience.pause)
    return trial.send(parcel)


def _judge(trial: Trial, parcel: Parcel, heard: Sequence[Heard]) -> Finding:
    told = ", then ".join(each.told for each in heard)
    if not heard[-1].is_taken:
        return failed(f"{told}: it does not say that it has it")
    return one_copy(trial, parcel, heard, told)
