"""One value, one sequence of bytes: the JSON Canonicalization Scheme.

What enters: objects with string keys, arrays, strings, booleans, null, and integers whose
magnitude is below 2**53. What leaves: UTF-8 bytes. Everything else is refused: numbers
with a fraction have several spellings in other languages, and a larger integer is not
exact in all of them. Source: RFC 8785 (JCS), sections 3.2.2 and 3.2.3.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

INTEGER_LIMIT = 2**53
"""Integers from here on are not exact in every JSON reader. Source: RFC 7493, section 2.2."""

_AS_IT_IS = (str, bool)
_ARRAY = (list, tuple)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
)


def canonical_json(value: Json) -> bytes:
    """Write a value as its only canonical JSON.

    Raises:
        ValueError: a float, a big integer, a lone surrogate, a key that is not a string,
            or a type that JSON does not have. The message never quotes the value.
    """
    try:
        return _ENCODER.encode(_ordered(value)).encode("utf-8")
    except UnicodeEncodeError:
        message = "a string holds half a surrogate pair, which is no character"
        raise ValueError(message) from None


def _ordered(value: object) -> object:
    """Check every part, and bring the keys of every object into canonical order."""
    if value is None or isinstance(value, _AS_IT_IS):
        return value
    if isinstance(value, int):
        return _exact(value)
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in _sorted_keys(value)}
    if isinstance(value, _ARRAY):
        return [_ordered(item) for item in value]
    message = f"canonical JSON has no place for a {type(value).__name__}"
    raise ValueError(message)


def _exact(value: int) -> int:
    if -INTEGER_LIMIT < value < INTEGER_LIMIT:
        return value
    message = "an integer of 2**53 or more is not exact in every reader"
    raise ValueError(message)


def _sorted_keys(value: dict[object, object]) -> list[str]:
    """Sort by UTF-16 code units. For ASCII keys that is the order of code points."""
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) < len(value):
        message = "an object has a key that is not a string"
        raise ValueError(message)
    if all(map(str.isascii, keys)):
        return sorted(keys)
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))
