"""What a provider sends comes out readable and whole, as text, and as nothing more."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidMessageError
from gateway.mapping.readable import (
    MOST_CHARACTERS,
    MOST_LABEL,
    MOST_LINES,
    MOST_ROWS,
    Readable,
    Section,
    as_text,
    check_bounds,
)
from gateway.mapping.readable_content import render_content
from gateway.mapping.readable_narrative import narrative_text
from gateway.mapping.readable_pdf import write_pdf
from tests.builders.readable import FOLDER, OUTCOME, PERSON, SOURCE, many, note, render

XHTML = "http://www.w3.org/1999/xhtml"
PNG = "image/png"


def rows(tree: dict[str, Any]) -> list[str]:
    """Give the rows between whom it is about and where it comes from."""
    sections = render(tree).sections[1:-1]
    return [f"{row.label}: {row.text}" for section in sections for row in section.rows]


def headings(tree: dict[str, Any]) -> list[str]:
    return [section.heading for section in render(tree).sections[1:-1]]


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": r} for n, r in enumerate(resources)]
    return {"resourceType": "Bundle", "entry": entries}


def test_the_text_is_that_shown() -> None:
    assert as_text(render(OUTCOME)) == (FOLDER / "out" / "outcome.txt").read_text("utf-8")


def test_sections_come_first_with_the_entries_that_they_name_and_each_thing_is_told_once() -> None:
    assert headings(OUTCOME) == [
        "Composition: Report of clinical encounter", "Findings", "Condition: Low back pain",
        "Observation: Blood pressure", "Advice",
        "Medication statement: Ibuprofen 200 mg, bought over the counter",
    ]  # fmt: skip


def test_codes_are_text_beside_their_words() -> None:
    assert "Code: Low back pain (SNOMED CT 279039007)" in rows(OUTCOME)


def test_the_end_says_who_said_it_by_which_decision_and_why_no_code_was_written() -> None:
    last = {row.label: row.text for row in render(OUTCOME).sections[-1].rows}
    assert last["Written by"] == "Dr Sam Field"
    assert last["Of"] == "Able Occupational Health (OH123)"
    assert last["Decision"] == SOURCE.decision
    assert last["Why no code was written"] == SOURCE.why_no_codes
    plain = render_content(note(), PERSON, replace(SOURCE, why_no_codes=None, author=None))
    labels = [row.label for row in plain.sections[-1].rows]
    assert "Why no code was written" not in labels
    assert plain.sections[-1].rows[0].text == "not named by the sender"


def leaves(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [leaf for each in tree.values() for leaf in leaves(each)]
    if isinstance(tree, list):
        return [leaf for each in tree for leaf in leaves(each)]
    return [str(tree)]


WHOLE = {
    "valueQuantity": {"value": 5.25, "comparator": ">=", "unit": "kilos", "code": "kg"},
    "bareQuantity": {"value": 17},
    "codedQuantity": {"value": 18, "system": "urn:units", "code": "zz"},
    "valueRange": {"low": {"value": 19}, "high": {"value": 20, "unit": "steps"}},
    "valueRatio": {"numerator": {"value": 21}, "denominator": {"value": 22, "system": "urn:d", "code": "d"}},
    "halfRatio": {"numerator": {"value": 24, "unit": "x"}},
    "effectivePeriod": {"start": "2026-01-01", "end": "2026-02-02"},
    "openPeriod": {"end": "2026-05-05"},
    "valueCodeableConcept": {"text": "said", "coding": [{"system": "urn:a", "version": "v7", "code": "C1", "display": "shown"}, {"display": "only"}]},
    "valueCoding": {"system": "http://loinc.org", "code": "1234-5"},
    "performer": [{"reference": "urn:uuid:none", "display": "Nurse"}, {"identifier": {"system": "urn:i", "value": "I9"}}],
    "note": [{"text": "noted", "time": "2026-06-06", "authorString": "Who"}],
    "dosage": [{"text": "twice", "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, "asNeededBoolean": "perhaps"}],
    "extension": [{"url": "urn:ext", "valueString": "hidden"}],
    "modifierExtension": [{"url": "urn:mod", "valueCode": "not-done"}],
    "_status": {"extension": [{"url": "urn:why", "valueCode": "asked"}]},
    "content": [{"attachment": {"contentType": "image/png", "title": "Scan", "creation": "2026-07-07"}}],
}  # fmt: skip


def test_nothing_that_is_said_is_lost() -> None:
    said = "\n".join(rows(note(**WHOLE)))
    missing = [leaf for leaf in leaves(WHOLE) if leaf not in said]
    assert sorted(missing) == [">=", "http://loinc.org", "urn:uuid:none"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"value": 5, "comparator": "<", "unit": "mg"}, "less than 5 mg"),
        ({"value": 128, "unit": "mmHg", "code": "mm[Hg]"}, "128 mmHg (mm[Hg])"),
        ({"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}}, "from 1 g to 2 g"),
        ({"numerator": {"value": 1, "unit": "g"}}, "1 g to not given"),
        ({"coding": [{"code": "x", "system": "urn:s"}]}, "x (urn:s)"),
        ({"reference": "urn:uuid:1"}, "Practitioner: Dr Sam Field"),
        ({"reference": "Device/7"}, "Device/7"),
        ({"type": "Device", "display": ""}, "device"),
        ({"display": "Ward 7"}, "Ward 7"),
        ({"text": "a", "authorReference": {"reference": "urn:uuid:1"}}, "a (Practitioner: Dr Sam Field)"),
        ({"contentType": "text/plain", "data": "aGVsbG8=", "title": "T"}, "T\nhello"),
        ({"contentType": "text/plain", "data": "_", "title": "T"}, "T (a file: text/plain)"),
        ({"contentType": PNG, "data": "aGVsbG8="}, "no title (a file: image/png)"),
        ({"url": "https://x.example/"}, "https://x.example/ (a file: unknown type)"),
        (True, "yes"),
        (False, "no"),
        (None, "not given"),
        (1.50, "1.5"),
    ],
)  # fmt: skip
def test_a_data_type_is_put_into_words(value: Any, text: str) -> None:
    author = {
        "resourceType": "Practitioner",
        "name": [{"prefix": ["Dr"], "given": ["Sam"], "family": "Field"}],
    }
    assert rows(bundle(note(value=value), author))[-1] == f"Value: {text}"


def test_who_and_where_are_named_and_not_told() -> None:
    people = [
        {"resourceType": kind, "id": kind, "name": "N", "telecom": [{"value": "canary"}]}
        for kind in ("Organization", "Location", "HealthcareService")
    ]
    said = "\n".join(
        rows(bundle(note(performer=[{"reference": "Organization/Organization"}]), *people))
    )
    assert "Performer: Organization: N" in said
    assert "canary" not in said


def test_what_is_contained_or_in_a_bundle_within_is_told_too() -> None:
    inner = bundle(note(code={"text": "inside"}))
    outer = note(code={"text": "outside"}, contained=[{"resourceType": "Condition", "id": "c"}],
                 focus={"reference": "#c"})  # fmt: skip
    assert headings(bundle(inner, outer)) == [
        "Observation: inside",
        "Observation: outside",
        "Condition",
    ]
    assert "Focus: Condition" in rows(
        outer | {"contained": [{"resourceType": "Condition", "id": "c"}]}
    )


def test_a_binary_of_text_is_written_and_any_other_is_named() -> None:
    text = {
        "resourceType": "Binary",
        "contentType": "text/plain; charset=utf-8",
        "data": "aGVs bG8=",
    }
    assert rows(bundle(text, text | {"contentType": PNG})) == [
        "File: no title\nhello", f"File: no title (a file: {PNG})",
    ]  # fmt: skip


def test_an_entry_that_holds_nothing_is_passed_over() -> None:
    tree: dict[str, Any] = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1"}, {}]}
    tree["entry"] += [{"resource": note(contained=[{"resourceType": "Condition"}])}]
    assert headings(tree) == ["Observation", "Condition"]


def test_a_task_is_told_by_its_words_outputs_and_notes() -> None:
    task = {
        "resourceType": "Task", "status": "completed", "description": "Assessed",
        "for": {"display": "canary"}, "output": [{"type": {"text": "Advice"}, "valueString": "Rest"}],
    }  # fmt: skip
    assert render(task).title == "Assessed"
    assert rows(task) == [
        "Status: completed", "Description: Assessed", "Output: type: Advice", "Output: value: Rest",
    ]  # fmt: skip


def test_what_makes_a_task_one_is_not_told_where_its_code_says_no_more() -> None:
    plain = {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]}
    kind = {
        "system": "https://fhir.referral-gateway.example/CodeSystem/outcome-kind",
        "code": "report",
    }
    task: dict[str, Any] = {
        "resourceType": "Task", "status": "completed", "intent": "order", "code": plain,
        "identifier": [{"value": "1"}], "focus": {"reference": "ServiceRequest/1"},
        "businessStatus": {"coding": [kind]},
    }  # fmt: skip
    assert headings(task) == ["What the provider says"]
    assert rows(task) == ["Status: completed", "Business status: report"]
    said = task | {"code": plain | {"text": "See to her back"}}
    assert headings(said) == ["Task: See to her back"]
    assert "Intent: order" in rows(said)


def test_sections_nest_and_are_called_by_title_code_or_nothing() -> None:
    inner = {
        "code": {"text": "Coded"},
        "entry": [{"display": "Elsewhere"}, {"reference": "urn:uuid:9"}],
    }
    tree = {
        "resourceType": "Composition",
        "title": " ",
        "section": [{"section": [inner], "title": "Top"}, {}],
    }
    assert headings(tree) == ["Composition", "Top", "Coded", "Section"]
    assert rows(tree)[-2:] == ["Entry: Elsewhere", "Entry: urn:uuid:9"]
    assert render(tree | {"title": ""}).title == "Outcome of a referral"


def test_a_resource_without_words_is_called_by_its_code_and_a_long_name_is_shortened() -> None:
    assert headings(note(code={"coding": [{"code": "75367002"}]})) == ["Observation: 75367002"]
    long = "a" * 400
    assert len(headings(note(code={"text": long}))[0]) == 120
    assert f"Code: {long}" in rows(note(code={"text": long}))


def test_a_narrative_keeps_its_words_and_its_lines() -> None:
    div = (
        f'<div xmlns="{XHTML}"><h2>Head</h2><p>One <b>two</b>\n three</p><!-- not --><ul><li>x</li>'
        "<li>y</li></ul><table><tr><th>a</th><td>b</td></tr></table>4<br/>5<?pi?>"
        '<img src="#i" alt="a knee"/><img src="#j"/> &lt;b&gt;</div>'
    )
    assert narrative_text(div).split("\n") == [
        "Head", "One two three", "\N{BULLET} x", "\N{BULLET} y", "a | b", "4",
        "5[picture not shown: a knee][picture not shown: no description] <b>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "div",
    [
        "<div>", "", "&nbsp;", f'<div xmlns="{XHTML}">&nbsp;</div>', "<!DOCTYPE div><div/>",
        '<!DOCTYPE div [<!ENTITY e "x">]><div>&e;</div>', "<div>\ud800</div>",
    ],
)  # fmt: skip
def test_a_narrative_that_is_not_xhtml_is_refused(div: str) -> None:
    with pytest.raises(InvalidMessageError, match="XHTML"):
        narrative_text(div)


@pytest.mark.parametrize("tree", [{"resourceType": "Bundle"}, {"resourceType": "Patient"}])
def test_what_says_nothing_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessageError, match="says nothing"):
        render(tree)


def nested(depth: int) -> dict[str, Any]:
    tree = note()
    for _ in range(depth):
        tree = bundle(tree)
    return tree


def sections(depth: int) -> dict[str, Any]:
    section: dict[str, Any] = {"title": "S"}
    for _ in range(depth):
        section = {"title": "S", "section": [section]}
    return {"resourceType": "Composition", "title": "T", "section": [section]}


@pytest.mark.parametrize("made", [nested, sections])
def test_what_is_nested_too_deep_is_refused(made: Any) -> None:
    render(made(8))
    with pytest.raises(InvalidMessageError, match="nested"):
        render(made(9))


def headed(count: int) -> Readable:
    return Readable(title="T", sections=(Section(heading="H", rows=()),) * count, footer="F")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (many(MOST_ROWS - 1), many(MOST_ROWS)),
        (headed(MOST_ROWS), headed(MOST_ROWS + 1)),
        (many(1, "\n" * (MOST_LINES - 1)), many(1, "\n" * MOST_LINES)),
        (many(1, "\u2028" * (MOST_LINES - 1)), many(1, "\u2028" * MOST_LINES)),
        (many(1, "a" * (MOST_CHARACTERS - 3)), many(1, "a" * (MOST_CHARACTERS - 2))),
        (many(1, label="a" * MOST_LABEL), many(1, label="a" * (MOST_LABEL + 1))),
    ],
)
def test_what_is_too_much_is_refused_with_what_to_do(good: Readable, bad: Readable) -> None:
    assert check_bounds(good) is good
    for refusing in (check_bounds, write_pdf):
        with pytest.raises(InvalidMessageError, match="send less"):
            refusing(bad)


def test_a_document_shows_nothing_of_its_words() -> None:
    shown = repr((render(OUTCOME), PERSON, SOURCE))
    assert not [
        each for each in ("Müller", "9990000018", "1980", "back pain", "Field") if each in shown
    ]


def test_an_outcome_of_too_many_words_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(InvalidMessageError, match="send less"):
        render(note(note=[{"text": "a"}] * MOST_ROWS))
