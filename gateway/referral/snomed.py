"""SNOMED CT identifiers: is a code written as one?

What enters: a code. What leaves: yes or no. Whether a concept of that number exists, and is
active, is not asked. Source: SNOMED CT Release File Specification, SCTID.
"""

import re
from functools import lru_cache

_SHORT = re.compile(r"[1-9][0-9]{2,14}0[0-2][0-9]")
"""Item, partition of the international edition, check digit: 6 to 18 digits."""
_LONG = re.compile(r"[1-9][0-9]{0,7}[0-9]{7}1[0-2][0-9]")
"""Item, namespace of seven digits, partition of an extension, check digit: 11 to 18 digits."""

_CORNERS = 5
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""Verhoeff's permutation, applied once more at each further place from the right."""


@lru_cache(maxsize=2048)
def is_sctid(code: str) -> bool:
    """Whether a code has the length, the partition and the check digit of an SCTID."""
    return bool(_SHORT.fullmatch(code) or _LONG.fullmatch(code)) and _verhoeff(code) == 0


def _verhoeff(digits: str) -> int:
    """Sum up the digits in the group of the turns and flips of a pentagon; 0 is right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        turned = int(digit)
        for _ in range(place % 8):
            turned = _TURN[turned]
        total = _then(total, turned)
    return total


def _then(first: int, second: int) -> int:
    """Do one symmetry of a pentagon, then another: 0-4 are turns, 5-9 are flips."""
    turn = first + second if first < _CORNERS else first - second
    is_flip = (first < _CORNERS) != (second < _CORNERS)
    return turn % _CORNERS + (_CORNERS if is_flip else 0)
