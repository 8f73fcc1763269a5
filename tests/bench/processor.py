"""Processor time of other processes, as the kernel counts it."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def seconds_of(pids: Iterable[int]) -> float:
    """Add up what these processes, their children and the children that have ended took."""
    wanted, every = set(pids), _processes()
    while more := {pid for pid, (parent, _) in every.items() if parent in wanted} - wanted:
        wanted |= more
    return sum(spent for pid, (_, spent) in every.items() if pid in wanted)


def _processes() -> dict[int, tuple[int, float]]:
    """Read every process's parent, and its seconds with those of its children that ended."""
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        found[int(folder.name)] = (int(fields[1]), sum(map(int, fields[11:15])) * _TICK)
    return found
