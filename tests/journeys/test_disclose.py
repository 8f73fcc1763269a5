"""Who was shown what is on record before it is shown, and no number of anybody stands there."""

import pytest

from tests.builders.evidence import entries, execute, id_in
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, PRACTICE, service_request
from tests.builders.register import register

BY_NUMBER = {"patient:identifier": f"https://fhir.nhs.uk/Id/nhs-number|{NHS_NUMBER}"}


@pytest.fixture
def lived(house: House) -> House:
    house.post("/ServiceRequest", service_request())
    return house


def read(house: House) -> list[tuple[str, str | None, int]]:
    return [(e["interaction"], e["referral"], e["size"]) for e in entries(house, "record.read")]


@pytest.mark.parametrize(
    ("path", "interaction"),
    [("", "read"), ("/_history", "history"), ("/_history/1", "vread")],
)
def test_each_way_to_read_a_referral_is_an_entry(lived: House, path: str, interaction: str) -> None:
    own = entries(lived, "referral.received")[0]
    assert lived.get(f"/ServiceRequest/{own['referral']}{path}").status_code == 200
    assert read(lived) == [(interaction, own["referral"], 1)]
    (said,) = entries(lived, "record.read")
    assert (said["actor"], said["practice"]) == ("gp-one", PRACTICE)
    assert said["subject"] == own["subject"]


def test_a_search_is_an_entry_for_each_person_found(lived: House) -> None:
    lived.post("/ServiceRequest", service_request())
    assert lived.get("/ServiceRequest", **BY_NUMBER).status_code == 200
    assert read(lived) == [("search", None, 2)]
    assert lived.get("/Task").status_code == 200
    assert len(entries(lived, "record.read")) == 2


def test_what_is_not_found_or_not_own_is_an_entry_without_a_person(lived: House) -> None:
    own = entries(lived, "referral.received")[0]["referral"]
    assert lived.get(f"/ServiceRequest/{own}", client="gp-two").status_code == 404
    assert lived.get(f"/Task/{own}", client="gp-two").status_code == 404
    assert lived.get("/ServiceRequest", client="gp-two", **BY_NUMBER)
    found = entries(lived, "record.read")
    assert [(e["subject"], e["size"]) for e in found] == [(None, 0)] * 3


def test_a_consent_is_shown_on_record(lived: House) -> None:
    own = register(lived)
    assert lived.get(f"/Consent/{own}").status_code == 200
    assert lived.get("/Consent", status="active").status_code == 200
    one, page = entries(lived, "record.read")
    assert (one["consent"], one["interaction"], one["size"]) == (own, "read", 1)
    assert (page["consent"], page["interaction"], page["size"]) == (own, "search", 1)


def test_two_numbers_that_are_asked_for_give_the_same_hash(house: House) -> None:
    for number in ("9990000018", "9990000026"):
        token = f"https://fhir.nhs.uk/Id/nhs-number|{number}"
        house.get("/ServiceRequest", **{"patient:identifier": token})
    first, second = entries(house, "record.read")
    assert first["query_sha256"] == second["query_sha256"]


def test_what_cannot_be_recorded_is_not_shown(lived: House) -> None:
    location = lived.post("/ServiceRequest", service_request()).headers["Location"]
    own = id_in(location)
    lived.bearer()
    execute(lived, "ALTER TABLE ledger_head RENAME TO hidden_head")
    for path, asked in (
        (f"/ServiceRequest/{own}", {}),
        ("/ServiceRequest", BY_NUMBER),
        (f"/Task/{own}", {}),
    ):
        answer = lived.get(path, **asked)
        assert answer.status_code >= 500
        assert NHS_NUMBER not in answer.get_data(as_text=True)
