"""The mapping to a BaRS message is exactly what `mappings/bars` shows, and loses nothing."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidMessageError, Severity
from gateway.fhir.examine import examine, is_error
from gateway.fhir.json_text import read_json
from gateway.mapping.bars_message import PERSON_SYSTEM, BarsMessage
from gateway.mapping.outgoing import Notice, Outgoing
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    REFERENCE_SYSTEM,
    EndpointId,
    OdsCode,
)
from gateway.referral.lifecycle import RequestStatus
from gateway.referral.model import Referral
from tests.builders.house import own_profiles
from tests.builders.messages import (
    BARS_USE_CASES,
    DOS,
    ODS,
    OH_SERVICE,
    PHARMACY_SERVICE,
    bars_message,
    consent,
    implied_consent,
)
from tests.builders.rows import a_delivery, a_referral
from tests.conformance.mutations import spots

FOLDER = Path(__file__).parents[3] / "mappings" / "bars"
EXAMPLES = ["form", "letter", "message"]
WRITER = BarsMessage(own_profiles(), by=OdsCode("XGW01"))
NOTICE = Notice(duties=("REDACT",), policy_version="abc", by=OdsCode("XGW01"))
RECALL = replace(a_delivery(), reason="CANCELLED_BY_SENDER")
ENVELOPE = {"transaction"}
Tree = Any


def to(**parameters: str | None) -> Endpoint:
    known = {
        "target_identifier": f"{DOS}|{OH_SERVICE}",
        "source_identifier": f"{DOS}|9000000777",
    } | parameters
    return Endpoint(
        id=EndpointId("oh"), transport=Transport.BARS, format=Format.BARS_MESSAGE,
        address="https://oh.example/FHIR/R4", ca_file=None,
        parameters={name: value for name, value in known.items() if value is not None},
    )  # fmt: skip


OH = to()


def example(side: str, name: str) -> Tree:
    return read_json((FOLDER / side / f"{name}.json").read_bytes())


def outgoing(tree: Tree, notice: Notice | None = None) -> Outgoing:
    return Outgoing(tree=read_json(json.dumps(tree, default=str).encode()), notice=notice)


def made(
    tree: Tree, endpoint: Endpoint = OH, *, notice: Notice | None = None, of: Referral | None = None
) -> Tree:
    body = WRITER.write(outgoing(tree, notice), of or a_referral(), a_delivery(), endpoint)
    return json.loads(body)


def of_type(tree: Tree, kind: str) -> list[Tree]:
    return [e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == kind]


def faults_of(tree: Tree, endpoint: Endpoint = OH, of: Referral | None = None) -> list[str]:
    with pytest.raises(InvalidMessageError) as caught:
        made(tree, endpoint, of=of)
    return [fault.diagnostics for fault in caught.value.faults]


def links(tree: Tree) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name in ("reference", "url") and isinstance(value, str):
                yield value
            yield from links(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from links(value)


def leaves(tree: Tree) -> Iterator[str]:
    """Every text of a tree that says something: no link, no name of a part."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name not in ("reference", "id", "fullUrl", "request", "url", "lastUpdated"):
                yield from leaves(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value)
    else:
        yield str(tree)


def said(tree: Tree) -> Tree:
    """What a sender says, without the header of its message, which ours replaces."""
    if tree["resourceType"] != "Bundle":
        return tree
    resources = [entry["resource"] for entry in tree["entry"]]
    return [each for each in resources if each["resourceType"] != "MessageHeader"]


# The examples.


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_maps_exactly(name: str) -> None:
    assert made(example("in", name)) == json.loads((FOLDER / "out" / f"{name}.json").read_bytes())


def test_the_example_of_a_recall_is_exact() -> None:
    body = WRITER.write_recall(a_referral(), RECALL, OH)
    assert json.loads(body) == json.loads((FOLDER / "recall.json").read_bytes())


def test_there_is_an_answer_for_each_example_and_nothing_else() -> None:
    for side in ("in", "out"):
        assert sorted(path.stem for path in (FOLDER / side).iterdir()) == EXAMPLES


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.json")), ids=lambda path: path.stem)
def test_our_own_door_finds_nothing_wrong_in_an_example(path: Path) -> None:
    found = examine(read_json(path.read_bytes()), own_profiles())
    assert [f for f in found if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_are_the_same_at_every_attempt_and_the_message_is_untouched(name: str) -> None:
    message, before = outgoing(example("in", name)), outgoing(example("in", name))
    later = replace(
        a_delivery(7), lease_owner="other", may_have_arrived=True, reason="BUSY", version=12
    )
    assert WRITER.write(message, a_referral(), a_delivery(), OH) == WRITER.write(
        message, a_referral(), later, OH
    )
    assert message == before


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_that_the_sender_said_is_lost(name: str) -> None:
    left = set(leaves(made(example("in", name))))
    assert set(leaves(said(example("in", name)))) - left - ENVELOPE == set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_whatever_the_door_takes_is_written_whole_or_held(name: str) -> None:
    outcomes = {"written": 0, "held": 0}
    places = len([*spots(example("in", name))])
    for place in range(places):
        tree = example("in", name)
        node, key = [*spots(tree)][place]
        del node[key]
        if any(is_error(fault) for fault in examine(tree, own_profiles())):
            continue
        try:
            left = set(leaves(made(tree)))
        except InvalidMessageError:
            outcomes["held"] += 1
            continue
        assert set(leaves(said(tree))) - left - ENVELOPE == set()
        outcomes["written"] += 1
    assert outcomes["written"] > 10


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_link_inside_the_message_leads_to_an_entry(name: str) -> None:
    tree = made(example("in", name))
    names = {entry["fullUrl"] for entry in tree["entry"]}
    inside = {link for link in links(tree) if link.startswith(("urn:uuid:", "#"))}
    assert inside <= names
    assert len(inside) > 5


# What a message of the BaRS door keeps, and what is ours.


def test_a_messages_own_stamps_and_names_of_its_kind_are_kept() -> None:
    sent = bars_message()
    sent["meta"]["versionId"] = "1.1.0"
    sent["entry"][0]["resource"]["definition"] = (
        "https://fhir.nhs.uk/MessageDefinition/bars-message-servicerequest-request-referral"
    )
    tree = made(sent)
    assert (tree["timestamp"], tree["meta"]["lastUpdated"]) == (sent["timestamp"],) * 2
    assert tree["meta"]["versionId"] == "1.1.0"
    header, before = tree["entry"][0]["resource"], sent["entry"][0]["resource"]
    assert header["definition"] == before["definition"]
    assert header["source"]["endpoint"] == f"{DOS}|9000000777"
    (encounter,) = of_type(tree, "Encounter")
    assert encounter["episodeOfCare"] == of_type(sent, "Encounter")[0]["episodeOfCare"]


def test_a_message_of_the_bars_door_gets_no_provenance_where_nothing_was_written_for_it() -> None:
    assert of_type(made(bars_message()), "Provenance") == []


def test_the_bundles_identifier_and_labels_go_along() -> None:
    sent = bars_message()
    sent["identifier"] = {"system": "https://gp.example/message", "value": "m-1"}
    sent["meta"]["security"] = [{"system": "https://gp.example/label", "code": "X"}]
    tree = made(sent)
    assert tree["identifier"] == sent["identifier"]
    assert tree["meta"]["security"] == sent["meta"]["security"]


def test_the_far_ends_versions_win_over_the_senders() -> None:
    tree = made(bars_message(), to(application_version="1.3.0"))
    assert tree["meta"]["versionId"] == "1.3.0"


def test_the_recall_is_of_the_same_bundle_and_request_as_the_referral() -> None:
    referral = made(bars_message())
    recall = json.loads(WRITER.write_recall(a_referral(), RECALL, OH))
    assert recall["id"] == referral["id"]
    assert recall["entry"][1]["fullUrl"] == referral["entry"][1]["fullUrl"]
    (patient,), (known,) = of_type(recall, "Patient"), of_type(referral, "Patient")
    assert patient["identifier"] == [known["identifier"][-1]]
    assert patient["identifier"][0]["system"] == PERSON_SYSTEM
    (request,) = of_type(recall, "ServiceRequest")
    assert request["identifier"] == [of_type(referral, "ServiceRequest")[0]["identifier"][-1]]
    assert request["identifier"][0]["system"] == REFERENCE_SYSTEM


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (RequestStatus.ENTERED_IN_ERROR, "entered-in-error"),
        (RequestStatus.REVOKED, "revoked"),
        (RequestStatus.ACTIVE, "revoked"),
    ],
)
def test_a_recall_says_how_the_sender_took_it_back(status: RequestStatus, told: str) -> None:
    body = WRITER.write_recall(replace(a_referral(), status=status), RECALL, OH)
    assert of_type(json.loads(body), "ServiceRequest")[0]["status"] == told


# Who it is for.


def test_the_first_performer_is_the_service_that_the_far_end_knows() -> None:
    tree = made(bars_message(service="9000000005"))
    (request,) = of_type(tree, "ServiceRequest")
    (service,) = [
        e
        for e in tree["entry"]
        if e["resource"].get("identifier", [{}])[0].get("value") == OH_SERVICE
    ]
    assert request["performer"] == [{"reference": service["fullUrl"]}]
    assert len(of_type(tree, "HealthcareService")) == 2


def test_a_performer_that_is_the_provider_itself_stays_beside_the_service() -> None:
    sent = example("in", "form")
    provider = {"identifier": {"system": ODS, "value": "RX901"}}
    sent["performer"] = [provider]
    request = of_type(made(sent), "ServiceRequest")[0]
    assert request["performer"][1:] == [provider]


def test_a_reference_that_leads_right_is_left_as_it_was_written() -> None:
    sent = bars_message()
    request = of_type(sent, "ServiceRequest")[0]
    request["performer"][0]["display"] = "The service"
    request["basedOn"].append({"reference": "https://gp.example/CarePlan/1"})
    request["basedOn"][0]["display"] = "The plan"
    tree = of_type(made(sent), "ServiceRequest")[0]
    assert [each.get("display") for each in tree["performer"]] == ["The service"]
    assert [each.get("display") for each in tree["basedOn"]] == ["The plan", None]


def test_a_plan_elsewhere_comes_after_the_one_of_the_message() -> None:
    sent = example("in", "form")
    sent["basedOn"] = [{"reference": "https://gp.example/CarePlan/1"}]
    tree = made(sent)
    based = of_type(tree, "ServiceRequest")[0]["basedOn"]
    assert based[1:] == sent["basedOn"]
    assert based[0]["reference"].startswith("urn:uuid:")


def test_another_spelling_of_the_service_id_is_the_same_service() -> None:
    sent = bars_message()
    service = of_type(sent, "HealthcareService")[0]
    service["identifier"][0]["system"] = "http://fhir.nhs.uk/id/dos-service-id"
    assert len(of_type(made(sent), "HealthcareService")) == 1


@pytest.mark.parametrize("name", ["target_identifier", "source_identifier"])
@pytest.mark.parametrize("text", [None, "9000000001", "|9000000001", f"{DOS}|"])
def test_an_endpoint_without_its_names_is_told_which_parameter(name: str, text: str | None) -> None:
    endpoint = to(**{name: text})
    assert [name in each for each in faults_of(bars_message(), endpoint)] == [True]
    with pytest.raises(InvalidMessageError):
        WRITER.write_recall(a_referral(), RECALL, endpoint)


# What BaRS asks for and a plain request says otherwise.


def test_an_order_is_a_plan_and_says_what_it_was() -> None:
    request = of_type(made(example("in", "form")), "ServiceRequest")[0]
    assert request["intent"] == "plan"
    assert request["meta"]["tag"] == [
        {"system": "http://hl7.org/fhir/request-intent", "code": "order"}
    ]


def test_what_is_written_on_the_senders_behalf_says_by_whom() -> None:
    tree = made(example("in", "form"))
    (provenance,) = of_type(tree, "Provenance")
    by_url = {e["fullUrl"]: e["resource"]["resourceType"] for e in tree["entry"]}
    targets = [by_url[each["reference"]] for each in provenance["target"]]
    assert sorted(targets) == ["CarePlan", "Encounter", "ServiceRequest"]
    assert provenance["agent"][0]["who"]["identifier"]["value"] == "XGW01"


def test_a_plan_repeats_the_reasons_and_no_more() -> None:
    sent = example("in", "form")
    (plan,) = of_type(made(sent), "CarePlan")
    assert plan["activity"] == [{"outcomeCodeableConcept": sent["reasonCode"]}]
    assert len(plan["addresses"]) == 1
    assert plan["period"] == {"start": sent["authoredOn"]}
    del sent["reasonCode"], sent["reasonReference"]
    sent["contained"] = [c for c in sent["contained"] if c["resourceType"] != "Condition"]
    (bare,) = of_type(made(sent), "CarePlan")
    assert not {"activity", "addresses"} & bare.keys()


def test_a_practitioner_who_asks_for_the_practice_has_a_role_there() -> None:
    tree = made(example("in", "letter"))
    (role,) = of_type(tree, "PractitionerRole")
    request = of_type(tree, "ServiceRequest")[0]
    assert role["practitioner"]["reference"] == request["requester"]["reference"]


def test_a_moment_is_a_period_of_that_moment() -> None:
    request = of_type(made(example("in", "form")), "ServiceRequest")[0]
    assert request["occurrencePeriod"] == {"start": "2026-11-08", "end": "2026-11-08"}
    assert "occurrenceDateTime" not in request


@pytest.mark.parametrize("kind", ["Practitioner", "Consent", "PractitionerRole"])
def test_what_nobody_said_is_not_made_up(kind: str) -> None:
    sent = example("in", "form")
    sent["contained"] = [c for c in sent["contained"] if c["resourceType"] != kind]
    match kind:
        case "Practitioner":
            del next(c for c in sent["contained"] if c["id"] == "gp-role")["practitioner"]
        case "Consent":
            del sent["supportingInfo"]
        case _:
            sent["requester"] = {"identifier": {"system": ODS, "value": "G99001"}}
    assert any(f"or more {kind};" in each for each in faults_of(sent))


def test_a_referral_without_a_date_is_not_dated() -> None:
    sent = example("in", "form")
    del sent["authoredOn"]
    assert any("authoredOn" in each for each in faults_of(sent))


def test_a_time_that_repeats_has_no_place_in_bars() -> None:
    sent = example("in", "form")
    del sent["occurrenceDateTime"]
    sent["occurrenceTiming"] = {"event": ["2026-11-08"]}
    assert faults_of(sent)


def test_a_plan_that_is_not_complete_is_not_called_so() -> None:
    sent = bars_message()
    of_type(sent, "CarePlan")[0]["status"] = "active"
    assert any("CarePlan" in each for each in faults_of(sent))


# The one category.


def test_a_category_keeps_the_senders_codings() -> None:
    sent = example("in", "form")
    own = {"system": "http://snomed.info/sct", "code": "103696004"}
    sent["category"] = [{"coding": [own], "text": "For advice"}]
    (category,) = of_type(made(sent), "ServiceRequest")[0]["category"]
    assert [c["code"] for c in category["coding"]] == ["referral", "oh-referral", "103696004"]
    assert category["text"] == "For advice"


def test_several_categories_are_not_made_one() -> None:
    sent = example("in", "form")
    sent["category"] = [{"text": "one"}, {"text": "two"}]
    assert any("one category" in each for each in faults_of(sent))


def test_the_use_case_is_the_senders_then_the_endpoints_then_the_purposes() -> None:
    pharmacy = bars_message(
        service=PHARMACY_SERVICE, use_case=(BARS_USE_CASES, "a5t1"), consents=[implied_consent()]
    )
    endpoint = to(use_case=f"{BARS_USE_CASE_SYSTEM}|a5t2")
    form = example("in", "form")

    def use_case(tree: Tree) -> str:
        code: str = of_type(tree, "ServiceRequest")[0]["category"][0]["coding"][1]["code"]
        return code

    assert use_case(made(pharmacy, endpoint)) == "a5t1"
    assert use_case(made(form, endpoint)) == "a5t2"
    assert use_case(made(form)) == "oh-referral"
    assert made(form)["entry"][0]["resource"]["definition"].endswith("/oh-referral-request")
    assert made(form, endpoint)["entry"][0]["resource"]["definition"].endswith("-request-referral")


def test_a_referral_whose_use_case_nobody_knows_is_not_given_one() -> None:
    direct = a_referral("direct-care")
    assert any("use_case" in each for each in faults_of(example("in", "form"), of=direct))


def test_a_recall_whose_use_case_nobody_knows_names_its_purpose() -> None:
    body = WRITER.write_recall(a_referral("direct-care"), RECALL, OH)
    codings = of_type(json.loads(body), "ServiceRequest")[0]["category"][0]["coding"]
    assert [each["code"] for each in codings] == ["referral", "direct-care"]


# Marks.


def test_what_was_taken_out_openly_is_marked_and_explained() -> None:
    tree = made(bars_message(), notice=NOTICE)
    request = of_type(tree, "ServiceRequest")[0]
    assert [each["code"] for each in request["meta"]["security"]][-1] == "REDACTED"
    assert [each["code"] for each in tree["meta"]["security"]] == ["REDACTED"]
    (provenance,) = of_type(tree, "Provenance")
    assert provenance["policy"] == list(NOTICE.policies)
    assert provenance["target"] == [{"reference": tree["entry"][1]["fullUrl"]}]


def test_a_minimum_is_explained_and_not_called_redacted() -> None:
    tree = made(bars_message(), notice=replace(NOTICE, duties=("MINEC",)))
    assert "REDACTED" not in json.dumps(tree)
    assert len(of_type(tree, "Provenance")) == 1


def test_no_resource_has_an_id_of_the_senders() -> None:
    sent = bars_message(consents=[consent(), consent()])
    sent["entry"][4]["resource"]["id"] = "condition-1"
    sent["entry"][3]["resource"]["addresses"] = [{"reference": "Condition/condition-1"}]
    tree = made(sent)
    assert not [e for e in tree["entry"] if "id" in e["resource"]]
    (plan,) = of_type(tree, "CarePlan")
    assert plan["addresses"][0]["reference"].startswith("urn:uuid:")


def test_the_builders_message_is_left_as_it_was() -> None:
    sent = bars_message()
    before = copy.deepcopy(sent)
    made(sent)
    assert sent == before
