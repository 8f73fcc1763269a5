"""A ruling of the write guard: a value that cannot say two things at once.

Values only. A ruling that names Update Record is row 4's, and keeps no codes back; one that
sends nothing names no route. Source: gateway/writeback/guard.py, whose rows make them.
"""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What is done. DOWNGRADE: sent as a document in place of codes."""

    ALLOW = "allow"
    DOWNGRADE = "downgrade"
    BLOCK = "block"
    HOLD = "hold"
    REJECT = "reject"


class Route(StrEnum):
    """How it goes. FALLBACK: secure mail, a letter, or the practice's own endpoint."""

    UPDATE_RECORD = "update-record"
    SEND_DOCUMENT = "send-document"
    FALLBACK = "fallback"
    NONE = "none"


class RecipientType(StrEnum):
    """For action or for information. Source: ITK-RecipientType-1."""

    FA = "FA"
    FI = "FI"


class SpineCode(StrEnum):
    """What a GP system reads. Source: Spine-ErrorOrWarningCode."""

    NO_PATIENT_CONSENT = "NO_PATIENT_CONSENT"
    NO_ORGANISATION_CONSENT = "NO_ORGANISATION_CONSENT"
    ACCESS_DENIED = "ACCESS_DENIED"
    PATIENT_NOT_FOUND = "PATIENT_NOT_FOUND"


class WhyKept(StrEnum):
    """Why the coded original stays in this gateway, and is not written."""

    SWITCHED_OFF = "switched-off"
    SWITCH_UNKNOWN = "switch-unknown"
    NOT_APPROVED = "not-approved"
    RULED_OUT = "ruled-out"
    TEXT_ONLY = "text-only"


_SENDS = frozenset({Effect.ALLOW, Effect.DOWNGRADE})
WRITES_CODES = 4
"""The only row by which codes of a third party pass."""
_OWN_RECORD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the guard says of one proposal.

    `row` is the table's row; `then`, where a document takes the place of codes, the row that
    ruled on that document. `keeps_coded`: why the coded original stays here. `needs_person`:
    somebody must see to it, beside or instead of the machine. `code` and `text_inside` are for
    staff; `text_outside`, `spine_code` and `status` (HTTP) are all that the sender learns.

    Raises:
        ValueError: its parts contradict each other.
    """

    row: int
    effect: Effect
    code: str
    text_inside: str
    text_outside: str
    then: int | None = None
    route: Route = Route.NONE
    recipient_type: RecipientType | None = None
    keeps_coded: WhyKept | None = None
    needs_person: bool = False
    spine_code: SpineCode | None = None
    status: int = 202

    def __post_init__(self) -> None:
        sends = self.effect in _SENDS and self.row != _OWN_RECORD
        if sends != (self.route is not Route.NONE):
            raise ValueError("what is sent has a route, and nothing else has one")
        if sends != (self.recipient_type is not None):
            raise ValueError("what is sent is for action or for information")
        if (self.effect is Effect.DOWNGRADE) and self.keeps_coded is None:
            raise ValueError("a document in place of codes says why the codes stay here")
        if (self.route is Route.UPDATE_RECORD) != (self.row == WRITES_CODES):
            raise ValueError("row 4 alone writes codes, and does nothing else")

    @property
    def is_sent(self) -> bool:
        """Whether something goes to the practice by a route of this gateway."""
        return self.route is not Route.NONE
