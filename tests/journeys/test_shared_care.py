"""A provider asks the practice to prescribe, monitor or do work: only under a formal agreement."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.journey.check_ledger import check_ledger
from gateway.journey.decide_held import decide_held
from gateway.journey.reconcile import reconcile
from gateway.journey.shared_care import INFORMAL, what_is_missing
from gateway.journey.shared_care_terms import shared_care_on_record
from gateway.referral.json import Json
from gateway.referral.lifecycle import ReferralState
from gateway.referral.outcome import Outcome, OutcomeKind, Standing
from gateway.referral.reminder import Owner, Reminder, ReminderCode
from gateway.store import outcomes, reminders
from gateway.writeback.shared_care import (
    CAPACITY_HOLDS_FOR,
    PROPOSAL,
    PracticeDecision,
    Resourcing,
    SharedCareAgreement,
    SharedWork,
)
from tests.builders.evidence import entries, referral, the_referral, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, PROVIDER, bars_headers, bars_message
from tests.builders.outcomes import bundle, document_reference, person, to
from tests.builders.returning import (
    FakeMesh,
    brought,
    of_employer,
    report,
    say,
    told,
    with_letters,
)
from tests.builders.shared_care import FORMAL, agree, do_test, prescribe, say_room
from tests.builders.sharing import set_to
from tests.journeys.test_outcome_messages import by_bars, letter, post, resource, response


def kept(house: House, own: str) -> list[Outcome]:
    with house.gateway.store.reading() as view:
        return outcomes.of_referral(view, own)  # type: ignore[arg-type]


def waiting(house: House, one: Outcome) -> list[Reminder]:
    with house.gateway.store.reading() as view:
        return [each for each in reminders.about(view, one.id) if each.is_open]


def is_sound(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == () and all(
        report.ok for report in check_ledger(house.gateway, lambda _rows: None)
    )


def asked(house: House, *requests: dict[str, Any], **more: Any) -> tuple[FakeMesh, str, Any]:
    """Have the provider send a report that asks; return MESH, the referral and the answer."""
    mesh = with_letters(house)
    own, task = brought(house)
    answer = say(house, task, **report(*(requests or (prescribe(),)), **more))
    work(house)
    return mesh, own, answer


def words_of(answer: Any) -> str:
    tree = answer.get_json()
    assert tree["resourceType"] == "OperationOutcome"
    (issue,) = tree["issue"]
    return str(issue["diagnostics"])


def in_bundle(own: str, *requests: dict[str, Any]) -> dict[str, Any]:
    letter = document_reference(
        to("patient"), context={"related": [{"reference": f"ServiceRequest/{own}"}]}
    )
    parts: list[tuple[str, Any]] = [("letter1", letter), ("patient", person())]
    parts += [
        (str(each["id"]), {k: v for k, v in each.items() if k != "id"} | {"subject": to("patient")})
        for each in requests
    ]
    return bundle("collection", *parts)


def test_an_informal_request_goes_back_with_the_reason_and_the_template(house: House) -> None:
    mesh, own, answer = asked(house)
    assert answer.status_code == 403, answer.get_data(as_text=True)
    text = words_of(answer)
    assert "No formal agreement on record" in text
    assert f"Reason: {INFORMAL}." in text
    for field in PROPOSAL:
        assert f"{field.name} (" in text
    assert NHS_NUMBER not in text
    assert mesh.sent == []
    (one,) = kept(house, own)
    assert (one.standing, one.code) == (Standing.KEPT, INFORMAL)
    assert waiting(house, one) == []
    with house.gateway.store.reading() as view:
        assert b"a medicine" in outcomes.body_of(view, one)
    decided = entries(house, "decision.made")[-1]
    assert (decided["stage"], decided["rule"], decided["effect"]) == ("write-back", "R27", "DENY")
    (refused,) = entries(house, "writeback.refused")
    assert (refused["code"], refused["artefact"]) == (INFORMAL, one.id)
    assert is_sound(house)


def test_an_informal_request_in_a_bundle_goes_back_by_that_door(house: House) -> None:
    mesh = with_letters(house)
    own, _ = brought(house)
    tree = in_bundle(own, prescribe())
    first = house.post(
        "/Bundle", tree, client="oh-one", X_Request_Id="7b1f5ac8-54b9-4d5a-9d28-1c7f4d0d7001"
    )
    again = house.post(
        "/Bundle", tree, client="oh-one", X_Request_Id="7b1f5ac8-54b9-4d5a-9d28-1c7f4d0d7001"
    )
    other = house.post("/Bundle", tree, client="oh-one")
    assert [each.status_code for each in (first, again, other)] == [403, 403, 403]
    assert words_of(first) == words_of(again) == words_of(other)
    assert "starts-on (" in words_of(first)
    work(house)
    assert mesh.sent == []
    assert len(kept(house, own)) == 1
    assert is_sound(house)


def test_an_informal_request_in_a_bars_message_goes_back_by_that_door(house: House) -> None:
    by_bars(house)
    mesh = with_letters(house)
    tree = bars_message()
    resource(tree, "ServiceRequest")["extension"] = of_employer(is_practice=False)
    assert house.post("/$process-message", tree, **bars_headers()).status_code == 200
    work(house)
    own = str(the_referral(house).id)
    asks = {k: v for k, v in prescribe().items() if k != "id"} | {"subject": to("patient")}
    answer = post(house, response(house, own, letter(), ("prescribe", asks)))
    assert answer.status_code == 422, answer.get_data(as_text=True)
    assert "No formal agreement on record" in words_of(answer)
    assert "starts-on (" in words_of(answer)
    work(house)
    assert mesh.sent == []
    assert [each.code for each in kept(house, own)] == [INFORMAL]
    assert is_sound(house)


def test_a_repeat_gets_the_same_answer_whatever_was_agreed_since(house: House) -> None:
    with_letters(house)
    own, task = brought(house)
    read = house.get(f"/Task/{task}", client="oh-one")
    tree = read.get_json() | report(prescribe())
    etag = read.headers["ETag"]
    first = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    agree(house)
    say_room(house)
    again = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    assert (first.status_code, again.status_code) == (403, 403)
    assert words_of(first) == words_of(again)
    assert len(kept(house, own)) == 1
    assert len(entries(house, "writeback.refused")) == 1


def test_under_a_full_agreement_it_goes_on_as_a_document_for_action(house: House) -> None:
    agree(house)
    say_room(house)
    mesh, own, answer = asked(house, prescribe(), do_test())
    assert answer.status_code in (200, 202), answer.get_data(as_text=True)
    (parcel,) = mesh.sent
    assert b"MedicationRequest" not in parcel.body
    (one,) = kept(house, own)
    assert one.standing is Standing.SENT_ON
    assert [each.code for each in waiting(house, one)] == [ReminderCode.ACTION_ASKED]
    decided = [each for each in entries(house, "decision.made") if each["rule"] == "G5s"]
    assert [(each["effect"], each["obligations"]) for each in decided] == [
        ("PERMIT", ["LOG_AGREEMENT"])
    ] * 2, "as it came, and as the letter left"
    assert is_sound(house)


LACKS: list[tuple[SharedCareAgreement, str, str]] = [
    (replace(FORMAL, starts_on=date(2026, 12, 2)), "No formal agreement", "starts-on"),
    (replace(FORMAL, ends_on=date(2026, 11, 30)), "No formal agreement", "ends-on"),
    (replace(FORMAL, decision=PracticeDecision.DECLINED), "No formal agreement", "decision"),
    (replace(FORMAL, decision=None), "No formal agreement", "decision"),
    (replace(FORMAL, responsibilities=None), "No formal agreement", "responsibilities"),
    (replace(FORMAL, support=None), "No specialist", "specialist-contact"),
    (replace(FORMAL, resourcing=None), "Nobody is named who pays", "funder"),
    (
        replace(FORMAL, resourcing=Resourcing(funder="ICB", works=frozenset({SharedWork.DO_WORK}))),
        "Nobody is named who pays",
        "paid-work",
    ),
]


@pytest.mark.parametrize(("terms", "reason", "field"), LACKS)
def test_an_agreement_that_lacks_a_part_is_answered_with_that_part(
    house: House, terms: SharedCareAgreement, reason: str, field: str
) -> None:
    agree(house, terms)
    say_room(house)
    mesh, own, answer = asked(house)
    assert answer.status_code == 403, answer.get_data(as_text=True)
    assert reason in words_of(answer)
    assert f"{field} (" in words_of(answer)
    assert mesh.sent == []
    assert kept(house, own)[0].code == INFORMAL


def test_one_request_that_is_not_covered_holds_back_those_that_are(house: House) -> None:
    agree(house)
    say_room(house)
    plan: dict[str, Json] = {
        "resourceType": "CarePlan", "id": "plan", "status": "active", "intent": "plan",
        "subject": {"identifier": {"value": NHS_NUMBER}}, "period": {"start": "2026-12-01"},
    }  # fmt: skip
    plan["subject"] = prescribe()["subject"]
    mesh, _, answer = asked(house, prescribe(), plan)
    assert answer.status_code == 403, answer.get_data(as_text=True)
    assert mesh.sent == []


@pytest.mark.parametrize(
    ("days", "words", "code"),
    [
        (0, (), "FACT_UNKNOWN"),
        (0, (False,), "PRACTICE_CAPACITY"),
        (CAPACITY_HOLDS_FOR.days, (True,), "PERMITTED"),
        (CAPACITY_HOLDS_FOR.days + 1, (True,), "FACT_UNKNOWN"),
    ],
)
def test_the_practice_says_whether_it_has_capacity_and_its_word_grows_old(
    house: House, days: int, words: tuple[bool, ...], code: str
) -> None:
    agree(house, replace(FORMAL, starts_on=date(2026, 1, 1)))
    for is_there in words:
        say_room(house, is_there=is_there)
    house.clock.now += timedelta(days=days)
    house.tokens.clear()
    mesh, own, answer = asked(house, prescribe(begins="2027-01-15"))
    (one,) = kept(house, own)
    if code == "PERMITTED":
        assert (one.standing, len(mesh.sent)) == (Standing.SENT_ON, 1)
        return
    assert answer.status_code == 202, answer.get_data(as_text=True)
    assert "A person looks at it" in words_of(answer)
    assert (one.standing, (one.code or "").split(":")[0]) == (Standing.HELD, code)
    assert [(each.code, each.owner) for each in waiting(house, one)] == [
        (ReminderCode.OUTCOME_HELD, Owner.PRACTICE)
    ]
    assert mesh.sent == []
    assert is_sound(house)


def test_a_request_without_a_day_is_held_and_not_guessed(house: House) -> None:
    agree(house)
    say_room(house)
    mesh, own, answer = asked(house, prescribe(begins=None))
    assert answer.status_code == 202
    assert kept(house, own)[0].standing is Standing.HELD
    assert mesh.sent == []


def test_a_practice_that_has_switched_it_off_takes_what_is_formal_and_nothing_else(
    house: House,
) -> None:
    say_room(house)
    with_letters(house)
    set_to(house, "shared_care", "off")
    own, task = brought(house)
    answer = say(house, task, **report(prescribe()))
    assert answer.status_code == 403, answer.get_data(as_text=True)
    assert words_of(answer).startswith("The practice takes no informal requests for shared care.")
    assert "formal proposal" in words_of(answer)
    work(house)
    assert kept(house, own)[0].code == INFORMAL
    agree(house)
    later = say(house, task, **report(prescribe(), named="L-2"))
    assert later.status_code in (200, 202), later.get_data(as_text=True)
    assert kept(house, own)[1].standing is Standing.SENT_ON
    assert is_sound(house)


def test_an_agreement_that_ends_before_the_letter_leaves_keeps_it_here(house: House) -> None:
    agree(house)
    say_room(house)
    mesh = with_letters(house)
    own, task = brought(house)
    answer = say(house, task, **report(prescribe()))
    assert answer.status_code in (200, 202), answer.get_data(as_text=True)
    agree(house, replace(FORMAL, decision=PracticeDecision.DECLINED))
    work(house)
    assert mesh.sent == []
    (outcome,) = kept(house, own)
    assert (outcome.standing, outcome.code) == (Standing.KEPT, INFORMAL)
    assert is_sound(house)


def test_a_medicine_that_others_prescribe_is_a_code_and_goes_as_a_document(house: House) -> None:
    mesh, own, answer = asked(house, prescribe(by=PROVIDER))
    assert answer.status_code == 202, answer.get_data(as_text=True)
    (parcel,) = mesh.sent
    assert b"MedicationRequest" not in parcel.body
    (one,) = kept(house, own)
    assert (one.standing, one.kept) == (Standing.SENT_ON, "text-only")
    assert [each for each in entries(house, "decision.made") if each["rule"] == "R27"] == []


def test_what_goes_back_does_not_close_the_referral(house: House) -> None:
    with_letters(house)
    own, task = brought(house)
    end = told(OutcomeKind.CLOSED)
    tree = report(prescribe()) | {k: end[k] for k in ("status", "businessStatus")}
    assert say(house, task, **tree).status_code == 403
    assert referral(house, own).state is ReferralState.DELIVERED
    again = say(house, task, **(report() | {k: end[k] for k in ("status", "businessStatus")}))
    assert again.status_code == 200, again.get_data(as_text=True)
    assert referral(house, own).state is ReferralState.CLOSED
    assert is_sound(house)


def test_a_held_one_is_asked_again_when_it_is_released(house: House) -> None:
    agree(house)
    mesh, own, _ = asked(house)
    (one,) = kept(house, own)

    def release() -> Outcome:
        done = decide_held(
            house.gateway, one.id, is_released=True, because="PRACTICE_ASKED", actor="officer"
        )
        work(house)
        return done

    assert release().standing is Standing.HELD
    assert [each.owner for each in waiting(house, one)] == [Owner.PRACTICE]
    say_room(house)
    assert release().standing is Standing.SENT_ON
    assert len(mesh.sent) == 1
    assert ReminderCode.OUTCOME_HELD not in [each.code for each in waiting(house, one)]
    assert is_sound(house)


def test_a_held_one_goes_back_where_the_agreement_ended_meanwhile(house: House) -> None:
    agree(house)
    with_letters(house)
    own, task = brought(house)
    read = house.get(f"/Task/{task}", client="oh-one")
    tree, etag = read.get_json() | report(prescribe()), read.headers["ETag"]
    held = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    assert held.status_code == 202
    agree(house, replace(FORMAL, decision=PracticeDecision.DECLINED))
    (one,) = kept(house, own)
    done = decide_held(
        house.gateway, one.id, is_released=True, because="PRACTICE_ASKED", actor="officer"
    )
    assert (done.standing, done.code) == (Standing.KEPT, INFORMAL)
    assert waiting(house, one) == []
    told_now = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    assert told_now.status_code == 403
    assert "decision (" in words_of(told_now)
    assert is_sound(house)


def test_a_draft_that_asks_is_held_for_the_officer_and_asked_about_at_no_time(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    tree = in_bundle(own, prescribe())
    tree["entry"][0]["resource"]["docStatus"] = "preliminary"
    assert house.post("/Bundle", tree, client="oh-one").status_code == 202
    (one,) = kept(house, own)
    assert (one.standing, one.code) == (Standing.HELD, "DOCUMENT_IS_A_DRAFT")
    assert [each.owner for each in waiting(house, one)] == [Owner.IG_OFFICER]
    kept_here = decide_held(
        house.gateway, one.id, is_released=False, because=INFORMAL, actor="officer"
    )
    assert what_is_missing(kept_here, house.gateway) is None, "it was an officer who said so"


def test_the_officers_reminder_becomes_the_practices(house: House) -> None:
    agree(house)
    say_room(house)
    with_letters(house)
    set_to(house, "send_document", "off")
    own, task = brought(house)
    assert say(house, task, **report(prescribe())).status_code == 202
    (one,) = kept(house, own)
    assert [each.owner for each in waiting(house, one)] == [Owner.IG_OFFICER]
    say_room(house, is_there=False)
    done = decide_held(house.gateway, one.id, is_released=True, because="CHECKED", actor="officer")
    assert (done.standing, done.code) == (Standing.HELD, "PRACTICE_CAPACITY")
    assert [each.owner for each in waiting(house, one)] == [Owner.PRACTICE]
    assert is_sound(house)


def test_the_newest_on_record_counts_and_nothing_is_overwritten(house: House) -> None:
    agree(house)
    agree(house, replace(FORMAL, decision=PracticeDecision.DECLINED))
    say_room(house)
    say_room(house, is_there=False)
    found = shared_care_on_record(house.gateway)
    assert [(each.seq, each.terms.decision) for each in found.agreements] == [
        (2, PracticeDecision.DECLINED)
    ]
    assert [(each.seq, each.word.has_capacity) for each in found.capacities] == [(2, False)]
