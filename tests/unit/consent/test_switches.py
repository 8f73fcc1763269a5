import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.switches import can_stand, course, in_order, permits_more, positions_at
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.sharing import Moment, SwitchEvent
from tests.builders.sharing import day, on, switched

HERE = Switch.UPDATE_RECORD
VALUES = [value.value for value in SwitchValue]
STRICT = {"on": 0, None: 1, "exclusive-withdrawn": 1, "off": 2}


def value(events: list[SwitchEvent], moment: Moment) -> str | None:
    found = positions_at(events, moment).get(HERE)
    return found.value if found else None


def test_a_switch_that_nobody_set_is_not_there() -> None:
    assert positions_at([], on(1)) == {}
    assert positions_at([switched("on", 2)], on(1)) == {}


def test_the_last_setting_in_effect_counts() -> None:
    events = [switched("on", 1), switched("off", 2), switched("on", 3, at=day(9))]
    assert [value(events, on(n)) for n in (1, 2, 8, 9)] == ["on", "off", "off", "on"]


def test_each_switch_stands_by_itself() -> None:
    events = [switched("on", 1), switched("off", 1, switch=Switch.SHARED_CARE)]
    assert {s: e.value.value for s, e in positions_at(events, on(1)).items()} == {
        Switch.UPDATE_RECORD: "on",
        Switch.SHARED_CARE: "off",
    }


def test_of_two_settings_at_one_instant_the_one_recorded_later_counts() -> None:
    for first, second in itertools.permutations(VALUES, 2):
        events = [switched(second, 2, at=day(1)), switched(first, 1)]
        assert value(events, on(1)) == second


def test_switching_off_takes_back_an_earlier_plan_to_switch_on() -> None:
    events = [switched("on", 1, at=day(20)), switched("off", 2)]
    assert value(events, on(30)) == "off"


def test_switching_on_takes_back_no_plan_to_switch_off() -> None:
    events = [switched("off", 1, at=day(20)), switched("on", 2)]
    assert [value(events, on(n)) for n in (19, 20)] == ["on", "off"]


def test_a_plan_made_after_switching_off_counts() -> None:
    events = [switched("off", 1), switched("on", 2, at=day(20))]
    assert value(events, on(20)) == "on"


def test_a_half_restriction_takes_back_what_permits_more_and_not_what_permits_less() -> None:
    planned = [switched("on", 1, at=day(20)), switched("off", 2, at=day(25))]
    events = [*planned, switched("exclusive-withdrawn", 3)]
    assert [value(events, on(n)) for n in (21, 25)] == ["exclusive-withdrawn", "off"]


def test_switching_off_counts_though_the_clock_was_set_back_before_it() -> None:
    events = [switched("on", 5), switched("off", 6, at=day(4))]
    assert value(events, on(9)) == "off"


def test_as_known_then_a_later_word_does_not_count() -> None:
    events = [switched("on", 1), switched("off", 5, at=day(2))]
    assert value(events, Moment(at=day(3), known_at=day(4))) == "on"
    assert value(events, Moment(at=day(3))) == "off"


@pytest.mark.parametrize("before", [None, *VALUES])
@pytest.mark.parametrize("after", VALUES)
def test_what_permits_more_is_told_from_what_does_not(before: str | None, after: str) -> None:
    stood = SwitchValue(before) if before else None
    assert permits_more(stood, SwitchValue(after)) is (STRICT[after] < STRICT[before])


def test_a_course_says_nothing_twice() -> None:
    events = [
        switched("on", 1),
        switched("on", 2),
        switched("off", 3),
        switched("on", 4, at=day(3)),
        switched("off", 5, at=day(9)),
    ]
    assert course(events) == [(day(1), SwitchValue.ON), (day(9), SwitchValue.OFF)]


@pytest.mark.parametrize("switch", Switch)
def test_only_secondary_sharing_has_a_third_position(switch: Switch) -> None:
    third = can_stand(switch, SwitchValue.EXCLUSIVE_WITHDRAWN)
    assert third is (switch is Switch.SECONDARY_SHARING)
    assert can_stand(switch, SwitchValue.ON)
    assert can_stand(switch, SwitchValue.OFF)


settings_of_any_sort = st.lists(
    st.tuples(st.sampled_from(VALUES), st.integers(1, 12)), min_size=1, max_size=7
).map(lambda drawn: [switched(v, n, at=day(d)) for n, (v, d) in enumerate(drawn, start=1)])


@given(settings_of_any_sort, st.integers(1, 14))
def test_something_always_counts_of_what_was_set(events: list[SwitchEvent], number: int) -> None:
    assert in_order(events)
    seen = [e for e in events if e.effective_at <= day(number)]
    assert (value(events, on(number)) is None) is (not seen)


@given(settings_of_any_sort, st.integers(1, 14), st.integers(1, 14))
def test_switching_off_is_never_undone_by_what_was_said_before_it(
    events: list[SwitchEvent], since: int, later: int
) -> None:
    off = [*events, switched("off", len(events) + 1, at=day(since))]
    if later >= since:
        assert value(off, on(later)) == "off"
    else:
        assert value(off, on(later)) == value(events, on(later))


@given(settings_of_any_sort, st.sampled_from(VALUES), st.integers(1, 14), st.integers(1, 14))
def test_one_setting_more_that_is_no_looser_never_lets_more_through(
    events: list[SwitchEvent], more: str, since: int, later: int
) -> None:
    before = value(events, on(later))
    if STRICT[more] < STRICT[before]:
        return
    after = value([*events, switched(more, len(events) + 1, at=day(since))], on(later))
    assert STRICT[after] >= STRICT[before]
