"""A practice sets its switches: what counts when, and what is refused before it is written."""

from datetime import timedelta

import pytest

from gateway.errors import IllegalMoveError, InvalidMessageError, NotFoundError
from gateway.journey.switches import SwitchWish, set_switch, switch_history, switches_of
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.identifiers import OdsCode
from tests.builders.evidence import entries, the_delivery, work
from tests.builders.house import House
from tests.builders.messages import service_request
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, set_to

FREEZE = "new_agreements"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What storage can change is in tests/storage/test_sharing.py, on each engine."""


def value(house: House, switch: str) -> str | None:
    for each in switches_of(PRACTICE_ODS, house.gateway):
        if each.switch.value == switch:
            return each.event.value.value if each.event else None
    raise AssertionError(switch)


def changes(house: House) -> list[tuple[str, str, str]]:
    found = entries(house, "switch.changed")
    return [(each["switch"], each["value"], each["source"]) for each in found]


def test_a_switch_that_stands_so_already_writes_nothing(house: House) -> None:
    set_to(house, "update_record", "off")
    house.clock.move(days=1)
    before = entries(house)
    done = set_to(house, "update_record", "off")
    assert done.event is None
    assert done.standing.event is not None
    assert entries(house) == before


def test_the_same_plan_again_writes_nothing_even_once_it_counts(house: House) -> None:
    at = house.clock.now + timedelta(days=3)
    set_to(house, "update_record", "on")
    set_to(house, "update_record", "off", at=at)
    assert set_to(house, "update_record", "off", at=at).event is None
    house.clock.move(days=5)
    assert set_to(house, "update_record", "off", at=at).event is None


def test_switching_off_again_takes_back_a_plan_to_switch_on(house: House) -> None:
    set_to(house, "update_record", "off")
    set_to(house, "update_record", "on", at=house.clock.now + timedelta(days=3))
    assert set_to(house, "update_record", "off").event is not None
    house.clock.move(days=4)
    assert value(house, "update_record") == "off"


def test_two_settings_at_one_instant_leave_the_last(house: House) -> None:
    for each in ("on", "off", "on"):
        set_to(house, "update_record", each)
    assert value(house, "update_record") == "on"
    assert [each.seq for each in switch_history(PRACTICE_ODS, house.gateway)] == [1, 2, 3]


def test_a_restriction_may_count_from_the_past_and_nothing_else_may(house: House) -> None:
    set_to(house, "update_record", "on")
    house.clock.move(days=2)
    yesterday = house.clock.now - timedelta(days=1)
    set_to(house, "update_record", "off", at=yesterday)
    assert value(house, "update_record") == "off"
    before = entries(house)
    with pytest.raises(IllegalMoveError, match="say when it takes effect from now on"):
        set_to(house, "update_record", "on", at=yesterday)
    assert entries(house) == before


def test_a_restriction_of_now_may_not_loosen_what_stood_in_the_past(house: House) -> None:
    set_to(house, "secondary_sharing", "off")
    house.clock.move(days=2)
    set_to(house, "secondary_sharing", "on")
    past = house.clock.now - timedelta(days=1)
    with pytest.raises(IllegalMoveError, match="from now on"):
        set_to(house, "secondary_sharing", "exclusive-withdrawn", at=past)


def test_an_unset_switch_may_be_switched_off_from_the_past_and_not_on(house: House) -> None:
    past = house.clock.now - timedelta(days=1)
    with pytest.raises(IllegalMoveError, match="from now on"):
        set_to(house, "shared_care", "on", at=past)
    assert set_to(house, "shared_care", "off", at=past).event is not None


@pytest.mark.parametrize(("first", "then"), [("on", "off"), ("off", "on")])
def test_the_last_word_counts_though_the_clock_was_set_back(
    house: House, first: str, then: str
) -> None:
    house.clock.move(hours=1)
    set_to(house, "update_record", first)
    house.clock.move(minutes=-30)
    done = set_to(house, "update_record", then)
    assert done.event is not None
    assert value(house, "update_record") == then


def test_a_position_that_a_switch_does_not_have_is_refused(house: House) -> None:
    with pytest.raises(InvalidMessageError, match="only secondary_sharing has a third"):
        set_to(house, "update_record", "exclusive-withdrawn")


def test_a_practice_that_nobody_knows_is_refused_before_anything_is_written(house: House) -> None:
    before = entries(house)
    wish = SwitchWish(switch=Switch.UPDATE_RECORD, value=SwitchValue.OFF)
    with pytest.raises(NotFoundError, match="no practice G99999"):
        set_switch(OdsCode("G99999"), wish, OPERATOR, house.gateway)
    with pytest.raises(NotFoundError, match="no practice G99999"):
        switches_of(OdsCode("G99999"), house.gateway)
    with pytest.raises(NotFoundError, match="no practice G99999"):
        switch_history(OdsCode("G99999"), house.gateway)
    assert entries(house) == before


def test_a_history_is_of_one_switch_or_of_all(house: House) -> None:
    set_to(house, "update_record", "off")
    set_to(house, FREEZE, "off")
    every = switch_history(PRACTICE_ODS, house.gateway)
    of_one = switch_history(PRACTICE_ODS, house.gateway, switch=Switch.NEW_AGREEMENTS)
    assert (len(every), [each.switch for each in of_one]) == (2, [Switch.NEW_AGREEMENTS])


def test_freezing_sign_up_stops_no_delivery_under_an_agreement_in_force(house: House) -> None:
    before = house.post("/ServiceRequest", service_request())
    set_to(house, FREEZE, "off")
    after = house.post("/ServiceRequest", service_request())
    assert (before.status_code, after.status_code) == (201, 201)
    work(house)
    assert len(house.destination.received) == 2


def test_a_file_never_overrules_what_the_practice_said(house: House) -> None:
    set_to(house, "update_record", "off")
    first, second = house.directory["practices"]
    house.apply(practices=[first | {"switches": {"update_record": "on"}}, second])
    assert value(house, "update_record") == "off"


def test_the_delivery_of_a_referral_is_not_touched_by_other_switches(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    for switch in ("update_record", "secondary_sharing", "shared_care", "access_record"):
        set_to(house, switch, "off")
    work(house)
    assert the_delivery(house).state == "delivered"
