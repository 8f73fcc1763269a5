import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.validate import validate
from gateway.writeback.employer_copy import (
    UCUM,
    EmployerCopy,
    build_employer_copy,
    digest_of_note,
    notes_to_show,
)
from gateway.writeback.employer_minimum import read_employer_minimum
from gateway.writeback.employer_note import why_refused

FOLDER = Path(__file__).parents[3] / "mappings" / "employer-copy"
FILE: dict[str, Any] = json.loads((FOLDER / "minimum.json").read_bytes())
MINIMUM = read_employer_minimum(FILE)
SYSTEM = MINIMUM.system
SNOMED = "http://snomed.info/sct"
DAY = date(2026, 3, 2)
NOTE = "Start at half the usual hours, and add an hour each week."
SEEN = {digest_of_note(NOTE)}
EXAMPLES = sorted(path.stem for path in (FOLDER / "in").glob("*.json"))
Tree = dict[str, Any]


def stated(code: str, **value: Any) -> Tree:
    coding = [{"system": SYSTEM, "code": code}]
    return {"resourceType": "Observation", "status": "final", "code": {"coding": coding}, **value}


def chosen(item: str, *codes: str, system: str = SYSTEM) -> Tree:
    coding = [{"system": system, "code": code} for code in codes]
    return stated(item, valueCodeableConcept={"coding": coding})


def lasting(**quantity: Any) -> Tree:
    value = {"value": 6, "system": UCUM, "code": "wk", **quantity}
    return stated("duration", valueQuantity={k: v for k, v in value.items() if v is not None})


def built(*parts: Any, seen: set[str] | None = None) -> EmployerCopy:
    report: Tree = {"resourceType": "Bundle", "entry": [{"resource": part} for part in parts]}
    return build_employer_copy(report, MINIMUM, written_on=DAY, seen=SEEN if seen is None else seen)


FIT = chosen("fitness", "fit")


def as_told(made: EmployerCopy) -> Tree:
    return {
        "tree": made.tree,
        "lines": list(made.lines),
        "left_out": [[fault.expression, fault.diagnostics] for fault in made.left_out],
        "is_complete": made.is_complete,
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_becomes_what_stands_beside_it(name: str) -> None:
    report = read_json((FOLDER / "in" / f"{name}.json").read_bytes())
    made = build_employer_copy(report, MINIMUM, written_on=DAY, seen=SEEN)
    assert as_told(made) == json.loads((FOLDER / "out" / f"{name}.json").read_bytes())


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_copy_is_good_r4_and_can_be_written(name: str) -> None:
    tree = json.loads((FOLDER / "out" / f"{name}.json").read_bytes())["tree"]
    assert [fault for fault in validate(tree) if fault.severity == "error"] == []
    assert read_json(write_json(tree)) == tree


def test_the_readme_tells_of_each_item_and_each_example() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in [item.code for item in MINIMUM.items] + [f"{name}.json" for name in EXAMPLES]:
        assert f"`{name}`" in readme


def test_adjustments_stand_in_the_order_of_the_dataset_and_once() -> None:
    codes = ["work-from-home", "phased-return", "more-breaks", "phased-return"]
    made = built(FIT, *(chosen("adjustment", code) for code in codes))
    assert made.lines == (
        "Fitness for work: Fit for work",
        "Adjustment: A phased return to work",
        "Adjustment: More breaks",
        "Adjustment: Work from home where possible",
    )
    assert made.left_out == ()


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (chosen("fitness", "160910001", system=SNOMED), "Fitness for work: Not fit for work"),
        (lasting(), "For how long: 6 weeks"),
        (lasting(value=104), "For how long: 104 weeks"),
        (stated("review-date", valueDateTime="2026-03-02"), "Review on: 2026-03-02"),
        (stated("review-date", valueDateTime="2028-03-02"), "Review on: 2028-03-02"),
        (stated("note-for-employer", valueString=NOTE), f"Note for the employer: {NOTE}"),
        ({**lasting(), "status": "amended"}, "For how long: 6 weeks"),
        ({**lasting(), "meta": {"lastUpdated": "2026-03-02T10:00:00Z"}}, "For how long: 6 weeks"),
    ],
)
def test_a_statement_of_the_dataset_becomes_a_line(part: Tree, line: str) -> None:
    made = built(part)
    assert (made.lines, made.left_out) == ((line,), ())


LABELLED = {"security": [{"code": "R"}]}


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (chosen("adjustment", "no-stairs"), "No code of it is in the closed list"),
        (chosen("adjustment", "phased-return", system=SNOMED), "No code of it"),
        (stated("adjustment", valueCodeableConcept={"text": "Phased return"}), "No code of it"),
        (stated("adjustment"), "No code of it"),
        (chosen("adjustment", "phased-return", "more-breaks"), "name different entries"),
        ({**lasting(), "status": "preliminary"}, "not final"),
        ({**lasting(), "status": "entered-in-error"}, "not final"),
        ({**lasting(), "meta": LABELLED}, "label of sensitivity"),
        ({**lasting(), "modifierExtension": []}, "changes its meaning"),
        ({**lasting(), "implicitRules": "x:y"}, "changes its meaning"),
        ({**lasting(), "dataAbsentReason": {}}, "changes its meaning"),
        (stated("review-date", valueDateTime="2026-03-01"), "valueDateTime"),
        (stated("review-date", valueDateTime="2028-03-03"), "valueDateTime"),
        (stated("review-date", valueDateTime="2026-04"), "valueDateTime"),
        (stated("review-date", valueDateTime="2026-04-13T09:00:00Z"), "valueDateTime"),
        (stated("review-date", valueDateTime=20260413), "valueDateTime"),
        (stated("duration"), "valueQuantity"),
        (lasting(value=0), "valueQuantity"),
        (lasting(value=105), "valueQuantity"),
        (lasting(value=True), "valueQuantity"),
        (lasting(value="6"), "valueQuantity"),
        (lasting(code="a"), "valueQuantity"),
        (lasting(system=None), "valueQuantity"),
        (lasting(comparator=">"), "valueQuantity"),
        (stated("note-for-employer"), "valueString is missing"),
        (stated("note-for-employer", valueString="Short days."), "not seen these words"),
        (stated("note-for-employer", valueString=NOTE + " "), "not seen these words"),
        (stated("note-for-employer", valueString="F32.1"), "as codes have"),
    ],
)
def test_what_does_not_fit_the_dataset_stays_out_and_is_told(part: Tree, why: str) -> None:
    made = built(FIT, part)
    assert made.lines == ("Fitness for work: Fit for work",)
    [fault] = made.left_out
    assert why in fault.diagnostics
    assert fault.expression == "Bundle.entry[1].resource"


def test_what_is_said_twice_and_differently_is_not_said() -> None:
    made = built(FIT, chosen("fitness", "not-fit"))
    assert made.lines == ()
    assert [fault.diagnostics for fault in made.left_out] == [
        "It is said more than once, and differently: say it once."
    ]
    assert not made.is_complete
    assert "component" not in made.tree


def test_what_is_said_twice_and_alike_is_said_once() -> None:
    made = built(FIT, FIT)
    assert (len(made.lines), made.left_out, made.is_complete) == (1, (), True)


def test_a_copy_without_fitness_may_not_go() -> None:
    assert not built(lasting()).is_complete
    assert not built().is_complete


def test_a_statement_is_found_in_the_report_itself_and_in_what_it_contains() -> None:
    whole = {**FIT, "contained": [lasting(), None]}
    made = build_employer_copy(whole, MINIMUM, written_on=DAY, seen=())
    assert len(made.lines) == 2
    inner = {"resourceType": "DiagnosticReport", "contained": [chosen("adjustment", "no")]}
    assert [fault.expression for fault in built(FIT, inner).left_out] == [
        "Bundle.entry[1].resource.contained[0]"
    ]


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"resourceType": "Bundle", "entry": {"resource": FIT}},
        {"resourceType": "Bundle", "entry": [None, {"resource": None}, {}]},
        {"resourceType": "Basic", "contained": FIT},
        {"resourceType": "Observation", "code": FIT["code"]["coding"]},
        {**FIT, "resourceType": "Flag"},
        {**FIT, "code": {"coding": [{"system": SNOMED, "code": "fitness"}]}},
    ],
)
def test_what_is_no_statement_of_the_dataset_is_not_looked_at(report: Tree) -> None:
    made = build_employer_copy(report, MINIMUM, written_on=DAY, seen=())
    assert (made.lines, made.left_out) == ((), ())


def test_the_notes_that_the_person_is_to_see_are_those_for_the_employer() -> None:
    report: Tree = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": stated("note-for-employer", valueString=NOTE)},
            {"resource": stated("note-for-employer", valueString=NOTE)},
            {"resource": stated("note-for-employer")},
            {"resource": {**FIT, "valueString": "no note"}},
        ],
    }
    assert notes_to_show(report, MINIMUM) == (NOTE,)


@pytest.mark.parametrize(
    "text",
    [
        NOTE,
        "Rest after 2 hours; no more than 5kg at a time.",
        "From 9.30 to 17.30, 3 days a week, on the 2nd floor",
        "Café shifts are fine",
        "May begin on Monday; may need 10 min of rest each hour.",
    ],
)
def test_a_plain_note_passes(text: str) -> None:
    assert why_refused(text, longest=500) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \u00a0", "empty"),
        ("One line\nand another", "cannot be seen"),
        ("zero\u200bwidth", "cannot be seen"),
        ("turned \u202e round", "cannot be seen"),
        ("x" * 501, "too long"),
        ("<b>rest</b>", "markup"),
        ("see https://x.example", "markup"),
        ("sct|73211009", "markup"),
        ("9990000018", "number"),
        ("999 000 0018", "number"),
        ("999-000-0018", "number"),
        ("\uff19\uff19\uff19 000 0018", "number"),
        ("concept 22298006", "number"),
        ("9 9 9 0 0 0 0 0 1 8", "number"),
        ("from 09:30 - 17:30", "number"),
        ("ring 020 7946 0018", "number"),
        ("born 3/3/80", "date"),
        ("born 03.03.1980", "date"),
        ("born 1980-03-03", "date"),
        ("born 3 March 1980", "date"),
        ("born in 1980", "date"),
        ("since Mar 80", "date"),
        ("F32.1", "as codes"),
        ("Eu32z", "as codes"),
        ("9Nu0.", "as codes"),
        ("lives at SW1A 2AA", "as codes"),
        ("QQ123456C", "number"),
        ("took 5000mg", "as codes"),
    ],
)
def test_a_note_with_what_could_be_a_number_a_date_or_a_code_is_refused(
    text: str, why: str
) -> None:
    told = why_refused(text, longest=500)
    assert told is not None
    assert why in told
    assert len(text) < 4 or text not in told


def changed(**parts: Any) -> Tree:
    return {**copy.deepcopy(FILE), **parts}


def with_item(number: int, **parts: Any) -> Tree:
    tree = copy.deepcopy(FILE)
    item = {**tree["items"][number], **parts}
    tree["items"][number] = {k: v for k, v in item.items() if v is not None}
    return tree


UNIT = {"code": "d", "text": "days"}
CHOICE = {"code": "fit", "text": "Fit"}


@pytest.mark.parametrize(
    ("tree", "why"),
    [
        (changed(more=1), "the file: only these names are known: items, system"),
        (changed(system=None), "system: give the https address"),
        (changed(items=[]), "items is to be a list of objects"),
        (changed(items={}), "items is to be a list of objects"),
        (changed(items=[*FILE["items"], 1]), "items is to be a list of objects"),
        (changed(items=[FILE["items"][0]] * 2), "the same code stands there twice"),
        (with_item(0, code="Fitness"), "a code is of small letters"),
        (with_item(0, kind="text"), "fitness: kind is to be one of choice, date"),
        (with_item(0, most=1), "fitness: only these names are known"),
        (with_item(0, label=" "), "fitness: label is to be plain words"),
        (with_item(0, label="a\nb"), "fitness: label is to be plain words"),
        (with_item(0, label="x" * 101), "fitness: label is to be plain words"),
        (with_item(0, required="yes"), "fitness: required is to be true or false"),
        (with_item(0, choices=None), "fitness: choices is to be a list"),
        (with_item(0, choices=[CHOICE, CHOICE]), "fitness: the same code stands there twice"),
        (with_item(0, choices=[{**CHOICE, "more": 1}]), "fitness: only these names are known"),
        (with_item(0, choices=[{**CHOICE, "also": [{}]}]), "each entry of also has a system"),
        (with_item(2, units=[UNIT, UNIT]), "duration: the same code stands there twice"),
        (with_item(2, units=[{**UNIT, "more": 1}]), "duration: only these names are known"),
        (with_item(2, most=0), "duration: most is to be a whole number"),
        (with_item(2, most=True), "duration: most is to be a whole number"),
        (with_item(2, most=None), "duration: most is to be a whole number"),
    ],
)
def test_a_dataset_that_is_not_understood_whole_is_refused(tree: Tree, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_employer_minimum(tree)
