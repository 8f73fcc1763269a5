"""Mutilated messages against profiles that ask something nearly everywhere: never a raise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.validate import validate
from tests.unit.fhir.profiles.files import (
    ACT,
    codes,
    extension,
    load,
    slicing,
    structure,
    url,
    value_set,
)
from tests.unit.fhir.test_validate_fuzz import spots, values
from tests.unit.fhir.vectors import GOOD, good

BOUND = {"strength": "required", "valueSet": url("ValueSet", "v")}
LEADS = [{"code": "Reference", "targetProfile": [url("StructureDefinition", "person")]}]
REQUEST = structure(
    "request",
    "ServiceRequest",
    {"id": "ServiceRequest.identifier", "slicing": slicing("type.coding.code")},
    {"id": "ServiceRequest.identifier:one", "min": 1},
    {
        "id": "ServiceRequest.identifier:one.type",
        "patternCodeableConcept": {"coding": [{"code": "a"}]},
    },
    {"id": "ServiceRequest.intent", "fixedCode": "plan"},
    {"id": "ServiceRequest.category", "slicing": slicing("$this", "pattern", "closed")},
    {"id": "ServiceRequest.category:one", "patternCodeableConcept": {"text": "a"}},
    {"id": "ServiceRequest.category:one.coding.display", "min": 1},
    {"id": "ServiceRequest.code", "min": 1, "binding": BOUND},
    {"id": "ServiceRequest.subject", "type": LEADS},
    {"id": "ServiceRequest.authoredOn.extension", "max": "0"},
    {"id": "ServiceRequest.occurrence[x]", "type": [{"code": "Period"}]},
    {"id": "ServiceRequest.occurrence[x].start", "min": 1},
)
PERSON = structure(
    "person",
    "Patient",
    {"id": "Patient.name", "min": 1},
    {"id": "Patient.name.given", "min": 1, "maxLength": 2},
    {"id": "Patient.birthDate.id", "max": "0"},
    {"id": "Patient.managingOrganization", "max": "0"},
    {"id": "Patient.deceased[x]:deceasedBoolean", "max": "0"},
)
JOB = extension(
    "job",
    {"id": "Extension.extension:title", "min": 1, "max": "1"},
    {"id": "Extension.extension:title.url", "fixedUri": "title"},
    {"id": "Extension.value[x]", "max": "0"},
    on="Patient.name",
)
WITH_ALL = {"ServiceRequest": [REQUEST["url"]], "Patient": [PERSON["url"]]}


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Profiles:
    folder = tmp_path_factory.mktemp("profiles")
    return load(folder, REQUEST, PERSON, JOB, value_set("v", codes(ACT, "a")))


extended = values | st.builds(lambda: [{"url": JOB["url"], "extension": [{"url": "title"}]}])


@given(
    name=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(0, 999), extended), min_size=1, max_size=4),
)
def test_a_mutilated_message_yields_faults_and_never_raises(
    profiles: Profiles, name: str, changes: list[tuple[int, Any]]
) -> None:
    tree: Any = good(name)
    for which, value in changes:
        places = list(spots(tree))
        node, key = places[which % len(places)]
        node[key] = value
    found = validate(tree, profiles=profiles, expected=WITH_ALL)
    assert len(found) <= MAX_FAULTS + 1
    assert len(set(found)) >= len(found) - len(validate(tree))


@pytest.mark.parametrize("name", GOOD)
def test_a_fault_of_a_profile_never_quotes_a_value(profiles: Profiles, name: str) -> None:
    tree: Any = good(name)
    before = len(validate(tree, profiles=profiles, expected=WITH_ALL))
    assert before
    for node, key in spots(tree):
        node[key], kept = "Fernsby", node[key]
        found = validate(tree, profiles=profiles, expected=WITH_ALL)
        assert "Fernsby" not in "".join(map(str, found))
        node[key] = kept
