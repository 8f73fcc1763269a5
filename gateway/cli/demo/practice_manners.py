"""How a simulated practice's system answers: the codes of ITK3, and which of them it says.

What enters: a word of MANNERS, or a code. What leaves: the codes that are answered, at most one
of the infrastructure and one of the practice. Source: ITK3 Response Codes, 2.10; GP Connect,
handling of rejections.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

UPDATE_RECORD: Final = "GPCONNECT_UPDATE_RECORD"
READ, KNOWN, NOT_KNOWN = "20013", "30001", "30002"
"""The system could read it; the person is, or is not, known there."""

ACCEPTS: Final = "accepts"
NEVER_COLLECTS: Final = "never-collects"
SWITCHED_OFF: Final = "switched-off"
MANNERS: Final[Mapping[str, tuple[str, ...]]] = {
    ACCEPTS: (READ, KNOWN),
    SWITCHED_OFF: (READ, KNOWN),  # documents; a coded write is answered with 20010
    "rejects-payload": ("20009",),
    "not-known": (READ, NOT_KNOWN),
    "silent": (),
    "infrastructure-only": (READ,),
    NEVER_COLLECTS: (),
}
_OFF: Final = ("20010",)

_NEGATIVE: Final = {
    "10001": "Handling Specification Error",
    "10002": "Infrastructure Level Response Value - Processing Error",
    "10003": "Business Level Response Value - Processing Error",
    "10004": "Message Definition Value - Processing Error",
    "10005": "Message Definition Version Value - Processing Error",
    "10007": "Sender Reference Value - Processing Error",
    "10008": "Handling Specification Business Rule Error",
    "10009": "Unreadable message received",
    "10010": "Recipient Type - Processing Error",
    "20001": "Unrecognised Recipient Person",
    "20002": "Unrecognised Recipient Organisation",
    "20003": "Unrecognised Sender",
    "20004": "Non-Approved file type received as an attachment",
    "20005": "Unsupported file type received as an attachment",
    "20006": "ITK3 Header validation failure",
    "20007": "Duplicate Message received",
    "20008": "Duplicate Document received",
    "20009": "Payload validation failure",
    "20010": "Unrecognised Payload Recipient Organisation",
    "20011": "Unrecognised Payload Recipient Person",
    "20012": "Unauthorised Sender",
    "20014": "Unable to Process Replacement Document",
    "20015": "Message too large",
    NOT_KNOWN: "Patient not known here",
    "30003": "Patient no longer at this clinical setting",
    "30007": "Referral escalated back to GP",
    "30012": "Unable to contact the patient",
    "30014": "Closure (service not accepted)",
    "30015": "Closure (duplicate referral)",
    "30017": "Referral rejected",
    "30018": "Did Not Attend",
}
_POSITIVE: Final = {
    READ: "Success",
    KNOWN: "Patient known here",
    "30004": "Patient known here and recently deceased",
    "30005": "Referral open",
    "30006": "Referral completed",
    "30008": "Signposting to GP (non-urgent)",
    "30009": "Clinical escalation to UTC/111/GPOOH",
    "30010": "Clinical escalation to A&E or 999",
    "30011": "Advised to go elsewhere/self-referral",
    "30013": "Closure (service not needed)",
    "30016": "Referral accepted",
}
DISPLAYS: Final[Mapping[str, str]] = {**_NEGATIVE, **_POSITIVE}
"""What each code says."""


def is_positive(code: str) -> bool:
    """Whether a code is told with `ok`; after any other nothing more is answered."""
    return code in _POSITIVE


@dataclass(frozen=True, slots=True)
class Manners:
    """How one practice's system behaves: a word of MANNERS, or a code that it always answers.

    Raises:
        ValueError: it is neither.
    """

    word: str = ACCEPTS

    def __post_init__(self) -> None:
        if self.word not in MANNERS and self.word not in DISPLAYS:
            words = ", ".join(MANNERS)
            msg = f"a manner is one of {words}, or a response code of ITK3"
            raise ValueError(msg)

    @property
    def collects(self) -> bool:
        """Whether anything is taken out of the mailbox."""
        return self.word != NEVER_COLLECTS

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked for, so that the system's own verdict on a message counts."""
        return self.word in (ACCEPTS, SWITCHED_OFF)

    def answers_to(self, workflow: str) -> tuple[str, ...]:
        """Return the codes that are answered to a good message of a workflow, in order."""
        if self.word == SWITCHED_OFF and workflow == UPDATE_RECORD:
            return _OFF
        if self.word in MANNERS:
            return MANNERS[self.word]
        return (READ, self.word) if self.word.startswith("3") else (self.word,)
