"""Outcomes that come as BaRS messages: the answer to the message that brought the referral."""

import base64
import json
import logging
from typing import Any

import pytest

from gateway.fhir.text import Media, read_resource, write_resource
from gateway.mapping.bars_message import BarsMessage
from gateway.mapping.outcome_terms import BARS_REASONS
from gateway.referral.directory import Format, Transport
from gateway.referral.identifiers import OdsCode, ReferralId
from gateway.referral.lifecycle import ReferralState
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.store import outcomes
from tests.builders import canary
from tests.builders.evidence import entries, issues, nhs_codes, referral, the_referral, work
from tests.builders.house import ALL_SCOPES, House, own_profiles
from tests.builders.messages import DOS, OH_SERVICE, PHARMACY_SERVICE, bars_headers, bars_message
from tests.builders.outcomes import (
    NUMBER,
    bars_response,
    concept,
    document_reference,
    organisation,
    to,
    url,
)
from tests.builders.returning import CODED, of_employer, with_letters

REPLY_TO = "9000000099"
OTHER_NUMBER = "9990000026"
NOT_FOUND = "Nothing that was sent to you goes by these names"
Tree = dict[str, Any]


def by_bars(house: House) -> None:
    """Have the OH provider reached by BaRS, and say where it replies."""
    writers: Any = house.gateway.writers
    writers[Format.BARS_MESSAGE] = BarsMessage(own_profiles(), by=OdsCode("XGW01"))
    destinations: Any = house.gateway.destinations
    destinations[Transport.BARS] = house.destination
    oh = {
        "id": "oh", "transport": "bars", "format": "bars-message",
        "address": "https://oh.example/FHIR/R4",
        "parameters": {
            "target_identifier": f"{DOS}|{OH_SERVICE}",
            "source_identifier": f"{DOS}|{REPLY_TO}",
        },
    }  # fmt: skip
    house.apply(endpoints=[oh, *house.directory["endpoints"][1:]])


@pytest.fixture
def own(house: House) -> str:
    """A referral that was brought to the provider as a message; its id."""
    by_bars(house)
    with_letters(house)
    tree = bars_message()
    resource(tree, "ServiceRequest")["extension"] = of_employer(is_practice=False)
    answer = house.post("/$process-message", tree, **bars_headers())
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert work(house) == 1
    return str(the_referral(house).id)


def message_brought(house: House) -> Tree:
    tree: Tree = json.loads(house.destination.received[-1].body)
    return tree


def response(house: House, own: str, *more: tuple[str, Tree], **said: Any) -> Tree:
    """Answer the last message that was brought, as the provider's system would."""
    tree = bars_response(**said)
    for each in tree["entry"]:
        resource = each["resource"]
        if resource["resourceType"] == "MessageHeader":
            resource["response"]["identifier"] = message_brought(house)["id"]
        if resource["resourceType"] == "ServiceRequest":
            resource["id"] = own
            resource["identifier"][0]["value"] = str(referral(house, own).reference)
    tree["entry"] += [{"fullUrl": url(name), "resource": body} for name, body in more]
    return tree


def resource(tree: Tree, kind: str) -> Tree:
    found: Tree = next(
        each["resource"] for each in tree["entry"] if each["resource"]["resourceType"] == kind
    )
    return found


def letter(**more: Any) -> tuple[str, Tree]:
    """A report that goes in a message, beside what the message says."""
    tree = document_reference(to("patient"), author=[to("provider")])
    del tree["context"]
    return "letter", tree | more


def with_file(media_type: str, data: bytes) -> tuple[str, Tree]:
    file = {"contentType": media_type, "data": base64.b64encode(data).decode()}
    return letter(content=[{"attachment": file}])


def post(house: House, tree: Any, *, target: str = REPLY_TO, client: str = "oh-one",
         **headers: str) -> Any:  # fmt: skip
    return house.post("/$process-message", tree, client=client, **bars_headers(target) | headers)


def kept(house: House, own: str) -> list[Outcome]:
    with house.gateway.store.reading() as view:
        return list(outcomes.of_referral(view, ReferralId(own)))


def task_of(answer: Any) -> Tree:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return resource(answer.get_json(), "Task")


def told(answer: Any) -> list[str]:
    """What the answer says besides: only warnings, each one text."""
    found = resource(answer.get_json(), "OperationOutcome")["issue"]
    assert {each["severity"] for each in found} <= {"warning", "information"}
    return [each["diagnostics"] for each in found]


def refused(answer: Any, status: int) -> Tree:
    assert answer.status_code == status, answer.get_data(as_text=True)
    tree: Tree = answer.get_json()
    assert tree["resourceType"] == "OperationOutcome"
    return tree


def test_a_response_that_accepts_comes_back_with_our_ids_and_the_task(
    house: House, own: str
) -> None:
    sent = response(house, own)
    answer = post(house, sent)
    task = task_of(answer)
    (outcome,) = kept(house, own)
    assert (outcome.kind, outcome.door, outcome.client) == (OutcomeKind.ACCEPTED, "bars", "oh-one")
    assert task["status"] == "accepted"
    assert task["focus"]["reference"] == f"ServiceRequest/{own}"
    body = answer.get_json()
    assert (body["id"], body["timestamp"]) == (sent["id"], sent["timestamp"])
    returned = [each["resource"] for each in body["entry"]]
    assert resource(body, "ServiceRequest")["id"] == own
    assert len({each["id"] for each in returned}) == len(returned)
    given = [{k: v for k, v in each["resource"].items() if k != "id"} for each in sent["entry"]]
    named = [{k: v for k, v in each.items() if k != "id"} for each in returned]
    assert named[: len(given)] == given
    assert [each["resourceType"] for each in returned[len(given) :]] == ["Task", "OperationOutcome"]


def test_both_ids_of_a_response_come_back(house: House, own: str) -> None:
    headers = bars_headers(REPLY_TO)
    answer = house.post("/$process-message", response(house, own), client="oh-one", **headers)
    for name in ("X-Request-Id", "X-Correlation-Id"):
        assert answer.headers[name] == headers[name]


def test_a_rejection_is_kept_with_its_reason_and_ends_the_referral(house: House, own: str) -> None:
    reason = concept(BARS_REASONS, "OTH")
    task = task_of(post(house, response(house, own, encounter="cancelled", reason=reason)))
    (outcome,) = kept(house, own)
    assert (outcome.kind, outcome.reason_system, outcome.reason) == (
        OutcomeKind.REJECTED, BARS_REASONS, "OTH",
    )  # fmt: skip
    assert task["status"] == "rejected"
    assert referral(house, own).state is ReferralState.CLOSED


def test_a_rejection_without_a_reason_is_refused(house: House, own: str) -> None:
    tree = refused(post(house, response(house, own, encounter="cancelled")), 400)
    assert "why" in json.dumps(tree)
    assert kept(house, own) == []


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"appointment": "booked"}, OutcomeKind.BOOKED),
        ({"status": "revoked", "encounter": None}, OutcomeKind.DID_NOT_ATTEND),
        ({"encounter": "finished"}, OutcomeKind.CLOSED),
        (
            {"encounter": "cancelled", "reason": concept(BARS_REASONS, "FC")},
            OutcomeKind.COULD_NOT_CONTACT,
        ),
    ],
)
def test_what_a_response_says_is_kept_as_that(
    house: House, own: str, said: Tree, kind: OutcomeKind
) -> None:
    task_of(post(house, response(house, own)))
    task_of(post(house, response(house, own, **said)))
    assert [each.kind for each in kept(house, own)] == [OutcomeKind.ACCEPTED, kind]


def test_a_report_goes_in_a_message(house: House, own: str) -> None:
    task_of(post(house, response(house, own)))
    answer = post(house, response(house, own, letter(), encounter="finished"))
    task = task_of(answer)
    outcome = kept(house, own)[-1]
    assert (outcome.kind, outcome.standing) == (OutcomeKind.REPORT, Standing.SENT_ON)
    assert task["status"] == "in-progress"
    assert "practice" not in " ".join(told(answer)), "nothing was kept back"


def test_a_draft_waits_for_a_person_and_the_answer_says_so(house: House, own: str) -> None:
    task_of(post(house, response(house, own)))
    answer = post(
        house, response(house, own, letter(docStatus="preliminary"), encounter="finished")
    )
    task_of(answer)
    assert any("A person looks at it" in text for text in told(answer))
    assert kept(house, own)[-1].standing is Standing.HELD


def test_codes_stay_here_and_the_answer_warns_of_it(house: House, own: str) -> None:
    task_of(post(house, response(house, own)))
    coded = {k: v for k, v in CODED.items() if k != "id"} | {"subject": to("patient")}
    answer = post(house, response(house, own, letter(), ("finding", coded), encounter="finished"))
    task_of(answer)
    assert any("it is sent as text" in text for text in told(answer)), told(answer)


def test_xml_is_taken_and_answered_in_xml(house: House, own: str) -> None:
    sent = write_resource(response(house, own), Media.XML)
    xml = "application/fhir+xml"
    answer = post(house, sent, Content_Type=xml, Accept=f"{xml}; version=1.4.0")
    assert (answer.status_code, answer.mimetype) == (200, xml)
    tree: Any = read_resource(answer.data)
    assert resource(tree, "Task")["status"] == "accepted"
    assert [each.kind for each in kept(house, own)] == [OutcomeKind.ACCEPTED]


def test_a_response_may_be_about_the_encounter_of_its_receiver(house: House, own: str) -> None:
    task_of(post(house, response(house, own, focus="receiving")))
    (outcome,) = kept(house, own)
    assert (outcome.kind, outcome.standing) == (OutcomeKind.ACCEPTED, Standing.NOTED)


def test_a_focus_that_leads_to_neither_is_refused(house: House, own: str) -> None:
    answer = post(house, response(house, own, focus="patient"))
    assert issues(answer)[0] == ("invariant", "Bundle.entry[0].resource.focus")


def test_a_response_to_a_message_that_brought_nothing_is_refused(house: House, own: str) -> None:
    sent = response(house, own)
    resource(sent, "MessageHeader")["response"]["identifier"] = sent["id"]
    tree = refused(post(house, sent), 400)
    assert "Bundle.id of the message that brought" in tree["issue"][0]["diagnostics"]
    assert kept(house, own) == []


def test_a_response_that_names_no_message_is_refused(house: House, own: str) -> None:
    sent = response(house, own)
    del resource(sent, "MessageHeader")["response"]
    refused(post(house, sent), 400)
    assert kept(house, own) == []


def test_a_response_that_tells_of_a_failure_is_no_outcome(house: House, own: str) -> None:
    sent = response(house, own)
    resource(sent, "MessageHeader")["response"]["code"] = "fatal-error"
    refused(post(house, sent), 400)
    assert kept(house, own) == []


def test_the_sender_must_be_who_authenticated(house: House, own: str) -> None:
    sent = response(house, own)
    for each in sent["entry"]:
        if each["fullUrl"] == url("provider"):
            each["resource"] = organisation("RX999")
    tree = refused(post(house, sent), 401)
    assert tree["issue"][0]["expression"] == ["Bundle.entry[0].resource.sender"]
    assert kept(house, own) == []


@pytest.mark.parametrize(
    ("target", "status"), [(REPLY_TO, 200), (PHARMACY_SERVICE, 200), ("9000000555", 404)]
)
def test_a_response_is_for_us_or_for_a_service_that_is_known(
    house: House, own: str, target: str, status: int
) -> None:
    sent = response(house, own)
    resource(sent, "MessageHeader")["destination"][0]["endpoint"] = f"{DOS}|{target}"
    answer = post(house, sent, target=target)
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert len(kept(house, own)) == (status == 200)


def test_the_destination_is_the_service_that_the_request_names(house: House, own: str) -> None:
    answer = post(house, response(house, own), target=OH_SERVICE)
    assert issues(answer) == [("value", "Bundle.entry[0].resource.destination[0].endpoint")]


def test_a_repeat_is_a_duplicate_and_one_outcome(house: House, own: str) -> None:
    sent, headers = response(house, own), bars_headers(REPLY_TO)
    assert house.post("/$process-message", sent, client="oh-one", **headers).status_code == 200
    again = house.post("/$process-message", sent, client="oh-one", **headers)
    assert (again.status_code, issues(again)) == (409, [("duplicate", None)])
    assert nhs_codes(again) == {"REC_CONFLICT"}
    assert len(kept(house, own)) == 1


def test_the_same_bytes_under_a_new_request_id_are_one_outcome(house: House, own: str) -> None:
    sent = response(house, own)
    first, second = post(house, sent), post(house, sent)
    assert task_of(first) == task_of(second)
    assert len(kept(house, own)) == 1


def test_a_repeated_refusal_is_the_same_refusal(house: House, own: str) -> None:
    sent, headers = response(house, own, encounter="cancelled"), bars_headers(REPLY_TO)
    first, second = (
        house.post("/$process-message", sent, client="oh-one", **headers) for _ in range(2)
    )
    assert first.status_code == second.status_code == 400
    assert first.get_json()["issue"] == second.get_json()["issue"]


@pytest.mark.parametrize("missing", ["system/Task.u", "system/ServiceRequest.c"])
def test_a_response_asks_for_the_scope_to_change_a_task(
    house: House, own: str, missing: str
) -> None:
    allow(house, [each for each in ALL_SCOPES if each != missing])
    answer = post(house, response(house, own))
    assert answer.status_code == (403 if missing == "system/Task.u" else 200)
    assert len(kept(house, own)) == (0 if missing == "system/Task.u" else 1)


def test_who_may_only_change_tasks_refers_nobody(house: House, own: str) -> None:
    allow(house, ["system/Task.u"])
    sent = message_brought(house)
    headers = bars_headers()
    answer = house.post("/$process-message", sent, client="oh-one", **headers)
    assert answer.status_code == 403
    assert "system/ServiceRequest.c" in answer.get_data(as_text=True)


def allow(house: House, scopes: list[str]) -> None:
    """Give the provider's client these scopes, and no token from before."""
    clients = [
        each | ({"scopes": scopes} if each["id"] == "oh-one" else {})
        for each in house.directory["clients"]
    ]
    house.apply(clients=clients)
    house.tokens.clear()


def test_a_referral_of_another_provider_is_not_found(house: House, own: str) -> None:
    sent = response(house, own)
    for each in sent["entry"]:
        if each["fullUrl"] == url("provider"):
            each["resource"] = organisation("G99002")
    tree = refused(post(house, sent, client="gp-two"), 404)
    assert NOT_FOUND in json.dumps(tree)
    nowhere = response(house, own)
    for name in (own, str(referral(house, own).reference)):
        text = json.dumps(nowhere).replace(name, name[:-4] + "0000" if "-" in name else name)
        nowhere = json.loads(text)
    assert nowhere != response(house, own)
    other = refused(post(house, nowhere), 404)
    assert other["issue"] == tree["issue"], "whether it is here cannot be told from the answer"
    assert kept(house, own) == []


def test_a_response_about_another_person_is_refused_and_recorded(house: House, own: str) -> None:
    sent = response(house, own)
    resource(sent, "Patient")["identifier"][0]["value"] = OTHER_NUMBER
    answer = post(house, sent)
    assert answer.status_code == 400
    assert OTHER_NUMBER not in answer.get_data(as_text=True)
    (entry,) = entries(house, "outcome.refused")
    assert (entry["code"], entry["door"]) == ("ANOTHER_PERSON", "bars")
    assert kept(house, own) == []


def test_what_may_not_be_said_now_is_refused_with_what_may(house: House, own: str) -> None:
    task_of(post(house, response(house, own, letter(), encounter="finished")))
    tree = refused(post(house, response(house, own)), 409)
    assert "it can say report" in tree["issue"][0]["diagnostics"]
    (entry,) = entries(house, "outcome.refused")
    assert (entry["code"], entry["door"]) == ("ILLEGAL_MOVE", "bars")


def test_a_provider_that_said_no_says_no_more(house: House, own: str) -> None:
    reason = concept(BARS_REASONS, "OTH")
    task_of(post(house, response(house, own, encounter="cancelled", reason=reason)))
    tree = refused(post(house, response(house, own)), 409)
    assert "it can say nothing" in tree["issue"][0]["diagnostics"]
    assert [each.kind for each in kept(house, own)] == [OutcomeKind.REJECTED]


def test_a_version_that_is_not_spoken_is_refused(house: House, own: str) -> None:
    accept = "application/fhir+json; version=9.0.0"
    answer = post(house, response(house, own), Accept=accept)
    assert answer.status_code == 406
    sent = response(house, own)
    sent["meta"]["versionId"] = "2.0.0"
    assert issues(post(house, sent)) == [("not-supported", "Bundle.meta.versionId")]
    assert kept(house, own) == []


SCRIPT = b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert)>>>>endobj\n%%EOF"


def test_a_file_that_no_practice_may_be_sent_is_refused(house: House, own: str) -> None:
    task_of(post(house, response(house, own)))
    answer = post(
        house, response(house, own, with_file("application/pdf", SCRIPT), encounter="finished")
    )
    assert "app.alert" not in json.dumps(refused(answer, 400))
    assert [each.kind for each in kept(house, own)] == [OutcomeKind.ACCEPTED]
    (entry,) = entries(house, "outcome.refused")
    assert (entry["code"], entry["door"]) == ("CONTENT_NOT_TAKEN", "bars")


def test_a_message_over_five_megabytes_is_not_taken(house: House, own: str) -> None:
    sent = response(house, own, with_file("text/plain", b"word " * 1_000_001))
    tree = refused(post(house, sent), 413)
    assert [each["code"] for each in tree["issue"]] == ["too-long"]
    assert kept(house, own) == []


def test_no_answer_to_a_refusal_and_no_log_tells_of_the_person(
    house: House, own: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    task_of(post(house, response(house, own, letter(), encounter="finished")))
    for name, said in {
        "another person": {},
        "no such move": {},
        "no reason": {"encounter": "cancelled"},
        "no such message": {},
        "no such focus": {"focus": "patient"},
    }.items():
        sent = response(house, own, **said)
        number = {"value": canary.NUMBER} if name == "another person" else {}
        person = canary.canary_patient() | {"identifier": [NUMBER | number]}
        for each in sent["entry"]:
            if each["resource"]["resourceType"] == "Patient":
                each["resource"] = {k: v for k, v in person.items() if k != "id"}
        resource(sent, "ServiceRequest")["note"] = [{"text": canary.FREE_TEXT}]
        if name == "no such message":
            resource(sent, "MessageHeader")["response"]["identifier"] = canary.LOCAL_ID
        answer = post(house, sent)
        assert answer.status_code >= 400, name
        words = (answer.get_data(as_text=True) + caplog.text).lower()
        found = [word for word in canary.WORDS for form in canary.forms_of(word) if form in words]
        assert found == [], name
