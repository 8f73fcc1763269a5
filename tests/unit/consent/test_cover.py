"""What part of the data a consent covers: labels, levels, and times of an item."""

from typing import Any

import pytest

from gateway.consent.cover import ALL_DATA, Bounds, Cover, Part, Subject, covers, part_of
from tests.builders.consent import ACT_CODE, CONFIDENTIALITY, coding

IN_2018 = Part(period=Bounds(start="2018", end="2018"))
TO_2020 = Part(period=Bounds(start="2015", end="2020"))


def an_item(*labels: str, kind: str = "Observation", **elements: Any) -> Subject:
    return Subject(type=kind, labels=frozenset(labels), resource=elements)


def labels(*codes: str) -> Part:
    return Part(labels=frozenset(codes))


def test_a_provision_is_read_with_its_labels_and_its_period() -> None:
    provision = part_of(
        {
            "securityLabel": [coding(ACT_CODE, "PSY"), coding(CONFIDENTIALITY, "N")],
            "dataPeriod": {"start": "2018"},
        }
    )
    assert provision == Part(labels=frozenset({"PSY", "N"}), period=Bounds(start="2018", end=None))
    assert part_of({}) == ALL_DATA.within


def test_a_consent_that_limits_nothing_covers_everything() -> None:
    assert covers(ALL_DATA, an_item())
    assert covers(ALL_DATA, an_item("PSY", "R"))


@pytest.mark.parametrize(
    ("within", "item", "is_covered"),
    [
        (labels("N"), an_item(), True),
        (labels("N"), an_item("L"), True),
        (labels("N"), an_item("N", "PSY"), True),
        (labels("N"), an_item("R"), False),
        (labels("R"), an_item("R"), True),
        (labels("R"), an_item("V"), False),
        (labels("L"), an_item(), False),
        (labels("PSY"), an_item("PSY"), True),
        (labels("PSY"), an_item(), False),
        (labels("PSY"), an_item("PSYTHPN"), False),
        (labels("PSY"), an_item(kind="Patient"), True),
        (labels("PSY"), an_item("HIV", kind="Patient"), False),
    ],
)
def test_a_permission_is_a_high_water_mark_for_levels_and_exact_for_sensitivities(
    within: Part, item: Subject, *, is_covered: bool
) -> None:
    assert covers(Cover(within=within), item) is is_covered


@pytest.mark.parametrize(
    ("denied", "item", "is_covered"),
    [
        (labels("PSY"), an_item("PSY"), False),
        (labels("PSY"), an_item("HIV"), True),
        (labels("MH"), an_item("PSYTHPN"), False),
        (labels("PSYTHPN"), an_item("PSY"), True),
        (labels("R"), an_item("V"), True),
        (labels("R"), an_item("R"), False),
        (labels("N"), an_item(), False),
        (labels("N"), an_item("PSY", "R"), True),
    ],
)
def test_a_denial_is_exact_for_levels_and_takes_the_parts_of_a_sensitivity(
    denied: Part, item: Subject, *, is_covered: bool
) -> None:
    assert covers(Cover(within=Part(), without=(denied,)), item) is is_covered


TIMES: list[tuple[str, Subject, bool]] = [
    ("before", an_item(effectiveDateTime="2017-12-31"), True),
    ("after", an_item(effectiveDateTime="2019-01-01"), True),
    ("within", an_item(effectiveDateTime="2018-06-01T12:00:00Z"), False),
    ("perhaps within, as the clocks change", an_item(issued="2018-12-31T23:30:00Z"), False),
    ("a year that is it", an_item(onsetDateTime="2018", kind="Condition"), False),
    ("one of two dates", an_item(onsetDateTime="2010", recordedDate="2018-02-02"), False),
    ("a period over it", an_item(period={"start": "2017", "end": "2019"}, kind="Encounter"), False),
    ("a period that goes on", an_item(period={"start": "2017"}, kind="Encounter"), False),
    ("a period that began later", an_item(period={"start": "2019"}, kind="Encounter"), True),
    ("a period that ended before", an_item(effectivePeriod={"end": "2017"}), True),
    ("one of several events", an_item(effectiveTiming={"event": ["2016", "2018-01-01"]}), False),
    ("a timing's bounds", an_item(occurrenceTiming={"repeat": {"boundsPeriod": {"start": "2019"}}}), True),
    ("updated within", an_item(issued="2016-01-01", meta={"lastUpdated": "2018-03-01T00:00:00Z"}), False),
    ("updated later", an_item(issued="2016-01-01", meta={"lastUpdated": "2026-03-01T00:00:00Z"}), True),
    ("no date", an_item(), False),
    ("no date but of its update", an_item(meta={"lastUpdated": "2026-03-01T00:00:00Z"}), False),
    ("an age instead of a date", an_item(onsetAge={"value": 40}, kind="Condition"), False),
    ("a date that is none", an_item(effectiveDateTime="last spring"), False),
    ("a period with nothing in it", an_item(period={}, kind="Encounter"), False),
    ("a document of that time", an_item(date="2020-01-01T00:00:00Z", context={"period": {"start": "2018", "end": "2018"}}, kind="DocumentReference"), False),
    ("a document whose content is", an_item(date="2020-01-01T00:00:00Z", content=[{"attachment": {"creation": "2018"}}], kind="DocumentReference"), False),
    ("a document of another time", an_item(date="2020-01-01T00:00:00Z", content=[{}], kind="DocumentReference"), True),
    ("a person", an_item(kind="Practitioner"), True),
    ("what serves another item", an_item(kind="Binary"), True),
]  # fmt: skip


@pytest.mark.parametrize(("item", "is_covered"), [t[1:] for t in TIMES], ids=[t[0] for t in TIMES])
def test_a_denied_year_takes_what_may_be_of_it(item: Subject, *, is_covered: bool) -> None:
    assert covers(Cover(within=Part(), without=(IN_2018,)), item) is is_covered


@pytest.mark.parametrize(
    ("item", "is_covered"),
    [
        (an_item(effectiveDateTime="2018-06-01"), True),
        (an_item(effectiveDateTime="2015-01-01", issued="2020-12-31"), True),
        (an_item(effectiveDateTime="2018", issued="2021-01-01"), False),
        (an_item(effectiveDateTime="2014-12-31"), False),
        (an_item(effectiveDateTime="2020-12-31T23:30:00Z"), False),
        (an_item(effectivePeriod={"start": "2016"}), False),
        (an_item(effectivePeriod={"end": "2016"}), False),
        (an_item(effectivePeriod={"start": "2016", "end": "2017"}), True),
        (an_item(effectiveDateTime="last spring"), False),
        (an_item(), False),
        (an_item(kind="Medication"), True),
        (an_item(kind="Organization"), True),
    ],
)
def test_a_permitted_time_takes_only_what_certainly_is_of_it(
    item: Subject, *, is_covered: bool
) -> None:
    assert covers(Cover(within=TO_2020), item) is is_covered


def test_an_open_bound_does_not_bound() -> None:
    since = Cover(within=Part(period=Bounds(start="2015", end=None)))
    until = Cover(within=Part(period=Bounds(start=None, end="2020")))
    item = an_item(effectiveDateTime="2018")
    assert covers(since, item)
    assert covers(until, item)


def test_a_denial_of_a_label_in_a_time_takes_what_is_both() -> None:
    denied = Part(labels=frozenset({"PSY"}), period=IN_2018.period)
    cover = Cover(within=Part(), without=(denied,))
    assert not covers(cover, an_item("PSY", issued="2018-01-05"))
    assert covers(cover, an_item("PSY", issued="2019-02-01"))
    assert covers(cover, an_item("HIV", issued="2018-01-05"))


def test_a_time_at_the_end_of_the_calendar_can_be_judged() -> None:
    for_ever = Cover(within=Part(period=Bounds(start="2015", end="9999-12-31")))
    assert covers(for_ever, an_item(effectiveDateTime="2018-01-01T00:00:00Z"))
    assert not covers(for_ever, an_item(effectivePeriod={"start": "2018"}))
