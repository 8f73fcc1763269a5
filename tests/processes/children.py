"""Child processes of the tests: quick to start, alone in their group, never left behind.

A child is forked from a server that has imported the gateway once, so that a test which
kills processes dozens of times does not import it dozens of times; what runs in it is the
same command with the same arguments and environment. `run_command` starts a program anew.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "gateway.app",
        "gateway.cli.main",
        "gateway.cli.serve",
        "gateway.inbound.front_door",
        "gateway.outbound.worker",
        "tests.processes.dying",
    ]
)


def start(target: Callable[..., None], *arguments: object, log: Path) -> ForkServerProcess:
    """Start a function in a child; its words go to the log."""
    process = _context.Process(target=_run, args=(target, arguments, log))
    process.start()
    return process


def start_gateway(*arguments: str, environment: Mapping[str, str], log: Path) -> ForkServerProcess:
    """Start `gateway <arguments>` in a child."""
    return start(_gateway, arguments, dict(environment), log=log)


def run_command(
    *arguments: str, environment: Mapping[str, str], timeout: timedelta = timedelta(seconds=60)
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m gateway <arguments>` to its end."""
    return subprocess.run(
        command(*arguments),
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout.total_seconds(),
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway", *arguments]


def kill(process: ForkServerProcess) -> None:
    """Kill a child and everything that it started, without warning."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _run(target: Callable[..., None], arguments: Sequence[object], log: Path) -> None:
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    target(*arguments)


def _end_with_the_tests() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.killpg(os.getpid(), signal.SIGKILL)


def _gateway(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    from gateway.cli.main import main

    os.environ.clear()
    os.environ.update(environment)
    main(list(arguments), prog_name="gateway")
