"""Cases about one message: it arrives, whole, in time, in any order."""

import math
from datetime import timedelta

from gateway.cli.certify.case import Finding, failed, not_shown, passed, warned
from gateway.cli.certify.trial import Heard, Trial

TIMES = 10
"""Referrals of which the times are taken."""
OLD = timedelta(days=5)
"""For so long the gateway tries again, where nothing else is set."""


def accepts(trial: Trial) -> Finding:
    """Send one referral."""
    heard = trial.send(trial.messages.form())
    if heard.is_redirect:
        return not_shown(f"{heard.told}: see no-redirect")
    return _taken(heard)


def follows_no_redirect(trial: Trial) -> Finding:
    """Send one, and see whether the answer points elsewhere."""
    heard = trial.send(trial.messages.form())
    if heard.is_redirect:
        return failed(f"{heard.told}: it points elsewhere, where the gateway never goes")
    if heard.answer is None:
        return not_shown(heard.told)
    return passed(heard.told)


def says_what_it_did(trial: Trial) -> Finding:
    """Send one of several parts: production believes a success only where the body says so."""
    heard = trial.send(trial.messages.letter())
    if heard.answer is None or not heard.is_taken:
        return _taken(heard)
    if heard.failure is not None:
        return failed(f"{heard.told}, but {heard.failure}")
    return passed(f"{heard.told}, and the body says the same of every part")


def takes_large(trial: Trial) -> Finding:
    """Send one that is as long as a referral may be."""
    parcel = trial.messages.large()
    heard = trial.send(parcel)
    megabytes = f"{len(parcel.body) / 1_000_000:.1f} MB"
    found = _taken(heard)
    return Finding(verdict=found.verdict, seen=f"{megabytes}: {found.seen}")


def bears_unknowns(trial: Trial) -> Finding:
    """Send one with an extension, an identifier and codes that nobody there can know."""
    return _taken(trial.send(trial.messages.with_unknowns()))


def takes_older_after_newer(trial: Trial) -> Finding:
    """Send a new referral, then one that waited for days."""
    older = trial.messages.form(age=OLD)
    newer = trial.send(trial.messages.form())
    if not newer.is_taken:
        return not_shown(newer.told)
    return _taken(trial.send(older))


def answers_in_time(trial: Trial) -> Finding:
    """Send some, one after the other, and take the times."""
    heard: list[Heard] = []
    for _ in range(TIMES):
        heard.append(trial.send(trial.messages.form()))
        if heard[-1].answer is None:
            return failed(f"referral {len(heard)} of {TIMES}: {heard[-1].told}")
    times = sorted(each.seconds for each in heard)
    most = times[math.ceil(0.9 * len(times)) - 1]
    seen = f"{TIMES} referrals: p90 {most:.2f} s, slowest {times[-1]:.2f} s"
    if times[-1] > trial.patience.answer.total_seconds():
        return failed(seen)
    return warned(seen) if most > trial.patience.usual.total_seconds() else passed(seen)


def _taken(heard: Heard) -> Finding:
    return passed(heard.told) if heard.is_taken else failed(heard.told)
