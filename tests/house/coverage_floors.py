"""Hold each room to its floor of branch coverage.

What enters: the JSON report that `make test COVERAGE=1` writes. What leaves: one line a floor,
and exit status 1 if one is not reached. A floor under which nothing was measured is not
reached: a room that was renamed must not lose its guard in silence.

    python -m tests.house.coverage_floors coverage.json
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOORS: Mapping[str, float] = {
    "gateway/consent/": 100,
    "gateway/ledger/": 100,
    "gateway/writeback/": 100,
    "gateway/referral/lifecycle.py": 100,
    "gateway/fhir/refusals.py": 100,
    "gateway/inbound/answers.py": 100,
    "gateway/": 90,
}

MOST_SHOWN = 25  # missed lines and branches of one file


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How much of one place the tests ran: lines and branches together, as coverage.py counts."""

    place: str
    floor: float
    possible: int
    covered: int
    missed: Mapping[str, str]

    @property
    def percent(self) -> float:
        return 100 * self.covered / self.possible if self.possible else 0.0

    @property
    def is_enough(self) -> bool:
        return self.percent >= self.floor


def reached(report: Mapping[str, Any], floors: Mapping[str, float] = FLOORS) -> list[Reached]:
    return [_reached(place, floor, report["files"]) for place, floor in floors.items()]


def _reached(place: str, floor: float, files: Mapping[str, Any]) -> Reached:
    here = {name: file for name, file in files.items() if name.startswith(place)}
    summaries = [file["summary"] for file in here.values()]
    return Reached(
        place=place,
        floor=floor,
        possible=_total(summaries, "num_statements", "num_branches"),
        covered=_total(summaries, "covered_lines", "covered_branches"),
        missed={name: text for name, file in here.items() if (text := _missed(file))},
    )


def _total(summaries: Iterable[Mapping[str, int]], *names: str) -> int:
    return sum(summary[name] for summary in summaries for name in names)


def _missed(file: Mapping[str, Any]) -> str:
    lines = [str(line) for line in file["missing_lines"]]
    branches = [f"{start}->{end}" for start, end in file["missing_branches"]]
    first, rest = (lines + branches)[:MOST_SHOWN], (lines + branches)[MOST_SHOWN:]
    return " ".join(first) + (f" and {len(rest)} more" if rest else "")


def main(path: Path) -> int:
    measured = reached(json.loads(path.read_text(encoding="utf-8")))
    for each in measured:
        verdict = "ok" if each.is_enough else "TOO LOW"
        print(f"{each.place:32} {each.percent:6.2f} % of {each.floor:g} % needed  {verdict}")
        if not each.is_enough and each.floor == 100:
            for name, text in each.missed.items():
                print(f"    {name}: {text}")
    return 0 if all(each.is_enough for each in measured) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
