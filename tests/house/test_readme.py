"""The README is read first, so what it says is checked: commands, routes, settings, the walk."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import gateway
from gateway.cli.main import main
from gateway.config import Settings
from tests.builders.house import House

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, cells without their code marks."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def commands(group: click.Group, *above: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, *above, name)
        else:
            found.append(" ".join((*above, name)))
    return found


def test_each_command_is_in_the_readme_and_nothing_else() -> None:
    told = [row[0].removeprefix("gateway ").split(" FILE")[0] for row in table("Command line")]
    told = [re.sub(r" [A-Z].*$", "", name) for name in told]
    assert isinstance(main, click.Group)
    assert sorted(told) == sorted(commands(main))


def test_each_setting_is_in_the_readme_with_its_default() -> None:
    told = {row[0]: row[1] for row in table("Settings")}
    known = {}
    for name, field in Settings.model_fields.items():
        default = "(none)" if field.is_required() else str(field.default)
        known[f"GATEWAY_{name.upper()}"] = default
    assert told == known


def test_each_route_is_in_the_readme_with_who_may_enter(house: House) -> None:
    told = {(row[0], row[1]): row[2] for row in table("Routes")}
    known = {}
    for rule in house.app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+_)?(\w+)>", r"{\1}", rule.rule)
        view: Any = house.app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            known[(method, path)] = str(view.may_enter)
    assert told == known


def test_the_walk_is_the_same_in_readme_and_map_and_its_files_exist() -> None:
    told = re.findall(r"`gateway/([a-z_/0-9]+\.py)`", README.split("## The walk", 1)[1])
    told = list(dict.fromkeys(told))[:9]
    drawn = re.findall(r"^    ([a-z_/0-9]+\.py) ", gateway.__doc__ or "", re.MULTILINE)
    assert told == drawn
    assert len(drawn) <= 9
    assert all((ROOT / "gateway" / name).is_file() for name in drawn)


def test_the_two_commands_come_first_and_exist() -> None:
    first = README.split("```", 2)[1]
    assert "make demo" in first
    assert "make test" in first
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z]+)(?:`| +#| ONCE)", README):
        assert f"\n{target}:" in makefile


def test_what_validate_prints_is_what_the_readme_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = README.split("<!-- validate -->")[1].split("```text\n")[1].split("```")[0]
    command, _, printed = shown.partition("\n")
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, command.removeprefix("$ gateway ").split())
    assert result.stdout == printed
    assert result.exit_code == 1
