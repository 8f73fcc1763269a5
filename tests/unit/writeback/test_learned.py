"""How the switch for coded entry stands, from what was said and found out."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import IllegalMoveError
from gateway.referral.identifiers import OdsCode
from gateway.writeback.allowed import SenderCategory
from gateway.writeback.learned import (
    FINDING_LASTS,
    NOBODY_SAID,
    CodingEvent,
    Position,
    Source,
    append,
    is_switched_off_signal,
    learn,
    state_at,
)

A_PRACTICE = OdsCode("Z99901")
PHARMACY = SenderCategory.COMMUNITY_PHARMACY
DAY = timedelta(days=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def said(
    seq: int,
    value: Position,
    day: int = 0,
    sender: SenderCategory | None = PHARMACY,
    lasts: int | None = None,
) -> CodingEvent:
    at = START + day * DAY
    return CodingEvent(
        practice=A_PRACTICE,
        seq=seq,
        sender=sender,
        value=value,
        source=Source.PRACTICE,
        at=at,
        by="practice-manager",
        expires=None if lasts is None else at + lasts * DAY,
    )


def found(seq: int, day: int, sender: SenderCategory | None = PHARMACY) -> CodingEvent:
    event = learn([said(1, Position.ON)] * (seq - 1), A_PRACTICE, PHARMACY, at=START + day * DAY)
    return CodingEvent(
        practice=A_PRACTICE,
        seq=seq,
        sender=sender,
        value=event.value,
        source=event.source,
        at=event.at,
        by=event.by,
        expires=event.expires,
    )


ON, OFF, UNKNOWN = Position.ON, Position.OFF, Position.UNKNOWN


@pytest.mark.parametrize(
    ("events", "day", "value", "source"),
    [
        ([], 0, UNKNOWN, Source.DEFAULT),
        ([said(1, ON)], 0, ON, Source.PRACTICE),
        ([said(1, ON, 5)], 4, UNKNOWN, Source.DEFAULT),
        ([said(1, ON), said(2, OFF, 1)], 2, OFF, Source.PRACTICE),
        ([said(1, OFF), said(2, ON)], 2, ON, Source.PRACTICE),
        ([said(1, ON, lasts=10)], 10, UNKNOWN, Source.PRACTICE),
        ([said(1, ON), found(2, 1)], 2, OFF, Source.LEARNED),
        ([said(1, ON), found(2, 1)], 31, UNKNOWN, Source.LEARNED),
        ([said(1, ON), found(2, 1), said(3, ON, 3)], 4, ON, Source.PRACTICE),
        ([said(1, OFF), found(2, 1)], 40, OFF, Source.PRACTICE),
        ([said(1, OFF, lasts=5), found(2, 1)], 6, OFF, Source.LEARNED),
        ([found(1, 0), found(2, 20)], 40, OFF, Source.LEARNED),
        ([said(1, ON, sender=SenderCategory.OTHER)], 1, UNKNOWN, Source.DEFAULT),
        ([said(1, ON, sender=None)], 1, UNKNOWN, Source.DEFAULT),
        ([said(1, ON), said(2, OFF, 1, sender=None)], 2, OFF, Source.PRACTICE),
        ([said(1, ON), said(2, OFF, 1, None, lasts=1)], 3, UNKNOWN, Source.PRACTICE),
        ([said(1, ON), found(2, 1, sender=None)], 40, UNKNOWN, Source.LEARNED),
        ([said(1, ON), said(2, OFF, 1, None), said(3, ON, 2, None)], 3, ON, Source.PRACTICE),
    ],
)
def test_the_switch_stands_as_what_was_said_and_found_out_says(
    events: list[CodingEvent], day: int, value: Position, source: Source
) -> None:
    state = state_at(events, PHARMACY, START + day * DAY)
    assert (state.value, state.source) == (value, source)
    assert state.is_on is (value is ON)


def test_a_finding_that_ends_never_turns_the_switch_on() -> None:
    events = [said(1, ON), found(2, 1)]
    assert not any(state_at(events, PHARMACY, START + day * DAY).is_on for day in range(1, 400))


def test_a_state_says_since_when_on_whose_word_and_until_when() -> None:
    state = state_at([found(1, 1)], PHARMACY, START + DAY)
    assert (state.since, state.by) == (START + DAY, "gateway")
    assert state.expires == START + DAY + FINDING_LASTS
    assert NOBODY_SAID.since is None


@pytest.mark.parametrize(
    ("value", "source", "expires"),
    [
        (UNKNOWN, Source.PRACTICE, None),
        (OFF, Source.DEFAULT, None),
        (ON, Source.LEARNED, START + DAY),
        (ON, Source.LOOKUP, START + DAY),
        (OFF, Source.LEARNED, None),
    ],
)
def test_an_event_says_only_what_its_source_can_know(
    value: Position, source: Source, expires: datetime | None
) -> None:
    with pytest.raises(ValueError, match=r"practice|says|ends"):
        CodingEvent(
            practice=A_PRACTICE,
            seq=1,
            sender=PHARMACY,
            value=value,
            source=source,
            at=START,
            by="x",
            expires=expires,
        )


def test_events_are_only_added_at_the_end_and_of_one_practice() -> None:
    events = append(append((), said(1, ON)), said(2, OFF, 1))
    assert [event.seq for event in events] == [1, 2]
    with pytest.raises(IllegalMoveError, match="number 3"):
        append(events, said(2, ON))
    other = learn(events, OdsCode("Z99902"), PHARMACY, at=START, source=Source.LOOKUP)
    with pytest.raises(IllegalMoveError, match="another practice"):
        append(events, other)


@pytest.mark.parametrize(
    ("workflow", "itk3", "mesh", "is_signal"),
    [
        ("GPCONNECT_UPDATE_RECORD", 20010, (None, None), True),
        ("GPCONNECT_UPDATE_RECORD", None, (417, "17"), True),
        ("GPCONNECT_UPDATE_RECORD", 20009, (417, "12"), False),
        ("GPCONNECT_SEND_DOCUMENT", 20010, (417, "17"), False),
    ],
)
def test_only_an_answer_to_codes_says_that_codes_are_switched_off(
    workflow: str, itk3: int | None, mesh: tuple[int | None, str | None], *, is_signal: bool
) -> None:
    signal = is_switched_off_signal(workflow, itk3=itk3, mesh_status=mesh[0], mesh_code=mesh[1])
    assert signal is is_signal
