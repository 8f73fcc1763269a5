"""Where in a message the walk stands, and the list of faults found so far.

What enters: places and findings. What leaves: `Fault`s with exact FHIRPath. Places are kept
as small linked tuples and become text only for a fault, which is what keeps the walk quick.
"""

from typing import Final, TypeAlias

from gateway.errors import Fault, IssueCode, Severity

MAX_FAULTS: Final = 100
"""The walk stops here, so that a hostile message cannot make a report larger than itself."""

Place: TypeAlias = "tuple[Place | None, str, int | None]"
"""The place above (None at the root), the label, and the position where it is an array."""


class EnoughError(Exception):
    """The list of faults is full; `validate` ends the walk."""


def path(place: Place) -> str:
    """Write a place as FHIRPath."""
    parts = []
    step: Place | None = place
    while step is not None:
        above, label, index = step
        parts.append(label if index is None else f"{label}[{index}]")
        step = above
    return ".".join(reversed(parts))


class FaultList:
    """Collects faults until there are enough."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(
        self,
        code: IssueCode,
        place: Place,
        diagnostics: str,
        *,
        severity: Severity = Severity.ERROR,
        below: str = "",
    ) -> None:
        """Add one fault at `place`, or at `below` it (FHIRPath that starts with a full stop).

        Raises:
            EnoughError: this one filled the list.
        """
        self.faults.append(
            Fault(
                severity=severity,
                code=code,
                expression=path(place) + below,
                diagnostics=diagnostics,
            )
        )
        if len(self.faults) >= MAX_FAULTS:
            raise EnoughError
