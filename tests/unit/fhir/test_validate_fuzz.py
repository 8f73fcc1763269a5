"""Mutilated messages: whatever they hold, validation ends in a list of faults."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Fault
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.invariants import INVARIANTS
from gateway.fhir.tables import load_tables
from gateway.fhir.validate import validate
from tests.unit.fhir.vectors import GOOD, good

NAMES = sorted({name for spec in load_tables().types.values() for name in spec.elements})
WORDS = ["", " ", "#", "#pat", "Patient/1", "urn:uuid:1", "2026-02-30", "é\x00", "active", "home"]
names = st.sampled_from(NAMES) | st.sampled_from(["_" + name for name in NAMES]) | st.text()
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.sampled_from(sorted(load_tables().types))
    | st.text()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=5
)


def spots(node: Any) -> Iterator[tuple[Any, Any]]:  # any JSON
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        yield node, key
        if isinstance(value, dict | list):
            yield from spots(value)


def assert_only_faults(found: list[Fault]) -> None:
    assert len(found) <= MAX_FAULTS + 1
    assert all(fault.diagnostics for fault in found)


@given(
    st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 999), values), min_size=1, max_size=4)
)
def test_a_mutilated_message_yields_faults_and_never_raises(
    name: str, changes: list[tuple[int, Any]]
) -> None:
    tree: Any = good(name)
    for which, value in changes:
        places = list(spots(tree))
        node, key = places[which % len(places)]
        node[key] = value
    assert_only_faults(validate(tree))


@given(st.sampled_from(sorted(load_tables().types)), st.dictionaries(names, values))
def test_any_object_yields_faults_and_never_raises(kind: str, tree: dict[str, Any]) -> None:
    assert_only_faults(validate({"resourceType": kind, **tree}))


@given(st.sampled_from(INVARIANTS), st.data())
def test_a_rule_never_raises(rule: Any, data: Any) -> None:  # hypothesis's own
    elements = st.sampled_from(sorted(load_tables().types[rule.type_name].elements))
    node = data.draw(st.dictionaries(elements, values))
    if not rule.holds(node) and rule.places is not None:
        assert all(place.startswith(".") for place in rule.places(node))
