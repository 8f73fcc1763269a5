"""The closed list of what the ledger can say, one class a kind, each with exact fields.

What enters: identifiers, codes, hashes, counts and times. What leaves: an entry that fits
the format, or a refusal. An entry knows nothing of its place in a log: `seal.py` adds that.
Must never hold: a name, an NHS number, free text, a clinical code. See FORMAT.md.

The classes stand with their subject; whoever writes or reads entries imports them here::

    entries_referral.py   a referral: received, decided on, held, closed
    entries_delivery.py   a delivery or a recall, attempt by attempt
    entries_sharing.py    consents, agreements, switches, assurance; withdrawals; notices
    entries_outcome.py    what comes back: reports, write-backs; law and emergencies
    entries_return.py     letters to practices, reminders, what was learned of a switch
    entries_audit.py      reading, erasing, and the log itself: checkpoints, keys, checks
    entries_house.py      the gateway itself: directory, rules, log, destinations, clients

A kind that nothing writes yet belongs to a flow that is still to come; it stands here so that
the list, and every reader of it, is whole.

A constructor raises ValueError for any value that does not fit, and for an entry that is
too long; the message names the kind and the field, never the value. So an entry that could
be constructed can always be sealed.
"""

from typing import TypeAlias

from gateway.ledger.entries_audit import (
    AuditEntry,
    AuditExported,
    AuditRead,
    ChainVerifyFailed,
    CheckpointCosigned,
    CheckpointPublished,
    CheckpointRefused,
    ClockDrift,
    KeyDestroyed,
    KeyRotated,
    RecordRead,
    RetentionPurged,
    SubjectErased,
)
from gateway.ledger.entries_delivery import (
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryEntry,
    DeliveryExpired,
    DeliveryLeaseLapsed,
    DeliveryQueued,
    DeliveryRefused,
    DeliveryReleased,
    DeliveryReplayed,
    DeliveryStopped,
    DeliveryUnknown,
    RecallAcknowledged,
    RecallOverdue,
    RecallQueued,
    RecallRefused,
    RecallReleased,
    RecallSent,
    RedactionApplied,
)
from gateway.ledger.entries_house import (
    AccessRefused,
    DirectoryApplied,
    HouseEntry,
    LedgerVerified,
    OptOutLoaded,
    OutageBegan,
    OutageEnded,
    PolicyChanged,
    TokenIssued,
    TokenRefused,
)
from gateway.ledger.entries_outcome import (
    BreakglassUsed,
    LegalAuthorised,
    OutcomeEntry,
    OutcomeReceived,
    OutcomeRefused,
    ReportSightAgreed,
    ReportSightObjected,
    ReportSightOffered,
    ReportSightReleased,
    ReportSightSeen,
    WritebackDone,
    WritebackFallback,
    WritebackRefused,
)
from gateway.ledger.entries_referral import (
    DecisionMade,
    DecisionPreviewed,
    FlagChanged,
    HoldAssigned,
    HoldOpened,
    HoldOverdue,
    HoldResolved,
    ReferralCancelled,
    ReferralClosed,
    ReferralEntry,
    ReferralReceived,
    ReferralRejected,
)
from gateway.ledger.entries_return import (
    CodingLearned,
    LetterAnswered,
    LetterQueued,
    ReminderClosed,
    ReminderOpened,
    ReturnEntry,
)
from gateway.ledger.entries_sharing import (
    AgreementEntry,
    AgreementExpired,
    AgreementProposed,
    AgreementRefused,
    AgreementReinstated,
    AgreementRenewed,
    AgreementSigned,
    AgreementSuspended,
    AgreementWidened,
    AgreementWithdrawn,
    AssuranceChanged,
    ConsentEnteredInError,
    ConsentEntry,
    ConsentRecorded,
    ConsentSuperseded,
    ConsentWithdrawn,
    IcbNoticeAcknowledged,
    IcbNoticeDrafted,
    IcbNoticeReinstated,
    IcbNoticeSent,
    NoticeEntry,
    SharingEntry,
    SwitchChanged,
    WithdrawalAcknowledged,
)

Entry: TypeAlias = (
    ReferralEntry
    | DeliveryEntry
    | SharingEntry
    | OutcomeEntry
    | ReturnEntry
    | AuditEntry
    | HouseEntry
)

__all__ = [
    "AccessRefused",
    "AgreementEntry",
    "AgreementExpired",
    "AgreementProposed",
    "AgreementRefused",
    "AgreementReinstated",
    "AgreementRenewed",
    "AgreementSigned",
    "AgreementSuspended",
    "AgreementWidened",
    "AgreementWithdrawn",
    "AssuranceChanged",
    "AuditEntry",
    "AuditExported",
    "AuditRead",
    "BreakglassUsed",
    "ChainVerifyFailed",
    "CheckpointCosigned",
    "CheckpointPublished",
    "CheckpointRefused",
    "ClockDrift",
    "CodingLearned",
    "ConsentEnteredInError",
    "ConsentEntry",
    "ConsentRecorded",
    "ConsentSuperseded",
    "ConsentWithdrawn",
    "DecisionMade",
    "DecisionPreviewed",
    "DeliveryDeadLettered",
    "DeliveryDelivered",
    "DeliveryEntry",
    "DeliveryExpired",
    "DeliveryLeaseLapsed",
    "DeliveryQueued",
    "DeliveryRefused",
    "DeliveryReleased",
    "DeliveryReplayed",
    "DeliveryStopped",
    "DeliveryUnknown",
    "DirectoryApplied",
    "Entry",
    "FlagChanged",
    "HoldAssigned",
    "HoldOpened",
    "HoldOverdue",
    "HoldResolved",
    "HouseEntry",
    "IcbNoticeAcknowledged",
    "IcbNoticeDrafted",
    "IcbNoticeReinstated",
    "IcbNoticeSent",
    "KeyDestroyed",
    "KeyRotated",
    "LedgerVerified",
    "LegalAuthorised",
    "LetterAnswered",
    "LetterQueued",
    "NoticeEntry",
    "OptOutLoaded",
    "OutageBegan",
    "OutageEnded",
    "OutcomeEntry",
    "OutcomeReceived",
    "OutcomeRefused",
    "PolicyChanged",
    "RecallAcknowledged",
    "RecallOverdue",
    "RecallQueued",
    "RecallRefused",
    "RecallReleased",
    "RecallSent",
    "RecordRead",
    "RedactionApplied",
    "ReferralCancelled",
    "ReferralClosed",
    "ReferralEntry",
    "ReferralReceived",
    "ReferralRejected",
    "ReminderClosed",
    "ReminderOpened",
    "ReportSightAgreed",
    "ReportSightObjected",
    "ReportSightOffered",
    "ReportSightReleased",
    "ReportSightSeen",
    "RetentionPurged",
    "ReturnEntry",
    "SharingEntry",
    "SubjectErased",
    "SwitchChanged",
    "TokenIssued",
    "TokenRefused",
    "WithdrawalAcknowledged",
    "WritebackDone",
    "WritebackFallback",
    "WritebackRefused",
]
