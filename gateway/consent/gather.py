"""Facts of one referral and one service, gathered from where they are known today.

What enters: a referral, one candidate service, and the directory as of now. What leaves: one
Facts value. A later source of a fact replaces one line here; no rule changes with it.

Where a fact has no source yet, its value is the one that is right for forwarding:

| Fact | Value | Why |
|---|---|---|
| ndoo, honours_type1, dpia, sc_* | unknown | no rule about forwarding to care or with explicit consent reads them; secondary and statutory uses hold for want of them |
| type1 | true where the message codes it, else unknown | as above |
| anonymised | false | a referral names a person |
| s251, legal_authorised | false | none is on record here; whoever claims one is refused or held |
| specific_consent | as the Consents say | a Consent that names recipient and purpose is specific |
| labels | those of the message; unknown where a Consent covers only a part of the data | what nobody labelled cannot be told apart |
| reason_hit | unknown | where anything had to be withheld, nothing here withholds it: so it holds |
| sealed, legal_restricted | false | a GP system marks neither in what it sends; it must not send them |
| third_party, freetext_ok, minimum | no, yes, unknown | the clinician who sends has reviewed the text; the unknown minimum keeps the duty to cut |
| report, sight, sight_days | none, none, 0 | a referral is no report |
| prior_12m | false | no earlier plan is known here; the service checks again |
| funded | true for a service of the directory | it offers a service only to those whose commissioner pays |
| agr_change | none | nothing is signed by forwarding |
| referral_type, payload_from_record | clinical, true | the doors take referrals of a practice, from its records |
| s_flag, dissent | as the message marks; a dissent counts as older than the consent beside it | an explicit purpose then waits for the practice, direct care is refused |
| fresh | true | all is read at the instant of the decision |
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.consent.directives import ConsentReading, ConsentState
from gateway.consent.facts import (
    Action,
    AgreementChange,
    AgreementFact,
    Authority,
    Dissent,
    Facts,
    OnOff,
    ReferralType,
    ReportKind,
    Sight,
    Source,
)
from gateway.consent.kleene import among, both
from gateway.consent.marks import Marks, marks_of
from gateway.referral.directory import (
    Agreement,
    AgreementStatus,
    Practice,
    Provider,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.model import IncomingReferral

_STANDING: Mapping[AgreementStatus, AgreementFact] = {
    AgreementStatus.PROPOSED: AgreementFact.NONE,
    AgreementStatus.ACTIVE: AgreementFact.ACTIVE,
    AgreementStatus.SUSPENDED: AgreementFact.SUSPENDED,
    AgreementStatus.WITHDRAWN: AgreementFact.WITHDRAWN,
    AgreementStatus.EXPIRED: AgreementFact.EXPIRED,
}
"""A proposal that nobody signed is no agreement."""

_TWO_WAY = {SwitchValue.ON: OnOff.ON, SwitchValue.OFF: OnOff.OFF}
_FREEZE = {SwitchValue.ON: OnOff.OFF, SwitchValue.OFF: OnOff.ON}
"""A practice that switches new agreements off has frozen them."""

_FROM_MESSAGE = tuple(
    "registered deceased s_flag labels dissent type1 employed absence_ok practice_is_employer".split()
)
_FROM_CONSENTS = tuple(
    "authority consent consent_recipient consent_purpose consent_in_period consent_evidence"
    " consent_labels specific_consent".split()
)
_FROM_DIRECTORY = tuple(
    "recipient_known recipient_assured recipient_role recipient_accepting funded"
    " sw_update_record sw_send_document sw_secondary sw_freeze".split()
)
_FROM_AGREEMENTS = ("agreement", "agreement_covers", "agreement_kind")


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
    marks = marks_of(referral.tree, at)
    known: dict[str, object] = {
        "registered": _registered(referral, practice),
        "deceased": referral.patient.deceased,
        "payload_hash_ok": payload_hash_ok,
        "sources": _sources(agreement, at),
    }
    known |= _about_recipient(service, provider, at) | _about_agreement(agreement, purpose)
    known |= _of_switches(practice) | _of_consents(reading) | _of_marks(marks, reading)
    return Facts(action=Action.FORWARD, purpose=purpose, **known, **_WITHOUT_SOURCE)  # type: ignore[arg-type]  # names and kinds are those of Facts; tests compare each


_WITHOUT_SOURCE: Mapping[str, object] = {
    "anonymised": False,
    "s251": False,
    "legal_authorised": False,
    "sealed": False,
    "legal_restricted": False,
    "third_party": False,
    "freetext_ok": True,
    "report": ReportKind.NONE,
    "sight": Sight.NONE,
    "sight_days": 0,
    "prior_12m": False,
    "agr_change": AgreementChange.NONE,
    "referral_type": ReferralType.CLINICAL,
    "payload_from_record": True,
    "fresh": True,
}


def _about_recipient(
    service: Service | None, provider: Provider | None, at: datetime
) -> dict[str, object]:
    return {
        "recipient_known": service is not None and provider is not None,
        "recipient_assured": _assured(provider, at),
        "recipient_role": provider.role if provider else None,
        "recipient_accepting": service.accepting if service else None,
        "funded": True if service else None,
    }


def _about_agreement(agreement: Agreement | None, purpose: str) -> dict[str, object]:
    return {
        "agreement": _STANDING[agreement.status] if agreement else AgreementFact.NONE,
        "agreement_covers": (purpose in agreement.purposes) if agreement else False,
        "agreement_kind": agreement.kind if agreement else None,
    }


def _of_switches(practice: Practice | None) -> dict[str, object]:
    """Where the switches stand; one that nobody set is unknown."""
    switches = practice.switches if practice else {}

    def two_way(switch: Switch, meaning: Mapping[SwitchValue, OnOff]) -> OnOff | None:
        value = switches.get(switch)
        return None if value is None else meaning.get(value)

    return {
        "sw_update_record": two_way(Switch.UPDATE_RECORD, _TWO_WAY),
        "sw_send_document": two_way(Switch.SEND_DOCUMENT, _TWO_WAY),
        "sw_secondary": switches.get(Switch.SECONDARY_SHARING),
        "sw_freeze": two_way(Switch.NEW_AGREEMENTS, _FREEZE),
    }


def _of_consents(reading: ConsentReading) -> dict[str, object]:
    return {
        "authority": Authority.NONE if reading.is_proxy else Authority.SELF,
        "consent": reading.state,
        "consent_recipient": reading.recipient,
        "consent_purpose": reading.purpose,
        "consent_in_period": reading.in_period,
        "consent_evidence": reading.evidence,
        "consent_labels": reading.labels,
        "specific_consent": both(
            among(reading.state, (ConsentState.ACTIVE,)),
            not reading.is_proxy,
            reading.recipient,
            reading.purpose,
            reading.in_period,
            reading.evidence,
        ),
    }


def _of_marks(marks: Marks, reading: ConsentReading) -> dict[str, object]:
    return {
        "s_flag": marks.is_protected,
        "labels": None if reading.limits_data else marks.labels,
        "dissent": Dissent.BEFORE_CONSENT if marks.dissent else Dissent.NONE,
        "type1": True if marks.type1 else None,
        "employed": marks.employed,
        "absence_ok": marks.absence_ok,
        "practice_is_employer": marks.practice_is_employer,
    }


def _sources(agreement: Agreement | None, at: datetime) -> tuple[Source, ...]:
    return (
        Source(name="message", version=None, as_of=at, facts=_FROM_MESSAGE),
        Source(name="consents", version=None, as_of=at, facts=_FROM_CONSENTS),
        Source(name="directory", version=None, as_of=at, facts=_FROM_DIRECTORY),
        Source(
            name="agreements",
            version=agreement.id if agreement else None,
            as_of=at,
            facts=_FROM_AGREEMENTS,
        ),
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
