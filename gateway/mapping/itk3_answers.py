"""What a practice's system answered to a document, and what that means for us.

What enters: the bytes of an ITK3 answer, or the status code of a MESH report. What leaves: a code
and its meaning, from one table. Must never: say more than the code does. Nothing on the wire says
that a document is in the record: a practice may still turn it down, and tells nobody. Source:
ITK3 Response Codes, 2.10; GP Connect, handling of rejections; MESH API, error codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.mapping.mesh import plain_code, read_response


class AnswerLevel(StrEnum):
    """Who answers: a system that read the message, or one that knows the person."""

    INFRASTRUCTURE = "infrastructure"
    BUSINESS = "business"


class Meaning(StrEnum):
    """What an answer or report means for the delivery that it answers."""

    TAKEN = "taken"
    """The practice's system could read it. Nobody there has seen it."""
    IN_WORKFLOW = "in-workflow"
    """The person is known there: it waits for somebody at the practice."""
    REFERRAL_STATE = "referral-state"
    """It tells of a referral, not of the document: 30005 to 30018."""
    LEARNED_OFF = "learned-off"
    """What was sent is off or unknown there. Never again that way; the document goes another."""
    RETRACE = "retrace"
    """Number, birth date or name lead nowhere, or to another practice: trace the person again."""
    NOT_COLLECTED = "not-collected"
    """It stood in the mailbox for five days: an appropriate person is told."""
    ALREADY_THERE = "already-there"
    """An earlier attempt came through; its own answers count. It is not sent again."""
    TOO_LARGE = "too-large"
    """Another way, or fewer pages. It is not sent again as it stands."""
    REPLACEMENT_REFUSED = "replacement-refused"
    """The version before stands there still: a person tells the practice which one counts."""
    PERSON = "person"
    """Anything else: not sent again by itself; a person looks."""


_M = Meaning

MEANINGS: Final[Mapping[str, Meaning]] = {
    "20007": _M.ALREADY_THERE,
    "20008": _M.ALREADY_THERE,
    "20009": _M.PERSON,
    "20010": _M.LEARNED_OFF,
    "20013": _M.TAKEN,
    "20014": _M.REPLACEMENT_REFUSED,
    "20015": _M.TOO_LARGE,
    "30001": _M.IN_WORKFLOW,
    "30002": _M.RETRACE,
    "30003": _M.RETRACE,
    "30004": _M.IN_WORKFLOW,
    **{str(code): _M.REFERRAL_STATE for code in range(30005, 30019)},
}
"""By the code of an ITK3 answer. What is not here is for a person."""

REPORT_MEANINGS: Final[Mapping[str, Meaning]] = {
    "12": _M.RETRACE,
    "14": _M.NOT_COLLECTED,
    "17": _M.LEARNED_OFF,
    **{f"EPL-{code}": _M.RETRACE for code in range(150, 155)},
}
"""By the status code of a MESH report. What is not here is for a person."""

_POSITIVE: Final = frozenset(
    f"{code}" for code in (20013, 30001, 30004, 30005, 30006, 30008, 30009, 30010, 30011, 30013, 30016)
)  # fmt: skip
"""The codes that come with `ok`."""

_LEVELS: Final = {
    "1": AnswerLevel.INFRASTRUCTURE,
    "2": AnswerLevel.INFRASTRUCTURE,
    "3": AnswerLevel.BUSINESS,
}
_DIGITS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeAnswer:
    """What was answered. `about`: the delivery's id. `level`: None where no ITK3 code is given."""

    about: str
    level: AnswerLevel | None
    code: str
    is_positive: bool
    meaning: Meaning


def read_answer(body: bytes) -> PracticeAnswer:
    """Read an ITK3 answer to a document.

    An answer whose code and whose `ok` disagree is positive for nobody: a person looks.

    Raises:
        InvalidMessageError: it is not such an answer, or not one that is read here.
    """
    response = read_response(body)
    level = _LEVELS.get(response.code[0]) if _is_itk3(response.code) else None
    agrees = response.is_positive == (response.code in _POSITIVE)
    return PracticeAnswer(
        about=response.about,
        level=level,
        code=response.code,
        is_positive=response.is_positive and agrees,
        meaning=MEANINGS.get(response.code, Meaning.PERSON) if agrees else Meaning.PERSON,
    )


def read_report(status: str | None) -> tuple[str, Meaning]:
    """Read the status code of a MESH report: a code that can be shown, and its meaning."""
    code = plain_code(status)
    return code, REPORT_MEANINGS.get(code, Meaning.PERSON)


def _is_itk3(code: str) -> bool:
    return len(code) == _DIGITS and code.isascii() and code.isdigit()
