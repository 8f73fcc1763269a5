"""What a profile asks, asked in FHIRPath too: both judge every patient alike."""

from typing import Any

import fhirpathrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.fhir.profiles.model import Profiles
from tests.unit.fhir.profiles.files import faults, load, slicing, structure

RULES: list[tuple[dict[str, Any], ...]] = [
    ({"id": "Patient.name", "min": 1, "max": "2"},),
    ({"id": "Patient.name.given", "min": 1},),
    ({"id": "Patient.gender", "fixedCode": "other"},),
    ({"id": "Patient.name", "patternHumanName": {"use": "official", "given": ["A"]}},),
    (
        {"id": "Patient.name", "slicing": slicing("use", rules="closed")},
        {"id": "Patient.name:one", "min": 1, "max": "1"},
        {"id": "Patient.name:one.use", "fixedCode": "official"},
        {"id": "Patient.name:one.family", "min": 1},
        {"id": "Patient.name:two", "max": "0"},
        {"id": "Patient.name:two.use", "fixedCode": "nickname"},
        {"id": "Patient.name:three"},
        {"id": "Patient.name:three.use", "fixedCode": "old"},
    ),
    (
        {"id": "Patient.extension", "slicing": slicing("url")},
        {"id": "Patient.extension:e", "min": 1, "max": "1"},
        {"id": "Patient.extension:e.url", "fixedUri": "https://a.example/e"},
        {"id": "Patient.extension:e.value[x]", "type": [{"code": "string"}]},
    ),
    ({"id": "Patient.deceased[x]", "min": 1, "type": [{"code": "boolean"}]},),
]
SAME = [
    "name.count() >= 1 and name.count() <= 2",
    "name.all(given.exists())",
    "gender.empty() or gender = 'other'",
    "name.all(use = 'official' and given.where($this = 'A').exists())",
    (
        "name.where(use = 'official').count() = 1 and name.where(use = 'nickname').empty()"
        " and name.where(use = 'official').all(family.exists())"
        " and name.all(use = 'official' or use = 'old')"
    ),
    (
        "extension.where(url = 'https://a.example/e').count() = 1"
        " and extension.where(url = 'https://a.example/e').all(value.empty() or value is string)"
    ),
    "deceased.count() = 1 and deceased is boolean",
]
NAMES = st.fixed_dictionaries(
    {},
    optional={
        "use": st.sampled_from(["official", "nickname", "old", "usual"]),
        "family": st.just("a"),
        "given": st.lists(st.sampled_from(["A", "B"]), min_size=1, max_size=2),
    },
).filter(bool)
EXTENSIONS = st.builds(
    lambda url, value: {"url": url} | value,
    st.sampled_from(["https://a.example/e", "https://a.example/f"]),
    st.sampled_from([{"valueString": "a"}, {"valueBoolean": True}]),
)
PATIENTS = st.fixed_dictionaries(
    {"resourceType": st.just("Patient")},
    optional={
        "name": st.lists(NAMES, min_size=1, max_size=3),
        "gender": st.sampled_from(["other", "male"]),
        "extension": st.lists(EXTENSIONS, min_size=1, max_size=3),
        "deceasedBoolean": st.booleans(),
    },
)


@pytest.fixture(scope="module")
def one_profile_a_rule(tmp_path_factory: pytest.TempPathFactory) -> Profiles:
    trees = [structure(f"r{index}", "Patient", *rows) for index, rows in enumerate(RULES)]
    return load(tmp_path_factory.mktemp("rules"), *trees)


@pytest.mark.parametrize("index", range(len(RULES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_fhirpath_judges_alike(one_profile_a_rule: Profiles, index: int, data: Any) -> None:
    tree = data.draw(PATIENTS)
    is_right = fhirpathrs.evaluate(SAME[index], tree, {}) is True
    assert (faults(one_profile_a_rule, tree, f"r{index}") == []) == is_right
