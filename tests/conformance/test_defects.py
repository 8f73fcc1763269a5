"""Each named defect, at a door and in a format: named at its place, and nothing stored.

The doors and formats are chosen in pairs; the soak tries each defect at each of them.
"""

import copy
from collections import Counter
from collections.abc import Hashable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select

from gateway.fhir.validate import validate
from gateway.journey.reconcile import reconcile
from gateway.store.tables import metadata
from tests.builders.canary import WORDS
from tests.builders.house import House
from tests.conformance.defect import Defect, expression
from tests.conformance.defects import DEFECTS, KNOWN
from tests.conformance.messages import GOOD, Door, Format, body_of, headers_for, send
from tests.conformance.outcomes import stored, told
from tests.conformance.thinning import lot, thinned, until_time_is_up

Case = tuple[Defect, Door, Format]

PRODUCT: Final[list[Case]] = [
    (defect, door, form)
    for defect in DEFECTS
    for door in defect.doors
    for form in Format
    if form in defect.formats
]
"""Every defect at every door in every format; the soak tries them all."""

ONE_IN: Final = 10
"""So many defects, one is tried in XML for no other reason than its name."""

SAMPLE: Final = 12
"""On PostgreSQL, each so-manieth case: the refusals are the same code, the rows are not."""


def drawn(case: Case) -> tuple[bool, int]:
    """Where a case stands when cases are chosen: JSON first, then as its names draw."""
    defect, door, form = case
    return form is Format.XML, lot(defect.name, door.name)


def shows(case: Case) -> Iterator[Hashable]:
    """What a case shows: its defect, and each door and format with what is found where."""
    defect, door, form = case
    found = (defect.code, defect.status, (defect.at or "").partition(".")[0])
    yield defect.name
    yield door, form
    yield from ((door, each) for each in found)
    yield from ((form, each) for each in found)
    if form is Format.XML and lot(defect.name) % ONE_IN == 0:
        yield defect.name, form


CASES: Final[list[Case]] = list(thinned(sorted(PRODUCT, key=drawn), shows))
"""Each defect once in JSON (in XML if it is no other), each pair at least once, and some in XML."""


def named(case: Case) -> Any:
    defect, door, form = case
    reason = KNOWN.get(defect.name)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(case, id=f"{defect.name}-{door.name}-{form.name}".lower(), marks=marks)


def broken(defect: Defect, door: Door) -> tuple[Any, str | None]:
    """A good message with the defect in it, and the FHIRPath at which it is to be named."""
    good = GOOD[door]()
    tree = copy.deepcopy(good)
    defect.change(tree)
    is_new = (defect.at or "").startswith("New")
    return tree, expression(tree if is_new else good, defect.at)


def check(house: House, case: Case) -> None:
    defect, door, form = case
    tree, place = broken(defect, door)
    headers = headers_for(door, form)
    before = stored(house.gateway.store)
    answer = send(house, door, body_of(tree, form), headers)
    outcome: Any = told(answer, form)
    issues = [
        (each["severity"], each["code"], *each.get("expression", [None]))
        for each in outcome["issue"]
    ]
    assert (answer.status_code, issues) == (defect.status, issues)
    assert (defect.severity, defect.code, place) in issues
    assert outcome["resourceType"] == "OperationOutcome"
    assert validate(outcome) == []
    assert stored(house.gateway.store) == before
    for name in ("X-Request-Id", "X-Correlation-Id"):
        assert answer.headers[name] == headers[name]
    said = answer.get_data(as_text=True) + str(answer.headers)
    assert not [word for word in WORDS if word in said]


def test_there_are_enough_defects_and_each_has_a_name_of_its_own() -> None:
    names = [defect.name for defect in DEFECTS]
    assert len(names) == len(set(names)) >= 80
    assert set(KNOWN) <= set(names)


def test_fewer_cases_still_show_each_defect_and_each_pair() -> None:
    assert {thing for case in CASES for thing in shows(case)} == {
        thing for case in PRODUCT for thing in shows(case)
    }
    in_json = {defect.name for defect, _, form in CASES if form is Format.JSON}
    assert in_json == {defect.name for defect in DEFECTS if Format.JSON in defect.formats}
    doors = Counter(door for _, door, _ in CASES)
    assert min(doors[door] for door in Door) > len(DEFECTS) // 5


@pytest.mark.soak
def test_each_defect_is_named_at_each_door_in_each_format(
    house_of_defects: House, soak_time: timedelta
) -> None:
    whole = [case for case in PRODUCT if case[0].name not in KNOWN]
    for case in until_time_is_up(whole, soak_time):
        check(house_of_defects, case)


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name.lower())
@pytest.mark.parametrize("door", Door, ids=lambda door: door.name.lower())
def test_the_message_that_the_defects_are_made_of_is_good(
    house_of_defects: House, door: Door, form: Format
) -> None:
    before = stored(house_of_defects.gateway.store)
    answer = send(house_of_defects, door, body_of(GOOD[door](), form), headers_for(door, form))
    assert answer.status_code == (201 if door is Door.REST else 200)
    assert told(answer, form)["resourceType"] in ("ServiceRequest", "Bundle")
    assert stored(house_of_defects.gateway.store)["referral"] == before["referral"] + 1


@pytest.mark.parametrize("case", [named(case) for case in CASES])
def test_a_defect_is_named_at_its_place_and_nothing_is_stored(
    house_of_defects: House, case: Case
) -> None:
    check(house_of_defects, case)


@pytest.mark.postgresql
def test_refusals_leave_no_row_on_either_engine(house: House) -> None:
    for case in [case for case in CASES if case[0].name not in KNOWN][::SAMPLE]:
        check(house, case)
    assert reconcile(house.gateway).states == dict.fromkeys(reconcile(house.gateway).states, 0)


def test_what_is_kept_of_refused_requests_holds_nothing_of_the_patient(
    house_of_defects: House,
) -> None:
    """Runs after the others: a refusal is kept so that a repeated request is told the same."""
    for case in CASES[:: SAMPLE * 4]:
        if case[0].name not in KNOWN:
            check(house_of_defects, case)
    with house_of_defects.gateway.store.reading(as_one_moment=True) as view:
        rows = str(view.connection.execute(select(metadata.tables["request"])).all())
        rows += str(view.connection.execute(select(metadata.tables["ledger_entry"])).all())
    assert len(rows) > 1000
    assert not [word for word in WORDS if word in rows]
