"""Every object of chosen types in a message, each with the place where it stands.

What enters: a tree that `validate` has passed, and the names of types as the tables spell
them (`Reference`, `Identifier`, `Patient`, `MessageHeader.destination`). What leaves: the
objects of those types in the order of the message, at any depth: in contained resources, in
extensions, and in the extensions of primitives. It changes nothing and raises for nothing.

Not visited: what the tables do not know, which `validate` refuses.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from gateway.fhir.faults import Place, path
from gateway.fhir.tables import load_tables
from gateway.referral.json import JsonObject

MAX_DEPTH: Final = 100
"""Objects that stand deeper are not visited; `validate` refuses such a message."""

_Ways: TypeAlias = "Mapping[str, tuple[str, str | None]]"
"""Property -> its label in FHIRPath, and the type of what is there (None: any resource)."""

_NOWHERE: Final[_Ways] = {}


@dataclass(slots=True)
class Visited:
    """One object of a message. `name` is its property: `subject`, `valueReference`, `_date`."""

    type: str
    name: str
    node: JsonObject
    place: Place

    @property
    def path(self) -> str:
        """Return where it stands, as FHIRPath."""
        return path(self.place)


def visit(tree: JsonObject, wanted: Collection[str]) -> list[Visited]:
    """List the objects of the wanted types.

    A resource is of its own type and comes before everything in it. The root is visited too.
    """
    name = tree.get("resourceType")
    walk = _Visit(frozenset(wanted))
    if isinstance(name, str):
        walk.object(tree, name, (None, name, None), "", 0)
    return walk.found


@cache
def _all_ways() -> Mapping[str, _Ways]:
    """Shape the tables for this walk: from each type, where there are objects below it."""
    return {
        name: {
            **{
                f"_{element.name}": (element.label, "Element")
                for element in spec.elements.values()
                if element.has_companion
            },
            **{
                element.name: (element.label, element.inner.name if element.inner else None)
                for element in spec.elements.values()
                if element.primitive is None
            },
        }
        for name, spec in load_tables().types.items()
    }


class _Visit:
    """One visit: what is wanted, and what was found so far."""

    __slots__ = ("_all_ways", "_wanted", "found")

    def __init__(self, wanted: frozenset[str]) -> None:
        self.found: list[Visited] = []
        self._all_ways = _all_ways()
        self._wanted = wanted

    def object(self, node: JsonObject, kind: str, place: Place, name: str, depth: int) -> None:
        """Visit an object of this type, and what is below it."""
        if kind in self._wanted:
            self.found.append(Visited(kind, name, node, place))
        ways = self._all_ways.get(kind, _NOWHERE) if depth <= MAX_DEPTH else _NOWHERE
        for key, value in node.items():
            if value.__class__ is str or (way := ways.get(key)) is None:
                continue
            label, inner = way
            if isinstance(value, dict):
                below = inner or str(value.get("resourceType"))
                self.object(value, below, (place, label, None), key, depth + 1)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    if isinstance(item, dict):
                        below = inner or str(item.get("resourceType"))
                        self.object(item, below, (place, label, index), key, depth + 1)
