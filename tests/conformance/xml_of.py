"""A tree as FHIR XML, right or wrong: what the gateway's own writer would refuse to write.

What enters: a JSON tree in which anything may be amiss. What leaves: XML that says the same
where XML can: an unknown property becomes an unknown element, a second value a second
element. Only the order of elements is taken from the tables. Written apart from the
gateway's own XML, so that the two check each other.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from gateway.fhir.tables import TypeSpec, load_tables

_FHIR: Final = "http://hl7.org/fhir"


def xml_of(tree: Mapping[str, Any]) -> bytes:
    """Write a resource as XML."""
    name = str(tree.get("resourceType", "Resource"))
    inner = "".join(_children(tree, load_tables().types.get(name), is_resource=True))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_FHIR}">{inner}</{name}>'.encode()
    )


def _children(
    node: Mapping[str, Any], spec: TypeSpec | None, *, is_resource: bool
) -> Iterator[str]:
    known = list(spec.elements) if spec else []
    order = {name: place for place, name in enumerate(known)}
    keys = sorted({key.removeprefix("_") for key in node}, key=lambda k: order.get(k, len(order)))
    for key in keys:
        if key == "resourceType" or (not is_resource and key in _attributes(spec)):
            continue
        element = spec.elements.get(key) if spec else None
        inner = element.inner if element else None
        values, companions = _list(node.get(key)), _list(node.get("_" + key))
        for position in range(max(len(values), len(companions))):
            value = values[position] if position < len(values) else None
            beside = companions[position] if position < len(companions) else None
            yield _element(key, value, beside, inner)


def _attributes(spec: TypeSpec | None) -> tuple[str, ...]:
    return ("id", "url") if spec is not None and spec.name == "Extension" else ("id",)


def _list(value: Any) -> list[Any]:
    """The values of a property; arrays in arrays, which XML cannot write, in one row."""
    if isinstance(value, list):
        return [each for inner in value for each in (_list(inner) or [None])]
    return [] if value is None else [value]


def _element(key: str, value: Any, beside: Any, spec: TypeSpec | None) -> str:
    if key == "div" and isinstance(value, str):
        return value
    if isinstance(value, dict) and "resourceType" in value:
        name = str(value["resourceType"])
        inner = _children(value, load_tables().types.get(name), is_resource=True)
        return f"<{key}><{name}>{''.join(inner)}</{name}></{key}>"
    if isinstance(value, dict):
        return _object(key, value, spec)
    attribute = "" if value is None else f" value={quoteattr(_text(value))}"
    if not isinstance(beside, dict):
        return f"<{key}{attribute}/>"
    inner = _children(beside, load_tables().types["Element"], is_resource=False)
    return f"<{key}{attribute}{_own(beside, None)}>{''.join(inner)}</{key}>"


def _object(key: str, value: Mapping[str, Any], spec: TypeSpec | None) -> str:
    inner = "".join(_children(value, spec, is_resource=False))
    return f"<{key}{_own(value, spec)}>{inner}</{key}>"


def _own(value: Mapping[str, Any], spec: TypeSpec | None) -> str:
    names = [name for name in _attributes(spec) if name in value]
    return "".join(f" {name}={quoteattr(_text(value[name]))}" for name in names)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(Decimal(str(value)))
    return value if isinstance(value, str) else ""
