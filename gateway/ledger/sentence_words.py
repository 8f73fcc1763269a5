"""Words that several of the ledger's sentences share.

What enters: codes, or a number. What leaves: words for officers.
"""


def say_list(words: tuple[str, ...]) -> str:
    """Say words one after the other; of none, say so."""
    return ", ".join(words) or "nothing"


def say_count(number: int, one: str, many: str) -> str:
    """Say how many: `no entries`, `1 entry`, `2 entries`."""
    return f"{number or 'no'} {one if number == 1 else many}"
