"""Outcomes: what a provider says became of a referral, and what it may say next.

Values only. A provider's word changes nothing of where the referral is with this gateway; it is
another line of the same story, which the practice sees. What follows what is one table. Source:
the states that a GP sees; ITK3 response codes 30005 to 30018; BaRS, servicerequest-response.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import IllegalMoveError
from gateway.referral.identifiers import (
    ClientId,
    DeliveryId,
    OdsCode,
    OutcomeId,
    ReferralId,
)


class OutcomeKind(StrEnum):
    """What a provider says. REPORT: it sends what it found; CLOSED: it will say no more."""

    ACCEPTED = "accepted"
    BOOKED = "booked"
    MORE_INFORMATION = "more-information"
    COULD_NOT_CONTACT = "could-not-contact"
    DID_NOT_ATTEND = "did-not-attend"
    REJECTED = "rejected"
    REPORT = "report"
    CLOSED = "closed"


K = OutcomeKind
_GOES_ON = frozenset(
    {K.BOOKED, K.MORE_INFORMATION, K.COULD_NOT_CONTACT, K.DID_NOT_ATTEND, K.REPORT, K.CLOSED}
)

MOVES: Mapping[OutcomeKind | None, frozenset[OutcomeKind]] = {
    None: _GOES_ON | {K.ACCEPTED, K.REJECTED},
    K.ACCEPTED: _GOES_ON | {K.REJECTED},
    K.BOOKED: _GOES_ON | {K.REJECTED},
    K.MORE_INFORMATION: _GOES_ON | {K.ACCEPTED, K.REJECTED},
    K.COULD_NOT_CONTACT: _GOES_ON | {K.ACCEPTED, K.REJECTED},
    K.DID_NOT_ATTEND: _GOES_ON | {K.REJECTED},
    K.REPORT: _GOES_ON,
    K.REJECTED: frozenset(),
    K.CLOSED: frozenset({K.REPORT}),
}
"""What a provider may say after what it said last; None: it has said nothing. A report that
comes late, or that takes the place of an earlier one, is taken after the closing too: to lose it
would be worse."""


def move_outcome(last: OutcomeKind | None, wanted: OutcomeKind) -> OutcomeKind:
    """Return `wanted` where it may follow.

    Raises:
        IllegalMoveError: it may not; the text lists what may.
    """
    if wanted not in MOVES[last]:
        legal = ", ".join(sorted(MOVES[last])) or "nothing"
        msg = f"after {last or 'nothing'}, a provider cannot say {wanted}: it can say {legal}"
        raise IllegalMoveError(msg)
    return wanted


class Standing(StrEnum):
    """Where an outcome stands with this gateway. Exactly one holds."""

    NOTED = "noted"
    """It is a state and nothing else: the practice sees it on the referral."""
    SENT_ON = "sent-on"
    """What it holds goes to the practice by a letter."""
    HELD = "held"
    """A person decides what becomes of it."""
    KEPT = "kept"
    """It may not go to the practice: nothing of it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a provider said of a delivery, as it is kept; its bytes stand sealed beside it.

    `seq` counts the outcomes of a referral from 1. `reason` is a code of the list
    `reason_system`, where that is one that is known here. `closes`: it will say no more. `payload`
    is what it holds for a record, None: nothing; `row`, `code` and `kept` are the write guard's
    words of that. `asked` and `answered` count the referral's questions. `replaces`: the outcome
    whose document its own takes the place of.
    """

    id: OutcomeId
    referral: ReferralId
    seq: int
    delivery: DeliveryId
    provider: OdsCode
    kind: OutcomeKind
    closes: bool
    reason_system: str | None
    reason: str | None
    door: str
    client: ClientId
    body_sha256: str
    said_at: datetime | None
    received_at: datetime
    standing: Standing
    payload: str | None = None
    row: int | None = None
    code: str | None = None
    kept: str | None = None
    asked: int = 0
    answered: int = 0
    replaces: OutcomeId | None = None

    @property
    def last_said(self) -> OutcomeKind:
        """What counts for the next move: a report that ends the referral closes it too."""
        is_rejected = self.kind is OutcomeKind.REJECTED
        return OutcomeKind.CLOSED if self.closes and not is_rejected else self.kind
