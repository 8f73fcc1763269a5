"""Any order of sending, failing, dying, taking back and replaying: nothing is lost, and whoever
may have a referral that was taken back is told, once."""

import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.errors import (
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    NoReplyError,
)
from gateway.journey.deliver import deliver_next
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.lifecycle import DeliveryKind, ReferralState
from gateway.referral.model import Referral
from gateway.store import referrals
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, id_in, referral, take_back
from tests.builders.messages import service_request

ENDS: dict[str, Any] = {
    "arrives": None,
    "busy": DestinationBusyError("later"),
    "refused": DestinationRefusedError("no"),
    "unreachable": DestinationUnreachableError("off"),
    "no reply": NoReplyError("lost"),
    "the worker dies": KeyboardInterrupt(),
}
MAY_HAVE_IT = ("arrives", "no reply", "the worker dies")


class Referrals(RuleBasedStateMachine):
    """Some referrals of one practice, on their way to one provider."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = self.open.enter_context(tempfile.TemporaryDirectory())
        self.house = self.open.enter_context(embedded_house(Path(folder)))
        self.own: list[str] = []
        self.may_have: set[str] = set()
        self.agreed = True

    def teardown(self) -> None:
        try:
            self.settle_all()
        finally:
            self.open.close()

    @rule()
    def a_referral_comes(self) -> None:
        answer = self.house.post("/ServiceRequest", service_request())
        assert answer.status_code == (201 if self.agreed else 403)
        if self.agreed:
            self.own.append(id_in(answer.headers["Location"]))

    @rule(end=st.sampled_from(sorted(ENDS)))
    def an_attempt_is_made(self, end: str) -> None:
        before = len(entries(self.house, "delivery.released"))
        failure = ENDS[end]
        if failure is not None:
            self.house.destination.failures.append(failure)
        with suppress(KeyboardInterrupt):
            deliver_next("worker", self.house.gateway)
        self.house.destination.failures.clear()
        released = entries(self.house, "delivery.released")[before:]
        if end in MAY_HAVE_IT:
            self.may_have |= {each["referral"] for each in released}

    @rule(which=st.integers(0, 9))
    def one_is_taken_back(self, which: int) -> None:
        if self.own:
            own = self.own[which % len(self.own)]
            before = self.now(own)
            answer = take_back(self.house, own)
            assert answer.status_code == (409 if before.is_cancelled else 200)

    @rule(which=st.integers(0, 9))
    def an_operator_orders_a_replay(self, which: int) -> None:
        if self.own:
            one = self.now(self.own[which % len(self.own)])
            if one.state is ReferralState.HELD:
                replay_referral(one.reference, self.house.gateway)

    @rule(status=st.sampled_from(["withdrawn", "active"]))
    def the_agreement_changes(self, status: str) -> None:
        agreements = self.house.directory["agreements"]
        self.house.apply(agreements=[agreements[0] | {"status": status}])
        self.agreed = status == "active"

    @rule()
    def a_minute_passes(self) -> None:
        self.house.clock.move(seconds=40)
        self.house.tokens.clear()

    @invariant()
    def the_books_balance(self) -> None:
        assert reconcile(self.house.gateway).discrepancies == ()

    def now(self, own: str) -> Referral:
        return referral(self.house, own)

    def settle_all(self) -> None:
        """Let everything come to its end, then ask what came of what was taken back."""
        for _ in range(30):
            for own in self.own:
                one = self.now(own)
                if one.state is ReferralState.HELD:
                    replay_referral(one.reference, self.house.gateway)
            while deliver_next("worker", self.house.gateway):
                pass
            self.house.clock.move(minutes=10)
        assert reconcile(self.house.gateway).discrepancies == ()
        told = [each["referral"] for each in entries(self.house, "recall.sent")]
        with self.house.gateway.store.reading(as_one_moment=True) as view:
            everyone = list(referrals.everyone(view))
        for each in everyone:
            # What was refused is closed, and recalled where an attempt may have arrived.
            assert each.state in (ReferralState.CLOSED, ReferralState.DELIVERED)
            is_over = each.state is ReferralState.CLOSED
            assert each.is_cancelled <= is_over
            assert told.count(each.id) == (is_over and each.id in self.may_have)
        cancelled_at = {
            each["referral"]: each["idx"] for each in entries(self.house, "referral.cancelled")
        }
        for entry in entries(self.house, "delivery.released"):
            assert entry["idx"] < cancelled_at.get(entry["referral"], entry["idx"] + 1)
        recalls = [
            p for p in self.house.destination.received if p.delivery.kind is DeliveryKind.RECALL
        ]
        assert {p.referral.id for p in recalls} == set(told)


@pytest.mark.timeout(300)
class TestReferrals(Referrals.TestCase):  # type: ignore[misc, valid-type]  # made by Hypothesis
    """Few and short by default; the soak goes on for longer."""

    settings = settings(max_examples=12, stateful_step_count=14, deadline=None)
