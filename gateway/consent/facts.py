"""Facts: what a sharing decision may look at. True, False or unknown (None), never guessed.

What enters: values that `gather` found, or that `vocabulary` read. What leaves: one Facts
value. A rule never learns where a fact came from; a reason does, for whoever asks.
The names are those of the sharing rules. Must never hold a value of the message itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.consent.directives import ConsentState
from gateway.referral.directory import AgreementKind, ProviderRole, Purpose, SwitchValue


class Action(StrEnum):
    """What is to be done with the data, or by the practice."""

    FORWARD = "forward"
    EXTRACT = "extract"
    RELEASE_REPORT = "release_report"
    WRITE_DOCUMENT = "write_document"
    WRITE_BACK = "write_back"
    READ_RECORD = "read_record"
    ACTIVATE_AGREEMENT = "activate_agreement"
    ACCEPT_SHARED_CARE = "accept_shared_care"


class PurposeClass(StrEnum):
    """The family of a purpose; it decides which grounds can hold."""

    DIRECT = "direct"
    EXPLICIT = "explicit"
    SECONDARY = "secondary"
    STATUTORY = "statutory"
    ADMIN = "admin"
    UNLISTED = "?"


CLASS_OF: Mapping[str, PurposeClass] = {
    Purpose.DIRECT_CARE: PurposeClass.DIRECT,
    Purpose.EMERGENCY: PurposeClass.DIRECT,
    Purpose.OCCUPATIONAL_HEALTH: PurposeClass.EXPLICIT,
    Purpose.WORK_HEALTH: PurposeClass.EXPLICIT,
    Purpose.EMPLOYMENT_REPORT: PurposeClass.EXPLICIT,
    Purpose.EAP: PurposeClass.EXPLICIT,
    Purpose.EVALUATION: PurposeClass.SECONDARY,
    Purpose.RESEARCH: PurposeClass.SECONDARY,
    Purpose.PLANNING: PurposeClass.SECONDARY,
    Purpose.RISK_STRATIFICATION: PurposeClass.SECONDARY,
    Purpose.PAYMENT: PurposeClass.SECONDARY,
    Purpose.STATUTORY: PurposeClass.STATUTORY,
    Purpose.PRACTICE_ADMIN: PurposeClass.ADMIN,
}


class AgreementFact(StrEnum):
    """Where the agreement between practice and recipient stands.

    NONE: there is none that anybody signed; a proposal is none.
    """

    NONE = "none"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class AgreementChange(StrEnum):
    """What the signing of an agreement would change."""

    NONE = "none"
    NEW = "new"
    WIDENED = "widened"
    RENEWAL = "renewal"


class OnOff(StrEnum):
    """Where a two-way switch stands."""

    ON = "on"
    OFF = "off"


class Authority(StrEnum):
    """By what right the signer consents. NONE: signed for somebody else, without proof."""

    SELF = "self"
    PROXY = "proxy"
    NONE = "none"


class Dissent(StrEnum):
    """A recorded refusal to share, against the time of the explicit consent."""

    NONE = "none"
    BEFORE_CONSENT = "before-consent"
    AFTER_CONSENT = "after-consent"


class ReportKind(StrEnum):
    """What kind of report is to be released. NONE: it is no report."""

    NONE = "none"
    FUNCTIONAL = "functional"
    AMRA = "amra"
    CLINICAL = "clinical"


class Sight(StrEnum):
    """Whether the employee saw the report first. NONE: nobody offered it."""

    NONE = "none"
    PENDING = "pending"
    DECLINED = "declined"
    AGREES = "agrees"
    OBJECTS = "objects"


class ReferralType(StrEnum):
    """Who refers: the clinician, or the employer's management."""

    CLINICAL = "clinical"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where some facts came from, in which version, and as of when."""

    name: str
    version: str | None
    as_of: datetime | None
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules read. None means unknown.

    The members `none` of some lists mean that the source says there is none. Lists that the
    rules do not close (`VOCABULARY` marks them) may hold any code, hence `str`.
    """

    action: Action | None = None
    purpose: str | None = None
    registered: bool | None = None
    deceased: bool | None = None
    s_flag: bool | None = None
    authority: str | None = None
    recipient_known: bool | None = None
    recipient_assured: bool | None = None
    recipient_role: str | None = None
    recipient_accepting: bool | None = None
    agreement: AgreementFact | None = None
    agreement_covers: bool | None = None
    agreement_kind: AgreementKind | None = None
    sw_update_record: OnOff | None = None
    sw_send_document: OnOff | None = None
    sw_secondary: SwitchValue | None = None
    sw_freeze: OnOff | None = None
    consent: ConsentState | None = None
    consent_recipient: bool | None = None
    consent_purpose: bool | None = None
    consent_in_period: bool | None = None
    consent_evidence: bool | None = None
    consent_labels: tuple[str, ...] | None = None
    dissent: Dissent | None = None
    type1: bool | None = None
    ndoo: bool | None = None
    anonymised: bool | None = None
    s251: bool | None = None
    specific_consent: bool | None = None
    labels: tuple[str, ...] | None = None
    sealed: bool | None = None
    legal_restricted: bool | None = None
    third_party: bool | None = None
    minimum: bool | None = None
    freetext_ok: bool | None = None
    reason_hit: bool | None = None
    report: str | None = None
    sight: str | None = None
    sight_days: int | None = None
    employed: bool | None = None
    absence_ok: bool | None = None
    prior_12m: bool | None = None
    funded: bool | None = None
    legal_authorised: bool | None = None
    honours_type1: bool | None = None
    agr_change: AgreementChange | None = None
    dpia: bool | None = None
    sc_formal: bool | None = None
    sc_resourced: bool | None = None
    sc_support: bool | None = None
    sc_capacity: bool | None = None
    practice_is_employer: bool | None = None
    referral_type: str | None = None
    payload_from_record: bool | None = None
    fresh: bool | None = None
    payload_hash_ok: bool | None = None
    sources: tuple[Source, ...] = ()

    @property
    def purpose_class(self) -> PurposeClass | None:
        """The purpose's class; an unlisted purpose has the class `?`."""
        return None if self.purpose is None else CLASS_OF.get(self.purpose, PurposeClass.UNLISTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A fact that is true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A fact that is a whole number, not below nought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A fact that is a list of sensitivity labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A fact that is one code of a list.

    `is_open`: the list may grow outside this house; a code that it lacks is a code that no
    rule names.
    """

    listed: type[StrEnum]
    is_open: bool = False


Kind = Truth | Count | Labels | Codes

_OTHERS: Mapping[str, Kind] = {
    "action": Codes(listed=Action),
    "purpose": Codes(listed=Purpose, is_open=True),
    "authority": Codes(listed=Authority, is_open=True),
    "recipient_role": Codes(listed=ProviderRole, is_open=True),
    "agreement": Codes(listed=AgreementFact),
    "agreement_kind": Codes(listed=AgreementKind),
    "sw_update_record": Codes(listed=OnOff),
    "sw_send_document": Codes(listed=OnOff),
    "sw_secondary": Codes(listed=SwitchValue),
    "sw_freeze": Codes(listed=OnOff),
    "consent": Codes(listed=ConsentState),
    "consent_labels": Labels(),
    "dissent": Codes(listed=Dissent),
    "labels": Labels(),
    "report": Codes(listed=ReportKind, is_open=True),
    "sight": Codes(listed=Sight, is_open=True),
    "sight_days": Count(),
    "agr_change": Codes(listed=AgreementChange),
    "referral_type": Codes(listed=ReferralType, is_open=True),
}
VOCABULARY: Mapping[str, Kind] = {
    name: _OTHERS.get(name, Truth()) for name in Facts.__dataclass_fields__ if name != "sources"
}
"""Every fact by name, in the order of the reference, and what it may be when it is known."""
