"""What a practice says about sharing: events on its agreements and its switches.

Values only. An event is never changed: what stands at an instant follows from all events.
`effective_at` is when it takes effect, `recorded_at` when it became known here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.referral.directory import Switch, SwitchValue, Terms
from gateway.referral.identifiers import AgreementId, OdsCode


class AgreementMove(StrEnum):
    """What can happen to an agreement."""

    PROPOSED = "proposed"
    SIGNED = "signed"
    WIDENED = "widened"
    RENEWED = "renewed"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"
    EXPIRED = "expired"


class Origin(StrEnum):
    """Who said so: the practice itself, a file of the directory, or the operator for it."""

    PRACTICE = "practice"
    IMPORT = "import"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementEvent:
    """One event on an agreement, with the whole terms as they are from then on.

    `seq` counts from 1 in the order of recording. `actor` is a client or a role; `reason` is
    the practice's own words.
    """

    practice: OdsCode
    agreement: AgreementId
    seq: int
    counterparty: OdsCode
    move: AgreementMove
    terms: Terms
    effective_at: datetime
    recorded_at: datetime
    actor: str
    origin: Origin
    reason: str | None = None
    document_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEvent:
    """One setting of a switch. `seq` counts from 1 for each switch of a practice."""

    practice: OdsCode
    switch: Switch
    seq: int
    value: SwitchValue
    effective_at: datetime
    recorded_at: datetime
    actor: str
    origin: Origin
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """As of when something is asked: in effect at `at`, as known at `known_at`.

    `known_at` None: as known now. `is_now`: `at` is the present of whoever asks; whatever was
    recorded to take effect at once is then in effect, though another machine's clock wrote it.
    """

    at: datetime
    known_at: datetime | None = None
    is_now: bool = False

    def sees(self, effective_at: datetime, recorded_at: datetime) -> bool:
        """Whether something so dated is known and in effect."""
        if self.known_at is not None and recorded_at > self.known_at:
            return False
        return effective_at <= self.at or (self.is_now and effective_at <= recorded_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """What the national data opt-out service said of a person, and when it said so."""

    opted_out: bool
    as_of: datetime

    def counts_at(self, at: datetime, age: timedelta) -> bool:
        """Whether it was said before an instant, and no longer before it than an age."""
        return timedelta() <= at - self.as_of <= age
