"""A sender takes its referral back: nothing more leaves, and whoever may have it is told."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    NoReplyError,
)
from gateway.journey import claim, deliver
from gateway.journey.deliver import deliver_next
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.lifecycle import CANCELLED, ReferralState, RequestStatus
from tests.builders.evidence import (
    counts,
    entries,
    execute,
    id_in,
    issues,
    kinds,
    referral,
    take_back,
    work,
)
from tests.builders.house import House
from tests.builders.messages import (
    NHS_NUMBER,
    OH_SERVICE,
    OTHER_PRACTICE,
    PHARMACY_SERVICE,
    bars_headers,
    bars_message,
    patient,
    service_request,
)

DEFINITION = "https://fhir.nhs.uk/MessageDefinition/bars-message-servicerequest-request-cancelled"


def accepted(house: House, **how: Any) -> str:
    answer = house.post("/ServiceRequest", service_request(**how))
    assert answer.status_code in (201, 202)
    return id_in(answer.headers["Location"])


def state(house: House, referral_id: str) -> ReferralState:
    assert reconcile(house.gateway).discrepancies == ()
    return referral(house, referral_id).state


def bodies(house: House) -> list[Any]:
    return [json.loads(parcel.body) for parcel in house.destination.received]


# What becomes of it, by where it stood.


def test_what_is_queued_is_stopped_and_never_leaves(house: House) -> None:
    own = accepted(house)
    answer = take_back(house, own)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "revoked")
    assert state(house, own) is ReferralState.CLOSED
    assert referral(house, own).closed_because == CANCELLED
    assert (work(house), house.destination.received) == (0, [])
    assert kinds(house)[-3:] == ["referral.cancelled", "delivery.stopped", "referral.closed"]


def test_whoever_has_it_is_told_to_stop_and_nothing_of_the_person(house: House) -> None:
    own = accepted(house)
    work(house)
    assert take_back(house, own).status_code == 200
    assert state(house, own) is ReferralState.RECALLING
    work(house)
    assert state(house, own) is ReferralState.CLOSED
    _, recall = bodies(house)
    (task,) = [entry["resource"] for entry in recall["entry"]]
    assert task["code"]["coding"][0]["code"] == "abort"
    assert task["focus"]["identifier"] == task["groupIdentifier"]
    assert task["groupIdentifier"]["value"] == referral(house, own).reference
    text = json.dumps(recall)
    assert not [value for value in (NHS_NUMBER, "Test", "Patient/") if value in text]
    assert kinds(house)[-5:] == [
        "referral.cancelled", "recall.queued", "recall.released", "recall.sent", "referral.closed",
    ]  # fmt: skip
    (released,) = entries(house, "recall.released")
    assert released["payload_sha256"] == house.destination.received[1].body_sha256


def test_what_is_held_is_closed_and_its_hold_resolved(house: House) -> None:
    own = accepted(house)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    assert state(house, own) is ReferralState.HELD
    take_back(house, own)
    assert state(house, own) is ReferralState.CLOSED
    assert entries(house, "hold.resolved")[0]["resolution"] == CANCELLED


@pytest.mark.parametrize(
    ("failure", "may_have_it"),
    [
        (None, True),
        (NoReplyError("lost"), True),
        (DestinationUnreachableError("off"), False),
        (DestinationBusyError("later"), False),
        (DestinationRefusedError("no"), False),
    ],
    ids=["delivered", "no-reply", "unreachable", "busy", "refused"],
)
def test_what_is_under_way_ends_first_and_is_recalled_where_it_may_have_arrived(
    house: House, failure: DeliveryError | None, *, may_have_it: bool
) -> None:
    own = accepted(house)
    house.destination.failures.append(_MeanwhileError(house, own, failure))
    assert deliver_next("worker", house.gateway)
    expected = ReferralState.RECALLING if may_have_it else ReferralState.CLOSED
    assert state(house, own) is expected
    work(house)
    assert state(house, own) is ReferralState.CLOSED
    assert len(entries(house, "recall.sent")) == may_have_it


class _MeanwhileError(Exception):
    """Takes the referral back while its attempt is under way, then goes on as told."""

    def __init__(self, house: House, own: str, failure: DeliveryError | None) -> None:
        super().__init__()
        self.act: Callable[[], Any] = lambda: take_back(house, own)
        self.then = failure


@pytest.fixture(autouse=True)
def _a_provider_that_is_interrupted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = house.destination.send

    def send(parcel: Any, *, deadline: float) -> Any:
        failures = house.destination.failures
        if failures and isinstance(failures[0], _MeanwhileError):
            meanwhile = failures.pop(0)
            assert isinstance(meanwhile, _MeanwhileError)
            assert meanwhile.act().status_code == 200
            if meanwhile.then is not None:
                raise meanwhile.then
        return real(parcel, deadline=deadline)

    monkeypatch.setattr(house.destination, "send", send)


def test_what_is_taken_back_between_claim_and_release_does_not_leave(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = accepted(house)
    real = claim.claim_due  # the moment in between has no other handle

    def then_taken_back(worker: str, gateway: Any) -> Any:
        claimed = real(worker, gateway)
        assert take_back(house, own).status_code == 200
        return claimed

    monkeypatch.setattr(deliver, "claim_due", then_taken_back)
    assert deliver_next("worker", house.gateway)
    assert house.destination.received == []
    assert state(house, own) is ReferralState.CLOSED
    assert kinds(house)[-2:] == ["delivery.stopped", "referral.closed"]


def test_an_attempt_whose_worker_died_counts_as_arrived(house: House) -> None:
    own = accepted(house)
    house.destination.failures.append(KeyboardInterrupt())  # type: ignore[arg-type]  # its end
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker", house.gateway)
    take_back(house, own)
    assert state(house, own) is ReferralState.IN_FLIGHT
    house.clock.move(minutes=5)
    work(house)
    assert state(house, own) is ReferralState.CLOSED
    assert [
        body["entry"][0]["resource"]["code"]["coding"][0]["code"] for body in bodies(house)
    ] == ["abort"]


def test_an_earlier_attempt_that_got_no_answer_is_recalled_too(house: House) -> None:
    own = accepted(house)
    house.destination.failures += [NoReplyError("lost"), DestinationUnreachableError("off")]
    for _ in range(2):
        work(house)
        house.clock.move(minutes=1)
    take_back(house, own)
    assert state(house, own) is ReferralState.RECALLING


def test_a_recall_that_cannot_be_brought_is_a_persons_task_and_is_tried_again(
    house: House,
) -> None:
    own = accepted(house)
    work(house)
    take_back(house, own)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    assert state(house, own) is ReferralState.HELD
    replay_referral(referral(house, own).reference, house.gateway)
    assert state(house, own) is ReferralState.RECALLING
    work(house)
    assert state(house, own) is ReferralState.CLOSED
    assert len(house.destination.received) == 2


def test_a_recall_that_is_tried_again_is_the_same_to_the_byte(house: House) -> None:
    """Its provider tells a repeat by the key, and whoever signs it by the bytes."""
    own = accepted(house)
    work(house)
    take_back(house, own)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    house.clock.move(minutes=10)
    replay_referral(referral(house, own).reference, house.gateway)
    work(house)
    first, again = entries(house, "recall.released")
    assert first["delivery"] == again["delivery"]
    assert first["payload_sha256"] == again["payload_sha256"]


def test_a_recall_is_tried_until_it_arrives(house: House) -> None:
    own = accepted(house)
    work(house)
    take_back(house, own)
    house.destination.failures += [DestinationBusyError("later"), NoReplyError("lost")]
    for _ in range(3):
        work(house)
        house.clock.move(minutes=10)
    assert state(house, own) is ReferralState.CLOSED
    first, second = (p for p in house.destination.received)
    assert first.delivery.id != second.delivery.id


def test_what_the_rules_closed_stays_closed_and_the_books_balance(house: House) -> None:
    own = accepted(house)
    house.apply(agreements=[house.directory["agreements"][0] | {"status": "withdrawn"}])
    work(house)
    reason = referral(house, own).closed_because
    assert take_back(house, own).status_code == 200
    assert state(house, own) is ReferralState.CLOSED
    assert referral(house, own).closed_because == reason != CANCELLED
    assert len(entries(house, "referral.closed")) == 1


@pytest.mark.parametrize("how", ["at the next attempt", "at a replay"])
def test_what_the_rules_refuse_is_recalled_where_it_may_have_arrived(
    house: House, how: str
) -> None:
    own = accepted(house)
    house.destination.failures.append(NoReplyError("lost"))
    if how == "at a replay":
        house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    house.clock.move(minutes=1)
    if how == "at a replay":
        work(house)
    house.apply(agreements=[house.directory["agreements"][0] | {"status": "withdrawn"}])
    if how == "at a replay":
        assert state(house, own) is ReferralState.HELD
        replay_referral(referral(house, own).reference, house.gateway)
    work(house)
    assert state(house, own) is ReferralState.CLOSED
    assert referral(house, own).closed_because == "AGREEMENT_NOT_IN_FORCE"
    (task,) = [body["entry"][0]["resource"] for body in bodies(house)]
    assert task["reasonCode"]["coding"][0]["code"] == "AGREEMENT_NOT_IN_FORCE"


def test_a_recall_says_why_at_every_attempt(house: House) -> None:
    own = accepted(house)
    work(house)
    take_back(house, own)
    house.destination.failures.append(NoReplyError("lost"))
    work(house)
    house.clock.move(minutes=1)
    work(house)
    task = bodies(house)[-1]["entry"][0]["resource"]
    assert task["reasonCode"]["coding"][0]["code"] == CANCELLED


# Who may, and when.


def test_another_practice_cannot_take_it_back(house: House) -> None:
    own = accepted(house)
    read = house.get(f"/ServiceRequest/{own}").get_json()
    sent = read | {"status": "revoked"}
    answer = house.put(f"/ServiceRequest/{own}", sent, client="gp-two", If_Match='W/"1"')
    assert answer.status_code == 404
    assert state(house, own) is ReferralState.QUEUED


def test_it_is_taken_back_once(house: House) -> None:
    own = accepted(house)
    take_back(house, own)
    answer = take_back(house, own, "entered-in-error")
    assert (answer.status_code, issues(answer)) == (409, [("conflict", None)])
    assert len(entries(house, "referral.cancelled")) == 1


@pytest.mark.parametrize(
    ("etag", "status", "code"),
    [('W/"2"', 412, "conflict"), ("", 400, "required"), ("*", 400, "required")],
)
def test_the_version_that_was_read_must_be_the_present_one(
    house: House, etag: str, status: int, code: str
) -> None:
    own = accepted(house)
    answer = take_back(house, own, If_Match=etag)
    assert (answer.status_code, issues(answer)[0][0]) == (status, code)
    assert state(house, own) is ReferralState.QUEUED


@pytest.mark.parametrize(
    "change",
    [{"status": "active"}, {"status": "revoked", "priority": "stat"}, {"status": "completed"}],
)
def test_nothing_else_of_a_referral_can_be_changed(house: House, change: dict[str, str]) -> None:
    own = accepted(house)
    read = house.get(f"/ServiceRequest/{own}")
    answer = house.put(f"/ServiceRequest/{own}", read.get_json() | change, If_Match='W/"1"')
    assert (answer.status_code, issues(answer)[0][0]) == (422, "not-supported")
    assert state(house, own) is ReferralState.QUEUED


def test_every_version_can_be_read(house: House) -> None:
    own = accepted(house)
    house.clock.move(minutes=1)
    take_back(house, own)
    first, second, now = (
        house.get(f"/ServiceRequest/{own}{end}") for end in ("/_history/1", "/_history/2", "")
    )
    assert (first.get_json()["status"], first.headers["ETag"]) == ("active", 'W/"1"')
    assert (second.get_json()["status"], second.headers["ETag"]) == ("revoked", 'W/"2"')
    assert now.get_json() == second.get_json()
    assert house.get(f"/ServiceRequest/{own}/_history/3").status_code == 404
    history = house.get(f"/ServiceRequest/{own}/_history").get_json()
    assert [e["resource"]["meta"]["versionId"] for e in history["entry"]] == ["2", "1"]
    assert [e["request"]["method"] for e in history["entry"]] == ["PUT", "POST"]


def test_a_search_tells_what_is_active(house: House) -> None:
    own, other = accepted(house), accepted(house)
    take_back(house, own)

    def found(status: str) -> set[str]:
        page = house.get("/ServiceRequest", status=status).get_json()
        return {entry["resource"]["id"] for entry in page.get("entry", [])}

    assert found("revoked") == {own}
    assert found("active") == {other}
    assert found("active,revoked") == {own, other}
    assert found("draft") == set()


# By message.


def sent_by_message(house: House, **how: Any) -> tuple[Any, Any]:
    """A referral that came by message, and the synchronous answer."""
    message = bars_message(**how)
    answer = house.post("/$process-message", message, **bars_headers())
    assert answer.status_code == 200
    return message, answer.get_json()


def cancellation(message: Any, **request: Any) -> Any:
    """The message that takes another back: the same parts that its definition asks for."""
    kept = ("MessageHeader", "ServiceRequest", "Patient", "Organization")
    parts = json.loads(json.dumps(message))
    parts["entry"] = [e for e in parts["entry"] if e["resource"]["resourceType"] in kept]
    header, service_request_ = parts["entry"][0]["resource"], parts["entry"][1]["resource"]
    header["definition"] = DEFINITION
    header["reason"]["coding"][0]["code"] = "update"
    service_request_["status"] = "revoked"
    service_request_["reasonCode"] = [{"text": "No longer needed"}]
    service_request_.pop("identifier", None)
    for name in ("basedOn", "encounter"):
        service_request_.pop(name, None)
    service_request_.update(request)
    return parts


def cancel(house: House, message: Any, **headers: str) -> Any:
    return house.post("/$process-message", message, **(bars_headers() | headers))


def own_id(answer: Any) -> str:
    return str(
        next(
            e["resource"]["id"]
            for e in answer["entry"]
            if e["resource"]["resourceType"] == "ServiceRequest"
        )
    )


@pytest.mark.parametrize("found_by", ["id", "identifier", "reference", "origin"])
@pytest.mark.parametrize("reason", ["update", "delete"])
def test_a_message_takes_a_referral_back_by_each_of_its_names(
    house: House, found_by: str, reason: str
) -> None:
    message = bars_message()
    message["entry"][1]["resource"]["identifier"] = [
        {"system": "https://gp.example/referral", "value": "17"}
    ]
    answer = cancel(house, message).get_json()
    own = own_id(answer)
    names: dict[str, dict[str, Any]] = {
        "id": {"id": own},
        "identifier": {"identifier": message["entry"][1]["resource"]["identifier"]},
        "reference": {
            "identifier": [
                {
                    "system": "https://fhir.referral-gateway.example/Id/referral-reference",
                    "value": referral(house, own).reference,
                }
            ]
        },
        "origin": {},
    }
    sent = cancellation(message, **names[found_by])
    sent["entry"][0]["resource"]["reason"]["coding"][0]["code"] = reason
    if found_by != "origin":
        sent["entry"][1]["fullUrl"] = f"urn:uuid:{uuid.uuid4()}"
        sent["entry"][0]["resource"]["focus"][0]["reference"] = sent["entry"][1]["fullUrl"]
    told = cancel(house, sent)
    assert told.status_code == 200, told.get_json()
    assert own_id(told.get_json()) == own
    assert referral(house, own).status is RequestStatus.REVOKED
    shown = house.get(f"/ServiceRequest/{own}").get_json()
    assert shown["reasonCode"][-1] == {"text": "No longer needed"}


def test_a_message_about_no_referral_that_is_known_is_not_found(house: House) -> None:
    message, _ = sent_by_message(house)
    sent = cancellation(message, id=str(uuid.uuid4()))
    sent["entry"][1]["fullUrl"] = f"urn:uuid:{uuid.uuid4()}"
    sent["entry"][0]["resource"]["focus"][0]["reference"] = sent["entry"][1]["fullUrl"]
    answer = cancel(house, sent)
    assert (answer.status_code, issues(answer)) == (404, [("not-found", None)])


def test_a_message_about_another_person_changes_nothing(house: House) -> None:
    message, answer = sent_by_message(house)
    sent = cancellation(message, id=own_id(answer))
    person = next(
        e["resource"] for e in sent["entry"] if e["resource"]["resourceType"] == "Patient"
    )
    person["identifier"] = patient(number="9990000026")["identifier"]
    told = cancel(house, sent)
    assert (told.status_code, issues(told)[0][0]) == (400, "invariant")
    assert not referral(house, own_id(answer)).is_cancelled


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        ({"identifier": None}, True),
        ({"identifier": None, "name": [{"family": "TESTPERSON"}]}, True),
        ({"identifier": None, "name": [{"family": "Somebody"}]}, False),
        ({"identifier": None, "birthDate": "1901-01-01"}, False),
        ({"identifier": None, "birthDate": None}, False),
        ({"birthDate": "1901-01-01"}, False),
        ({"birthDate": None, "name": [{"family": "Married-Name"}]}, True),
    ],
)
def test_the_person_is_shown_by_number_or_by_name_and_birth(
    house: House, change: dict[str, Any], *, is_taken: bool
) -> None:
    message, answer = sent_by_message(house)
    sent = cancellation(message, id=own_id(answer))
    person = next(
        e["resource"] for e in sent["entry"] if e["resource"]["resourceType"] == "Patient"
    )
    for name, value in change.items():
        person.pop(name, None)
        person |= {name: value} if value else {}
    told = cancel(house, sent)
    assert told.status_code == (200 if is_taken else 400), told.get_json()
    assert referral(house, own_id(answer)).is_cancelled is is_taken


def test_a_form_that_names_another_person_takes_nothing_back(house: House) -> None:
    own = accepted(house)
    read = house.get(f"/ServiceRequest/{own}").get_json() | {"status": "revoked"}
    read["contained"][0]["name"][0]["family"] = "Somebody"
    answer = house.put(f"/ServiceRequest/{own}", read, If_Match='W/"1"')
    assert (answer.status_code, issues(answer)[0][0]) == (422, "not-supported")
    assert state(house, own) is ReferralState.QUEUED


def test_the_origin_is_found_in_another_spelling(house: House) -> None:
    message, answer = sent_by_message(house)
    sent = cancellation(message)
    source = sent["entry"][0]["resource"]["source"]
    source["endpoint"] = source["endpoint"].replace(
        "https://fhir.nhs.uk/Id", "http://fhir.nhs.uk/id"
    )
    assert cancel(house, sent).status_code == 200
    assert referral(house, own_id(answer)).is_cancelled


def test_a_message_to_another_service_takes_nothing_back(house: House) -> None:
    message, answer = sent_by_message(house)
    text = json.dumps(cancellation(message, id=own_id(answer)))
    other = text.replace(OH_SERVICE, PHARMACY_SERVICE).encode()
    told = house.post("/$process-message", other, **bars_headers(PHARMACY_SERVICE))
    assert told.status_code == 404
    assert not referral(house, own_id(answer)).is_cancelled


def test_an_id_and_an_identifier_of_two_referrals_name_none(house: House) -> None:
    messages = []
    for value in ("one", "two"):
        message = bars_message()
        message["entry"][1]["resource"]["identifier"] = [
            {"system": "https://gp.example/referral", "value": value}
        ]
        messages.append((message, cancel(house, message).get_json()))
    sent = cancellation(
        messages[0][0],
        id=own_id(messages[0][1]),
        identifier=messages[1][0]["entry"][1]["resource"]["identifier"],
    )
    answer = cancel(house, sent)
    assert (answer.status_code, issues(answer)) == (404, [("multiple-matches", None)])


def test_a_message_twice_is_a_conflict_and_its_repeat_a_duplicate(house: House) -> None:
    message, answer = sent_by_message(house)
    sent, ids = cancellation(message, id=own_id(answer)), {"X-Request-Id": str(uuid.uuid4())}
    body = json.dumps(sent).encode()
    assert cancel(house, body, **ids).status_code == 200
    again = cancel(house, body, **ids)
    assert (again.status_code, issues(again)) == (409, [("duplicate", None)])
    anew = cancel(house, body)
    assert (anew.status_code, issues(anew)) == (409, [("conflict", None)])


def test_names_that_fit_two_referrals_name_none(house: House) -> None:
    shared = [{"system": "https://gp.example/referral", "value": "the-same"}]
    messages = []
    for _ in range(2):
        message = bars_message()
        message["entry"][1]["resource"]["identifier"] = shared
        assert cancel(house, message).status_code == 200
        messages.append(message)
    sent = cancellation(messages[0], identifier=shared)
    answer = cancel(house, sent)
    assert (answer.status_code, issues(answer)) == (404, [("multiple-matches", None)])


def test_a_referral_of_another_practice_is_not_found_by_message(house: House) -> None:
    message, answer = sent_by_message(house)
    execute(house, "UPDATE referral SET practice = :other", other=OTHER_PRACTICE)
    told = cancel(house, cancellation(message, id=own_id(answer)))
    assert told.status_code == 404


def test_a_refused_cancellation_keeps_nothing(house: House) -> None:
    message, _ = sent_by_message(house)
    before = counts(house)
    sent = cancellation(message, status="active")
    answer = cancel(house, sent)
    assert (answer.status_code, issues(answer)[0]) == (
        400,
        ("invariant", "Bundle.entry[1].resource.status"),
    )
    assert counts(house) == before
