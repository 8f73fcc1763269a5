"""A freeze and what is planned: what it takes back, and what was ever in force."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.agreements import (
    agreement_at,
    goes_on,
    moves_back,
    signed_under,
    was_in_force,
)
from gateway.referral.directory import Agreement, AgreementKind, AgreementStatus
from gateway.referral.identifiers import OdsCode
from gateway.referral.sharing import AgreementEvent, AgreementMove
from tests.builders.sharing import day, moved, on, terms

WIDE = terms(kind=AgreementKind.MIXED)
NOW = 5
"""The day of the freeze; what was recorded before it has a lower number."""


def found(events: Sequence[AgreementEvent], freeze: float = NOW) -> tuple[int, str | None] | None:
    under = signed_under(events, day(freeze), day(NOW))
    if under is None:
        return None
    signed, before = under
    return signed.seq, before.status.value if before else None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([moved("signed", 1)], None),
        ([moved("signed", 1, at=day(9))], (1, None)),
        ([moved("proposed", 1), moved("signed", 2, at=day(9))], (2, "proposed")),
        ([moved("signed", 1), moved("widened", 2, at=day(9), terms=WIDE)], (2, "active")),
        ([moved("signed", 1), moved("renewed", 2, at=day(9))], None),
        ([moved("signed", 1), moved("suspended", 2), moved("reinstated", 3, at=day(9))], None),
        (
            [moved("signed", 1), moved("suspended", 2), moved("signed", 3, at=day(9), terms=WIDE)],
            (3, "suspended"),
        ),
        ([moved("signed", 1, at=day(9)), moved("withdrawn", 2, at=day(9))], None),
        (
            [moved("signed", 1, at=day(9)), moved("withdrawn", 2, at=day(9)),
             moved("reinstated", 3, at=day(10))],
            (3, "withdrawn"),
        ),
    ],
    ids=["in force", "new", "proposed", "widened", "renewed", "reinstated", "signed again",
         "ended at once", "ended at once and taken up"],
)  # fmt: skip
def test_a_freeze_finds_what_signs_up_under_it_and_nothing_else(
    events: list[AgreementEvent], expected: tuple[int, str | None] | None
) -> None:
    assert found(events) == expected


def test_what_is_signed_before_a_planned_freeze_stays() -> None:
    events = [moved("signed", 1, at=day(9))]
    assert found(events, freeze=9.5) is None
    assert found(events, freeze=9) == (1, None)


PLANS = st.lists(
    st.tuples(st.sampled_from(list(AgreementMove)), st.integers(1, 12), st.booleans()), max_size=6
)


@given(PLANS, st.integers(1, 12))
def test_after_a_freeze_nothing_comes_into_force_that_was_not(
    plans: list[tuple[AgreementMove, int, bool]], freeze: int
) -> None:
    events = [
        moved(move, seq, at=day(number), recorded_at=day(1), terms=WIDE if is_wide else terms())
        for seq, (move, number, is_wide) in enumerate(plans, start=1)
    ]
    before = list(events)
    while under := signed_under(events, day(freeze), day(NOW)):
        signed, stood = under
        for move in moves_back(stood):
            events.append(
                moved(
                    move, len(events) + 1, at=signed.effective_at, recorded_at=day(NOW),
                    terms=stood.terms if stood else signed.terms,
                )
            )  # fmt: skip
        assert len(events) < 40
    start = max(freeze, NOW + 1)
    for number in range(1, 14):
        now, then = (agreement_at(each, on(number)) for each in (events, before))
        if number < start:
            assert now == then
        elif now and now.status is AgreementStatus.ACTIVE:
            held = [e for e in before if e.effective_at < day(start)]
            assert was_in_force(held, now.terms, day(start))


@pytest.mark.parametrize(
    ("status", "moves"),
    [
        (None, ["withdrawn"]), ("proposed", ["withdrawn"]), ("expired", ["withdrawn"]),
        ("withdrawn", ["withdrawn"]), ("suspended", ["suspended"]),
        ("active", ["suspended", "reinstated"]),
    ],
)  # fmt: skip
def test_an_agreement_is_set_back_to_where_it_stood(status: str | None, moves: list[str]) -> None:
    stood = agreement_at([moved("signed", 1)], on(2))
    assert stood is not None
    before = status and Agreement(
        id=stood.id, practice=stood.practice, counterparty=stood.counterparty,
        status=AgreementStatus(status), terms=stood.terms,
    )  # fmt: skip
    assert list(moves_back(before or None)) == moves


def test_an_agreement_was_in_force_only_on_terms_as_wide_and_by_then() -> None:
    events = [moved("proposed", 1), moved("signed", 2)]
    assert was_in_force(events, terms(), day(2))
    assert not was_in_force(events, terms(), day(1.5))
    assert not was_in_force(events, WIDE, day(3))
    at_once = moved("withdrawn", 3, at=day(2), recorded_at=day(2))
    assert was_in_force([*events, at_once], terms(), day(3))
    foreseen = moved("withdrawn", 3, at=day(2), recorded_at=day(1))
    assert not was_in_force([*events, foreseen], terms(), day(3))


def test_an_agreement_goes_on_where_it_was_in_force_up_to_then_on_the_same_terms() -> None:
    events = [moved("signed", 1), moved("withdrawn", 2, at=day(9))]
    assert goes_on(events, moved("reinstated", 3, at=day(9)))
    assert not goes_on(events, moved("reinstated", 3, at=day(10)))
    assert not goes_on(events, moved("reinstated", 3, at=day(9), terms=WIDE))
    assert not goes_on(events, moved("reinstated", 3, at=day(9), counterparty=OdsCode("RX900")))
    assert not goes_on(events, moved("suspended", 3, at=day(9)))
    assert not goes_on([], moved("reinstated", 3, at=day(9)))
