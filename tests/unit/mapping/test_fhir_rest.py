"""The mapping to a FHIR transaction is exactly what `mappings/fhir-rest` shows."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Severity
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.validate import validate
from gateway.mapping.fhir_rest import transaction_for
from gateway.mapping.outgoing import Outgoing
from tests.builders.rows import a_delivery, a_referral

FOLDER = Path(__file__).parents[3] / "mappings" / "fhir-rest"
EXAMPLES = ["form", "letter", "message"]


def example(side: str, name: str) -> Any:
    return read_json((FOLDER / side / f"{name}.json").read_bytes())


def links(tree: Any) -> Iterator[str]:
    """Every urn:uuid that stands anywhere in a tree as a link."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("reference", "url") and isinstance(value, str):
                yield value
            yield from links(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from links(value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_maps_exactly(name: str) -> None:
    assert transaction_for(
        Outgoing(tree=example("in", name)), a_referral(), a_delivery()
    ) == example("out", name)


def test_there_is_an_answer_for_each_example_and_nothing_else() -> None:
    for side in ("in", "out"):
        assert sorted(path.stem for path in (FOLDER / side).iterdir()) == EXAMPLES


@pytest.mark.parametrize("side", ["in", "out"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_valid(side: str, name: str) -> None:
    assert [f for f in validate(example(side, name)) if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_are_the_same_at_every_attempt(name: str) -> None:
    first, third = (
        write_json(
            transaction_for(Outgoing(tree=example("in", name)), a_referral(), a_delivery(attempts))
        )
        for attempts in (1, 3)
    )
    assert first == third


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_message_itself_is_left_untouched(name: str) -> None:
    message = example("in", name)
    before = copy.deepcopy(message)
    transaction_for(Outgoing(tree=message), a_referral(), a_delivery())
    assert message == before


@pytest.mark.parametrize("name", ["letter", "message"])
def test_every_link_inside_the_transaction_leads_to_an_entry(name: str) -> None:
    mapped = transaction_for(Outgoing(tree=example("in", name)), a_referral(), a_delivery())
    names = {entry["fullUrl"] for entry in json.loads(write_json(mapped))["entry"]}
    inside = {link for link in links(mapped) if link.startswith("urn:uuid:")}
    assert inside <= names
    assert len(inside) > 1


def test_a_letter_in_a_binary_is_still_found_by_its_document() -> None:
    # Only references were renamed, so the attachment led nowhere.
    mapped: Any = transaction_for(
        Outgoing(tree=example("in", "letter")), a_referral(), a_delivery()
    )
    by_kind = {e["resource"]["resourceType"]: e for e in mapped["entry"]}
    document, binary = by_kind["DocumentReference"], by_kind["Binary"]
    assert document["resource"]["content"][0]["attachment"]["url"] == binary["fullUrl"]


def test_each_address_in_a_list_of_them_is_renamed_with_its_part() -> None:
    message = example("in", "letter")
    request = next(e for e in message["entry"] if e["resource"]["resourceType"] == "ServiceRequest")
    request["resource"]["instantiatesUri"] = [request["fullUrl"], "https://x.example/kept"]
    mapped: Any = transaction_for(Outgoing(tree=message), a_referral(), a_delivery())
    sent = mapped["entry"][1]
    assert sent["resource"]["instantiatesUri"] == [sent["fullUrl"], "https://x.example/kept"]


def test_the_envelope_of_a_message_is_not_forwarded() -> None:
    mapped: Any = transaction_for(
        Outgoing(tree=example("in", "message")), a_referral(), a_delivery()
    )
    kinds = [e["resource"]["resourceType"] for e in mapped["entry"]]
    assert kinds[:2] == ["Task", "ServiceRequest"]
    assert "MessageHeader" not in kinds


def test_direct_care_carries_no_label() -> None:
    mapped: Any = transaction_for(
        Outgoing(tree=example("in", "form")), a_referral("direct-care"), a_delivery()
    )
    assert "meta" not in mapped["entry"][1]["resource"]


def test_labels_join_those_that_the_sender_set() -> None:
    message = example("in", "form")
    message["meta"] = {"security": [{"system": "https://x.example", "code": "R"}]}
    mapped: Any = transaction_for(Outgoing(tree=message), a_referral(), a_delivery())
    assert len(mapped["entry"][1]["resource"]["meta"]["security"]) == 3
