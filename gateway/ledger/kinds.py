"""The closed lists of the ledger. Once released, a value is never respelt.

What enters: nothing. What leaves: the words that stand in entries, exactly as stored.
"""

from enum import StrEnum


class EntryKind(StrEnum):
    """Every kind of entry that this version writes. Once released, never respelt."""

    REFERRAL_RECEIVED = "referral.received"
    REFERRAL_REJECTED = "referral.rejected"
    REFERRAL_CANCELLED = "referral.cancelled"
    REFERRAL_CLOSED = "referral.closed"
    DECISION_MADE = "decision.made"
    DECISION_PREVIEWED = "decision.previewed"
    DELIVERY_QUEUED = "delivery.queued"
    DELIVERY_RELEASED = "delivery.released"
    DELIVERY_DELIVERED = "delivery.delivered"
    DELIVERY_REFUSED = "delivery.refused"
    DELIVERY_UNKNOWN = "delivery.unknown"
    DELIVERY_DEAD_LETTERED = "delivery.dead_lettered"
    DELIVERY_REPLAYED = "delivery.replayed"
    DELIVERY_LEASE_LAPSED = "delivery.lease_lapsed"
    DELIVERY_STOPPED = "delivery.stopped"
    DELIVERY_EXPIRED = "delivery.expired"
    RECALL_QUEUED = "recall.queued"
    RECALL_RELEASED = "recall.released"
    RECALL_SENT = "recall.sent"
    RECALL_ACKNOWLEDGED = "recall.acknowledged"
    RECALL_REFUSED = "recall.refused"
    RECALL_OVERDUE = "recall.overdue"
    REDACTION_APPLIED = "redaction.applied"
    HOLD_OPENED = "hold.opened"
    HOLD_ASSIGNED = "hold.assigned"
    HOLD_RESOLVED = "hold.resolved"
    HOLD_OVERDUE = "hold.overdue"
    FLAG_CHANGED = "flag.changed"
    CONSENT_RECORDED = "consent.recorded"
    CONSENT_SUPERSEDED = "consent.superseded"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_ERROR = "consent.error"
    AGREEMENT_PROPOSED = "agreement.proposed"
    AGREEMENT_SIGNED = "agreement.signed"
    AGREEMENT_WIDENED = "agreement.widened"
    AGREEMENT_RENEWED = "agreement.renewed"
    AGREEMENT_SUSPENDED = "agreement.suspended"
    AGREEMENT_WITHDRAWN = "agreement.withdrawn"
    AGREEMENT_REINSTATED = "agreement.reinstated"
    AGREEMENT_EXPIRED = "agreement.expired"
    AGREEMENT_REFUSED = "agreement.refused"
    SWITCH_CHANGED = "switch.changed"
    ASSURANCE_CHANGED = "assurance.changed"
    WITHDRAWAL_ACKNOWLEDGED = "withdrawal.acknowledged"
    ICB_NOTICE_DRAFTED = "icb.notice.drafted"
    ICB_NOTICE_SENT = "icb.notice.sent"
    ICB_NOTICE_ACKNOWLEDGED = "icb.notice.acknowledged"
    ICB_NOTICE_REINSTATED = "icb.notice.reinstated"
    OUTCOME_RECEIVED = "outcome.received"
    OUTCOME_REFUSED = "outcome.refused"
    REPORT_SIGHT_OFFERED = "report.sight.offered"
    REPORT_SIGHT_SEEN = "report.sight.seen"
    REPORT_SIGHT_AGREED = "report.sight.agreed"
    REPORT_SIGHT_OBJECTED = "report.sight.objected"
    REPORT_SIGHT_RELEASED = "report.sight.released"
    WRITEBACK_DONE = "writeback.done"
    WRITEBACK_REFUSED = "writeback.refused"
    WRITEBACK_FALLBACK = "writeback.fallback"
    LETTER_QUEUED = "letter.queued"
    LETTER_ANSWERED = "letter.answered"
    REMINDER_OPENED = "reminder.opened"
    REMINDER_CLOSED = "reminder.closed"
    CODING_LEARNED = "coding.learned"
    LEGAL_AUTHORISED = "legal.authorised"
    BREAKGLASS_USED = "breakglass.used"
    RECORD_READ = "record.read"
    AUDIT_READ = "audit.read"
    AUDIT_EXPORTED = "audit.exported"
    SUBJECT_ERASED = "subject.erased"
    KEY_ROTATED = "key.rotated"
    KEY_DESTROYED = "key.destroyed"
    RETENTION_PURGED = "retention.purged"
    CHECKPOINT_PUBLISHED = "checkpoint.published"
    CHECKPOINT_COSIGNED = "checkpoint.cosigned"
    CHECKPOINT_REFUSED = "checkpoint.refused"
    CHAIN_VERIFY_FAILED = "chain.verify.failed"
    CLOCK_DRIFT = "clock.drift"
    DIRECTORY_APPLIED = "directory.applied"
    POLICY_CHANGED = "policy.changed"
    LEDGER_VERIFIED = "ledger.verified"
    OPTOUT_LOADED = "optout.loaded"
    OUTAGE_BEGAN = "outage.began"
    OUTAGE_ENDED = "outage.ended"
    TOKEN_ISSUED = "token.issued"  # noqa: S105  # the kind's name, no secret
    TOKEN_REFUSED = "token.refused"  # noqa: S105  # the kind's name, no secret
    ACCESS_REFUSED = "access.refused"


class Door(StrEnum):
    """Which front door a message came through."""

    REST = "rest"
    BARS = "bars"
    MESH = "mesh"


class Effect(StrEnum):
    """What a decision says."""

    PERMIT = "PERMIT"
    HOLD = "HOLD"
    DENY = "DENY"


class Cancellation(StrEnum):
    """What a sender said of its referral when it took it back. Source: FHIR request-status."""

    REVOKED = "revoked"
    ENTERED_IN_ERROR = "entered-in-error"


class Stage(StrEnum):
    """When a decision was taken."""

    ACCEPT = "accept"
    RELEASE = "release"
    REPLAY = "replay"
    READ = "read"
    WRITE_BACK = "write-back"


class AgreementKind(StrEnum):
    """What an agreement is for."""

    DIRECT = "direct"
    MIXED = "mixed"
    EXCLUSIVE_SECONDARY = "exclusive-secondary"


class AgreementChange(StrEnum):
    """What was asked of an agreement when it was refused."""

    NEW = "new"
    WIDENED = "widened"
    RENEWAL = "renewal"


class Source(StrEnum):
    """Whose word a change of sharing is: the practice's, a file's, or an operator's."""

    PRACTICE = "practice"
    IMPORT = "import"
    OPERATOR = "operator"


class Switch(StrEnum):
    """A practice's control over one kind of sharing."""

    SECONDARY_SHARING = "secondary_sharing"
    UPDATE_RECORD = "update_record"
    SEND_DOCUMENT = "send_document"
    ACCESS_RECORD = "access_record"
    NEW_AGREEMENTS = "new_agreements"
    SHARED_CARE = "shared_care"
    ADVICE_AND_GUIDANCE = "advice_and_guidance"


class SwitchValue(StrEnum):
    """Where a switch stands."""

    ON = "on"
    OFF = "off"
    EXCLUSIVE_WITHDRAWN = "exclusive-withdrawn"


class WithdrawalCause(StrEnum):
    """What was taken back, so that what was queued under it may not leave."""

    CONSENT = "consent"
    AGREEMENT = "agreement"
    SWITCH = "switch"
    ASSURANCE = "assurance"


class NoticeKind(StrEnum):
    """What a notice tells the ICB."""

    WITHDRAW_SECONDARY = "withdraw-secondary"
    FREEZE_NEW = "freeze-new"
    WRITE_SWITCH = "write-switch"
    REINSTATE = "reinstate"
    SHARED_CARE = "shared-care"


class Extent(StrEnum):
    """How much of the ledger was handed out."""

    LOG = "log"
    ENTRY = "entry"
    SUBJECT = "subject"
    PRACTICE = "practice"


class Interaction(StrEnum):
    """How a record was read. Source: FHIR RESTful interactions."""

    READ = "read"
    VREAD = "vread"
    HISTORY = "history"
    SEARCH = "search"


class RecallAnswer(StrEnum):
    """What a recipient did with what it had been sent before it was recalled."""

    STOPPED = "stopped"
    RETURNED = "returned"
    RETAINED = "retained"


class OutcomeKind(StrEnum):
    """What a provider says became of a referral."""

    ACCEPTED = "accepted"
    BOOKED = "booked"
    MORE_INFORMATION = "more-information"
    COULD_NOT_CONTACT = "could-not-contact"
    DID_NOT_ATTEND = "did-not-attend"
    REJECTED = "rejected"
    REPORT = "report"
    CLOSED = "closed"


class WritebackRoute(StrEnum):
    """How an outcome reaches a practice."""

    UPDATE_RECORD = "update-record"
    DOCUMENT = "document"
    LETTER = "letter"


class CodingSource(StrEnum):
    """How it became known that a practice takes no coded entries."""

    LOOKUP = "lookup"
    LEARNED = "learned"


class Drift(StrEnum):
    """Which way a clock was wrong."""

    AHEAD = "ahead"
    BEHIND = "behind"
