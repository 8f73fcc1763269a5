from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.agreements import (
    RESTRICTS,
    agreement_at,
    agreements_at,
    change_of,
    course,
    facts_of_signing,
    in_order,
    move_by_signing,
    move_to,
    require_legal,
)
from gateway.consent.decide import Effect, decide
from gateway.consent.facts import AgreementChange
from gateway.consent.rules import POLICY
from gateway.errors import IllegalMoveError
from gateway.referral.directory import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    Switch,
    SwitchValue,
)
from gateway.referral.identifiers import AgreementId
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment
from tests.builders.sharing import day, moved, on, switched, terms

MOVES = [move.value for move in AgreementMove]
STATUSES = {
    "proposed": AgreementStatus.PROPOSED,
    "suspended": AgreementStatus.SUSPENDED,
    "withdrawn": AgreementStatus.WITHDRAWN,
    "expired": AgreementStatus.EXPIRED,
}


def status(events: list[AgreementEvent], moment: Moment) -> AgreementStatus | None:
    found = agreement_at(events, moment)
    return found.status if found else None


def stands(move: str, **changed: object) -> Agreement:
    found = agreement_at([replace(moved(move, 1), **changed)], on(1))  # type: ignore[arg-type]
    assert found is not None
    return found


# Where one stands.


@pytest.mark.parametrize("move", MOVES)
def test_an_agreement_stands_as_its_last_move_left_it(move: str) -> None:
    assert status([moved(move, 1)], on(1)) is STATUSES.get(move, AgreementStatus.ACTIVE)


def test_of_an_agreement_nothing_is_known_before_its_first_event() -> None:
    assert agreement_at([moved("signed", 2)], on(1)) is None


def test_an_agreement_names_the_event_that_made_it_so() -> None:
    found = agreement_at([moved("signed", 1), moved("suspended", 2)], on(3))
    assert found is not None
    assert (found.version, found.since) == (2, day(2))


def test_a_planned_withdrawal_counts_from_its_time_on() -> None:
    events = [moved("signed", 1), moved("withdrawn", 2, at=day(9))]
    assert [status(events, on(n)) for n in (8, 9)] == [
        AgreementStatus.ACTIVE,
        AgreementStatus.WITHDRAWN,
    ]


def test_of_two_events_at_one_instant_the_one_recorded_later_counts() -> None:
    events = [
        moved("suspended", 2, at=day(1)),
        moved("signed", 1),
        moved("reinstated", 3, at=day(1)),
    ]
    assert status(events, on(1)) is AgreementStatus.ACTIVE


def test_what_was_not_known_then_does_not_count_as_known_then() -> None:
    events = [moved("signed", 1), moved("withdrawn", 5, at=day(2))]
    assert status(events, Moment(at=day(3))) is AgreementStatus.WITHDRAWN
    assert status(events, Moment(at=day(3), known_at=day(4))) is AgreementStatus.ACTIVE


def test_an_agreement_expires_after_its_last_day_though_nobody_records_it() -> None:
    events = [moved("signed", 1, terms=terms(ends_on=date(2026, 6, 2)))]
    assert status(events, on(2.9)) is AgreementStatus.ACTIVE
    assert status(events, on(3)) is AgreementStatus.EXPIRED
    kept = agreement_at(events, on(3), counts_last_day=False)
    assert kept is not None
    assert kept.status is AgreementStatus.ACTIVE


def test_a_last_day_reinstates_nothing() -> None:
    ended = terms(ends_on=date(2026, 6, 2))
    events = [moved("signed", 1, terms=ended), moved("withdrawn", 2, terms=ended)]
    assert status(events, on(3)) is AgreementStatus.WITHDRAWN


def test_agreements_are_listed_by_id_and_those_not_yet_known_are_left_out() -> None:
    ids = [AgreementId(name) for name in ("dsa-b", "dsa-a", "dsa-c")]
    events = [moved("signed", 1 + 8 * (each == "dsa-c"), agreement=each) for each in ids]
    assert [each.id for each in agreements_at(events, on(2))] == ["dsa-a", "dsa-b"]


# What takes back what.


def test_a_withdrawal_takes_back_what_was_planned_before_it() -> None:
    planned = [moved("suspended", 2, at=day(10)), moved("reinstated", 3, at=day(20))]
    events = [moved("signed", 1), *planned, moved("withdrawn", 4)]
    assert {status(events, on(n)) for n in (4, 15, 30)} == {AgreementStatus.WITHDRAWN}


def test_a_suspension_takes_back_a_plan_to_reinstate_but_no_plan_to_withdraw() -> None:
    planned = [moved("withdrawn", 2, at=day(10)), moved("reinstated", 3, at=day(20))]
    events = [moved("signed", 1), *planned, moved("suspended", 4)]
    assert status(events, on(9)) is AgreementStatus.SUSPENDED
    assert status(events, on(30)) is AgreementStatus.WITHDRAWN


def test_a_renewal_takes_back_no_plan_to_withdraw() -> None:
    events = [moved("signed", 1), moved("withdrawn", 2, at=day(10)), moved("renewed", 3)]
    assert status(events, on(10)) is AgreementStatus.WITHDRAWN


def test_what_is_planned_after_a_withdrawal_counts() -> None:
    events = [moved("signed", 1), moved("withdrawn", 2), moved("reinstated", 3, at=day(10))]
    assert status(events, on(10)) is AgreementStatus.ACTIVE


def test_a_withdrawal_counts_though_the_clock_was_set_back_before_it() -> None:
    events = [moved("signed", 5), replace(moved("withdrawn", 6, at=day(4)), recorded_at=day(4))]
    assert status(events, Moment(at=day(4), is_now=True)) is AgreementStatus.WITHDRAWN
    assert status(events, on(9)) is AgreementStatus.WITHDRAWN


events_of_any_sort = st.lists(
    st.tuples(st.sampled_from(MOVES), st.integers(1, 12)), min_size=1, max_size=7
).map(lambda drawn: [moved(m, n, at=day(d)) for n, (m, d) in enumerate(drawn, start=1)])


@given(events_of_any_sort, st.integers(0, 14))
def test_after_a_withdrawal_only_a_later_word_shares_again(
    events: list[AgreementEvent], number: int
) -> None:
    moment = Moment(at=day(number + 1))
    found = agreement_at(events, moment)
    if found is None or found.status is not AgreementStatus.ACTIVE:
        return
    withdrawn = [e for e in events if e.move is AgreementMove.WITHDRAWN]
    assert all(e.seq < (found.version or 0) for e in withdrawn if e.effective_at <= moment.at)


@given(events_of_any_sort, st.randoms(use_true_random=False))
def test_the_order_in_which_events_are_read_changes_nothing(
    events: list[AgreementEvent], chance: "st.DataObject"
) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    assert in_order(shuffled) == in_order(events)
    assert course(shuffled) == course(events)


@given(events_of_any_sort, st.integers(0, 14))
def test_one_restriction_more_never_brings_an_agreement_into_force(
    events: list[AgreementEvent], number: int
) -> None:
    moment = Moment(at=day(number + 1))
    if status(events, moment) is AgreementStatus.ACTIVE:
        return
    for move in RESTRICTS:
        more = [*events, moved(move, len(events) + 1, at=day(number))]
        assert status(more, moment) is not AgreementStatus.ACTIVE


# How it stands over time.


def test_a_course_says_nothing_twice() -> None:
    events = [
        moved("signed", 1),
        moved("renewed", 2),
        moved("suspended", 3),
        moved("reinstated", 4, at=day(3)),
        moved("withdrawn", 5, at=day(9)),
    ]
    assert [(at, status) for at, status, _, _ in course(events)] == [
        (day(1), AgreementStatus.ACTIVE),
        (day(9), AgreementStatus.WITHDRAWN),
    ]


def test_other_terms_are_a_step_of_their_own() -> None:
    assert len(course([moved("signed", 1), moved("renewed", 2, terms=terms(dpia_ref="X"))])) == 2


# What may happen next.


def test_an_unknown_agreement_can_be_proposed_or_signed_and_nothing_else() -> None:
    for move in MOVES:
        if move in ("proposed", "signed"):
            require_legal([], moved(move, 1))
        else:
            with pytest.raises(IllegalMoveError, match="dsa is not known: it can be proposed"):
                require_legal([], moved(move, 1))


@pytest.mark.parametrize("first", MOVES)
def test_whatever_is_in_force_or_may_be_again_can_be_withdrawn(first: str) -> None:
    if first == "withdrawn":
        return
    require_legal([moved(first, 1)], moved("withdrawn", 2))


def test_an_agreement_in_force_is_never_set_back_to_a_proposal() -> None:
    with pytest.raises(IllegalMoveError, match="is active: it can be expired, renewed"):
        require_legal([moved("signed", 1)], moved("proposed", 2))


def test_what_was_planned_must_still_be_able_to_happen() -> None:
    planned = [moved("signed", 1), moved("reinstated", 3, at=day(9)), moved("suspended", 2)]
    with pytest.raises(IllegalMoveError, match="when it is to be reinstated, as is planned"):
        require_legal(planned, moved("reinstated", 4, at=day(5)))


def test_what_was_once_wrong_stops_nothing_today() -> None:
    earlier = [moved("suspended", 1), moved("signed", 2)]
    require_legal(earlier, moved("withdrawn", 3))


def test_after_its_last_day_an_agreement_is_renewed_and_not_widened() -> None:
    ended = [moved("signed", 1, terms=terms(ends_on=date(2026, 6, 2)))]
    require_legal(ended, moved("renewed", 5))
    with pytest.raises(IllegalMoveError, match="is expired"):
        require_legal(ended, moved("widened", 5))
    require_legal(ended, moved("widened", 2))


# What signing is, and what it changes.


def test_what_nobody_signed_or_was_withdrawn_is_new() -> None:
    for before in (None, stands("proposed"), stands("withdrawn")):
        assert change_of(before, terms()) is AgreementChange.NEW


@pytest.mark.parametrize("move", ["signed", "suspended", "expired"])
def test_the_same_terms_are_a_renewal(move: str) -> None:
    before = stands(move)
    assert change_of(before, terms(ends_on=date(2030, 1, 1))) is AgreementChange.RENEWAL


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({}, {"kind": AgreementKind.MIXED}, "widened"),
        ({}, {"purposes": frozenset({"occupational-health", "eap"})}, "widened"),
        ({"purposes": frozenset({"occupational-health", "eap"})}, {}, "renewal"),
        ({}, {"data_classes": frozenset({"labs"})}, "renewal"),
        ({"data_classes": frozenset({"labs"})}, {}, "widened"),
        ({"data_classes": frozenset({"labs"})}, {"data_classes": frozenset({"notes"})}, "widened"),
        ({"data_classes": frozenset({"a", "b"})}, {"data_classes": frozenset({"a"})}, "renewal"),
        ({}, {"processor": "Another"}, "widened"),
    ],
)
def test_more_than_before_is_wider(
    before: dict[str, object], after: dict[str, object], change: str
) -> None:
    assert change_of(stands("signed", terms=terms(**before)), terms(**after)).value == change


@pytest.mark.parametrize(
    ("first", "wider", "move"),
    [
        (None, False, "signed"),
        ("proposed", False, "signed"),
        ("withdrawn", False, "signed"),
        ("suspended", False, "signed"),
        ("suspended", True, "signed"),
        ("expired", False, "renewed"),
        ("expired", True, "signed"),
        ("signed", False, "renewed"),
        ("signed", True, "widened"),
    ],
)
def test_signing_is_named_for_what_it_does(first: str | None, wider: bool, move: str) -> None:  # noqa: FBT001  # a row of the table
    before = stands(first) if first else None
    wanted = terms(kind=AgreementKind.MIXED) if wider else terms()
    assert move_by_signing(before, wanted).value == move
    if first:
        require_legal([moved(first, 1)], moved(move, 2))


@pytest.mark.parametrize(
    ("first", "wider", "move"),
    [
        (None, False, "signed"),
        ("proposed", False, "signed"),
        ("withdrawn", False, "reinstated"),
        ("withdrawn", True, "signed"),
        ("suspended", False, "reinstated"),
        ("suspended", True, "signed"),
        ("expired", False, "renewed"),
        ("expired", True, "signed"),
        ("signed", False, "renewed"),
        ("signed", True, "widened"),
    ],
)
def test_a_file_brings_an_agreement_into_force_by_a_move_that_says_if_it_is_wider(
    first: str | None,
    wider: bool,  # noqa: FBT001  # a row of the table
    move: str,
) -> None:
    before = stands(first) if first else None
    wanted = stands("signed", terms=terms(kind=AgreementKind.MIXED) if wider else terms())
    assert move_to(before, wanted).value == move


@pytest.mark.parametrize("to", ["proposed", "suspended", "withdrawn", "expired"])
def test_a_file_that_takes_an_agreement_out_of_force_says_so(to: str) -> None:
    assert move_to(stands("signed"), stands(to)).value == to


# The facts of signing.


@pytest.mark.parametrize(
    ("freeze", "change", "dpia", "effect", "code"),
    [
        ("on", "new", True, "PERMIT", "PERMITTED"),
        ("off", "new", True, "DENY", "NEW_AGREEMENTS_FROZEN"),
        ("off", "widened", True, "DENY", "NEW_AGREEMENTS_FROZEN"),
        ("off", "renewal", True, "HOLD", "RENEWAL_NEEDS_DECISION"),
        ("on", "new", False, "HOLD", "DPIA_MISSING"),
        (None, "new", True, "HOLD", "FACT_UNKNOWN:R23"),
        (None, "renewal", True, "HOLD", "FACT_UNKNOWN:R23b"),
    ],
)
def test_the_rules_decide_about_signing(
    freeze: str | None,
    change: str,
    dpia: bool,  # noqa: FBT001  # a row of the table
    effect: str,
    code: str,
) -> None:
    event = switched(freeze, 3, switch=Switch.NEW_AGREEMENTS) if freeze else None
    facts = facts_of_signing(
        change=AgreementChange(change),
        terms=terms(dpia_ref="D" if dpia else None),
        freeze=event,
        at=day(4),
    )
    verdict = decide(facts, POLICY)
    assert (verdict.effect, verdict.code) == (Effect(effect), code)
    assert facts.sources[0].version == ("new_agreements/3" if freeze else None)


def test_a_switch_of_two_positions_that_stands_in_a_third_is_unknown() -> None:
    event = switched("off", 1, switch=Switch.NEW_AGREEMENTS)
    odd = replace(event, value=SwitchValue.EXCLUSIVE_WITHDRAWN)
    facts = facts_of_signing(change=AgreementChange.NEW, terms=terms(), freeze=odd, at=day(1))
    assert facts.sw_freeze is None
