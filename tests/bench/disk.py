"""What one durable write costs on this machine: the floor under every commit."""

import os
import statistics
import time
from pathlib import Path


def sync_times(folder: Path, *, repeats: int = 300) -> dict[str, float]:
    """Time fdatasync of 4 KiB appended to a file. Milliseconds."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(repeats):
            file.write(os.urandom(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(times, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}
