"""The closed list of what the ledger can say, one class a kind, each with exact fields.

What enters: identifiers, codes, hashes, counts and times. What leaves: an entry that fits
the format, or a refusal. An entry knows nothing of its place in a log: `seal.py` adds that.
Must never hold: a name, an NHS number, free text, a clinical code. See FORMAT.md.

The classes stand with their subject; whoever writes or reads entries imports them here::

    entries_referral.py   a referral: received, decided on, held, closed
    entries_delivery.py   a delivery or a recall, attempt by attempt
    entries_sharing.py    consents, agreements, switches, notices to the ICB
    entries_house.py      the gateway itself: directory, rules, log, clients

A constructor raises ValueError for any value that does not fit, and for an entry that is
too long; the message names the kind and the field, never the value. So an entry that could
be constructed can always be sealed.
"""

from typing import TypeAlias

from gateway.ledger.entries_delivery import (
    DeliveryDeadLettered,
    DeliveryDelivered,
    DeliveryEntry,
    DeliveryLeaseLapsed,
    DeliveryQueued,
    DeliveryRefused,
    DeliveryReleased,
    DeliveryReplayed,
    DeliveryStopped,
    DeliveryUnknown,
    RecallQueued,
    RecallReleased,
    RecallSent,
    RedactionApplied,
)
from gateway.ledger.entries_house import (
    DirectoryApplied,
    HouseEntry,
    LedgerVerified,
    OptOutLoaded,
    PolicyChanged,
    TokenIssued,
    TokenRefused,
)
from gateway.ledger.entries_referral import (
    DecisionMade,
    HoldOpened,
    HoldResolved,
    ReferralCancelled,
    ReferralClosed,
    ReferralEntry,
    ReferralReceived,
    ReferralRejected,
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
)

Entry: TypeAlias = ReferralEntry | DeliveryEntry | SharingEntry | HouseEntry

__all__ = [
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
    "ConsentEnteredInError",
    "ConsentEntry",
    "ConsentRecorded",
    "ConsentSuperseded",
    "ConsentWithdrawn",
    "DecisionMade",
    "DeliveryDeadLettered",
    "DeliveryDelivered",
    "DeliveryEntry",
    "DeliveryLeaseLapsed",
    "DeliveryQueued",
    "DeliveryRefused",
    "DeliveryReleased",
    "DeliveryReplayed",
    "DeliveryStopped",
    "DeliveryUnknown",
    "DirectoryApplied",
    "Entry",
    "HoldOpened",
    "HoldResolved",
    "HouseEntry",
    "IcbNoticeAcknowledged",
    "IcbNoticeDrafted",
    "IcbNoticeReinstated",
    "IcbNoticeSent",
    "LedgerVerified",
    "NoticeEntry",
    "OptOutLoaded",
    "PolicyChanged",
    "RecallQueued",
    "RecallReleased",
    "RecallSent",
    "RedactionApplied",
    "ReferralCancelled",
    "ReferralClosed",
    "ReferralEntry",
    "ReferralReceived",
    "ReferralRejected",
    "SharingEntry",
    "SwitchChanged",
    "TokenIssued",
    "TokenRefused",
]
