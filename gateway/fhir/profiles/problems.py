"""What is wrong with the files, gathered so that an operator is told all of it at once.

What enters: findings about files. What leaves: one text of a line each. The files are the
operator's own and hold no patient data, so that their values may be quoted.
"""

from dataclasses import dataclass

from gateway.referral.json import JsonObject


@dataclass(frozen=True, slots=True)
class File:
    """One file: its name below the folder, and its tree."""

    name: str
    tree: JsonObject


class Problems:
    """Gathers problems; the same one is told once."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, name: str, place: str, says: str) -> None:
        """Add one: the file, a FHIRPath in it or nothing, what is wrong and how to mend it."""
        self._lines[f"{name}: {place}: {says}" if place else f"{name}: {says}"] = None

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self._lines)

    def __str__(self) -> str:
        return "\n".join(self._lines)
