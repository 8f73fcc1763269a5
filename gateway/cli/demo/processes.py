"""Child processes: started, watched, stopped, and never left behind.

Each child leads a process group of its own, so that Ctrl-C reaches the demo alone, which
then stops the children in order. A child also ends when the demo is killed: see `child`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from gateway.errors import SetupError

START_PATIENCE = timedelta(seconds=60)
STOP_PATIENCE = timedelta(seconds=40)
"""Longer than a front door or a worker takes to finish what is under way."""
COMMAND_PATIENCE = timedelta(seconds=120)
_LOOK_AGAIN = timedelta(milliseconds=100)
_TAIL_LINES = 15
_PROGRAM = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One running child. `log` is where its stdout and stderr go."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    output: IO[bytes]

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end, wait, and end it with all its own children if it does not."""
        if self.is_running:
            self.process.terminate()
        try:
            self.process.wait(STOP_PATIENCE.total_seconds())
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.output.close()


def start_child(
    name: str, module: str, arguments: Sequence[str], *, environment: Mapping[str, str], logs: Path
) -> Child:
    """Start a Python module as a child that ends with this process."""
    log = logs / f"{name}.log"
    output = log.open("ab")
    process = subprocess.Popen(  # noqa: S603  # our own module, no shell
        [sys.executable, "-m", "gateway.cli.demo.child", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )
    return Child(name=name, process=process, log=log, output=output)


def stop_all(children: Sequence[Child]) -> None:
    """Stop all children, the last one first: each before those whose answers it waits for."""
    for child in reversed(children):
        child.stop()


def wait_until(child: Child, is_ready: Callable[[], bool]) -> None:
    """Wait until a child answers.

    Raises:
        SetupError: it ended, or does not answer in time; with the end of its log.
    """
    deadline = time.monotonic() + START_PATIENCE.total_seconds()
    while not is_ready():
        if not child.is_running or time.monotonic() > deadline:
            what = "does not answer" if child.is_running else "ended"
            msg = f"{child.name} {what}; the end of {child.log}:\n{tail(child.log)}"
            raise SetupError(msg)
        time.sleep(_LOOK_AGAIN.total_seconds())


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-_TAIL_LINES:])


def run_gateway(
    *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one `gateway` command to its end, in a folder or here, and keep what it says."""
    # The program is found beside this file, wherever it runs.
    found = {"PYTHONPATH": str(_PROGRAM)} if folder else {}
    return subprocess.run(  # noqa: S603  # our own module, no shell
        [sys.executable, "-m", "gateway", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_PATIENCE.total_seconds(),
        env={**environment, **found},
        cwd=folder,
        check=False,
    )


def require(result: subprocess.CompletedProcess[str]) -> None:
    """Go on only if a command did what it was asked.

    Raises:
        SetupError: it did not; with what it said.
    """
    if result.returncode != 0:
        command = " ".join(result.args[2:])
        msg = f"{command} ended with status {result.returncode}:\n{result.stdout}{result.stderr}"
        raise SetupError(msg)
