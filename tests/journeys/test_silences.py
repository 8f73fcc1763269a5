"""No silence is without a reminder: of a provider, or of a practice's system."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.errors import IllegalMoveError, NotFoundError
from gateway.journey.decide_held import decide_held
from gateway.journey.show_outcomes import show_outcomes
from gateway.journey.show_reminders import finish_reminder, list_reminders
from gateway.journey.silences import notice_silences
from gateway.referral.identifiers import OutcomeId, ReferralReference, ReminderId
from gateway.referral.letter import LetterState
from gateway.referral.outcome import OutcomeKind, Standing
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import outcomes, reminders
from tests.builders.evidence import entries, referral, work
from tests.builders.house import House
from tests.builders.returning import answer_letter, brought, report, say, told, with_letters

LATER = timedelta(days=14, minutes=1)
ADDRESS = "0d2f3d2e-6a6c-4a5e-9a57-8c7d0c1f0a11"


def of(house: House, own: str) -> list[Any]:
    with house.gateway.store.reading() as view:
        return reminders.of_referral(view, own)  # type: ignore[arg-type]


def kept(house: House, own: str) -> list[Any]:
    with house.gateway.store.reading() as view:
        return outcomes.of_referral(view, own)  # type: ignore[arg-type]


def pass_by(house: House, time: timedelta) -> None:
    house.clock.now += time
    house.tokens.clear()
    notice_silences(house.gateway)


def test_a_provider_that_says_nothing_is_noted_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    own, _ = brought(house)
    pass_by(house, timedelta(days=13))
    assert of(house, own) == []
    with caplog.at_level(logging.ERROR):
        pass_by(house, timedelta(days=2))
    (noted,) = of(house, own)
    assert (noted.code, noted.owner) == (ReminderCode.PROVIDER_SILENT, Owner.PROVIDER)
    assert noted.due == house.clock.now + house.gateway.schedule.hold_due
    assert [r.getMessage() for r in caplog.records if "ALERT" in r.getMessage()] != []
    caplog.clear()
    pass_by(house, LATER)
    assert len(entries(house, "reminder.opened")) == 1
    assert not caplog.records


def test_an_outcome_ends_the_silence_and_another_silence_is_noted(house: House) -> None:
    own, task = brought(house)
    pass_by(house, LATER)
    assert say(house, task, **told(OutcomeKind.ACCEPTED)).status_code == 200
    (settled,) = of(house, own)
    assert not settled.is_open
    pass_by(house, timedelta(days=13))
    assert not of(house, own)[0].is_open
    pass_by(house, timedelta(days=2))
    assert of(house, own)[0].is_open


def test_a_provider_that_waits_for_the_practice_is_not_silent(house: House) -> None:
    own, task = brought(house)
    assert say(house, task, **told(OutcomeKind.MORE_INFORMATION)).status_code == 200
    pass_by(house, LATER)
    assert [each.code for each in of(house, own)] == [ReminderCode.INFORMATION_WANTED]


def test_a_referral_that_is_closed_is_not_waited_for(house: House) -> None:
    own, task = brought(house)
    assert say(house, task, **told(OutcomeKind.CLOSED)).status_code == 200
    pass_by(house, LATER)
    codes = [each.code for each in of(house, own)]
    assert ReminderCode.PROVIDER_SILENT not in codes


def test_a_reminder_that_was_closed_gives_the_same_time_again(house: House) -> None:
    own, _ = brought(house)
    pass_by(house, LATER)
    (first,) = of(house, own)
    done = finish_reminder(house.gateway, first.id, because="CALLED", actor="operator")
    assert done.reminder.resolution == "CALLED"
    pass_by(house, timedelta(days=13))
    assert not of(house, own)[0].is_open
    pass_by(house, timedelta(days=2))
    assert of(house, own)[0].is_open
    assert len(entries(house, "reminder.opened")) == 2


def test_a_letter_that_is_not_answered_is_noted_once_and_settled_by_a_late_answer(
    house: House,
) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    say(house, task, **report())
    work(house)
    pass_by(house, timedelta(hours=25))
    (noted,) = [each for each in of(house, own) if each.code is ReminderCode.LETTER_UNANSWERED]
    assert noted.owner is Owner.OPERATOR
    pass_by(house, timedelta(hours=25))
    opened = [each["code"] for each in entries(house, "reminder.opened")]
    assert opened.count("LETTER_UNANSWERED") == 1
    answer_letter(house, mesh.sent[0].delivery.id, "30001")
    (settled,) = [each for each in of(house, own) if each.code is ReminderCode.LETTER_UNANSWERED]
    assert not settled.is_open


def test_an_answer_that_comes_while_silences_are_looked_for_counts(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house)
    say(house, task, **report())
    work(house)
    house.clock.now += timedelta(hours=25)
    asked = iter(range(10))

    def clock() -> datetime:
        if next(asked) == 1:  # the silent ones are found, and none is noted yet
            answer_letter(house, mesh.sent[0].delivery.id, "30001")
        return house.clock.now

    notice_silences(replace(house.gateway, clock=clock))
    assert next(asked) > 1
    assert of(house, own) == []


def test_what_waits_is_listed_and_closed_once(house: House) -> None:
    own, _ = brought(house)
    pass_by(house, LATER)
    practice = referral(house, own).practice
    (listed,) = list_reminders(house.gateway, actor="operator", practice=practice, overdue=False)
    assert listed.reminder.due > house.clock.now
    assert list_reminders(house.gateway, actor="operator", practice=None, overdue=True) == []
    finish_reminder(house.gateway, listed.reminder.id, because="CALLED", actor="operator")
    with pytest.raises(IllegalMoveError, match="seen to already"):
        finish_reminder(house.gateway, listed.reminder.id, because="CALLED", actor="operator")
    with pytest.raises(NotFoundError):
        finish_reminder(house.gateway, ReminderId(ADDRESS), because="CALLED", actor="operator")
    assert entries(house, "audit.read")


def held(house: House, **changes: Any) -> tuple[str, Any]:
    own, task = brought(house)
    answer = say(house, task, **report(**changes))
    assert answer.status_code in (200, 202), answer.get_data(as_text=True)
    (outcome,) = kept(house, own)
    assert outcome.standing is Standing.HELD, outcome
    return own, outcome


def elsewhere() -> dict[str, Any]:
    """A report of which a part is not in the message."""
    tree = report()
    tree["output"].append(
        {"type": {"text": "Report"}, "valueReference": {"reference": "Binary/elsewhere"}}
    )
    return {"output": tree["output"]}


def test_an_officer_who_keeps_a_held_outcome_settles_it(house: House) -> None:
    mesh = with_letters(house)
    own, outcome = held(house, **elsewhere())
    done = decide_held(
        house.gateway, outcome.id, is_released=False, because="NOT_OURS", actor="officer"
    )
    assert (done.standing, done.code) == (Standing.KEPT, "NOT_OURS")
    assert not any(each.is_open for each in of(house, own) if each.owner is Owner.IG_OFFICER)
    work(house)
    assert mesh.sent == []
    with pytest.raises(IllegalMoveError, match="not held"):
        decide_held(house.gateway, outcome.id, is_released=True, because="X", actor="officer")


def test_an_officer_who_releases_it_has_the_guard_asked_again(house: House) -> None:
    mesh = with_letters(house)
    own, outcome = held(house, **elsewhere())
    (waiting,) = [each for each in of(house, own) if each.is_open]
    with pytest.raises(IllegalMoveError, match="gateway outcome decide"):
        finish_reminder(house.gateway, waiting.id, because="SEEN", actor="operator")
    done = decide_held(
        house.gateway, outcome.id, is_released=True, because="CHECKED", actor="officer"
    )
    assert done.standing is Standing.SENT_ON
    assert not any(each.is_open for each in of(house, own) if each.owner is Owner.IG_OFFICER)
    work(house)
    assert len(mesh.sent) == 1


def test_a_draft_is_released_by_nobody(house: House) -> None:
    draft = report()["contained"]
    draft[0]["docStatus"] = "preliminary"
    _, outcome = held(house, contained=draft)
    with pytest.raises(IllegalMoveError, match="no decision mends"):
        decide_held(house.gateway, outcome.id, is_released=True, because="X", actor="officer")
    with pytest.raises(NotFoundError):
        decide_held(
            house.gateway, OutcomeId(ADDRESS), is_released=True, because="X", actor="officer"
        )


def test_the_story_of_a_referral_shows_each_outcome_letter_and_question(house: House) -> None:
    mesh = with_letters(house)
    own, task = brought(house, note=[{"id": "fit", "text": "Is he fit for night work?"}])
    say(house, task, **told(OutcomeKind.ACCEPTED))
    say(house, task, **report())
    reference = ReferralReference(referral(house, own).reference)
    story = show_outcomes(reference, house.gateway, actor="operator")
    assert [each.outcome.kind for each in story.lines] == ["accepted", "report"]
    assert [one.state for one in story.lines[1].letters] == [LetterState.WAITS]
    assert any(each.answered_by == () for each in story.questions)
    work(house)
    answer_letter(house, mesh.sent[0].delivery.id, "20013")
    story = show_outcomes(reference, house.gateway, actor="operator")
    assert story.lines[1].letters[0].state is LetterState.READ_BY_SYSTEM
    assert entries(house, "audit.read")[-1]["size"] == 2


def post_role(house: House, reminder_id: str, role: object, client: str = "gp-one") -> Any:
    return house.web.post(
        f"/reminders/{reminder_id}/acknowledgement",
        json={"role": role},
        headers=house.bearer(client),
    )


def test_a_practice_sees_what_waits_and_a_person_of_it_acknowledges(house: House) -> None:
    own, task = brought(house)
    say(house, task, **told(OutcomeKind.MORE_INFORMATION))
    listed = house.web.get("/reminders", headers=house.bearer()).get_json()
    (entry,) = listed["entries"]
    assert (entry["code"], entry["overdue"]) == ("INFORMATION_WANTED", False)
    assert entry["reference"] == referral(house, own).reference
    for role in ("9999999999", "GP", "gp ", "", 4):
        assert post_role(house, entry["id"], role).status_code == 400
    assert house.web.get("/reminders", headers=house.bearer("oh-one")).get_json()["entries"] == []
    assert post_role(house, entry["id"], "gp", client="oh-one").status_code == 404
    assert post_role(house, ADDRESS, "gp").status_code == 404
    assert post_role(house, "nothing", "gp").status_code == 404
    done = post_role(house, entry["id"], "practice-manager")
    assert done.status_code == 200, done.get_data(as_text=True)
    assert done.get_json()["resolution"] == "ACKNOWLEDGED.PRACTICE_MANAGER"
    assert post_role(house, entry["id"], "gp").status_code == 409
    (closed,) = entries(house, "reminder.closed")
    assert closed["actor"] == "gp-one"


def test_a_practice_cannot_acknowledge_what_waits_for_others(house: House) -> None:
    own, _ = brought(house)
    pass_by(house, LATER)
    (noted,) = of(house, own)
    assert post_role(house, noted.id, "gp").status_code == 404
    assert of(house, own)[0].is_open


def test_a_practice_is_not_told_what_an_officer_decides(house: House) -> None:
    held(house, **elsewhere())
    assert house.web.get("/reminders", headers=house.bearer()).get_json()["entries"] == []
