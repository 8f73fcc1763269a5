"""No clinical content reaches an employer: whatever a report holds, wherever it holds it.

The reports are made up: Bundles of many types, each text of them a canary of its own, in every
element that FHIR or nobody knows, and also inside the very statements that the copy is built from.
What leaves is searched as bytes, and held against the dataset by a reading of its own.
"""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.fhir.json_text import write_json
from gateway.writeback.employer_copy import (
    UCUM,
    EmployerCopy,
    build_employer_copy,
    digest_of_note,
    notes_to_show,
)
from gateway.writeback.employer_minimum import read_employer_minimum

FILE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "mappings" / "employer-copy" / "minimum.json").read_bytes()
)
MINIMUM = read_employer_minimum(FILE)
SYSTEM: str = FILE["system"]
DAY = date(2026, 3, 2)
CANARY = "canary"
NUMBERS = (8675309, 5550123)
"""As numbers, what no limit of the dataset lets through."""
Tree = dict[str, Any]

canaries = st.integers(0, 9999).map(lambda n: f"{CANARY}-{n}")
numbers = st.sampled_from(NUMBERS)
names = st.sampled_from(
    "id text note display comment div url title description extension component subject performer"
    " bodySite method interpretation referenceRange reasonCode conclusion category section"
    " valueString valueAnnotation _status _valueDateTime contained2 valueAttachment hasMember".split()
)
trees = st.recursive(
    canaries | numbers | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=4,
)
others = st.dictionaries(names, trees, max_size=4)
types = st.sampled_from(
    "Condition Patient Composition DocumentReference Observation MedicationRequest Procedure"
    " QuestionnaireResponse Provenance ClinicalImpression".split()
)
ITEMS: dict[str, Tree] = {item["code"]: item for item in FILE["items"]}


def codings(item: str) -> st.SearchStrategy[list[Tree]]:
    """A code of the list, spelt in any system that it has, among codes and words of none."""
    spelt = [
        pair
        for choice in ITEMS[item]["choices"]
        for pair in ({"system": SYSTEM, "code": choice["code"]}, *choice.get("also", ()))
    ]
    known = st.builds(
        lambda pair, shown: {**pair, "display": shown}, st.sampled_from(spelt), canaries
    )
    unknown = st.builds(lambda code: {"system": SYSTEM, "code": code, "display": code}, canaries)
    return st.lists(known | unknown, max_size=3)


days = st.sampled_from([-1, 0, 40, 731, 732]).map(lambda n: (DAY + timedelta(days=n)).isoformat())
quantities = st.fixed_dictionaries(
    {
        "value": st.sampled_from([1, 6, 105, 8675309]),
        "code": st.sampled_from(["d", "wk", "mo", "wk", "a"]),
        "system": st.sampled_from([UCUM, UCUM, UCUM, SYSTEM]),
        "unit": canaries,
    }
)
VALUES: dict[str, st.SearchStrategy[Tree]] = {
    "choice": st.builds(
        lambda coding, text: {"valueCodeableConcept": {"coding": coding, "text": text}},
        codings("fitness") | codings("adjustment"),
        canaries,
    ),
    "date": (days | canaries).map(lambda day: {"valueDateTime": day}),
    "duration": quantities.map(lambda quantity: {"valueQuantity": quantity}),
    "note": canaries.map(lambda words: {"valueString": words}),
}


@st.composite
def statements(draw: st.DrawFn) -> Tree:
    """An Observation of an item of the dataset, and canaries in all that it says beside it."""
    item = ITEMS[draw(st.sampled_from(list(ITEMS)))]
    kind = draw(st.sampled_from([item["kind"]] * 4 + list(VALUES)))
    code = {"system": SYSTEM, "code": item["code"], "display": draw(canaries)}
    return {
        **draw(others),
        "id": draw(canaries),
        "resourceType": "Observation",
        "status": draw(st.sampled_from(["final", "final", "amended", "preliminary"])),
        "code": {"coding": [code, {"system": draw(canaries), "code": draw(canaries)}]},
        **draw(VALUES[kind]),
    }


resources = statements() | st.builds(
    lambda type_, rest: {**rest, "resourceType": type_}, types, others
)
holders = st.builds(
    lambda whole, inner: {**whole, "contained": inner}, resources, st.lists(resources, max_size=2)
)
reports = st.builds(
    lambda rest, held: {**rest, "resourceType": "Bundle", "entry": [{"resource": h} for h in held]},
    others,
    st.lists(statements() | resources | holders, max_size=8),
)


def bytes_of(made: EmployerCopy) -> str:
    told = [str(fault.diagnostics) + str(fault.expression) for fault in made.left_out]
    return "\n".join([write_json(made.tree).decode(), *made.lines, *told])


def build(report: Tree, *seen: str) -> EmployerCopy:
    digests = {digest_of_note(each) for each in seen}
    return build_employer_copy(report, MINIMUM, written_on=DAY, seen=digests)


def is_of_the_dataset(component: Tree) -> bool:
    """Read one component again: all of it is the dataset's words, a day, or a small number."""
    (code,) = component.pop("code")["coding"]
    item = ITEMS[code["code"]]
    assert code == {"system": SYSTEM, "code": item["code"], "display": item["label"]}
    ((element, value),) = component.items()
    if item["kind"] == "choice":
        allowed = [
            {"coding": [{"system": SYSTEM, "code": c["code"], "display": c["text"]}]}
            for c in item["choices"]
        ]
        return element == "valueCodeableConcept" and value in allowed
    if item["kind"] == "duration":
        units = {(unit["code"], unit["text"]) for unit in item["units"]}
        is_small = set(value) == {"value", "unit", "system", "code"} and value["value"] <= 104
        return is_small and (value["code"], value["unit"]) in units and value["system"] == UCUM
    is_day = re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", value) and value >= "2026-03-02"
    return item["kind"] == "date" and element == "valueDateTime" and bool(is_day)


@given(report=reports)
@settings(max_examples=150, deadline=None)
def test_no_canary_of_a_report_is_in_what_an_employer_may_read(report: Tree) -> None:
    sent = bytes_of(build(report))
    assert CANARY not in sent
    assert not any(str(number) in sent for number in NUMBERS)


@given(report=reports)
@settings(max_examples=80, deadline=None)
def test_all_that_an_employer_may_read_is_of_the_dataset(report: Tree) -> None:
    tree: Tree = json.loads(write_json(build(report).tree))
    assert all(is_of_the_dataset(component) for component in tree.pop("component", []))
    assert set(tree) == {"resourceType", "status", "code", "effectiveDateTime"}


@given(report=reports, words=st.sampled_from(["Short days at first.", "Rest after lunch."]))
@settings(max_examples=40, deadline=None)
def test_of_all_words_those_that_the_person_saw_in_the_note_alone_pass(
    report: Tree, words: str
) -> None:
    note = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": SYSTEM, "code": "note-for-employer"}]},
        "valueString": words,
    }
    marked = {**report, "entry": [{"resource": note}, *report["entry"]]}
    assert words in notes_to_show(marked, MINIMUM)
    sent = build(marked, words)
    assert f"Note for the employer: {words}" in sent.lines
    assert CANARY not in bytes_of(sent)
    assert words not in bytes_of(build(marked))


@given(report=reports, other=reports)
@settings(max_examples=40, deadline=None)
def test_what_is_no_statement_changes_no_byte(report: Tree, other: Tree) -> None:
    beside = [
        {"resource": {**entry["resource"], "resourceType": "Basic", "contained": []}}
        for entry in other["entry"]
    ]
    more = {**report, "entry": [*report["entry"], *beside]}
    assert bytes_of(build(more)) == bytes_of(build(report))
