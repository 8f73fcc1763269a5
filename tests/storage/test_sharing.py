"""Events on agreements and switches in the store: what an engine could change."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import ConsentRefusedError, IllegalMoveError, MovedMeanwhileError
from gateway.journey.agreements import agreement_history, agreements_of
from gateway.journey.notices import letter_of, notices_of, record_sent
from gateway.journey.sharing import once_more
from gateway.journey.switches import switch_history, switches_of
from gateway.referral.directory import AgreementStatus
from gateway.referral.identifiers import AgreementId
from gateway.store import notices, sharing
from tests.builders.evidence import entries, the_delivery, work
from tests.builders.house import House
from tests.builders.messages import service_request
from tests.builders.sharing import PRACTICE_ODS, move, set_to, sign

OH = "dsa-one-oh"


def value(house: House, switch: str) -> str | None:
    standings = {each.switch.value: each for each in switches_of(PRACTICE_ODS, house.gateway)}
    event = standings[switch].event
    return event.value.value if event else None


def stands(house: House, name: str = "dsa-eval") -> AgreementStatus | None:
    found = {each.id: each.agreement for each in agreements_of(PRACTICE_ODS, house.gateway)}
    agreement = found.get(AgreementId(name))
    return agreement.status if agreement else None


def open_sign_up(house: House) -> None:
    set_to(house, "new_agreements", "on")


def changes(house: House) -> list[tuple[str, str, str]]:
    found = entries(house, "switch.changed")
    return [(each["switch"], each["value"], each["source"]) for each in found]


def refused(house: House) -> dict[str, Any]:
    return entries(house, "agreement.refused")[-1]


def test_a_switch_counts_at_once_and_is_on_record(house: House) -> None:
    done = set_to(house, "update_record", "off")
    assert done.event is not None
    assert (done.event.effective_at, done.event.recorded_at) == (house.clock.now, house.clock.now)
    assert value(house, "update_record") == "off"
    assert value(house, "send_document") is None
    assert changes(house) == [("update_record", "off", "operator")]


def test_many_who_set_one_switch_at_once_leave_one_line_of_events(house: House) -> None:
    faults: list[Exception] = []

    def set_it(each: str) -> None:
        try:
            set_to(house, "update_record", each)
        except Exception as error:  # noqa: BLE001  # a thread's fault is shown below
            faults.append(error)

    threads = [threading.Thread(target=set_it, args=(v,)) for v in ("on", "off") * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = switch_history(PRACTICE_ODS, house.gateway)
    assert faults == []
    assert [each.seq for each in events] == list(range(1, len(events) + 1))
    assert value(house, "update_record") == events[-1].value


def test_a_planned_setting_counts_from_its_time_on(house: House) -> None:
    set_to(house, "update_record", "on")
    done = set_to(house, "update_record", "off", at=house.clock.now + timedelta(days=3))
    assert [each.value.value for each in done.standing.planned] == ["off"]
    assert value(house, "update_record") == "on"
    house.clock.move(days=3)
    assert value(house, "update_record") == "off"


def test_signing_brings_an_agreement_into_force(house: House) -> None:
    open_sign_up(house)
    done = sign(house, document_sha256="ab" * 32)
    assert done.event is not None
    assert stands(house) is AgreementStatus.ACTIVE
    entry = entries(house, "agreement.signed")[-1]
    assert (entry["agreement"], entry["source"], entry["document_sha256"]) == (
        "dsa-eval",
        "operator",
        "ab" * 32,
    )


def test_a_freeze_refuses_what_is_new_and_says_so_on_record(house: House) -> None:
    set_to(house, "new_agreements", "off")
    with pytest.raises(ConsentRefusedError) as told:
        sign(house)
    assert (told.value.code, told.value.spine_code) == (
        "NEW_AGREEMENTS_FROZEN",
        "NO_ORGANISATION_CONSENT",
    )
    assert told.value.remedy
    entry = refused(house)
    assert (entry["rule"], entry["change"], entry["version"]) == ("R23", "new", 1)
    assert stands(house) is None


def test_the_id_of_another_practices_agreement_is_taken(house: House) -> None:
    other = house.directory["agreements"][0] | {"id": "dsa-two", "practice": "G99002"}
    house.apply(agreements=[*house.directory["agreements"], other])
    open_sign_up(house)
    with pytest.raises(IllegalMoveError, match="choose another id") as told:
        sign(house, "dsa-two")
    assert "practice" not in str(told.value)


def test_a_withdrawal_stops_what_has_not_left(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    move(house, "withdrawn", OH)
    work(house)
    assert house.destination.received == []
    assert the_delivery(house).state == "stopped"
    assert house.post("/ServiceRequest", service_request()).status_code == 403


def test_many_who_sign_and_withdraw_at_once_leave_one_line_of_events(house: House) -> None:
    open_sign_up(house)
    sign(house)
    faults: list[Exception] = []

    def act(to: str) -> None:
        try:
            move(house, to)
        except IllegalMoveError:
            pass
        except Exception as error:  # noqa: BLE001  # a thread's fault is shown below
            faults.append(error)

    threads = [threading.Thread(target=act, args=(to,)) for to in ("suspended", "reinstated") * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = agreement_history(PRACTICE_ODS, house.gateway, agreement=AgreementId("dsa-eval"))
    assert faults == []
    assert [each.seq for each in events] == list(range(1, len(events) + 1))


def test_an_event_whose_number_was_taken_meanwhile_is_refused_whole(house: House) -> None:
    open_sign_up(house)
    event = sign(house).event
    assert event is not None
    before = entries(house)
    gateway = house.gateway
    with (
        pytest.raises(MovedMeanwhileError, match="at the same moment"),
        gateway.store.transaction(gateway.clock()) as tx,
    ):
        sharing.add_agreement_event(tx, event)
    assert entries(house) == before


def test_a_notice_is_kept_as_it_was_drafted_and_moved_by_one_at_a_time(house: House) -> None:
    open_sign_up(house)
    sign(house)
    move(house, "withdrawn")
    gateway = house.gateway
    (drafted,) = notices_of(PRACTICE_ODS, gateway)
    sent = record_sent(drafted.id, gateway, actor="operator")
    assert notices_of(PRACTICE_ODS, gateway) == [sent]
    assert letter_of(sent.id, gateway)
    before = entries(house)
    with (
        pytest.raises(MovedMeanwhileError, match="moved by another"),
        gateway.store.transaction(gateway.clock()) as tx,
    ):
        notices.move(tx, drafted)
    assert entries(house) == before


@pytest.mark.parametrize(("failures", "tries"), [(0, 1), (1, 2)])
def test_what_fails_once_because_of_another_is_done_again(failures: int, tries: int) -> None:
    tried: list[int] = []

    def act() -> str:
        tried.append(1)
        if len(tried) <= failures:
            raise MovedMeanwhileError
        return "done"

    assert (once_more(act), len(tried)) == ("done", tries)


def test_what_fails_twice_because_of_another_fails() -> None:
    def act() -> None:
        raise MovedMeanwhileError

    with pytest.raises(MovedMeanwhileError):
        once_more(act)
