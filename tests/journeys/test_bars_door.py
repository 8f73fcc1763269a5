"""A referral through the BaRS door: the same bundle comes back with our ids, once."""

from tests.builders.evidence import counts, entries, issues, kinds, nhs_codes, the_referral
from tests.builders.house import House
from tests.builders.messages import (
    BARS_USE_CASES,
    PHARMACY_SERVICE,
    bars_headers,
    bars_message,
    consent,
    implied_consent,
)


def test_an_accepted_message_comes_back_with_an_id_on_every_resource(house: House) -> None:
    sent = bars_message()
    answer = house.post("/$process-message", sent, **bars_headers())
    body = answer.get_json()
    assert answer.status_code == 200
    returned = [dict(e["resource"]) for e in body["entry"]]
    ids = [resource.pop("id") for resource in returned]
    assert len(set(ids)) == len(ids)
    assert returned[:-1] == [e["resource"] for e in sent["entry"]]
    assert (body["id"], body["timestamp"]) == (sent["id"], sent["timestamp"])


def test_the_answer_adds_a_planned_encounter_with_the_reference_to_quote(house: House) -> None:
    body = house.post("/$process-message", bars_message(), **bars_headers()).get_json()
    own, added = the_referral(house), body["entry"][-1]["resource"]
    assert (added["resourceType"], added["status"]) == ("Encounter", "planned")
    assert added["identifier"][0]["value"] == own.reference
    assert own.id in {e["resource"]["id"] for e in body["entry"]}


def test_both_ids_of_a_message_come_back(house: House) -> None:
    headers = bars_headers()
    answer = house.post("/$process-message", bars_message(), **headers)
    for name in ("X-Request-Id", "X-Correlation-Id"):
        assert answer.headers[name] == headers[name]


def test_a_held_message_brings_its_on_hold_task(house: House) -> None:
    sent = bars_message(consents=[consent(status="proposed")])
    answer = house.post("/$process-message", sent, **bars_headers())
    task = answer.get_json()["entry"][-1]["resource"]
    assert answer.status_code == 200
    assert (task["resourceType"], task["status"]) == ("Task", "on-hold")
    assert kinds(house) == ["referral.received", "decision.made", "hold.opened"]


def test_a_repeated_message_is_a_duplicate_and_one_referral(house: House) -> None:
    sent, headers = bars_message(), bars_headers()
    assert house.post("/$process-message", sent, **headers).status_code == 200
    answer = house.post("/$process-message", sent, **headers)
    assert (answer.status_code, issues(answer)) == (409, [("duplicate", None)])
    assert nhs_codes(answer) == {"REC_CONFLICT"}
    assert counts(house)["referral"] == 1


def test_occupational_health_under_implied_consent_is_refused(house: House) -> None:
    sent = bars_message(consents=[implied_consent()])
    answer = house.post("/$process-message", sent, **bars_headers())
    assert (answer.status_code, issues(answer)) == (422, [("business-rule", None)])
    assert nhs_codes(answer) == {"NO_PATIENT_CONSENT", "REC_UNPROCESSABLE_ENTITY"}
    assert kinds(house) == ["decision.made"]


def test_a_repeated_refusal_of_a_message_is_the_same_refusal(house: House) -> None:
    sent, headers = bars_message(consents=[implied_consent()]), bars_headers()
    first, second = (house.post("/$process-message", sent, **headers) for _ in range(2))
    assert (first.status_code, first.get_json()["issue"]) == (
        second.status_code,
        second.get_json()["issue"],
    )
    assert kinds(house) == ["decision.made"]


def test_direct_care_by_a_pharmacy_needs_implied_consent_only(house: House) -> None:
    sent = bars_message(
        service=PHARMACY_SERVICE, use_case=(BARS_USE_CASES, "a5t1"), consents=[implied_consent()]
    )
    answer = house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))
    assert answer.status_code == 200
    assert the_referral(house).purpose == "direct-care"


def test_a_use_case_is_known_in_any_case_and_by_the_older_spelling_of_its_system(
    house: House,
) -> None:
    use_case = (BARS_USE_CASES.replace("https:", "http:"), "A5T1")
    sent = bars_message(service=PHARMACY_SERVICE, use_case=use_case, consents=[implied_consent()])
    answer = house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))
    assert answer.status_code == 200


def test_a_message_whose_use_case_its_service_does_not_offer_is_refused(house: House) -> None:
    sent = bars_message(use_case=(BARS_USE_CASES, "a5t1"))
    answer = house.post("/$process-message", sent, **bars_headers())
    assert (answer.status_code, issues(answer)) == (
        422,
        [("not-supported", "Bundle.entry[1].resource.category")],
    )
    assert entries(house, "referral.rejected")[0]["door"] == "bars"
    assert counts(house)["referral"] == 0
