"""Copies of reports as they are kept: each with whose it is, where it may go, and what was done.

Values only. The text of a copy, the person's statement and the clinician whom they named stand
sealed beside these. Source: `report.py`, which says how a copy moves.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.referral.identifiers import (
    DecisionId,
    DeliveryId,
    OdsCode,
    OutcomeId,
    ReferralId,
    ReportId,
)
from gateway.referral.report import GpRoute, Recipient, ReportCopy

IN_FULL = frozenset({Recipient.GP, Recipient.HEALTH_AND_WORK, Recipient.PERSON})
"""Who may have the report as it was written; all others have what the dataset names."""


class ReportAct(StrEnum):
    """What is done with a copy."""

    CREATE = "create"
    REVIEW = "review"
    OFFER = "offer"
    SHOW = "show"
    ANSWER = "answer"
    ROUTE = "route"
    REWRITE = "rewrite"
    RELEASE = "release"
    WITHHOLD = "withhold"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiledCopy:
    """A copy with its place: of which outcome it is, and to whom it would go.

    `organisation` is the recipient's; the person's own copy goes by way of the provider.
    `text_sha256` is of the text as it stands. `is_complete`: nothing is missing that the dataset
    for an employer asks for. `route` is the person's choice for their GP; None: they made none.
    `decision` is the one by which it left, or was last refused.
    """

    id: ReportId
    referral: ReferralId
    outcome: OutcomeId
    delivery: DeliveryId
    provider: OdsCode
    organisation: OdsCode
    copy: ReportCopy
    text_sha256: str
    is_complete: bool
    created_at: datetime
    route: GpRoute | None = None
    decision: DecisionId | None = None

    @property
    def recipient(self) -> Recipient:
        """Who is to have it."""
        return self.copy.recipient

    @property
    def is_in_full(self) -> bool:
        """Whether its text is the report as it was written."""
        return self.recipient in IN_FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsWords:
    """What the person said in words: their statement, and which clinician is to read it."""

    statement: str | None = field(default=None, repr=False)
    clinician: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEvent:
    """Something that was done with a copy, in order from 1. `code`: the answer, or why not."""

    seq: int
    act: ReportAct
    version: int
    at: datetime
    by: str
    code: str | None = None
