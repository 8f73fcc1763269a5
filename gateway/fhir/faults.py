"""Where in a message the walk stands, and the list of faults found so far.

What enters: places and findings. What leaves: `Fault`s with exact FHIRPath. Places are kept
as small linked tuples and become text only for a fault, which is what keeps the walk quick.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from gateway.errors import Fault, IssueCode, Severity

MAX_FAULTS: Final = 100
"""The walk stops here, so that a hostile message cannot make a report larger than itself."""

Place: TypeAlias = "tuple[Place | None, str, int | None]"
"""The place above (None at the root), the label, and the position where it is an array."""


def not_too_many(faults: Sequence[Fault]) -> Sequence[Fault]:
    """Return the first `MAX_FAULTS`, and then one that says so, where there are more."""
    if len(faults) <= MAX_FAULTS:
        return faults
    start = (faults[0].expression or "").partition(".")[0].partition("[")[0]
    return [*faults[:MAX_FAULTS], more_may_follow(start or None)]


def more_may_follow(start: str | None) -> Fault:
    """Say at the end of a list that it is cut off; `start` is where the message stands."""
    return Fault(
        severity=Severity.INFORMATION,
        code=IssueCode.TOO_COSTLY,
        expression=start,
        diagnostics="There may be more faults than are listed; mend these first.",
    )


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
    """Collects faults until there are enough.

    After `turn_to_profiles`, what the standard was found to be broken by is not told again:
    neither at the same place with the same code, nor the same thing twice.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._of_the_standard: int | None = None
        self._told: set[Fault | tuple[str | None, IssueCode]] = set()

    def turn_to_profiles(self) -> None:
        """Say that all that is added from now on is about profiles."""
        self._of_the_standard = len(self.faults)
        self._told.update((fault.expression, fault.code) for fault in self.faults)

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
        fault = Fault(
            severity=severity,
            code=code,
            expression=path(place) + below,
            diagnostics=diagnostics,
        )
        if self._of_the_standard is not None:
            if fault in self._told or (fault.expression, fault.code) in self._told:
                return
            self._told.add(fault)
        self.faults.append(fault)
        if len(self.faults) >= MAX_FAULTS:
            raise EnoughError

    def in_order(self, resources: Iterable[str]) -> list[Fault]:
        """Return the faults of each resource together; `resources` are their paths, in order.

        What the standard says of a resource comes before what profiles say.
        """
        first = self._of_the_standard
        if not first or first == len(self.faults):
            return self.faults
        paths = list(resources)
        return sorted(self.faults, key=lambda fault: _last_around(fault.expression, paths))


def _last_around(expression: str | None, resources: Sequence[str]) -> int:
    """Return the position of the innermost resource in which a place lies."""
    place = f"{expression}."
    around = (index for index, path_ in enumerate(resources) if place.startswith(path_ + "."))
    return max(around, default=0)
