"""What the ledger says of a referral: it came, was decided on, waits for a person, or ended.

What enters and leaves, and what may never stand here: `entry.py`.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from gateway.ledger.kinds import Cancellation, Door, Effect, EntryKind, Stage
from gateway.ledger.line import Line, OnReferral
from gateway.ledger.values import Code, Codes, Handle, Instant, Name, Ods, Sha256, Uuid, one_of

WhichDoor = Annotated[Door, one_of(Door)]
WhichEffect = Annotated[Effect, one_of(Effect)]
WhichStage = Annotated[Stage, one_of(Stage)]
WhichCancellation = Annotated[Cancellation, one_of(Cancellation)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralReceived(OnReferral):
    """A referral came in, is stored, and is owned by the gateway from here on."""

    kind = EntryKind.REFERRAL_RECEIVED
    door: WhichDoor
    request_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralRejected(Line):
    """A message of an authenticated sender was refused at the door, before any decision.

    `practice` is the organisation that authenticated. `codes` say why, without free text;
    the caller gives each once, and cuts the list at 64.
    """

    kind = EntryKind.REFERRAL_REJECTED
    subject: ClassVar[None] = None
    practice: Ods
    door: WhichDoor
    request_sha256: Sha256
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralCancelled(OnReferral):
    """The sender took its referral back; `request_sha256` is of the message that said so."""

    kind = EntryKind.REFERRAL_CANCELLED
    door: WhichDoor
    request_sha256: Sha256
    status: WhichCancellation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralClosed(OnReferral):
    """A referral ended; `reason` is a code."""

    kind = EntryKind.REFERRAL_CLOSED
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMade(Line):
    """A decision, whatever it said, with every rule that was hit.

    A PERMIT at release or replay names its delivery and the bytes that it lets go.
    """

    kind = EntryKind.DECISION_MADE
    practice: Ods
    subject: Handle | None
    decision: Uuid
    referral: Uuid | None
    delivery: Uuid | None
    service: Name | None
    recipient: Ods | None
    stage: WhichStage
    effect: WhichEffect
    rule: Code
    code: Code
    rules: Codes
    obligations: Codes
    policy: Name
    payload_sha256: Sha256 | None

    def _check_together(self) -> None:
        lets_go = self.effect is Effect.PERMIT and self.stage is not Stage.ACCEPT
        if lets_go and None in (self.delivery, self.payload_sha256):
            message = "decision.made: a PERMIT that lets bytes go lacks delivery or payload_sha256"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPreviewed(Line):
    """Somebody asked what the rules would say, on the facts of `as_of`; nothing hangs on it."""

    kind = EntryKind.DECISION_PREVIEWED
    practice: Ods
    subject: Handle | None
    referral: Uuid | None
    service: Name | None
    recipient: Ods | None
    as_of: Instant
    effect: WhichEffect
    rule: Code
    code: Code
    rules: Codes
    obligations: Codes
    policy: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHold(OnReferral):
    """A line on a hold that stands: why, whose task it is (a role), and by when.

    The hold hangs on a decision or a delivery, or both.
    """

    decision: Uuid | None
    delivery: Uuid | None
    code: Code
    owner: Code
    due: Instant

    def _check_together(self) -> None:
        _name_one(self.kind, self.decision, self.delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOpened(OnHold):
    """Nothing leaves until the owner has resolved the reason."""

    kind = EntryKind.HOLD_OPENED


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldAssigned(OnHold):
    """The hold is another role's task from here on, or is due at another time."""

    kind = EntryKind.HOLD_ASSIGNED


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOverdue(OnHold):
    """Its time passed, and nobody has resolved it."""

    kind = EntryKind.HOLD_OVERDUE


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldResolved(OnReferral):
    """The reason `code` of a hold no longer stands; `resolution` is a code."""

    kind = EntryKind.HOLD_RESOLVED
    decision: Uuid | None
    delivery: Uuid | None
    code: Code
    resolution: Code

    def _check_together(self) -> None:
        _name_one(self.kind, self.decision, self.delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChanged(Line):
    """A flag of the person's record changed: an opt-out, a dissent, a label, a death.

    Which flag stands in the sealed detail, since some of them stigmatise. `flag_source` is
    where it was read, as of `as_of`.
    """

    kind = EntryKind.FLAG_CHANGED
    practice: Ods
    subject: Handle
    flag_source: Code
    as_of: Instant


def _name_one(kind: str, decision: str | None, delivery: str | None) -> None:
    if decision is None and delivery is None:
        message = f"{kind}: names neither a decision nor a delivery"
        raise ValueError(message)


ReferralEntry: TypeAlias = (
    ReferralReceived
    | ReferralRejected
    | ReferralCancelled
    | ReferralClosed
    | DecisionMade
    | DecisionPreviewed
    | HoldOpened
    | HoldAssigned
    | HoldResolved
    | HoldOverdue
    | FlagChanged
)
