"""`make bench` still measures: each part runs to its end, at its smallest, and has figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_SMALLEST = """--engines sqlite --seconds 0.3 --clients 1 --repeats 2 --entries 300 --consents 1000
    --samples 20 --queue 20 --pace 20 --rounds 1""".split()


@pytest.mark.soak
@pytest.mark.parametrize("part", ["requests", "decisions", "ledger", "deliveries", "outcomes"])
def test_a_part_of_the_bench_runs_to_its_end(part: str, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--only", part, *_SMALLEST, "--json", written],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3_000:]
    figures = json.loads(written.read_text())
    assert figures
    assert all(figures.values())
