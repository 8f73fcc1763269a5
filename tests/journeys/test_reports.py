"""A report's copies walk alone: each is shown, answered, released or kept for itself."""

import base64
import json
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from gateway.journey.check_ledger import check_ledger
from gateway.journey.erase import Authority, erase_subject
from gateway.journey.reconcile import reconcile
from gateway.referral.outcome import Standing
from gateway.store import outcomes
from gateway.store.tables import metadata
from tests.builders.evidence import entries, referral, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, PRACTICE, PROVIDER
from tests.builders.register import register, to_register, withdraw
from tests.builders.reporting import (
    EMPLOYER,
    HR,
    NATIONAL,
    NOTE,
    TO_EMPLOYER,
    TO_GP,
    a_report,
    copies,
    do,
    get,
    post,
    refused,
    reported,
    with_employers,
)
from tests.builders.returning import brought, say, with_letters

CANARY = "wombatitis"


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        report.ok for report in check_ledger(house.gateway, lambda _rows: None)
    )


def sight(house: House) -> list[str]:
    """What the ledger says of the person's sight, in order."""
    return [
        entry["kind"].removeprefix("report.sight.")
        for entry in entries(house)
        if entry["kind"].startswith("report.sight.")
    ]


def test_a_copy_for_an_employer_is_offered_shown_agreed_to_and_released(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER, note=NOTE)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    assert do(house, copy, "offer")["next"]["why"] == "offer-not-answered"
    assert do(house, copy, "answer", version=1, answer="asks-sight")["next"]["step"] == "show"
    assert do(house, copy, "shown", version=1)["next"]["why"] == "not-answered"
    assert do(house, copy, "answer", version=1, answer="agrees")["next"]["step"] == "release"
    shown = get(house, f"/{copy}/text").get_json()
    assert do(house, copy, "release", version=1)["state"] == "released"
    assert sight(house) == ["offered", "seen", "agreed", "released"]
    document = get(house, f"/{copy}/document", _format="json").get_json()
    assert document["document"] == shown["document"]
    (released,) = entries(house, "report.sight.released")
    assert released["recipient"] == EMPLOYER
    assert released["payload_sha256"] == shown["text_sha256"]
    (decided,) = [
        e for e in entries(house, "decision.made") if e["decision"] == document["decision"]
    ]
    assert (decided["stage"], decided["effect"]) == ("write-back", "PERMIT")
    assert (decided["recipient"], decided["payload_sha256"]) == (EMPLOYER, shown["text_sha256"])
    assert get(house, f"/{copy}/document").data.startswith(b"%PDF-")
    assert is_sound(house)


def test_each_recipient_needs_a_consent_of_its_own(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    employer, hr = copies(house, task, ("employer", EMPLOYER), ("hr", HR))
    for copy in (employer, hr):
        do(house, copy, "answer", version=1, answer="declines-sight")
    assert do(house, employer, "release", version=1)["state"] == "released"
    assert "sharing rules hold" in refused(house, hr, "release", version=1)
    assert get(house, f"/{hr}").get_json()["state"] == "draft"
    (kept,) = entries(house, "outcome.refused")
    assert kept["code"] == "REPORT_KEPT.RULES_HOLD"
    held = [e for e in entries(house, "decision.made") if e["recipient"] == HR]
    assert [e["code"] for e in held] == ["CONSENT_DOES_NOT_COVER"]
    register(house, to_register(to=HR, provision=for_employment(HR)))
    assert do(house, hr, "release", version=1)["state"] == "released"
    assert is_sound(house)


def for_employment(ods: str) -> dict[str, Any]:
    """What a Consent of the register permits: a report to one employer."""
    provision: dict[str, Any] = to_register(to=ods)["provision"]
    return provision | {"purpose": [provision["purpose"][0] | {"code": "employment-report"}]}


def test_a_consent_that_is_withdrawn_keeps_the_copy_here(house: House) -> None:
    with_employers(house)
    _, task = reported(house)
    consent = register(house, to_register(to=EMPLOYER, provision=for_employment(EMPLOYER)))
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    assert (
        do(house, copy, "answer", version=1, answer="declines-sight")["next"]["step"] == "release"
    )
    withdraw(house, consent)
    assert "refuse its release" in refused(house, copy, "release", version=1)
    assert get(house, f"/{copy}").get_json()["state"] == "withheld"
    assert sight(house) == []
    denied = entries(house, "decision.made")[-1]
    assert (denied["effect"], denied["code"]) == ("DENY", "CONSENT_WITHDRAWN")
    assert get(house, f"/{copy}/document").status_code == 409
    assert is_sound(house)


def test_a_consent_to_be_referred_alone_releases_nothing(house: House) -> None:
    with_employers(house)
    kind = "https://fhir.referral-gateway.example/CodeSystem/consent-kind"
    only = to_register(to=EMPLOYER, provision=for_employment(EMPLOYER))
    only["category"].append({"coding": [{"system": kind, "code": "refer"}]})
    _, task = reported(house)
    register(house, only)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "answer", version=1, answer="declines-sight")
    assert "sharing rules hold" in refused(house, copy, "release", version=1)


def at(house: House, instant: str) -> None:
    """Set the clock; whoever had a token asks for another."""
    house.clock.now = datetime.fromisoformat(instant)
    house.tokens.clear()


@pytest.mark.parametrize("kind", ["amra", "functional"])
def test_the_21_days_are_those_of_london_and_of_amra_alone(house: House, kind: str) -> None:
    at(house, "2027-06-10T10:00:00+00:00")
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER, note=NOTE)
    (copy,) = copies(house, task, ("employer", EMPLOYER), kind=kind)
    at(house, "2027-06-10T23:30:00+00:00")  # the 11th in London
    do(house, copy, "answer", version=1, answer="asks-sight")
    at(house, "2027-07-01T22:30:00+00:00")  # 23:30 there: still the 20th day after
    why = refused(house, copy, "release", version=1)
    at(house, "2027-07-01T23:30:00+00:00")
    if kind == "functional":
        assert "wishes to see it first" in refused(house, copy, "release", version=1)
        return
    assert "has not been heard of since" in why
    assert get(house, f"/{copy}").get_json()["next"]["why"] == "access-lapsed"
    done = do(house, copy, "release", version=1)
    assert (done["state"], done["supplied_on"]) == ("released", "2027-07-02")
    assert done["kept_until"] == "2028-01-02"
    document = get(house, f"/{copy}/document", _format="json").data
    assert NOTE.encode() not in document, "nobody has seen the note"
    assert is_sound(house)


def test_a_statement_goes_with_the_copy_once_the_person_agrees(house: House) -> None:
    with_employers(house)
    words = "I can lift boxes, whatever it says."
    _, task = reported(house, TO_EMPLOYER, note=NOTE)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "shown", version=1)
    do(house, copy, "answer", version=1, answer="attaches-statement", statement=words)
    assert "has not said whether it may go" in refused(house, copy, "release", version=1)
    do(house, copy, "answer", version=1, answer="agrees")
    assert do(house, copy, "release", version=1)["state"] == "released-with-statement"
    document = get(house, f"/{copy}/document", _format="json").get_json()
    assert document["statement_of_the_person"] == words
    assert f"Note for the employer: {NOTE}" in get(house, f"/{copy}/text").get_json()["lines"]
    assert words not in open_columns(house)
    assert is_sound(house)


def test_after_an_objection_nothing_goes_until_it_is_written_anew(
    house: House,
) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "shown", version=1)
    do(house, copy, "answer", version=1, answer="objects")
    assert "person objects" in refused(house, copy, "release", version=1)
    assert get(house, f"/{copy}").get_json()["state"] == "withheld"
    assert "No newer report" in refused(house, copy, "rewrite")
    say(house, task, **a_report("Rest breaks every two hours.", name="L-2"))
    done = do(house, copy, "rewrite")
    assert (done["state"], done["version"], done["third_party"]) == ("draft", 2, None)
    assert done["next"]["why"] == "not-reviewed"
    do(house, copy, "review", version=2, third_party=False)
    do(house, copy, "shown", version=2)
    assert "another text" in refused(house, copy, "answer", version=1, answer="agrees")
    assert "another text" in refused(house, copy, "release", version=1)
    do(house, copy, "answer", version=2, answer="agrees")
    assert do(house, copy, "release", version=2)["state"] == "released"
    assert sight(house) == ["seen", "objected", "seen", "agreed", "released"]
    assert "supplied" in refused(house, copy, "review", version=2, third_party=True)
    assert "released" in refused(house, copy, "withhold")
    assert is_sound(house)


def test_nobody_sees_what_nobody_reviewed(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    (copy,) = copies(house, task, ("employer", EMPLOYER), third_party=None)
    assert "somebody else" in refused(house, copy, "offer")
    assert "somebody else" in refused(house, copy, "shown", version=1)
    do(house, copy, "review", version=1, third_party=False, would_harm=True)
    assert "harm the person" in refused(house, copy, "shown", version=1)
    do(house, copy, "review", version=1, third_party=False)
    do(house, copy, "offer")
    assert do(house, copy, "offer")["next"]["why"] == "offer-not-answered"
    assert sight(house) == ["offered"]
    assert len(entries(house, "outcome.refused")) == 3
    done = ["create", "offer", "show", "review", "show", "review", "offer"]
    assert acts_on(house, copy) == done


def acts_on(house: House, copy: str) -> list[str]:
    """What was noted on a copy, in order."""
    event = metadata.tables["report_event"]
    query = select(event.c.act).where(event.c.copy == copy).order_by(event.c.seq)
    with house.gateway.store.reading() as view:
        return list(view.connection.execute(query).scalars())


def test_what_does_not_say_what_an_employer_is_to_know_is_not_released(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER, fitness=None)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "answer", version=1, answer="declines-sight")
    assert "dataset for an employer" in refused(house, copy, "release", version=1)
    assert get(house, f"/{copy}").get_json()["is_complete"] is False
    assert sight(house) == []


def test_the_copy_for_the_gp_goes_as_a_letter_once_the_person_has_seen_it(house: House) -> None:
    mesh = with_letters(house)
    _, task = reported(house, TO_GP)
    work(house)
    assert mesh.sent == [], "a draft goes nowhere"
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "shown", version=1)
    work(house)
    assert mesh.sent == []
    do(house, copy, "answer", version=1, answer="agrees")
    done = do(house, copy, "release", version=1)
    assert (done["state"], done["route"]) == ("released", "inbox")
    work(house)
    assert [parcel.delivery.provider for parcel in mesh.sent] == [PRACTICE]
    assert "by a letter" in get(house, f"/{copy}/document").get_data(as_text=True)
    (closed,) = entries(house, "reminder.closed")
    assert closed["resolution"] == "REPORT_RELEASED"
    assert is_sound(house)


def test_a_report_that_went_as_an_outcome_has_no_copy_for_the_gp(house: House) -> None:
    with_letters(house)
    _, task = reported(house, TO_GP, draft=False)
    asked = {"task": task, "kind": "clinical", "copies": [{"recipient": "gp"}]}
    answer = post(house, "", asked)
    assert answer.status_code == 409
    assert "send it as a draft" in answer.get_data(as_text=True)


def test_where_the_guard_holds_the_letter_the_copy_stays(house: House) -> None:
    _, task = reported(house, TO_GP)  # nobody has said that the practice takes documents
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "answer", version=1, answer="declines-sight")
    assert "cannot be sent it" in refused(house, copy, "release", version=1)
    assert get(house, f"/{copy}").get_json()["state"] == "draft"
    assert sight(house) == []
    assert is_sound(house)


@pytest.mark.parametrize("chosen", [None, "inbox"])
def test_where_the_practice_is_the_employer_nothing_goes_to_its_inbox(
    house: House, chosen: str | None
) -> None:
    mesh = with_letters(house)
    _, task = reported(house, TO_GP, is_employer=True)
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "answer", version=1, answer="declines-sight")
    if chosen is not None:
        do(house, copy, "route", route=chosen)
    assert "which clinician" in refused(house, copy, "release", version=1)
    work(house)
    assert mesh.sent == []
    assert sight(house) == []
    assert is_sound(house)


def test_where_the_practice_is_the_employer_one_clinician_may_have_it(house: House) -> None:
    mesh = with_letters(house)
    _, task = reported(house, TO_GP, is_employer=True)
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "answer", version=1, answer="declines-sight")
    do(house, copy, "route", route="named-clinician", clinician="Dr Rowan Example")
    assert do(house, copy, "release", version=1)["state"] == "released"
    work(house)
    assert mesh.sent == []
    document = get(house, f"/{copy}/document", _format="json").get_json()
    assert document["only_for"] == "Dr Rowan Example"
    assert get(house, f"/{copy}/document").data.startswith(b"%PDF-")
    assert "Rowan" not in open_columns(house)
    assert is_sound(house)


def test_where_the_person_chooses_nobody_the_copy_is_withheld(house: House) -> None:
    mesh = with_letters(house)
    _, task = reported(house, TO_GP)
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "answer", version=1, answer="declines-sight")
    do(house, copy, "route", route="nobody")
    assert "does not go to their GP" in refused(house, copy, "release", version=1)
    assert get(house, f"/{copy}").get_json()["state"] == "withheld"
    work(house)
    assert mesh.sent == []
    assert is_sound(house)


def test_the_person_and_the_national_service_have_the_report_as_it_was_written(
    house: House,
) -> None:
    with_employers(house)
    own = to_register(provision=for_employment(EMPLOYER))
    own["provision"]["actor"][0]["reference"] = own["patient"]
    own["provision"]["purpose"][0] = own["provision"]["purpose"][0] | {
        "code": "occupational-health"
    }
    _, task = reported(house, (NATIONAL, "work-health"), words="Seen on Monday.")
    register(house, own)
    person, national = copies(house, task, ("person", None), ("health-and-work", NATIONAL))
    assert do(house, person, "release", version=1)["state"] == "released"
    assert "offered the person" in refused(house, national, "release", version=1)
    do(house, national, "answer", version=1, answer="declines-sight")
    assert do(house, national, "release", version=1)["state"] == "released"
    for copy in (person, national):
        told = get(house, f"/{copy}/document", _format="json").get_json()
        assert told["document"]["resourceType"] == "Task"
        assert "Seen on Monday." in json.dumps(told["document"])
        assert get(house, f"/{copy}/document").data.startswith(b"%PDF-")
    assert get(house, f"/{person}").get_json()["organisation"] == PROVIDER
    assert is_sound(house)


def test_nothing_clinical_reaches_the_employer_or_stands_open(house: House) -> None:
    """The canary stands in every text of the report that its provider may write freely."""
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER, words=CANARY)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "offer")
    do(house, copy, "shown", version=1)
    do(house, copy, "answer", version=1, answer="agrees")
    do(house, copy, "release", version=1)
    as_json = get(house, f"/{copy}/document", _format="json").get_data(as_text=True)
    as_pdf = get(house, f"/{copy}/document").data
    told = "".join(page.extract_text() for page in PdfReader(BytesIO(as_pdf)).pages)
    assert "Fitness for work: Fit for work with adjustments" in told
    assert "More breaks" in as_json
    seen = [get(house, f"/{copy}{more}").get_data(as_text=True) for more in ("", "/text")]
    for text in (as_json, told, *seen, json.dumps(entries(house)), open_columns(house)):
        assert CANARY not in text
        assert NHS_NUMBER not in text
        assert "Testperson" not in text


def open_columns(house: House) -> str:
    """All that stands in the database and is not sealed."""
    found = []
    with house.gateway.store.reading() as view:
        for table in metadata.sorted_tables:
            columns = [each for each in table.c if not each.name.startswith("sealed_")]
            found += [str(tuple(row)) for row in view.connection.execute(select(*columns))]
    return "\n".join(found)


def test_another_provider_or_a_practice_finds_no_copy(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    for client in ("gp-one", "gp-two"):
        for path in ("", "/text", "/document"):
            assert get(house, f"/{copy}{path}", client=client).status_code == 404
        for act in ("offer", "rewrite", "withhold"):
            assert post(house, f"/{copy}/{act}", client=client).status_code == 404
        asked = {"task": task, "kind": "functional", "copies": [{"recipient": "gp"}]}
        assert post(house, "", asked, client=client).status_code == 404
        assert get(house, "", client=client).get_json() == {"copies": []}
    assert len(get(house, "", task=task).get_json()["copies"]) == 1


def test_copies_are_made_once_and_released_once(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    first, again = (copies(house, task, ("employer", EMPLOYER)) for _ in range(2))
    assert first == again
    do(house, first[0], "answer", version=1, answer="declines-sight")
    assert do(house, first[0], "release", version=1) == do(house, first[0], "release", version=1)
    assert sight(house) == ["released"]


def test_an_organisation_that_is_no_employer_gets_no_copy(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    asked = {
        "task": task, "kind": "functional",
        "copies": [
            {"recipient": "employer", "organisation": EMPLOYER},
            {"recipient": "employer", "organisation": PROVIDER},
            {"recipient": "hr", "organisation": "ZZ999"},
        ],
    }  # fmt: skip
    answer = post(house, "", asked)
    assert answer.status_code == 400
    places = [each["expression"] for each in answer.get_json()["issue"]]
    assert places == [["copies[1].organisation"], ["copies[2].organisation"]]
    assert get(house, "").get_json() == {"copies": []}


def test_an_employer_that_leaves_the_directory_gets_nothing(house: House) -> None:
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    (copy,) = copies(house, task, ("employer", EMPLOYER))
    do(house, copy, "answer", version=1, answer="declines-sight")
    house.apply(providers=[p for p in house.directory["providers"] if p["ods"] != EMPLOYER])
    assert "refuse its release" in refused(house, copy, "release", version=1)
    assert entries(house, "decision.made")[-1]["code"] == "UNKNOWN_RECIPIENT"


def test_what_has_no_report_has_no_copies(house: House) -> None:
    _, task = brought(house)
    asked = {"task": task, "kind": "functional", "copies": [{"recipient": "gp"}]}
    answer = post(house, "", asked)
    assert answer.status_code == 409
    assert "No report was sent" in answer.get_data(as_text=True)


def test_the_words_of_a_copy_are_erased_with_the_person(house: House) -> None:
    with_employers(house)
    own, task = reported(house, TO_EMPLOYER)
    copies(house, task, ("employer", EMPLOYER))
    subject = referral(house, own).subject
    erase_subject(house.gateway, subject, authority=Authority.DATA_SUBJECT_REQUEST)
    with house.gateway.store.reading() as view:
        for name in ("report_copy", "report_event"):
            assert view.connection.execute(select(metadata.tables[name])).all() == []


def test_a_recipient_keeps_the_copy_that_it_has(house: House) -> None:
    """Of two copies of two reports for one recipient, the older cannot become the newer."""
    with_employers(house)
    _, task = reported(house, TO_EMPLOYER)
    (older,) = copies(house, task, ("employer", EMPLOYER))
    say(house, task, **a_report(name="L-2"))
    (newer,) = copies(house, task, ("employer", EMPLOYER))
    assert older != newer
    assert "has a copy of the newest" in refused(house, older, "rewrite")


def hidden(tree: dict[str, Any]) -> dict[str, Any]:
    """A report of which a part says that it is about somebody whom nobody can find."""
    tree["output"].append(
        {"type": {"text": "Report"}, "valueReference": {"reference": "Binary/elsewhere"}}
    )
    return tree


def unnamed(tree: dict[str, Any]) -> dict[str, Any]:
    """Statements that name nobody, and no letter beside them."""
    del tree["contained"][0], tree["output"][0]
    for part in tree["contained"]:
        del part["subject"]
    return tree


def confidential(tree: dict[str, Any]) -> dict[str, Any]:
    """A report that is marked confidential, so that nothing of it may leave."""
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    tree["contained"][0]["docStatus"] = "final"
    tree["contained"][0]["securityLabel"] = [{"coding": [{"system": system, "code": "R"}]}]
    return tree


def unreadable(tree: dict[str, Any]) -> dict[str, Any]:
    """A report whose PDF nobody can see into."""
    data = base64.b64encode(b"%PDF-1.7\n1 0 obj << /Encrypt 2 0 R >> endobj\n%%EOF").decode()
    attachment = tree["contained"][0]["content"][0]["attachment"]
    attachment |= {"contentType": "application/pdf", "data": data}
    return tree


@pytest.mark.parametrize(
    ("defect", "status", "why"),
    [
        (hidden, 400, "is elsewhere"),
        (unnamed, 400, "does not name the person"),
        (confidential, 409, "may leave"),
        (unreadable, 400, "PDF"),
    ],
)
def test_what_a_person_is_to_look_at_is_not_copied(
    house: House, defect: Any, status: int, why: str
) -> None:
    with_employers(house)
    _, task = brought(house)
    sent = say(house, task, **defect(a_report(CANARY)))
    assert sent.status_code in (200, 202, 403), sent.get_data(as_text=True)
    asked = {
        "task": task, "kind": "functional",
        "copies": [{"recipient": "employer", "organisation": EMPLOYER}],
    }  # fmt: skip
    answer = post(house, "", asked)
    told = answer.get_data(as_text=True)
    assert (answer.status_code, why in told, CANARY in told) == (status, True, False), told
    assert get(house, "").get_json() == {"copies": []}


def test_what_the_person_said_since_counts_for_the_letter_of_a_copy(house: House) -> None:
    mesh = with_letters(house)
    own, task = reported(house)
    consent = register(house, to_register(to=PRACTICE))
    (copy,) = copies(house, task, ("gp", None))
    do(house, copy, "answer", version=1, answer="declines-sight")
    do(house, copy, "release", version=1)
    withdraw(house, consent)
    work(house)
    assert mesh.sent == []
    with house.gateway.store.reading() as view:
        (outcome,) = outcomes.of_referral(view, referral(house, own).id)
    assert (outcome.standing, outcome.code) == (Standing.HELD, "CONSENT_WITHDRAWN")
    assert house.get(f"/DocumentReference/{outcome.id}").status_code == 404
    (waits,) = entries(house, "reminder.opened")[-1:]
    assert waits["code"] == "OUTCOME_HELD"
    assert is_sound(house)
