"""Reminders: what of a referral waits for somebody, dated, until somebody has seen to it.

Values only. No silence is without one: a provider that says nothing, a practice's system that
does not answer, a request to act that no person has acknowledged.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.referral.identifiers import ReferralId, ReminderId


class Owner(StrEnum):
    """Who is to act."""

    PRACTICE = "practice"
    PROVIDER = "provider"
    OPERATOR = "operator"
    IG_OFFICER = "ig-officer"


class ReminderCode(StrEnum):
    """What waits."""

    PROVIDER_SILENT = "PROVIDER_SILENT"
    """It has the referral and has said nothing since."""
    INFORMATION_WANTED = "INFORMATION_WANTED"
    """The provider asked the practice something."""
    QUESTIONS_UNANSWERED = "QUESTIONS_UNANSWERED"
    """It closed the referral, and questions of it have no answer by name."""
    ACTION_ASKED = "ACTION_ASKED"
    """The practice is asked to do something; no person has acknowledged it."""
    OUTCOME_HELD = "OUTCOME_HELD"
    """A person decides what becomes of an outcome."""
    LETTER_NOT_BROUGHT = "LETTER_NOT_BROUGHT"
    """A document could not be brought: another way is to be found."""
    LETTER_UNANSWERED = "LETTER_UNANSWERED"
    """The practice's system has not said that it has a document."""
    LETTER_CAME_BACK = "LETTER_CAME_BACK"
    """The practice's system, or MESH, gave a document back."""
    BY_HAND = "BY_HAND"
    """There is no electronic way: a person brings it, or the practice reads it here."""
    PROVIDER_NOT_TOLD = "PROVIDER_NOT_TOLD"
    """Its outcome goes back to it, and no answer goes by the way that it came: somebody calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """Something that waits. `about` is the id of the delivery or outcome that it is about."""

    id: ReminderId
    referral: ReferralId
    about: str
    code: ReminderCode
    owner: Owner
    opened_at: datetime
    due: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    resolution: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.closed_at is None
