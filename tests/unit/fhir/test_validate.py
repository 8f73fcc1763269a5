import copy
import json
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.errors import Fault, IssueCode, Severity
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.invariants import INVARIANTS, KEPT_BY_THE_WALK, NOT_KEPT
from gateway.fhir.tables import load_tables
from gateway.fhir.validate import validate
from gateway.fhir.walk import MAX_DEPTH
from gateway.referral.json import JsonObject
from tests.unit.fhir.vectors import GOOD, broken, good, rows

DEFECTS = rows("defects.json")
ROOT = Path(__file__).parents[3]


def places(faults: list[Fault]) -> list[tuple[str | None, str]]:
    return [(fault.expression, fault.code.value) for fault in faults]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_message_has_no_faults(name: str) -> None:
    assert validate(good(name)) == []


@pytest.mark.parametrize("name", GOOD)
def test_validation_leaves_the_message_as_it_was(name: str) -> None:
    tree = good(name)
    validate(tree)
    assert tree == good(name)


@pytest.mark.parametrize("row", DEFECTS, ids=[row["name"] for row in DEFECTS])
def test_a_defect_is_found_at_its_place(row: dict[str, Any]) -> None:
    faults = validate(broken(row))
    assert (row["expression"], row["code"]) in places(faults)
    assert all((f.severity is Severity.WARNING) == _is_only_unused(f) for f in faults)


def _is_only_unused(fault: Fault) -> bool:
    """A contained resource to which nothing refers is the one deviation that only warns."""
    return fault.diagnostics.startswith("dom-3:")


def spots(node: Any) -> Iterator[tuple[Any, Any]]:  # any JSON
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, dict | list):
            yield from spots(value)


@pytest.mark.parametrize("name", GOOD)
def test_a_fault_never_quotes_a_value(name: str) -> None:
    tree = good(name)
    for node, key in spots(tree):
        node[key], before = "#Zq7 Fernsby\x00", node[key]
        assert "Fernsby" not in "".join(str(fault) for fault in validate(tree))
        node[key] = before
    assert tree == good(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_fault_never_quotes_the_name_of_a_property(name: str) -> None:
    tree = good(name)
    for node, key in spots(tree):
        if isinstance(node, dict):
            node[f"{key}Fernsby"] = node.pop(key)
            assert "Fernsby" not in "".join(str(fault) for fault in validate(tree))
            node[key] = node.pop(f"{key}Fernsby")
    assert tree == good(name)


def test_the_name_of_an_unknown_property_is_not_repeated() -> None:
    tree: JsonObject = {"resourceType": "Patient", "OdetteFernsby": 1, "Odette Fernsby": {"a": 1}}
    assert "Odette" not in "".join(str(fault) for fault in validate(tree))


def test_a_misspelt_property_is_told_the_name_it_resembles() -> None:
    [fault] = validate({"resourceType": "Patient", "birthdate": "1980-02-29"})
    assert "birthDate" in fault.diagnostics


def test_the_unknown_properties_of_one_object_are_one_fault() -> None:
    strange: JsonObject = {f"colour{n}": n for n in range(16)}
    tree: JsonObject = {"resourceType": "Patient", **strange, "birthdate": "1980-02-29"}
    tree["name"] = [{"family": "Fernsby", "nick": "a"}]
    faults = validate(tree | {"gendr": "female"})
    assert places(faults) == [("Patient", "structure"), ("Patient.name[0]", "structure")]
    assert "18 properties" in faults[0].diagnostics
    assert "birthDate and gender" in faults[0].diagnostics
    assert "a property" in faults[1].diagnostics
    assert "mend its name" in faults[1].diagnostics


def test_the_url_of_an_extension_has_nothing_beside_it() -> None:
    extension: JsonObject = {"url": "https://gp.example/e", "_url": {"id": "a"}, "valueCode": "a"}
    assert places(validate({"resourceType": "Patient", "extension": [extension]})) == [
        ("Patient.extension[0]", "structure")
    ]
    attachment: JsonObject = {"url": "https://gp.example/e", "_url": {"id": "a"}}
    assert validate({"resourceType": "Patient", "photo": [attachment]}) == []


@pytest.mark.parametrize(
    ("name", "value"), [("active", "true"), ("multipleBirthInteger", "1"), ("active", "yes")]
)
def test_a_number_or_boolean_in_quotes_is_told_so_in_words_of_both_formats(
    name: str, value: str
) -> None:
    [fault] = validate({"resourceType": "Patient", name: value})
    assert fault.code is IssueCode.VALUE
    assert "written without quotes in JSON" in fault.diagnostics


def test_all_faults_are_reported_at_once() -> None:
    [row] = [each for each in DEFECTS if each["name"] == "missing_status_in_an_entry"]
    tree = broken(row)
    tree["timestamp"] = "today"
    tree["total"] = 1
    assert places(validate(tree)) == [
        ("Bundle.timestamp", "value"),
        ("Bundle.entry[5].resource.status", "required"),
        ("Bundle", "invariant"),
    ]


def test_the_root_can_be_named_by_the_caller() -> None:
    [fault] = validate(
        {"resourceType": "Flag", "status": "active"}, root="Bundle.entry[3].resource"
    )[:1]
    assert fault.expression == "Bundle.entry[3].resource.code"


def test_text_of_blanks_only_is_a_warning() -> None:
    [fault] = validate({"resourceType": "Patient", "name": [{"family": "  "}]})
    assert (fault.severity, fault.expression) == (Severity.WARNING, "Patient.name[0].family")


def test_the_list_of_faults_ends_at_its_limit() -> None:
    tree: JsonObject = {"resourceType": "Patient", "name": [{"a": 1} for _ in range(100_000)]}
    faults = validate(tree)
    assert len(faults) == MAX_FAULTS + 1
    assert (faults[-1].severity, faults[-1].code) == (Severity.INFORMATION, IssueCode.TOO_COSTLY)


@pytest.mark.parametrize("key", ["extension", "contained", "name"])
def test_a_tree_deeper_than_the_limit_is_refused_and_not_walked(key: str) -> None:
    tree: JsonObject = {"resourceType": "Patient", "url": "a"}
    for _ in range(5_000):
        tree = {"resourceType": "Patient", "url": "a", key: [tree]}
    assert any(fault.severity is Severity.ERROR for fault in validate(tree))


def test_bundles_in_bundles_beyond_the_limit_are_refused() -> None:
    tree: JsonObject = {"resourceType": "Patient"}
    for _ in range(MAX_DEPTH):
        tree = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": tree}]}
    assert "deeper" in validate(tree)[-1].diagnostics


def test_a_modifier_extension_is_kept_for_its_reader() -> None:
    tree = good("service_request_contained")
    tree["modifierExtension"] = [{"url": "https://gateway.example/m", "valueBoolean": True}]
    assert validate(tree) == []


def test_a_primitive_with_only_an_extension_satisfies_what_is_required() -> None:
    tree = good("service_request_contained")
    del tree["status"]
    tree["_status"] = {"extension": [{"url": "http://example.org/absent", "valueCode": "unknown"}]}
    assert validate(tree) == []


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/1",
        "Patient/1/_history/2",
        "https://fhir.example/R4/Patient/1",
        "https://fhir.example/R4/Patient/1/_history/2",
        "https://fhir.example/anything-else",
        "urn:uuid:00000000-0000-4000-8000-0000000000ee",
        "urn:uuid:0000000A-0000-4000-8000-00000000000A",
        "urn:oid:1.2.3",
    ],
)
def test_a_reference_out_of_the_message_is_not_followed(reference: str) -> None:
    tree = good("bars_referral_bundle")
    entries: Any = tree["entry"]
    entries[1]["resource"]["subject"]["reference"] = reference
    assert validate(tree) == []


@pytest.mark.parametrize(
    ("reference", "is_told"),
    [
        ("https://fhir.example/R4/Practitioner/1", True),
        ("https://fhir.example/R4/Practitioner/1/_history/2", True),
        ("https://fhir.example/" + "a" * 1_000 + "/Practitioner/1", True),
        ("https://fhir.example/Practitioner/" + "a" * 64 + "/_history/" + "b" * 64, True),
        ("https://fhir.example/Practitioner/" + "a" * 65, False),
        ("https://fhir.example/Practitioner/1/2", False),
        ("https://Practitioner/1", False),
    ],
)
def test_a_type_is_read_where_the_end_of_a_url_names_it(reference: str, is_told: bool) -> None:  # noqa: FBT001
    tree = good("bars_referral_bundle")
    entries: Any = tree["entry"]
    entries[1]["resource"]["subject"]["reference"] = reference
    found = [("Bundle.entry[1].resource.subject", "value")] if is_told else []
    assert places(validate(tree)) == found


def test_a_logical_reference_needs_no_literal_one() -> None:
    tree = good("service_request_contained")
    tree["encounter"] = {"identifier": {"value": "E1"}, "type": "Encounter", "display": "visit"}
    assert validate(tree) == []


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_a_conditional_reference_may_stand_in_a_bundle_that_creates(kind: str) -> None:
    condition: JsonObject = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018"},
    }
    tree: JsonObject = {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"resource": condition, "request": {"method": "POST", "url": "Condition"}}],
    }
    assert validate(tree) == []


def test_a_contained_resource_may_refer_to_its_container() -> None:
    tree: JsonObject = {
        "resourceType": "Patient",
        "contained": [
            {"resourceType": "Condition", "id": "c", "subject": {"reference": "#"}},
        ],
    }
    assert validate(tree) == []


def test_a_contained_resource_may_be_named_by_a_canonical() -> None:
    tree: JsonObject = {
        "resourceType": "QuestionnaireResponse",
        "contained": [{"resourceType": "Questionnaire", "id": "q", "status": "active"}],
        "questionnaire": "#q",
        "status": "completed",
    }
    assert validate(tree) == []


def test_the_contained_resources_of_an_entry_are_its_own_and_not_the_bundles() -> None:
    tree = good("service_request_contained")
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": tree}],
    }
    assert validate(bundle) == []


def test_each_entry_has_contained_resources_of_its_own() -> None:
    tree = good("service_request_contained")
    other = copy.deepcopy(tree)
    del other["contained"]
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": tree}, {"resource": other}],
    }
    faults = validate(bundle)
    assert {fault.diagnostics[:5] for fault in faults} == {"ref-1"}
    assert all(str(fault.expression).startswith("Bundle.entry[1].resource.") for fault in faults)


def test_every_official_rule_is_kept_or_named_as_not_kept() -> None:
    constraints = load_tables().constraints
    official = {key for keys in constraints.values() for key in keys}
    assert official == {rule.key for rule in INVARIANTS} | KEPT_BY_THE_WALK | NOT_KEPT


def test_every_rule_is_asked_of_a_type_that_exists() -> None:
    assert {rule.type_name for rule in INVARIANTS} <= set(load_tables().types)


def _compiler() -> ModuleType:
    path = ROOT / "fhir_profiles" / "tools" / "compile_tables.py"
    spec = spec_from_file_location("compile_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_as_the_compiler_writes_them() -> None:
    compiler = _compiler()
    text = compiler.TARGET.read_text(encoding="utf-8")
    tables = json.loads(text)
    assert compiler.render(tables) == text
    assert set(compiler.RESOURCES) <= set(tables["types"])
    assert tables["fhir"] == "4.0.1"
