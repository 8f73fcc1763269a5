"""Searches that cannot be understood are refused by name, and never repeat the value."""

import base64
import uuid
from typing import Any

import pytest

from tests.builders.evidence import issues
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OTHER_NUMBER = "9990000026"


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


def test_a_page_is_no_longer_than_the_limit(door: House) -> None:
    answer = door.get("/Task", _count="999999")
    assert answer.status_code == 200
