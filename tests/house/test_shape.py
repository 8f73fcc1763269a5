"""No attic: every module and function of the house fits in one's head, and rules stay pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
# The verifier is one file, so that an outsider can copy it out and run it with nothing else.
LONGER = {"gateway/ledger/verify.py": 1_650}
PURE_ROOMS = ("consent", "writeback", "routing", "ledger", "referral")
# Modules that these come from have innocent uses too, so import-linter lets them through.
CLOCK_AND_CHANCE = frozenset(
    {
        "now",
        "utcnow",
        "today",
        "uuid1",
        "uuid4",
        "uuid6",
        "uuid7",
        "open",
        "read_text",
        "read_bytes",
    }
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def too_long(name: str, source: str) -> Iterator[str]:
    """Name what is too long. A docstring counts: it is read too."""
    lines = len(source.splitlines())
    if lines > LONGER.get(name, LONGEST_MODULE):
        yield f"{name}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{name}: {node.name} has {lines} lines"


def impure_calls(name: str, source: str) -> Iterator[str]:
    """Name each call that asks the clock, chance or the disk."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = (
                node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
            )
            if called in CLOCK_AND_CHANCE:
                yield f"{name}:{node.lineno}: {ast.unparse(node.func)}()"


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted((ROOT / "gateway" / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_no_module_or_function_is_too_long() -> None:
    # A migration is a list of tables; it is made once, and never read as a flow.
    faults = [
        fault
        for name, source in modules("")
        if "/migrations/versions/" not in name
        for fault in too_long(name, source)
    ]
    assert faults == []


def test_rules_and_nouns_are_handed_time_and_chance_and_read_no_file() -> None:
    # The verifier is the exception: it reads an export from disk, and nothing else.
    offline = "gateway/ledger/verify.py"
    faults = [
        fault
        for name, source in modules(*PURE_ROOMS)
        if name != offline
        for fault in impure_calls(name, source)
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("\n" * (LONGEST_MODULE + 1), "it: 401 lines"),
        ("def f():\n" + "    1\n" * LONGEST_FUNCTION, "it: f has 51 lines"),
    ],
)
def test_what_is_too_long_is_noticed(source: str, fault: str) -> None:
    assert list(too_long("it", source)) == [fault]


@pytest.mark.parametrize("call", ["datetime.now(UTC)", "uuid4()", "date.today()", "open(p)"])
def test_an_impure_call_is_noticed(call: str) -> None:
    assert len(list(impure_calls("it", f"x = {call}"))) == 1
