"""JSON trees as the rest of the house sees them, and how to walk one without `Any`.

What enters: trees that `gateway.fhir.json_text.read_json` made. What leaves: parts of the
same trees, never copies but by `copied`. A tree is read only, except where its owner edits a copy.

There is no float: a number with a fraction or an exponent is a Decimal that keeps its
precision. Source: FHIR R4, json.html, section 2.6.2.1.

The accessors answer "absent" for a value of the wrong kind. They are for trees that
`gateway.fhir.validate` has passed, or for questions asked before it has.
"""

from decimal import Decimal
from typing import TypeAlias, TypeVar, cast

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
_T = TypeVar("_T")


def string(tree: JsonObject, key: str) -> str | None:
    """Return the text under `key`, or None."""
    value = tree.get(key)
    return value if isinstance(value, str) else None


def child(tree: JsonObject, key: str) -> JsonObject | None:
    """Return the object under `key`, or None."""
    value = tree.get(key)
    return value if isinstance(value, dict) else None


def objects(tree: JsonObject, key: str) -> list[JsonObject]:
    """Return the objects in the array under `key`; empty where there is no such array.

    Members that are not objects are left out, so positions are those of a valid tree only.
    """
    value = tree.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def strings(tree: JsonObject, key: str) -> list[str]:
    """Return the texts in the array under `key`; empty where there is no such array."""
    value = tree.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def copied(value: _T) -> _T:
    """Copy a value of a tree, all the way down; its plain values are shared.

    For trees only, which have no cycles: several times faster than what copies anything.
    """
    made: object = value
    if isinstance(value, dict):
        made = {name: copied(each) for name, each in value.items()}
    elif isinstance(value, list):
        made = [copied(each) for each in value]
    return cast("_T", made)
