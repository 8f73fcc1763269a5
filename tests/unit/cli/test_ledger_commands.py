"""`gateway ledger ...` as an officer types it: results, exit statuses, files."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


@pytest.fixture
def exported(run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "exported"
    result = run("ledger", "export", folder)
    assert result.exit_code == 0, result.output
    return folder


def test_a_checkpoint_is_signed_and_printed_and_the_second_time_it_is_the_same(run: Run) -> None:
    first = run("ledger", "checkpoint")
    assert first.exit_code == 0
    origin, size, _, blank, line = first.stdout.splitlines()
    assert origin.endswith("/2026") or origin[-4:].isdigit()
    assert int(size) > 0
    assert blank == ""
    assert line.startswith(f"— {origin} ")
    assert run("ledger", "checkpoint").stdout == first.stdout


def test_an_export_is_verified_offline(run: Run, exported: Path) -> None:
    key = run("ledger", "vkey").stdout.strip()
    assert (exported / "vkey").read_text(encoding="utf-8").strip() == key
    result = run("ledger", "verify", exported, "--vkey", key)
    assert result.exit_code == 0
    assert "intact" in result.stdout
    assert "the key came with the files" not in result.stdout
    told = json.loads(run("ledger", "verify", exported, "--json").stdout)
    assert told["ok"] is True
    assert any("the key came with the files" in text for text in told["not_proved"])


def test_an_older_checkpoint_that_was_kept_is_held_against_an_export(
    run: Run, tmp_path: Path, exported: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes((exported / "checkpoint").read_bytes())
    later = tmp_path / "later"
    assert run("ledger", "export", later).exit_code == 0
    assert run("ledger", "verify", later, "--older", kept).exit_code == 0
    newest = later / "checkpoint"
    result = run("ledger", "verify", exported, "--older", newest)
    assert result.exit_code == 1
    assert "rollback" in result.stdout


def test_damage_ends_with_status_1_and_says_where(run: Run, exported: Path) -> None:
    (bundle,) = (path for path in (exported / "tile" / "entries").rglob("*") if path.is_file())
    damaged = bytearray(bundle.read_bytes())
    damaged[40] ^= 1
    bundle.write_bytes(damaged)
    result = run("ledger", "verify", exported)
    assert result.exit_code == 1
    assert "BROKEN" in result.stdout
    assert "entry 0" in result.stdout


def test_one_entry_is_proved_and_verified(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "proved"
    assert run("ledger", "prove", folder, "--entry", "0").exit_code == 0
    key = run("ledger", "vkey").stdout.strip()
    assert run("ledger", "verify", folder, "--vkey", key).exit_code == 0
    without = run("ledger", "verify", folder)
    assert without.exit_code == 2
    assert "give --vkey too" in without.output


def test_the_timeline_of_a_practice_is_proved_and_verified(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "timeline"
    result = run("ledger", "prove", folder, "--practice", "G99001")
    assert result.exit_code == 0, result.output
    assert (folder / "timeline").read_text(encoding="utf-8") == "practice G99001\n"
    key = run("ledger", "vkey").stdout.strip()
    for given in (["--vkey", key], []):
        checked = run("ledger", "verify", folder, *given)
        assert checked.exit_code == 0, checked.output
        assert ("the key came with the files" in checked.stdout) is (not given)
    min(folder.glob("*.json"), key=lambda path: int(path.stem)).unlink()
    assert run("ledger", "verify", folder).exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ["prove", "x"],
        ["prove", "x", "--entry", "0", "--practice", "G99001"],
        ["prove", "x", "--entry", "-1"],
        ["prove", "x", "--practice", "not an ODS code"],
        ["prove", "x", "--subject", "nobody"],
        ["prove", "x", "--referral", "RG-0"],
        ["verify", "--vkey", "k"],
        ["verify", "no-such-folder"],
        ["verify", ".", "--vkey", "no+key"],
    ],
)
def test_a_bad_call_ends_with_status_2(
    run: Run, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("ledger", *words).exit_code == 2


@pytest.mark.parametrize(
    "words", [["prove", "x", "--entry", "99999"], ["prove", "x", "--referral", "RG-0000-0000"],
              ["export", "x", "--year", "1999"], ["prove", "x", "--practice", "B99999"]],
)  # fmt: skip
def test_what_is_not_there_ends_with_status_1(
    run: Run, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("ledger", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("gateway: ")
