"""The closed list of what the ledger can say, one class a kind, each with exact fields.

What enters: identifiers, codes, hashes, counts and times. What leaves: an entry that fits
the format, or a refusal. An entry knows nothing of its place in a log: `seal.py` adds that.
Must never hold: a name, an NHS number, free text, a clinical code. See FORMAT.md.

A constructor raises ValueError for any value that does not fit, and for an entry that is
too long; the message names the kind and the field, never the value. So an entry that could
be constructed can always be sealed.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from gateway.errors import Phase
from gateway.ledger.kinds import Cancellation, Door, Effect, EntryKind, Stage
from gateway.ledger.line import Line, OnDelivery, OnHouse, OnReferral
from gateway.ledger.values import (
    Code,
    Codes,
    Count,
    Handle,
    HttpStatus,
    Instant,
    Name,
    Ods,
    Scopes,
    Sha256,
    Truth,
    Uuid,
    one_of,
)

WhichDoor = Annotated[Door, one_of(Door)]
WhichEffect = Annotated[Effect, one_of(Effect)]
WhichStage = Annotated[Stage, one_of(Stage)]
WhichPhase = Annotated[Phase, one_of(Phase)]
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
class DeliveryQueued(OnDelivery):
    """A permitted referral waits to be brought to one service, first at `next_at`."""

    kind = EntryKind.DELIVERY_QUEUED
    decision: Uuid
    service: Name
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReleased(OnDelivery):
    """Exactly these bytes may now leave, in this attempt, until the lease ends."""

    kind = EntryKind.DELIVERY_RELEASED
    decision: Uuid
    attempt: Count
    payload_sha256: Sha256
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDelivered(OnDelivery):
    """The recipient answered that it has the referral."""

    kind = EntryKind.DELIVERY_DELIVERED
    attempt: Count
    status: HttpStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRefused(OnDelivery):
    """The delivery is over: the recipient, or a decision of our own, refused it.

    `decision` is the decision that refused; None where the recipient did. `attempt` is 0
    where none was made.
    """

    kind = EntryKind.DELIVERY_REFUSED
    decision: Uuid | None
    attempt: Count
    phase: WhichPhase
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryUnknown(OnDelivery):
    """An attempt failed or its outcome is not known; it is made again at `next_at`."""

    kind = EntryKind.DELIVERY_UNKNOWN
    attempt: Count
    phase: WhichPhase
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDeadLettered(OnDelivery):
    """No further attempt will be made unless somebody orders it."""

    kind = EntryKind.DELIVERY_DEAD_LETTERED
    attempt: Count
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReplayed(OnDelivery):
    """An operator ordered the delivery to be tried again."""

    kind = EntryKind.DELIVERY_REPLAYED
    reason: Code
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLeaseLapsed(OnDelivery):
    """A worker did not come back in time; its lease was taken over."""

    kind = EntryKind.DELIVERY_LEASE_LAPSED
    attempt: Count
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStopped(OnDelivery):
    """No further attempt is made: the referral was taken back. `attempt` is the last one's."""

    kind = EntryKind.DELIVERY_STOPPED
    attempt: Count
    reason: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallQueued(OnDelivery):
    """The recipient of an earlier delivery, `recalled`, is to be told to stop.

    `delivery` is the recall's own id; its attempts are recorded as any delivery's.
    """

    kind = EntryKind.RECALL_QUEUED
    recalled: Uuid
    cause: Code
    next_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallReleased(OnDelivery):
    """Exactly these bytes, which tell nothing of the person, may leave in this attempt."""

    kind = EntryKind.RECALL_RELEASED
    attempt: Count
    payload_sha256: Sha256
    lease_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallSent(OnDelivery):
    """The recipient answered that it has the recall; what it then does is its own answer."""

    kind = EntryKind.RECALL_SENT
    attempt: Count
    status: HttpStatus


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryApplied(OnHouse):
    """A directory file was applied, with this many changes."""

    kind = EntryKind.DIRECTORY_APPLIED
    file_sha256: Sha256
    added: Count
    changed: Count
    ended: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(OnHouse):
    """Decisions follow another rule table from here on; `old_sha256` is None for the first."""

    kind = EntryKind.POLICY_CHANGED
    old_sha256: Sha256 | None
    new_sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVerified(OnHouse):
    """Somebody checked the whole log at this size; `ok` says what came of it."""

    kind = EntryKind.LEDGER_VERIFIED
    size: Count
    root: Sha256
    ok: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Line):
    """A client proved who it is. `practice` is its organisation where that is a practice."""

    kind = EntryKind.TOKEN_ISSUED
    subject: ClassVar[None] = None
    practice: Ods | None
    client: Name
    ods: Ods
    scopes: Scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused(Line):
    """A request for a token was refused.

    The client that the caller claimed to be stands nowhere: a claim is free text. `actor`
    is a client that the directory knows, or a role such as `unknown`.
    """

    kind = EntryKind.TOKEN_REFUSED
    subject: ClassVar[None] = None
    practice: Ods | None
    code: Code


Entry: TypeAlias = (
    ReferralReceived
    | ReferralRejected
    | ReferralCancelled
    | ReferralClosed
    | DecisionMade
    | DeliveryQueued
    | DeliveryReleased
    | DeliveryDelivered
    | DeliveryRefused
    | DeliveryUnknown
    | DeliveryDeadLettered
    | DeliveryReplayed
    | DeliveryLeaseLapsed
    | DeliveryStopped
    | RecallQueued
    | RecallReleased
    | RecallSent
    | HoldOpened
    | HoldResolved
    | DirectoryApplied
    | PolicyChanged
    | LedgerVerified
    | TokenIssued
    | TokenRefused
)
