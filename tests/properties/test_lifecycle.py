"""Any walk at all through the lifecycle: what is legal passes, and nothing gets stuck."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import IllegalMoveError
from gateway.referral.lifecycle import (
    DELIVERY_MOVES,
    REFERRAL_MOVES,
    REFERRAL_OF_DELIVERY,
    DeliveryState,
    ReferralState,
    move_delivery,
    move_referral,
)


class OneReferral(RuleBasedStateMachine):
    """A referral and its delivery, moved at random, in step or out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.referral = ReferralState.QUEUED
        self.delivery = DeliveryState.QUEUED
        self.was_closed = False
        self.arrivals = 0

    @rule(wanted=st.sampled_from(DeliveryState))
    def the_delivery_moves_and_the_referral_with_it(self, wanted: DeliveryState) -> None:
        try:
            delivery = move_delivery(self.delivery, wanted)
            referral = move_referral(self.referral, REFERRAL_OF_DELIVERY[wanted])
        except IllegalMoveError:
            return  # as in one transaction: neither moves
        was, self.delivery, self.referral = self.delivery, delivery, referral
        self.arrivals += delivery is DeliveryState.DELIVERED
        self.arrivals -= was is DeliveryState.DELIVERED  # given back, so that it may go once more

    @rule(wanted=st.sampled_from(ReferralState))
    def the_referral_moves_by_itself(self, wanted: ReferralState) -> None:
        try:
            self.referral = move_referral(self.referral, wanted)
        except IllegalMoveError:
            assert wanted not in REFERRAL_MOVES[self.referral]
        self.was_closed |= self.referral is ReferralState.CLOSED

    @invariant()
    def what_is_closed_stays_closed(self) -> None:
        assert not self.was_closed or self.referral is ReferralState.CLOSED

    @invariant()
    def it_arrives_once_at_most(self) -> None:
        assert self.arrivals <= 1

    @invariant()
    def there_is_a_way_on_or_it_is_over(self) -> None:
        assert REFERRAL_MOVES[self.referral] or self.referral is ReferralState.CLOSED
        assert DELIVERY_MOVES[self.delivery] or self.delivery is DeliveryState.STOPPED


TestOneReferral = OneReferral.TestCase
