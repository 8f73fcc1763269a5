from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest

from gateway.consent.directives import NO_CONSENT, NOT_UNDERSTOOD, ConsentReading
from gateway.consent.facts import (
    CLASS_OF,
    Action,
    AgreementFact,
    Facts,
    PurposeClass,
    facts_about,
)
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
from gateway.referral.identifiers import (
    AgreementId,
    DosServiceId,
    EndpointId,
    NhsNumber,
    OdsCode,
    ServiceId,
)
from gateway.referral.model import IncomingReferral, PatientInMessage
from tests.builders.consent import COVERS, GOOD_FACTS, NOW, PROVIDER, PURPOSE, STRANGER

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
AGREEMENT = Agreement(
    id=AgreementId("dsa-1"),
    practice=HERE,
    counterparty=PROVIDER,
    kind=AgreementKind.MIXED,
    purposes=frozenset({PURPOSE}),
    status=AgreementStatus.ACTIVE,
)


@dataclass(frozen=True, kw_only=True)
class Sources:
    referral: IncomingReferral = REFERRAL
    service: Service | None = SERVICE
    provider: Provider | None = OFFERING
    practice: Practice | None = PRACTICE
    agreements: Iterable[Agreement] = (AGREEMENT,)
    reading: ConsentReading = COVERS
    payload_hash_ok: bool | None = True
    at: datetime = NOW

    def facts(self) -> Facts:
        return facts_about(
            self.referral,
            purpose=PURPOSE,
            service=self.service,
            provider=self.provider,
            practice=self.practice,
            agreements=self.agreements,
            reading=self.reading,
            payload_hash_ok=self.payload_hash_ok,
            at=self.at,
        )


def with_practices(*practices: OdsCode) -> IncomingReferral:
    return replace(REFERRAL, patient=replace(PATIENT, practices=frozenset(practices)))


def test_good_sources_make_the_good_facts() -> None:
    assert Sources().facts() == GOOD_FACTS


def test_what_is_gathered_is_for_forwarding() -> None:
    assert Sources().facts().action is Action.FORWARD


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
    assert str(facts.agreement) == str(status)


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
    other = replace(AGREEMENT, id=AgreementId("dsa-0"), purposes=frozenset({Purpose.EAP}))
    stopped = replace(AGREEMENT, status=AgreementStatus.WITHDRAWN)
    for agreements in ([other, stopped], [stopped, other]):
        facts = Sources(agreements=agreements).facts()
        assert (facts.agreement, facts.agreement_covers) == (AgreementFact.WITHDRAWN, True)


def test_an_agreement_in_force_speaks_before_the_one_it_replaced() -> None:
    old = replace(AGREEMENT, id=AgreementId("dsa-0"), status=AgreementStatus.EXPIRED)
    for agreements in ([old, AGREEMENT], [AGREEMENT, old]):
        assert Sources(agreements=agreements).facts().agreement is AgreementFact.ACTIVE


def test_an_agreement_for_another_purpose_does_not_cover() -> None:
    other = replace(AGREEMENT, purposes=frozenset({Purpose.EAP}))
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


def test_every_purpose_has_a_class() -> None:
    assert set(CLASS_OF) == set(Purpose)
    assert PurposeClass.UNLISTED not in CLASS_OF.values()


@pytest.mark.parametrize("unlisted", ["marketing", "", "Direct-Care"])
def test_an_unlisted_purpose_has_no_class(unlisted: str) -> None:
    assert replace(GOOD_FACTS, purpose=unlisted).purpose_class is PurposeClass.UNLISTED
