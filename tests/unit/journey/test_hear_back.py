"""What a provider hears of an outcome, where the walk does not easily come by."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import ConsentRefusedError, NotFoundError
from gateway.journey.hear_back import PERSON_LOOKS, hear_back, nothing_here
from gateway.referral.outcome import Standing
from gateway.writeback.guard import rule
from gateway.writeback.outside import outside, outside_again
from gateway.writeback.proposal import Objection
from tests.unit.writeback.test_guard import LETTER
from tests.unit.writeback.test_outside import NOTED, kept_of

NOWHERE: Any = None
"""In the place of the live objects, of which nothing is asked here."""


def test_of_a_marked_record_nothing_is_told_then_or_again() -> None:
    ruling = rule(replace(LETTER, objection=Objection.SENSITIVE))
    held = kept_of(ruling)
    assert held.standing is Standing.HELD
    for said in (outside(ruling), outside_again(held)):
        with pytest.raises(NotFoundError) as told:
            hear_back(held, said, NOWHERE)
        assert str(told.value) == str(nothing_here())


def test_what_is_held_is_with_a_person() -> None:
    held = replace(NOTED, standing=Standing.HELD)
    assert hear_back(held, None, NOWHERE).faults == (PERSON_LOOKS,)


def test_what_an_officer_kept_is_told_of_to_nobody() -> None:
    with pytest.raises(NotFoundError):
        hear_back(replace(NOTED, standing=Standing.KEPT, code="NOT_OURS"), None, NOWHERE)


def test_what_the_person_keeps_to_themselves_is_refused_then_and_again() -> None:
    ruling = rule(replace(LETTER, objection=Objection.WITHHOLD))
    for said in (outside(ruling), outside_again(kept_of(ruling))):
        with pytest.raises(ConsentRefusedError) as told:
            hear_back(kept_of(ruling), said, NOWHERE)
        assert told.value.spine_code == "NO_PATIENT_CONSENT"


def test_what_simply_goes_is_told_in_no_words() -> None:
    assert hear_back(NOTED, None, NOWHERE).faults == ()
