"""What a message asks a practice to take over: which work, and from which day."""

from datetime import date
from typing import Any

import pytest

from gateway.fhir.read_shared_care import shared_care_of
from gateway.writeback.content import Found
from gateway.writeback.shared_care import SharedCareRequest, SharedWork

DAY = date(2026, 12, 1)


def read(resource: dict[str, Any], what: str | None = None) -> tuple[SharedCareRequest, ...]:
    tree = {"resourceType": "Bundle", "entry": [{"resource": {}}, {"resource": resource}]}
    found = Found("Bundle.entry[1].resource", what or str(resource["resourceType"]))
    return shared_care_of(tree, [found])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resource", "work"),
    [
        (
            {
                "resourceType": "MedicationRequest",
                "dispenseRequest": {"validityPeriod": {"start": "2026-12-01"}},
            },
            SharedWork.PRESCRIBE,
        ),
        ({"resourceType": "CarePlan", "period": {"start": "2026-12-01"}}, SharedWork.MONITOR),
        (
            {"resourceType": "ServiceRequest", "occurrenceDateTime": "2026-12-01T09:00:00Z"},
            SharedWork.DO_WORK,
        ),
        (
            {"resourceType": "ServiceRequest", "occurrencePeriod": {"start": "2026-12-01"}},
            SharedWork.DO_WORK,
        ),
        (
            {"resourceType": "Task", "restriction": {"period": {"start": "2026-12-01"}}},
            SharedWork.DO_WORK,
        ),
    ],
)
def test_the_type_says_the_work_and_its_own_place_the_day(
    resource: dict[str, Any], work: SharedWork
) -> None:
    assert read(resource) == (SharedCareRequest(work=work, begins_on=DAY),)


@pytest.mark.parametrize("start", ["2026-12", "2026", "2026-12-01T09:00:00", "soon", "", 20261201])
def test_a_day_that_is_not_said_whole_is_not_known(start: object) -> None:
    (asked,) = read({"resourceType": "CarePlan", "period": {"start": start}})
    assert asked.begins_on is None


def test_a_day_is_that_of_london() -> None:
    (asked,) = read(
        {"resourceType": "ServiceRequest", "occurrenceDateTime": "2026-06-30T23:30:00Z"}
    )
    assert asked.begins_on == date(2026, 7, 1)


def test_a_plan_asks_for_what_its_activities_are() -> None:
    activity = [{"detail": {"kind": "MedicationRequest"}}, {"detail": {"kind": "Task"}}, {}]
    asked = read({"resourceType": "CarePlan", "activity": activity})
    assert [each.work for each in asked] == [
        SharedWork.DO_WORK,
        SharedWork.MONITOR,
        SharedWork.PRESCRIBE,
    ]


@pytest.mark.parametrize(
    "expression",
    ["Bundle.entry[7].resource", "Bundle.entry.resource", "Bundle.type[0]", "Bundle.entry[0]"],
)
def test_a_place_that_leads_elsewhere_says_no_day(expression: str) -> None:
    tree: Any = {"entry": [{"period": {"start": "2026-12-01"}}], "type": "message"}
    (asked,) = shared_care_of(tree, [Found(expression, "CarePlan")])
    assert asked == SharedCareRequest(work=SharedWork.MONITOR, begins_on=None)


def test_another_resource_at_the_place_says_no_day() -> None:
    (asked,) = read({"resourceType": "Task", "period": {"start": "2026-12-01"}}, "CarePlan")
    assert asked.begins_on is None
