"""Withdrawals as the store has them, with all that they cover: without saying that one looked."""

from gateway.journey.gateway import Gateway
from gateway.referral.identifiers import WithdrawalId
from gateway.referral.withdrawals import Acknowledged
from gateway.store import withdrawals


def find(gateway: Gateway, wanted: WithdrawalId) -> Acknowledged:
    """Read one withdrawal and what became of all that it covers."""
    with gateway.store.reading(as_one_moment=True) as view:
        of = withdrawals.get(view, wanted)
        return Acknowledged(withdrawal=of, covered=withdrawals.covered_by(view, wanted))


def newest(gateway: Gateway, *, limit: int) -> list[Acknowledged]:
    """List withdrawals with what they cover, the newest first."""
    with gateway.store.reading(as_one_moment=True) as view:
        found = withdrawals.newest(view, practice=None, limit=limit)
    return [find(gateway, each.id) for each in found]
