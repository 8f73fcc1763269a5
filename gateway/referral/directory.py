"""The directory: who exists, what they offer, and what practices have agreed.

Rows are versioned in `store`; these are their values as of one instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.referral.identifiers import (
    AgreementId,
    ClientId,
    DosServiceId,
    EndpointId,
    OdsCode,
    ServiceId,
)


class Purpose(StrEnum):
    """Why data moves. Source: the sharing rules, section 4; each has one class."""

    DIRECT_CARE = "direct-care"
    EMERGENCY = "emergency"
    OCCUPATIONAL_HEALTH = "occupational-health"
    WORK_HEALTH = "work-health"
    EMPLOYMENT_REPORT = "employment-report"
    EAP = "eap"
    EVALUATION = "evaluation"
    RESEARCH = "research"
    PLANNING = "planning"
    RISK_STRATIFICATION = "risk-stratification"
    PAYMENT = "payment"
    STATUTORY = "statutory"
    PRACTICE_ADMIN = "practice-admin"


class AgreementKind(StrEnum):
    """What an agreement is for."""

    DIRECT = "direct"
    MIXED = "mixed"
    EXCLUSIVE_SECONDARY = "exclusive-secondary"


class ConfidentialityBasis(StrEnum):
    """Why the duty of confidence allows it. Not a basis under the UK GDPR, which is another."""

    IMPLIED = "implied"
    EXPLICIT = "explicit"
    S251 = "s251"
    LAW = "law"
    PUBLIC_INTEREST = "public-interest"
    ANONYMISED = "anonymised"


class AgreementStatus(StrEnum):
    """Where an agreement stands."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


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
    """Where a switch stands. A switch that nobody has set is unknown, not on."""

    ON = "on"
    OFF = "off"
    EXCLUSIVE_WITHDRAWN = "exclusive-withdrawn"


class ProviderRole(StrEnum):
    """What a provider is to the person referred."""

    OH_PROVIDER = "oh-provider"
    EAP = "eap"
    HR = "hr"
    EMPLOYER = "employer"
    NATIONAL_SERVICE = "national-service"
    CARE_PROVIDER = "care-provider"
    COMMUNITY_PHARMACY = "community-pharmacy"


class Transport(StrEnum):
    """How a destination is reached."""

    FHIR_REST = "fhir-rest"
    BARS = "bars"
    HTTPS = "https"
    MESH = "mesh"


class Format(StrEnum):
    """What a message is written as for a destination; each has a folder under `mappings/`."""

    FHIR_TRANSACTION = "fhir-transaction"
    BARS_MESSAGE = "bars-message"
    HEALTH_AND_WORK = "health-and-work"
    GP_CONNECT = "gp-connect"
    """Letters to practices: FHIR STU3 by ITK3."""


FORMATS: Mapping[Transport, tuple[Format, ...]] = {
    Transport.FHIR_REST: (Format.FHIR_TRANSACTION,),
    Transport.BARS: (Format.BARS_MESSAGE,),
    Transport.HTTPS: (Format.HEALTH_AND_WORK,),
    Transport.MESH: (
        Format.HEALTH_AND_WORK,
        Format.FHIR_TRANSACTION,
        Format.BARS_MESSAGE,
        Format.GP_CONNECT,
    ),
}
"""What each transport can carry; the first is meant where an endpoint does not say."""

REQUIRED, OPTIONAL = True, False
PARAMETERS: Mapping[Transport, Mapping[str, bool]] = {
    Transport.FHIR_REST: {"client_certificate": OPTIONAL},
    Transport.BARS: {
        "token_url": OPTIONAL,
        "client_id": OPTIONAL,
        "key_id": OPTIONAL,
        "key_file": OPTIONAL,
        "client_certificate": OPTIONAL,
    },
    Transport.HTTPS: {"client_certificate": OPTIONAL},
    Transport.MESH: {
        "recipient": REQUIRED,
        "workflow": REQUIRED,
        "mailbox": REQUIRED,
        "password_file": REQUIRED,
        "shared_key_file": REQUIRED,
        "client_certificate": OPTIONAL,
        "outcomes": OPTIONAL,
        "outcome_answers": OPTIONAL,
    },
}
"""What an endpoint may and must say beside its address, for its transport. Files are names in the credentials
folder: a secret never stands in the directory. `outcomes` is the workflow in which the recipient
says what became of referrals, `outcome_answers` the one in which it hears what became of that."""
FORMAT_PARAMETERS: Mapping[Format, Mapping[str, bool]] = {
    Format.FHIR_TRANSACTION: {},
    Format.BARS_MESSAGE: {
        "target_identifier": REQUIRED,
        "source_identifier": REQUIRED,
        "use_case": OPTIONAL,
        "application_version": OPTIONAL,
        "api_version": OPTIONAL,
    },
    Format.HEALTH_AND_WORK: {},
    Format.GP_CONNECT: {"telephone": REQUIRED},
}
"""What it may and must say for its format, whichever transport carries it."""


class Scope(StrEnum):
    """What a token allows. Source: SMART App Launch 2, system scopes; `gateway/` ones are ours."""

    REFERRAL_CREATE = "system/ServiceRequest.c"
    REFERRAL_READ = "system/ServiceRequest.rs"
    TASK_READ = "system/Task.rs"
    TASK_UPDATE = "system/Task.u"
    SHARING_READ = "gateway/sharing.r"
    SHARING_UPDATE = "gateway/sharing.u"
    CONSENT_CREATE = "system/Consent.c"
    CONSENT_READ = "system/Consent.rs"
    CONSENT_UPDATE = "system/Consent.u"
    AUDIT_READ = "system/AuditEvent.rs"
    SUBSCRIPTION_CREATE = "system/Subscription.c"
    SUBSCRIPTION_READ = "system/Subscription.rs"
    SUBSCRIPTION_UPDATE = "system/Subscription.u"
    SUBSCRIPTION_DELETE = "system/Subscription.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """A GP practice: the controller of the record.

    `letters` is the endpoint by which documents reach it; None: it reads them here, or a person
    brings them. `switch_events` numbers the event that set each switch, where one is known.
    """

    ods: OdsCode
    name: str
    commissioner: OdsCode | None
    letters: EndpointId | None = None
    switches: Mapping[Switch, SwitchValue]
    switch_events: Mapping[Switch, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commissioner:
    """An ICB or NHS England: who pays."""

    ods: OdsCode
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An organisation that offers services. `assured_until` None: assurance unknown."""

    ods: OdsCode
    name: str
    role: ProviderRole
    assured_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One kind of referral that a service takes: a use case and the purpose it serves.

    `use_case_system` and `use_case` are what BaRS carries as the second coding of
    `ServiceRequest.category`; `codes` are SNOMED CT codes of `ServiceRequest.code` that
    may find this service when the referral names none.
    """

    use_case_system: str
    use_case: str
    purpose: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A HealthcareService that a provider offers.

    `commissioners` limits who may send; empty means any. `accepting` None: unknown.
    """

    id: ServiceId
    name: str
    provider: OdsCode
    dos_service_id: DosServiceId
    endpoint: EndpointId
    offers: tuple[Offer, ...]
    commissioners: frozenset[OdsCode]
    accepting: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how a service is reached, and how much it may be asked.

    `ca_file` names the certificates to trust, relative to the certificate folder; None
    means the system's. `parameters` are of the transport: see PARAMETERS. `concurrency` is how
    many attempts may be under way at once, over all workers; `per_minute` how many may begin,
    None: as many as there are.
    """

    id: EndpointId
    transport: Transport
    format: Format = Format.FHIR_TRANSACTION
    address: str
    ca_file: str | None
    parameters: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 8
    per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an agreement says. `ends_on` is its last day; None: until further notice.

    `gdpr_basis` and `confidentiality_basis` are two questions: a basis under the UK GDPR does
    not set confidentiality aside. `processor` names who extracts the data, if anybody does.
    """

    name: str
    kind: AgreementKind
    purposes: frozenset[str]
    data_classes: frozenset[str] = frozenset()
    gdpr_basis: str | None = None
    confidentiality_basis: ConfidentialityBasis | None = None
    dpia_ref: str | None = None
    processor: str | None = None
    notice_days: int | None = None
    is_statutory: bool = False
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A data-sharing agreement between a practice and a provider, as it stands at a moment.

    `version` numbers the event that made it so, which took effect at `since`.
    """

    id: AgreementId
    practice: OdsCode
    counterparty: OdsCode
    status: AgreementStatus
    terms: Terms
    version: int | None = None
    since: datetime | None = None

    @property
    def kind(self) -> AgreementKind:
        """What it is for."""
        return self.terms.kind

    @property
    def purposes(self) -> frozenset[str]:
        """The purposes that it covers."""
        return self.terms.purposes


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client of the token endpoint: acts for one organisation.

    `jwks` is its public key set (RFC 7517) as JSON text.
    """

    id: ClientId
    ods: OdsCode
    scopes: frozenset[Scope]
    jwks: str
