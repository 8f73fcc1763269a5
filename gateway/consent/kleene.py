"""Three-valued logic: True, False and unknown (None). Source: Kleene's strong tables."""

from collections.abc import Collection


def both(*terms: bool | None) -> bool | None:
    """AND: False if any is False, else unknown if any is unknown, else True."""
    if any(term is False for term in terms):
        return False
    return None if any(term is None for term in terms) else True


def either(*terms: bool | None) -> bool | None:
    """OR: True if any is True, else unknown if any is unknown, else False."""
    if any(term is True for term in terms):
        return True
    return None if any(term is None for term in terms) else False


def negate(term: bool | None) -> bool | None:  # noqa: FBT001  # a logical operator
    """NOT: unknown stays unknown."""
    return None if term is None else not term


def among(value: object | None, options: Collection[object]) -> bool | None:
    """Whether a value is one of some options; unknown for an unknown value."""
    return None if value is None else value in options
