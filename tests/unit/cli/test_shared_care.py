"""`gateway shared-care`, as an operator types it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from gateway.mapping.shared_care_terms import write_terms
from tests.builders.shared_care import FORMAL

Run = Callable[..., Result]


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    file = tmp_path / "terms.json"
    file.write_text(write_terms(FORMAL), encoding="utf-8")
    return file


def good(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_agreement_is_put_on_record_and_listed(run: Run, terms: Path) -> None:
    said = good(run("shared-care", "record", "g99001", "rx901", "--file", terms, "--by", "manager"))
    assert said == (
        "G99001     RX901      accepted  from 2026-11-15 to -  do-work by practice, monitor by"
        " specialist, prescribe by practice; version 1, by manager\n"
    )
    terms.write_text("{}", encoding="utf-8")
    good(run("shared-care", "record", "G99001", "RX901", "--file", terms, "--by", "manager"))
    assert "undecided from - to -  -; lacks responsibilities, support, resourcing, starts_on," in (
        good(run("shared-care", "list"))
    )
    (one,) = json.loads(good(run("shared-care", "list", "--json")))["agreements"]
    assert (one["practice"], one["provider"], one["version"]) == ("G99001", "RX901", 2)
    assert (one["terms"], one["by"]) == ({}, "manager")


def test_what_a_practice_says_of_its_capacity_is_put_on_record(run: Run) -> None:
    said = good(run("shared-care", "capacity", "G99001", "--has", "--by", "manager"))
    assert "has capacity, said on" in said
    good(run("shared-care", "capacity", "G99001", "--has-not", "--by", "manager"))
    assert "has no capacity" in good(run("shared-care", "list"))
    (one,) = json.loads(good(run("shared-care", "list", "--json")))["capacities"]
    assert (one["has_capacity"], one["by"]) == (False, "manager")


def test_wrong_terms_are_refused_with_their_place_and_nothing_is_kept(
    run: Run, terms: Path
) -> None:
    terms.write_text('{"support": {"contact": "a team"}}', encoding="utf-8")
    result = run("shared-care", "record", "G99001", "RX901", "--file", terms, "--by", "manager")
    assert result.exit_code == 1
    assert result.stderr == "gateway: support.confirmed_on: This field is required.\n"
    assert good(run("shared-care", "list")) == ""


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("record", "G99009", "RX901"), 1, "no practice G99009"),
        (("record", "G99001", "RX909"), 1, "no provider RX909"),
        (("record", "G99001", "?"), 2, "an ODS code is"),
        (("capacity", "G99009", "--has"), 1, "no practice G99009"),
    ],
)
def test_whom_the_directory_does_not_know_is_refused(
    run: Run, terms: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    more = ("--file", terms) if words[0] == "record" else ()
    result = run("shared-care", *words, *more, "--by", "manager")
    assert result.exit_code == status
    assert text in result.stderr


def test_who_puts_it_on_record_is_named(run: Run) -> None:
    assert run("shared-care", "capacity", "G99001", "--has").exit_code == 2
    result = run("shared-care", "capacity", "G99001", "--has", "--by", "two words")
    assert result.exit_code == 2
