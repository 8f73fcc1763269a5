"""A provider that sends its outcomes by MESH hears by MESH what it would hear over HTTP."""

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import DestinationUnreachableError, NoReplyError, StoreUnavailableError
from gateway.fhir.examine import check_structure
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.text import Media, read_resource, write_resource
from gateway.fhir.validate import validate
from gateway.journey.reconcile import reconcile
from gateway.journey.show_reminders import list_reminders
from gateway.outbound.mailbox import Postman
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.store import outcomes
from tests.builders import canary
from tests.builders.evidence import entries, referral, the_delivery
from tests.builders.house import House, own_profiles
from tests.builders.mesh_line import SECRETS, MeshLine, Sent, answer
from tests.builders.messages import NHS_NUMBER
from tests.builders.outcomes import bars_response, document_reference
from tests.builders.returning import CODED, brought, report, say, told, with_letters
from tests.builders.shared_care import prescribe

THEIRS, OUTCOMES, ANSWERS = "OHPROV1", "REFERRAL_OUTCOMES", "REFERRAL_OUTCOMES_ACK"
NAME = "20261122090000000000_3573F8"
OTHER_NUMBER = "9990000026"
SECRET = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                       "code": "R"}]}]  # fmt: skip
Tree = dict[str, Any]


@dataclass
class Setting:
    """A house with a referral that its provider was brought, and our mailbox."""

    house: House
    line: MeshLine
    own: str
    task: str

    def tree(self, **changes: Any) -> Tree:
        """The provider's Task with changes, as its system would send it."""
        read = self.house.get(f"/Task/{self.task}", client="oh-one").get_json()
        return {**read, **changes}

    def arrive(self, body: Tree | bytes, name: str = NAME, workflow: str = OUTCOMES) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.line.arrive(name, text, From=THEIRS, WorkflowID=workflow)

    def postman(self) -> Postman:
        """A postman who remembers nothing, as that of a new process."""
        return Postman(self.house.gateway, self.line, poll=timedelta(hours=1))

    def round(self) -> None:
        self.postman().make_round()

    def kept(self) -> list[Outcome]:
        with self.house.gateway.store.reading() as view:
            return outcomes.of_referral(view, self.own)  # type: ignore[arg-type]

    def reminders(self) -> list[tuple[str, str]]:
        found = list_reminders(self.house.gateway, actor="tester", practice=None, overdue=False)
        return [(each.reminder.code, each.reminder.owner) for each in found]


@pytest.fixture
def given(house: House, tmp_path: Path) -> Setting:
    return furnished(house, tmp_path, outcome_answers=ANSWERS)


@pytest.fixture
def unanswered(house: House, tmp_path: Path) -> Setting:
    """Its endpoint names no workflow for answers."""
    return furnished(house, tmp_path)


def furnished(house: House, folder: Path, **more: str) -> Setting:
    with_letters(house)
    parameters = SECRETS | {
        "recipient": THEIRS, "workflow": "REFERRAL", "mailbox": "GATEWAY01", "outcomes": OUTCOMES,
    }  # fmt: skip
    oh = {
        "id": "oh", "transport": "mesh", "format": "fhir-transaction",
        "address": "https://mesh.example", "parameters": parameters | more,
    }  # fmt: skip
    house.apply(endpoints=[oh, *house.directory["endpoints"][1:]])
    own, task = brought(house)
    return Setting(house=house, line=MeshLine(folder), own=own, task=task)


def only(sent: list[Sent]) -> Tree:
    """The only answer that was sent."""
    (one,) = sent
    tree: Tree = read_resource(one.body)
    assert validate(tree, profiles=own_profiles()) == []
    return tree


def response(tree: Tree) -> Tree:
    found: Tree = tree["entry"][0]["resource"]["response"]
    return found


def issues(tree: Tree) -> Any:
    """What its OperationOutcome says; None: it has none."""
    if "details" not in response(tree):
        assert len(tree["entry"]) == 1
        return None
    assert response(tree)["details"] == {"reference": tree["entry"][1]["fullUrl"]}
    return tree["entry"][1]["resource"]["issue"]


def marked() -> Tree:
    made = report()
    made["contained"][0]["securityLabel"] = SECRET
    return made


def drafted() -> Tree:
    made = report()
    made["contained"][0]["docStatus"] = "preliminary"
    return made


def broken() -> Tree:
    return told(OutcomeKind.ACCEPTED) | {"status": "no-such-status", "intent": 7}


FATES: dict[str, tuple[Tree, str, Standing | None]] = {
    "taken": (told(OutcomeKind.ACCEPTED), "ok", Standing.NOTED),
    "sent-on": (report(), "ok", Standing.SENT_ON),
    "held": (drafted(), "ok", Standing.HELD),
    "warned": (report(CODED), "ok", Standing.SENT_ON),
    "returned": (report(prescribe()), "fatal-error", Standing.KEPT),
    "confidential": (marked(), "fatal-error", Standing.KEPT),
    "refused": (broken(), "fatal-error", None),
    "another-person": (report(number=OTHER_NUMBER), "fatal-error", None),
}


@pytest.mark.parametrize("fate", FATES)
def test_each_fate_is_told_in_the_words_of_the_door_and_then_acknowledged(
    given: Setting, fate: str
) -> None:
    changes, code, standing = FATES[fate]
    given.arrive(given.tree(**changes))
    given.round()
    tree = only(given.line.sent)
    assert given.line.inbox == {}
    assert response(tree)["code"] == code
    assert response(tree)["identifier"] == NAME.replace("_", "-")
    assert [each.standing for each in given.kept()] == ([standing] if standing else [])
    assert NHS_NUMBER not in given.line.sent[0].body.decode()
    assert given.reminders() in ([], [("OUTCOME_HELD", "ig-officer")])

    _, other = brought(given.house)  # the same, of another referral, over HTTP
    heard = say(given.house, other, **changes)
    body = heard.get_json()
    over_http = body["issue"] if body["resourceType"] == "OperationOutcome" else None
    assert issues(tree) == over_http
    assert (code == "ok") is (heard.status_code < 300)
    assert reconcile(given.house.gateway).discrepancies == ()


def test_what_may_not_be_said_now_is_told_with_what_may(given: Setting) -> None:
    given.arrive(given.tree(**told(OutcomeKind.REJECTED)), "FIRST")
    given.round()
    given.line.sent.clear()
    given.arrive(given.tree(**told(OutcomeKind.ACCEPTED)))
    given.round()
    tree = only(given.line.sent)
    assert response(tree)["code"] == "fatal-error"
    (issue,) = issues(tree)
    assert issue["code"] == "conflict"
    assert "it can say nothing" in issue["diagnostics"]
    assert given.line.inbox == {}
    assert len(entries(given.house, "outcome.refused")) == 1


def test_one_about_nothing_that_was_sent_is_told_so_and_is_on_record(given: Setting) -> None:
    given.arrive(document_reference())
    given.round()
    (issue,) = issues(only(given.line.sent))
    assert issue["diagnostics"] == "Nothing that was sent to you goes by these names."
    assert given.line.inbox == {}
    (rejected,) = entries(given.house, "referral.rejected")
    assert (rejected["door"], rejected["codes"]) == ("mesh", ["not-found"])


def test_faults_are_told_with_their_places(given: Setting) -> None:
    given.arrive(given.tree(**broken()))
    given.round()
    found = issues(only(given.line.sent))
    assert ["Task.status"] in [each.get("expression") for each in found]
    assert {"REC_BAD_REQUEST"} == {
        coding["code"] for each in found for coding in each["details"]["coding"]
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"<Task"])
def test_what_cannot_be_read_is_told_so(given: Setting, body: bytes) -> None:
    given.arrive(body)
    given.round()
    tree = only(given.line.sent)
    assert response(tree)["code"] == "fatal-error"
    assert given.line.inbox == {}
    assert len(entries(given.house, "referral.rejected")) == 1


def test_an_empty_one_hears_that_it_is_to_come_in_one_chunk(given: Setting) -> None:
    given.arrive(b"")
    given.round()
    (issue,) = issues(only(given.line.sent))
    assert "Send an outcome in one" in issue["diagnostics"]


def test_the_answer_goes_to_its_sender_in_its_workflow_and_names_what_it_answers(
    given: Setting,
) -> None:
    given.arrive(given.tree(**told(OutcomeKind.ACCEPTED)))
    given.round()
    (sent,) = given.line.sent
    assert sent.headers["mex-to"] == THEIRS
    assert sent.headers["mex-workflowid"] == ANSWERS
    assert sent.headers["mex-localid"] == NAME
    assert sent.headers["content-type"] == "application/fhir+json"


def test_what_came_in_xml_is_answered_in_xml(given: Setting) -> None:
    given.arrive(write_resource(given.tree(**report(CODED)), Media.XML))
    given.round()
    (sent,) = given.line.sent
    assert sent.body.startswith(b"<?xml")
    assert sent.headers["content-type"] == "application/fhir+xml"
    assert issues(only(given.line.sent))[0]["severity"] == "warning"


def of_bars(given: Setting, **said: Any) -> Tree:
    """A BaRS message that answers the referral."""
    tree = bars_response(**said)
    own = referral(given.house, given.own)
    for each in tree["entry"]:
        resource = each["resource"]
        if resource["resourceType"] == "MessageHeader":
            brought_by = own.id.part(f"bars/{the_delivery(given.house).service}")
            resource["response"]["identifier"] = brought_by
        if resource["resourceType"] == "ServiceRequest":
            resource["id"] = given.own
            resource["identifier"][0]["value"] = str(own.reference)
    return tree


def test_a_bars_message_is_answered_by_its_own_id_and_hears_what_was_tolerated(
    given: Setting,
) -> None:
    tree = of_bars(given)
    given.arrive(tree)
    given.round()
    answered = only(given.line.sent)
    assert response(answered)["identifier"] == tree["id"]
    assert response(answered)["code"] == "ok"
    tolerated = check_structure(tree, own_profiles())
    assert issues(answered) == operation_outcome(tolerated, code=None)["issue"]
    assert {each["severity"] for each in issues(answered)} == {"warning"}


def test_a_bars_message_that_is_refused_hears_that_in_the_words_of_its_door(
    given: Setting,
) -> None:
    given.arrive(of_bars(given, focus="patient"))
    given.round()
    answered = only(given.line.sent)
    assert response(answered)["code"] == "fatal-error"
    assert {each["severity"] for each in issues(answered)} == {"error"}
    assert "REC_" in str(issues(answered))


@pytest.mark.parametrize("fate", FATES)
def test_the_same_bytes_again_are_answered_in_the_same_words(given: Setting, fate: str) -> None:
    tree = given.tree(**FATES[fate][0])
    for name in ("FIRST", "AGAIN"):
        given.arrive(tree, name)
        given.round()
    first, again = (read_resource(each.body) for each in given.line.sent)
    assert issues(first) == issues(again)
    assert [each.headers["mex-localid"] for each in given.line.sent] == ["FIRST", "AGAIN"]
    assert first["id"] != again["id"]
    assert given.line.inbox == {}
    assert len(given.kept()) <= 1


@pytest.mark.parametrize("fate", FATES)
def test_a_crash_between_answer_and_acknowledgement_changes_nothing(
    given: Setting, fate: str
) -> None:
    given.arrive(given.tree(**FATES[fate][0]))
    given.line.acknowledging.append(NoReplyError("it fell"))
    given.round()
    assert list(given.line.inbox) == [NAME]
    given.round()  # in a new process, which remembers nothing
    first, again = given.line.sent
    assert first == again
    assert given.line.inbox == {}
    assert len(given.kept()) <= 1
    assert reconcile(given.house.gateway).discrepancies == ()


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize(
    "failure",
    [NoReplyError("lost"), DestinationUnreachableError("gone"), answer({}, 429), answer({}, 503),
     answer({}, 403), answer({}, 307)],
    ids=["no-reply", "gone", "busy", "fails", "not-let-in", "elsewhere"],
)  # fmt: skip
def test_an_answer_that_did_not_go_goes_in_a_later_round(
    given: Setting, fate: str, failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    given.arrive(given.tree(**FATES[fate][0]))
    given.line.sending += [failure] * 2
    rounds = given.postman()
    for _ in range(2):
        rounds.make_round()
        assert list(given.line.inbox) == [NAME]
    before = entries(given.house)
    rounds.make_round()
    assert given.line.inbox == {}
    assert len(given.line.sent) == 1
    assert given.line.read == [NAME]
    assert entries(given.house) == before
    kinds = [each["kind"] for each in before]
    assert kinds.count("referral.rejected") == (FATES[fate][2] is None)
    assert "MESH will not take" not in caplog.text


def test_what_was_answered_is_not_answered_again_where_only_the_acknowledgement_failed(
    given: Setting,
) -> None:
    given.arrive(given.tree(**broken()))
    given.line.acknowledging += [NoReplyError("lost"), answer({}, 503)]
    rounds = given.postman()
    for _ in range(3):
        rounds.make_round()
    assert given.line.inbox == {}
    assert len(given.line.sent) == 1
    assert len(entries(given.house, "referral.rejected")) == 1


@pytest.mark.parametrize("fate", FATES)
def test_where_mesh_will_not_take_the_answer_only_what_was_taken_is_acknowledged(
    given: Setting, fate: str, caplog: pytest.LogCaptureFixture
) -> None:
    given.arrive(given.tree(**FATES[fate][0]))
    given.line.sending.append(answer({"detail": [{"code": "13"}]}, 417))
    rounds = given.postman()
    for _ in range(2):
        rounds.make_round()
    is_taken = FATES[fate][2] is not None
    assert list(given.line.inbox) == ([] if is_taken else [NAME])
    assert given.line.sent == []
    assert f"ALERT: MESH will not take the answer to MESH message {NAME}" in caplog.text
    assert ("PROVIDER_NOT_TOLD", "operator") in given.reminders() or fate != "returned"
    assert len(given.line.read) == 1


@dataclass
class Falls:
    """A clock that finds the database away once, after so many answers were tried."""

    given: Setting
    after: int
    has_fallen: bool = False

    def __call__(self) -> datetime:
        if self.given.line.tried == self.after and not self.has_fallen:
            self.has_fallen = True
            raise StoreUnavailableError
        return self.given.house.clock()


def test_one_whose_reminder_cannot_be_opened_is_not_acknowledged(given: Setting) -> None:
    given.arrive(given.tree(**report(prescribe())))
    given.line.sending += [answer({}, 417)] * 2
    falls = Falls(given, after=1)
    falling = replace(given.house.gateway, clock=falls)
    rounds = Postman(falling, given.line, poll=timedelta(hours=1))
    rounds.make_round()
    assert falls.has_fallen
    assert list(given.line.inbox) == [NAME]
    assert given.reminders() == []
    rounds.make_round()
    assert given.line.inbox == {}
    assert given.reminders() == [("PROVIDER_NOT_TOLD", "operator")]


def test_a_stranger_and_another_workflow_are_not_answered(given: Setting) -> None:
    given.arrive(given.tree(**told(OutcomeKind.ACCEPTED)), workflow=ANSWERS)
    body = json.dumps(given.tree(**told(OutcomeKind.ACCEPTED))).encode()
    given.line.arrive("STRANGE", body, From="STRANGER1", WorkflowID=OUTCOMES)
    given.round()
    assert given.line.sent == []
    assert len(given.line.inbox) == 2


def test_without_a_workflow_for_answers_nothing_is_sent(unanswered: Setting) -> None:
    for fate, (changes, _, _) in FATES.items():
        if fate not in ("returned", "taken"):
            unanswered.arrive(unanswered.tree(**changes), fate)
    unanswered.round()
    assert unanswered.line.sent == []
    assert list(unanswered.line.inbox) == ["refused", "another-person"]
    assert ("PROVIDER_NOT_TOLD", "operator") not in unanswered.reminders()


def test_without_one_a_person_is_to_tell_what_goes_back(unanswered: Setting) -> None:
    tree = unanswered.tree(**report(prescribe()))
    for name in ("FIRST", "AGAIN"):
        unanswered.arrive(tree, name)
        unanswered.round()
    assert unanswered.line.inbox == {}
    assert unanswered.reminders() == [("PROVIDER_NOT_TOLD", "operator")]
    (opened,) = entries(unanswered.house, "reminder.opened")
    assert (opened["code"], opened["referral"]) == ("PROVIDER_NOT_TOLD", unanswered.own)
    assert reconcile(unanswered.house.gateway).discrepancies == ()


def test_an_answer_that_came_back_is_told_and_taken_away(
    given: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    report_of = {"MessageType": "REPORT", "StatusCode": "14", "LinkedMsgID": "SENT1"}
    given.line.arrive("BACK", b"", WorkflowID=ANSWERS, LocalID=NAME, **report_of)
    given.line.arrive("OTHER", b"", WorkflowID="ELSEWHERE", LocalID=NAME, **report_of)
    given.round()
    assert list(given.line.inbox) == ["OTHER"]
    assert f"ALERT: what was answered to MESH message {NAME} came back (14)" in caplog.text


def test_no_log_no_entry_and_no_answer_tells_of_the_person(
    given: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    words = {"text": f"{canary.FREE_TEXT} {canary.NUMBER}"}
    trees = [
        given.tree(**report(CODED)) | {"statusReason": words},
        given.tree(**report(number=canary.NUMBER)),
        given.tree(status=canary.FREE_TEXT, statusReason=words),
        given.tree(**report(prescribe(note=[words]))),
    ]
    for position, tree in enumerate(trees):
        given.arrive(tree, f"M{position}")
    given.arrive(f'{{"resourceType": "{canary.FREE_TEXT}"'.encode(), "M9")
    given.round()
    assert len(given.line.sent) == len(trees) + 1
    said = [f"{each.headers} {each.body.decode()}" for each in given.line.sent]
    text = "\n".join([caplog.text, *map(str, entries(given.house)), *said]).lower()
    for word in canary.WORDS:
        assert not [form for form in canary.forms_of(word) if form in text], word
