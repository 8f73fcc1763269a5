"""Which rules were in force when: on record at each change, and there to decide by again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.consent.decide import decide
from gateway.consent.rules import POLICY
from gateway.errors import NotFoundError
from gateway.journey.policies import policy_at, put_in_force
from tests.builders.consent import GOOD_FACTS
from tests.builders.evidence import entries, execute
from tests.builders.house import House


def other_rules(house: House) -> None:
    """What an earlier version of the program would have left: rules without R53."""
    execute(
        house,
        "UPDATE policy_in_force SET version = :version, text = replace(text, 'R53 ', 'R99 ')",
        version="0" * 64,
    )


def test_the_first_start_puts_the_rules_in_force_and_the_next_finds_them_so(house: House) -> None:
    assert put_in_force(house.gateway)
    assert not put_in_force(house.gateway)
    (entry,) = entries(house, "policy.changed")
    assert (entry["old_sha256"], entry["new_sha256"]) == (None, POLICY.version)


def test_a_start_with_other_rules_is_an_entry_that_names_both(house: House) -> None:
    put_in_force(house.gateway)
    other_rules(house)
    house.clock.move(days=1)
    assert put_in_force(house.gateway)
    assert entries(house, "policy.changed")[-1]["old_sha256"] == "0" * 64


def test_the_rules_of_a_date_decide_as_they_did_then(house: House) -> None:
    put_in_force(house.gateway)
    other_rules(house)
    start = house.clock.now
    house.clock.move(days=1)
    put_in_force(house.gateway)
    full = replace(GOOD_FACTS, recipient_accepting=False)
    assert decide(full, policy_at(house.gateway, start)).primary_rule == "R99"
    assert decide(full, policy_at(house.gateway, house.clock.now)).primary_rule == "R53"
    with pytest.raises(NotFoundError, match="by then"):
        policy_at(house.gateway, start - timedelta(seconds=1))


@pytest.mark.parametrize("option", ["--known", "--rules"])
def test_what_held_then_needs_a_then(option: str) -> None:
    result = CliRunner().invoke(main, ["consent", "explain", "RG-0000-0000", option, "then"])
    assert result.exit_code == 2
    assert "--at" in result.output
