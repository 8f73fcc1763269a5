"""From a referral and the directory to facts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from gateway.consent.decide import Effect, decide
from gateway.consent.directives import NO_CONSENT, NOT_UNDERSTOOD, ConsentReading, ConsentState
from gateway.consent.facts import (
    VOCABULARY,
    Action,
    AgreementFact,
    Authority,
    Dissent,
    Facts,
    OnOff,
    Source,
)
from gateway.consent.gather import facts_about, facts_between, with_agreements, with_switch
from gateway.consent.rules import POLICY
from gateway.consent.withhold import Withheld
from gateway.referral.directory import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    ConfidentialityBasis,
    Practice,
    Provider,
    ProviderRole,
    Purpose,
    Service,
    Switch,
    SwitchValue,
    Terms,
)
from gateway.referral.identifiers import (
    AgreementId,
    DosServiceId,
    EndpointId,
    NhsNumber,
    OdsCode,
    ServiceId,
)
from gateway.referral.json import Json, JsonObject
from gateway.referral.model import IncomingReferral, PatientInMessage
from gateway.referral.sharing import OptOut
from tests.builders.consent import (
    CONFIDENTIALITY,
    COVERS,
    GOOD_FACTS,
    NOW,
    PROVIDER,
    PURPOSE,
    STRANGER,
    coding,
    concept,
    read,
    with_denial,
)

HERE, ELSEWHERE = OdsCode("A81001"), OdsCode("B82002")

PATIENT = PatientInMessage(
    nhs_number=NhsNumber("9990000018"), practices=frozenset({HERE}), deceased=False
)
REFERRAL = IncomingReferral(
    tree={},
    organisations={},
    patient=PATIENT,
    requester=HERE,
    identifiers=(),
    service_asked=None,
    provider_asked=None,
    use_case=None,
    codes=(),
    consents=(),
    letter=False,
)
PRACTICE = Practice(
    ods=HERE,
    name="The practice",
    commissioner=None,
    switches={Switch.SECONDARY_SHARING: SwitchValue.ON},
)
OFFERING = Provider(
    ods=PROVIDER,
    name="The provider",
    role=ProviderRole.OH_PROVIDER,
    assured_until=date(2027, 3, 31),
)
SERVICE = Service(
    id=ServiceId("oh-one"),
    name="The service",
    provider=PROVIDER,
    dos_service_id=DosServiceId("2000099999"),
    endpoint=EndpointId("oh-one"),
    offers=(),
    commissioners=frozenset(),
    accepting=True,
)
FOR_EAP = Terms(name="dsa-0", kind=AgreementKind.MIXED, purposes=frozenset({Purpose.EAP}))
AGREEMENT = Agreement(
    id=AgreementId("dsa-1"),
    practice=HERE,
    counterparty=PROVIDER,
    status=AgreementStatus.ACTIVE,
    terms=Terms(name="dsa-1", kind=AgreementKind.MIXED, purposes=frozenset({PURPOSE})),
)


NOTHING_WITHHELD = Withheld(
    labels=(),
    consent_labels=(),
    sealed=False,
    legal_restricted=False,
    reason_hit=False,
    minimum=True,
    freetext_ok=True,
)


@dataclass(frozen=True, kw_only=True)
class Sources:
    referral: IncomingReferral = REFERRAL
    service: Service | None = SERVICE
    provider: Provider | None = OFFERING
    practice: Practice | None = PRACTICE
    agreements: Iterable[Agreement] = (AGREEMENT,)
    reading: ConsentReading = COVERS
    purpose: str = PURPOSE
    withheld: Withheld = NOTHING_WITHHELD
    payload_hash_ok: bool | None = True
    opt_out: OptOut | None = None
    at: datetime = NOW

    def facts(self) -> Facts:
        return facts_about(
            self.referral,
            purpose=self.purpose,
            service=self.service,
            provider=self.provider,
            practice=self.practice,
            agreements=self.agreements,
            reading=self.reading,
            withheld=self.withheld,
            payload_hash_ok=self.payload_hash_ok,
            opt_out=self.opt_out,
            received_at=self.at,
            at=self.at,
        )


def with_practices(*practices: OdsCode) -> IncomingReferral:
    return replace(REFERRAL, patient=replace(PATIENT, practices=frozenset(practices)))


WITHOUT_SOURCE = frozenset(
    "ndoo type1 honours_type1 dpia sc_formal sc_resourced sc_support sc_capacity"
    " practice_is_employer sw_update_record sw_send_document sw_freeze".split()
)
"""What nobody knows of a good referral; none of it matters to forwarding it."""


def test_good_sources_make_the_good_facts_but_for_what_nobody_knows_yet() -> None:
    facts = Sources().facts()
    other = {n for n in VOCABULARY if getattr(facts, n) != getattr(GOOD_FACTS, n)}
    assert other == WITHOUT_SOURCE | {"specific_consent"}
    assert all(getattr(facts, name) is None for name in WITHOUT_SOURCE)
    assert decide(facts, POLICY).effect is Effect.PERMIT


@pytest.mark.parametrize("purpose", [Purpose.DIRECT_CARE, Purpose.EMERGENCY, Purpose.EAP])
def test_what_nobody_knows_yet_does_not_hold_a_good_referral(purpose: Purpose) -> None:
    facts = replace(Sources().facts(), purpose=purpose)
    assert decide(facts, POLICY).effect is Effect.PERMIT


@pytest.mark.parametrize("purpose", [Purpose.RESEARCH, Purpose.STATUTORY, Purpose.PLANNING])
def test_what_nobody_knows_yet_holds_or_refuses_other_uses(purpose: Purpose) -> None:
    facts = replace(Sources().facts(), purpose=purpose)
    assert decide(facts, POLICY).effect is not Effect.PERMIT


def test_every_fact_of_a_source_says_which() -> None:
    named = [name for source in Sources().facts().sources for name in source.facts]
    assert len(named) == len(set(named))
    assert set(named) <= set(VOCABULARY)
    assert {s.as_of for s in Sources().facts().sources if s.facts != ("ndoo",)} == {NOW}


def source_of(facts: Facts, fact: str) -> Source:
    (source,) = (source for source in facts.sources if fact in source.facts)
    return source


def test_the_event_that_made_an_agreement_stand_so_is_its_facts_version() -> None:
    facts = Sources(agreements=[replace(AGREEMENT, version=3)]).facts()
    assert source_of(facts, "agreement").version == "dsa-1/3"
    assert source_of(Sources(agreements=()).facts(), "agreement").version is None


def test_the_event_that_set_a_switch_is_its_facts_version() -> None:
    practice = replace(PRACTICE, switch_events={Switch.SECONDARY_SHARING: 2})
    facts = Sources(practice=practice).facts()
    assert source_of(facts, "sw_secondary").version == "secondary_sharing/2"
    assert source_of(facts, "sw_freeze").version is None


def test_a_national_opt_out_counts_as_of_its_answer() -> None:
    answered = OptOut(opted_out=True, as_of=NOW)
    facts = Sources(opt_out=answered).facts()
    assert (facts.ndoo, source_of(facts, "ndoo").as_of) == (True, NOW)
    assert Sources().facts().ndoo is None


def test_an_agreement_may_carry_section_251_support() -> None:
    terms = replace(AGREEMENT.terms, confidentiality_basis=ConfidentialityBasis.S251)
    assert Sources(agreements=[replace(AGREEMENT, terms=terms)]).facts().s251 is True
    assert Sources().facts().s251 is False


def test_a_permission_of_one_who_cannot_be_found_in_the_register_is_uncertain() -> None:
    nobody = replace(REFERRAL, patient=replace(PATIENT, nhs_number=None))
    assert Sources(referral=nobody).facts().consent is None
    assert Sources(referral=nobody, reading=NO_CONSENT).facts().consent is ConsentState.NONE


REFUSED = replace(NO_CONSENT, state=ConsentState.REJECTED)


@pytest.mark.parametrize(
    ("reading", "dissent"),
    [
        (NO_CONSENT, Dissent.NONE),
        (COVERS, Dissent.NONE),
        (REFUSED, Dissent.BEFORE_CONSENT),
        (replace(NO_CONSENT, state=ConsentState.WITHDRAWN), Dissent.BEFORE_CONSENT),
        (replace(COVERS, denied=True), Dissent.BEFORE_CONSENT),
        (replace(COVERS, denied=None), None),
        (replace(COVERS, cover=read(with_denial(dataPeriod={"start": "2018"})).cover), None),
        (NOT_UNDERSTOOD, None),
    ],
)
def test_a_consent_that_refuses_direct_care_is_heard(
    reading: ConsentReading, dissent: Dissent | None
) -> None:
    facts = Sources(reading=reading, purpose=Purpose.DIRECT_CARE).facts()
    assert facts.dissent is dissent
    assert Sources(reading=reading).facts().dissent is Dissent.NONE


def test_facts_of_a_pair_are_as_known_or_assumed_as_in_a_good_referral() -> None:
    facts = facts_between(
        PRACTICE,
        OFFERING,
        None,
        [AGREEMENT],
        action=Action.FORWARD,
        purpose=PURPOSE,
        at=NOW,
        assumed={"s_flag": True},
    )
    assert (facts.s_flag, facts.consent, facts.agreement) == (True, "active", "active")
    assert facts.recipient_accepting is True
    assert source_of(facts, "s_flag").name == "assumed"
    assert source_of(facts, "agreement").name == "agreements"


def test_facts_of_a_pair_with_a_service_are_those_of_the_service() -> None:
    full = replace(SERVICE, accepting=False)
    facts = facts_between(
        PRACTICE,
        OFFERING,
        full,
        [AGREEMENT],
        action=Action.FORWARD,
        purpose=PURPOSE,
        at=NOW,
        assumed={},
    )
    assert (facts.recipient_accepting, facts.funded) == (False, True)


def test_facts_may_be_tried_under_another_switch_or_agreement() -> None:
    facts = Sources().facts()
    off = with_switch(facts, Switch.SECONDARY_SHARING, SwitchValue.OFF)
    assert off == replace(facts, sw_secondary=SwitchValue.OFF)
    assert with_switch(facts, Switch.SHARED_CARE, SwitchValue.OFF) == facts
    assert with_agreements(facts, []).agreement is AgreementFact.NONE


def with_tree(**content: Json) -> IncomingReferral:
    return replace(REFERRAL, tree={"resourceType": "ServiceRequest", **content})


def test_what_the_message_marks_becomes_facts() -> None:
    security: JsonObject = {"security": [coding(CONFIDENTIALITY, "R")]}
    snomed = "http://snomed.info/sct"
    referral = with_tree(
        contained=[
            {"resourceType": "Patient", "meta": security},
            {"resourceType": "Observation", "code": concept(snomed, "320011000000108")},
            {"resourceType": "Observation", "code": concept(snomed, "827241000000103")},
        ],
    )
    facts = Sources(referral=referral).facts()
    assert (facts.s_flag, facts.dissent, facts.type1) == (True, Dissent.BEFORE_CONSENT, True)


def test_what_withholding_came_to_becomes_facts() -> None:
    withheld = Withheld(
        labels=("PSY",),
        consent_labels=("HIV",),
        sealed=True,
        legal_restricted=True,
        reason_hit=True,
        minimum=False,
        freetext_ok=None,
    )
    facts = Sources(withheld=withheld).facts()
    for name in Withheld.__dataclass_fields__.keys() - {"taken_out"}:
        assert getattr(facts, name) == getattr(withheld, name)


@pytest.mark.parametrize(
    ("is_proxy", "authority"), [(True, Authority.NONE), (False, Authority.SELF)]
)
def test_who_signed_for_another_has_no_proven_authority(
    authority: Authority, *, is_proxy: bool
) -> None:
    facts = Sources(reading=replace(COVERS, is_proxy=is_proxy)).facts()
    assert (facts.authority, facts.specific_consent) == (authority, not is_proxy)


@pytest.mark.parametrize("value", [SwitchValue.ON, SwitchValue.OFF, None])
def test_the_switches_are_facts_and_a_freeze_is_their_opposite(value: SwitchValue | None) -> None:
    names = (Switch.UPDATE_RECORD, Switch.SEND_DOCUMENT, Switch.NEW_AGREEMENTS)
    switches = {} if value is None else dict.fromkeys(names, value)
    facts = Sources(practice=replace(PRACTICE, switches=switches)).facts()
    assert (facts.sw_update_record, facts.sw_send_document) == (value, value)
    opposite = {SwitchValue.ON: OnOff.OFF, SwitchValue.OFF: OnOff.ON, None: None}
    assert facts.sw_freeze is opposite[value]


def test_a_two_way_switch_that_stands_elsewhere_is_unknown() -> None:
    switches = {Switch.UPDATE_RECORD: SwitchValue.EXCLUSIVE_WITHDRAWN}
    assert Sources(practice=replace(PRACTICE, switches=switches)).facts().sw_update_record is None


def test_nobody_pays_for_a_service_that_is_not_there() -> None:
    assert Sources(service=None).facts().funded is None


@pytest.mark.parametrize(
    ("practices", "registered"),
    [
        ((HERE,), True),
        ((ELSEWHERE,), False),
        ((ELSEWHERE, STRANGER), False),
        ((HERE, ELSEWHERE), None),
        ((), None),
    ],
)
def test_a_patient_is_registered_where_the_message_names_one_practice_and_it_is_ours(
    practices: tuple[OdsCode, ...], *, registered: bool | None
) -> None:
    assert Sources(referral=with_practices(*practices)).facts().registered is registered


@pytest.mark.parametrize("deceased", [True, False])
def test_what_the_message_says_of_death_is_passed_on(*, deceased: bool) -> None:
    referral = replace(REFERRAL, patient=replace(PATIENT, deceased=deceased))
    assert Sources(referral=referral).facts().deceased is deceased


def test_nobody_is_registered_at_a_practice_that_the_directory_lacks() -> None:
    facts = Sources(practice=None).facts()
    assert (facts.registered, facts.agreement, facts.sw_secondary) == (
        False,
        AgreementFact.ACTIVE,
        None,
    )


def test_a_switch_that_nobody_set_is_unknown() -> None:
    assert Sources(practice=replace(PRACTICE, switches={})).facts().sw_secondary is None


def test_a_provider_that_the_directory_lacks_is_unknown_in_all_but_that() -> None:
    facts = Sources(provider=None).facts()
    assert (facts.recipient_known, facts.recipient_assured, facts.recipient_role) == (
        False,
        None,
        None,
    )
    assert facts.agreement is AgreementFact.NONE


def test_a_service_that_the_directory_lacks_is_not_known_to_accept() -> None:
    facts = Sources(service=None).facts()
    assert (facts.recipient_known, facts.recipient_accepting) == (False, None)


@pytest.mark.parametrize(
    ("until", "assured"),
    [(date(2026, 10, 14), True), (date(2026, 10, 13), False), (None, None)],
)
def test_assurance_lasts_to_the_end_of_its_last_day(
    until: date | None, *, assured: bool | None
) -> None:
    at = datetime(2026, 10, 14, 23, 59, tzinfo=UTC)
    facts = Sources(provider=replace(OFFERING, assured_until=until), at=at).facts()
    assert facts.recipient_assured is assured


@pytest.mark.parametrize("status", AgreementStatus)
def test_every_status_of_an_agreement_is_a_fact(status: AgreementStatus) -> None:
    facts = Sources(agreements=[replace(AGREEMENT, status=status)]).facts()
    signed = "none" if status is AgreementStatus.PROPOSED else status
    assert str(facts.agreement) == str(signed)


def test_a_proposal_is_no_agreement() -> None:
    proposed = replace(AGREEMENT, status=AgreementStatus.PROPOSED)
    assert decide(Sources(agreements=[proposed]).facts(), POLICY).code == "NO_AGREEMENT"


def test_no_agreement_is_a_fact_and_covers_nothing() -> None:
    facts = Sources(agreements=()).facts()
    assert (facts.agreement, facts.agreement_covers, facts.agreement_kind) == (
        AgreementFact.NONE,
        False,
        None,
    )


@pytest.mark.parametrize(
    "foreign",
    [replace(AGREEMENT, practice=ELSEWHERE), replace(AGREEMENT, counterparty=STRANGER)],
    ids=["of another practice", "with another provider"],
)
def test_an_agreement_of_others_does_not_count(foreign: Agreement) -> None:
    assert Sources(agreements=[foreign]).facts().agreement is AgreementFact.NONE


def test_an_agreement_for_this_purpose_speaks_before_one_for_another() -> None:
    other = replace(AGREEMENT, id=AgreementId("dsa-0"), terms=FOR_EAP)
    stopped = replace(AGREEMENT, status=AgreementStatus.WITHDRAWN)
    for agreements in ([other, stopped], [stopped, other]):
        facts = Sources(agreements=agreements).facts()
        assert (facts.agreement, facts.agreement_covers) == (AgreementFact.WITHDRAWN, True)


def test_an_agreement_in_force_speaks_before_the_one_it_replaced() -> None:
    old = replace(AGREEMENT, id=AgreementId("dsa-0"), status=AgreementStatus.EXPIRED)
    for agreements in ([old, AGREEMENT], [AGREEMENT, old]):
        assert Sources(agreements=agreements).facts().agreement is AgreementFact.ACTIVE


def test_an_agreement_for_another_purpose_does_not_cover() -> None:
    other = replace(AGREEMENT, terms=FOR_EAP)
    assert Sources(agreements=[other]).facts().agreement_covers is False


@pytest.mark.parametrize("reading", [COVERS, NO_CONSENT, NOT_UNDERSTOOD])
def test_what_was_read_of_the_consents_is_passed_on(reading: ConsentReading) -> None:
    facts = Sources(reading=reading).facts()
    passed_on = ConsentReading(
        state=facts.consent,
        recipient=facts.consent_recipient,
        purpose=facts.consent_purpose,
        in_period=facts.consent_in_period,
        evidence=facts.consent_evidence,
    )
    assert passed_on == reading


@pytest.mark.parametrize("matches", [True, False, None])
def test_whether_the_payload_is_the_same_is_passed_on(*, matches: bool | None) -> None:
    assert Sources(payload_hash_ok=matches).facts().payload_hash_ok is matches
