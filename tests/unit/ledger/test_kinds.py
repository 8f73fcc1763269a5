"""The ledger repeats the closed lists of other rooms, so that its verifier runs alone."""

from enum import StrEnum

import pytest

from gateway.consent import decide
from gateway.ledger import kinds
from gateway.ledger.kinds import EntryKind
from gateway.referral import directory, outcome, sharing, withdrawals
from gateway.writeback import learned


@pytest.mark.parametrize(
    ("repeated", "meant"),
    [
        (kinds.Effect, decide.Effect),
        (kinds.AgreementKind, directory.AgreementKind),
        (kinds.Switch, directory.Switch),
        (kinds.SwitchValue, directory.SwitchValue),
        (kinds.Source, sharing.Origin),
        (kinds.WithdrawalCause, withdrawals.Cause),
        (kinds.RecallAnswer, withdrawals.RecallAnswer),
        (kinds.OutcomeKind, outcome.OutcomeKind),
    ],
    ids=lambda each: each.__module__,
)
def test_a_list_that_the_ledger_repeats_is_that_of_its_room(
    repeated: type[StrEnum], meant: type[StrEnum]
) -> None:
    assert {word.name: word.value for word in repeated} == {word.name: word.value for word in meant}


def test_how_a_switch_was_found_out_is_spelt_as_in_the_room_that_finds_it_out() -> None:
    found_out = {learned.Source.LOOKUP, learned.Source.LEARNED}
    assert {word.name: word.value for word in kinds.CodingSource} == {
        word.name: word.value for word in found_out
    }


@pytest.mark.parametrize("move", sharing.AgreementMove)
def test_whatever_happens_to_an_agreement_has_its_kind(move: sharing.AgreementMove) -> None:
    assert EntryKind(f"agreement.{move}").name == f"AGREEMENT_{move.name}"
