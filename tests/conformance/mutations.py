"""Random damage to good messages: to the tree, and to the bytes.

What enters: a good tree, and what Hypothesis draws. What leaves: a damaged copy. A value that
is spliced in is from a list of values that FHIR handles specially, or any JSON.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from gateway.fhir.tables import load_tables

Damage = tuple[str, int, int, Any]
"""What is done, at which spot, with which other spot, and with which value."""

KINDS: Final = ("delete", "duplicate", "swap", "retype", "splice", "rename", "add", "copy")
_NAMES: Final = sorted({name for spec in load_tables().types.values() for name in spec.elements})
_WORDS: Final = (
    "", " ", "#", "#patient", "#consent", "Patient/1", "Patient/1/_history/1", "urn:uuid:1", "2026-02-30",
    "2026-11-01T09:00:00Z", "active", "completed", "planned", "referral", "update", "new", "true",
    "0", "1e400", "\x00", "é", "\u202e", "a\ufffeb", "\uffff", "%2e%2e/", "<div/>", "https://fhir.nhs.uk/Id/nhs-number",
    "9990000026", "9000000003", "RX901", "transaction", "collection", "message", "POST",
    "urn:uuid:11111111-2222-4333-8444-555555555555",
)  # fmt: skip
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_WORDS)
    | st.sampled_from(sorted(load_tables().types))
    | st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ufffe\uffff"), max_size=20
    )
)
_names = st.sampled_from(_NAMES) | st.sampled_from(["_" + name for name in _NAMES])
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=8,
)
damages: Final = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9999), st.integers(0, 9999), _values),
    min_size=1,
    max_size=5,
)
cuts: Final = st.lists(
    st.tuples(
        st.sampled_from(("cut", "flip", "insert", "repeat", "drop")),
        st.integers(0, 99_999),
        st.binary(min_size=1, max_size=4) | st.sampled_from([b'"', b"{", b"<", b"&a;", b"\\ud800"]),
    ),
    min_size=1,
    max_size=3,
)


def spots(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place below a node: what holds it, and its key or position."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from spots(value)


def damaged(tree: Any, damage: Sequence[Damage]) -> Any:
    """A copy of the tree with each damage done, in order."""
    tree = copy.deepcopy(tree)
    for kind, here, there, value in damage:
        places = list(spots(tree))
        if places:
            _damage(kind, places[here % len(places)], places[there % len(places)], value)
    return tree


def _damage(kind: str, spot: tuple[Any, Any], other: tuple[Any, Any], value: Any) -> None:
    (node, key), (elsewhere, name) = spot, other
    match kind:
        case "delete":
            del node[key]
        case "duplicate":
            node[key] = [node[key], copy.deepcopy(node[key])]
        case "swap":
            node[key], elsewhere[name] = copy.deepcopy(elsewhere[name]), copy.deepcopy(node[key])
        case "copy":
            node[key] = copy.deepcopy(elsewhere[name])
        case "retype":
            node[key] = _retyped(node[key])
        case "splice":
            node[key] = value
        case "rename" if isinstance(node, dict):
            node[_NAMES[len(str(value)) * 37 % len(_NAMES)]] = node.pop(key)
        case _:
            _add(node, key, value)


def _add(node: Any, key: Any, value: Any) -> None:
    if isinstance(node, list):
        node.insert(key, value)
    else:
        node["_" + str(key)] = value


def _retyped(value: Any) -> Any:
    match value:
        case str():
            return [value]
        case bool() | int() | float():
            return str(value)
        case list():
            return value[0] if value else None
        case dict():
            return str(next(iter(value), ""))
        case _:
            return {}


def cut(body: bytes, cuts: Sequence[tuple[str, int, bytes]]) -> bytes:
    """The bytes with each cut made, in order."""
    for kind, place, value in cuts:
        at = place % (len(body) + 1)
        match kind:
            case "cut":
                body = body[:at]
            case "flip":
                body = body[:at] + value[:1] + body[at + 1 :]
            case "insert":
                body = body[:at] + value + body[at:]
            case "drop":
                body = body[:at] + body[at + len(value) :]
            case _:
                body = body[:at] + body[max(0, at - 40) :]
    return body
