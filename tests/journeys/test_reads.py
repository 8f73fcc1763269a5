"""Reading back: a practice its own referrals, an owner its own hops, in pages, and no more."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.builders.evidence import (
    id_in,
    issues,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, consent, patient, service_request

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OTHER_NUMBER = "9990000026"


def send(house: House, number: str | None = NHS_NUMBER) -> Any:
    return house.post("/ServiceRequest", service_request(person=patient(number)))


def found(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.get_json()
    return [e["resource"]["id"] for e in answer.get_json().get("entry", [])]


def follow(house: House, answer: Any) -> Any:
    """Follow the next link as any FHIR client does: exactly as it is written."""
    (link,) = [x["url"] for x in answer.get_json()["link"] if x["relation"] == "next"]
    parts = urlsplit(link)
    return house.get(parts.path.removeprefix("/FHIR/R4"), **dict(parse_qsl(parts.query)))


def has_next(answer: Any) -> bool:
    return any(x["relation"] == "next" for x in answer.get_json()["link"])


def test_a_referral_is_read_at_its_location_and_by_its_id(house: House) -> None:
    created = send(house)
    location = created.headers["Location"].removeprefix("http://gateway.example/FHIR/R4")
    for path in (location, f"/ServiceRequest/{the_referral(house).id}"):
        answer = house.get(path)
        assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
        assert answer.get_json() == created.get_json()


@pytest.mark.parametrize("version", ["0", "2", "01", "latest"])
def test_a_version_that_never_was_is_not_found(house: House, version: str) -> None:
    own = id_in(send(house).headers["Location"])
    assert house.get(f"/ServiceRequest/{own}/_history/{version}").status_code == 404


def test_another_practices_referral_is_not_found(house: House) -> None:
    own = id_in(send(house).headers["Location"])
    for client in ("gp-two", "oh-one"):
        answer = house.get(f"/ServiceRequest/{own}", client=client)
        assert (answer.status_code, issues(answer)) == (404, [("not-found", None)])
        search = house.get("/ServiceRequest", client=client, _id=own)
        assert found(search) == []


@pytest.mark.parametrize("own", ["7a2c6f6e-51d4-4a41-9f0e-1f6f0c1d7a02", "seventeen", "9990000018"])
def test_an_id_that_is_nobodys_is_not_found(house: House, own: str) -> None:
    for path in (f"/ServiceRequest/{own}", f"/Task/{own}"):
        answer = house.get(path)
        assert (answer.status_code, issues(answer)) == (404, [("not-found", None)])
        assert own not in answer.get_data(as_text=True)


def test_a_referral_is_found_by_person_identifier_id_and_our_own_reference(house: House) -> None:
    created = send(house)
    send(house, OTHER_NUMBER)
    own = id_in(created.headers["Location"])
    sent, ours = [f"{i['system']}|{i['value']}" for i in created.get_json()["identifier"]]
    for query in (
        {"patient:identifier": f"{NHS}|{NHS_NUMBER}"},
        {"patient.identifier": f"{NHS.replace('https', 'http')}|{NHS_NUMBER}"},
        {"identifier": sent},
        {"identifier": sent.partition("|")[2]},
        {"ServiceRequest.identifier": f"https://x.example|0,{sent}"},
        {"identifier": ours},
        {"_id": own, "status": "active,revoked"},
        {"_id": own, "patient:identifier": f"{NHS}|{NHS_NUMBER}", "identifier": sent},
    ):
        answer = house.get("/ServiceRequest", **query)
        assert found(answer) == [own], query
        assert answer.get_json()["total"] == 1
    everything = found(house.get("/ServiceRequest", status="active"))
    assert own in everything
    assert len(everything) == 2


def test_what_does_not_fit_all_conditions_is_not_found(house: House) -> None:
    own = id_in(send(house).headers["Location"])
    for query in (
        {"_id": own, "patient:identifier": f"{NHS}|{OTHER_NUMBER}"},
        {"_id": own, "status": "completed"},
        {"_id": own, "_lastUpdated": "lt2026-11-22"},
        {"_id": own, "identifier": "https://x.example|0"},
        {"_id": own, "_subject": "0" * 32, "patient:identifier": f"{NHS}|{NHS_NUMBER}"},
    ):
        assert found(house.get("/ServiceRequest", **query)) == [], query


BY_TIME = [
    (["2026-11-22"], True),
    (["eq2026-11-22T09:00:00Z"], True),
    (["ge2026-11-22T10:00:00+01:00"], True),
    (["gt2026-11-22T09:00:00Z"], False),
    (["gt2026-11-21"], True),
    (["gt2026-11-22"], False),
    (["le2026-11-22"], True),
    (["lt2026-11-22T09:00:00Z"], False),
    (["ge2026-11-22", "lt2026-11-23"], True),
    (["ge2026-11-23", "ge2026-11-01"], False),
    (["lt2026-11-01", "lt2026-12-01"], False),
]


def test_a_search_by_time_compares_with_when_the_content_came(house: House) -> None:
    send(house)
    house.clock.move(minutes=5)
    work(house)  # a delivery moves the referral, and leaves its content as it was
    for texts, is_found in BY_TIME:
        for answer in (
            house.get("/ServiceRequest", _lastUpdated=texts),
            house.web.get(  # a plus sign that nobody escaped arrives as a blank
                "/FHIR/R4/ServiceRequest?" + "&".join(f"_lastUpdated={t}" for t in texts),
                headers=house.bearer(),
            ),
        ):
            assert bool(found(answer)) is is_found, texts


def test_pages_follow_each_other_and_hold_each_referral_once(house: House) -> None:
    sent = {id_in(send(house).headers["Location"]) for _ in range(5)}
    page = house.get("/ServiceRequest", _lastUpdated="ge2026-01-01", _count="2")
    seen = found(page)
    while has_next(page):
        page = follow(house, page)
        assert page.get_json()["total"] == 5
        seen += found(page)
    assert (len(seen), set(seen)) == (5, sent)


def test_the_next_page_of_one_persons_referrals_is_about_that_person(house: House) -> None:
    # The link once left the person out, so that its page was about everybody.
    mine = {id_in(send(house).headers["Location"]) for _ in range(3)}
    for _ in range(3):
        send(house, OTHER_NUMBER)
    query = {"patient:identifier": f"{NHS}|{NHS_NUMBER}", "_lastUpdated": "ge2026-01-01"}
    page = house.get("/ServiceRequest", _count="2", **query)
    rest = follow(house, page)
    assert set(found(page)) | set(found(rest)) == mine
    assert rest.get_json()["total"] == 3


def test_no_link_carries_an_nhs_number(house: House) -> None:
    for _ in range(2):
        send(house)
    query = {"patient:identifier": f"{NHS}|{NHS_NUMBER}"}
    links = json.dumps(house.get("/ServiceRequest", _count="1", **query).get_json()["link"])
    assert "next" in links
    assert NHS_NUMBER not in links


def test_a_practice_follows_its_referral_and_its_delivery(house: House) -> None:
    send(house)
    own, hop = the_referral(house), the_delivery(house)
    assert house.get(f"/Task/{own.id}").get_json()["status"] == "accepted"
    assert house.get(f"/Task/{hop.id}").get_json()["status"] == "requested"
    work(house)
    answer = house.get(f"/Task/{hop.id}")
    assert answer.get_json()["status"] == "received"
    assert answer.headers["ETag"] == f'W/"{the_delivery(house).version}"'


def test_a_provider_sees_a_delivery_once_it_has_it_and_nothing_else(house: House) -> None:
    send(house)
    own, hop = the_referral(house), the_delivery(house)
    assert house.get(f"/Task/{hop.id}", client="oh-one").status_code == 404
    assert found(house.get("/Task", client="oh-one")) == []
    work(house)
    assert house.get(f"/Task/{hop.id}", client="oh-one").status_code == 200
    assert found(house.get("/Task", client="oh-one")) == [hop.id]
    assert house.get(f"/Task/{own.id}", client="oh-one").status_code == 404
    assert house.get(f"/Task/{hop.id}", client="gp-two").status_code == 404


def test_tasks_come_in_pages_oldest_move_first(house: House) -> None:
    for _ in range(3):
        send(house)
        house.clock.move(seconds=1)
    page = house.get("/Task", _count="4")
    seen = found(page)
    rest = follow(house, page)
    seen += found(rest)
    assert (len(seen), len(set(seen)), has_next(rest)) == (6, 6, False)
    since = house.get("/Task", _lastUpdated="ge2026-11-22T09:00:02Z")
    assert len(found(since)) == 2
    assert found(house.get("/Task", _lastUpdated="lt2026-11-22T09:00:00Z")) == []


def test_a_held_hop_says_why_and_until_when(house: House) -> None:
    house.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
    task = house.get(f"/Task/{the_referral(house).id}").get_json()
    assert task["status"] == "on-hold"
    assert task["statusReason"]["coding"][0]["code"] == "CONSENT_NOT_YET_GIVEN"


def test_a_closed_hop_says_why(house: House) -> None:
    send(house)
    house.apply(agreements=[house.directory["agreements"][0] | {"status": "withdrawn"}])
    work(house)
    task = house.get(f"/Task/{the_referral(house).id}").get_json()
    assert task["statusReason"]["coding"][0]["code"] == "AGREEMENT_NOT_IN_FORCE"
    hop = house.get(f"/Task/{the_delivery(house).id}").get_json()
    assert hop["statusReason"]["coding"][0]["code"] == "AGREEMENT_NOT_IN_FORCE"
