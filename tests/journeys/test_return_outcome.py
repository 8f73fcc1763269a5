"""What a provider says of a referral: who may, in which order, and what becomes of it."""

import json
from typing import Any

import pytest
from lxml import etree

from gateway.journey.check_ledger import check_ledger
from gateway.journey.reconcile import reconcile
from gateway.referral.lifecycle import ReferralState
from gateway.referral.outcome import OutcomeKind, Standing
from gateway.store import outcomes
from tests.builders.evidence import entries, referral, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, PRACTICE
from tests.builders.returning import (
    CODED,
    answer_letter,
    brought,
    report,
    report_letter,
    say,
    takes_documents,
    told,
    with_letters,
)


def kept(house: House, own: str) -> list[Any]:
    with house.gateway.store.reading() as view:
        return outcomes.of_referral(view, own)  # type: ignore[arg-type]


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        report.ok for report in check_ledger(house.gateway, lambda _rows: None)
    )


def test_a_state_that_the_provider_says_is_what_the_practice_sees(house: House) -> None:
    own, task = brought(house)
    answer = say(house, task, **told(OutcomeKind.ACCEPTED))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    seen = house.get(f"/Task/{task}").get_json()
    assert seen["status"] == "accepted"
    assert "accepted" in [each["code"] for each in seen["businessStatus"]["coding"]]
    assert [each.kind for each in kept(house, own)] == [OutcomeKind.ACCEPTED]
    (entry,) = entries(house, "outcome.received")
    assert (entry["outcome"], entry["door"], entry["actor"]) == ("accepted", "rest", "oh-one")
    assert referral(house, own).state is ReferralState.DELIVERED
    assert is_sound(house)


def test_a_rejection_with_its_reason_closes_the_referral(house: House) -> None:
    own, task = brought(house)
    reason = {
        "coding": [
            {"system": "https://fhir.nhs.uk/CodeSystem/rejected-reasons-bars", "code": "101"}
        ]
    }
    answer = say(house, task, **told(OutcomeKind.REJECTED, statusReason=reason))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert referral(house, own).state is ReferralState.CLOSED
    assert house.get(f"/Task/{own}").get_json()["status"] == "rejected"
    again = say(house, task, **told(OutcomeKind.ACCEPTED))
    assert again.status_code == 409
    assert "it can say nothing" in again.get_json()["issue"][0]["diagnostics"]
    (refused,) = entries(house, "outcome.refused")
    assert refused["code"] == "ILLEGAL_MOVE"
    assert is_sound(house)


def codes_in(body: bytes) -> list[str]:
    """Read the names of clinical resources in the bytes of a message, by another reader."""
    clinical = {
        "Observation", "Condition", "AllergyIntolerance", "Procedure", "MedicationRequest",
        "MedicationStatement", "MedicationDispense", "Immunization", "Flag", "ClinicalImpression",
    }  # fmt: skip
    return [
        etree.QName(each).localname
        for each in etree.fromstring(body).iter(etree.Element)
        if etree.QName(each).localname in clinical
    ]


def test_a_letter_goes_to_the_practice_as_a_document(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    answer = say(house, task, **report())
    assert answer.status_code == 200, answer.get_data(as_text=True)
    work(house)
    (parcel,) = mesh.sent
    assert parcel.control is not None
    assert parcel.control.to.startswith(f"GPPROVIDER_{NHS_NUMBER}_")
    assert parcel.control.workflow == "GPCONNECT_SEND_DOCUMENT"
    assert codes_in(parcel.body) == []
    (outcome,) = kept(house, own)
    assert (outcome.standing, outcome.row, outcome.kept) == (Standing.SENT_ON, 7, None)
    released = entries(house, "delivery.released")[-1]
    assert released["recipient"] == PRACTICE
    assert is_sound(house)


def test_codes_of_an_oh_provider_arrive_as_a_document_with_the_reason(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    answer = say(house, task, **report(CODED))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    issue = answer.get_json()["issue"][0]
    assert issue["details"]["coding"][0]["code"] == "ACCESS_DENIED"
    work(house)
    (parcel,) = mesh.sent
    assert codes_in(parcel.body) == []
    (outcome,) = kept(house, own)
    assert (outcome.standing, outcome.kept) == (Standing.SENT_ON, "text-only")
    with house.gateway.store.reading() as view:
        assert b"271649006" in outcomes.body_of(view, outcome)
    refused, fallback = entries(house, "writeback.refused"), entries(house, "writeback.fallback")
    assert [each["route"] for each in refused] == ["update-record"]
    assert fallback == []
    assert is_sound(house)


def test_the_same_bytes_again_are_the_same_outcome(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    etag = house.get(f"/Task/{task}", client="oh-one").headers["ETag"]
    tree = house.get(f"/Task/{task}", client="oh-one").get_json() | report()
    first = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    again = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    assert (first.status_code, again.status_code) == (200, 200)
    work(house)
    assert len(mesh.sent) == 1
    assert len(kept(house, own)) == 1


def test_an_outcome_of_an_older_version_is_refused(house: House) -> None:
    own, task = brought(house)
    old = house.get(f"/Task/{task}", client="oh-one").headers["ETag"]
    say(house, task, **told(OutcomeKind.ACCEPTED))
    late = say(house, task, etag=old, **told(OutcomeKind.BOOKED))
    assert late.status_code == 412
    assert len(kept(house, own)) == 1


def test_an_outcome_about_another_person_is_refused_and_noted(house: House) -> None:
    own, task = brought(house)
    answer = say(house, task, **report(number="9990000026"))
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert kept(house, own) == []
    (entry,) = entries(house, "outcome.refused")
    assert entry["code"] == "ANOTHER_PERSON"
    assert "9990000026" not in json.dumps(entries(house))


def test_another_provider_finds_nothing(house: House) -> None:
    _, task = brought(house)
    tree = house.get(f"/Task/{task}", client="oh-one").get_json()
    answer = house.put(f"/Task/{task}", tree, client="gp-two", If_Match='W/"1"')
    assert answer.status_code == 404


@pytest.mark.parametrize(("code", "state"), [("20013", "infrastructure"), ("30001", "business")])
def test_each_answer_of_the_practice_is_kept_for_what_it_is(
    house: House, code: str, state: str
) -> None:
    mesh = with_letters(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    letter = mesh.sent[0].delivery.id
    assert answer_letter(house, letter, code).value == "on-record"
    with house.gateway.store.reading() as view:
        from gateway.store import letters

        found = letters.get(view, letter)
    assert getattr(found, state) == code
    done = entries(house, "writeback.done")
    assert len(done) == (code == "30001")
    assert is_sound(house)


@pytest.mark.parametrize("code", ["20009", "30002", "20015"])
def test_a_document_that_comes_back_is_for_a_person(house: House, code: str) -> None:
    mesh = with_letters(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    answer_letter(house, mesh.sent[0].delivery.id, code)
    work(house)
    assert len(mesh.sent) == 1, "it is not sent again by itself"
    (reminder,) = entries(house, "reminder.opened")
    assert (reminder["code"], reminder["owner"]) == ("LETTER_CAME_BACK", "operator")
    assert is_sound(house)


def test_a_document_that_nobody_collects_is_for_a_person(house: House) -> None:
    mesh = with_letters(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    report_letter(house, "MESH0001", "14")
    (reminder,) = entries(house, "reminder.opened")
    assert reminder["code"] == "LETTER_CAME_BACK"
    assert len(mesh.sent) == 1
    assert is_sound(house)


def test_a_later_version_replaces_the_document_that_went(house: House) -> None:
    mesh = with_letters(house)
    _, task = brought(house)
    say(house, task, **report())
    work(house)
    answer = say(house, task, **report(named="L-2", replaces="L-1"))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    work(house)
    first, later = mesh.sent
    tree = etree.fromstring(later.body)
    space = {"f": "http://hl7.org/fhir"}
    version = tree.xpath("//f:Composition/f:meta/f:versionId/@value", namespaces=space)
    replaced = tree.xpath(
        "//f:Composition/f:relatesTo/f:targetIdentifier/f:value/@value", namespaces=space
    )
    before = etree.fromstring(first.body).xpath(
        "//f:Composition/f:identifier/f:value/@value", namespaces=space
    )
    assert version == ["2"]
    assert replaced == before


def test_without_a_way_for_letters_a_person_brings_it(house: House) -> None:
    house.apply(practices=takes_documents(house))
    own, task = brought(house)
    answer = say(house, task, **report())
    assert answer.status_code == 200, answer.get_data(as_text=True)
    (outcome,) = kept(house, own)
    assert outcome.standing is Standing.SENT_ON
    (reminder,) = entries(house, "reminder.opened")
    assert reminder["code"] == "BY_HAND"
    (fallback,) = entries(house, "writeback.fallback")
    assert fallback["route"] == "letter"
    assert is_sound(house)


def test_a_report_that_is_marked_confidential_is_not_sent_at_all(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    marked = report()
    marked["contained"][0]["securityLabel"] = [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
                     "code": "R"}]}
    ]  # fmt: skip
    answer = say(house, task, **marked)
    assert answer.status_code == 403, answer.get_data(as_text=True)
    work(house)
    assert mesh.sent == []
    (outcome,) = kept(house, own)
    assert outcome.standing is Standing.KEPT
    assert house.get(f"/Task/{task}").get_json()["status"] == "received"
