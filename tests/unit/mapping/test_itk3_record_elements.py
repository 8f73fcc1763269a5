"""Each element goes to its place in STU3, or is refused where it stood; the tables are those of FHIR."""

import importlib
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from gateway.errors import InvalidMessageError
from gateway.mapping.itk3_record import write_record
from gateway.mapping.itk3_record_tables import (
    CODE_OF_CONCEPT,
    IN_PLACE,
    RESOURCES,
    TEXT_OF_NOTE,
    TYPES,
    Line,
)
from gateway.mapping.itk3_record_terms import SYSTEMS
from gateway.writeback.interactions import Interaction
from tests.builders.itk3 import a_leave, a_practice_record, sent_record

FHIR = "{http://hl7.org/fhir}"
T = "http://terminology.hl7.org/CodeSystem"
SNOMED = "http://snomed.info/sct"
MODELS = {
    "Attester": "CompositionAttester", "Replaced": "CompositionRelatesTo",
    "Section": "CompositionSection", "Participant": "EncounterParticipant",
    "ReferenceRange": "ObservationReferenceRange", "Component": "ObservationComponent",
    "Performer": "MedicationDispensePerformer", "Repeat": "TimingRepeat",
}  # fmt: skip
"""The names that models have for the parts of resources; all others are called as in the tables."""
FILES = {
    "CompositionAttester": "composition", "CompositionRelatesTo": "composition",
    "CompositionSection": "composition", "EncounterParticipant": "encounter",
    "ObservationReferenceRange": "observation", "ObservationComponent": "observation",
    "MedicationDispensePerformer": "medicationdispense", "TimingRepeat": "timing",
    "DosageDoseAndRate": "dosage",
}  # fmt: skip
TABLES: dict[str, tuple[Line, ...]] = {name: shape.lines for name, shape in RESOURCES.items()}
TABLES |= {name: lines for name, lines in TYPES.items() if name != "Dose"}


def elements(version: str, name: str) -> list[str]:
    model = MODELS.get(name, name)
    module = importlib.import_module(f"fhir.resources.{version}.{FILES.get(model, model.lower())}")
    return list(getattr(module, model).elements_sequence())


@pytest.mark.parametrize("name", TABLES)
def test_the_elements_of_a_table_are_those_of_both_versions(name: str) -> None:
    ours = [line for line in TABLES[name] if line.holds != IN_PLACE]
    assert {line.stu3 for line in ours} <= set(elements("STU3", name))
    assert {line.r4 for line in TABLES[name]} <= set(elements("R4B", name))


@pytest.mark.parametrize("name", TABLES)
def test_the_elements_of_a_table_stand_in_the_order_of_stu3(name: str) -> None:
    order = elements("STU3", name)
    places = [
        order.index(line.stu3) for line in TABLES[name]
        if line.holds != IN_PLACE and not line.stu3.startswith("value")
    ]  # fmt: skip  # of the values there is one
    assert places == sorted(places)


def test_a_dose_stands_in_the_dosage() -> None:
    order = elements("STU3", "Dosage")
    assert order.index("method") < order.index("doseRange") < order.index("maxDosePerPeriod")
    assert {line.r4 for line in TYPES["Dose"]} <= set(elements("R4B", "DosageDoseAndRate"))


def test_what_is_no_resource_is_a_type_or_a_special_case() -> None:
    special = {"primitive", CODE_OF_CONCEPT, TEXT_OF_NOTE, IN_PLACE}
    for lines in TABLES.values():
        assert {line.holds for line in lines} <= special | set(TYPES)


def resource(tree: Any, kind: str) -> Any:
    return next(e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == kind)


def made(kind: str, **values: Any) -> tuple[Any, list[str]]:
    """Change a resource of the example; return it as written, or the faults."""
    tree = sent_record()
    resource(tree, kind).update(values)
    record = a_practice_record(tree)
    try:
        body = write_record(record, a_leave(record.delivery_id, Interaction.UPDATE_RECORD)).body
    except InvalidMessageError as refused:
        return None, [f"{each.expression}" for each in refused.faults]
    root: Any = etree.fromstring(body)
    return root.find(f".//{FHIR}Bundle//{FHIR}{kind}"), []


def values(element: Any, path: str) -> list[str | None]:
    steps = "/".join(FHIR + step for step in path.split("/"))
    return [each.get("value") for each in element.iterfind(steps)]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("37.40"), "37.40"),
        (Decimal("0.0000001"), "0.0000001"),
        (Decimal("-1.5"), "-1.5"),
        (5, "5"),
    ],
)
def test_a_number_keeps_its_digits(number: Any, text: str) -> None:
    written, _ = made("Observation", valueQuantity={"value": number, "unit": "x"})
    assert values(written, "valueQuantity/value") == [text]


@pytest.mark.parametrize(
    "value", [Decimal("1E+2"), Decimal("1E-19"), Decimal("NaN"), None, "a\x00b", "\ud800"]
)
def test_what_xml_of_stu3_cannot_hold_is_refused(value: Any) -> None:
    at = "Bundle.entry[6].resource.valueQuantity.value"
    assert made("Observation", valueQuantity={"value": value})[1] == [at]


def test_truth_and_lines_come_out_as_xml_has_them() -> None:
    written, _ = made("Patient", active=False)
    assert values(written, "active") == ["false"]
    written, _ = made("ClinicalImpression", summary='a\n\tb <c> & "d"')
    assert values(written, "summary") == ['a\n\tb <c> & "d"']


REFERENCES: list[tuple[str, dict[str, Any], str, str]] = [
    ("Observation", {"performer": [{"reference": "urn:uuid:none"}]}, "performer[0]", "leads out"),
    ("Observation", {"performer": [{"display": "Sam"}]}, "", "by a name alone"),
    ("Observation", {"performer": [{"type": "Organization", "display": "x"}]}, "", "by a name and its type"),
    ("Observation", {"performer": [{"type": "Device", "display": "x"}]}, "performer[0].type", "another type"),
    ("Observation", {"subject": {"display": "x"}}, "subject", "a person by a name alone"),
    ("Observation", {"subject": {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000004"}}, "subject", "no patient"),
    ("Observation", {"subject": {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000006", "type": "Patient", "display": "x"}}, "", "its own type"),
    ("Observation", {"subject": {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000006", "type": "Group"}}, "subject.type", "another type than its target"),
    ("ClinicalImpression", {"assessor": {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000003"}}, "assessor", "an organisation"),
    ("ClinicalImpression", {"assessor": {"reference": "urn:uuid:bbbbbbbb-0000-4000-8000-000000000005", "identifier": {"value": "x"}}}, "assessor.identifier", "the role's identifier"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "at", "_why"), REFERENCES)
def test_a_reference_is_kept_or_refused(kind: str, change: Any, at: str, _why: str) -> None:
    wanted = [f".resource.{at}"] if at else []
    assert [
        f".resource.{each.split('.resource.')[1]}" for each in made(kind, **change)[1]
    ] == wanted


def test_a_role_without_a_person_is_refused_where_stu3_wants_the_person() -> None:
    found = made("PractitionerRole", practitioner={"identifier": {"value": "x"}})[1]
    assert "Bundle.entry[0].resource.author[0]" in found


def test_a_reference_by_identifier_keeps_it() -> None:
    role = {
        "identifier": {"system": "http://fhir.nhs.uk/Id/ods-organization-code", "value": "FZZ01"}
    }
    written, _ = made("PractitionerRole", organization=role)
    assert values(written, "organization/identifier/value") == ["FZZ01"]
    system = "https://fhir.nhs.uk/Id/ods-organization-code"
    assert values(written, "organization/identifier/system") == [system]


def coding(system: str, code: str, **more: str) -> Any:
    return {"coding": [{"system": system, "code": code} | more]}


CODES: list[tuple[str, Any, str]] = [
    ("interpretation", [coding(f"{T}/v3-ObservationInterpretation", "POS")], "interpretation[0].coding[0].code"),
    ("interpretation", [coding(f"{T}/v3-ObservationInterpretation", "N", version="4.0.1")], "interpretation[0].coding[0].code"),
    ("interpretation", [{"text": "a"}, {"text": "b"}], "interpretation[1]"),
    ("dataAbsentReason", coding(f"{T}/data-absent-reason", "not-applicable"), "dataAbsentReason.coding[0].code"),
    ("method", {"coding": [{"system": SNOMED}]}, "method.coding[0]"),
    ("method", {"coding": [{"code": "1"}]}, "method.coding[0].system"),
    ("method", {"coding": "1"}, "method.coding"),
    ("note", [{"text": "a"}, {"text": "b"}], "note[1]"),
    ("note", [{"text": "a", "time": "2026-03-04"}], "note[0].time"),
    ("valueQuantity", {"value": 1, "code": "x"}, "valueQuantity.system"),
    ("identifier", [{"extension": [{"url": "https://x.example", "valueString": "x"}]}], "identifier[0].extension[0]"),
    ("status", "registered", "status"),
    ("valueInteger", 3, "valueInteger"),
    ("_status", {"extension": []}, "status"),
    ("contained", [{}], "contained"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "at"), CODES)
def test_what_stu3_has_no_place_for_is_refused_where_it_stands(
    key: str, value: Any, at: str
) -> None:
    assert made("Observation", **{key: value})[1] == [f"Bundle.entry[6].resource.{at}"]


@pytest.mark.parametrize(
    "value",
    [
        coding(f"{T}/condition-clinical", "relapse"),
        coding(f"{T}/condition-clinical", "active", display="Worse than ever"),
        coding(f"{T}/condition-clinical", "active", version="4.0.1"),
        coding(SNOMED, "active"),
        {"text": "active"},
        coding(f"{T}/condition-clinical", "active") | {"text": "active, on and off"},
        {"coding": [*coding(f"{T}/condition-clinical", "active")["coding"]] * 2},
    ],
)
def test_a_status_that_says_more_than_its_code_is_refused(value: Any) -> None:
    assert made("Condition", clinicalStatus=value)[1] == ["Bundle.entry[9].resource.clinicalStatus"]


def test_a_status_in_the_words_of_its_code_is_the_code() -> None:
    written, _ = made(
        "Condition",
        clinicalStatus=coding(f"{T}/condition-clinical", "resolved", display="Resolved"),
    )
    assert values(written, "clinicalStatus") == ["resolved"]


def test_doses_stand_in_the_dosage_itself_and_there_is_one() -> None:
    dose = {"doseRange": {"low": {"value": 1}, "high": {"value": 2}}}
    written, _ = made(
        "MedicationDispense", dosageInstruction=[{"text": "x", "doseAndRate": [dose]}]
    )
    assert values(written, "dosageInstruction/doseRange/high/value") == ["2"]
    at = "Bundle.entry[8].resource.dosageInstruction[0].doseAndRate"
    two = [{"text": "x", "doseAndRate": [dose, dose]}]
    assert made("MedicationDispense", dosageInstruction=two)[1] == [f"{at}[1]"]
    typed = [{"text": "x", "doseAndRate": [dose | {"rateQuantity": {"value": 1}}]}]
    assert made("MedicationDispense", dosageInstruction=typed)[1] == [f"{at}[0].rateQuantity"]


def test_a_language_stands_before_everything_but_meta() -> None:
    written, _ = made("Condition", language="en-GB")
    assert [etree.QName(each).localname for each in written][:3] == ["id", "meta", "language"]


def test_no_list_of_r4_keeps_its_name_but_the_one_of_the_published_examples() -> None:
    kept = [url for url, system in SYSTEMS.items() if url.startswith(T) and system.url == url]
    assert kept == [f"{T}/observation-category"]
