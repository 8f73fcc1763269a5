"""The tools are as strict as they say, and their files name no place but this repository."""

import re
import socket
import tomllib
from pathlib import Path

import pytest
import pytest_socket

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_every_rule_that_ruff_ignores_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignoring = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    rules = re.findall(r'^ +("[A-Z]+[0-9]*",.*)$', ignoring, re.MULTILINE)
    assert len(rules) == _count_of_ignored()
    assert [rule for rule in rules if not re.search(r'^"[A-Z0-9]+", +# \S.{4,}', rule)] == []


def _count_of_ignored() -> int:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ruff = lint["tool"]["ruff"]["lint"]
    return len(ruff["ignore"]) + sum(map(len, ruff["per-file-ignores"].values()))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_hashes_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert [
        line for line in entries if not re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+ .*", line)
    ] == []
    assert text.count("--hash=sha256:") >= len(entries)
    assert [
        mark for mark in ("://", "--index", "--find-links", "--extra", "/") if mark in text
    ] == []


def test_the_development_lock_holds_the_runtime_lock_unchanged() -> None:
    runtime, dev = (_pins(ROOT / "requirements" / name) for name in ("runtime.txt", "dev.txt"))
    assert runtime.items() <= dev.items()


def _pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def test_every_runtime_requirement_is_locked() -> None:
    wanted = {
        re.split(r"[\[>=;# ]", line)[0].lower().replace(".", "-")
        for line in (ROOT / "requirements/runtime.in").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert wanted <= _pins(ROOT / "requirements/runtime.txt").keys()


def test_tests_reach_no_other_machine() -> None:
    # 192.0.2.0/24 is set aside for documentation: nobody answers there.
    with pytest.raises(pytest_socket.SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)


def test_tests_reach_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
