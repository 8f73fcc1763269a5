"""`gateway switch`, `agreement` and `notice`, as an operator types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from gateway.cli.switch import SWITCHES, VALUES
from gateway.referral.directory import Switch, SwitchValue

Run = Callable[..., Result]
TERMS = {"kind": "exclusive-secondary", "purposes": ["evaluation"], "dpia_ref": "DPIA-1"}


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    file = tmp_path / "terms.yaml"
    file.write_text(yaml.safe_dump(TERMS), encoding="utf-8")
    return file


def good(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def shown(run: Run, *words: str) -> Any:
    return json.loads(good(run(*words, "--json")))


def sign(run: Run, terms: Path) -> None:
    good(run("switch", "set", "G99001", "new_agreements", "on"))
    good(run("agreement", "sign", "G99001", "dsa", "--file", terms, "--counterparty", "rx901"))


def test_the_names_of_switches_and_positions_are_those_of_the_house() -> None:
    assert list(SWITCHES) == [switch.value for switch in Switch]
    assert set(VALUES) == {value.value for value in SwitchValue}


def test_a_switch_is_set_shown_and_told_of(run: Run) -> None:
    text = good(run("switch", "set", "g99001", "update_record", "off", "--reason", "Action 5"))
    assert "update_record        off" in text
    assert "drafted a notice (write-switch) to An ICB" in text
    again = good(run("switch", "set", "G99001", "update_record", "off"))
    assert "stands so already; nothing was written" in again
    assert good(run("switch", "list", "G99001")).splitlines()[0] == "secondary_sharing    unknown"
    history = shown(run, "switch", "history", "G99001", "update_record")
    assert [(e["value"], e["reason"], e["source"]) for e in history] == [
        ("off", "Action 5", "operator")
    ]
    assert "by operator (operator): Action 5" in good(run("switch", "history", "G99001"))


def test_what_a_freeze_takes_back_and_a_plan_that_stands_are_told(run: Run, terms: Path) -> None:
    good(run("switch", "set", "G99001", "new_agreements", "on"))
    words = ("--file", terms, "--counterparty", "rx901", "--at", "2099-07-01")
    good(run("agreement", "sign", "G99001", "dsa", *words))
    text = good(run("switch", "set", "G99001", "new_agreements", "off"))
    assert "G99001: dsa is not signed under this freeze: taken back" in text
    good(run("switch", "set", "G99001", "new_agreements", "on", "--at", "2099-07-01"))
    again = good(run("switch", "set", "G99001", "new_agreements", "off"))
    assert "taken back" not in again
    good(run("switch", "set", "G99001", "shared_care", "on"))
    good(run("switch", "set", "G99001", "shared_care", "off", "--at", "2099-07-01"))
    again = good(run("switch", "set", "G99001", "shared_care", "on"))
    assert "stands so already; nothing was written\nbut it is to be off from 2099-06-30" in again


def test_a_plan_is_shown_as_one(run: Run) -> None:
    text = good(run("switch", "set", "G99001", "shared_care", "off", "--at", "2099-07-01"))
    assert "from 2099-06-30 23:00 UTC, by operator (operator) (planned)" in text
    listed = {each["switch"]: each for each in shown(run, "switch", "list", "G99001")}
    assert listed["shared_care"]["value"] == "unknown"
    assert len(listed["shared_care"]["planned"]) == 1


def test_an_agreement_is_signed_suspended_withdrawn_and_reinstated(
    run: Run, terms: Path, tmp_path: Path
) -> None:
    document = tmp_path / "signed.pdf"
    document.write_bytes(b"%PDF")
    sign(run, terms)
    repeat = run("agreement", "sign", "G99001", "dsa", "--file", terms)
    assert "stands so already" in good(repeat)
    good(run("agreement", "sign", "G99001", "dsa", "--file", terms, "--document", document))
    for command in ("suspend", "withdraw", "reinstate"):
        good(run("agreement", command, "G99001", "dsa", "--reason", "A review"))
    assert [e["move"] for e in shown(run, "agreement", "history", "G99001", "dsa")] == [
        "signed", "renewed", "suspended", "withdrawn", "reinstated",
    ]  # fmt: skip
    listed = {each["id"]: each["status"] for each in shown(run, "agreement", "list", "G99001")}
    assert listed == {"dsa": "active", "dsa-one-oh": "active"}
    assert "exclusive-secondary" in good(run("agreement", "list", "G99001"))
    good(run("agreement", "withdraw", "G99001", "dsa", "--at", "2099-01-01"))
    assert "(planned)" in good(run("agreement", "list", "G99001"))
    assert "A review" in good(run("agreement", "history", "G99001"))


def test_a_refusal_says_why_and_how_to_mend_it(run: Run, terms: Path) -> None:
    good(run("switch", "set", "G99001", "new_agreements", "off"))
    refused = run("agreement", "sign", "G99001", "dsa", "--file", terms, "--counterparty", "RX901")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "refused: The practice signs no new or wider agreements" in refused.stderr
    assert "Reason: NEW_AGREEMENTS_FROZEN." in refused.stderr


def test_an_agreement_without_an_impact_assessment_is_kept_as_a_proposal(
    run: Run, terms: Path
) -> None:
    good(run("switch", "set", "G99001", "new_agreements", "on"))
    told = {"kind": "direct", "purposes": ["eap"], "counterparty": "RX901"}
    terms.write_text(yaml.safe_dump(told), encoding="utf-8")
    text = good(run("agreement", "sign", "G99001", "dsa", "--file", terms))
    assert "kept as a proposal" in text
    assert "dpia_ref" in text


def test_terms_that_are_wrong_are_told_at_their_field(run: Run, terms: Path) -> None:
    terms.write_text("kind: direct\npurposes: [marketing]\n", encoding="utf-8")
    refused = run("agreement", "sign", "G99001", "dsa", "--file", terms)
    assert refused.exit_code == 1
    assert "gateway: purposes[0]: This field is not one of the codes" in refused.stderr


def test_a_notice_is_listed_printed_sent_and_acknowledged(run: Run) -> None:
    good(run("switch", "set", "G99001", "new_agreements", "off"))
    (notice,) = shown(run, "notice", "list", "G99001")
    assert notice["state"] == "drafted"
    letter = good(run("notice", "letter", notice["id"]))
    assert letter.startswith("<!doctype html>")
    assert "sent" in good(run("notice", "sent", notice["id"]))
    assert "acknowledged" in good(run("notice", "acknowledged", notice["id"]))
    assert f"{notice['id']}  G99001" in good(run("notice", "list"))


@pytest.mark.parametrize(
    "words",
    [
        ("switch", "set", "G99001", "update_record", "up"),
        ("switch", "set", "G99001", "everything", "off"),
        ("switch", "set", "!", "update_record", "off"),
        ("switch", "set", "G99001", "update_record", "off", "--at", "2026-12-01T09:00"),
        ("switch", "set", "G99001", "update_record", "off", "--reason", "of 9990000018"),
        ("switch", "set", "G99001", "update_record", "off", "--actor", "two words"),
        ("agreement", "withdraw", "G99001", "a b"),
        ("notice", "letter", "1"),
    ],
)
def test_a_bad_call_is_told_from_a_failure(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("switch", "list", "G99999"), "no practice G99999"),
        (("agreement", "withdraw", "G99001", "dsa-none"), "no agreement dsa-none"),
        (("switch", "set", "G99001", "update_record", "exclusive-withdrawn"), "third position"),
        (("notice", "letter", "11111111-1111-4111-8111-111111111111"), "no notice has this id"),
    ],
)
def test_what_cannot_be_done_says_why(run: Run, words: tuple[str, ...], text: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert text in result.stderr


def test_a_file_of_many_practices_is_rehearsed_and_applied(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "weekend.csv"
    file.write_text(
        "practice,what,name,value\n"
        "G99001,switch,update_record,off\n"
        "G99999,switch,update_record,off\n"
        "G99002,switch,update_record,off\n",
        encoding="utf-8",
    )
    rehearsed = run("switch", "apply", file, "--dry-run")
    assert rehearsed.exit_code == 1
    assert "a rehearsal, nothing was written" in rehearsed.stdout
    applied = run("switch", "apply", file)
    assert applied.exit_code == 1
    assert "line 3: G99999: the directory has no practice G99999" in applied.stdout
    assert "2 of 3 practices applied, 1 failed" in applied.stdout
    told = json.loads(run("switch", "apply", file, "--json").stdout)
    assert [(each["practice"], each["ok"]) for each in told] == [
        ("G99001", True), ("G99999", False), ("G99002", True),
    ]  # fmt: skip
    assert [each["lines"][0]["outcome"] for each in told] == ["already", "failed", "already"]


def test_a_file_whose_form_is_wrong_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "weekend.csv"
    file.write_text("practice,what,name,value\nG99001,switch,update_record,off\nG99002,switch\n")
    refused = run("switch", "apply", file)
    assert refused.exit_code == 1
    assert "line 3: it has 2 cells and the header 4" in refused.stderr
    assert "off" not in good(run("switch", "list", "G99001"))
