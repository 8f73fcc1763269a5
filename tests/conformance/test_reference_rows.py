"""Each row of the reference has a test, and each test that is named is there."""

import ast
from pathlib import Path

import pytest

from tests.conformance.defects import DEFECTS
from tests.conformance.hostile import HOSTILE_JSON
from tests.conformance.reference_rows import ROWS

TESTS = Path(__file__).parents[1]


def written() -> frozenset[str]:
    """The name of every test function, defect and hostile request."""
    functions = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    defects, hostile = {each.name for each in DEFECTS}, {each.name for each in HOSTILE_JSON}
    return frozenset(functions | defects | hostile)


WRITTEN = written()


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_test(row: str) -> None:
    assert ROWS[row]
    assert [name for name in ROWS[row] if name not in WRITTEN] == []
