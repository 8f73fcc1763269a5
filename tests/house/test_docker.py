"""What docker/ says is true of this repository: files, settings and commands exist."""

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
SETTINGS = {f"gateway_{name}" for name in Settings.model_fields}
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: it for name, it in COMPOSE["services"].items() if "build" in it}


def words_before_options(command: list[str]) -> tuple[str, ...]:
    """Return the (sub)command: lower-case words up to the first option or argument."""
    words = []
    for word in command:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        words.append(word)
    return tuple(words)


def commands() -> Iterator[tuple[str, ...]]:
    for service in OURS.values():
        yield words_before_options(service["command"])
    runbook = (DOCKER / "RUNBOOK.md").read_text(encoding="utf-8")
    for line in re.findall(r"dc run [^\n`|]* web ([^\n`|]+)", runbook):
        yield words_before_options(shlex.split(line, comments=True))
    for text in (runbook, (ROOT / "certs/README.md").read_text(encoding="utf-8")):
        for line in re.findall(r"`gateway ([^`]+)`", text):
            yield words_before_options(line.split())


COMMANDS = sorted(set(commands()))


def test_commands_were_found() -> None:
    expected = {
        ("serve",),
        ("worker",),
        ("db", "upgrade"),
        ("replay",),
        ("certs", "dev"),
    }
    assert expected <= set(COMMANDS)


@pytest.mark.skipif(
    importlib.util.find_spec("gateway.__main__") is None, reason="there is no command line yet"
)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_exists(words: tuple[str, ...]) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "gateway", *words, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert f"Usage: gateway {' '.join(words)} " in re.sub(
        r"python -m gateway", "gateway", asked.stdout
    )


def test_every_setting_in_the_compose_file_exists() -> None:
    known = SETTINGS | {"gateway_secrets_dir"}
    named = {name.lower() for service in OURS.values() for name in service["environment"]}
    assert named <= known


def test_every_secret_is_named_for_a_setting_and_all_that_must_be_set_are() -> None:
    secrets = {name for service in OURS.values() for name in service["secrets"]}
    needed = {f"gateway_{name}" for name, it in Settings.model_fields.items() if it.is_required()}
    assert needed <= secrets <= SETTINGS


def test_every_secret_is_declared_and_none_is_in_the_file() -> None:
    used = {name for service in COMPOSE["services"].values() for name in service.get("secrets", ())}
    assert used == COMPOSE["secrets"].keys()
    assert {
        it["file"].startswith("./secrets/") and it.keys() == {"file"}
        for it in COMPOSE["secrets"].values()
    } == {True}


def test_every_service_that_is_waited_for_exists() -> None:
    for service in OURS.values():
        assert service["depends_on"].keys() <= COMPOSE["services"].keys()


def test_only_this_machine_reaches_the_published_port() -> None:
    published = [p for service in COMPOSE["services"].values() for p in service.get("ports", ())]
    assert [p for p in published if not p.startswith("127.0.0.1:")] == []


def test_every_file_that_the_image_copies_exists_and_reaches_the_build() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    sources = [
        source
        for copied in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in copied.split()[:-1]
    ]
    let_in = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if f"!{source.split('/')[0]}" not in let_in] == []


def test_the_image_installs_only_what_is_hashed() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip install ([^&\n]+)", text)
    assert installs
    assert [it for it in installs if "--require-hashes" not in it and "--no-index" not in it] == []
