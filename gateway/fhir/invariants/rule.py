"""What an invariant is, and the few questions that invariants ask of a tree.

What enters: one JSON object of a known type, which may be wrong in any way. What leaves:
whether the rule holds. The questions treat a value of the wrong kind as absent: the walk
reports it, and a rule never raises.

`exists()` in FHIRPath is true of a primitive that has only an extension, so `has` looks for
`_name` too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from gateway.referral.json import Json, JsonObject, child, objects, string


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule of the standard.

    `type_name` is the type or nested group it is asked of. `says` tells the sender what to
    mend. `places` finds where below the object the rule is broken, as FHIRPath ends such as
    `.entry[2]`; it is asked only once the rule is known to be broken. `only_with` is a
    property without which the rule always holds, so that it need not be asked.
    """

    type_name: str
    key: str
    says: str
    holds: Callable[[JsonObject], bool]
    places: Callable[[JsonObject], list[str]] | None = None
    only_with: str | None = None


def has(node: JsonObject, name: str) -> bool:
    """Say whether the element is there, be it only as an extension."""
    return name in node or "_" + name in node


def has_choice(node: JsonObject, stem: str) -> bool:
    """Say whether any form of a choice element is there: `valueString` for `value`."""
    beside, end = "_" + stem, len(stem)
    for key in node:
        if key.startswith(stem):
            if key[end : end + 1].isupper():
                return True
        elif key.startswith(beside) and key[end + 1 : end + 2].isupper():
            return True
    return False


def is_one_of(node: JsonObject, name: str, *codes: str) -> bool:
    """Say whether the text under `name` is one of `codes`."""
    return string(node, name) in codes


def codings(node: JsonObject, name: str) -> set[tuple[str | None, str | None]]:
    """Return system and code of each coding of the CodeableConcept under `name`."""
    concept = child(node, name) or {}
    return {(string(each, "system"), string(each, "code")) for each in objects(concept, "coding")}


def number(node: JsonObject, name: str) -> int | Decimal | None:
    """Return the number under `name`, or None."""
    value = node.get(name)
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def size(node: JsonObject, name: str) -> int:
    """Count the members of the array under `name`."""
    value = node.get(name)
    return len(value) if isinstance(value, list) else 0


def descend(node: JsonObject, name: str) -> Iterator[JsonObject]:
    """Walk the objects under `name`, and those under `name` in each of them, and so on."""
    waiting = objects(node, name)
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(objects(each, name))


def are_distinct(values: list[Json]) -> bool:
    """Say whether no value that is text appears twice."""
    texts = [each for each in values if isinstance(each, str)]
    return len(set(texts)) == len(texts)
