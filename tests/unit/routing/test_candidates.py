"""Which services are tried, in which order, and what is refused by name."""

from dataclasses import replace

import pytest

from gateway.errors import UnsupportedMessageError
from gateway.fhir.read_referral import read_referral
from gateway.referral.directory import Offer, Service
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    USE_CASE_SYSTEM,
    DosServiceId,
    EndpointId,
    OdsCode,
    ServiceId,
)
from gateway.referral.model import IncomingReferral, UseCase
from gateway.routing.candidates import UNKNOWN_PURPOSE, Candidate, candidates
from tests.builders.messages import service_request

CODE = "306152009"
OH = Offer(
    use_case_system=USE_CASE_SYSTEM, use_case="oh", purpose="occupational-health", codes=(CODE,)
)
PHARMACY = Offer(
    use_case_system=BARS_USE_CASE_SYSTEM, use_case="a5t1", purpose="direct-care", codes=()
)
ICB, OTHER_ICB = OdsCode("QX9"), OdsCode("QY9")


def service(
    number: int, *offers: Offer, provider: str = "RX901", icb: OdsCode | None = None
) -> Service:
    return Service(
        id=ServiceId(f"service-{number}"), name="A service", provider=OdsCode(provider),
        dos_service_id=DosServiceId(f"90000000{number}"), endpoint=EndpointId("oh"),
        offers=offers or (OH,), commissioners=frozenset({icb} if icb else ()), accepting=True,
    )  # fmt: skip


def asking(
    *, service_id: str | None = None, provider: str | None = None, use_case: UseCase | None = None
) -> IncomingReferral:
    return replace(
        read_referral(service_request(service=None)),
        service_asked=DosServiceId(service_id) if service_id else None,
        provider_asked=OdsCode(provider) if provider else None,
        use_case=use_case,
    )


def ids(found: list[Candidate]) -> list[str | None]:
    return [c.service.id if c.service else None for c in found]


def test_a_named_service_is_found_among_others() -> None:
    wanted = service(2)
    found = candidates(asking(service_id=wanted.dos_service_id), [service(1), wanted], ICB)
    assert found == [Candidate(service=wanted, purpose="occupational-health")]


def test_a_named_service_that_does_not_exist_is_a_candidate_that_leads_nowhere() -> None:
    found = candidates(asking(service_id="77"), [service(1)], ICB)
    assert found == [Candidate(service=None, purpose=UNKNOWN_PURPOSE)]


def test_a_named_service_with_one_offer_takes_a_referral_without_use_case() -> None:
    wanted = service(1, PHARMACY)
    (found,) = candidates(asking(service_id=wanted.dos_service_id), [wanted], ICB)
    assert found.purpose == "direct-care"


def test_a_named_service_with_several_offers_needs_to_be_told_which() -> None:
    wanted = service(1, PHARMACY, replace(PHARMACY, use_case="a5t2"))
    with pytest.raises(UnsupportedMessageError) as refused:
        candidates(asking(service_id=wanted.dos_service_id), [wanted], ICB)
    assert refused.value.faults[0].expression == "ServiceRequest.code"


def test_a_use_case_decides_among_several_offers() -> None:
    wanted = service(1, OH, PHARMACY)
    use_case = UseCase(BARS_USE_CASE_SYSTEM, "a5t1")
    (found,) = candidates(
        asking(service_id=wanted.dos_service_id, use_case=use_case), [wanted], ICB
    )
    assert found.purpose == "direct-care"


def test_a_use_case_that_is_not_offered_is_refused_even_where_the_code_fits() -> None:
    wanted = service(1)
    use_case = UseCase(USE_CASE_SYSTEM, "other")
    with pytest.raises(UnsupportedMessageError) as refused:
        candidates(asking(service_id=wanted.dos_service_id, use_case=use_case), [wanted], ICB)
    assert refused.value.faults[0].expression == "ServiceRequest.category"


def test_a_provider_that_is_named_has_all_its_services_tried() -> None:
    services = [service(1), service(2, provider="RX902"), service(3, icb=OTHER_ICB)]
    assert ids(candidates(asking(provider="RX901"), services, ICB)) == ["service-1", "service-3"]


def test_a_provider_without_services_leads_nowhere() -> None:
    assert ids(candidates(asking(provider="RX999"), [service(1)], ICB)) == [None]


def test_a_referral_that_names_nobody_stays_with_its_commissioner() -> None:
    services = [service(1, icb=OTHER_ICB), service(2, icb=ICB), service(3)]
    assert ids(candidates(asking(), services, ICB)) == ["service-2", "service-3"]
    assert ids(candidates(asking(), services, None)) == ["service-3"]


@pytest.mark.parametrize(
    ("use_case", "word"), [(None, "code"), (UseCase(USE_CASE_SYSTEM, "eap"), "use case")]
)
def test_a_referral_that_nobody_takes_is_refused(use_case: UseCase | None, word: str) -> None:
    with pytest.raises(UnsupportedMessageError, match=f"takes this {word}"):
        candidates(asking(use_case=use_case), [service(1, PHARMACY)], ICB)
