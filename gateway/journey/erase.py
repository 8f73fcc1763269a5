"""Erase a person at one practice, for good; the ledger goes on proving what happened.

What enters: a handle, and under what authority. What leaves: how many rows went, with an entry
that says so in the same transaction. Details of the person's entries are unreadable from then
on, and what their leaves commit to cannot be guessed; entries, hashes and proofs stay byte for
byte. Must never: erase while a referral of theirs is on its way, or touch the same patient at
another practice. Source: the sharing rules, section 9, erasure v immutability.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import IllegalMoveError, NotFoundError
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import SubjectErased
from gateway.referral.identifiers import Handle, NhsNumber, OdsCode
from gateway.referral.lifecycle import ReferralState
from gateway.store import erasing, persons
from gateway.store.engine import Transaction
from gateway.store.erasing import Blocking, OnDisk, Rows

ACTOR = "operator"

_HOW_TO_END = {
    ReferralState.QUEUED: "wait until it has arrived, or let its sender take it back",
    ReferralState.IN_FLIGHT: "wait until its attempt has ended",
    ReferralState.RECALLING: "wait until its provider has been told to stop",
    ReferralState.HELD: "let its sender take it back, or mend the cause and `gateway replay` it",
}


class Authority(StrEnum):
    """Under what a person is erased."""

    DATA_SUBJECT_REQUEST = "data-subject-request"
    RETENTION = "retention"
    COURT_ORDER = "court-order"
    ENTERED_IN_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure takes, or took: rows by table; and which referrals stand against it.

    `on_disk` is set once it was done.
    """

    subject: Handle
    practice: OdsCode
    rows: tuple[Rows, ...]
    blocking: tuple[Blocking, ...]
    on_disk: OnDisk | None = None

    @property
    def size(self) -> int:
        """How many rows, in all."""
        return sum(each.rows for each in self.rows)


def look_at_erasure(gateway: Gateway, handle: Handle) -> Erasure:
    """Count what an erasure would take; change nothing.

    Raises:
        NotFoundError: the handle leads nowhere.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        practice = _known(erasing.practice_of(view, handle))
        return Erasure(
            subject=handle,
            practice=practice,
            rows=tuple(erasing.count(view, practice, handle)),
            blocking=tuple(erasing.blocking(view, practice, handle)),
        )


def erase_subject(
    gateway: Gateway, handle: Handle, *, authority: Authority, actor: str = ACTOR
) -> Erasure:
    """Erase a person at one practice.

    --- one transaction ---
    1. Let nobody add anything to the person, or move a referral of theirs.
    2. Refuse while a referral is on its way, held, or being recalled, or a withdrawal that may
       cover one is not acknowledged.
    3. Delete the keys, the handle, and every row that is about them; record that it was done.
    --- end ---
    4. Take the deleted bytes out of SQLite's files.

    Raises:
        NotFoundError: the handle leads nowhere; it may have been erased before.
        IllegalMoveError: referrals are not over; the text names them, and how to end each.
        StoreUnavailableError: nothing was erased; it may be tried again.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        practice = _known(erasing.practice_of(tx, handle, hold_still=True))
        found = erasing.blocking(tx, practice, handle, hold_still=True)
        if found:
            raise IllegalMoveError(refusal_of(found))
        if erasing.is_being_withdrawn(tx, practice, handle):
            msg = (
                "a withdrawal that may cover referrals of this person is being carried through, and"
                " nothing was erased: wait until `gateway withdrawal list` says that it is acknowledged"
            )
            raise IllegalMoveError(msg)
        rows = tuple(erasing.erase(tx, practice, handle))
        size = sum(each.rows for each in rows)
        tx.record(_erased(practice, handle, authority=authority, actor=actor, size=size))
    return Erasure(
        subject=handle,
        practice=practice,
        rows=rows,
        blocking=(),
        on_disk=erasing.flush(gateway.store),
    )


def erase_keys(tx: Transaction, handle: Handle) -> bool:
    """Erase a person of whom nothing but keys is kept, their time being over; tell whether so."""
    practice = erasing.practice_of(tx, handle, hold_still=True)
    if practice is None or not erasing.has_nothing_kept(tx, practice, handle):
        return False
    size = erasing.erase_keys(tx, handle)
    tx.record(_erased(practice, handle, authority=Authority.RETENTION, actor=ACTOR, size=size))
    return True


def _erased(
    practice: OdsCode, handle: Handle, *, authority: Authority, actor: str, size: int
) -> SubjectErased:
    return SubjectErased(
        actor=actor, practice=practice, subject=handle, authority=authority.value, size=size
    )


def refusal_of(blocking: list[Blocking] | tuple[Blocking, ...]) -> str:
    """Say why a person cannot be erased yet, and how to end each referral that is not over."""
    lines = [
        f"{each.reference} is {each.state}: {_HOW_TO_END.get(each.state, 'wait for its worker')}"
        for each in blocking
    ]
    return "\n  ".join(["referrals of this person are not over, and nothing was erased:", *lines])


def find_subject(gateway: Gateway, practice: OdsCode, number: NhsNumber) -> Handle:
    """Find a practice's patient by NHS number.

    Raises:
        NotFoundError: the practice has no such patient here.
    """
    with gateway.store.reading() as view:
        found = persons.find_handle(view, practice, number)
    if found is None:
        msg = f"{practice} has no patient of this NHS number here; they may have been erased"
        raise NotFoundError(msg)
    return found


def _known(practice: OdsCode | None) -> OdsCode:
    if practice is None:
        msg = "no person here has this handle; they may have been erased before"
        raise NotFoundError(msg)
    return practice
