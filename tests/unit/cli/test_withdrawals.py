"""`gateway withdrawal` and `gateway recall`, and what a command that withdraws prints."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.cli.main import main
from gateway.cli.withdrawal import ANSWERS, GROUNDS
from gateway.referral.withdrawals import Ground, RecallAnswer
from tests.builders.evidence import entries, execute, id_in, work
from tests.builders.house import House, build_house
from tests.builders.messages import service_request
from tests.unit.cli.conftest import environment

Run = Callable[..., Result]
OH = "dsa-one-oh"
NOBODY = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Path:
    path = tmp_path / "gateway.sqlite3"
    for suffix in ("", "-wal"):
        there = template.with_name(template.name + suffix)
        if there.exists():
            path.with_name(path.name + suffix).write_bytes(there.read_bytes())
    return path


@pytest.fixture
def house(database: Path) -> Iterator[House]:
    built = build_house(f"sqlite:///{database}")
    built.clock.now = datetime.now(UTC)
    yield built
    built.gateway.store.close()


@pytest.fixture
def run(database: Path) -> Run:
    def invoke(*words: str | Path) -> Result:
        return CliRunner().invoke(main, [str(w) for w in words], env=environment(database))

    return invoke


def good(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def shown(run: Run, *words: str | Path) -> Any:
    return json.loads(good(run(*words, "--json")))


def posted(house: House, *, is_delivered: bool = False) -> str:
    answer = house.post("/ServiceRequest", service_request())
    own = id_in(answer.headers["Location"])
    if is_delivered:
        work(house)
    found: str = house.get(f"/Task/{own}").get_json()["groupIdentifier"]["value"]
    return found


def one_of_each(house: House) -> tuple[str, str]:
    return posted(house, is_delivered=True), posted(house)


def test_the_answers_and_grounds_are_those_of_the_house() -> None:
    assert list(ANSWERS) == [each.value for each in RecallAnswer]
    assert list(GROUNDS) == [each.value for each in Ground]


def test_a_withdrawal_is_acknowledged_with_a_line_for_each_delivery(run: Run, house: House) -> None:
    delivered, waiting = one_of_each(house)
    text = good(run("agreement", "withdraw", "G99001", OH))
    assert "withdrawn: nothing that it covers leaves any more" in text
    assert "agreement dsa-one-oh" in text
    assert "1 stopped, 1 delivered, 0 unknown" in text
    assert f"  {waiting}  RX901      stopped\n" in text
    assert f"  {delivered}  RX901      delivered  recall " in text
    assert "not brought yet, answer due" in text


def test_withdrawals_are_listed_and_shown_and_that_is_an_entry(run: Run, house: House) -> None:
    one_of_each(house)
    assert "nothing was withdrawn" in good(run("withdrawal", "list"))
    good(run("agreement", "suspend", "G99001", OH))
    good(run("switch", "set", "G99001", "shared_care", "off"))
    newest, first = shown(run, "withdrawal", "list", "G99001")
    assert (newest["about"], first["about"]) == ("shared_care", OH)
    assert [each["id"] for each in shown(run, "withdrawal", "list", "--about", OH)] == [first["id"]]
    whole = shown(run, "withdrawal", "show", first["id"])
    assert [each["standing"] for each in whole["deliveries"]].count("stopped") == 1
    assert first["id"] in good(run("withdrawal", "show", first["id"]))
    assert [(e["actor"], e["size"]) for e in entries(house, "audit.read")] == [
        ("operator", 0), ("operator", 2), ("operator", 1), ("operator", 2), ("operator", 2),
    ]  # fmt: skip
    missing = run("withdrawal", "show", NOBODY)
    assert (missing.exit_code, "no withdrawal has this id" in missing.stderr) == (1, True)


def test_recalls_are_listed_and_answered(run: Run, house: House) -> None:
    assert "no recall waits for an answer" in good(run("recall", "list"))
    delivered, _ = one_of_each(house)
    good(run("agreement", "withdraw", "G99001", OH))
    (waiting,) = shown(run, "recall", "list")
    assert (waiting["reference"], waiting["overdue"], waiting["delivery"]) == (
        delivered, False, "queued",
    )  # fmt: skip
    assert "no answer is late" in good(run("recall", "list", "--overdue"))
    ground = ("--ground", "health-record")
    text = good(run("recall", "answer", waiting["id"], "retained", *ground))
    assert f"{waiting['id']}  {delivered}  RX901      retained, health-record" in text
    again = run("recall", "answer", waiting["id"], "retained", *ground)
    assert (again.exit_code, "stands already" in again.stderr) == (1, True)
    told = shown(run, "recall", "answer", waiting["id"], "stopped", "--actor", "ig-officer")
    assert (told["answer"], "ground" in told) == ("stopped", False)
    assert entries(house, "recall.acknowledged")[-1]["actor"] == "ig-officer"
    assert shown(run, "recall", "list") == []


def test_late_recalls_are_shown_as_such(run: Run, house: House) -> None:
    one_of_each(house)
    good(run("agreement", "withdraw", "G99001", OH))
    execute(house, "UPDATE recall SET due = '2026-01-01 00:00:00.000000'")
    assert "LATE not brought yet" in good(run("recall", "list", "--overdue"))
    assert shown(run, "recall", "list", "--overdue")[0]["overdue"] is True
    assert "recalls overdue: 1" in good(run("reconcile"))


@pytest.mark.parametrize(
    "words",
    [
        ("recall", "answer", NOBODY, "retained"),
        ("recall", "answer", NOBODY, "stopped", "--ground", "other"),
        ("recall", "answer", NOBODY, "perhaps"),
        ("recall", "answer", "1", "stopped"),
        ("withdrawal", "show", "1"),
        ("withdrawal", "list", "!"),
        ("withdrawal", "list", "--count", "0"),
    ],
)
def test_a_bad_call_is_told_from_a_failure(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_what_is_not_there_is_said(run: Run) -> None:
    result = run("recall", "answer", NOBODY, "stopped")
    assert (result.exit_code, "no recall has this id" in result.stderr) == (1, True)


def test_a_file_of_many_practices_ends_with_counts_for_each(
    run: Run, house: House, tmp_path: Path
) -> None:
    one_of_each(house)
    file = tmp_path / "weekend.csv"
    file.write_text(
        f"practice,what,name,value\nG99001,agreement,{OH},withdraw\n"
        "G99002,switch,shared_care,off\n",
        encoding="utf-8",
    )
    assert "  G99001" not in good(run("withdrawal", "list"))
    rehearsed = good(run("switch", "apply", file, "--dry-run"))
    assert "Stopped  Delivered  Unknown" in rehearsed
    assert "nothing was withdrawn" in good(run("withdrawal", "list"))
    applied = good(run("switch", "apply", file)).splitlines()
    assert applied[1].split() == ["G99001", "1", "1", "0", "0", "0", "1", "1", "0"]
    assert applied[2].split()[-3:] == ["0", "0", "0"]
    again = shown(run, "switch", "apply", file)
    assert [(each["stopped"], each["delivered"]) for each in again] == [(0, 0), (0, 0)]


def test_a_directory_that_assures_a_provider_no_more_says_what_was_stopped(
    run: Run, house: House, tmp_path: Path
) -> None:
    one_of_each(house)
    listed = house.directory
    for each in listed["providers"]:
        each["assured_until"] = "2026-01-01"
    file = tmp_path / "directory.yaml"
    file.write_text(yaml.safe_dump(listed), encoding="utf-8")
    text = good(run("directory", "apply", file))
    assert "withdrawals acknowledged: 1 stopped, 1 delivered, 0 unknown" in text
