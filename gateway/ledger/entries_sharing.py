"""What the ledger says of who may share what: consents, agreements, switches, notices.

What enters and leaves, and what may never stand here: `entry.py`. A line on a consent, an
agreement or a switch says from when it counts (`effective_at`); the time of the entry itself
is when the gateway learned it.
Source: the sharing rules, sections 6, 8 and 10.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from gateway.ledger.kinds import (
    AgreementChange,
    AgreementKind,
    EntryKind,
    NoticeKind,
    Source,
    Switch,
    SwitchValue,
    WithdrawalCause,
)
from gateway.ledger.line import Line, OnHouse
from gateway.ledger.values import (
    Code,
    Count,
    Day,
    Handle,
    Instant,
    Name,
    Ods,
    Sha256,
    Uuid,
    one_of,
)

WhichAgreement = Annotated[AgreementKind, one_of(AgreementKind)]
WhichCause = Annotated[WithdrawalCause, one_of(WithdrawalCause)]
WhichChange = Annotated[AgreementChange, one_of(AgreementChange)]
WhichNotice = Annotated[NoticeKind, one_of(NoticeKind)]
WhichSource = Annotated[Source, one_of(Source)]
WhichSwitch = Annotated[Switch, one_of(Switch)]
WhichValue = Annotated[SwitchValue, one_of(SwitchValue)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnConsent(Line):
    """A line on one version of one consent of one person at one practice.

    What the consent says stands nowhere here: `consent` and `version` find it.
    """

    practice: Ods
    subject: Handle
    consent: Uuid
    version: Count
    effective_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecorded(OnConsent):
    """A consent that the register did not have was taken in."""

    kind = EntryKind.CONSENT_RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSuperseded(OnConsent):
    """A new version of a consent counts; it neither withdraws it nor calls it an error."""

    kind = EntryKind.CONSENT_SUPERSEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn(OnConsent):
    """The person took the consent back."""

    kind = EntryKind.CONSENT_WITHDRAWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentEnteredInError(OnConsent):
    """The consent was recorded in error: it never counted."""

    kind = EntryKind.CONSENT_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAgreement(Line):
    """A line on an agreement between a practice and `recipient`, its counterparty.

    `version` is the number of the event in the agreement's own list.
    """

    subject: ClassVar[None] = None
    practice: Ods
    agreement: Name
    recipient: Ods
    version: Count
    agreement_kind: WhichAgreement
    effective_at: Instant
    source: WhichSource


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEvent(OnAgreement):
    """An event that stands in the agreement's list; the hash is of its document, if it has one."""

    document_sha256: Sha256 | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementProposed(OnEvent):
    """An agreement was proposed; nothing may be shared under it yet."""

    kind = EntryKind.AGREEMENT_PROPOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned(OnEvent):
    """The practice signed an agreement."""

    kind = EntryKind.AGREEMENT_SIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementWidened(OnEvent):
    """An agreement covers more than before."""

    kind = EntryKind.AGREEMENT_WIDENED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRenewed(OnEvent):
    """An agreement lasts longer than before."""

    kind = EntryKind.AGREEMENT_RENEWED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSuspended(OnEvent):
    """Nothing may be shared under an agreement until it is reinstated."""

    kind = EntryKind.AGREEMENT_SUSPENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementWithdrawn(OnEvent):
    """The practice withdrew from an agreement."""

    kind = EntryKind.AGREEMENT_WITHDRAWN


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReinstated(OnEvent):
    """An agreement that was suspended or withdrawn counts again."""

    kind = EntryKind.AGREEMENT_REINSTATED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementExpired(OnEvent):
    """An agreement reached its end."""

    kind = EntryKind.AGREEMENT_EXPIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRefused(OnAgreement):
    """A change of an agreement was refused by a rule, and nothing of it counts.

    `version` is the number that the event would have had.
    """

    kind = EntryKind.AGREEMENT_REFUSED
    change: WhichChange
    rule: Code
    code: Code
    policy: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchChanged(Line):
    """A practice's switch stands elsewhere; `version` is the number of the event on it."""

    kind = EntryKind.SWITCH_CHANGED
    subject: ClassVar[None] = None
    practice: Ods
    switch: WhichSwitch
    value: WhichValue
    version: Count
    effective_at: Instant
    source: WhichSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AssuranceChanged(OnHouse):
    """The directory says something else of a provider's assurance or role, at once.

    `assured_until` is its last day of assurance; None: not known, or the provider is gone.
    """

    kind = EntryKind.ASSURANCE_CHANGED
    recipient: Ods
    assured_until: Day | None
    source: WhichSource


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalAcknowledged(Line):
    """Nothing that a withdrawal covers leaves from here on; the counts are of what it covers.

    `about` is the id of the consent, agreement, switch or provider that was withdrawn, of which
    `practice`, `subject` and `recipient` say whom it concerns: at least one. `stopped` had not
    left, whether closed or held for a person; of `unknown` nobody knows whether they arrived.
    """

    kind = EntryKind.WITHDRAWAL_ACKNOWLEDGED
    practice: Ods | None
    subject: Handle | None
    recipient: Ods | None
    withdrawal: Uuid
    cause: WhichCause
    about: Name
    withdrawn_at: Instant
    stopped: Count
    delivered: Count
    unknown: Count

    def _check_together(self) -> None:
        if self.practice is self.subject is self.recipient is None:
            message = "withdrawal.acknowledged: names no practice, subject or recipient"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnNotice(Line):
    """A line on one notice of a practice to its ICB; `recipient` is None where none is known.

    A notice tells of a change and is no part of it: what stopped has stopped, whether or
    not the notice was sent or acknowledged.
    """

    subject: ClassVar[None] = None
    practice: Ods
    notice: Uuid
    recipient: Ods | None
    notice_kind: WhichNotice
    letter_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbNoticeDrafted(OnNotice):
    """The letter was written, and waits to be sent."""

    kind = EntryKind.ICB_NOTICE_DRAFTED


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbNoticeSent(OnNotice):
    """Somebody says that the letter was sent."""

    kind = EntryKind.ICB_NOTICE_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbNoticeAcknowledged(OnNotice):
    """The ICB said that it has the letter."""

    kind = EntryKind.ICB_NOTICE_ACKNOWLEDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbNoticeReinstated(OnNotice):
    """What the notice told of no longer stands: the practice shares again."""

    kind = EntryKind.ICB_NOTICE_REINSTATED


ConsentEntry: TypeAlias = (
    ConsentRecorded | ConsentSuperseded | ConsentWithdrawn | ConsentEnteredInError
)
AgreementEntry: TypeAlias = (
    AgreementProposed
    | AgreementSigned
    | AgreementWidened
    | AgreementRenewed
    | AgreementSuspended
    | AgreementWithdrawn
    | AgreementReinstated
    | AgreementExpired
    | AgreementRefused
)
NoticeEntry: TypeAlias = (
    IcbNoticeDrafted | IcbNoticeSent | IcbNoticeAcknowledged | IcbNoticeReinstated
)
SharingEntry: TypeAlias = (
    ConsentEntry
    | AgreementEntry
    | SwitchChanged
    | AssuranceChanged
    | WithdrawalAcknowledged
    | NoticeEntry
)
