"""`gateway consent explain`, `what-if`, `policy`, `opt-out` and the impacts, as typed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.consent.draft import policy_text
from tests.builders.house import build_house
from tests.builders.messages import PRACTICE, PROVIDER, service_request
from tests.unit.cli.conftest import environment

Run = Callable[..., Result]
PAIR = ("--practice", PRACTICE, "--recipient", PROVIDER, "--purpose", "occupational-health")


def explained(run: Run, *words: str) -> Result:
    result = run("consent", "explain", *words)
    assert result.exit_code == 0, result.output
    return result


def test_a_pair_is_explained_for_a_person(run: Run) -> None:
    told = explained(run, *PAIR).output.splitlines()
    assert told[0] == "PERMIT  G2 PERMITTED"
    assert told[1].startswith("for occupational-health, as of now; policy ")
    assert any(line.startswith("  -> DENY CONSENT_WITHDRAWN: ") for line in told)


def test_a_refusal_is_explained_with_its_facts_and_ways_out(run: Run) -> None:
    told = explained(run, *PAIR, "--assume", "consent=none", "--assume", "labels=PSY,HIV").output
    assert "R30 DENY NO_PATIENT_CONSENT: " in told
    assert "  consent = none  [assumed]" in told
    assert "  -> PERMIT PERMITTED: " in told


def test_what_nobody_can_change_is_said(run: Run) -> None:
    told = explained(run, *PAIR, "--assume", "s_flag=true").output
    assert "It hangs on s_flag: " in told


@pytest.mark.parametrize(
    ("assumed", "code"),
    [
        ("sight_days=30", "PERMITTED"),
        ("third_party=unknown", "FACT_UNKNOWN:R44"),
        ("consent_labels=", "PERMITTED"),
        ("recipient_accepting=true", "PERMITTED"),
    ],
)
def test_a_fact_is_assumed_as_it_is_written(run: Run, assumed: str, code: str) -> None:
    told = json.loads(explained(run, *PAIR, "--assume", assumed, "--json").stdout)
    assert told["code"] == code


def test_a_service_of_the_recipient_may_be_named(run: Run) -> None:
    told = json.loads(explained(run, *PAIR, "--service", "oh-assessment", "--json").stdout)
    assert (told["service"], told["effect"], told["all_flips_tried"]) == (
        "oh-assessment",
        "PERMIT",
        True,
    )


def test_the_past_is_asked_with_its_knowledge_and_its_rules(run: Run) -> None:
    then = ("--at", datetime.now(UTC).isoformat(), "--known", "then")
    told = json.loads(explained(run, *PAIR, *then, "--json").stdout)
    assert (told["effect"], told["known_at"]) == ("PERMIT", told["at"])
    assert "as known then" in explained(run, *PAIR, *then).output
    refused = run("consent", "explain", *PAIR, "--at", "2020-01-01", "--rules", "then")
    assert refused.exit_code == 1
    assert "no rules were in force here by then" in refused.output
    unknown = run("consent", "explain", *PAIR, "--at", "2020-01-01")
    assert (unknown.exit_code, "had no practice" in unknown.output) == (1, True)


def test_a_purpose_that_no_list_has_is_said(run: Run) -> None:
    stranger = ("--practice", PRACTICE, "--recipient", "ZZ999", "--purpose", "marketing")
    assert "R06 DENY PURPOSE_NOT_RECOGNISED" in explained(run, *stranger).output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "Give a REFERENCE, or --practice"),
        (("RG-0000-0000", *PAIR), "Give a REFERENCE, or --practice"),
        (("RG-0000-0000", "--assume", "s_flag=true"), "Give a REFERENCE, or --practice"),
        (("nonsense",), "REFERENCE"),
        ((*PAIR[:-1], "x", "--action", "steal"), "steal"),
        ((*PAIR, "--assume", "mood=good"), "is not a fact"),
        ((*PAIR, "--at", "yesterday"), "write a day"),
        ((*PAIR, "--at", "2026-11-22T10:00"), "write a day"),
    ],
)
def test_a_question_that_cannot_be_asked_is_a_bad_call(
    run: Run, words: tuple[str, ...], text: str
) -> None:
    result = run("consent", "explain", *words)
    assert result.exit_code == 2
    assert text in result.output


def test_a_referral_that_is_not_there_is_said(run: Run) -> None:
    result = run("consent", "explain", "RG-0000-0000")
    assert result.exit_code == 1
    assert "no referral has" in result.output.lower()


@pytest.fixture
def taken(template: Path, tmp_path: Path) -> tuple[Run, str]:
    """A run of commands, and the reference of a referral that one part is withheld of."""
    database = tmp_path / "gateway.sqlite3"
    for suffix in ("", "-wal"):
        there = template.with_name(template.name + suffix)
        if there.exists():
            database.with_name(database.name + suffix).write_bytes(there.read_bytes())
    house = build_house(f"sqlite:///{database}")
    house.clock.now = datetime.now(UTC)
    answer = house.post("/ServiceRequest", service_request())
    assert answer.status_code == 201
    house.gateway.store.close()

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words), env=environment(database))

    return run, answer.get_json()["identifier"][-1]["value"]


def test_a_referral_is_explained_by_its_reference(taken: tuple[Run, str]) -> None:
    run, reference = taken
    told = explained(run, reference).output
    assert told.startswith("PERMIT  G2 PERMITTED\nfor occupational-health to service oh-assessment")


def test_an_impact_is_shown_by_week_and_with_what_waits(taken: tuple[Run, str]) -> None:
    run, reference = taken
    since = ("--since", "2026-01-01")
    told = run("agreement", "impact", PRACTICE, "dsa-one-oh", "withdrawn", *since).output
    assert "newly blocked" in told
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"{reference}  {today}  PERMIT -> DENY  +R21, queued now" in told
    none = run("switch", "impact", PRACTICE, "shared_care", "off", *since).output
    assert "nothing would have come out otherwise" in none
    as_json = run("switch", "impact", PRACTICE, "shared_care", "off", *since, "--json").stdout
    assert json.loads(as_json)["touched"] == []


def test_a_draft_is_printed_edited_and_tried(taken: tuple[Run, str], tmp_path: Path) -> None:
    run, reference = taken
    printed = run("consent", "policy").stdout
    assert printed == policy_text()
    file = tmp_path / "draft.txt"
    file.write_text(
        printed.replace("R53  |", "R53x |").replace("NOT recipient_accepting", "funded")
    )
    told = run("consent", "what-if", "--policy", str(file), "--since", "2026-01-01").output
    assert reference in told
    asked = ["--policy", str(file), "--since", "2026-01-01", "--until", "2026-02-01"]
    only = run("consent", "what-if", *asked, "--practice", PRACTICE, "--json").stdout
    assert json.loads(only)["considered"] == 1, "it waits still, so it counts"
    assert run("consent", "what-if", *asked, "--practice", "?").exit_code == 2
    backwards = ["--policy", str(file), "--since", "2026-02-01", "--until", "2026-01-01"]
    assert "ends before it begins" in run("consent", "what-if", *backwards).output
    file.write_bytes(b"\xff\xfe")
    assert "not text in UTF-8" in run("consent", "what-if", *asked).output


def test_the_lists_of_the_opt_out_service_are_written_and_read(run: Run, tmp_path: Path) -> None:
    asked, answer = tmp_path / "asked.csv", tmp_path / "answer.csv"
    asked.write_text("an earlier list")
    asked.chmod(0o644)
    assert run("opt-out", "ask", str(asked)).output == "0 to ask about\n"
    assert asked.stat().st_mode & 0o077 == 0
    asked.write_text("9990000018,\n")
    answer.write_text("")
    loaded = run("opt-out", "load", str(asked), str(answer), "--at", "2026-01-01")
    assert loaded.output == "1 answers kept\n"
    asked.write_text("abc\n")
    refused = run("opt-out", "load", str(asked), str(answer), "--at", "2026-01-01")
    assert (refused.exit_code, "line 1" in refused.output) == (1, True)


def test_a_database_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    env = environment(tmp_path / "none.sqlite3")
    result = CliRunner().invoke(main, ["consent", "explain", *PAIR], env=env)
    assert result.exit_code == 1
    assert "gateway db upgrade" in result.output
