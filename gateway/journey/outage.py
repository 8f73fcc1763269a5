"""Notice when a destination stops answering, and when it answers again.

What enters: what came of an attempt. What leaves: the lane of its endpoint, left alone or taken
up again; and one alert at the start of an outage and one at its end, each with its entry,
whichever of all workers notices. A refusal is an answer. Source of the two alerts: what
operators of other engines ask.
"""

import logging
from dataclasses import replace

from gateway.errors import DeliveryError, Phase
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import OutageBegan, OutageEnded
from gateway.referral.identifiers import EndpointId
from gateway.store import lanes

ACTOR = "worker"
_log = logging.getLogger(__name__)


def answered(endpoint: EndpointId, gateway: Gateway) -> None:
    """Note that a destination answered: what waits for it may go."""
    with gateway.store.reading() as view:
        if lanes.find(view, endpoint).failures == 0:
            return
    with gateway.store.transaction(gateway.clock()) as tx:
        present = lanes.lock(tx, endpoint)
        # Outside an outage a lane waits only for its limits, or because it was asked to.
        next_at = present.next_at if present.opened_at is None else tx.at
        lanes.change(tx, replace(present, failures=0, next_at=next_at, opened_at=None))
        if present.opened_at is not None:
            tx.record(OutageEnded(actor=ACTOR, endpoint=endpoint, since=present.opened_at))
    if present.opened_at is not None:
        lasted = int((tx.at - present.opened_at).total_seconds())
        _log.warning("ALERT: destination %s answers again after %d s", endpoint, lasted)


def failed(endpoint: EndpointId, failure: DeliveryError, gateway: Gateway) -> None:
    """Note that a destination gave no answer, or asked to be left alone.

    Its own wish (Retry-After) counts for all that waits for it. After several failures in a
    row nothing is sent to it but one attempt now and then.
    """
    if failure.phase is Phase.PREPARE:
        return
    if failure.phase is Phase.REFUSED:
        answered(endpoint, gateway)
        return
    with gateway.store.transaction(gateway.clock()) as tx:
        present = lanes.lock(tx, endpoint)
        failures = present.failures + 1
        is_open = failures >= gateway.schedule.silences
        wish = failure.retry_after
        rest = gateway.schedule.rest(failures) if is_open else None
        waits = [tx.at + each for each in (wish, rest) if each is not None]
        changed = replace(
            present,
            failures=failures,
            next_at=max([present.next_at, *waits]),
            opened_at=present.opened_at or (tx.at if is_open else None),
        )
        lanes.change(tx, changed)
        has_begun = present.opened_at is None and changed.opened_at is not None
        if has_begun:
            tx.record(
                OutageBegan(actor=ACTOR, endpoint=endpoint, phase=failure.phase, failures=failures)
            )
    if has_begun:
        _log.error(
            "ALERT: destination %s does not answer (%s): %d attempts in a row; one attempt from"
            " time to time will find out when it does",
            endpoint,
            failure.phase,
            failures,
        )
