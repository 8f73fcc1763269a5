"""Two other implementations of FHIR R4 as oracles: what they refuse, `validate` refuses too.

fhir.resources (R4B, equal to R4 for these resources) and fhirkit-rs. Neither knows all rules,
so what they accept says nothing. So far no case was found in which one of them refuses what
R4 4.0.1 permits (3,000 damaged messages); should one turn up, it belongs here by name, with
the sentence of the standard that permits it.
"""

import copy
import json
from collections.abc import Callable
from typing import Any, Final

import fhirkit
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.errors import GatewayError, Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from tests.conformance.defect import Change, both, put
from tests.conformance.defects import DEFECTS
from tests.conformance.messages import GOOD, Door
from tests.conformance.mutations import damaged, damages

Oracle = Callable[[bytes], bool]

ROOTS: Final = ("Bundle", "ServiceRequest")
WITHOUT_VALUE: Final = {"extension": [{"url": "https://gp.example/why", "valueCode": "unknown"}]}


def refused_by_fhirkit(body: bytes) -> bool:
    try:
        issues = fhirkit.validate(body)
    except fhirkit.ParseError:
        return True
    return any(issue.severity == "error" for issue in issues)


def refused_by_fhir_resources(body: bytes) -> bool:
    """Its KeyError, TypeError and RecursionError are failures of its own, and no judgement."""
    tree = json.loads(body)
    if tree.get("resourceType") not in ROOTS:
        return False
    try:
        get_fhir_model_class(tree["resourceType"]).model_validate_json(body)
    except ValidationError:
        return True
    except (KeyError, TypeError, AttributeError, RecursionError):
        return False
    return False


ORACLES: Final[tuple[Oracle, ...]] = (refused_by_fhirkit, refused_by_fhir_resources)


def refused_here(body: bytes) -> bool:
    try:
        tree = read_json(body)
    except GatewayError:
        return True
    return any(fault.severity in (Severity.ERROR, Severity.FATAL) for fault in validate(tree))


def written(door: Door, change: Change) -> bytes:
    tree = GOOD[door]()
    change(tree)
    return json.dumps(tree).encode()


def extended(name: str, value: Any) -> Change:
    return put("Patient.extension", [{"url": "https://gp.example/any", name: value}])


BROKEN: Final = {
    f"{defect.name}-{door.name}".lower(): written(door, defect.change)
    for defect in DEFECTS
    if defect.name != "text_that_is_too_long"
    for door in defect.doors
}
PERMITTED: Final[dict[str, Change]] = {
    "leap_second": put("ServiceRequest.authoredOn", "2016-12-31T23:59:60Z"),
    "nine_digits_of_a_second": put("ServiceRequest.authoredOn", "2016-12-31T23:59:59.123456789Z"),
    "zone_of_14_hours": put("ServiceRequest.authoredOn", "2016-12-31T23:59:59+14:00"),
    "first_year": put("Patient.birthDate", "0001-01-01"),
    "year_only": put("Patient.birthDate", "1980"),
    "month_only": put("Patient.birthDate", "1980-02"),
    "base64_with_a_line_end": put("DocumentReference.content[0].attachment.data", "SGVs\nbG8="),
    "media_type_with_a_parameter": put(
        "DocumentReference.content[0].attachment.contentType", "text/plain; charset=utf-8"
    ),
    "time_with_a_fraction": extended("valueTime", "23:59:59.1234567"),
    "address_of_mail": extended("valueUrl", "mailto:a@gp.example"),
    "version_and_fragment": extended("valueCanonical", "https://gp.example/a|1.0#b"),
    "least_integer": extended("valueInteger", -(2**31)),
    "most_positive_integer": extended("valuePositiveInt", 2**31 - 1),
    "line_ends_in_markdown": extended("valueMarkdown", "a\r\n\tb"),
    "code_of_two_words": extended("valueCode", "a b"),
    "id_of_64_characters": put("ServiceRequest.id", "a" * 64),
    "language_of_three_parts": put("Patient.language", "zh-Hant-CN"),
    "primitive_with_an_extension": put("Patient._birthDate", WITHOUT_VALUE),
    "array_with_a_gap": both(
        put("Patient.name[0].given", ["Zephyrina", None]),
        put("Patient.name[0]._given", [None, WITHOUT_VALUE]),
    ),
    "reference_to_a_version": put("Condition.recorder", {"reference": "Practitioner/a/_history/1"}),
    "reference_by_url": put(
        "Condition.recorder", {"reference": "https://gp.example/Practitioner/a"}
    ),
    "reference_in_words": put("Condition.recorder", {"display": "A doctor"}),
}


@pytest.mark.parametrize("door", Door, ids=lambda door: door.name.lower())
@pytest.mark.parametrize("oracle", ORACLES)
def test_the_oracle_accepts_the_message_that_the_defects_are_made_of(
    oracle: Oracle, door: Door
) -> None:
    assert not oracle(written(door, copy.copy))


@pytest.mark.parametrize("change", PERMITTED.values(), ids=PERMITTED)
def test_what_is_unusual_but_permitted_is_accepted_by_all(change: Change) -> None:
    body = written(Door.REST, change)
    assert not refused_here(body)
    assert not [oracle for oracle in ORACLES if oracle(body)]


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_defect_that_an_oracle_refuses_is_refused_here(body: bytes) -> None:
    assert refused_here(body) or not [oracle for oracle in ORACLES if oracle(body)]


@pytest.mark.parametrize("oracle", ORACLES)
def test_the_oracle_refuses_enough_to_be_worth_asking(oracle: Oracle) -> None:
    bodies = list(BROKEN.values())[::5]
    assert sum(oracle(body) for body in bodies) > len(bodies) // 4


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(Door), damages)
def test_damage_that_an_oracle_refuses_is_refused_here(door: Door, damage: list[Any]) -> None:
    body = json.dumps(damaged(GOOD[door](), damage)).encode()
    assert refused_here(body) or not [oracle for oracle in ORACLES if oracle(body)]
