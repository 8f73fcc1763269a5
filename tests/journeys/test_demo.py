"""`gateway demo` as people run it: a command, its table, and nothing left behind."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.cli.demo.samples import SAMPLES

COMMAND = [sys.executable, "-m", "gateway", "demo"]
# A setting of another gateway must neither disturb the demo nor be disturbed.
ENVIRONMENT = {
    **os.environ,
    "COLUMNS": "200",
    "GATEWAY_DATABASE_URL": "sqlite:////nowhere/gateway.sqlite3",
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "kept"


@pytest.fixture(scope="module")
def once(folder: Path) -> subprocess.CompletedProcess[str]:
    """One whole run that stops by itself."""
    return subprocess.run(
        [*COMMAND, "--once", "--dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=200,
        env=ENVIRONMENT,
        check=False,
    )


@pytest.fixture
def described(once: subprocess.CompletedProcess[str], folder: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    return description


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_sample_ends_as_expected(once: subprocess.CompletedProcess[str]) -> None:
    assert once.returncode == 0, once.stdout + once.stderr
    assert f"{len(SAMPLES)} of {len(SAMPLES)} samples ended as expected" in once.stdout
    assert once.stdout.count("✓") == len(SAMPLES)
    assert "✗" not in once.stdout


def test_the_table_says_what_became_of_them_and_why(
    once: subprocess.CompletedProcess[str],
) -> None:
    rows = [line for line in once.stdout.splitlines() if line.startswith(" A ")]
    assert [bool(re.search(r"(REST|BaRS) .*20[01] .*RG-\S{4}-\S{4} ", r)) for r in rows] == [
        True
    ] * 3
    for text in ("NO_PATIENT_CONSENT", "CONSENT_DOES_NOT_COVER", "held", "refused", "malformed"):
        assert text in once.stdout
    for text in ("has all but that part", "CONSENT_WITHDRAWN", "A letter tells the ICB."):
        assert text in once.stdout


def test_the_rules_say_why_a_sample_is_held(once: subprocess.CompletedProcess[str]) -> None:
    heading = r"gateway consent explain RG-\S{9} \(Consent names another provider\): exit status 0"
    shown = re.split(heading, once.stdout)[1].split("\n\ngateway ")[0]
    assert "HOLD  R33 CONSENT_DOES_NOT_COVER" in shown
    assert "-> PERMIT" in shown
    assert len(shown.strip().splitlines()) < 12


def test_a_withdrawal_says_what_became_of_each_delivery_and_what_its_provider_answered(
    once: subprocess.CompletedProcess[str],
) -> None:
    heading = r"gateway withdrawal show \S{36} \(The consent withdrawn above\): exit status 0"
    shown = re.split(heading, once.stdout)[1].split("\n\ngateway ")[0]
    assert "1 stopped, 1 delivered, 0 unknown" in shown
    assert re.search(r"RG-\S{9}  8Z99A      delivered  recall \S{36}: stopped(\n|$)", shown)
    assert re.search(r"RG-\S{9}  8Z99A      stopped(\n|$)", shown)


def test_the_gateway_proves_its_own_books(once: subprocess.CompletedProcess[str]) -> None:
    assert "gateway ledger verify: exit status 0" in once.stdout
    assert "gateway ledger verify exported: exit status 0" in once.stdout
    assert "checked: checkpoint: signature by referral-gateway.example/demo/" in once.stdout
    assert "gateway reconcile: exit status 0" in once.stdout
    assert "each in exactly one state" in once.stdout


def test_progress_goes_to_stderr(once: subprocess.CompletedProcess[str]) -> None:
    assert "starting: database" in once.stderr
    assert "starting: " not in once.stdout


def test_the_demo_describes_itself_for_people_and_scripts(
    described: dict[str, Any], folder: Path
) -> None:
    assert described["base_url"].endswith("/FHIR/R4")
    assert described["token_url"] == f"{described['base_url']}/oauth2/token"
    assert described["sharing_url"].endswith("/sharing")
    assert described["console_url"] is None
    for client in described["clients"]:
        assert client.keys() == {"id", "ods", "name", "scopes", "algorithm", "kid", "key_file"}
        assert stat.S_IMODE(Path(client["key_file"]).stat().st_mode) == 0o600
    assert [each["ods"] for each in described["neighbours"]] == ["8Z99A", "8Z99B", "F9901"]
    for name in ("directory_file", "ca_file", "database"):
        assert Path(described[name]).is_relative_to(folder)
        assert Path(described[name]).is_file()
    assert all(Path(path).is_file() for path in described["samples"])
    assert len(described["samples"]) == len([s for s in SAMPLES if s.again is None])
    consents = [json.loads(Path(path).read_bytes()) for path in described["consents"]]
    assert [each["status"] for each in consents] == ["active", "inactive"]


def test_nothing_is_left_running(described: dict[str, Any]) -> None:
    assert len(described["processes"]) == 6
    assert [p["name"] for p in described["processes"] if is_running(p["pid"])] == []


def test_no_log_names_a_patient(described: dict[str, Any]) -> None:
    people = [sample.person for sample in SAMPLES if sample.person is not None]
    for process in described["processes"]:
        text = Path(process["log"]).read_text(encoding="utf-8")
        assert text
        assert [p.nhs for p in people if p.nhs in text or p.family in text] == []


@pytest.fixture
def running(
    once: subprocess.CompletedProcess[str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A second run, in the folder of the first, that goes on until Ctrl-C."""
    out = (folder.parent / "out").open("wb")
    with (
        out,
        subprocess.Popen(
            [*COMMAND, "--dir", str(folder)], stdout=out, stderr=out, env=ENVIRONMENT
        ) as demo,
    ):
        deadline = time.monotonic() + 200
        while b"Ctrl-C" not in (folder.parent / "out").read_bytes():
            assert demo.poll() is None, (folder.parent / "out").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield demo
        demo.kill()


def test_a_second_run_uses_the_folder_again_serves_people_and_stops_at_ctrl_c(
    running: subprocess.Popen[bytes], folder: Path
) -> None:
    described = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    client = described["clients"][0]["id"]
    token = subprocess.run(
        [sys.executable, "-m", "gateway.cli.demo.clients", str(folder / "demo.json"), client],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    feed = requests.get(f"{described['base_url']}/Task", headers=headers, timeout=15)
    assert feed.status_code == 200
    shown = (folder.parent / "out").read_text(encoding="utf-8")
    assert f"curl {described['base_url']}/metadata" in shown
    assert f"{len(SAMPLES)} of {len(SAMPLES)} samples ended as expected" in shown
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert [p["name"] for p in described["processes"] if is_running(p["pid"])] == []
