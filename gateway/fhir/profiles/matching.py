"""Fixed values and patterns: does a value equal one, hold one, and how is one described?

What enters: JSON values of a message and of a profile. What leaves: yes or no, and words
about the profile's value, never the message's. Source: FHIR R4, ElementDefinition, fixed[x]
and pattern[x].
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from gateway.referral.identifiers import normal_system
from gateway.referral.json import Json

_MOST_CHARACTERS: Final = 400
"""A longer description of a pattern is cut."""


def equals(value: Json, wanted: Json) -> bool:
    """Say whether two values are the same in every part. 1 and true are not; 1 and 1.0 are."""
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(equals(value[key], each) for key, each in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(equals(*pair) for pair in zip(value, wanted, strict=True))
        )
    return _is_same(value, wanted)


def holds_pattern(value: Json, pattern: Json) -> bool:
    """Say whether a value has all that a pattern has: it may have more, but nothing else."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            holds_pattern(value.get(key), each) for key, each in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(
            any(holds_pattern(item, each) for item in value) for each in pattern
        )
    return _is_same(value, pattern)


def _is_same(value: Json, wanted: Json) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    if isinstance(wanted, int | Decimal):
        return isinstance(value, int | Decimal) and value == wanted
    if value == wanted:
        return True
    # Senders spell NHS systems in several ways: see gateway/fhir/tolerance.py.
    return isinstance(value, str) and isinstance(wanted, str) and normal_system(value) == wanted


def values_at(value: Json, path: tuple[str, ...]) -> list[Json]:
    """Collect what stands at a path of property names, through arrays."""
    found = [value]
    for name in path:
        found = [
            inner
            for each in found
            if isinstance(each, dict) and name in each
            for inner in _members(each[name])
        ]
    return found


def _members(value: Json) -> Iterable[Json]:
    return value if isinstance(value, list) else (value,)


def describe(wanted: Json) -> str:
    """Put a value of a profile in words: `order`, or `coding.code = a, coding.system = b`."""
    text = ", ".join(f"{path} = {each}" if path else each for path, each in _leaves(wanted, ""))
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."


def _leaves(value: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    elif isinstance(value, bool):
        yield path, str(value).lower()
    else:
        yield path, str(value)
