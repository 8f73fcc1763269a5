import itertools
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.consent import facts
from gateway.errors import IllegalMoveError
from gateway.referral import report
from gateway.referral.report import (
    ANSWERS,
    COPY_MOVES,
    Answer,
    CopyState,
    Recipient,
    ReportCopy,
    ReportKind,
    Sight,
    move_copy,
    offer_sight,
    show,
    supply,
    take_answer,
    withhold_copy,
    write_anew,
)

DAY = date(2026, 3, 2)
LATER = DAY + timedelta(days=3)
DRAFT = ReportCopy(recipient=Recipient.EMPLOYER, kind=ReportKind.AMRA)
SHOWN = show(DRAFT, DAY)
ASKED = take_answer(DRAFT, Answer.ASKS_SIGHT, DAY, version=1)
IN_STATE = {
    CopyState.DRAFT: DRAFT,
    CopyState.SHOWN: SHOWN,
    CopyState.WITHHELD: withhold_copy(DRAFT),
    CopyState.RELEASED: supply(DRAFT, DAY),
    CopyState.RELEASED_WITH_STATEMENT: supply(
        take_answer(SHOWN, Answer.ATTACHES_STATEMENT, DAY, version=1), DAY
    ),
}


def test_the_picture_in_the_docstring_is_the_table() -> None:
    line = re.compile(r"^ {4}([a-z-]+) +(?:──► ([a-z, -]+)|\(final\))$", re.MULTILINE)
    drawn = {one: set(v.split(", ")) for one, v in line.findall(str(report.__doc__))}
    assert drawn == {str(s): set(map(str, moves)) or {""} for s, moves in COPY_MOVES.items()}


@pytest.mark.parametrize(("present", "wanted"), list(itertools.product(CopyState, repeat=2)))
def test_a_copy_makes_the_moves_of_the_table_and_no_other(
    present: CopyState, wanted: CopyState
) -> None:
    if wanted in COPY_MOVES[present]:
        assert move_copy(present, wanted) is wanted
    else:
        with pytest.raises(IllegalMoveError, match=f"that is {present} cannot become {wanted}"):
            move_copy(present, wanted)


@pytest.mark.parametrize(("state", "answer"), list(itertools.product(CopyState, Answer)))
def test_the_person_says_what_the_table_lets_them_and_no_more(
    state: CopyState, answer: Answer
) -> None:
    copy = IN_STATE[state]
    if answer in ANSWERS[state]:
        assert take_answer(copy, answer, LATER, version=1).answer is answer
    else:
        with pytest.raises(IllegalMoveError, match=f"cannot say {answer}"):
            take_answer(copy, answer, LATER, version=1)


def test_kinds_and_sight_are_spelt_as_the_sharing_rules_spell_them() -> None:
    assert {*map(str, ReportKind), "none"} == set(map(str, facts.ReportKind))
    assert set(map(str, Sight)) == set(map(str, facts.Sight))


def test_nobody_agrees_to_what_they_have_not_seen() -> None:
    with pytest.raises(IllegalMoveError, match="cannot say agrees: they can say asks-sight"):
        take_answer(DRAFT, Answer.AGREES, DAY, version=1)
    with pytest.raises(ValueError, match="nobody has shown this copy"):
        replace(DRAFT, answer=Answer.AGREES)


def test_an_answer_about_an_earlier_text_does_not_count() -> None:
    anew = show(write_anew(SHOWN), LATER)
    with pytest.raises(IllegalMoveError, match="another text"):
        take_answer(anew, Answer.AGREES, LATER, version=1)
    assert take_answer(anew, Answer.AGREES, LATER, version=2).sight is Sight.AGREES


def test_what_is_written_anew_is_neither_seen_nor_reviewed_nor_agreed() -> None:
    agreed = take_answer(
        take_answer(
            replace(SHOWN, third_party=False, would_harm=True),
            Answer.ATTACHES_STATEMENT,
            DAY,
            version=1,
        ),
        Answer.AGREES,
        DAY,
        version=1,
    )
    assert write_anew(agreed) == replace(DRAFT, version=2, was_in_touch=True)


def test_a_new_text_takes_a_refusal_of_sight_back_even_of_a_draft() -> None:
    declined = take_answer(offer_sight(DRAFT, DAY), Answer.DECLINES_SIGHT, DAY, version=1)
    assert write_anew(declined) == replace(DRAFT, version=2)


def test_what_was_withheld_may_be_written_anew_and_what_was_released_may_not() -> None:
    assert write_anew(withhold_copy(SHOWN)).state is CopyState.DRAFT
    with pytest.raises(IllegalMoveError, match="that is released cannot become draft"):
        write_anew(supply(DRAFT, DAY))


def test_the_first_offer_is_the_one_that_counts() -> None:
    assert offer_sight(offer_sight(DRAFT, DAY), LATER).offered_on == DAY
    with pytest.raises(IllegalMoveError):
        offer_sight(SHOWN, LATER)


def test_a_wish_to_see_a_copy_lapses_21_days_after_it_was_first_said() -> None:
    assert ASKED.access_lapses_on == date(2026, 3, 23)
    assert [ASKED.days_without_word(DAY + timedelta(days=n)) for n in (-1, 0, 21)] == [0, 0, 21]


@pytest.mark.parametrize(
    "copy",
    [
        take_answer(ASKED, Answer.ASKS_SIGHT, LATER, version=1),
        take_answer(ASKED, Answer.OBJECTS, LATER, version=1),
        show(ASKED, LATER),
        write_anew(show(ASKED, LATER)),
        DRAFT,
    ],
    ids=["asked again", "objected", "was shown it", "a new text after sight", "never asked"],
)
def test_no_time_runs_out_on_a_person_who_was_heard_of_or_never_asked(copy: ReportCopy) -> None:
    assert copy.access_lapses_on is None
    assert copy.days_without_word(DAY + timedelta(days=90)) == 0


def test_no_time_runs_out_for_a_report_that_is_not_under_the_act_or_not_a_draft() -> None:
    assert replace(ASKED, kind=ReportKind.FUNCTIONAL).access_lapses_on is None
    assert withhold_copy(ASKED).access_lapses_on is None


@pytest.mark.parametrize(
    ("copy", "sight"),
    [
        (DRAFT, Sight.NONE),
        (offer_sight(DRAFT, DAY), Sight.PENDING),
        (ASKED, Sight.PENDING),
        (SHOWN, Sight.PENDING),
        (write_anew(show(ASKED, DAY)), Sight.PENDING),
        (take_answer(DRAFT, Answer.DECLINES_SIGHT, DAY, version=1), Sight.DECLINED),
        (take_answer(DRAFT, Answer.OBJECTS, DAY, version=1), Sight.OBJECTS),
        (take_answer(SHOWN, Answer.AGREES, DAY, version=1), Sight.AGREES),
        (take_answer(SHOWN, Answer.OBJECTS, DAY, version=1), Sight.OBJECTS),
        (take_answer(SHOWN, Answer.ASKS_AMENDMENT, DAY, version=1), Sight.PENDING),
        (take_answer(SHOWN, Answer.ATTACHES_STATEMENT, DAY, version=1), Sight.PENDING),
    ],
)
def test_sight_is_told_from_what_was_done_and_said(copy: ReportCopy, sight: Sight) -> None:
    assert copy.sight is sight


def test_what_was_said_before_a_copy_was_shown_is_no_answer_to_what_it_says() -> None:
    declined = take_answer(DRAFT, Answer.DECLINES_SIGHT, DAY, version=1)
    assert show(declined, DAY).answer is None


@pytest.mark.parametrize(
    ("supplied_on", "kept_until"),
    [
        (date(2026, 3, 2), date(2026, 9, 2)),
        (date(2026, 8, 31), date(2027, 2, 28)),
        (date(2027, 8, 31), date(2028, 2, 29)),
        (date(2026, 12, 31), date(2027, 6, 30)),
        (date(2026, 6, 15), date(2026, 12, 15)),
    ],
)
def test_a_copy_is_kept_for_six_months_after_supply(supplied_on: date, kept_until: date) -> None:
    assert supply(DRAFT, supplied_on).kept_until == kept_until


def test_a_statement_goes_with_the_copy() -> None:
    stated = take_answer(SHOWN, Answer.ATTACHES_STATEMENT, DAY, version=1)
    agreed = take_answer(stated, Answer.AGREES, LATER, version=1)
    assert supply(agreed, LATER).state is CopyState.RELEASED_WITH_STATEMENT
    assert DRAFT.kept_until is None


@pytest.mark.parametrize(
    "broken", [{"state": CopyState.RELEASED}, {"supplied_on": DAY}], ids=["no day", "no release"]
)
def test_a_copy_has_a_day_of_supply_where_it_was_released(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="day of supply"):
        replace(DRAFT, **broken)  # type: ignore[arg-type]  # broken on purpose
