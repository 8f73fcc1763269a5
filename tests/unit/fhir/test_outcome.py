from typing import Any

import pytest

from gateway.errors import Fault, IssueCode
from gateway.fhir.faults import MAX_FAULTS, more_may_follow
from gateway.fhir.outcome import operation_outcome


def issues(faults: list[Fault]) -> Any:
    return operation_outcome(faults, code=None)["issue"]


def fault(number: int) -> Fault:
    return Fault(
        code=IssueCode.VALUE, expression=f"Bundle.entry[{number}].fullUrl", diagnostics="Mend it."
    )


def test_as_many_faults_as_are_told_are_all_told() -> None:
    told = issues([fault(number) for number in range(MAX_FAULTS)])
    assert [each["code"] for each in told] == ["value"] * MAX_FAULTS


@pytest.mark.parametrize("more", [1, 50_000])
def test_of_more_the_first_are_told_and_that_there_may_be_others(more: int) -> None:
    told = issues([fault(number) for number in range(MAX_FAULTS + more)])
    assert len(told) == MAX_FAULTS + 1
    assert told[-2]["expression"] == [f"Bundle.entry[{MAX_FAULTS - 1}].fullUrl"]
    assert (told[-1]["severity"], told[-1]["code"], told[-1]["expression"]) == (
        "information",
        "too-costly",
        ["Bundle"],
    )


def test_a_list_that_says_so_already_is_told_as_it_is() -> None:
    faults = [*(fault(number) for number in range(MAX_FAULTS)), more_may_follow("Bundle")]
    assert [each["diagnostics"] for each in issues(faults)] == [each.diagnostics for each in faults]
