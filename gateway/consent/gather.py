"""Facts of one referral and one service, gathered from where they are known today.

What enters: a referral, one candidate service, and the directory as of now. What leaves: one
Facts value. A later source of a fact replaces one line here; no rule changes with it.

Where a fact has no source yet, its value is the one that is right for forwarding:

| Fact | Value | Why |
|---|---|---|
| honours_type1, dpia, sc_* | unknown | no rule about forwarding to care or with explicit consent reads them; statutory uses hold for want of them |
| type1 | true where the message codes it, else unknown | as above |
| anonymised | false | a referral names a person |
| legal_authorised | false | none is on record here; whoever claims one is held |
| specific_consent | as the Consents say | a Consent that names recipient and purpose is specific |
| labels, sealed, legal_restricted, reason_hit, minimum, freetext_ok | what withholding came to (`mapping.minimise`) | the rules are asked about what would leave |
| third_party | no | the clinician who sends has reviewed the text |
| report, sight, sight_days | none, none, 0 | a referral is no report |
| prior_12m | false | no earlier plan is known here; the service checks again |
| funded | true for a service of the directory | it offers a service only to those whose commissioner pays |
| agr_change | none | nothing is signed by forwarding |
| referral_type, payload_from_record | clinical, true | the doors take referrals of a practice, from its records |
| consent | unknown where a permission stands alone and the person has no NHS number | the register could not be asked whether it was withdrawn |
| s_flag, dissent | as the message marks; for direct care, as the Consents refuse | a dissent that nobody can date counts as older than the consent beside it: see `objections` |
| fresh | true | all is read at the instant of the decision |
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.consent.directives import ConsentReading, ConsentState
from gateway.consent.facts import (
    CLASS_OF,
    VOCABULARY,
    Action,
    AgreementChange,
    AgreementFact,
    Authority,
    Dissent,
    Facts,
    OnOff,
    PurposeClass,
    ReferralType,
    ReportKind,
    Sight,
    Source,
)
from gateway.consent.kleene import among, both
from gateway.consent.marks import Marks, marks_of
from gateway.consent.objections import dissent_against
from gateway.consent.vocabulary import read_facts
from gateway.consent.withhold import Withheld
from gateway.referral.directory import (
    Agreement,
    AgreementStatus,
    ConfidentialityBasis,
    Practice,
    Provider,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.model import IncomingReferral
from gateway.referral.sharing import OptOut

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
    "registered deceased s_flag labels sealed legal_restricted reason_hit minimum freetext_ok"
    " dissent type1 employed absence_ok practice_is_employer".split()
)
_FROM_CONSENTS = tuple(
    "authority consent consent_recipient consent_purpose consent_in_period consent_evidence"
    " consent_labels specific_consent".split()
)
_FROM_DIRECTORY = tuple(
    "recipient_known recipient_assured recipient_role recipient_accepting funded".split()
)
_FROM_SWITCHES: Mapping[Switch, str] = {
    Switch.UPDATE_RECORD: "sw_update_record",
    Switch.SEND_DOCUMENT: "sw_send_document",
    Switch.SECONDARY_SHARING: "sw_secondary",
    Switch.NEW_AGREEMENTS: "sw_freeze",
}
OF_SWITCHES = frozenset(_FROM_SWITCHES.values())
"""Facts that the switches of a practice say."""
_FROM_AGREEMENTS = ("agreement", "agreement_covers", "agreement_kind", "s251")


def facts_about(  # noqa: PLR0913  # one argument for each source of facts
    referral: IncomingReferral,
    *,
    purpose: str,
    service: Service | None,
    provider: Provider | None,
    practice: Practice | None,
    agreements: Iterable[Agreement],
    reading: ConsentReading,
    withheld: Withheld,
    consents_used: Sequence[str] = (),
    opt_out: OptOut | None = None,
    payload_hash_ok: bool | None,
    received_at: datetime,
    at: datetime,
) -> Facts:
    """Gather the facts for forwarding one referral to one service.

    Of `agreements`, those between others than this practice and provider do not count.
    `reading` is what `directives.read_consents` made of the Consents for this provider and
    purpose, `withheld` what has to stay behind of the message for them. `consents_used` names
    the Consents of the register among them; `opt_out` is the national opt-out where it is
    known and recent. `at` is the instant of the decision.
    """
    here = practice.ods if practice else referral.requester
    there = provider.ods if provider else None
    agreement = _agreement_between(
        (a for a in agreements if (a.practice, a.counterparty) == (here, there)), purpose
    )
    marks = marks_of(referral.tree, at)
    reading = _certain(reading, referral)
    known: dict[str, object] = {
        "registered": _registered(referral, practice),
        "deceased": referral.patient.deceased,
        "payload_hash_ok": payload_hash_ok,
        "ndoo": opt_out.opted_out if opt_out else None,
        "sources": (
            Source(name="message", version=None, as_of=received_at, facts=_FROM_MESSAGE),
            *_of_patient(consents_used, opt_out, at),
            Source(name="directory", version=None, as_of=at, facts=_FROM_DIRECTORY),
            *_of_events(agreement, practice, at),
        ),
    }
    known |= _about_recipient(service, provider, at) | _about_agreement(agreement, purpose)
    known |= _of_switches(practice) | _of_consents(reading) | _of_marks(marks, reading)
    known["dissent"] = _dissent(known["dissent"], reading, purpose)
    known |= _of_withheld(withheld)
    return Facts(action=Action.FORWARD, purpose=purpose, **known, **_WITHOUT_SOURCE)  # type: ignore[arg-type]  # names and kinds are those of Facts; tests compare each


def facts_between(
    practice: Practice | None,
    provider: Provider | None,
    service: Service | None,
    agreements: Iterable[Agreement],
    *,
    action: Action,
    purpose: str,
    at: datetime,
    assumed: Mapping[str, object],
) -> Facts:
    """Gather what is known of a practice, a recipient and a purpose, without any referral.

    What only a referral or a patient could tell is as in a good referral, or as `assumed`
    says: values of `VOCABULARY`. Those facts are marked as assumed.

    Raises:
        ValueError: an assumed name is no fact, or its value is none of its values.
    """
    agreement = _agreement_between(agreements, purpose)
    known = _about_recipient(service, provider, at) | _about_agreement(agreement, purpose)
    known |= _of_switches(practice)
    if service is None:
        del known["recipient_accepting"], known["funded"]
        known["recipient_known"] = provider is not None
    facts = read_facts({**assumed, "action": action, "purpose": purpose}, of_good_referral=True)
    found = {name: value for name, value in known.items() if name not in assumed}
    guessed = tuple(n for n in VOCABULARY if n not in found and n not in ("action", "purpose"))
    return replace(
        facts.facts,
        **found,  # type: ignore[arg-type]  # names and kinds are those of Facts; tests compare
        sources=(
            Source(name="assumed", version=None, as_of=None, facts=guessed),
            Source(name="directory", version=None, as_of=at, facts=_FROM_DIRECTORY),
            *_of_events(agreement, practice, at),
        ),
    )


def with_agreements(facts: Facts, agreements: Iterable[Agreement]) -> Facts:
    """Return facts as they would be under other agreements between the same two."""
    purpose = facts.purpose or ""
    return replace(facts, **_about_agreement(_agreement_between(agreements, purpose), purpose))  # type: ignore[arg-type]  # as in facts_about


def with_switch(facts: Facts, switch: Switch, value: SwitchValue) -> Facts:
    """Return facts as they would be if a switch stood elsewhere."""
    changed = _stands({switch: value})
    name = _FROM_SWITCHES.get(switch)
    return replace(facts, **{name: changed[name]}) if name else facts  # type: ignore[arg-type]  # as in facts_about


_WITHOUT_SOURCE: Mapping[str, object] = {
    "anonymised": False,
    "legal_authorised": False,
    "third_party": False,
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
        "s251": agreement is not None
        and agreement.terms.confidentiality_basis is ConfidentialityBasis.S251,
    }


def _of_switches(practice: Practice | None) -> dict[str, object]:
    """Where the switches stand; one that nobody set is unknown."""
    return _stands(practice.switches if practice else {})


def _stands(switches: Mapping[Switch, SwitchValue]) -> dict[str, object]:
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
        "specific_consent": both(
            among(reading.state, (ConsentState.ACTIVE,)),
            not reading.is_proxy,
            reading.recipient,
            reading.purpose,
            reading.in_period,
            reading.evidence,
        ),
    }


def _certain(reading: ConsentReading, referral: IncomingReferral) -> ConsentReading:
    """Take a permission for uncertain where the register could not be asked.

    A person without an NHS number cannot be found there, and may have withdrawn.
    """
    if referral.patient.nhs_number is None and reading.state is ConsentState.ACTIVE:
        return replace(reading, state=None)
    return reading


def _dissent(coded: object, reading: ConsentReading, purpose: str) -> object:
    """Count a Consent that refuses direct care to this recipient as an objection to it.

    Direct care needs no Consent, so nobody asks for one; but one that says no is heard. One
    that is not understood, or says no to a part of the data, makes it unknown.
    """
    if CLASS_OF.get(purpose) is not PurposeClass.DIRECT or coded is not Dissent.NONE:
        return coded
    if reading.state in _REFUSES or reading.denied:
        return Dissent.BEFORE_CONSENT
    is_unclear = reading.state is None or reading.denied is None or reading.cover.without
    return None if is_unclear else coded


_REFUSES = frozenset({ConsentState.REJECTED, ConsentState.WITHDRAWN})


def _of_withheld(withheld: Withheld) -> dict[str, object]:
    return {
        "labels": withheld.labels,
        "consent_labels": withheld.consent_labels,
        "sealed": withheld.sealed,
        "legal_restricted": withheld.legal_restricted,
        "reason_hit": withheld.reason_hit,
        "minimum": withheld.minimum,
        "freetext_ok": withheld.freetext_ok,
    }


def _of_marks(marks: Marks, reading: ConsentReading) -> dict[str, object]:
    return {
        "s_flag": marks.is_protected,
        "dissent": dissent_against(marks.objections, reading.given),
        "type1": marks.objections.type1 or None,
        "employed": marks.employed,
        "absence_ok": marks.absence_ok,
        "practice_is_employer": marks.practice_is_employer,
    }


def _of_patient(
    consents_used: Sequence[str], opt_out: OptOut | None, at: datetime
) -> Iterator[Source]:
    """Name what the patient said, to the practice and to the national service."""
    used = ", ".join(consents_used) or None
    yield Source(name="consents", version=used, as_of=at, facts=_FROM_CONSENTS)
    answered = opt_out.as_of if opt_out else None
    yield Source(name="national opt-outs", version=None, as_of=answered, facts=("ndoo",))


def _of_events(
    agreement: Agreement | None, practice: Practice | None, at: datetime
) -> Iterator[Source]:
    """Name the events that made agreement and switches stand as they do."""
    yield Source(
        name="agreements",
        version=f"{agreement.id}/{agreement.version}" if agreement else None,
        as_of=at,
        facts=_FROM_AGREEMENTS,
    )
    set_by = practice.switch_events if practice else {}
    for switch, fact in _FROM_SWITCHES.items():
        version = f"{switch}/{set_by[switch]}" if switch in set_by else None
        yield Source(name="switches", version=version, as_of=at, facts=(fact,))


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
