"""MessageDefinitions: what they say, and whether a message is so."""

from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.profiles.messages import focus_faults
from gateway.fhir.profiles.model import Focus
from gateway.fhir.references import index
from gateway.referral.json import JsonObject
from tests.unit.fhir.profiles.files import R4, load, message, structure, url

ASK = message(
    "ask",
    {"code": "ServiceRequest", "min": 1, "max": "1", "profile": url("StructureDefinition", "p")},
    {"code": "Organization", "min": 2},
    {"code": "Device", "min": 0, "max": "1", "profile": R4 + "Device"},
    version="1.0.0",
)
PROFILE = structure("p", "ServiceRequest")


def bundle(*types: str) -> JsonObject:
    entries: list[Any] = [{"resource": {"resourceType": name}} for name in types]
    return {"resourceType": "Bundle", "type": "message", "entry": entries}


def test_a_rule_says_what_its_file_says(tmp_path: Path) -> None:
    profiles = load(tmp_path, ASK, PROFILE)
    rule = profiles.messages[ASK["url"]]
    assert rule is profiles.messages[ASK["url"] + "|1.0.0"]
    assert rule.event == (url("CodeSystem", "events"), "ask")
    assert rule.focus == (
        Focus(type="ServiceRequest", least=1, most=1, profile=PROFILE["url"]),
        Focus(type="Organization", least=2, most=None, profile=None),
        Focus(type="Device", least=0, most=1, profile=None),
    )
    assert rule.expected == {"ServiceRequest": (PROFILE["url"],)}


def test_an_event_may_be_a_uri(tmp_path: Path) -> None:
    tree = message("m", {"code": "Patient", "min": 1}, eventUri="https://a.example/e")
    del tree["eventCoding"]
    assert load(tmp_path, tree).messages[tree["url"]].event == ("", "https://a.example/e")


RIGHT = ("MessageHeader", "ServiceRequest", "Organization", "Organization")


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        (RIGHT, []),
        ((*RIGHT, "Device", "Patient", "Organization"), []),
        (
            ("MessageHeader", "Organization"),
            [("Bundle.entry", "required"), ("Bundle.entry", "required")],
        ),
        ((*RIGHT, "ServiceRequest"), [("Bundle.entry[4].resource", "invalid")]),
        ((*RIGHT, "Device", "Device"), [("Bundle.entry[5].resource", "invalid")]),
    ],
)
def test_a_message_is_counted_against_its_definition(
    tmp_path: Path, types: tuple[str, ...], wanted: list[tuple[str, str]]
) -> None:
    rule = load(tmp_path, ASK, PROFILE).messages[ASK["url"]]
    found = list(focus_faults(rule, index(bundle(*types))))
    assert [(each.expression, each.code.value) for each in found] == wanted
    assert all("The message ask carries" in each.diagnostics for each in found)


def test_every_file_can_be_served_as_it_was_written(tmp_path: Path) -> None:
    operation = {
        "resourceType": "OperationDefinition",
        "id": "o",
        "url": url("OperationDefinition", "o"),
        "name": "O",
        "status": "active",
        "kind": "operation",
        "code": "o",
        "system": False,
        "type": True,
        "instance": False,
    }
    profiles = load(tmp_path, ASK, PROFILE, operation)
    assert profiles.documents_by_id["OperationDefinition", "o"] == operation
    assert profiles.documents[ASK["url"] + "|1.0.0"] == ASK
    assert set(profiles.documents_by_id) == {
        ("OperationDefinition", "o"),
        ("MessageDefinition", "ask"),
        ("StructureDefinition", "p"),
    }
