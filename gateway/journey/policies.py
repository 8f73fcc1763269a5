"""Put the rules of this version in force, on record; find those that were in force at a date.

What enters: the live gateway, as it starts. What leaves: an entry where the rules differ from
those before, and the text of the rules, so that what was decided can be decided again by them.
"""

from datetime import datetime

from gateway.consent.decide import Policy
from gateway.consent.draft import policy_text, read_policy
from gateway.errors import MovedMeanwhileError, NotFoundError
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import PolicyChanged
from gateway.store import policies
from gateway.store.policies import RulesInForce

ACTOR = "operator"


def put_in_force(gateway: Gateway) -> bool:
    """Record the rules that this process decides by, unless they were in force already.

    Returns: whether they are new.
    """
    try:
        return _put(gateway)
    except MovedMeanwhileError:
        return _put(gateway)  # most likely another process has put the same in force


def _put(gateway: Gateway) -> bool:
    version = gateway.policy.version
    with gateway.store.transaction(gateway.clock()) as tx:
        before = policies.newest(tx)
        if before is not None and before.version == version:
            return False
        seq = before.seq + 1 if before else 1
        policies.add(tx, RulesInForce(seq=seq, version=version, text=policy_text(), since=tx.at))
        old = before.version if before else None
        tx.record(PolicyChanged(actor=ACTOR, old_sha256=old, new_sha256=version))
    return True


def policy_at(gateway: Gateway, instant: datetime) -> Policy:
    """Return the rules that were in force at an instant, with the words of this version.

    Raises:
        NotFoundError: this gateway had not started by then.
    """
    with gateway.store.reading() as view:
        found = policies.at(view, instant)
    if found is None:
        msg = "no rules were in force here by then: ask by those of now"
        raise NotFoundError(msg)
    if found.version == gateway.policy.version:
        return gateway.policy
    return read_policy(found.text)
