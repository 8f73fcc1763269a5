"""Many practices from one file: each whole or not at all, and the same file again does nothing."""

import time
from typing import Any

import pytest

from gateway.journey.bulk import PracticeResult, apply_lines
from gateway.journey.notices import notices_of
from gateway.journey.switches import switches_of
from gateway.mapping.bulk_file import read_bulk_file
from gateway.referral.identifiers import OdsCode
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.sharing import OPERATOR, set_to, sign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HEADER = "practice,what,name,value,effective_at,reason\n"
TWO = "G99002"


def applied(house: House, lines: str, *, is_rehearsal: bool = False) -> list[PracticeResult]:
    read = read_bulk_file((HEADER + lines).encode())
    return list(apply_lines(read, OPERATOR, house.gateway, is_rehearsal=is_rehearsal))


def outcomes(results: list[PracticeResult]) -> dict[str, list[str]]:
    return {each.practice: [line.outcome.value for line in each.lines] for each in results}


def values(house: House, practice: str) -> dict[str, str]:
    standings = switches_of(OdsCode(practice), house.gateway)
    return {each.switch.value: each.event.value.value for each in standings if each.event}


def changes(house: House) -> list[dict[str, Any]]:
    scene = ("directory.", "token.")
    return [each for each in entries(house) if not each["kind"].startswith(scene)]


def test_all_lines_of_a_practice_are_applied_together(house: House) -> None:
    set_to(house, "new_agreements", "on")
    sign(house)
    results = applied(
        house,
        "G99001,switch,update_record,off,,BMA action 5\n"
        "G99002,switch,new_agreements,off,2026-12-01,\n"
        "G99001,agreement,dsa-eval,withdraw,,\n",
    )
    assert outcomes(results) == {"G99001": ["changed", "changed"], TWO: ["changed"]}
    assert [each.notices for each in results] == [2, 1]
    assert all(each.is_good for each in results)
    event = {e.switch: e.event for e in switches_of(OdsCode("G99001"), house.gateway)}
    assert event["update_record"].reason == "BMA action 5"  # type: ignore[index, union-attr]
    assert values(house, TWO) == {}


def test_the_same_file_again_changes_nothing(house: House) -> None:
    lines = "G99001,switch,update_record,off,,\nG99001,switch,shared_care,off,2026-12-01,\n"
    applied(house, lines)
    before = entries(house)
    house.clock.move(days=30)
    again = applied(house, lines)
    assert outcomes(again) == {"G99001": ["already", "already"]}
    assert [each.is_good for each in again] == [True]
    assert entries(house) == before


def test_a_fault_in_one_practice_undoes_all_of_it_and_leaves_the_others(house: House) -> None:
    results = applied(
        house,
        "G99001,switch,update_record,off,,\n"
        "G99001,agreement,dsa-none,withdraw,,\n"
        "G99001,switch,shared_care,off,,\n"
        "G99999,switch,update_record,off,,\n"
        "G99002,switch,update_record,off,,\n",
    )
    assert outcomes(results) == {
        "G99001": ["undone", "failed", "undone"],
        "G99999": ["failed"],
        TWO: ["changed"],
    }
    assert [each.is_good for each in results] == [False, False, True]
    faults = [(line.line.number, line.fault) for r in results for line in r.lines if line.fault]
    assert faults == [
        (3, "the practice has no agreement dsa-none: its list shows those it has"),
        (5, "the directory has no practice G99999: whoever runs the gateway can add it"),
    ]
    assert values(house, "G99001") == {}
    assert notices_of(OdsCode("G99001"), house.gateway) == []
    assert {each["practice"] for each in entries(house, "switch.changed")} == {TWO}


def test_what_the_rules_refuse_undoes_the_practice_and_is_on_record(house: House) -> None:
    set_to(house, "new_agreements", "on")
    sign(house)
    results = applied(
        house,
        "G99001,agreement,dsa-eval,withdraw,,\n"
        "G99001,switch,new_agreements,off,,\n"
        "G99001,agreement,dsa-eval,reinstate,2026-12-01,\n",
    )
    assert outcomes(results) == {"G99001": ["undone", "undone", "failed"]}
    assert "RENEWAL_NEEDS_DECISION" in str(results[0].lines[2].fault)
    last = entries(house)[-1]
    assert (last["kind"], last["rule"]) == ("agreement.refused", "R23b")
    assert values(house, "G99001") == {"new_agreements": "on"}


def test_a_line_reinstates_under_a_freeze_where_somebody_answers_for_it(house: House) -> None:
    set_to(house, "new_agreements", "on")
    sign(house)
    lines = (
        b"practice,what,name,value,confirmed_by\nG99001,agreement,dsa-eval,suspend,\n"
        b"G99001,switch,new_agreements,off,\n"
    )
    list(apply_lines(read_bulk_file(lines), OPERATOR, house.gateway, is_rehearsal=False))
    again = (
        b"practice,what,name,value,confirmed_by\nG99001,agreement,dsa-eval,reinstate,the partners\n"
    )
    results = list(apply_lines(read_bulk_file(again), OPERATOR, house.gateway, is_rehearsal=False))
    assert outcomes(results) == {"G99001": ["changed"]}


def test_a_rehearsal_says_what_it_would_come_to_and_writes_nothing(house: House) -> None:
    set_to(house, "new_agreements", "on")
    sign(house)
    before = entries(house)
    lines = (
        "G99002,switch,update_record,off,,\n"
        "G99001,switch,new_agreements,off,,\n"
        "G99001,agreement,dsa-eval,suspend,,\n"
        "G99001,agreement,dsa-eval,reinstate,2026-12-01,\n"
    )
    rehearsed = applied(house, lines, is_rehearsal=True)
    assert entries(house) == before
    assert outcomes(rehearsed) == outcomes(applied(house, lines))
    assert [each.notices for each in rehearsed] == [1, 0]


def test_lines_of_one_kind_and_time_make_one_notice(house: House) -> None:
    results = applied(
        house, "G99001,switch,update_record,off,,\nG99001,switch,access_record,off,,\n"
    )
    assert [each.notices for each in results] == [1]
    (notice,) = notices_of(OdsCode("G99001"), house.gateway)
    assert [each.switch.value for each in notice.about.switches] == [
        "update_record",
        "access_record",
    ]


def test_a_notice_of_two_things_ends_once_neither_stands(house: House) -> None:
    applied(house, "G99001,switch,update_record,off,,\nG99001,switch,access_record,off,,\n")
    house.clock.move(days=1)
    applied(house, "G99001,switch,update_record,on,,\n")
    first = notices_of(OdsCode("G99001"), house.gateway)[0]
    assert first.state.value == "drafted"
    house.clock.move(days=1)
    applied(house, "G99001,switch,access_record,on,,\n")
    first = notices_of(OdsCode("G99001"), house.gateway)[0]
    assert first.state.value == "reinstated"


def test_both_ends_of_one_matter_in_one_file_end_its_notice_once(house: House) -> None:
    applied(house, "G99001,switch,update_record,off,,\nG99001,switch,access_record,off,,\n")
    house.clock.move(days=1)
    applied(house, "G99001,switch,update_record,on,,\nG99001,switch,access_record,on,2027-01-01,\n")
    states = [each.state.value for each in notices_of(OdsCode("G99001"), house.gateway)]
    assert states == ["reinstated", "drafted", "drafted"]


def test_hundreds_of_practices_take_seconds(house: House) -> None:
    many = [{"ods": f"H{n:05}", "name": f"Surgery {n}", "commissioner": "QX9"} for n in range(100)]
    house.apply(practices=[*house.directory["practices"], *many])
    lines = "".join(
        f"{each['ods']},switch,{switch},off,2026-12-01,weekend\n"
        for each in many
        for switch in ("update_record", "new_agreements")
    )
    started = time.process_time()
    results = applied(house, lines)
    spent = time.process_time() - started
    assert [each.is_good for each in results] == [True] * 100
    assert sum(each.notices for each in results) == 200
    assert len(changes(house)) == 1 + 4 * 100
    assert spent < 30
