"""How long something took by the processor's clock, fairly judged."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SLOWED = 5
"""How much slower Python may be where coverage is measured."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where what happens inside takes more processor time than this."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    allowed = seconds * (_SLOWED if _is_measured() else 1)
    assert taken < allowed, f"{taken:.2f} s of processor time; {allowed:.2f} s are allowed"


def _is_measured() -> bool:
    monitoring = getattr(sys, "monitoring", None)  # there from Python 3.12 on
    return bool(
        sys.gettrace() or (monitoring and monitoring.get_tool(monitoring.COVERAGE_ID) is not None)
    )
