"""What the ledger says of what comes back, and of the two ways past the usual rules.

A report that the person may see first, an outcome that goes to the practice, an authority of
law, and an emergency. What enters and leaves, and what may never stand here: `entry.py`.
Source: the sharing rules, sections 5 (R10, R25, R51) and 8.
"""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from gateway.ledger.entries_referral import WhichDoor
from gateway.ledger.kinds import EntryKind, OutcomeKind, WritebackRoute
from gateway.ledger.line import Line, OnDelivery, OnReferral
from gateway.ledger.values import Code, Handle, Name, Names, Ods, Sha256, Uuid, one_of

_APPROVERS = 2
"""So many different people must have agreed. Source: the sharing rules, R10."""

WhichOutcome = Annotated[OutcomeKind, one_of(OutcomeKind)]
WhichRoute = Annotated[WritebackRoute, one_of(WritebackRoute)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReceived(OnDelivery):
    """The recipient said what became of the referral; the bytes are kept as `artefact`."""

    kind = EntryKind.OUTCOME_RECEIVED
    artefact: Uuid
    door: WhichDoor
    outcome: WhichOutcome
    payload_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRefused(OnDelivery):
    """What the recipient said of the referral was not taken, because of `code`."""

    kind = EntryKind.OUTCOME_REFUSED
    code: Code
    door: WhichDoor
    payload_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class OnReport(OnReferral):
    """A line on one report, `artefact`, on its way to `recipient` past the person's eyes."""

    artefact: Uuid
    recipient: Ods
    payload_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSightOffered(OnReport):
    """The person was offered to see the report before anybody else does."""

    kind = EntryKind.REPORT_SIGHT_OFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSightSeen(OnReport):
    """The person has seen the report."""

    kind = EntryKind.REPORT_SIGHT_SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSightAgreed(OnReport):
    """The person agreed that the report goes on."""

    kind = EntryKind.REPORT_SIGHT_AGREED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSightObjected(OnReport):
    """The person objected: the report goes no further."""

    kind = EntryKind.REPORT_SIGHT_OBJECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSightReleased(OnReport):
    """The report went on to its recipient."""

    kind = EntryKind.REPORT_SIGHT_RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class OnWriteback(OnReferral):
    """A line on bringing one outcome, `artefact`, to the practice by one route."""

    artefact: Uuid
    route: WhichRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class WritebackDone(OnWriteback):
    """The practice's system took the outcome; whether it is in the record, it says itself."""

    kind = EntryKind.WRITEBACK_DONE
    payload_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class WritebackRefused(OnWriteback):
    """The outcome may not go by this route, or the practice's system refused it."""

    kind = EntryKind.WRITEBACK_REFUSED
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class WritebackFallback(OnWriteback):
    """The outcome goes by this route, because another was refused for `code`."""

    kind = EntryKind.WRITEBACK_FALLBACK
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalAuthorised(Line):
    """Two people or more authorised sharing on a basis of law; `approvers` are their user names."""

    kind = EntryKind.LEGAL_AUTHORISED
    practice: Ods | None
    subject: Handle | None
    decision: Uuid | None
    instrument: Name
    approvers: Names

    def _check_together(self) -> None:
        if len(set(self.approvers)) < _APPROVERS:
            message = "legal.authorised: fewer than two different approvers"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakglassUsed(OnReferral):
    """For direct care alone, somebody went past a refusal; the reason is sealed."""

    kind = EntryKind.BREAKGLASS_USED
    decision: Uuid
    code: Code


OutcomeEntry: TypeAlias = (
    OutcomeReceived
    | OutcomeRefused
    | ReportSightOffered
    | ReportSightSeen
    | ReportSightAgreed
    | ReportSightObjected
    | ReportSightReleased
    | WritebackDone
    | WritebackRefused
    | WritebackFallback
    | LegalAuthorised
    | BreakglassUsed
)
