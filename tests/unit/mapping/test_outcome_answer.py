"""What a provider is answered by MESH is what `mappings/mesh` shows, valid, and the same each time."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from gateway.errors import Fault, IssueCode
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.text import Media, read_resource
from gateway.fhir.validate import validate
from gateway.mapping.mesh import read_response
from gateway.mapping.outcome_answer import Reply, Verdict, answer_outcome, is_message, media_of
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import EndpointId, OdsCode
from gateway.referral.json import JsonObject
from tests.builders.house import own_profiles

FOLDER = Path(__file__).parents[3] / "mappings" / "mesh"
EXAMPLES = ["answer-held", "answer-refused", "answer-returned", "answer-taken"]
BY = OdsCode("XGW01")
LANE = Endpoint(
    id=EndpointId("oh"), transport=Transport.MESH, format=Format.HEALTH_AND_WORK,
    address="https://mesh.example", ca_file=None,
    parameters={
        "recipient": "OHPROV1", "workflow": "REFERRAL", "outcomes": "REFERRAL_OUTCOMES",
        "outcome_answers": "REFERRAL_OUTCOMES_ACK",
    },
)  # fmt: skip
NAME = "20261122090000000000_3573F8"
BUNDLE = "86e3371d-0000-4000-8000-000000000002"
CANARY = "9990000018"


def message(name: str) -> JsonObject:
    return {"resourceType": "Bundle", "type": "message", "id": name}


def verdict(**changed: Any) -> Verdict:
    told = operation_outcome([Fault(code=IssueCode.VALUE, diagnostics="Mend it.")], code="REC")
    base = Verdict(message=NAME, media=Media.JSON, tree={}, is_taken=False, told=told)
    return replace(base, **changed)


def answered(given: Verdict) -> Reply:
    return answer_outcome(given, LANE, by=BY)


def of_example(name: str) -> Verdict:
    given = json.loads((FOLDER / "in" / f"{name}.json").read_bytes())
    bundle, media = given.pop("bundle"), Media(given.pop("media"))
    return Verdict(tree=message(bundle) if bundle else {}, media=media, **given)


def header(reply: Reply) -> Any:
    return read_resource(reply.body)["entry"][0]["resource"]  # type: ignore[call-overload,index]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_answer_is_as_shown(name: str) -> None:
    reply = answered(of_example(name))
    assert asdict(reply.control) == json.loads((FOLDER / "out" / f"{name}.json").read_bytes())
    (shown,) = (FOLDER / "out").glob(f"{name}.message.*")
    assert reply.control.filename == f"{NAME}{shown.suffix}"
    assert read_resource(reply.body) == read_resource(shown.read_bytes().rstrip())


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_answer_is_valid_and_is_read_as_an_answer(name: str) -> None:
    given = of_example(name)
    reply = answered(given)
    tree = read_resource(reply.body)
    assert validate(tree, profiles=own_profiles()) == []
    Bundle.model_validate(tree)
    response = read_response(reply.body)
    assert response.is_positive == given.is_taken


def test_it_is_the_same_at_every_attempt_whatever_id_its_words_had() -> None:
    first, again = answered(verdict()), answered(verdict())
    assert first == again
    assert first.control.local_id == NAME


@pytest.mark.parametrize(
    "changed",
    [
        {"message": "ANOTHER"},
        {"is_taken": True},
        {"told": None},
        {"media": Media.XML},
        {"told": operation_outcome([Fault(code=IssueCode.VALUE, diagnostics="Or so.")], code="R")},
    ],
)
def test_no_other_answer_has_its_id(changed: dict[str, Any]) -> None:
    known = read_resource(answered(verdict()).body)["id"]
    assert read_resource(answered(verdict(**changed)).body)["id"] != known


@pytest.mark.parametrize(
    ("tree", "about"),
    [
        (message(BUNDLE), BUNDLE),
        (message(CANARY), NAME.replace("_", "-")),
        (message(BUNDLE) | {"type": "document"}, NAME.replace("_", "-")),
        ({"resourceType": "Task", "id": BUNDLE}, NAME.replace("_", "-")),
        ({"resourceType": "Bundle", "type": "message", "id": 7}, NAME.replace("_", "-")),
    ],
)
def test_it_names_what_it_answers_and_gives_nothing_else_back(tree: JsonObject, about: str) -> None:
    reply = answered(verdict(tree=tree))
    assert header(reply)["response"]["identifier"] == about
    assert CANARY not in reply.body.decode()


def test_where_there_is_nothing_to_say_nothing_is_said() -> None:
    reply = answered(verdict(told=None, is_taken=True))
    assert len(read_resource(reply.body)["entry"]) == 1  # type: ignore[arg-type]
    assert header(reply)["response"] == {"identifier": NAME.replace("_", "-"), "code": "ok"}


def test_no_repr_shows_what_came() -> None:
    given = verdict(tree={"resourceType": CANARY})
    assert CANARY not in repr(given)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"{}", Media.JSON),
        (b" \r\n<Bundle/>", Media.XML),
        (b"", Media.JSON),
        (b"\xff\xfe<", Media.JSON),
        (b"<not xml", Media.XML),
    ],
)
def test_the_format_is_that_in_which_it_came(body: bytes, media: Media) -> None:
    assert media_of(body) is media


def test_only_a_message_bundle_is_a_message() -> None:
    assert is_message(message(BUNDLE))
    assert not is_message({"resourceType": "Bundle", "type": "document"})
    assert not is_message({"type": "message"})
