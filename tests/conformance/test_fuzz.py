"""Damaged messages at every door, in both formats: no 5xx, all or nothing, and the books balance."""

import time
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fhir.validate import validate
from gateway.journey.check_ledger import check_ledger
from gateway.journey.reconcile import reconcile
from tests.builders.house import House
from tests.conformance.messages import GOOD, Door, Format, body_of, headers_for, send
from tests.conformance.mutations import cut, cuts, damaged, damages
from tests.conformance.outcomes import stored, told

QUICK: Final = 30
"""Examples of each test in `make test`; `make soak` goes on until its time is up."""

fuzz = settings(max_examples=QUICK, suppress_health_check=[HealthCheck.too_slow])


def judge(house: House, door: Door, form: Format, body: bytes) -> None:
    """Send a body. It is accepted whole, or refused and leaves no row; and the answer is valid.

    A refusal by the sharing rules leaves its decision, which is the evidence of it, and the handle
    of a person that the gateway had not met before, which the decision is about.
    """
    before = stored(house.gateway.store)
    answer = send(house, door, body, headers_for(door, form))
    after = stored(house.gateway.store)
    written = {name: after[name] - before[name] for name in after}
    assert answer.status_code < 500
    tree: Any = told(answer, form)
    errors = [fault for fault in validate(tree) if fault.severity.value in ("error", "fatal")]
    if answer.status_code < 300:
        assert written["referral"] == 1
        assert written["decision"] >= 1
        assert written["delivery"] <= 1
        assert tree["resourceType"] in ("ServiceRequest", "Task", "Bundle")
        assert errors == []
        check_that_it_can_be_read(house, answer.headers.get("Location"))
    else:
        refused_by_the_rules = answer.status_code in (403, 422)
        assert refused_by_the_rules or written["decision"] == 0
        assert written["person"] <= written["decision"]
        evidence = {"decision", "person"}
        assert not any(number for name, number in written.items() if name not in evidence)
        assert tree["resourceType"] == "OperationOutcome"
        assert errors == []


def test_a_refusal_of_a_stranger_leaves_the_decision_and_the_handle(house: House) -> None:
    """Nobody was accepted before; the soak's first example may be this one."""
    unknown_service = GOOD[Door.TRANSACTION]()
    for entry in unknown_service["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["performer"][0]["identifier"]["value"] = "2000099999"
    judge(house, Door.TRANSACTION, Format.JSON, body_of(unknown_service, Format.JSON))
    written = stored(house.gateway.store)
    assert (written["decision"], written["person"], written["referral"]) == (1, 1, 0)


def check_that_it_can_be_read(house: House, location: str | None) -> None:
    """What was accepted in one format can be read in both."""
    for form in Format:
        if location is not None:
            path = f"/FHIR/R4/{location.partition('/FHIR/R4/')[2]}"
            answer = house.web.get(path, headers={**house.bearer(), "Accept": form.value})
            assert answer.status_code == 200
            assert told(answer, form)["resourceType"] == "ServiceRequest"


def check_the_books(house: House) -> None:
    """Rows and ledger agree, and the ledger verifies."""
    assert reconcile(house.gateway).discrepancies == ()
    assert all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name.lower())
@pytest.mark.parametrize("door", Door, ids=lambda door: door.name.lower())
def test_a_damaged_message_is_taken_whole_or_not_at_all(
    house_of_defects: House, door: Door, form: Format
) -> None:
    @fuzz
    @given(damages)
    def damage(found: list[Any]) -> None:
        judge(house_of_defects, door, form, body_of(damaged(GOOD[door](), found), form))

    damage()
    check_the_books(house_of_defects)


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name.lower())
@pytest.mark.parametrize("door", Door, ids=lambda door: door.name.lower())
def test_damaged_bytes_are_taken_whole_or_not_at_all(
    house_of_defects: House, door: Door, form: Format
) -> None:
    @fuzz
    @given(cuts)
    def damage(found: list[Any]) -> None:
        judge(house_of_defects, door, form, cut(body_of(GOOD[door](), form), found))

    damage()
    check_the_books(house_of_defects)


@pytest.mark.soak
def test_damage_without_end_does_no_harm(house: House, soak_time: timedelta) -> None:
    """Until the time is up, on each engine: any damage, at any door, in any format."""
    last = time.monotonic() + soak_time.total_seconds()

    @settings(
        max_examples=QUICK * 4,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=False,
    )
    @given(st.sampled_from(Door), st.sampled_from(Format), damages, cuts | st.just([]))
    def damage(door: Door, form: Format, found: list[Any], cutting: list[Any]) -> None:
        body = body_of(damaged(GOOD[door](), found), form)
        judge(house, door, form, cut(body, cutting))

    while time.monotonic() < last:
        damage()
    check_the_books(house)
