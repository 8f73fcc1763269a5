"""Outcomes: what a provider says became of a referral, and what it may say next.

Values only. A provider's word changes nothing of where the referral is with this gateway; it is
another line of the same story, which the practice sees. What follows what is one table. Source:
the states that a GP sees; ITK3 response codes 30005 to 30018; BaRS, servicerequest-response.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import IllegalMoveError


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
