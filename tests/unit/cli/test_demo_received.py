"""The demo's own eye on what a provider got finds each way in which it can be wrong."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.cli.demo.received import differences_in
from gateway.cli.demo.samples import SAMPLES, message_of
from gateway.fhir.json_text import read_json
from gateway.referral.identifiers import REFERENCE_SYSTEM

NOW = datetime(2031, 2, 28, 12, 0, tzinfo=UTC)
Tree = dict[str, Any]


class Provider:
    """A provider's server that got a Bundle as it should be: without the labelled part."""

    def __init__(self, sent: Tree) -> None:
        entries = copy.deepcopy(sent["entry"])
        self.behind = next(e["resource"] for e in entries if "PSY" in str(e["resource"]))
        self.by_kind: dict[str, Tree] = {
            e["resource"]["resourceType"]: e["resource"]
            for e in entries
            if e["resource"] is not self.behind
        }
        places = {e["fullUrl"]: f"{e['resource']['resourceType']}/there" for e in entries}
        self.request = self.by_kind["ServiceRequest"]
        self.request["supportingInfo"] = [
            link
            for link in self.request["supportingInfo"]
            if not places[link["reference"]].startswith("Observation/")
        ]
        self.request["identifier"].append({"system": REFERENCE_SYSTEM, "value": "RG-0000-0001"})
        self.request["meta"]["security"] = [{"code": "NORDSCLCD"}, {"code": "REDACTED"}]
        del self.by_kind["Condition"]["evidence"]
        for resource in self.by_kind.values():
            resource["id"] = "there"
            self._point(resource, places)

    def _point(self, value: Any, places: dict[str, str]) -> None:
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, dict | list):
                self._point(each, places)
        if isinstance(value, dict) and str(value.get("reference")) in places:
            value["reference"] = places[value["reference"]]

    def read(self, path: str) -> Tree:
        kind, _, query = path.partition("?")
        if query:
            return {"total": int(kind in self.by_kind)}
        return self.by_kind[path.removesuffix("/there")]


@pytest.fixture
def sent() -> Tree:
    sample = next(each for each in SAMPLES if each.withholds)
    tree: Tree = read_json(message_of(sample, at=NOW).body)
    return tree


def found(sent: Tree, provider: Provider) -> list[str]:
    return list(differences_in(sent, provider.request, provider.read))


def test_nothing_is_found_where_all_but_the_labelled_part_came(sent: Tree) -> None:
    assert found(sent, Provider(sent)) == []


def the_part_came(provider: Provider) -> None:
    provider.by_kind["Observation"] = provider.behind


def a_link_was_left(provider: Provider) -> None:
    link = {"reference": "Observation/there"}
    provider.by_kind["Condition"]["evidence"] = [{"detail": [link]}]


def no_mark_was_set(provider: Provider) -> None:
    provider.request["meta"]["security"].pop()


def an_element_was_lost(provider: Provider) -> None:
    del provider.by_kind["Patient"]["telecom"]


def an_element_was_changed(provider: Provider) -> None:
    provider.by_kind["Consent"]["status"] = "inactive"


def an_element_was_added(provider: Provider) -> None:
    provider.request["note"] = [{"text": "PHQ-9 score"}]


def another_part_was_lost(provider: Provider) -> None:
    del provider.request["supportingInfo"][-1]


@pytest.mark.parametrize(
    ("spoil", "difference"),
    [
        (the_part_came, "the provider has the Observation that was to stay behind"),
        (a_link_was_left, "Condition.evidence did not come as it was sent"),
        (no_mark_was_set, "what came is not marked REDACTED"),
        (an_element_was_lost, "Patient.telecom did not come as it was sent"),
        (an_element_was_changed, "Consent.status did not come as it was sent"),
        (an_element_was_added, "ServiceRequest.note did not come as it was sent"),
        (another_part_was_lost, "ServiceRequest.supportingInfo did not come as it was sent"),
    ],
)
def test_what_is_wrong_with_what_came_is_told(
    sent: Tree, spoil: Callable[[Provider], None], difference: str
) -> None:
    provider = Provider(sent)
    spoil(provider)
    assert difference in found(sent, provider)


def test_a_part_to_which_nothing_refers_is_told_as_missing(sent: Tree) -> None:
    stray = {"resourceType": "Device", "status": "active"}
    provider = Provider(sent)
    sent["entry"].append({"fullUrl": "urn:uuid:stray", "resource": stray})
    assert found(sent, provider) == ["Device did not come"]
