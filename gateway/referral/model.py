"""The model: what a referral is, from the bytes at the door to the receipt.

Values only, all frozen. Times are aware UTC datetimes; bytes are as received.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.referral.directory import Scope
from gateway.referral.identifiers import (
    ClientId,
    CorrelationId,
    DeliveryId,
    DosServiceId,
    EndpointId,
    Handle,
    NhsNumber,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
)
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import (
    DeliveryKind,
    DeliveryState,
    Reached,
    ReferralState,
    RequestStatus,
)


class Door(StrEnum):
    """How a referral came in."""

    REST = "rest"
    BARS = "bars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An authenticated client acting for one organisation."""

    client: ClientId
    ods: OdsCode
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What came with the bytes: who sent them, and by which identifiers.

    `body_sha256` is of the body exactly as received, in hexadecimal. `is_repeatable` says
    that the sender chose the request id, so that it may send it again. `answer_by` is a
    reading of `time.monotonic`, in seconds: nothing is committed later. `attempt` says which
    claim of the request id this is, from 1.
    """

    door: Door
    sender: Sender
    request_id: RequestId
    correlation_id: CorrelationId
    body: bytes
    body_sha256: str
    is_repeatable: bool
    answer_by: float
    attempt: int = 0

    @property
    def told(self) -> dict[str, object]:
        """What the ledger keeps sealed of a message: who sent it, and under which names."""
        return {
            "client": self.sender.client,
            "organisation": self.sender.ods,
            "door": self.door,
            "request_id": self.request_id,
            "correlation_id": self.correlation_id,
            "body_sha256": self.body_sha256,
        }


ANY_SYSTEM = "*"
"""In a search: an identifier of any system."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A FHIR Identifier: system (normal spelling) and value."""

    system: str
    value: str


@dataclass(frozen=True, slots=True)
class UseCase:
    """A referral use case: the second coding of a BaRS category, or our own."""

    system: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientInMessage:
    """What the message says of the person, as far as decisions need it.

    `practices` are the ODS codes that the Patient names as its general practitioner or
    managing organisation.
    """

    nhs_number: NhsNumber | None
    practices: frozenset[OdsCode]
    deceased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingReferral:
    """One referral as read from a message: the tree, and what was found in it.

    `at` is the FHIRPath at which the ServiceRequest stands.
    `letter` says that a professional letter with its content is attached. `organisations`
    maps the references of the message to the ODS code behind them.
    """

    tree: JsonObject
    at: str = "ServiceRequest"
    organisations: Mapping[str, OdsCode] = field(repr=False)
    patient: PatientInMessage
    requester: OdsCode
    identifiers: tuple[Identifier, ...]
    service_asked: DosServiceId | None
    provider_asked: OdsCode | None
    use_case: UseCase | None
    codes: tuple[str, ...]
    consents: tuple[JsonObject, ...] = field(repr=False)
    letter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a referral waits for a person, whose task it is, and until when."""

    code: str
    text: str
    remedy: str
    owner: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """A referral that this gateway has accepted and owns.

    `hold` is set while held; `closed_because` once closed. `status` is the sender's;
    `content_version` and `content_at` are of the ServiceRequest that the sender wrote,
    `version` and `updated_at` of where it stands here.
    """

    id: ReferralId
    reference: ReferralReference
    practice: OdsCode
    sender: ClientId
    subject: Handle
    door: Door
    request_id: RequestId
    correlation_id: CorrelationId
    purpose: str
    service: ServiceId
    provider: OdsCode
    state: ReferralState
    hold: Hold | None
    closed_because: str | None
    status: RequestStatus
    content_version: int
    content_at: datetime
    body_sha256: str
    version: int
    received_at: datetime
    updated_at: datetime

    @property
    def is_cancelled(self) -> bool:
        """Whether the sender took it back."""
        return self.status is not RequestStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The attempts to bring one referral, or word that it is cancelled, to one service; or a letter.

    A letter goes to the practice, which is its `provider`; its `service` is the one whose outcome
    it brings, and `part` numbers the letters of a referral from 1. Other deliveries have part 0.

    `id` is also the idempotency key that every attempt carries. `give_up_at` ends the
    retries. `reason` says why it ended, or why the last attempt failed; a recall's is its
    cause until then. `may_have_arrived` says that an attempt ended without an answer. `lane`
    is the endpoint that it waits for. While in flight, `released_at` says since when its bytes
    may leave; None: its worker has not decided yet. `lapses` counts the workers in a row that
    did not come back with it. `receipt` is by what name a transport that stores and forwards
    knows it, `reached` how far it is known to have come there.
    """

    id: DeliveryId
    kind: DeliveryKind
    referral: ReferralId
    service: ServiceId
    provider: OdsCode
    state: DeliveryState
    attempts: int
    next_at: datetime
    give_up_at: datetime
    lease_owner: str | None
    lease_until: datetime | None
    reason: str | None
    may_have_arrived: bool
    lane: EndpointId
    released_at: datetime | None = None
    lapses: int = 0
    receipt: str | None = None
    reached: Reached | None = None
    part: int = 0
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One later version of a referral's ServiceRequest: its sender took the referral back.

    `reason` is the sender's own words or codes for it: patient data, as received.
    """

    version: int
    status: RequestStatus
    reason: tuple[JsonObject, ...] = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the sender can quote.

    `repeated`: the same request came before. `found`: it asked not to create what is there.
    `withheld`: how many parts of the message are to stay behind, of those that may be told.
    """

    referral: Referral
    repeated: bool = False
    found: bool = False
    withheld: int = 0
