import itertools
import re
from collections.abc import Hashable, Mapping
from typing import TypeVar

import pytest

from gateway.errors import IllegalMoveError
from gateway.referral import lifecycle
from gateway.referral.lifecycle import (
    DELIVERY_MOVES,
    GATEWAY_HOP,
    PROVIDER_HOP,
    REFERRAL_MOVES,
    REFERRAL_OF_DELIVERY,
    DeliveryState,
    ReferralState,
    move_delivery,
    move_referral,
)

State = TypeVar("State", bound=Hashable)
FINAL_REFERRALS = {ReferralState.CLOSED}
FINAL_DELIVERIES = {DeliveryState.STOPPED}


def reachable_from(start: State, moves: Mapping[State, frozenset[State]]) -> set[State]:
    found, waiting = {start}, [start]
    while waiting:
        further = moves[waiting.pop()] - found
        found |= further
        waiting += further
    return found


def test_the_picture_in_the_docstring_is_the_table() -> None:
    line = re.compile(r"^ {4}([a-z-]+) +(?:──► ([a-z, -]+)|\(final\))$", re.MULTILINE)
    drawn = dict(line.findall(str(lifecycle.__doc__)))
    table = {str(state): ", ".join(map(str, moves)) for state, moves in REFERRAL_MOVES.items()}
    assert {k: set(v.split(", ")) for k, v in drawn.items()} == {
        k: set(v.split(", ")) for k, v in table.items()
    }


@pytest.mark.parametrize(("present", "wanted"), list(itertools.product(ReferralState, repeat=2)))
def test_a_referral_makes_the_moves_of_the_table_and_no_other(
    present: ReferralState, wanted: ReferralState
) -> None:
    if wanted in REFERRAL_MOVES[present]:
        assert move_referral(present, wanted) is wanted
    else:
        with pytest.raises(IllegalMoveError, match=f"that is {present} cannot become {wanted}"):
            move_referral(present, wanted)


@pytest.mark.parametrize(("present", "wanted"), list(itertools.product(DeliveryState, repeat=2)))
def test_a_delivery_makes_the_moves_of_the_table_and_no_other(
    present: DeliveryState, wanted: DeliveryState
) -> None:
    if wanted in DELIVERY_MOVES[present]:
        assert move_delivery(present, wanted) is wanted
    else:
        with pytest.raises(IllegalMoveError, match=f"that is {present} cannot become {wanted}"):
            move_delivery(present, wanted)


# The tables themselves. What follows is stated apart from them, so that a slip in one shows.


def test_every_state_of_a_referral_but_closed_has_a_way_out_and_leads_to_closed() -> None:
    for state in set(ReferralState) - FINAL_REFERRALS:
        assert ReferralState.CLOSED in reachable_from(state, REFERRAL_MOVES) - {state}


def test_every_state_of_a_delivery_that_is_not_final_leads_to_delivered() -> None:
    for state in set(DeliveryState) - FINAL_DELIVERIES - {DeliveryState.DELIVERED}:
        assert DeliveryState.DELIVERED in reachable_from(state, DELIVERY_MOVES) - {state}


def test_what_is_final_stays() -> None:
    assert {s for s, moves in REFERRAL_MOVES.items() if not moves} == FINAL_REFERRALS
    assert {s for s, moves in DELIVERY_MOVES.items() if not moves} == FINAL_DELIVERIES


def test_every_state_is_reached_from_queued() -> None:
    assert reachable_from(ReferralState.QUEUED, REFERRAL_MOVES) == set(ReferralState)
    assert reachable_from(DeliveryState.QUEUED, DELIVERY_MOVES) == set(DeliveryState)


def test_no_state_moves_to_itself() -> None:
    assert all(state not in moves for state, moves in REFERRAL_MOVES.items())
    assert all(state not in moves for state, moves in DELIVERY_MOVES.items())


def test_nothing_is_delivered_that_was_not_in_flight() -> None:
    assert [s for s, m in REFERRAL_MOVES.items() if ReferralState.DELIVERED in m] == [
        ReferralState.IN_FLIGHT
    ]
    assert [s for s, m in DELIVERY_MOVES.items() if DeliveryState.DELIVERED in m] == [
        DeliveryState.IN_FLIGHT
    ]


def test_nothing_leaves_that_was_not_queued() -> None:
    assert [s for s, m in REFERRAL_MOVES.items() if ReferralState.IN_FLIGHT in m] == [
        ReferralState.QUEUED
    ]
    assert [s for s, m in DELIVERY_MOVES.items() if DeliveryState.IN_FLIGHT in m] == [
        DeliveryState.QUEUED
    ]


def test_what_was_delivered_is_never_sent_again() -> None:
    # A recall that cannot be brought is held. From there the store itself lets nothing that
    # was taken back be queued: see the journeys' tests.
    moves = {**REFERRAL_MOVES, ReferralState.HELD: frozenset[ReferralState]()}
    assert reachable_from(ReferralState.DELIVERED, moves) == {
        ReferralState.DELIVERED,
        ReferralState.RECALLING,
        ReferralState.HELD,
        ReferralState.CLOSED,
    }


def test_what_is_closed_stays_closed() -> None:
    assert reachable_from(ReferralState.CLOSED, REFERRAL_MOVES) == {ReferralState.CLOSED}


def test_a_referral_can_follow_every_move_of_its_delivery() -> None:
    for present, moves in DELIVERY_MOVES.items():
        for wanted in moves:
            before, after = REFERRAL_OF_DELIVERY[present], REFERRAL_OF_DELIVERY[wanted]
            assert move_referral(before, after) is after


def test_every_state_is_shown_as_a_task() -> None:
    assert set(REFERRAL_MOVES) == set(GATEWAY_HOP) == set(ReferralState)
    assert set(DELIVERY_MOVES) == set(PROVIDER_HOP) == set(REFERRAL_OF_DELIVERY)
    assert set(DELIVERY_MOVES) == set(DeliveryState)


def test_a_delivery_that_failed_leaves_its_referral_with_a_person() -> None:
    for state in (DeliveryState.REFUSED, DeliveryState.DEAD_LETTERED):
        assert REFERRAL_OF_DELIVERY[state] is ReferralState.HELD
