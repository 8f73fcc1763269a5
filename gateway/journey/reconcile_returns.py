"""The way back of one referral: what its rows say, and what the ledger says of it.

What enters: the outcomes, letters and reminders of a referral, with every entry that names it.
What leaves: each way in which they contradict each other. That each letter was queued, brought or
refused is looked at as for any delivery, in `reconcile_referral.py`.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.ledger.kinds import EntryKind
from gateway.store.bijection import Said
from gateway.store.bijection_outcomes import ReturnRows

_K = EntryKind


def return_faults(rows: ReturnRows, entries: Sequence[Said]) -> Iterator[str]:
    """Say where rows and entries of the way back contradict each other."""
    received = {
        said["artefact"]: (
            said["delivery"], said["recipient"], said["outcome"], said["door"], said.actor,
            said["payload_sha256"], said.at,
        )
        for said in entries
        if said.kind == _K.OUTCOME_RECEIVED
    }  # fmt: skip
    yield from _compared("outcome", rows.outcomes, received)
    queued = {
        said["delivery"]: (said["artefact"], said["decision"], said["row"])
        for said in entries
        if said.kind == _K.LETTER_QUEUED
    }
    yield from _compared("letter", rows.letters, queued)
    yield from _compared("reminder", rows.reminders, _reminders(entries))


def _reminders(entries: Sequence[Said]) -> Mapping[str, tuple[str | None, ...]]:
    """Follow each reminder: what opened it last, and what closed it since."""
    found: dict[str, tuple[str | None, ...]] = {}
    for said in entries:
        if said.kind == _K.REMINDER_OPENED:
            found[said["reminder"]] = (said["code"], said["owner"], said["due"], None)
        elif said.kind == _K.REMINDER_CLOSED and said["reminder"] in found:
            found[said["reminder"]] = (*found[said["reminder"]][:3], said["resolution"])
    return found


def _compared(
    what: str,
    rows: Mapping[str, tuple[str | int | None, ...]],
    entries: Mapping[str, tuple[str | int | None, ...]],
) -> Iterator[str]:
    for name in sorted(entries.keys() - rows.keys()):
        yield f"{what} {name} is in the ledger, and there is no row"
    for name in sorted(rows.keys() - entries.keys()):
        yield f"{what} {name} has a row, and the ledger does not know it"
    for name in sorted(rows.keys() & entries.keys()):
        if rows[name] != entries[name]:
            yield f"{what} {name} and its entry differ"
