"""Outcomes that come into our mailbox of the NHS's own sandbox: taken once, or given back."""

import base64
import hashlib
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.text import Media, write_resource
from gateway.journey.reconcile import reconcile
from gateway.journey.returned import Fate, Post, mailboxes, take_in
from gateway.journey.shared_care import INFORMAL
from gateway.mapping.outcome_terms import BARS_REASONS
from gateway.outbound.mesh import Mesh
from gateway.referral.directory import Transport
from gateway.referral.identifiers import ReferralId
from gateway.referral.lifecycle import ReferralState
from gateway.referral.outcome import Outcome, OutcomeKind
from gateway.store import outcomes
from gateway.writeback.shared_care import PROPOSAL
from tests.builders import canary
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, the_delivery, the_referral, work
from tests.builders.house import House
from tests.builders.messages import PHARMACY, PROVIDER, service_request
from tests.builders.outcomes import (
    NUMBER,
    bars_response,
    concept,
    contained_letter,
    document,
    document_reference,
    organisation,
    task,
    url,
)
from tests.builders.returning import of_employer
from tests.builders.shared_care import prescribe
from tests.contracts.parcels import line
from tests.processes.certificates import CA_FILE
from tests.processes.mesh import (
    OURS,
    STRANGER,
    THEIRS,
    UNREGISTERED,
    WORKFLOW,
    MeshServer,
    running_mesh,
)
from tests.processes.test_mailboxes import postman, says, waiting

OUTCOMES, ANSWERS = "REFERRAL_OUTCOMES", "REFERRAL_OUTCOMES_ACK"
OTHER_NUMBER = "9990000026"
Tree = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshServer]:
    with running_mesh(tmp_path_factory.mktemp("mesh")) as running:
        yield running


@pytest.fixture
def mesh(server: MeshServer) -> MeshServer:
    """The sandbox with every mailbox empty."""
    server.reset()
    return server


@pytest.fixture
def sent(mesh: MeshServer, tmp_path: Path) -> Iterator[House]:
    """A house with one referral, which MESH has, and whose outcomes come back by MESH."""
    with embedded_house(tmp_path) as house:
        offer(house, mesh)
        sending = {Transport.MESH: Mesh(line(mesh.folder))}
        house.gateway = replace(house.gateway, destinations=sending)
        tree = service_request(extension=of_employer(is_practice=False))
        assert house.post("/ServiceRequest", tree).status_code == 201
        assert work(house) == 1
        yield house


def offer(house: House, mesh: MeshServer, **more: str) -> None:
    """Have the OH provider reached by MESH, and say how its outcomes come back."""
    at = mesh.endpoint(outcomes=OUTCOMES, **more)
    oh = {
        "id": "oh", "transport": "mesh", "format": "fhir-transaction", "address": at.address,
        "ca_file": CA_FILE, "parameters": dict(at.parameters),
    }  # fmt: skip
    house.apply(endpoints=[oh, *house.directory["endpoints"][1:]])


def post(mesh: MeshServer, body: bytes, *, by: str = THEIRS, workflow: str = OUTCOMES) -> str:
    with mesh.client(by) as client:
        name: str = client.send_message(OURS, body, workflow_id=workflow)
    return name


def kept(house: House) -> list[Outcome]:
    with house.gateway.store.reading() as view:
        return list(outcomes.of_referral(view, ReferralId(the_referral(house).id)))


def about(house: House, tree: Tree) -> Tree:
    """Have a tree answer the referral of the house."""
    text = write_json(tree).decode()
    known = "33333333-3333-4333-8333-333333333333"
    made: Tree = read_json(text.replace(known, the_referral(house).id).encode())
    return made


def answer(house: House, **said: Any) -> Tree:
    """A Task that names the delivery by our own id for it, as the provider was told it."""
    made = task(**said) | {"id": str(the_delivery(house).id), "identifier": []}
    made.pop("identifier")
    made["groupIdentifier"] = {
        **made["groupIdentifier"],
        "value": str(the_referral(house).reference),
    }
    return about(house, made)


def response(house: House, **said: Any) -> Tree:
    """A BaRS message that answers the referral."""
    tree = about(house, bars_response(**said))
    brought = the_referral(house).id.part(f"bars/{the_delivery(house).service}")
    for each in tree["entry"]:
        if each["resource"]["resourceType"] == "MessageHeader":
            each["resource"]["response"]["identifier"] = brought
        if each["resource"]["resourceType"] == "ServiceRequest":
            each["resource"]["identifier"][0]["value"] = str(the_referral(house).reference)
    return tree


def stays(house: House, mesh: MeshServer, name: str) -> None:
    """The message is where it was, and nothing of it is kept; what is there is in order."""
    postman(house, mesh).make_round()
    assert waiting(mesh) == [name]
    assert kept(house) == []
    assert reconcile(house.gateway).discrepancies == ()


def test_a_report_in_json_is_on_record_and_then_acknowledged(sent: House, mesh: MeshServer) -> None:
    body = write_json(about(sent, document()))
    post(mesh, body)
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    (outcome,) = kept(sent)
    assert (outcome.kind, outcome.provider) == (OutcomeKind.REPORT, PROVIDER)
    assert (outcome.door, outcome.client) == ("mesh", "mesh")
    assert outcome.body_sha256 == hashlib.sha256(body).hexdigest()
    (entry,) = entries(sent, "outcome.received")
    assert (entry["door"], entry["actor"]) == ("mesh", "mesh")
    with sent.gateway.store.reading() as view:
        assert outcomes.body_of(view, outcome) == body
    assert reconcile(sent.gateway).discrepancies == ()


def test_a_report_in_xml_is_taken_too(sent: House, mesh: MeshServer) -> None:
    post(mesh, write_resource(about(sent, document()), Media.XML))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert [each.kind for each in kept(sent)] == [OutcomeKind.REPORT]


def test_a_task_says_a_state(sent: House, mesh: MeshServer) -> None:
    post(mesh, write_json(answer(sent)))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert [each.kind for each in kept(sent)] == [OutcomeKind.ACCEPTED]


def test_a_bars_message_that_rejects_ends_the_referral(sent: House, mesh: MeshServer) -> None:
    reason = concept(BARS_REASONS, "OTH")
    post(mesh, write_json(response(sent, encounter="cancelled", reason=reason)))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert [each.kind for each in kept(sent)] == [OutcomeKind.REJECTED]
    assert the_referral(sent).state is ReferralState.CLOSED


def test_the_same_message_twice_is_one_outcome(sent: House, mesh: MeshServer) -> None:
    body = write_json(about(sent, document()))
    for _ in range(2):
        post(mesh, body)
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert len(kept(sent)) == 1
    assert len(entries(sent, "outcome.received")) == 1


def test_what_is_on_record_is_acknowledged_by_whoever_looks_next(
    sent: House, mesh: MeshServer
) -> None:
    body = write_json(about(sent, document()))
    first = post(mesh, body)
    postman(sent, mesh).make_round()
    mesh.reset()
    again = post(mesh, body)
    assert again != first
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    assert len(kept(sent)) == 1


def test_a_mailbox_that_the_directory_does_not_name_is_not_believed(
    sent: House, mesh: MeshServer
) -> None:
    stays(sent, mesh, post(mesh, write_json(about(sent, document())), by=STRANGER))
    assert entries(sent, "referral.rejected") == []


@pytest.mark.parametrize("workflow", ["ANOTHER", WORKFLOW, f"{WORKFLOW}_ACK", OUTCOMES.lower()])
def test_an_outcome_in_another_workflow_is_none(
    sent: House, mesh: MeshServer, workflow: str
) -> None:
    stays(sent, mesh, post(mesh, write_json(about(sent, document())), workflow=workflow))


def test_an_answer_in_the_workflow_of_outcomes_is_no_answer(sent: House, mesh: MeshServer) -> None:
    name = post(mesh, says(the_delivery(sent).id, "fatal-error"))
    stays(sent, mesh, name)
    assert the_referral(sent).state is ReferralState.DELIVERED


def test_one_about_another_person_is_refused_and_given_back(sent: House, mesh: MeshServer) -> None:
    tree = about(sent, document())
    for each in tree["entry"]:
        if each["resource"]["resourceType"] == "Patient":
            each["resource"]["identifier"] = [NUMBER | {"value": OTHER_NUMBER}]
    stays(sent, mesh, post(mesh, write_json(tree)))
    (refused,) = entries(sent, "outcome.refused")
    assert (refused["code"], refused["door"]) == ("ANOTHER_PERSON", "mesh")
    (rejected,) = entries(sent, "referral.rejected")
    assert (rejected["door"], rejected["codes"]) == ("mesh", ["business-rule"])


def test_one_that_may_not_be_said_now_is_refused_and_given_back(
    sent: House, mesh: MeshServer
) -> None:
    post(mesh, write_json(about(sent, document())))
    postman(sent, mesh).make_round()
    name = post(mesh, write_json(answer(sent)))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == [name]
    assert [each.kind for each in kept(sent)] == [OutcomeKind.REPORT]
    (refused,) = entries(sent, "outcome.refused")
    assert (refused["code"], refused["door"]) == ("ILLEGAL_MOVE", "mesh")


def test_one_about_nothing_that_was_sent_stays_and_is_told_by_its_id(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    name = post(mesh, write_json(document()))
    stays(sent, mesh, name)
    assert name in caplog.text
    assert "answers nothing that was sent" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-40],
        lambda body: b"\xff\xfe" + body,
        lambda body: body.replace(b'"final"', b'"finished"'),
        lambda _: b'{"resourceType":"Patient"}',
    ],
)
def test_damaged_bytes_are_refused_once_and_given_back(
    sent: House, mesh: MeshServer, damage: Any
) -> None:
    name = post(mesh, damage(write_json(about(sent, document()))))
    rounds = postman(sent, mesh)
    rounds.make_round()
    rounds.make_round()
    assert waiting(mesh) == [name]
    assert kept(sent) == []
    (rejected,) = entries(sent, "referral.rejected")
    assert (rejected["door"], rejected["practice"], rejected["actor"]) == ("mesh", PROVIDER, "mesh")
    assert entries(sent, "outcome.refused") == []


def test_one_that_is_longer_than_is_read_stays_and_is_told_by_its_id(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    data = base64.b64encode(b"word " * 1_000_001).decode()
    file = {"contentType": "text/plain", "data": data}
    name = post(mesh, write_json(document_reference(content=[{"attachment": file}])))
    stays(sent, mesh, name)
    assert f"ALERT: MESH message {name}" in caplog.text


def test_one_in_more_pieces_than_are_read_is_given_back(sent: House) -> None:
    whole = Post(
        id="PIECES", is_report=False, sender=THEIRS, workflow=OUTCOMES, linked=None,
        local_id=None, code=None, body=b"",
    )  # fmt: skip
    (endpoints,) = mailboxes(sent.gateway)
    assert take_in(whole, endpoints, sent.gateway).fate is Fate.REFUSED


def test_one_that_cannot_be_taken_stops_no_other(sent: House, mesh: MeshServer) -> None:
    bad = post(mesh, b"{")
    post(mesh, write_json(about(sent, document())))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == [bad]
    assert len(kept(sent)) == 1


def test_a_bars_message_of_another_organisation_is_refused(sent: House, mesh: MeshServer) -> None:
    tree = response(sent)
    for each in tree["entry"]:
        if each["fullUrl"] == url("provider"):
            each["resource"] = organisation("RX999")
    stays(sent, mesh, post(mesh, write_json(tree)))
    (rejected,) = entries(sent, "referral.rejected")
    assert rejected["codes"] == ["security"]


def test_a_bars_message_is_checked_as_at_the_door(sent: House, mesh: MeshServer) -> None:
    stays(sent, mesh, post(mesh, write_json(response(sent, focus="patient"))))
    (rejected,) = entries(sent, "referral.rejected")
    assert rejected["codes"] == ["invariant"]


def test_where_two_providers_share_a_mailbox_the_message_says_whose_it_is(
    sent: House, mesh: MeshServer
) -> None:
    services = [each | {"endpoint": "oh"} for each in sent.directory["services"]]
    sent.apply(services=services)
    nameless = about(sent, document(author=[{"display": "A clinician"}]))
    name = post(mesh, write_json(nameless))
    stays(sent, mesh, name)
    of_pharmacy = about(sent, document())
    for each in of_pharmacy["entry"]:
        if each["resource"]["resourceType"] == "Organization":
            each["resource"] = organisation(PHARMACY)
    other = post(mesh, write_json(of_pharmacy))
    postman(sent, mesh).make_round()
    assert set(waiting(mesh)) == {name, other}
    assert kept(sent) == []
    post(mesh, write_json(about(sent, document())))
    postman(sent, mesh).make_round()
    assert [each.provider for each in kept(sent)] == [PROVIDER]


def test_a_request_for_shared_care_is_answered_with_the_reason_and_the_template(
    sent: House, mesh: MeshServer
) -> None:
    offer(sent, mesh, outcome_answers=ANSWERS)
    asks = contained_letter(), prescribe()
    asking = answer(sent, status="completed", business="report", contained=[*asks])
    asking["output"] = [
        {"type": {"text": "Report"}, "valueReference": {"reference": f"#{each['id']}"}}
        for each in asks
    ]
    name = post(mesh, write_json(asking))
    postman(sent, mesh).make_round()
    assert waiting(mesh) == []
    (outcome,) = kept(sent)
    assert outcome.code == INFORMAL
    (heard,) = set(waiting(mesh, THEIRS)) - {the_delivery(sent).receipt}
    with mesh.client() as client, closing(client.retrieve_message(heard)) as came:
        assert (came.sender, came.workflow_id, came.local_id) == (OURS, ANSWERS, name)
        tree: Tree = read_json(came.read())
    header, told = (each["resource"] for each in tree["entry"])
    assert header["response"]["code"] == "fatal-error"
    (issue,) = told["issue"]
    assert "No formal agreement on record" in issue["diagnostics"]
    for field in PROPOSAL:
        assert f"{field.name} (" in issue["diagnostics"]
    assert reconcile(sent.gateway).discrepancies == ()


@pytest.mark.parametrize("is_good", [True, False])
def test_where_our_workflow_is_not_registered_what_was_refused_is_given_back(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture, *, is_good: bool
) -> None:
    offer(sent, mesh, outcome_answers=UNREGISTERED)
    body = write_json(about(sent, document()))
    name = post(mesh, body if is_good else body[:-9])
    rounds = postman(sent, mesh)
    for _ in range(2):
        rounds.make_round()
    assert waiting(mesh) == ([] if is_good else [name])
    assert caplog.text.count(f"will not take the answer to MESH message {name}") == 1
    assert waiting(mesh, THEIRS) == [the_delivery(sent).receipt]


def test_no_log_and_no_entry_tells_of_the_person(
    sent: House, mesh: MeshServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = {k: v for k, v in canary.canary_patient().items() if k != "id"}
    trees = []
    for number in (NUMBER["value"], canary.NUMBER):
        tree = about(sent, document())
        for each in tree["entry"]:
            if each["resource"]["resourceType"] == "Patient":
                each["resource"] = person | {"identifier": [NUMBER | {"value": number}]}
        trees.append(tree)
    trees.append(trees[0] | {"type": canary.FREE_TEXT})
    trees.append(answer(sent, contained=[contained_letter()]) | {"status": canary.FREE_TEXT})
    for tree in trees:
        post(mesh, write_json(tree))
    post(mesh, f'{{"resourceType": "{canary.FREE_TEXT}"'.encode())
    postman(sent, mesh).make_round()
    assert len(kept(sent)) == 1
    assert len(waiting(mesh)) == len(trees)
    words = "\n".join([caplog.text, *map(str, entries(sent))]).lower()
    for word in canary.WORDS:
        assert not [form for form in canary.forms_of(word) if form in words], word
