"""A practice freezes new agreements, or cancels a plan: nothing comes into force behind its back."""

from datetime import timedelta

import pytest

from gateway.errors import ConsentRefusedError
from gateway.journey.agreements import agreements_of
from gateway.journey.bulk import apply_lines
from gateway.journey.notices import notices_of
from gateway.mapping.bulk_file import read_bulk_file
from gateway.referral.directory import AgreementKind, AgreementStatus
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, move, set_to, sign

FREEZE, OH = "new_agreements", "dsa-one-oh"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What storage can change is in tests/storage/test_sharing.py, on each engine."""


def stands(house: House, name: str = "dsa-eval") -> AgreementStatus | None:
    found = {each.id: each.agreement for each in agreements_of(PRACTICE_ODS, house.gateway)}
    agreement = found[name]  # type: ignore[index]  # a text
    return agreement.status if agreement else None


def test_what_was_signed_for_later_does_not_outlive_a_freeze(house: House) -> None:
    set_to(house, FREEZE, "on")
    sign(house, at=house.clock.now + timedelta(days=9))
    house.clock.move(minutes=5)
    frozen = set_to(house, FREEZE, "off")
    assert [(e.agreement, e.move.value) for e in frozen.taken_back] == [("dsa-eval", "withdrawn")]
    assert entries(house, "agreement.withdrawn") != []
    house.clock.move(days=12)
    assert stands(house) is AgreementStatus.WITHDRAWN


def test_a_thaw_that_was_taken_back_leaves_nothing_signed_through_it(house: House) -> None:
    set_to(house, FREEZE, "off")
    house.clock.move(minutes=1)
    start = house.clock.now
    set_to(house, FREEZE, "on", at=start + timedelta(days=40))
    sign(house, at=start + timedelta(days=41))
    house.clock.move(minutes=1)
    frozen = set_to(house, FREEZE, "off", at=start + timedelta(days=38))
    assert [each.agreement for each in frozen.taken_back] == ["dsa-eval"]
    house.clock.move(days=60)
    assert stands(house) is AgreementStatus.WITHDRAWN


def test_what_a_freeze_took_back_is_not_reinstated_under_it(house: House) -> None:
    set_to(house, FREEZE, "on")
    at = house.clock.now + timedelta(days=9)
    sign(house, at=at)
    house.clock.move(minutes=5)
    set_to(house, FREEZE, "off")
    with pytest.raises(ConsentRefusedError, match="NEW_AGREEMENTS_FROZEN"):
        move(house, "reinstated", at=at, confirmed_by="the partners")
    house.clock.move(days=12)
    with pytest.raises(ConsentRefusedError, match="NEW_AGREEMENTS_FROZEN"):
        move(house, "reinstated", confirmed_by="the partners")


def test_a_widening_that_was_planned_is_taken_back_and_the_agreement_goes_on(house: House) -> None:
    set_to(house, FREEZE, "on")
    sign(house)
    at = house.clock.now + timedelta(days=9)
    sign(house, at=at, kind=AgreementKind.MIXED, purposes=frozenset({"evaluation", "planning"}))
    house.clock.move(minutes=5)
    frozen = set_to(house, FREEZE, "off")
    assert [each.move.value for each in frozen.taken_back] == ["reinstated"]
    assert [each.about.kind.value for each in notices_of(PRACTICE_ODS, house.gateway)] == [
        "freeze-new"
    ]
    house.clock.move(days=12)
    (agreement,) = (
        each.agreement for each in agreements_of(PRACTICE_ODS, house.gateway) if each.id != OH
    )
    assert agreement is not None
    assert (agreement.status, agreement.purposes) == (
        AgreementStatus.ACTIVE,
        frozenset({"evaluation"}),
    )


def test_a_freeze_in_a_file_of_many_practices_takes_back_too(house: House) -> None:
    set_to(house, FREEZE, "on")
    sign(house, at=house.clock.now + timedelta(days=9))
    house.clock.move(minutes=5)
    lines = b"practice,what,name,value\nG99001,switch,new_agreements,off\n"
    (done,) = apply_lines(read_bulk_file(lines), OPERATOR, house.gateway, is_rehearsal=False)
    assert done.lines[0].note == "not signed under this freeze, taken back: dsa-eval"
    assert done.notices == 2
    house.clock.move(days=12)
    assert stands(house) is AgreementStatus.WITHDRAWN


# Plans.


def test_a_switch_that_stands_so_already_tells_of_the_plan_and_how_to_cancel_it(
    house: House,
) -> None:
    at = house.clock.now + timedelta(days=3)
    set_to(house, "update_record", "on")
    set_to(house, "update_record", "off", at=at)
    again = set_to(house, "update_record", "on")
    assert again.event is None
    assert again.note is not None
    assert again.note.startswith(f"it is to be off from {at.isoformat()}, as is planned")
    assert set_to(house, "update_record", "on", at=at).event is not None
    assert set_to(house, "update_record", "on").note is None


@pytest.mark.parametrize("to", ["withdrawn", "suspended"])
def test_a_plan_to_stop_is_told_of_and_cancelled_without_another_assessment(
    house: House, to: str
) -> None:
    house.apply(agreements=[house.directory["agreements"][0] | {"dpia_ref": None}])
    at = house.clock.now + timedelta(days=3)
    move(house, to, OH, at=at)
    again = move(house, "reinstated", OH)
    assert again.event is None
    assert again.note == (
        f"it is to be {to} from {at.isoformat()}, as is planned; to cancel that, reinstate it from"
        " that same time"
    )
    with pytest.raises(ConsentRefusedError):
        move(house, "reinstated", OH, at=at + timedelta(days=1))
    assert move(house, "reinstated", OH, at=at).event is not None
    assert move(house, "reinstated", OH).note is None
    house.clock.move(days=5)
    assert stands(house, OH) is AgreementStatus.ACTIVE


def test_what_has_ended_is_not_reinstated_without_an_assessment(house: House) -> None:
    house.apply(agreements=[house.directory["agreements"][0] | {"dpia_ref": None}])
    at = house.clock.now + timedelta(days=3)
    move(house, "withdrawn", OH, at=at)
    house.clock.move(days=3)
    with pytest.raises(ConsentRefusedError):
        move(house, "reinstated", OH, at=at)
