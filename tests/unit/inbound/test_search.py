"""Searches that cannot be understood are refused by name, and never repeat the value."""

import base64
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.inbound.search import period
from tests.builders.embedded import embedded_house
from tests.builders.evidence import issues
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, patient, service_request

BASE = "/FHIR/R4"
NHS = "https://fhir.nhs.uk/Id/nhs-number"
OTHER_NUMBER = "9990000026"
PERSON = {
    "patient:name": "Testperson",
    "patient:birthdate": "1990-02-03",
    "patient:address-postalcode": "ZZ99 3WZ",
}


def place(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "required"),
        ({"_count": "1"}, "required"),
        ({"name": "Testperson"}, "not-supported"),
        ({"patient:identifier": NHS_NUMBER}, "value"),
        ({"patient:identifier": f"https://x.example|{NHS_NUMBER}"}, "value"),
        ({"patient:identifier": f"{NHS}|12"}, "value"),
        ({"patient:identifier": ""}, "value"),
        ({"patient:identifier": [f"{NHS}|{NHS_NUMBER}", f"{NHS}|{OTHER_NUMBER}"]}, "value"),
        (
            {
                "patient:identifier": f"{NHS}|{NHS_NUMBER}",
                "patient.identifier": f"{NHS}|{OTHER_NUMBER}",
            },
            "value",
        ),
        ({"identifier": NHS_NUMBER}, "value"),
        ({"identifier": f"{NHS}|{NHS_NUMBER}"}, "value"),
        ({"identifier": ["https://x.example|1", "https://x.example|2"]}, "value"),
        ({"_id": ""}, "value"),
        ({"_id": "1"}, "value"),
        ({"_id": str(uuid.UUID(int=1)), "status": "finished"}, "value"),
        ({"_subject": "me"}, "value"),
        ({"_lastUpdated": "yesterday"}, "value"),
        ({"_lastUpdated": "zz2026-01-01"}, "value"),
        ({"_lastUpdated": "ge26"}, "value"),
        ({"_lastUpdated": "2026-13"}, "value"),
        ({"_lastUpdated": "1899"}, "value"),
        ({"_lastUpdated": "ne2026-01-01"}, "not-supported"),
        ({"_lastUpdated": "ap2026"}, "not-supported"),
        (PERSON | {"patient:birthdate": "1990-99-02"}, "value"),
        (PERSON | {"patient:birthdate": "1990-02-30"}, "value"),
        (PERSON | {"patient.birthdate": "1990-02-03"}, "value"),
        ({**PERSON, "patient:birthdate": "1990"}, "value"),
        ({"_lastUpdated": "2026-02-30"}, "value"),
        ({"_lastUpdated": "9999-12-31"}, "value"),
        ({"_lastUpdated": "0001-01-01T00:00:00+14:00"}, "value"),
        ({"_lastUpdated": "2026-01-01", "_count": "0"}, "value"),
        ({"_lastUpdated": "2026-01-01", "_count": "many"}, "value"),
        ({"_lastUpdated": "2026-01-01", "_after": "%"}, "value"),
        ({"_lastUpdated": "2026-01-01", "_after": place("no|place")}, "value"),
        (
            {"_lastUpdated": "2026-01-01", "_after": place(f"0001-01-01T00:00|{uuid.UUID(int=1)}")},
            "value",
        ),
    ],
    ids=str,
)
def test_a_search_that_cannot_be_understood_is_refused_by_name(
    door: House, query: dict[str, Any], code: str
) -> None:
    paths = ["/ServiceRequest"] + (["/Task"] if "_lastUpdated" in query else [])
    for path in paths:
        answer = door.get(path, **query)
        assert (answer.status_code, issues(answer)) == (400, [(code, None)])
        text = answer.get_data(as_text=True)
        assert NHS_NUMBER not in text
        assert "Testperson" not in text
        assert "1990" not in text


@pytest.mark.parametrize(
    ("text", "since", "before"),
    [
        ("2026", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("2026-11", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("2026-12", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("eq2028-02-29", "2028-02-29T00:00", "2028-03-01T00:00"),
        ("gt2026", "2027-01-01T00:00", None),
        ("sa2026", "2027-01-01T00:00", None),
        ("ge2026-12", "2026-12-01T00:00", None),
        ("sa2026-12", "2027-01-01T00:00", None),
        ("sa2026-11-22T09:00:00Z", "2026-11-22T09:00:00.000001", None),
        ("lt2026-12", None, "2026-12-01T00:00"),
        ("eb2026-12", None, "2026-12-01T00:00"),
        ("le2026-12", None, "2027-01-01T00:00"),
        ("eb2026", None, "2026-01-01T00:00"),
    ],
)
def test_a_date_is_the_whole_period_that_it_names(
    text: str, since: str | None, before: str | None
) -> None:
    ends = [datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None
            for end in (since, before)]  # fmt: skip
    assert list(period({"_lastUpdated": [text]})) == ends


def self_link(answer: Any) -> str:
    assert answer.status_code == 200
    links = {link["relation"]: link["url"] for link in answer.get_json()["link"]}
    return str(links["self"]).removeprefix("http://gateway.example/FHIR/R4")


def test_the_link_of_a_search_for_a_person_finds_the_same_again(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        for person in (patient(), patient(), patient(OTHER_NUMBER)):
            assert house.post("/ServiceRequest", service_request(person=person)).status_code == 201
        for number, found in ((NHS_NUMBER, 2), (OTHER_NUMBER, 1)):
            query = {"patient:identifier": f"{NHS}|{number}", "status": "active"}
            answer = house.get("/ServiceRequest", **query)
            link = self_link(answer)
            assert "_subject=" in link
            assert "status=active" in link
            assert (number in link, "patient" in link) == (False, False)
            again = house.web.get(BASE + link, headers=house.bearer())
            assert self_link(again) == link
            assert again.get_json()["total"] == answer.get_json()["total"] == found


def test_the_link_of_a_search_for_a_person_who_is_not_there(door: House) -> None:
    nobody = {"patient:identifier": f"{NHS}|{OTHER_NUMBER}", "status": "active"}
    assert self_link(door.get("/ServiceRequest", **nobody)) == "/ServiceRequest"
    link = self_link(door.get("/ServiceRequest", **PERSON, _count="3"))
    assert set(parse_qs(urlsplit(link).query)) == {"_person", "_count"}
    assert self_link(door.web.get(BASE + link, headers=door.bearer())) == link


def test_a_count_has_no_pages(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        for _ in range(2):
            house.post("/ServiceRequest", service_request())
        for summary, relations in (("count", ["self"]), ("false", ["self", "next"])):
            answer = house.get("/ServiceRequest", status="active", _count="1", _summary=summary)
            bundle = answer.get_json()
            assert bundle["total"] == 2
            assert [link["relation"] for link in bundle["link"]] == relations


def test_a_page_is_no_longer_than_the_limit(door: House) -> None:
    answer = door.get("/Task", _count="999999")
    assert answer.status_code == 200
