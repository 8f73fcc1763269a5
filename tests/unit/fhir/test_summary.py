"""A part of a resource is smaller, tagged, valid, and made of copies."""

import copy
from typing import Any, Final

import pytest

from gateway.errors import IssueCode, Severity
from gateway.fhir.summary import Part, Summary, part_of
from gateway.fhir.validate import validate
from gateway.referral.json import JsonObject
from tests.builders.messages import bars_message, service_request
from tests.unit.fhir.vectors import GOOD, good

SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}
PARTS: Final = {
    "true": Part(summary=Summary.TRUE),
    "text": Part(summary=Summary.TEXT),
    "data": Part(summary=Summary.DATA),
    "elements": Part(elements=frozenset({"identifier", "note"})),
}


def request() -> dict[str, Any]:
    tree = service_request()
    tree["id"] = "11111111-1111-4111-8111-111111111111"
    tree["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml">A request</div>',
    }
    tree["doNotPerform"] = False
    tree["note"] = [{"text": "A note"}]
    tree["_authoredOn"] = {"id": "when"}
    tree["extension"] = [{"url": "https://x.example/a", "valueString": "a"}]
    return tree


def keys(part: Part, tree: dict[str, Any] | None = None) -> set[str]:
    return set(part_of(tree or request(), part))


def test_the_whole_is_handed_on_untouched() -> None:
    tree = request()
    assert part_of(tree, Part()) is tree


@pytest.mark.parametrize("name", PARTS)
def test_the_input_is_never_changed_and_the_part_is_tagged(name: str) -> None:
    tree = request()
    before = copy.deepcopy(tree)
    part: Any = part_of(tree, PARTS[name])
    assert tree == before
    assert part["meta"]["tag"] == [SUBSETTED]


def test_tags_that_are_there_stay() -> None:
    tree = request() | {"meta": {"versionId": "1", "tag": [{"code": "mine"}]}}
    part: Any = part_of(tree, PARTS["data"])
    assert part["meta"] == {"versionId": "1", "tag": [{"code": "mine"}, SUBSETTED]}
    assert part_of(part, PARTS["data"]) == part


def test_elements_keep_what_is_asked_what_is_needed_and_what_changes_the_meaning() -> None:
    assert keys(PARTS["elements"]) == {
        "resourceType", "id", "meta", "identifier", "note", "status", "intent", "subject",
        "doNotPerform", "contained",
    }  # fmt: skip


def test_elements_may_name_their_type_and_reach_a_choice_and_its_companion() -> None:
    tree = request() | {"occurrenceDateTime": "2026-11-01", "_occurrenceDateTime": {"id": "o"}}
    asked = Part(elements=frozenset({"ServiceRequest.authoredOn", "occurrence", "Task.note"}))
    found = keys(asked, tree)
    assert {"authoredOn", "_authoredOn", "occurrenceDateTime"} <= found
    assert "note" not in found


def test_a_text_is_the_narrative_and_what_is_needed() -> None:
    assert keys(PARTS["text"]) == {
        "resourceType", "id", "meta", "text", "status", "intent", "subject", "contained",
    }  # fmt: skip


def test_data_is_all_but_the_narrative() -> None:
    assert keys(PARTS["data"]) == (set(request()) | {"meta"}) - {"text"}


def test_a_summary_is_what_the_definitions_say() -> None:
    found = keys(PARTS["true"])
    assert {"identifier", "status", "code", "requester", "authoredOn", "_authoredOn"} <= found
    assert not {"text", "note", "extension", "reasonText"} & found


def test_a_summary_leaves_out_further_down() -> None:
    letter: JsonObject = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [
            {"attachment": {"contentType": "text/plain", "data": "YQ==", "extension": []}},
            {"attachment": {"data": "YQ=="}},
        ],
    }
    part: Any = part_of(letter, PARTS["true"])
    assert part["content"] == [
        {"attachment": {"contentType": "text/plain"}},
        {"attachment": {"data": "YQ=="}},  # nothing else of it is left, and it is needed
    ]


def test_contained_resources_stay_as_long_as_something_leads_to_them() -> None:
    tree = request()
    tree["contained"].append({"resourceType": "Device", "id": "unused"})
    tree["contained"][0]["generalPractitioner"] = [{"reference": "#practice"}]
    tree["contained"].append({"resourceType": "Organization", "id": "practice", "name": "A"})
    part: Any = part_of(tree, PARTS["elements"])
    assert [each["id"] for each in part["contained"]] == ["patient", "practice"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", [*GOOD, "service_request", "bars_message"])
def test_a_part_breaks_no_rule_but_those_about_several_elements(name: str, part: str) -> None:
    makers = {"service_request": request, "bars_message": bars_message}
    tree = makers[name]() if name in makers else good(name)
    shown = part_of(tree, PARTS[part])
    faults = [f for f in validate(shown) if f.severity is Severity.ERROR]
    if shown["resourceType"] == "Bundle":
        faults = [f for f in faults if f.code is not IssueCode.INVARIANT]
    assert faults == []


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "link": [{"relation": "self", "url": "https://x.example"}],
        "entry": [{"fullUrl": "urn:a", "resource": each} for each in resources],
    }


def test_in_a_bundle_each_resource_is_narrowed_and_the_bundle_is_not() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x"}]}
    tree = bundle(request(), outcome) | {"extra": "kept"}
    part: Any = part_of(tree, PARTS["text"])
    first, second = part["entry"]
    assert set(first["resource"]) == keys(PARTS["text"])
    assert first["fullUrl"] == "urn:a"
    assert second["resource"] == outcome
    assert {key: part[key] for key in part if key != "entry"} == {
        key: tree[key] for key in tree if key != "entry"
    }


def test_a_count_has_a_total_and_no_entry() -> None:
    part = part_of(bundle(request(), request()), Part(summary=Summary.COUNT))
    assert (part["total"], "entry" in part) == (2, False)


def test_an_error_is_always_whole() -> None:
    outcome: dict[str, Any] = {"resourceType": "OperationOutcome", "issue": []}
    assert part_of(outcome, PARTS["true"]) is outcome
