"""The lists that the national data opt-out service takes and gives: one NHS number a line.

What enters: the bytes of a list, or NHS numbers. What leaves: NHS numbers, or the bytes. The
answer to a list is the same list without those who have opted out; so a line that is lost on
the way counts as an opt-out, never the other way round. A comma may end a line. The lists
travel by MESH; whoever carries them, this is what they say. No fault quotes a line.
Source: NHS England, Check for National Data Opt-outs service.
"""

from collections.abc import Iterable

from gateway.errors import OptOutListError
from gateway.referral.identifiers import NhsNumber


def read_list(content: bytes) -> set[NhsNumber]:
    """Read a list.

    Raises:
        OptOutListError: a line is no NHS number; the text says which.
    """
    numbers: set[NhsNumber] = set()
    for position, line in enumerate(content.splitlines(), start=1):
        text = line.decode("utf-8", errors="replace").strip().rstrip(",").strip()
        if not text:
            continue
        try:
            number = NhsNumber(text)
        except ValueError:
            number = None
        if number is None or not number.checks:
            msg = f"line {position} is no NHS number: nothing was loaded; mend the list"
            raise OptOutListError(msg)
        numbers.add(number)
    return numbers


def write_list(numbers: Iterable[NhsNumber]) -> bytes:
    """Write a list, in order."""
    return "".join(f"{number},\n" for number in sorted(numbers)).encode()


def answers_in(asked: set[NhsNumber], returned: set[NhsNumber]) -> dict[NhsNumber, bool]:
    """Say of each person who was asked about whether they have opted out.

    Raises:
        OptOutListError: the answer names somebody who was not asked about: it is to another list.
    """
    if not returned <= asked:
        msg = "the answer names persons who were not asked about: it belongs to another list"
        raise OptOutListError(msg)
    return {number: number not in returned for number in asked}
