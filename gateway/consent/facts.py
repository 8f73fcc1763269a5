"""Facts: what a sharing decision may look at. True, False or unknown (None), never guessed.

What enters: a referral, one candidate service, and the directory as of now. What leaves:
one Facts value. Names are those of the sharing rules' fact vocabulary. A later source of a
fact replaces one line here; a rule never learns where a fact came from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.consent.directives import ConsentReading, ConsentState
from gateway.referral.directory import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    Practice,
    Provider,
    ProviderRole,
    Purpose,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.model import IncomingReferral


class Action(StrEnum):
    """What is to be done with the data."""

    FORWARD = "forward"
    EXTRACT = "extract"


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
    """Where the agreement between practice and recipient stands; NONE: there is none."""

    NONE = "none"
    PROPOSED = "proposed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rules of this version read. None means unknown.

    `agreement` and `consent` are None when their source could not tell; the members
    `AgreementFact.NONE` and `ConsentState.NONE` mean that the source says there is none.
    """

    action: Action
    purpose: str
    registered: bool | None
    deceased: bool | None
    recipient_known: bool | None
    recipient_assured: bool | None
    recipient_role: ProviderRole | None
    recipient_accepting: bool | None
    agreement: AgreementFact | None
    agreement_covers: bool | None
    agreement_kind: AgreementKind | None
    sw_secondary: SwitchValue | None
    consent: ConsentState | None
    consent_recipient: bool | None
    consent_purpose: bool | None
    consent_in_period: bool | None
    consent_evidence: bool | None
    payload_hash_ok: bool | None

    @property
    def purpose_class(self) -> PurposeClass:
        """The purpose's class; an unlisted purpose has the class `?`."""
        return CLASS_OF.get(self.purpose, PurposeClass.UNLISTED)


def facts_about(  # noqa: PLR0913  # one argument for each source of facts
    referral: IncomingReferral,
    *,
    purpose: str,
    service: Service | None,
    provider: Provider | None,
    practice: Practice | None,
    agreements: Iterable[Agreement],
    reading: ConsentReading,
    payload_hash_ok: bool | None,
    at: datetime,
) -> Facts:
    """Gather the facts for forwarding one referral to one service.

    Of `agreements`, those between others than this practice and provider do not count.
    `reading` is what `directives.read_consents` made of the message's Consents for this
    provider and purpose. `at` is the instant of the decision.
    """
    here = practice.ods if practice else referral.requester
    there = provider.ods if provider else None
    agreement = _agreement_between(
        (a for a in agreements if (a.practice, a.counterparty) == (here, there)), purpose
    )
    return Facts(
        action=Action.FORWARD,
        purpose=purpose,
        registered=_registered(referral, practice),
        deceased=referral.patient.deceased,
        recipient_known=service is not None and provider is not None,
        recipient_assured=_assured(provider, at),
        recipient_role=provider.role if provider else None,
        recipient_accepting=service.accepting if service else None,
        agreement=AgreementFact(agreement.status) if agreement else AgreementFact.NONE,
        agreement_covers=(purpose in agreement.purposes) if agreement else False,
        agreement_kind=agreement.kind if agreement else None,
        sw_secondary=practice.switches.get(Switch.SECONDARY_SHARING) if practice else None,
        consent=reading.state,
        consent_recipient=reading.recipient,
        consent_purpose=reading.purpose,
        consent_in_period=reading.in_period,
        consent_evidence=reading.evidence,
        payload_hash_ok=payload_hash_ok,
    )


def _registered(referral: IncomingReferral, practice: Practice | None) -> bool | None:
    """Whether the message says so; unknown where it names no practice, or several.

    Nobody is registered at what is no practice here: a provider cannot refer to itself.
    """
    if practice is None:
        return False
    named = referral.patient.practices
    if len(named) != 1 and (not named or practice.ods in named):
        return None
    return practice.ods in named


def _assured(provider: Provider | None, at: datetime) -> bool | None:
    if provider is None or provider.assured_until is None:
        return None
    return at.date() <= provider.assured_until


def _agreement_between(agreements: Iterable[Agreement], purpose: str) -> Agreement | None:
    """Pick the agreement that speaks for this purpose: covering before not, active first."""
    ranked = sorted(
        agreements,
        key=lambda a: (purpose not in a.purposes, a.status is not AgreementStatus.ACTIVE, a.id),
    )
    return ranked[0] if ranked else None
