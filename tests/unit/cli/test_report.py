"""`gateway report`: what an officer sees of a report's copies, and records of the person."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.cli.report import ANSWERS
from gateway.journey import reports as acts
from gateway.journey.report_cases import Asker
from gateway.referral.identifiers import ReportId
from gateway.referral.report import Answer
from gateway.store import reports
from tests.builders.embedded import furnished_sqlite
from tests.builders.evidence import entries
from tests.builders.house import House, build_house
from tests.builders.reporting import EMPLOYER, TO_EMPLOYER, copies, reported, with_employers
from tests.unit.cli.conftest import environment

Run = Callable[..., Result]
NOBODY = "11111111-1111-4111-8111-111111111111"
WORDS = "I can lift\nboxes."


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.sqlite3"
    path.write_bytes(furnished_sqlite())
    return path


@pytest.fixture
def house(database: Path) -> Iterator[House]:
    built = build_house(f"sqlite:///{database}", is_furnished=True)
    built.clock.now = datetime.now(UTC)
    yield built
    built.gateway.store.close()


@pytest.fixture
def copy(house: House) -> str:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER, words="wombatitis")
    (made,) = copies(house, task, ("employer", EMPLOYER))
    return made


@pytest.fixture
def run(database: Path) -> Run:
    def invoke(*words: str | Path, stdin: str | bytes | None = None) -> Result:
        env = environment(database)
        given = ["report", *(str(w) for w in words)]
        return CliRunner().invoke(main, given, env=env, input=stdin)

    return invoke


def good(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    assert "wombatitis" not in result.output
    return json.loads(result.stdout)


def test_an_officer_walks_a_copy_to_its_release(run: Run, copy: str, house: House) -> None:
    assert good(run("offer", copy, "--json"))["next"]["why"] == "offer-not-answered"
    answered = good(run("answer", copy, "declines-sight", "--version", "1", "--json"))
    assert answered["next"]["step"] == "release"
    done = good(run("release", copy, "--version", "1", "--actor", "officer-one", "--json"))
    assert done["state"] == "released"
    assert (done["rules"]["effect"], done["rules"]["code"]) == ("PERMIT", "PERMITTED")
    assert [each["act"] for each in done["events"]] == ["create", "offer", "answer", "release"]
    assert done["events"][-1]["by"] == "officer-one"
    (released,) = entries(house, "report.sight.released")
    assert released["actor"] == "officer-one"


def test_a_copy_is_shown_without_its_text(run: Run, copy: str, house: House) -> None:
    shown = run("show", copy)
    assert shown.exit_code == 0
    assert f"{copy}  RG-" in shown.output
    assert "next: offer: Nobody has offered" in shown.output
    assert "rules: HOLD R51c EMPLOYEE_NOT_OFFERED_SIGHT" in shown.output
    assert "wombatitis" not in shown.output
    assert len(entries(house, "audit.read")) == 1
    assert good(run("show", copy, "--json"))["id"] == copy


def test_copies_are_listed(run: Run, copy: str) -> None:
    assert f"{copy}  RG-" in run("list").output
    assert [each["id"] for each in good(run("list", "--json"))] == [copy]


def test_where_there_is_none_the_list_says_so(run: Run, house: House) -> None:
    assert run("list").output == "there is no copy of a report\n"


def test_what_may_not_go_is_refused_with_the_reason(run: Run, copy: str) -> None:
    refused = run("release", copy, "--version", "1")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Nobody has offered the person to see it first." in refused.stderr
    assert good(run("show", copy, "--json"))["events"][-1]["code"] == "NOT_OFFERED"


def test_a_copy_is_withheld_by_hand(run: Run, copy: str, house: House) -> None:
    assert good(run("withhold", copy, "--json"))["state"] == "withheld"
    (kept,) = entries(house, "outcome.refused")
    assert kept["code"] == "REPORT_KEPT.BY_HAND"
    assert run("withhold", copy).exit_code == 1


@pytest.mark.parametrize("from_file", [True, False])
def test_a_statement_comes_from_a_file_or_from_stdin(
    run: Run, copy: str, house: House, tmp_path: Path, *, from_file: bool
) -> None:
    file = tmp_path / "statement.txt"
    file.write_text(WORDS)
    acts.record_shown(house.gateway, ReportId(copy), Asker(actor="oh-one"), version=1)
    said = ("answer", copy, "attaches-statement", "--version", "1", "--statement")
    done = run(*said, file, "--json") if from_file else run(*said, "-", "--json", stdin=WORDS)
    assert good(done)["has_statement"] is True
    assert "boxes" not in done.output
    with house.gateway.store.reading() as view:
        filed = reports.find(view, ReportId(copy))
        assert filed is not None
        assert reports.words_of(view, filed).statement == "I can lift boxes."


@pytest.mark.parametrize("body", [b"", b"\xff", b"x" * (64 * 1024 + 1)])
def test_what_is_no_text_is_no_statement(run: Run, copy: str, body: bytes) -> None:
    said = ("answer", copy, "attaches-statement", "--version", "1", "--statement", "-")
    refused = run(*said, stdin=body)
    assert refused.exit_code == 1
    assert "UTF-8" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("show", "not-an-id"),
        ("answer", NOBODY, "shrugs", "--version", "1"),
        ("answer", NOBODY, "agrees"),
        ("answer", NOBODY, "attaches-statement", "--version", "1"),
        ("release", NOBODY),
        ("release", NOBODY, "--version", "0"),
    ],
)
def test_a_bad_call_is_told_from_a_refusal(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_an_id_that_leads_nowhere_is_refused(run: Run) -> None:
    refused = run("show", NOBODY)
    assert refused.exit_code == 1
    assert "no copy of a report has this id" in refused.stderr


def test_the_answers_are_those_of_the_rules() -> None:
    assert set(ANSWERS) == set(Answer)
