"""Requests that a practice take work over, and agreements under which it may be asked to."""

from datetime import date
from typing import Any

from gateway.journey.shared_care_terms import record_capacity, record_terms
from gateway.referral.identifiers import OdsCode
from gateway.writeback.shared_care import (
    Party,
    PracticeDecision,
    Resourcing,
    Responsibility,
    SharedCareAgreement,
    SharedWork,
    SpecialistSupport,
)
from tests.builders.house import House
from tests.builders.messages import ODS, PRACTICE, PROVIDER
from tests.builders.outcomes import NUMBER

HERE, THERE = OdsCode(PRACTICE), OdsCode(PROVIDER)
BEGINS = "2026-12-01"
SUPPORT = SpecialistSupport(contact="advice line of the clinic", confirmed_on=date(2026, 11, 2))
FORMAL = SharedCareAgreement(
    was_read_whole=True,
    responsibilities=(
        Responsibility(SharedWork.PRESCRIBE, Party.PRACTICE),
        Responsibility(SharedWork.DO_WORK, Party.PRACTICE),
        Responsibility(SharedWork.MONITOR, Party.SPECIALIST),
    ),
    support=SUPPORT,
    resourcing=Resourcing(
        funder="the ICB", works=frozenset({SharedWork.PRESCRIBE, SharedWork.DO_WORK})
    ),
    starts_on=date(2026, 11, 15),
    decision=PracticeDecision.ACCEPTED,
)


def agree(house: House, terms: SharedCareAgreement = FORMAL) -> None:
    record_terms(house.gateway, HERE, THERE, terms, actor="manager")


def say_room(house: House, *, is_there: bool = True) -> None:
    record_capacity(house.gateway, HERE, has_capacity=is_there, actor="manager")


def prescribe(by: str = PRACTICE, begins: str | None = BEGINS, **more: Any) -> dict[str, Any]:
    """Ask whoever `by` is to prescribe."""
    made: dict[str, Any] = {
        "resourceType": "MedicationRequest", "id": "prescribe", "status": "active",
        "intent": "proposal", "medicationCodeableConcept": {"text": "a medicine"},
        "subject": {"identifier": NUMBER},
        "performer": {"identifier": {"system": ODS, "value": by}},
    }  # fmt: skip
    if begins is not None:
        made["dispenseRequest"] = {"validityPeriod": {"start": begins}}
    return made | more


def do_test(begins: str | None = BEGINS) -> dict[str, Any]:
    """Ask the practice to do a test."""
    made: dict[str, Any] = {
        "resourceType": "ServiceRequest", "id": "blood", "status": "active", "intent": "order",
        "requester": {"identifier": {"system": ODS, "value": PROVIDER}},
        "code": {"text": "a blood test"}, "subject": {"identifier": NUMBER},
        "performer": [{"identifier": {"system": ODS, "value": PRACTICE}}],
    }  # fmt: skip
    return made | ({"occurrenceDateTime": begins} if begins else {})
