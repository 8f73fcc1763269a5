"""Notices of a practice to its ICB: what they tell of, and their own life.

Values only. A notice tells of a change and is no part of it: what stopped has stopped, whether
or not the notice was sent or acknowledged. Source: the sharing rules, section 6.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.referral.directory import AgreementKind, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode


class NoticeKind(StrEnum):
    """What a notice tells the ICB."""

    WITHDRAW_SECONDARY = "withdraw-secondary"
    FREEZE_NEW = "freeze-new"
    WRITE_SWITCH = "write-switch"
    REINSTATE = "reinstate"
    SHARED_CARE = "shared-care"


class NoticeState(StrEnum):
    """Where a notice stands. Reinstated: what it told of no longer stands."""

    DRAFTED = "drafted"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REINSTATED = "reinstated"


class AgreementAct(StrEnum):
    """What a notice tells of an agreement."""

    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    REINSTATED = "reinstated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Somebody whom a letter names."""

    ods: OdsCode
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTold:
    """One agreement as a letter tells of it. STOPPED: by a switch; the agreement itself stands."""

    id: AgreementId
    version: int | None
    act: AgreementAct
    name: str
    kind: AgreementKind
    counterparty: Organisation
    processor: str | None
    purposes: tuple[str, ...]
    gdpr_basis: str | None
    confidentiality_basis: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchTold:
    """One switch as a letter tells of it."""

    switch: Switch
    value: SwitchValue


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """All that a letter says, so that the same letter can be written again.

    `commissioner` None: the directory names none, and the letter has a blank. `template`
    numbers the wording. `replies_to` are the notices whose matter ends with this one.
    """

    template: int
    id: NoticeId
    kind: NoticeKind
    practice: Organisation
    commissioner: Organisation | None
    written_on: date
    effective_at: datetime
    reply_by: date
    agreements: tuple[AgreementTold, ...]
    switches: tuple[SwitchTold, ...]
    replies_to: tuple[NoticeId, ...] = ()

    def tells_of(self, agreements: frozenset[AgreementId], switches: frozenset[Switch]) -> bool:
        """Whether it told that one of these agreements or switches restricts sharing."""
        if self.kind is NoticeKind.REINSTATE:
            return False
        stopped = {each.id for each in self.agreements if each.act is not AgreementAct.STOPPED}
        return bool(stopped & agreements or {s.switch for s in self.switches} & switches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. `version` counts its moves; `letter_sha256` is of the letter's bytes."""

    id: NoticeId
    practice: OdsCode
    state: NoticeState
    about: About
    letter_sha256: str
    created_at: datetime
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    reinstated_at: datetime | None = None
    version: int = 1
