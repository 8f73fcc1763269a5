"""Definitions for anyone to read, and which messages a service takes for a use case."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.json_text import read_json
from gateway.fhir.profiles.load import load_profiles
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml
from tests.builders.embedded import embedded_house
from tests.builders.house import House
from tests.builders.messages import BARS_USE_CASES, DOS, OH_SERVICE, OWN, PHARMACY_SERVICE

BASE = "/FHIR/R4"
PROFILES = Path(__file__).parents[3] / "fhir_profiles"
OWN_USE_CASES = f"{OWN}/CodeSystem/use-case"
BARS = "bars-message-servicerequest-request"
KINDS = ["StructureDefinition", "ValueSet", "CodeSystem", "OperationDefinition"]


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles(PROFILES)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        yield house


def searched(door: House, path: str, **query: Any) -> Any:
    """Search as one who may send; every answer is valid FHIR."""
    answer = door.get(path, **query)
    assert [f for f in validate(read_json(answer.data)) if f.severity != "information"] == []
    return answer


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200
    found = answer.get_json()
    assert found["total"] == len(found.get("entry", []))
    return sorted(each["resource"]["id"] for each in found.get("entry", []))


def issues(answer: Any) -> tuple[int, list[str]]:
    return answer.status_code, [issue["code"] for issue in answer.get_json()["issue"]]


@pytest.mark.parametrize("kind", [*KINDS, "MessageDefinition"])
def test_anyone_may_read_a_definition_exactly_as_its_file_says(
    door: House, profiles: Profiles, kind: str
) -> None:
    held = {own: tree for (type_, own), tree in profiles.documents_by_id.items() if type_ == kind}
    assert held
    for own, tree in held.items():
        answer = door.web.get(f"{BASE}/{kind}/{own}")
        assert (answer.status_code, read_json(answer.data)) == (200, tree)


@pytest.mark.parametrize("kind", [*KINDS, "MessageDefinition"])
def test_a_definition_is_the_same_in_xml(door: House, profiles: Profiles, kind: str) -> None:
    for (type_, own), tree in profiles.documents_by_id.items():
        if type_ == kind:
            path = f"{BASE}/{kind}/{own}"
            answer = door.web.get(path, headers={"Accept": "application/fhir+xml"})
            assert (answer.status_code, read_xml(answer.data)) == (200, tree)


@pytest.mark.parametrize("kind", KINDS)
def test_anyone_may_list_and_search_the_definitions(
    door: House, profiles: Profiles, kind: str
) -> None:
    held = {own: tree for (type_, own), tree in profiles.documents_by_id.items() if type_ == kind}
    assert ids(searched(door, f"/{kind}")) == sorted(held)
    own, tree = next(iter(held.items()))
    beginning = str(tree["name"])[:-1].swapcase()
    for query in ({"_id": own}, {"url": tree["url"]}, {"name": beginning, "_id": own}):
        assert ids(searched(door, f"/{kind}", **query)) == [own], query
    assert ids(searched(door, f"/{kind}", _id=f"{own},no-such-id")) == [own]
    assert ids(searched(door, f"/{kind}", url=f"{tree['url']}-no")) == []
    assert ids(searched(door, f"/{kind}", name=f"x{tree['name']}")) == []


@pytest.mark.parametrize("path", ["/StructureDefinition/no-such", "/ValueSet/oh-referral"])
def test_what_is_not_held_is_not_found(door: House, path: str) -> None:
    assert issues(searched(door, path)) == (404, ["not-found"])


def test_a_parameter_that_is_not_known_is_refused(door: House) -> None:
    answer = searched(door, "/StructureDefinition", publisher="anyone")
    assert issues(answer) == (400, ["not-supported"])


def definitions(door: House, *context: str, **more: str) -> Any:
    return searched(door, "/MessageDefinition", context=list(context), **more)


OWN_AND_BARS = [f"{BARS}-cancelled", f"{BARS}-referral", "oh-referral-request"]
BARS_ONLY = [f"{BARS}-cancelled", f"{BARS}-referral"]


@pytest.mark.parametrize(
    ("context", "found"),
    [
        ([f"{DOS}|{OH_SERVICE}", f"{OWN_USE_CASES}|oh-referral"], OWN_AND_BARS),
        ([f"{OWN_USE_CASES}|oh-referral", f"{DOS}|{OH_SERVICE}"], OWN_AND_BARS),
        ([OH_SERVICE, "oh-referral"], OWN_AND_BARS),
        ([f"{DOS}|{OH_SERVICE}"], OWN_AND_BARS),
        ([OH_SERVICE], OWN_AND_BARS),
        (
            [f"{DOS.replace('https', 'http')}|{OH_SERVICE}", f"{OWN_USE_CASES}|oh-referral"],
            OWN_AND_BARS,
        ),
        ([f"{DOS}|{PHARMACY_SERVICE}", f"{BARS_USE_CASES}|a5t1"], BARS_ONLY),
        ([f"{DOS}|{PHARMACY_SERVICE}", f"{BARS_USE_CASES}|A5T1"], BARS_ONLY),
        ([PHARMACY_SERVICE, "a5t1"], BARS_ONLY),
    ],
)
def test_a_sender_learns_which_messages_a_service_takes_for_a_use_case(
    door: House, context: list[str], found: list[str]
) -> None:
    answer = definitions(door, *context)
    assert ids(answer) == found


def test_the_answer_names_the_service_and_the_use_case(door: House) -> None:
    answer = definitions(door, PHARMACY_SERVICE, f"{BARS_USE_CASES}|a5t1").get_json()
    for entry in answer["entry"]:
        contexts = entry["resource"]["useContext"]
        assert {c["code"]["code"] for c in contexts} == {"workflow"}
        assert [c["valueCodeableConcept"]["coding"] for c in contexts] == [
            [{"system": DOS, "code": PHARMACY_SERVICE}],
            [{"system": BARS_USE_CASES, "code": "a5t1"}],
        ]
    own = entry["resource"]["id"]
    assert entry["fullUrl"].endswith(f"{BASE}/MessageDefinition/{own}")
    assert "useContext" not in door.web.get(f"{BASE}/MessageDefinition/{own}").get_json()


@pytest.mark.parametrize(
    "context",
    [
        [f"{DOS}|9000000042", f"{OWN_USE_CASES}|oh-referral"],
        [f"{DOS}|{OH_SERVICE}", f"{BARS_USE_CASES}|a5t1"],
        [f"{DOS}|{OH_SERVICE}", f"{OWN_USE_CASES}|work-health-referral"],
        [f"{DOS}|{OH_SERVICE}", f"{BARS_USE_CASES}|oh-referral"],
        [f"{DOS}|{OH_SERVICE}", f"{DOS}|{PHARMACY_SERVICE}"],
        [f"{DOS}|not a service id", "oh-referral"],
        [f"https://gp-system.example/Id/service|{OH_SERVICE}", "oh-referral"],
        ["oh-referral"],
        ["9000000042"],
    ],
)
def test_a_context_that_nobody_serves_is_not_found(door: House, context: list[str]) -> None:
    assert issues(definitions(door, *context)) == (404, ["not-found"])


@pytest.mark.parametrize("context", [[], [f"{OWN_USE_CASES}|oh-referral"]])
def test_a_search_that_names_no_service_is_told_what_is_required(
    door: House, context: list[str]
) -> None:
    assert issues(definitions(door, *context)) == (400, ["required"])


@pytest.mark.parametrize("context", ["", f"{DOS}|", f"|{OH_SERVICE}"])
def test_a_context_without_its_parts_is_malformed(door: House, context: str) -> None:
    assert issues(definitions(door, context)) == (400, ["value"])


def test_the_search_can_be_narrowed(door: House) -> None:
    url = f"https://fhir.nhs.uk/MessageDefinition/{BARS}-referral"
    assert ids(definitions(door, OH_SERVICE, url=url)) == [f"{BARS}-referral"]
    assert ids(definitions(door, OH_SERVICE, _id="work-health-referral-request")) == []


def test_a_service_that_ends_takes_nothing(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        assert ids(definitions(house, PHARMACY_SERVICE, "a5t1")) == BARS_ONLY
        house.apply(services=[s for s in house.directory["services"] if s["endpoint"] == "oh"])
        house.clock.move(seconds=1)
        assert definitions(house, PHARMACY_SERVICE, "a5t1").status_code == 404


def test_which_service_takes_what_is_told_only_to_those_who_may_send(door: House) -> None:
    assert door.web.get(f"{BASE}/MessageDefinition?context={OH_SERVICE}").status_code == 401
    token = door.ask_for_token(door.assertion(), scope="system/Task.rs").get_json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    answer = door.web.get(f"{BASE}/MessageDefinition?context={OH_SERVICE}", headers=headers)
    assert answer.status_code == 403


def test_each_definition_that_the_statement_names_can_be_read(
    door: House, profiles: Profiles
) -> None:
    statement = door.web.get(f"{BASE}/metadata").get_json()
    server = next(rest for rest in statement["rest"] if rest["mode"] == "server")
    named = {
        o["definition"]
        for place in (server, *server["resource"])
        for o in place.get("operation", [])
    }
    named |= {url for r in server["resource"] for url in r.get("supportedProfile", [])}
    messages = statement["messaging"][0]["supportedMessage"]
    named |= {message["definition"] for message in messages}
    assert {m["definition"] for m in messages} == {m.url for m in profiles.messages.values()}
    for url in named:
        kind, own = url.split("/")[-2:]
        assert door.web.get(f"{BASE}/{kind}/{own}").get_json()["url"] == url
