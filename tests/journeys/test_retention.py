"""What was kept long enough goes, and only that; the ledger says so, and stays whole."""

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from gateway.errors import DamagedRecordError
from gateway.journey.check_ledger import check_ledger
from gateway.journey.erase import erase_keys
from gateway.journey.notices import notices_of, record_acknowledged, record_sent
from gateway.journey.opt_outs import load_answer
from gateway.journey.publish import publish
from gateway.journey.reconcile import reconcile
from gateway.journey.retention import (
    PERSONS,
    Planned,
    Retention,
    plan_purge,
    purge,
    purged_logs,
)
from gateway.ledger.entry import TokenRefused
from gateway.ledger.note import ED25519, Ed25519Signer, VerifierKey, read_note, verify
from gateway.referral.identifiers import Handle, NhsNumber
from gateway.referral.lifecycle import ReferralState
from gateway.store import details, erasing, ledger, persons, purging
from gateway.store.purging import AT_A_TIME, Record
from gateway.store.tables import metadata, request
from tests.builders.canary import NUMBER, WORDS, canary_referral
from tests.builders.database import every_value, places_of
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute, id_in, referral, take_back, work
from tests.builders.house import START, House, build_house, furnish
from tests.builders.messages import bars_headers, consent, service_request
from tests.builders.register import register, to_register, withdraw
from tests.builders.sharing import PRACTICE_ODS, move, set_to

DAY = timedelta(days=1)
KEPT = Retention(
    referrals=800 * DAY, refusals=400 * DAY, consents=600 * DAY, requests=30 * DAY, tokens=2 * DAY,
    notices=500 * DAY, opt_outs=20 * DAY, ledger_years=3,
)  # fmt: skip
SIGNER = Ed25519Signer(bytes(32))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as house:
        yield house


def let_go(house: House, kept: Retention = KEPT) -> list[Planned]:
    return purge(house.gateway, kept, [SIGNER], lambda _kind, _done: None)


def counted(house: House) -> dict[str, int]:
    """How many rows each table has that has any; of the ledger's, none."""
    with house.gateway.store.reading(as_one_moment=True) as view:
        found = {
            table.name: view.connection.execute(
                select(func.count()).select_from(table)
            ).scalar_one()
            for table in metadata.sorted_tables
            if not table.name.startswith(("ledger_entry", "ledger_head", "checkpoint", "ledger_k"))
        }
    return {name: rows for name, rows in found.items() if rows}


def faults(house: House) -> list[str]:
    return [each.text for each in reconcile(house.gateway).discrepancies]


def all_is_well(house: House) -> bool:
    is_intact = all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))
    return is_intact and faults(house) == []


def delivered(house: House) -> str:
    house.tokens.clear()
    answer = house.post("/ServiceRequest", canary_referral())
    assert answer.status_code == 201
    work(house)
    return id_in(answer.headers["Location"])


def refused(house: House) -> None:
    house.tokens.clear()
    sent = house.post("/ServiceRequest", canary_referral(consents=[]), **bars_headers())
    assert sent.status_code == 403


def withdrawn(house: House) -> None:
    house.tokens.clear()
    withdraw(house, register(house, to_register(number=NUMBER)))
    work(house)  # whoever had a referral of theirs is told


def ended_notice(house: House) -> None:
    """One notice that is reinstated, and the letter that says so, acknowledged."""
    for value in ("off", "on"):
        set_to(house, "shared_care", value)
    for each in notices_of(PRACTICE_ODS, house.gateway):
        if each.state != "reinstated":
            record_sent(each.id, house.gateway, actor="manager")
            record_acknowledged(each.id, house.gateway, actor="manager")


def answered(house: House) -> None:
    load_answer(f"{NUMBER},".encode(), b"", house.clock.now, house.gateway)


def took_back(house: House) -> None:
    """A practice withdraws, and nothing had been sent."""
    move(house, "withdrawn", "dsa-one-oh")


def has_token(house: House) -> None:
    house.tokens.clear()
    house.bearer()


CASES: list[tuple[Record, Any, str, timedelta]] = [
    (Record.REFERRALS, delivered, "referral", KEPT.referrals),
    (Record.REFUSALS, refused, "decision", KEPT.refusals),
    (Record.CONSENTS, withdrawn, "consent", KEPT.consents),
    (Record.REQUESTS, refused, "request", KEPT.requests),
    (Record.TOKENS, has_token, "access_token", KEPT.tokens + timedelta(minutes=10)),
    (Record.ASSERTIONS, has_token, "client_assertion", KEPT.tokens + timedelta(seconds=70)),
    (Record.NOTICES, ended_notice, "icb_notice", KEPT.notices),
    (Record.OPT_OUTS, answered, "national_opt_out", KEPT.opt_outs),
    (Record.WITHDRAWALS, took_back, "withdrawal", KEPT.referrals),
]


@pytest.mark.parametrize(("record", "begin", "table", "kept"), CASES, ids=lambda c: str(c)[:16])
def test_each_kind_goes_when_its_time_is_over_and_no_sooner(
    house: House, record: Record, begin: Any, table: str, kept: timedelta
) -> None:
    begin(house)
    house.clock.now += kept
    assert {each.record: each.size for each in plan_purge(house.gateway, KEPT)}[record] == 0
    let_go(house)
    assert counted(house)[table] > 0
    house.clock.now += timedelta(microseconds=1)
    (planned,) = [each for each in plan_purge(house.gateway, KEPT) if each.record is record]
    assert planned.size > 0
    assert planned.oldest is not None
    assert planned.oldest < planned.before
    (gone,) = [each for each in let_go(house) if each.record is record]
    assert (gone.size, gone.oldest) == (planned.size, planned.oldest)
    assert table not in counted(house)
    told = [each for each in entries(house, "retention.purged") if each["record"] == record]
    assert [(each["size"], each["year"], each["root"]) for each in told] == [
        (gone.size, None, None)
    ]
    assert all_is_well(house)


def test_a_second_purge_finds_nothing_and_says_nothing(house: House) -> None:
    for begin in (delivered, refused, withdrawn, ended_notice, answered):
        begin(house)
    house.clock.now += 801 * DAY
    let_go(house)
    before = len(entries(house, "retention.purged")), counted(house)
    assert [each.size for each in let_go(house)] == [0] * 9
    assert (len(entries(house, "retention.purged")), counted(house)) == before


def test_to_plan_changes_nothing(house: House) -> None:
    delivered(house)
    house.clock.now += 801 * DAY
    before = every_value(house)
    plan_purge(house.gateway, KEPT)
    assert every_value(house) == before


def test_a_referral_that_is_not_over_stays_however_old_it_is(house: House) -> None:
    held = house.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
    recalled = delivered(house)
    take_back(house, recalled)
    waiting = house.post("/ServiceRequest", canary_referral())
    house.clock.now += 5000 * DAY
    let_go(house)
    states = {
        referral(house, id_in(each)).state
        for each in (held.headers["Location"], waiting.headers["Location"])
    } | {referral(house, recalled).state}
    assert states == {ReferralState.HELD, ReferralState.QUEUED, ReferralState.RECALLING}
    assert faults(house) == []


def test_a_delivery_on_its_way_keeps_its_referral_whatever_that_says(embedded: House) -> None:
    delivered(embedded)
    execute(embedded, "UPDATE delivery SET state = 'queued'")
    embedded.clock.now += 801 * DAY
    (gone,) = [each for each in let_go(embedded) if each.record is Record.REFERRALS]
    assert gone.size == 0


def test_a_provider_that_reads_an_old_referral_moves_nothing(house: House) -> None:
    """What was only read goes when its time is over, and its going is still accounted for."""
    own = delivered(house)
    register(house, to_register(number=NUMBER))  # which keeps the person, whatever else goes
    house.clock.now += 750 * DAY
    house.tokens.clear()
    house.get(f"/ServiceRequest/{own}", client="oh-one")
    assert entries(house, "decision.made")[-1]["stage"] == "read"
    house.clock.now += 51 * DAY
    let_go(house)
    left = counted(house)
    assert "referral" not in left
    assert (left["feed_head"], left["feed_event"]) == (2, 2), "the numbers of both lists stay"
    assert all_is_well(house)


def test_a_consent_that_counts_stays_and_so_does_its_person(house: House) -> None:
    delivered(house)
    register(house, to_register(number=NUMBER))
    house.clock.now += 5000 * DAY
    let_go(house)
    left = counted(house)
    assert (left["consent"], left["person"]) == (1, 1)
    assert "referral" not in left
    assert entries(house, "subject.erased") == []
    assert all_is_well(house)


def test_a_withdrawal_stays_as_long_as_anything_that_it_covers(house: House) -> None:
    delivered(house)
    house.clock.now += 400 * DAY
    took_back(house)
    house.clock.now += 401 * DAY
    work(house)
    let_go(house)
    left = counted(house)
    assert (left["withdrawal"], left["withdrawal_delivery"], left["recall"]) == (1, 1, 1)
    house.clock.now += 400 * DAY
    let_go(house)
    assert counted(house)["withdrawal"] == 1, "its recall was brought 400 days ago"
    house.clock.now += 401 * DAY
    let_go(house)
    assert not {"withdrawal", "withdrawal_delivery", "recall"} & set(counted(house))
    assert all_is_well(house)


def test_a_notice_that_stands_stays(house: House) -> None:
    set_to(house, "shared_care", "off")
    house.clock.now += 5000 * DAY
    let_go(house)
    assert counted(house)["icb_notice"] == 1


def test_a_letter_that_only_says_that_all_is_as_before_goes_once_it_is_acknowledged(
    house: House,
) -> None:
    set_to(house, "secondary_sharing", "off")
    first = notices_of(PRACTICE_ODS, house.gateway)[0]
    record_sent(first.id, house.gateway, actor="manager")
    set_to(house, "secondary_sharing", "on")
    again = next(n for n in notices_of(PRACTICE_ODS, house.gateway) if n.about.kind == "reinstate")
    record_sent(again.id, house.gateway, actor="manager")
    house.clock.now += 501 * DAY
    let_go(house)
    assert counted(house)["icb_notice"] == 1, "nobody acknowledged it yet"
    record_acknowledged(again.id, house.gateway, actor="manager")
    house.clock.now += 501 * DAY
    let_go(house)
    assert "icb_notice" not in counted(house)


def test_a_person_of_whom_nothing_is_kept_any_more_is_erased(house: House) -> None:
    delivered(house)
    refused(house)
    withdrawn(house)
    house.clock.now += 801 * DAY
    let_go(house)
    left = counted(house)
    assert not {"person", "ledger_detail", "decision", "delivery"} & set(left)
    (erased,) = entries(house, "subject.erased")
    assert erased["authority"] == "retention"
    assert places_of(every_value(house, but=("ledger_entry",)), erased["subject"]) == set()
    for word in WORDS:
        assert places_of(every_value(house), word) == set()
    assert all_is_well(house)


def test_what_was_sealed_about_a_purged_referral_is_gone_before_its_person_is(
    house: House,
) -> None:
    delivered(house)
    refused(house)
    register(house, to_register(number=NUMBER))
    house.clock.now += 801 * DAY
    let_go(house)
    with house.gateway.store.reading(as_one_moment=True) as view:
        log = ledger.logs(view.connection)[0][0]
        rows = list(ledger.entries(view.connection, log))
        opens = {
            entry["kind"]: details.open_detail(view, log, row.index)
            for row, entry in zip(rows, entries(house), strict=False)
        }
    assert {kind for kind, detail in opens.items() if detail} == {"consent.recorded"}


def test_many_go_in_small_transactions_each_with_its_entry(house: House) -> None:
    row = {
        "client": "gp-one", "body_sha256": "0" * 64, "attempt": 1, "running_until": None,
        "received_at": START,
    }  # fmt: skip
    number = 2 * AT_A_TIME + 1
    with house.gateway.store.engine.begin() as connection:
        connection.execute(
            insert(request), [row | {"request_id": str(uuid.uuid4())} for _ in range(number)]
        )
    house.clock.now += 31 * DAY
    told: list[tuple[str, int]] = []
    purge(house.gateway, KEPT, [], lambda kind, done: told.append((kind, done)))
    sizes = [each["size"] for each in entries(house, "retention.purged")]
    assert sizes == [AT_A_TIME, AT_A_TIME, 1]
    assert told == [("requests", AT_A_TIME), ("requests", 2 * AT_A_TIME), ("requests", number)]


class PulledPlugError(Exception):
    """The process ends between two transactions."""


def plug_at_the_first_commit(ends: list[str]) -> Any:
    """Make a progress that ends the process after a commit, and notes of which kind it was."""

    def progress(kind: str, _done: int) -> None:
        ends.append(kind)
        raise PulledPlugError

    return progress


def years(house: House) -> None:
    """Fill four years of the ledger, the first with everything, and go to when it may go."""
    note(house)
    publish(house.gateway, [SIGNER])
    for begin in (delivered, refused, withdrawn, ended_notice, answered):
        begin(house)
    for year in (2027, 2028, 2029):
        house.clock.now = datetime(year, 6, 1, tzinfo=UTC)
        note(house)
    house.clock.now = datetime(2030, 2, 1, tzinfo=UTC)
    note(house)


def note(house: House, times: int = 1) -> None:
    """Write entries in the log of this year."""
    for _ in range(times):
        with house.gateway.store.transaction(house.clock.now) as tx:
            tx.record(TokenRefused(actor="unknown", practice=None, code="X"))


def test_whatever_breaks_off_leaves_all_in_order_and_is_gone_on_with(house: House) -> None:
    years(house)
    ends: list[str] = []
    while True:
        try:
            purge(house.gateway, KEPT, [SIGNER], plug_at_the_first_commit(ends))
        except PulledPlugError:
            assert all_is_well(house), ends
            continue
        break
    year = "gateway.example/ledger/2026"
    assert ends == [
        *(record for record in Record if record is not Record.LEDGER_YEAR), PERSONS,
        year, year, year,
    ], "marked; entries; an earlier checkpoint"  # fmt: skip
    left = counted(house)
    assert not {"person", "referral", "decision", "ledger_detail", "ledger_tile"} & set(left)
    assert [each.log[-4:] for each in purged_logs(house.gateway)] == ["2026"]


def logs(house: House) -> list[str]:
    with house.gateway.store.reading() as view:
        return [log[-4:] for log, _ in ledger.logs(view.connection)]


def test_a_year_of_the_ledger_goes_and_its_last_checkpoint_still_verifies(house: House) -> None:
    years(house)
    publish(house.gateway, [SIGNER])
    before = len(entries(house))
    let_go(house)
    (gone,) = purged_logs(house.gateway)
    assert (gone.log, gone.purged_at) == ("gateway.example/ledger/2026", house.clock.now)
    key = VerifierKey(name=gone.log, algorithm=ED25519, public_key=SIGNER.public_key)
    verify(read_note(gone.note), key)
    assert gone.checkpoint.size == gone.size
    (told,) = [e for e in entries(house, "retention.purged") if e["record"] == "ledger-year"]
    assert (told["year"], told["size"], told["root"], told["log"][-4:]) == (
        2026, gone.size, gone.checkpoint.root.hex(), "2030",
    )  # fmt: skip
    assert told["before"].startswith("2027-01-01T00:00:00")
    assert logs(house) == ["2027", "2028", "2029", "2030"]
    assert len(entries(house)) < before
    with house.gateway.store.reading() as view:
        for name in ("ledger_entry", "ledger_detail", "ledger_tile"):
            table = metadata.tables[name]
            query = select(func.count()).where(table.c.log == gone.log)
            assert view.connection.execute(query).scalar_one() == 0
    assert all_is_well(house)


def test_a_year_is_kept_until_it_and_those_before_it_may_go(house: House) -> None:
    years(house)
    house.clock.now = datetime(2029, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert [each.log for each in plan_purge(house.gateway, KEPT) if each.log] == []
    house.clock.now = datetime(2032, 1, 1, tzinfo=UTC)
    planned = [each for each in plan_purge(house.gateway, KEPT) if each.log]
    assert [(str(each.log)[-4:], each.blocked) for each in planned] == [
        ("2026", "it is not signed in full: `gateway ledger checkpoint` signs it"),
        ("2027", "an earlier year is blocked"),
        ("2028", "an earlier year is blocked"),
    ]
    assert [str(each.log)[-4:] for each in let_go(house) if each.log] == ["2026", "2027", "2028"]
    assert logs(house) == ["2029", "2030", "2032"]
    assert all_is_well(house)


def test_a_year_that_nobody_signed_in_full_stays(house: House) -> None:
    years(house)
    gone = purge(house.gateway, KEPT, [], lambda _kind, _done: None)
    assert [each.blocked for each in gone if each.log] == [
        "it is not signed in full: `gateway ledger checkpoint` signs it"
    ]
    assert purged_logs(house.gateway) == []


def test_a_year_that_still_proves_a_referral_stays(house: House) -> None:
    house.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
    years(house)
    (gone,) = [each for each in let_go(house) if each.log]
    assert gone.blocked is not None
    assert "2 referrals and decisions from then are still kept" in gone.blocked
    assert "2026" in logs(house)
    assert all_is_well(house)


def test_a_year_that_was_tampered_with_is_evidence_and_stays(embedded: House) -> None:
    years(embedded)
    publish(embedded.gateway, [SIGNER])
    execute(embedded, "UPDATE ledger_entry SET body = leaf_hash WHERE idx = 3 AND log LIKE '%2026'")
    with pytest.raises(DamagedRecordError, match="is not what was signed, and is kept"):
        let_go(embedded)
    assert "2026" in logs(embedded)


def test_of_a_purged_year_only_the_last_checkpoint_is_kept(embedded: House) -> None:
    for _ in range(3):
        note(embedded)
        publish(embedded.gateway, [SIGNER])
    years(embedded)
    let_go(embedded)
    query = select(func.count()).where(metadata.tables["checkpoint"].c.log.like("%2026"))
    with embedded.gateway.store.reading() as view:
        assert view.connection.execute(query).scalar_one() == 1


def test_sqlite_gives_the_space_back(embedded: House, tmp_path: Path) -> None:
    years(embedded)
    with embedded.gateway.store.transaction(START) as tx:
        tx.record(*[TokenRefused(actor="unknown", practice=None, code="X")] * 2000)
    erasing.flush(embedded.gateway.store)
    file = tmp_path / "gateway.sqlite3"
    before = file.stat().st_size
    let_go(embedded)
    assert file.stat().st_size < before / 2


def test_a_file_of_sqlite_that_was_made_otherwise_keeps_its_size(tmp_path: Path) -> None:
    made = sqlite3.connect(tmp_path / "gateway.sqlite3")
    made.execute("PRAGMA auto_vacuum=NONE")
    made.execute("CREATE TABLE something (at_all INTEGER)")
    made.close()
    furnish(url := f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    house = build_house(url, is_furnished=True)
    assert purging.give_back_space(house.gateway.store, START) is False
    house.gateway.store.close()


def test_somebody_of_whom_something_came_meanwhile_is_not_erased(house: House) -> None:
    delivered(house)
    with house.gateway.store.transaction(house.clock.now) as tx:
        handle = persons.find_handle(tx, PRACTICE_ODS, NhsNumber(NUMBER))
        assert handle is not None
        assert not erase_keys(tx, handle)
        assert not erase_keys(tx, Handle("0" * 32))
    assert entries(house, "subject.erased") == []
