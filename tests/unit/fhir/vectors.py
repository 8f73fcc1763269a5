"""The good messages of tests/vectors/fhir, and how to break one at a JSON pointer."""

import copy
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from gateway.fhir.json_text import read_json
from gateway.referral.json import JsonObject

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "fhir"
GOOD: Final = ("service_request_contained", "bars_referral_bundle")


@cache
def _read(name: str) -> JsonObject:
    return read_json((FOLDER / f"{name}.json").read_bytes())


def good(name: str) -> JsonObject:
    return copy.deepcopy(_read(name))


def rows(name: str) -> list[Any]:
    loaded: list[Any] = json.loads((FOLDER / name).read_text(), parse_float=Decimal)
    return loaded


def broken(row: dict[str, Any]) -> JsonObject:
    """Set the value at the row's pointer, or remove what is there where the row has none."""
    tree = good(row["of"])
    node: Any = tree
    *above, last = row["at"].split("/")[1:]
    for step in above:
        node = node[int(step) if isinstance(node, list) else step]
    key = int(last) if isinstance(node, list) else last
    if "value" in row:
        node[key] = row["value"]
    else:
        del node[key]
    return tree
