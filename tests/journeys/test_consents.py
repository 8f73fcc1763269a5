"""The consent register: a practice records, supersedes and withdraws, and decisions follow."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from gateway.consent.register import HeldConsent
from gateway.journey.replay import replay_referral
from gateway.referral.identifiers import Handle
from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.referral.sharing import Moment
from gateway.store import consents, tables
from tests.builders.evidence import (
    entries,
    execute,
    nhs_codes,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import START, House
from tests.builders.messages import NHS_NUMBER, ODS, PROVIDER, consent, patient, service_request
from tests.builders.register import (
    NAMES,
    NHS,
    change,
    register,
    to_register,
    withdraw,
)

OTHER_NUMBER = "9990000026"
NOW = Moment(at=START, is_now=True)


def own_entries(house: House) -> list[dict[str, Any]]:
    return [entry for entry in entries(house) if entry["kind"].startswith("consent.")]


def subject_of(house: House) -> Handle:
    (handle,) = {entry["subject"] for entry in own_entries(house)}
    return Handle(handle)


def seen(house: House, moment: Moment) -> list[HeldConsent]:
    with house.gateway.store.reading() as view:
        return consents.held(view, subject_of(house), moment)


def later(house: House, **by: float) -> None:
    """Let time pass; a token may have lapsed by then."""
    house.clock.move(**by)
    house.tokens.clear()


def statuses(house: House, moment: Moment) -> list[tuple[int, str]]:
    return [(each.version, str(each.tree["status"])) for each in seen(house, moment)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# Recording and reading.


def test_a_recorded_consent_is_answered_with_its_place_and_its_version(house: House) -> None:
    answer = house.post("/Consent", to_register("C-1"))
    made = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/Consent/{made['id']}/_history/1")
    assert (answer.headers["ETag"], made["meta"]["versionId"]) == ('W/"1"', "1")
    assert {k: v for k, v in made.items() if k not in ("id", "meta")} == to_register("C-1")
    assert house.get(f"/Consent/{made['id']}").get_json() == made


def test_the_ledger_says_which_consent_counts_from_when_and_nothing_of_what_it_says(
    house: House,
) -> None:
    own = register(house, to_register("C-1"))
    later(house, days=1)
    change(house, own, dateTime="2026-11-22T12:00:00Z")
    change(house, own, status="inactive")
    change(house, own, status="entered-in-error")
    told = own_entries(house)
    assert [entry["kind"] for entry in told] == [
        "consent.recorded",
        "consent.superseded",
        "consent.withdrawn",
        "consent.error",
    ]
    assert {entry["consent"] for entry in told} == {own}
    assert [entry["version"] for entry in told] == [1, 2, 3, 4]
    assert [at(entry["effective_at"]) for entry in told] == [
        at("2026-10-30T10:00:00+00:00"),
        at("2026-11-22T12:00:00+00:00"),
        START + timedelta(days=1),
        at("2026-10-30T10:00:00+00:00"),
    ]
    assert NHS_NUMBER not in json.dumps(told)


def test_every_version_stays_readable_as_it_was_sent(house: House) -> None:
    own = register(house, to_register("C-1"))
    later(house, hours=1)
    withdraw(house, own)
    history = house.get(f"/Consent/{own}/_history").get_json()
    assert [e["resource"]["status"] for e in history["entry"]] == ["inactive", "active"]
    assert [e["request"]["method"] for e in history["entry"]] == ["PUT", "POST"]
    assert history["entry"][0]["request"]["url"] == f"Consent/{own}"
    assert house.get(f"/Consent/{own}/_history/1").get_json()["status"] == "active"
    assert house.get(f"/Consent/{own}").get_json()["status"] == "inactive"
    for version in ("0", "3", "x"):
        assert house.get(f"/Consent/{own}/_history/{version}").status_code == 404


def test_another_practice_cannot_change_a_consent(house: House) -> None:
    own = register(house)
    tree = house.get(f"/Consent/{own}").get_json() | {"status": "inactive"}
    answer = house.put(f"/Consent/{own}", tree, client="gp-two", If_Match='W/"1"')
    assert answer.status_code == 404
    assert statuses(house, NOW) == [(1, "active")]


def test_what_is_kept_of_a_consent_is_sealed(house: House) -> None:
    register(house, to_register("C-1"))
    with house.gateway.store.reading() as view:
        rows = [
            repr(tuple(row))
            for table in (tables.consent, tables.consent_version, tables.consent_identifier)
            for row in view.connection.execute(select(table))
        ]
    assert not [row for row in rows if NHS_NUMBER in row or "C-1" in row or "OPTIN" in row]


# What is refused.


def test_two_consents_of_a_practice_do_not_have_one_identifier(house: House) -> None:
    own = register(house, to_register("C-1"))
    answer = house.post("/Consent", to_register("C-1"))
    assert answer.status_code == 409
    assert "PUT" in answer.get_json()["issue"][0]["diagnostics"]
    other = register(house, to_register("C-2"))
    taken = [{"system": NAMES, "value": "C-1"}]
    assert change(house, other, identifier=taken).status_code == 409
    assert change(house, own, identifier=taken).status_code == 200
    register(house, to_register("C-1"), client="gp-two")


def test_the_identifier_of_one_entered_in_error_is_free_again(house: House) -> None:
    own = register(house, to_register("C-1"))
    assert change(house, own, status="entered-in-error").status_code == 200
    register(house, to_register("C-1"))


def test_a_change_names_the_version_that_was_read(house: House) -> None:
    own = register(house)
    tree = house.get(f"/Consent/{own}").get_json() | {"status": "inactive"}
    assert house.put(f"/Consent/{own}", tree).status_code == 400
    assert house.put(f"/Consent/{own}", tree, If_Match='W/"2"').status_code == 412
    assert house.put(f"/Consent/{own}", tree, If_Match='W/"1"').status_code == 200
    assert house.put(f"/Consent/{own}", tree, If_Match='W/"1"').status_code == 412
    assert statuses(house, NOW) == [(2, "inactive")]


# Repeats, and what the sender wishes to hear.


def test_a_repeated_request_is_answered_as_the_first_and_records_nothing(house: House) -> None:
    ids = {"X_Request_Id": str(uuid.uuid4())}
    answers = [house.post("/Consent", to_register("C-1"), **ids) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].get_json() == answers[1].get_json()
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert len(own_entries(house)) == 1
    assert house.post("/Consent", to_register("C-2"), **ids).status_code == 409


def test_a_repeated_change_is_answered_as_the_first_and_records_nothing(house: House) -> None:
    own = register(house)
    tree = house.get(f"/Consent/{own}").get_json() | {"status": "inactive"}
    ids = {"X_Request_Id": str(uuid.uuid4()), "If_Match": 'W/"1"'}
    answers = [house.put(f"/Consent/{own}", tree, **ids) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.headers["ETag"] for answer in answers] == ['W/"2"', 'W/"2"']
    assert len(own_entries(house)) == 2


# Searching.


def test_consents_are_found_by_person_name_status_id_and_time(house: House) -> None:
    mine = register(house, to_register("C-1"))
    other = register(house, to_register("C-2", number=OTHER_NUMBER))
    later(house, hours=1)
    withdraw(house, other)

    def found(**query: str) -> list[str]:
        bundle = house.get("/Consent", **query).get_json()
        return [entry["resource"]["id"] for entry in bundle.get("entry", [])]

    assert found(**{"patient:identifier": f"{NHS}|{NHS_NUMBER}"}) == [mine]
    assert found(**{"patient.identifier": f"{NHS}|{OTHER_NUMBER}"}) == [other]
    assert found(**{"patient:identifier": f"{NHS}|9990000034"}) == []
    assert found(identifier=f"{NAMES}|C-1") == found(identifier="C-1") == [mine]
    assert found(identifier="C-1,C-2") == [mine, other]
    assert found(status="inactive") == [other]
    assert found(status="active,inactive") == [mine, other]
    assert found(_id=other) == [other]
    assert found(_lastUpdated="ge2026-11-22T10:00:00Z") == [other]
    assert found(_lastUpdated="lt2026-11-22T10:00:00Z") == [mine]
    assert found(**{"patient:identifier": f"{NHS}|{NHS_NUMBER}", "status": "rejected"}) == []


def test_a_consent_is_found_by_the_names_of_all_its_versions(house: House) -> None:
    own = register(house, to_register("C-1"))
    change(house, own, identifier=[{"system": NAMES, "value": "C-2"}])
    for name in ("C-1", "C-2"):
        (entry,) = house.get("/Consent", identifier=f"{NAMES}|{name}").get_json()["entry"]
        assert entry["resource"]["id"] == own


def test_pages_follow_each_other_and_their_links_name_nobody(house: House) -> None:
    made = []
    for number in range(3):
        made.append(register(house, to_register(f"C-{number}")))
        later(house, minutes=1)
    query = {"patient:identifier": f"{NHS}|{NHS_NUMBER}", "_count": "2"}
    first = house.get("/Consent", **query).get_json()
    assert (first["total"], len(first["entry"])) == (3, 2)
    links = {link["relation"]: link["url"] for link in first["link"]}
    assert NHS_NUMBER not in json.dumps(first["link"])
    path = links["next"].removeprefix("http://gateway.example")
    second = house.web.get(path, headers=house.bearer()).get_json()
    both = [e["resource"]["id"] for e in first["entry"] + second["entry"]]
    assert both == made
    nobody = house.get("/Consent", **{"patient:identifier": f"{NHS}|9990000034"}).get_json()
    assert nobody["link"] == [{"relation": "self", "url": "http://gateway.example/FHIR/R4/Consent"}]


# As of when.


def test_each_moment_sees_the_newest_version_that_was_known_and_in_effect(house: House) -> None:
    own = register(house, to_register(dateTime="2026-10-01T09:00:00Z"))
    later(house, days=1)
    change(house, own, status="inactive", dateTime="2026-11-20T09:00:00Z")
    later(house, days=1)
    change(house, own, status="active")
    second, third = START + timedelta(days=1), START + timedelta(days=2)
    hour = timedelta(hours=1)
    assert statuses(house, Moment(at=at("2026-09-30T09:00:00Z"))) == []
    assert statuses(house, Moment(at=at("2026-11-19T09:00:00Z"))) == [(1, "active")]
    assert statuses(house, Moment(at=START)) == [(2, "inactive")]
    assert statuses(house, Moment(at=START, known_at=START)) == [(1, "active")]
    assert statuses(house, Moment(at=third, known_at=second)) == [(2, "inactive")]
    assert statuses(house, Moment(at=third - hour)) == [(2, "inactive")]
    assert statuses(house, Moment(at=third)) == [(3, "active")]


def test_what_was_entered_in_error_is_so_at_every_moment_once_it_is_known(house: House) -> None:
    own = register(house)
    later(house, days=1)
    change(house, own, status="entered-in-error")
    before = at("2026-11-01T09:00:00Z")
    assert statuses(house, Moment(at=before)) == [(2, "entered-in-error")]
    assert statuses(house, Moment(at=before, known_at=START)) == [(1, "active")]


def test_a_withdrawal_dated_before_its_consent_counts_from_its_recording(house: House) -> None:
    own = register(house)
    later(house, days=1)
    change(house, own, status="inactive", dateTime="2026-01-01")
    assert statuses(house, Moment(at=START + timedelta(hours=23))) == [(1, "active")]
    assert statuses(house, Moment(at=START + timedelta(days=1))) == [(2, "inactive")]


def test_two_versions_of_the_same_instant_count_in_their_order(house: House) -> None:
    own = register(house, to_register(dateTime=None))
    withdraw(house, own)
    change(house, own, status="active")
    withdraw(house, own)
    assert statuses(house, Moment(at=START)) == [(4, "inactive")]


def test_a_withdrawal_counts_at_once_though_the_clock_was_set_back(house: House) -> None:
    own = register(house, to_register(dateTime=None))
    house.clock.move(minutes=-3)
    withdraw(house, own)
    assert statuses(house, Moment(at=house.clock.now, is_now=True)) == [(2, "inactive")]
    house.clock.move(minutes=-3)
    change(house, own, status="entered-in-error")
    assert statuses(house, Moment(at=house.clock.now, is_now=True)) == [(3, "entered-in-error")]


def test_a_held_consent_stands_by_itself_and_keeps_its_earlier_names(house: House) -> None:
    provider = {
        "resourceType": "Organization",
        "id": "provider",
        "identifier": [{"system": ODS, "value": PROVIDER}],
    }
    tree = to_register("C-1", contained=[provider, patient()], patient={"reference": "#patient"})
    tree["performer"] = [{"reference": "#patient"}]
    tree["provision"]["actor"][0]["reference"] = {"reference": "#provider"}
    own = register(house, tree)
    change(house, own, identifier=None)
    (held,) = seen(house, NOW)
    assert "contained" not in held.tree
    assert {each.value for each in held.names} == {"C-1"}
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 201


# Decisions.


def test_a_referral_without_a_consent_goes_on_the_one_that_the_register_holds(
    house: House,
) -> None:
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 403
    own = register(house)
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 201
    work(house)
    assert the_delivery(house).state is DeliveryState.DELIVERED
    assert len(house.destination.received) == 1
    withdraw(house, own)
    answer = house.post("/ServiceRequest", service_request(consents=[]))
    assert answer.status_code == 403
    assert "NO_PATIENT_CONSENT" in nhs_codes(answer)


def test_the_register_of_one_practice_says_nothing_to_another(house: House) -> None:
    agreement = house.directory["agreements"][0]
    house.apply(agreements=[agreement, agreement | {"id": "dsa-two-oh", "practice": "G99002"}])
    register(house)
    tree = service_request(consents=[], requester="G99002", person=patient(practice="G99002"))
    assert house.post("/ServiceRequest", tree, client="gp-two").status_code == 403


def test_a_consent_of_somebody_else_covers_nobody(house: House) -> None:
    register(house, to_register(number=OTHER_NUMBER))
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 403


def test_a_withdrawal_stops_what_is_queued_before_it_leaves(house: House) -> None:
    own = register(house)
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 201
    withdraw(house, own)
    work(house)
    assert house.destination.received == []
    assert the_delivery(house).state is DeliveryState.STOPPED
    assert the_referral(house).state is ReferralState.CLOSED


def test_a_withdrawn_consent_stops_the_copy_of_it_that_a_message_carries(house: House) -> None:
    name = [{"system": NAMES, "value": "C-1"}]
    own = register(house, to_register("C-1"))
    copy = consent() | {"identifier": name}
    assert house.post("/ServiceRequest", service_request(consents=[copy])).status_code == 201
    withdraw(house, own)
    work(house)
    assert house.destination.received == []
    refused = house.post("/ServiceRequest", service_request(consents=[copy]))
    assert refused.status_code == 403


def test_a_withdrawal_of_another_consent_holds_for_a_person(house: House) -> None:
    """Two Consents that say different things: nobody can tell which counts (K13)."""
    own = register(house)
    withdraw(house, own)
    answer = house.post("/ServiceRequest", service_request())
    assert answer.status_code == 202
    assert the_referral(house).state is ReferralState.HELD


def test_a_refusal_for_another_provider_does_not_block(house: House) -> None:
    register(house, to_register(to="RX909", status="rejected"))
    assert house.post("/ServiceRequest", service_request()).status_code == 201


def test_a_refusal_for_everybody_holds_what_a_message_permits(house: House) -> None:
    register(house, to_register(status="rejected", provision=None))
    assert house.post("/ServiceRequest", service_request()).status_code == 202


def test_consent_given_anew_permits_again_on_replay(house: House) -> None:
    own = register(house, to_register(status="proposed"))
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 202
    later(house, minutes=5)
    assert change(house, own, status="active", dateTime="2026-11-22T09:04:00Z").status_code == 200
    replay_referral(the_referral(house).reference, house.gateway)
    work(house)
    assert len(house.destination.received) == 1


def test_consent_withdrawn_and_given_anew_while_a_referral_is_held_permits_on_replay(
    house: House,
) -> None:
    own = register(house)
    first, *rest = house.directory["services"]
    house.apply(services=[first | {"accepting": False}, *rest])
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 202
    house.apply(services=[first, *rest])
    withdraw(house, own)
    assert change(house, own, status="active").status_code == 200
    replay_referral(the_referral(house).reference, house.gateway)
    work(house)
    assert len(house.destination.received) == 1


def test_what_is_replayed_after_a_withdrawal_does_not_leave(house: House) -> None:
    own = register(house)
    first, *rest = house.directory["services"]
    house.apply(services=[first | {"accepting": False}, *rest])
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 202
    house.apply(services=[first, *rest])
    withdraw(house, own)
    replay_referral(the_referral(house).reference, house.gateway)
    work(house)
    assert house.destination.received == []
    assert entries(house, "decision.made")[-1]["effect"] == "DENY"


def test_a_consent_from_the_future_does_not_beat_the_withdrawal_of_the_same_instant(
    house: House,
) -> None:
    own = register(house, to_register("C-1"))
    later(house, minutes=10)
    withdraw(house, own)
    for ahead in ("2026-11-22T09:14:59Z", "2026-11-22T23:14:59+14:00"):
        name = [{"system": NAMES, "value": "C-1"}]
        mine = consent() | {"identifier": name, "dateTime": ahead}
        answer = house.post("/ServiceRequest", service_request(consents=[mine]))
        assert answer.status_code == 202, ahead
    assert house.destination.received == []


def test_a_withdrawal_that_names_another_provider_still_withdraws_for_the_first(
    house: House,
) -> None:
    own = register(house)
    elsewhere = to_register(to="RX909")["provision"]
    assert change(house, own, status="inactive", provision=elsewhere).status_code == 200
    assert [each["status"] for each in seen(house, NOW)[0].earlier] == ["active"]
    assert house.post("/ServiceRequest", service_request()).status_code == 202
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 403


def test_a_form_in_the_message_is_met_by_the_signed_one_in_the_register(house: House) -> None:
    form = consent() | {"status": "proposed"}
    assert house.post("/ServiceRequest", service_request(consents=[form])).status_code == 202
    later(house, minutes=5)
    register(house, to_register("C-1"))
    replay_referral(the_referral(house).reference, house.gateway)
    work(house)
    assert len(house.destination.received) == 1


@pytest.mark.parametrize("offset", ["Z", "+14:00", "-14:00"])
def test_the_ends_of_the_calendar_are_no_failure_of_ours(house: House, offset: str) -> None:
    first, last = f"0001-01-01T00:00:00{offset}", f"9999-12-31T23:59:59{offset}"
    own = register(house, to_register("C-1", dateTime=first))
    assert change(house, own, dateTime=first, status="inactive").status_code == 200
    assert change(house, own, dateTime=last).status_code == 400
    assert house.post("/Consent", to_register("C-2", dateTime=last)).status_code == 400
    for end in (first, last):
        for changes in ({"dateTime": end}, {"provision": of_period(start=end, end=end)}):
            mine = service_request(consents=[consent() | changes])
            assert house.post("/ServiceRequest", mine).status_code < 500, changes


@pytest.mark.parametrize("offset", ["Z", "+14:00", "-14:00"])
def test_a_question_as_of_an_end_of_the_calendar_is_no_failure_of_ours(
    house: House, offset: str
) -> None:
    """A time outside the calendar in UTC may be refused, and is not stumbled over."""
    register(house)
    for end in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"):
        asked = [
            {"name": "resource", "resource": service_request()},
            {"name": "at", "valueInstant": end + offset},
            {"name": "known", "valueCode": "now"},
        ]
        sent = {"resourceType": "Parameters", "parameter": asked}
        answer = house.post("/ServiceRequest/$explain", sent)
        taken = {200} if offset == "Z" else {200, 400}
        assert answer.status_code in taken, answer.get_data(as_text=True)


def of_period(**bounds: str) -> dict[str, Any]:
    provision: dict[str, Any] = consent()["provision"]
    return provision | {"period": bounds, "dataPeriod": bounds}


def test_a_proxy_in_the_register_holds_as_one_in_a_message_does(house: House) -> None:
    register(house, to_register(performer=[{"reference": "RelatedPerson/1"}]))
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 202


def test_a_reference_of_a_held_consent_is_never_taken_for_one_of_the_message(
    house: House,
) -> None:
    """Both call somebody #provider; only the message's is the provider."""
    tree = to_register()
    tree["provision"]["actor"][0]["reference"] = {"reference": "#provider"}
    tree["contained"] = [
        {"resourceType": "Organization", "id": "provider",
         "identifier": [{"system": ODS, "value": "RX909"}]},
    ]  # fmt: skip
    register(house, tree)
    message = service_request(consents=[])
    message["contained"].append(
        {"resourceType": "Organization", "id": "provider",
         "identifier": [{"system": ODS, "value": PROVIDER}]},
    )  # fmt: skip
    message["supportingInfo"] = [{"reference": "#provider"}]
    assert house.post("/ServiceRequest", message).status_code == 202


def test_a_damaged_consent_stops_the_release_and_says_nothing_of_it(house: House) -> None:
    register(house)
    assert house.post("/ServiceRequest", service_request(consents=[])).status_code == 201
    execute(house, "UPDATE consent_version SET sealed_body = (SELECT wrapped_key FROM consent)")
    answer = house.post("/ServiceRequest", service_request(consents=[]))
    assert answer.status_code == 500
    assert NHS_NUMBER not in answer.get_data(as_text=True)
    work(house)
    assert house.destination.received == []


# Two at once.


def at_once(house: House, ask: Callable[[FlaskClient], Any]) -> list[int]:
    """Ask the same of the door in several threads; return the statuses, in order."""
    house.bearer()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, house.app.test_client()) for _ in range(4)]
        return sorted(each.result().status_code for each in waiting)


def test_of_several_changes_of_one_version_one_is_taken(house: House) -> None:
    own = register(house)
    tree = house.get(f"/Consent/{own}").get_json() | {"status": "inactive"}
    headers = house.bearer() | {"Content-Type": "application/fhir+json", "If-Match": 'W/"1"'}

    def put(web: FlaskClient) -> Any:
        return web.put(f"/FHIR/R4/Consent/{own}", data=json.dumps(tree), headers=headers)

    assert at_once(house, put) == [200, 412, 412, 412]
    assert statuses(house, NOW) == [(2, "inactive")]
    assert len(own_entries(house)) == 2


def test_of_several_consents_of_one_identifier_one_is_taken(house: House) -> None:
    headers = house.bearer() | {"Content-Type": "application/fhir+json"}
    body = json.dumps(to_register("C-1"))

    def post(web: FlaskClient) -> Any:
        return web.post("/FHIR/R4/Consent", data=body, headers=headers)

    assert at_once(house, post) == [201, 409, 409, 409]
    assert len(own_entries(house)) == 1
