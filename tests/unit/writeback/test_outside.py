"""What the outside hears of a ruling is the same when the outcome comes again, for every one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.referral.identifiers import ClientId, DeliveryId, OdsCode, OutcomeId, ReferralId
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.writeback.guard import rule
from gateway.writeback.outside import Outside, outside, outside_again
from gateway.writeback.proposal import Objection, RuleAnswer
from gateway.writeback.ruling import Effect, Ruling, SpineCode
from tests.unit.writeback.test_guard import DENY, HOLD, LETTER, PERMIT, every_proposal

NAME = "22222222-2222-4222-8222-222222222222"
NOTED = Outcome(
    id=OutcomeId(NAME), referral=ReferralId(NAME), seq=1, delivery=DeliveryId(NAME),
    provider=OdsCode("RX901"), kind=OutcomeKind.REPORT, closes=False, reason_system=None,
    reason=None, door="mesh", client=ClientId("mesh"), body_sha256="0" * 64, said_at=None,
    received_at=datetime(2026, 11, 22, tzinfo=UTC), standing=Standing.NOTED,
)  # fmt: skip
STANDINGS = {
    Effect.BLOCK: Standing.KEPT,
    Effect.REJECT: Standing.KEPT,
    Effect.HOLD: Standing.HELD,
}


def kept_of(ruling: Ruling) -> Outcome:
    """What is kept of an outcome that was ruled on, as `journey.letters` keeps it."""
    return replace(
        NOTED,
        standing=STANDINGS.get(ruling.effect, Standing.SENT_ON),
        row=ruling.row,
        code=ruling.code,
        kept=ruling.keeps_coded,
    )


def heard(kept: Outcome, said: Outside | None) -> Outside | None:
    """What is told in the end: of what is held, only whether that is told at all."""
    is_held = kept.standing is Standing.HELD
    return None if is_held and (said is None or said.is_taken) else said


@pytest.mark.parametrize("answer", [PERMIT, DENY, HOLD], ids=lambda each: each.effect)
def test_what_is_told_again_is_what_was_told(answer: RuleAnswer) -> None:
    seen = set()
    for each in every_proposal():
        ruling = rule(replace(each, write_document=answer))
        kept = kept_of(ruling)
        first = heard(kept, outside(ruling))
        assert heard(kept, outside_again(kept)) == first, ruling
        seen.add(first)
    assert {None, outside(rule(replace(LETTER, objection=Objection.SENSITIVE)))} < seen


def test_what_simply_goes_is_not_spoken_of() -> None:
    assert outside(None) is None
    assert outside(rule(LETTER)) is None
    assert outside_again(NOTED) is None


def test_a_marked_record_is_never_told_of_whoever_decided_since() -> None:
    for standing in (Standing.HELD, Standing.KEPT):
        said = outside_again(replace(NOTED, standing=standing, row=2, code="OFFICER_SAID_NO"))
        assert said is not None
        assert (said.status, said.spine_code) == (404, SpineCode.PATIENT_NOT_FOUND)


def test_what_an_officer_kept_without_the_guard_is_not_spoken_of() -> None:
    assert outside_again(replace(NOTED, standing=Standing.KEPT, code="NOT_OURS")) is None
