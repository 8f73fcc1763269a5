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
class HoldOpened(OnReferral):
    """Nothing leaves until the owner, a role, has resolved the reason, by `due`.

    The hold hangs on a decision or a delivery, or both.
    """

    kind = EntryKind.HOLD_OPENED
    decision: Uuid | None
    delivery: Uuid | None
    code: Code
    owner: Code
    due: Instant

    def _check_together(self) -> None:
        _name_one("hold.opened", self.decision, self.delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldResolved(OnReferral):
    """The reason `code` of a hold no longer stands; `resolution` is a code."""

    kind = EntryKind.HOLD_RESOLVED
    decision: Uuid | None
    delivery: Uuid | None
    code: Code
    resolution: Code

    def _check_together(self) -> None:
        _name_one("hold.resolved", self.decision, self.delivery)


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
    | HoldOpened
    | HoldResolved
)
