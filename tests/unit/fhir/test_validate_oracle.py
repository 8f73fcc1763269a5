"""What fhir.resources (R4B) refuses among the defects, this house refuses too."""

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from gateway.errors import Severity
from gateway.fhir.json_text import write_json
from gateway.fhir.validate import validate
from tests.unit.fhir.vectors import GOOD, broken, good, rows

DEFECTS = rows("defects.json")


def oracle_accepts(tree: dict[str, Any]) -> bool:
    name = tree.get("resourceType")
    if name not in {"Bundle", "ServiceRequest"}:
        return False
    try:
        get_fhir_model_class(name).model_validate_json(write_json(tree))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", GOOD)
def test_the_oracle_accepts_what_is_good(name: str) -> None:
    assert oracle_accepts(good(name))


@pytest.mark.parametrize("row", DEFECTS, ids=[row["name"] for row in DEFECTS])
def test_what_the_oracle_refuses_is_refused_here(row: dict[str, Any]) -> None:
    tree = broken(row)
    refused_here = any(fault.severity is Severity.ERROR for fault in validate(tree))
    assert refused_here or oracle_accepts(tree)
