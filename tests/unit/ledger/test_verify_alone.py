"""The verifier as a program: copied out, and run by somebody who has nothing else of ours."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ledger import verify
from gateway.ledger.verify import KEPT_FINDINGS, main
from tests.builders.exported import (
    VKEY,
    WITNESS_KEY,
    bodies_of,
    checkpoint_of,
    cosigned,
    files_of,
    proof_of,
    timeline_of,
    write_files,
)

SIZE = 300
BODIES = bodies_of(SIZE)
NOTE = checkpoint_of(BODIES)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write_files(tmp_path / "export", files_of(BODIES, cosigned(NOTE)))


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = main([str(each) for each in arguments], out=out, err=err)
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("flags", [["-I"], ["-I", "-S"]])
def test_it_runs_alone_and_only_needs_cryptography_for_signatures(
    tmp_path: Path, export: Path, flags: list[str]
) -> None:
    alone = shutil.copy(verify.__file__, tmp_path / "verify.py")
    command = [sys.executable, *flags, alone, "export", str(export), "--vkey", VKEY]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "-S" in flags:
        assert (done.returncode, done.stdout) == (2, "")
        assert "cryptography" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("gateway.example/ledger/2026: intact\n")


def test_an_intact_export_is_0_and_says_what_was_checked_and_what_is_not_proved(
    tmp_path: Path, export: Path
) -> None:
    for name, content in [("key", VKEY), ("witness", WITNESS_KEY.text), ("older", NOTE)]:
        (tmp_path / name).write_text(content + "\n" * (name != "older"), encoding="utf-8")
    status, out, err = run(
        "export", export, "--vkey", tmp_path / "key", "--witness", tmp_path / "witness",
        "--older", tmp_path / "older",
    )  # fmt: skip
    assert (status, err) == (0, "")
    for text in (
        "entries checked  300",
        "checked: consistent with the older checkpoint of size 300",
        "witness: witness.example/one at 2026-11-22T12:00:00+00:00, size 300",
        "not proved: That what was entered was true at the time.",
    ):
        assert text in out


def test_a_broken_export_is_1_and_every_finding_is_named(export: Path) -> None:
    (export / "tile/1/000.p/1").write_bytes(bytes(32))
    (export / "tile/entries/001.p/44").write_bytes(b"\0\1x" * 44)
    status, out, _ = run("export", export, "--vkey", VKEY)
    assert status == 1
    assert "gateway.example/ledger/2026: BROKEN" in out
    assert "  tile: tile/1/000.p/1: hash 0 is not what the entries under it hash to" in out
    assert "  entry 256: body: it is not JSON" in out


def test_findings_that_are_not_shown_are_counted(tmp_path: Path) -> None:
    many = KEPT_FINDINGS + 10
    folder = write_files(tmp_path, files_of([b"x"] * many))
    _, out, _ = run("export", folder, "--vkey", VKEY)
    assert "  and 10 findings more\n" in out


def test_a_report_is_told_as_json_too(export: Path) -> None:
    status, out, _ = run("export", export, "--json")
    told = json.loads(out)
    assert (status, told["ok"], told["size"], told["findings"]) == (0, True, SIZE, [])
    (export / "checkpoint").unlink()
    status, out, _ = run("export", export, "--json")
    assert (status, json.loads(out)["findings"][0]["code"]) == (1, "missing")
    assert run("export", export)[1].startswith("no log: BROKEN\n")


def test_a_proof_and_a_timeline_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODIES[7])
    (tmp_path / "proof").write_text(proof_of(BODIES, 7), encoding="utf-8")
    assert run("proof", tmp_path / "body", tmp_path / "proof", "--vkey", VKEY)[0] == 0
    (tmp_path / "body").write_bytes(BODIES[8])
    assert run("proof", tmp_path / "body", tmp_path / "proof", "--vkey", VKEY)[0] == 1
    practice = json.loads(BODIES[5])["practice"]
    indexes = [at for at in range(20) if json.loads(BODIES[at])["practice"] == practice]
    files = timeline_of(BODIES, f"practice {practice}", indexes, NOTE)
    assert run("timeline", write_files(tmp_path / "line", files), "--vkey", VKEY)[0] == 0


def test_progress_is_shown_on_a_terminal_only(export: Path) -> None:
    err = Terminal()
    assert main(["export", str(export), "--vkey", VKEY], out=io.StringIO(), err=err) == 0
    assert err.getvalue() == "\r300 entries "


@pytest.mark.parametrize(
    "wrong", [["--vkey", "x+y"], ["--vkey", "nowhere"], ["--older", "nowhere"]]
)
def test_a_bad_call_is_2_and_says_why(export: Path, wrong: list[str]) -> None:
    status, out, err = run("export", export, *wrong)
    assert (status, out) == (2, "")
    assert err


@pytest.mark.parametrize("wrong", [[], ["export"], ["proof", "a", "b"], ["other"]])
def test_a_call_that_lacks_something_is_2(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*wrong)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["export"], ["proof"], ["timeline"]])
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*command, "--help")
    assert ended.value.code == 0
    assert "KEY_OR_FILE" in capsys.readouterr().out or not command
