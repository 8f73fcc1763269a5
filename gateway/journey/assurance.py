"""Write down that the directory says something else of a provider's assurance or role.

What enters: an open transaction, and a provider as it was before and as it is. What leaves: its
gate raised, so that every release to it comes before the change or sees it; and an entry. Where
its assurance was taken back, what waits for it is stopped: see `withdraw`.
Source: the sharing rules, section 10.
"""

from collections.abc import Iterator, Mapping

from gateway.journey.gateway import Gateway
from gateway.journey.withdraw import Concerns, begin
from gateway.ledger.entry import AssuranceChanged
from gateway.ledger.kinds import Source
from gateway.referral.directory import Provider
from gateway.referral.identifiers import OdsCode
from gateway.referral.withdrawals import Cause
from gateway.store import gates
from gateway.store.engine import Transaction


def change_assurance(
    tx: Transaction,
    gateway: Gateway,
    before: Provider | None,
    now: Provider | None,
    *,
    actor: str,
) -> None:
    """Note what a directory file changed of a provider; None: it is not in the directory.

    Nothing is noted where neither its assurance nor its role changed, nor of a provider that was
    never there: nothing could be released to it.
    """
    known = before or now
    if known is None or _is_same(before, now):
        return
    if before is None and not gates.epochs(tx, recipient=known.ods).recipient:
        return
    tx.record(
        AssuranceChanged(
            actor=actor,
            epochs=gates.change(tx, recipient=known.ods),
            recipient=known.ods,
            assured_until=now.assured_until if now else None,
            source=Source.IMPORT,
        )
    )
    if _is_less(before, now):
        begin(
            tx,
            gateway,
            cause=Cause.ASSURANCE,
            about=known.ods,
            actor=actor,
            recorded_at=tx.at,
            concerns=Concerns(recipient=known.ods),
        )


def shortened(
    before: Mapping[OdsCode, Provider], then: Mapping[OdsCode, Provider]
) -> Iterator[str]:
    """Say of which providers a directory file shortens the assurance, and what comes of that."""
    for ods in sorted(before):
        if _is_less(before[ods], then.get(ods)):
            yield (
                f"provider {ods}: its assurance is shortened; if it is over by now, what waits for"
                " it is closed for good, and what was delivered to it is recalled"
            )


def _is_less(before: Provider | None, now: Provider | None) -> bool:
    """Whether a provider is assured for a shorter time than it was."""
    until = before.assured_until if before else None
    if until is None:
        return False
    return now is None or now.assured_until is None or now.assured_until < until


def _is_same(before: Provider | None, now: Provider | None) -> bool:
    if before is None or now is None:
        return before is now
    return (before.assured_until, before.role) == (now.assured_until, now.role)
