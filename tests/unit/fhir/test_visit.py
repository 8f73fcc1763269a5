"""Every object of a type is found, wherever it stands, and its place is exact."""

import pytest

from gateway.fhir.visit import MAX_DEPTH, visit
from gateway.referral.json import Json, JsonObject
from tests.unit.fhir.vectors import GOOD, good

OWN = "https://x.example"


def places(tree: JsonObject, *kinds: str) -> list[tuple[str, str]]:
    return [(each.path, each.name) for each in visit(tree, kinds)]


def an_extension(**value: Json) -> JsonObject:
    return {"url": OWN, **value}


def test_a_choice_is_named_as_fhirpath_names_it() -> None:
    tree: JsonObject = {
        "resourceType": "Flag",
        "extension": [an_extension(valueReference={"reference": "#a"})],
    }
    assert places(tree, "Reference") == [("Flag.extension[0].value", "valueReference")]


def test_what_stands_beside_a_primitive_is_found() -> None:
    inner = an_extension(valueIdentifier={"value": "1"})
    tree: JsonObject = {
        "resourceType": "Patient",
        "_birthDate": {"extension": [inner]},
        "name": [{"given": ["A", "B"], "_given": [None, {"extension": [inner]}]}],
    }
    assert places(tree, "Identifier") == [
        ("Patient.birthDate.extension[0].value", "valueIdentifier"),
        ("Patient.name[0].given[1].extension[0].value", "valueIdentifier"),
    ]


def test_resources_are_found_in_entries_and_in_what_they_contain_in_their_order() -> None:
    patient: JsonObject = {"resourceType": "Patient", "id": "p"}
    flag: JsonObject = {
        "resourceType": "Flag",
        "contained": [patient],
        "subject": {"reference": "#p"},
    }
    tree: JsonObject = {
        "resourceType": "Bundle",
        "entry": [{"fullUrl": "urn:x"}, {"resource": flag}, {"resource": patient}],
    }
    assert [path for path, _ in places(tree, "Bundle", "Patient", "Flag", "Reference")] == [
        "Bundle",
        "Bundle.entry[1].resource",
        "Bundle.entry[1].resource.contained[0]",
        "Bundle.entry[1].resource.subject",
        "Bundle.entry[2].resource",
    ]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"resourceType": "Unheard", "subject": {}},
        {"resourceType": 7},
        {
            "resourceType": "Flag",
            "code": 7,
            "subject": [{"a": 1}, 2],
            "unheard": {"reference": "#a"},
        },
        {"resourceType": "Flag", "contained": [{"subject": {}}, None, "x"]},
    ],
    ids=["empty", "unknown", "number", "wrong", "nameless"],
)
def test_a_tree_that_is_no_resource_raises_nothing(tree: JsonObject) -> None:
    assert places(tree, "Identifier") == []


def test_a_tree_deeper_than_any_message_raises_nothing() -> None:
    tree: JsonObject = an_extension(valueReference={"reference": "#deep"})
    for _ in range(5_000):
        tree = {"extension": [tree]}
    found = visit({"resourceType": "Flag", **tree}, {"Extension"})
    assert len(found) == MAX_DEPTH + 1


@pytest.mark.parametrize("name", GOOD)
def test_as_many_references_are_found_as_the_text_has(name: str) -> None:
    tree = good(name)
    nodes = [each.node for each in visit(tree, {"Reference"})]
    assert len(nodes) > 3
    texts = [str(node["reference"]) for node in nodes if "reference" in node]
    assert sorted(texts) == sorted(_references(tree))
    assert tree == good(name)


def _references(node: Json) -> list[str]:
    if isinstance(node, list):
        return [text for each in node for text in _references(each)]
    if not isinstance(node, dict):
        return []
    own = node.get("reference")
    below = [text for each in node.values() for text in _references(each)]
    return [own, *below] if isinstance(own, str) else below
