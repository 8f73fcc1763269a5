import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.cli.demo.processes import require, run_gateway, start_child, stop_all, tail, wait_until
from gateway.errors import SetupError

SLEEPER = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n"
PARENT = """
import os, sys, time
from pathlib import Path
from gateway.cli.demo.processes import start_child
child = start_child("sleeper", "sleeper", [], environment=os.environ, logs=Path(sys.argv[1]))
print(child.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which `sleeper` is a module that does nothing for long."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def is_asleep(log: Path) -> bool:
    return log.exists() and "asleep" in log.read_text()


def is_gone(pid: int, *, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_child_runs_until_it_is_stopped(tmp_path: Path, environment: dict[str, str]) -> None:
    child = start_child("sleeper", "sleeper", [], environment=environment, logs=tmp_path)
    wait_until(child, lambda: is_asleep(child.log))
    assert child.process.poll() is None
    stop_all([child])
    assert child.process.returncode == -signal.SIGTERM


def test_a_child_ends_when_its_parent_is_killed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        deadline = time.monotonic() + 30
        while not is_asleep(tmp_path / "sleeper.log") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_gone(pid, within=0.1)
        parent.kill()
    assert is_gone(pid, within=10)


def test_a_child_that_ends_before_it_answers_is_told_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    (tmp_path / "failing.py").write_text("raise SystemExit('the port is taken')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    child = start_child("failing", "failing", [], environment=environment, logs=tmp_path)
    with pytest.raises(SetupError, match=r"failing ended.*\n.*the port is taken"):
        wait_until(child, lambda: False)
    stop_all([child])


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    assert tail(log).splitlines()[-1].strip() == "line 99"
    assert len(tail(log).splitlines()) == 15
    assert tail(tmp_path / "missing.log") == ""


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    environment = {**os.environ, "GATEWAY_NONSENSE": "1"}
    with pytest.raises(SetupError, match=r"(?s)db upgrade ended with status 1.*GATEWAY_NONSENSE"):
        require(run_gateway("db", "upgrade", environment=environment))
