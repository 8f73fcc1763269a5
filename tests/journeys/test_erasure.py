"""A person is erased for good, and the ledger goes on proving what happened."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import DestinationRefusedError, IllegalMoveError, NotFoundError
from gateway.journey.check_ledger import check_ledger
from gateway.journey.deliver import deliver_next
from gateway.journey.erase import (
    Authority,
    Erasure,
    erase_subject,
    find_subject,
    look_at_erasure,
)
from gateway.journey.opt_outs import load_answer
from gateway.journey.reconcile import reconcile
from gateway.journey.withdraw import Concerns, acknowledge, begin
from gateway.ledger.entry import SubjectErased
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.proof import inclusion_proof, verify_inclusion
from gateway.referral.identifiers import Handle, NhsNumber, OdsCode
from gateway.referral.lifecycle import ReferralState
from gateway.referral.withdrawals import Cause
from gateway.store import details, erasing, ledger, tiles
from gateway.store.erasing import OnDisk
from gateway.store.tables import person
from gateway.store.tables_ledger import ledger_entry
from tests.builders.canary import NUMBER, WORDS, canary_message, canary_patient, canary_referral
from tests.builders.database import every_value, places_of, raw_files
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute, id_in, referral, take_back, work
from tests.builders.house import House
from tests.builders.messages import (
    ODS,
    OTHER_PRACTICE,
    PRACTICE,
    PROVIDER,
    bars_headers,
    consent,
    service_request,
)
from tests.builders.register import register, to_register, withdraw

SOMEBODY_ELSE = "9990000018"


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as house:
        yield house


def live_through_everything(house: House) -> Handle:
    """Do with the canary all that is done with a patient, to its end; return the handle."""
    delivered = house.post("/ServiceRequest", canary_referral())
    assert delivered.status_code == 201
    assert house.post("/ServiceRequest", canary_referral(consents=[])).status_code == 403
    assert house.post("/$process-message", canary_message(), **bars_headers()).status_code == 200
    work(house)
    assert take_back(house, id_in(delivered.headers["Location"])).status_code == 200
    work(house)
    withdraw(house, register(house, to_register("the-canarys", number=NUMBER)))
    work(house)  # the provider is told of that too
    load_answer(f"{NUMBER},".encode(), b"", house.clock.now, house.gateway)
    return handle_of(house)


def handle_of(house: House, number: str = NUMBER, practice: str = PRACTICE) -> Handle:
    return find_subject(house.gateway, OdsCode(practice), NhsNumber(number))


def erase(house: House, handle: Handle) -> Erasure:
    return erase_subject(house.gateway, handle, authority=Authority.DATA_SUBJECT_REQUEST)


def bodies(house: House) -> list[bytes]:
    query = select(ledger_entry.c.body).order_by(ledger_entry.c.log, ledger_entry.c.idx)
    with house.gateway.store.reading() as view:
        return list(view.connection.execute(query).scalars())


def opened(house: House) -> dict[int, details.Opened | None]:
    with house.gateway.store.reading(as_one_moment=True) as view:
        ((log, head),) = ledger.logs(view.connection)
        return {index: details.open_detail(view, log, index) for index in range(head.size)}


def faults(house: House) -> list[str]:
    return [each.text for each in reconcile(house.gateway).discrepancies]


LEDGER = ("ledger_entry",)


def test_nothing_of_an_erased_person_is_left_in_any_column(house: House) -> None:
    handle = live_through_everything(house)
    lookup = house.gateway.store.vault.lookup("nhs-number", PRACTICE, NUMBER)
    with house.gateway.store.reading() as view:
        own = view.connection.execute(select(person).where(person.c.handle == handle)).one()
    secrets = (handle, lookup, own.wrapped_key, own.sealed_nhs_number)
    before = every_value(house, but=LEDGER)
    assert all(places_of(before, each) for each in secrets)
    erase(house, handle)
    after = every_value(house, but=LEDGER)
    for each in (*WORDS, *secrets):
        assert places_of(after, each) == set()
    assert "gate.key" in places_of(before, handle)
    tables = {place.split(".")[0] for place, _ in before} - {p.split(".")[0] for p, _ in after}
    assert tables == {
        "person", "referral", "referral_change", "referral_identifier", "delivery", "decision",
        "consent", "consent_version", "consent_identifier", "ledger_detail", "request",
        "recall", "withdrawal", "withdrawal_delivery",
    }  # fmt: skip


def test_the_entries_stay_byte_for_byte_and_every_proof_still_holds(house: House) -> None:
    handle = live_through_everything(house)
    before = bodies(house)
    erase(house, handle)
    after = bodies(house)
    assert after[:-1] == before
    with house.gateway.store.reading(as_one_moment=True) as view:
        ((log, head),) = ledger.logs(view.connection)
        read = tiles.reader(view, log)
        for index, body in enumerate(after):
            proof = inclusion_proof(index, head.size, read)
            assert verify_inclusion(leaf_hash(body), index, head.size, proof, head.root())
    again = Frontier()
    for body in after:
        again = again.append(leaf_hash(body))
    assert again == head
    assert all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))


def test_the_erasure_is_on_record_with_its_authority_and_size(house: House) -> None:
    handle = live_through_everything(house)
    planned = look_at_erasure(house.gateway, handle)
    done = erase_subject(house.gateway, handle, authority=Authority.COURT_ORDER)
    assert (done.rows, done.blocking) == (planned.rows, ())
    (entry,) = entries(house, "subject.erased")
    told = {name: entry[name] for name in ("practice", "subject", "authority", "size", "actor")}
    assert told == {
        "practice": PRACTICE, "subject": handle, "authority": "court-order", "size": done.size,
        "actor": "operator",
    }  # fmt: skip
    assert done.size > 40


def test_to_look_at_an_erasure_changes_nothing(house: House) -> None:
    handle = live_through_everything(house)
    before = every_value(house)
    look_at_erasure(house.gateway, handle)
    assert every_value(house) == before


def test_no_detail_of_an_erased_person_opens(house: House) -> None:
    handle = live_through_everything(house)
    assert sum(each is not None for each in opened(house).values()) > 8
    erase(house, handle)
    assert set(opened(house).values()) == {None}


def test_the_same_number_has_a_new_handle_afterwards(house: House) -> None:
    handle = live_through_everything(house)
    erase(house, handle)
    with pytest.raises(NotFoundError, match="no patient of this NHS number"):
        handle_of(house)
    assert house.post("/ServiceRequest", canary_referral()).status_code == 201
    assert handle_of(house) != handle
    assert faults(house) == []


def test_a_request_of_an_erased_person_is_not_known_when_it_comes_again(house: House) -> None:
    ids = bars_headers()
    sent = canary_referral(consents=[])
    assert house.post("/ServiceRequest", sent, **ids).status_code == 403
    erase(house, handle_of(house))
    assert places_of(every_value(house), ids["X-Request-Id"]) == set()
    assert house.post("/ServiceRequest", sent, **ids).status_code == 403
    assert len(entries(house, "decision.made")) == 2, "it was decided on anew"


def test_the_same_patient_at_another_practice_is_another_person(house: House) -> None:
    there = house.directory["agreements"][0] | {"id": "dsa-two-oh", "practice": OTHER_PRACTICE}
    house.apply(agreements=[house.directory["agreements"][0], there])
    other = canary_referral(requester=OTHER_PRACTICE)
    at = {"identifier": {"system": ODS, "value": OTHER_PRACTICE}}
    other["contained"][0] = canary_patient(generalPractitioner=[at])
    assert house.post("/ServiceRequest", other, client="gp-two").status_code == 201
    stranger = house.post("/ServiceRequest", service_request())
    work(house)
    handle = live_through_everything(house)
    theirs = handle_of(house, practice=OTHER_PRACTICE)
    untouched = [
        look_at_erasure(house.gateway, each).rows
        for each in (theirs, handle_of(house, SOMEBODY_ELSE))
    ]
    erase(house, handle)
    after = [
        look_at_erasure(house.gateway, each).rows
        for each in (theirs, handle_of(house, SOMEBODY_ELSE))
    ]
    assert after == untouched
    assert house.get(f"/ServiceRequest/{id_in(stranger.headers['Location'])}").status_code == 200
    assert faults(house) == []


def test_a_national_opt_out_is_kept_for_it_is_of_all_practices(house: House) -> None:
    handle = live_through_everything(house)
    erase(house, handle)
    lookup = house.gateway.store.vault.lookup("national-opt-out", NUMBER)
    assert places_of(every_value(house), lookup) == {"national_opt_out.lookup"}


@pytest.mark.parametrize(
    ("concerns", "is_kept"),
    [
        (Concerns(practice=OdsCode(PRACTICE), recipient=OdsCode(PROVIDER)), True),
        (Concerns(recipient=OdsCode(PROVIDER)), True),
        (Concerns(practice=OdsCode(OTHER_PRACTICE)), False),
        (Concerns(practice=OdsCode(PRACTICE), subject=Handle("0" * 32)), False),
    ],
    ids=["practice", "provider", "another-practice", "another-person"],
)
def test_a_withdrawal_that_may_yet_recall_what_is_theirs_keeps_a_person(
    house: House,
    concerns: Concerns,
    is_kept: bool,  # noqa: FBT001  # of the table above
) -> None:
    handle = live_through_everything(house)
    with house.gateway.store.transaction(house.clock.now) as tx:
        begin(
            tx, house.gateway, cause=Cause.AGREEMENT, about="dsa-one-oh", actor="operator",
            recorded_at=tx.at, concerns=concerns,
        )  # fmt: skip
    if is_kept:
        with pytest.raises(IllegalMoveError, match="being carried through"):
            erase(house, handle)
        acknowledge(house.gateway)
    assert erase(house, handle).size > 0


def queued(house: House) -> Any:
    return house.post("/ServiceRequest", canary_referral())


def in_flight(house: House) -> Any:
    answer = queued(house)
    house.destination.failures.append(KeyboardInterrupt())  # type: ignore[arg-type]  # a worker's end
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker", house.gateway)
    return answer


def held(house: House) -> Any:
    return house.post("/ServiceRequest", canary_referral(consents=[consent(status="proposed")]))


def given_up(house: House) -> Any:
    answer = queued(house)
    house.destination.failures.append(DestinationRefusedError("no"))
    work(house)
    return answer


def recalling(house: House) -> Any:
    answer = queued(house)
    work(house)
    take_back(house, id_in(answer.headers["Location"]))
    return answer


@pytest.mark.parametrize(
    ("begin", "state", "how"),
    [
        (queued, ReferralState.QUEUED, "wait until it has arrived"),
        (in_flight, ReferralState.IN_FLIGHT, "wait until its attempt has ended"),
        (held, ReferralState.HELD, "`gateway replay` it"),
        (given_up, ReferralState.HELD, "let its sender take it back"),
        (recalling, ReferralState.RECALLING, "told to stop"),
    ],
)
def test_a_referral_that_is_not_over_keeps_its_person(
    house: House, begin: Any, state: ReferralState, how: str
) -> None:
    own = referral(house, id_in(begin(house).headers["Location"]))
    assert own.state is state
    before = every_value(house)
    with pytest.raises(IllegalMoveError) as refused:
        erase(house, own.subject)
    text = str(refused.value)
    assert f"{own.reference} is {state}: " in text
    assert how in text
    assert every_value(house) == before
    (found,) = look_at_erasure(house.gateway, own.subject).blocking
    assert (found.reference, found.state) == (own.reference, state)


def test_a_delivery_that_is_on_its_way_keeps_its_person_whatever_the_referral_says(
    embedded: House,
) -> None:
    own = referral(embedded, id_in(queued(embedded).headers["Location"]))
    execute(embedded, "UPDATE referral SET state = 'delivered'")
    with pytest.raises(IllegalMoveError, match=own.reference):
        erase(embedded, own.subject)


def test_who_was_taken_back_in_time_can_be_erased(house: House) -> None:
    answer = held(house)
    take_back(house, id_in(answer.headers["Location"]))
    erase(house, handle_of(house))
    assert faults(house) == []


def test_a_handle_that_leads_nowhere_is_said(house: House) -> None:
    handle = live_through_everything(house)
    erase(house, handle)
    with pytest.raises(NotFoundError, match="erased before"):
        erase(house, handle)
    with pytest.raises(NotFoundError, match="erased before"):
        look_at_erasure(house.gateway, handle)
    assert len(entries(house, "subject.erased")) == 1


def test_reconciliation_knows_who_was_erased_and_finds_what_is_left_of_them(house: House) -> None:
    handle = live_through_everything(house)
    erase(house, handle)
    assert faults(house) == []
    execute(house, "INSERT INTO gate VALUES ('subject', :handle, 1)", handle=handle)
    assert "a person was erased, and yet rows are left in gate: 1" in faults(house)


def test_a_referral_that_went_without_a_reason_is_found_beside_one_that_went_with_one(
    house: House,
) -> None:
    handle = live_through_everything(house)
    lost = id_in(house.post("/ServiceRequest", service_request()).headers["Location"])
    erase(house, handle)
    for table, column in (
        ("delivery", "referral"), ("decision", "referral"), ("request", "referral"),
        ("referral_identifier", "referral"), ("referral", "id"),
    ):  # fmt: skip
        execute(house, f"DELETE FROM {table} WHERE {column} = :id", id=lost)  # noqa: S608  # ours
    assert "the ledger names a referral without a row" in faults(house)


def test_whoever_breaks_off_an_erasure_erased_nothing(embedded: House) -> None:
    handle = live_through_everything(embedded)
    before = every_value(embedded)
    execute(
        embedded,
        "CREATE TRIGGER full BEFORE INSERT ON ledger_entry WHEN new.kind = 'subject.erased'"
        " BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    )
    with pytest.raises(Exception, match="disk full"):
        erase(embedded, handle)
    assert every_value(embedded) == before


def test_the_files_of_sqlite_hold_no_key_and_nothing_sealed_any_more(
    embedded: House, tmp_path: Path
) -> None:
    for _ in range(30):
        house_of = to_register(number=SOMEBODY_ELSE)
        register(embedded, house_of)
    handle = live_through_everything(embedded)
    wanted = [
        value
        for place, value in every_value(embedded)
        if place.split(".")[1].startswith(("wrapped_key", "sealed"))
        and len(value) > 32
        and place.split(".")[0] != "national_opt_out"
    ]
    kept = {
        value for place, value in every_value(embedded) if place.startswith(("consent", "person"))
    }
    done = erase(embedded, handle)
    assert done.on_disk is OnDisk.OVERWRITTEN
    left = {value for _, value in every_value(embedded)}
    gone = [value for value in wanted if value not in left]
    assert len(gone) > 20
    assert len(kept & left) > 60
    raw = raw_files(tmp_path)
    assert [each for each in gone if each in raw] == []


def test_a_reader_in_the_way_is_told_of_and_the_next_time_does_it(
    embedded: House, tmp_path: Path
) -> None:
    handle = live_through_everything(embedded)
    with embedded.gateway.store.reading() as view:
        own = view.connection.execute(select(person).where(person.c.handle == handle)).one()
        assert erase(embedded, handle).on_disk is OnDisk.WAITING
        assert own.wrapped_key in raw_files(tmp_path)
    assert erasing.flush(embedded.gateway.store) is OnDisk.OVERWRITTEN
    assert own.wrapped_key not in raw_files(tmp_path)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_postgresql_looks_after_its_own_files(house: House) -> None:
    assert erase(house, live_through_everything(house)).on_disk is OnDisk.BY_SERVER


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_a_referral_that_comes_while_its_person_is_erased_is_accepted_when_it_is_sent_again(
    house: House,
) -> None:
    handle = live_through_everything(house)
    sent, ids = canary_referral(), bars_headers()
    answers: list[Any] = []

    def send() -> None:
        answers.append(house.post("/ServiceRequest", sent, **ids))

    sender = threading.Thread(target=send)
    with house.gateway.store.transaction(house.clock.now) as tx:
        erasing.practice_of(tx, handle, hold_still=True)
        sender.start()
        sender.join(0.5)
        assert sender.is_alive(), "it waits for the erasure"
        erasing.erase(tx, OdsCode(PRACTICE), handle)
        tx.record(
            SubjectErased(
                actor="operator", practice=PRACTICE, subject=handle, authority="retention", size=1
            )
        )
    sender.join(10)
    send()
    first, second = (answer.status_code for answer in answers)
    assert (first, second) == (503, 201), "nothing was accepted, and it was told so"
    assert handle_of(house) != handle
    assert faults(house) == []
