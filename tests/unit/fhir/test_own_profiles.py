"""The files of fhir_profiles/: they load, they are right, and they say what the gateway does."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demo.samples import SAMPLES, Door, Ending, Sample, message_of
from gateway.consent.rules import POLICY
from gateway.errors import DestinationRefusedError, Fault, IssueCode, Phase, Severity
from gateway.fhir.examine import examine
from gateway.fhir.json_text import read_json
from gateway.fhir.profiles.load import load_profiles
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.text import read_resource
from gateway.fhir.validate import validate
from gateway.referral.directory import Purpose
from gateway.referral.identifiers import OWN_BASE, NhsNumber
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.lifecycle import CANCELLED, DeliveryState, ReferralState
from tests.builders.embedded import embedded_house
from tests.builders.evidence import the_delivery, the_referral, work
from tests.builders.messages import bars_message, consent, letter_transaction, service_request

FOLDER = Path(__file__).parents[3] / "fhir_profiles"
EXAMPLES = FOLDER / "examples"
DEFINITIONS = sorted(
    path
    for path in FOLDER.rglob("*.json")
    if not {"examples", "tools"} & set(path.relative_to(FOLDER).parts)
)
MESSAGES = "https://fhir.nhs.uk/MessageDefinition/bars-message-servicerequest-request-"

BAD: dict[str, list[tuple[IssueCode, str]]] = {
    "referral": [(IssueCode.REQUIRED, "ServiceRequest.requester")],
    "oh-referral": [(IssueCode.EXTENSION, "ServiceRequest.extension[0].extension")],
    "work-health-referral": [(IssueCode.EXTENSION, "ServiceRequest.extension[1]")],
    "bars-request": [(IssueCode.VALUE, "ServiceRequest.intent")],
    "bars-new-referral": [(IssueCode.REQUIRED, "ServiceRequest.category[0].coding")],
    "bars-oh-referral": [(IssueCode.REQUIRED, "ServiceRequest.category[0].coding")],
    "bars-work-health-referral": [(IssueCode.VALUE, "ServiceRequest.occurrence")],
    "bars-request-header": [(IssueCode.REQUIRED, "MessageHeader.destination[0].receiver")],
    "bars-new-referral-header": [(IssueCode.REQUIRED, "MessageHeader.definition")],
    "bars-bundle-message": [(IssueCode.REQUIRED, "Bundle.timestamp")],
    "patient": [(IssueCode.REQUIRED, "Patient.identifier[0].value")],
    "organization": [(IssueCode.STRUCTURE, "Organization.identifier[1]")],
    "consent-to-refer": [(IssueCode.CODE_INVALID, "Consent.provision.purpose[0]")],
    "consent-to-share": [(IssueCode.REQUIRED, "Consent.category")],
    "registered-consent": [(IssueCode.VALUE, "Consent.scope")],
    "hop": [(IssueCode.STRUCTURE, "Task.for")],
    "outcome": [(IssueCode.CODE_INVALID, "Task.status")],
    "report": [(IssueCode.REQUIRED, "DocumentReference.context")],
    "ledger-entry": [(IssueCode.VALUE, "AuditEvent.entity[0].what.identifier.system")],
}
"""What each bad example is bad in."""


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles(FOLDER)


def own(id_: str) -> str:
    return f"{OWN_BASE}/StructureDefinition/{id_}"


def tree_of(path: Path) -> JsonObject:
    return read_json(path.read_bytes())


def errors(faults: list[Fault]) -> list[tuple[IssueCode, str | None]]:
    return [(f.code, f.expression) for f in faults if f.severity is Severity.ERROR]


def codes(name: str) -> set[str | None]:
    tree = tree_of(FOLDER / "terminology" / f"CodeSystem-{name}.json")
    return {string(concept, "code") for concept in objects(tree, "concept")}


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_file_is_valid_is_named_for_what_it_holds_and_says_what_it_is(path: Path) -> None:
    tree = tree_of(path)
    kind = string(tree, "resourceType") or ""
    assert validate(tree) == []
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    assert path.name == f"{kind}-{tree['id']}.json"
    assert string(tree, "description")
    assert str(tree["url"]).endswith(f"{kind}/{tree['id']}")


def test_the_folder_loads_and_every_definition_can_be_served(profiles: Profiles) -> None:
    trees = [tree_of(path) for path in DEFINITIONS]
    assert {(t["resourceType"], t["id"]) for t in trees} == set(profiles.documents_by_id)
    assert {t["url"] for t in trees} <= set(profiles.documents)


def test_every_profile_has_a_good_example_and_a_bad_one() -> None:
    held = {path.stem.removeprefix("StructureDefinition-") for path in FOLDER.glob("profiles/*")}
    found = {path.stem for path in EXAMPLES.glob("*.json")}
    assert held == set(BAD)
    assert found == held | {f"{name}-bad" for name in held}


@pytest.mark.parametrize("name", BAD)
def test_a_good_example_has_no_fault_at_all(name: str, profiles: Profiles) -> None:
    tree = tree_of(EXAMPLES / f"{name}.json")
    assert own(name) in json.dumps(tree["meta"])
    assert validate(tree, profiles=profiles) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_example_is_told_its_fault_at_its_place(name: str, profiles: Profiles) -> None:
    tree = tree_of(EXAMPLES / f"{name}-bad.json")
    assert errors(validate(tree)) == []  # R4 itself has nothing against it
    assert errors(validate(tree, profiles=profiles)) == BAD[name]


@pytest.mark.parametrize(
    "name", ["referral", "oh-referral", "work-health-referral", "bars-bundle-message"]
)
def test_the_door_has_nothing_to_say_of_a_good_referral(name: str, profiles: Profiles) -> None:
    assert examine(tree_of(EXAMPLES / f"{name}.json"), profiles) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_nobody_in_an_example_can_be_a_real_person(path: Path) -> None:
    for number in re.findall(r"\"[0-9]{10}\"", path.read_text(encoding="utf-8")):
        if not number.startswith('"9000000'):  # a service id of the tests
            assert NhsNumber(number.strip('"')).checks
            assert number.startswith('"999')


def rest_messages() -> Iterator[Any]:
    yield pytest.param(service_request(), id="form")
    yield pytest.param(service_request(consents=[]), id="without-consent")
    yield pytest.param(letter_transaction(), id="letter")
    decent = service_request(consents=[], service=None)
    for name in ("code", "authoredOn"):
        del decent[name]
    yield pytest.param(decent, id="least")


@pytest.mark.parametrize("name", ["referral", "oh-referral", "work-health-referral"])
@pytest.mark.parametrize("tree", list(rest_messages()))
def test_a_plain_referral_of_a_gp_system_passes_at_the_rest_door(
    tree: JsonObject, name: str, profiles: Profiles
) -> None:
    expected = {
        "ServiceRequest": [own(name)], "Patient": [own("patient")],
        "Organization": [own("organization")],
    }  # fmt: skip
    assert validate(tree, profiles=profiles, expected=expected) == []


@pytest.mark.parametrize(
    ("url", "use_case"),
    [
        (f"{MESSAGES}referral", "oh-referral"),
        (f"{OWN_BASE}/MessageDefinition/oh-referral-request", "oh-referral"),
        (f"{OWN_BASE}/MessageDefinition/work-health-referral-request", "work-health-referral"),
    ],
)
def test_a_complete_bars_message_passes_its_definition(
    url: str, use_case: str, profiles: Profiles
) -> None:
    message = bars_message(use_case=(f"{OWN_BASE}/CodeSystem/use-case", use_case))
    rule = profiles.messages[url]
    assert validate(message, profiles=profiles, expected=rule.expected) == []


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if s.again is None and s.expected.ending is not Ending.NOT_TAKEN],
    ids=lambda sample: sample.name,
)
def test_a_sample_of_the_demo_passes(sample: Sample, profiles: Profiles) -> None:
    tree = read_resource(message_of(sample, at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC)).body)
    expected = {
        "ServiceRequest": [own("referral")], "Patient": [own("patient")],
        "Organization": [own("organization")],
    }  # fmt: skip
    if sample.door is Door.BARS:
        expected = {k: [*v] for k, v in profiles.messages[f"{MESSAGES}referral"].expected.items()}
    assert validate(tree, profiles=profiles, expected=expected) == []


def test_the_numbers_of_resources_are_those_that_bars_asks_for(profiles: Profiles) -> None:
    asked = {f.type: (f.least, f.most) for f in profiles.messages[f"{MESSAGES}referral"].focus}
    one, some, few = (1, 1), (1, None), (2, None)
    assert {name: count for name, count in asked.items() if count[0]} == {
        "Bundle": one, "MessageHeader": one, "ServiceRequest": one, "Patient": one,
        "Encounter": one, "CarePlan": one, "Consent": some, "Organization": few,
        "Practitioner": some, "PractitionerRole": some, "HealthcareService": some,
    }  # fmt: skip
    assert asked["Device"] == (0, 1)
    assert {f.type: (f.least, f.most) for f in profiles.messages[f"{MESSAGES}cancelled"].focus} == {
        "Bundle": one, "MessageHeader": one, "ServiceRequest": one, "Patient": one,
        "Organization": few,
    }  # fmt: skip


def with_value(tree: JsonObject, value: Any, *path: str | int) -> JsonObject:
    """Put another value at a place of a tree."""
    place: Any = tree
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return tree


WORK = "ServiceRequest.extension"
EXTENSION_FAULTS: list[tuple[str, list[str | int], Any, tuple[IssueCode, str]]] = [
    (
        "oh-referral", ["extension", 0, "extension", 0, "valueCodeableConcept"],
        {"coding": [{"system": f"{OWN_BASE}/CodeSystem/employment-status", "code": "rich"}]},
        (IssueCode.CODE_INVALID, f"{WORK}[0].extension[0].value"),
    ),
    (
        "oh-referral", ["extension", 1, "extension", 1],
        {"url": "start", "valueString": "last month"},
        (IssueCode.VALUE, f"{WORK}[1].extension[1].value"),
    ),
    (
        "oh-referral", ["extension", 3],
        {"url": own("suggested-adjustment"), "valueBoolean": True},
        (IssueCode.VALUE, f"{WORK}[3].value"),
    ),
    (
        "patient", ["contact", 0, "extension", 0],
        {
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ContactRank",
            "valueString": "first",
        },
        (IssueCode.VALUE, "Patient.contact[0].extension[0].value"),
    ),
    (
        "bars-request-header", ["extension", 0, "extension", 1],
        {"url": "RequesterCDSSsoftware", "valueString": "Another"},
        (IssueCode.EXTENSION, "MessageHeader.extension[0].extension[1]"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "value", "fault"), EXTENSION_FAULTS)
def test_an_extension_that_holds_something_else_is_told_so(
    name: str, path: list[str | int], value: Any, fault: tuple[IssueCode, str], profiles: Profiles
) -> None:
    tree = with_value(tree_of(EXAMPLES / f"{name}.json"), value, *path)
    found = errors(validate(tree, profiles=profiles))
    assert fault in found
    assert {place for _, place in found} == {fault[1]}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("UKCore-NHSNumberVerificationStatusEngland", "01"),
        ("UKCore-NHSNumberVerificationStatus", "01"),
        ("UKCore-NHSNumberVerificationStatus", "number-present-and-verified"),
    ],
)
def test_both_lists_of_verification_statuses_are_known(
    system: str, code: str, profiles: Profiles
) -> None:
    value = {"coding": [{"system": f"https://fhir.hl7.org.uk/CodeSystem/{system}", "code": code}]}
    place = ("identifier", 0, "extension", 0, "valueCodeableConcept")
    tree = with_value(tree_of(EXAMPLES / "patient.json"), value, *place)
    assert validate(tree, profiles=profiles) == []


@pytest.mark.parametrize("nested", ["RequesterCDSSSoftware", "requesterCDSSSoftware"])
def test_the_other_spellings_of_the_software_are_let_pass(nested: str, profiles: Profiles) -> None:
    tree = tree_of(EXAMPLES / "bars-request-header.json")
    place = ("extension", 0, "extension", 0, "url")
    assert errors(validate(with_value(tree, nested, *place), profiles=profiles)) == []


def test_the_code_systems_say_what_the_gateway_says() -> None:
    assert codes("purpose") == set(Purpose)
    assert codes("hop-status") == {*ReferralState, *DeliveryState}
    assert codes("use-case") == {s.service.use_case for s in SAMPLES} - {"a5t1"}
    rules = {r.code for r in (*POLICY.rules, POLICY.no_ground, POLICY.unknown)}
    attempts = {phase.value for phase in Phase} | {f"GIVEN_UP.{phase}" for phase in Phase}
    ends = {"MESSAGE_CANNOT_BE_PREPARED", "NO_WORKER_RETURNED", "SERVICE_HAS_NO_ENDPOINT"}
    ends |= {"REFUSED_BY_PROVIDER"}
    assert codes("reason") == rules | attempts | ends | {"OPERATOR_ORDER", CANCELLED}


def test_each_hop_that_is_shown_follows_its_profile(tmp_path: Path, profiles: Profiles) -> None:
    def is_a_hop(path: str) -> None:
        answer = house.get(path)
        assert answer.status_code == 200
        found = validate(read_json(answer.data), profiles=profiles, expected={"Task": [own("hop")]})
        assert found == []

    with embedded_house(tmp_path) as house:
        house.post("/ServiceRequest", service_request())
        queued = the_referral(house)
        hop = the_delivery(house)
        is_a_hop(f"/Task/{queued.id}")
        house.destination.failures.append(DestinationRefusedError("no", status=400))
        work(house)
        is_a_hop(f"/Task/{hop.id}")
        is_a_hop(f"/Task/{queued.id}")
        house.post("/ServiceRequest", service_request())
        house.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
        work(house)
        is_a_hop("/Task")
