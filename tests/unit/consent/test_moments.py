from datetime import UTC, datetime, timedelta

import pytest

from gateway.consent.moments import first_instant, is_after, is_apart, is_inside, is_past, is_within
from gateway.referral.json import JsonObject

NOON = datetime.fromisoformat("2026-06-15T12:00:00+00:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_no_period_bounds_nothing() -> None:
    assert is_within(None, NOON) is True


def test_a_period_without_bounds_bounds_nothing() -> None:
    assert is_within({"id": "open"}, NOON) is True


@pytest.mark.parametrize("start", ["2026", "2026-06", "2026-06-15", "2026-06-15T12:00:00Z"])
def test_a_period_has_begun_once_its_start_has_come(start: str) -> None:
    assert is_within({"start": start}, NOON) is True


@pytest.mark.parametrize("start", ["2027", "2026-07", "2026-06-16", "2026-06-15T12:00:01Z"])
def test_a_period_has_not_begun_before_its_start(start: str) -> None:
    assert is_within({"start": start}, NOON) is False


@pytest.mark.parametrize("end", ["2026", "2026-06", "2026-06-15", "2026-06-15T12:00:00Z"])
def test_an_end_belongs_to_its_period_to_its_last_instant(end: str) -> None:
    assert is_within({"end": end}, NOON) is True


@pytest.mark.parametrize("end", ["2025", "2026-05", "2026-06-14", "2026-06-15T11:59:59Z"])
def test_a_period_is_over_after_its_end(end: str) -> None:
    assert is_within({"end": end}, NOON) is False


@pytest.mark.parametrize(
    ("end", "last", "first_after"),
    [
        ("2024", "2024-12-31T22:59:59Z", "2025-01-01T00:00:00Z"),
        ("2025", "2025-12-31T22:59:59Z", "2026-01-01T00:00:00Z"),
        ("2024-02", "2024-02-29T22:59:59Z", "2024-03-01T00:00:00Z"),
        ("2025-02", "2025-02-28T22:59:59Z", "2025-03-01T00:00:00Z"),
        ("2025-12", "2025-12-31T22:59:59Z", "2026-01-01T00:00:00Z"),
        ("2024-02-29", "2024-02-29T22:59:59Z", "2024-03-01T00:00:00Z"),
    ],
)
def test_a_partial_date_spans_its_whole_year_month_or_day(
    end: str, last: str, first_after: str
) -> None:
    assert is_within({"end": end}, at(last)) is True
    assert is_within({"end": end}, at(first_after)) is False


def test_the_hour_that_summer_time_moves_a_date_by_is_unknown() -> None:
    hour = at("2026-06-15T23:30:00Z")
    assert is_within({"end": "2026-06-15"}, hour) is None
    assert is_within({"start": "2026-06-16"}, hour) is None


def test_an_offset_is_reckoned_with() -> None:
    assert is_within({"end": "2026-06-15T12:30:00+01:00"}, NOON) is False
    assert is_within({"start": "2026-06-15T12:30:00+01:00"}, NOON) is True


def test_seven_digits_of_a_second_are_read() -> None:
    # Some senders' clocks write ticks of 100 ns. The seventh digit is below our resolution.
    end: JsonObject = {"end": "2026-06-15T12:00:00.1234567Z"}
    assert is_within(end, at("2026-06-15T12:00:00.123456Z")) is True
    assert is_within(end, at("2026-06-15T12:00:00.123457Z")) is False


@pytest.mark.parametrize(
    "unreadable",
    [
        "",
        "soon",
        "202",
        "20260615",
        "2026-6-15",
        "2026-02-30",
        "2026-13",
        "0000",
        "2026-06-15T12:00:00",
        "2026-06-15T12:00Z",
        "2026-06-15T12:00:00+0100",
        "2026-06-15T12:00:00+25:00",
        "2026-06-15T24:00:00Z",
        "2026-06-15 12:00:00Z",
        "2026-W25-1",
        "٢٠٢٦-٠٦-١٥",  # noqa: RUF001  # digits, but not FHIR's
        "2026-06-15\n",
    ],
)
def test_a_bound_that_is_unreadable_leaves_the_period_unknown(unreadable: str) -> None:
    assert is_within({"start": unreadable}, NOON) is None
    assert is_within({"end": unreadable}, NOON) is None


@pytest.mark.parametrize(
    "for_ever", ["9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59.999999Z"]
)
def test_an_end_at_the_end_of_the_calendar_is_for_ever(for_ever: str) -> None:
    assert is_within({"end": for_ever}, NOON) is True


@pytest.mark.parametrize("always", ["0001", "0001-01-01", "0001-01-01T00:00:00+14:00"])
def test_a_start_at_the_start_of_the_calendar_has_come(always: str) -> None:
    assert is_within({"start": always}, NOON) is True


@pytest.mark.parametrize("first", ["0001", "0001-01-01T00:00:00+14:00"])
def test_an_end_at_the_start_of_the_calendar_is_over(first: str) -> None:
    assert is_within({"end": first}, NOON) is False


def test_a_later_end_of_the_calendar_elsewhere_is_still_for_ever() -> None:
    assert is_within({"end": "9999-12-31T23:59:59-14:00"}, NOON) is True


@pytest.mark.parametrize("past", ["2026", "2026-06-15", "2026-06-15T12:00:00Z"])
def test_a_date_that_has_come_is_past(past: str) -> None:
    assert is_past(past, NOON) is True


@pytest.mark.parametrize("not_past", [None, "yesterday", "2026-02-30", "2027", "2026-06-16"])
def test_a_date_that_is_missing_unreadable_or_to_come_is_not_past(not_past: str | None) -> None:
    assert is_past(not_past, NOON) is False


def test_a_clock_that_is_minutes_ahead_does_not_make_a_future() -> None:
    assert is_past("2026-06-15T12:04:59Z", NOON) is True
    assert is_past("2026-06-15T12:05:01Z", NOON) is False


@pytest.mark.parametrize("unreadable", [None, "yesterday", "2026-02-30"])
def test_a_time_that_cannot_be_read_is_neither_later_nor_earlier(unreadable: str | None) -> None:
    assert is_after(unreadable, "2026") is None
    assert is_after("2026", unreadable) is None
    assert first_instant(unreadable) is None


BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
FIRST = ["0001", "0001-01", "0001-01-01", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00"]
LAST = ["9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize("text", [*FIRST, *LAST])
@pytest.mark.parametrize("at", [BEGINNING, NOON, END])
def test_no_time_at_an_end_of_the_calendar_breaks_the_reading(text: str, at: datetime) -> None:
    begins = first_instant(text)
    assert begins is not None
    assert begins.utcoffset() == timedelta()
    assert is_past(text, at) in {True, False, None}
    assert is_within({"start": text, "end": text}, at) in {True, False, None}
    for other in (*FIRST, *LAST):
        assert is_after(text, other) in {True, False, None}
        assert is_apart((text, other), (other, text)) in {True, False}
        assert is_inside((text, other), (other, text)) in {True, False}


@pytest.mark.parametrize(("first", "last"), [*zip(FIRST, LAST, strict=True)])
def test_the_ends_of_the_calendar_are_told_apart(first: str, last: str) -> None:
    assert is_after(last, first) is True
    assert is_after(first, last) is False
    assert is_past(first, NOON) is True
    assert is_past(last, NOON) is False
    assert is_past(last, END) is True


def test_what_lies_beyond_the_calendar_in_utc_is_its_end() -> None:
    assert first_instant("0001-01-01T00:00:00+14:00") == BEGINNING
    assert first_instant("9999-12-31T23:59:59-14:00") == END
