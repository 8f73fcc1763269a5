"""The gates of CI close when they should."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.house import audit, coverage_floors


def file(covered: int, branches: int) -> dict[str, Any]:
    return {
        "summary": {
            "num_statements": 10,
            "covered_lines": covered,
            "num_branches": 4,
            "covered_branches": branches,
        },
        "missing_lines": list(range(covered, 10)),
        "missing_branches": [[1, -1]] * (4 - branches),
    }


def coverage(**files: dict[str, Any]) -> dict[str, Any]:
    return {"files": {f"gateway/{name}/it.py": each for name, each in files.items()}}


def test_full_coverage_reaches_every_floor() -> None:
    report = coverage(consent=file(10, 4))
    assert [each.is_enough for each in coverage_floors.reached(report, {"gateway/": 100})] == [True]


@pytest.mark.parametrize("consent", [file(9, 4), file(10, 3)], ids=["a line", "a branch"])
def test_a_missed_line_or_branch_is_too_low(consent: dict[str, Any]) -> None:
    report = coverage(consent=consent, store=file(10, 4))
    floors = {"gateway/consent/": 100, "gateway/store/": 100}
    assert [each.is_enough for each in coverage_floors.reached(report, floors)] == [False, True]


def test_a_place_where_nothing_was_measured_is_too_low() -> None:
    [nowhere] = coverage_floors.reached(coverage(store=file(10, 4)), {"gateway/gone/": 100})
    assert not nowhere.is_enough


def test_a_floor_that_is_not_reached_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps(coverage(consent=file(9, 4))), encoding="utf-8")
    assert coverage_floors.main(path) == 1
    assert "gateway/consent/it.py: 9" in capsys.readouterr().out


CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
FLAWED = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-1"}]}
UNKNOWN = {"name": "rich", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "said", "is_failure"),
    [
        ([CLEAN], "no known vulnerability in 1 packages", False),
        ([CLEAN, UNKNOWN], "no known vulnerability in 1 packages; not checked: rich", False),
        ([UNKNOWN], "not checked: the vulnerability service knew none of the packages", False),
        ([CLEAN, FLAWED], "known vulnerabilities:\nflask 0.1: PYSEC-1", True),
    ],
)
def test_the_audit_says_what_was_asked(
    packages: list[dict[str, Any]], said: str, *, is_failure: bool
) -> None:
    verdict = audit.judge(int(is_failure), json.dumps({"dependencies": packages}), "")
    assert verdict == audit.Verdict(text=said, is_failure=is_failure)


def test_an_audit_without_a_network_is_not_a_failure_and_says_so() -> None:
    verdict = audit.judge(1, "", "requests.exceptions.ConnectionError: Max retries exceeded")
    assert not verdict.is_failure
    assert verdict.text.startswith("not checked: no network")


def test_an_audit_that_broke_for_another_reason_is_a_failure() -> None:
    assert audit.judge(1, "", "the lock is malformed").is_failure
