"""What a patient refuses is heard, wherever it was said and for whatever purpose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.house import House
from tests.builders.messages import (
    PHARMACY,
    PHARMACY_SERVICE,
    bars_headers,
    bars_message,
    consent,
    implied_consent,
    patient,
    service_request,
)
from tests.builders.register import register, to_register, withdraw

BARS_USE_CASES = "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars"
OPT_OUT = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        yield built


def to_pharmacy(house: House, *consents: Any) -> Any:
    sent = bars_message(
        service=PHARMACY_SERVICE,
        use_case=(BARS_USE_CASES, "a5t1"),
        consents=[implied_consent(), *consents],
    )
    return house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))


def test_direct_care_needs_no_more_than_implied_consent(house: House) -> None:
    assert to_pharmacy(house).status_code == 200


@pytest.mark.parametrize(
    "refusal",
    [
        consent(PHARMACY, "direct-care") | {"policyRule": OPT_OUT},
        consent(PHARMACY, "direct-care", "rejected"),
        consent(PHARMACY, "direct-care", "inactive"),
    ],
    ids=["opted out", "rejected", "withdrawn"],
)
def test_a_consent_that_refuses_direct_care_to_the_recipient_is_an_objection(
    house: House, refusal: Any
) -> None:
    answer = to_pharmacy(house, refusal)
    assert answer.status_code == 422
    assert "NO_PATIENT_CONSENT" in answer.get_data(as_text=True)


def test_a_consent_about_another_purpose_does_not_stop_direct_care(house: House) -> None:
    assert to_pharmacy(house, consent(status="rejected")).status_code == 200


def test_a_refusal_in_the_register_stops_direct_care(house: House) -> None:
    register(house, to_register(to=PHARMACY, policyRule=OPT_OUT, provision=None))
    assert to_pharmacy(house).status_code == 422


def test_a_withdrawal_is_not_passed_by_leaving_the_nhs_number_out(house: House) -> None:
    withdraw(house, register(house))
    nameless = patient()
    del nameless["identifier"]
    answer = house.post("/ServiceRequest", service_request(person=nameless))
    assert answer.status_code == 202
    assert answer.get_json()["statusReason"]["coding"][0]["code"] == "FACT_UNKNOWN:R30"
