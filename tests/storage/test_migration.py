"""A database of the first release is brought up to date: its directory says the same as events."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import DateTime, Engine, MetaData, Table, select, text

from gateway.referral.directory import Switch
from gateway.referral.identifiers import OdsCode
from gateway.referral.sharing import Origin
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Store, make_engine
from gateway.store.schema import migrations, require_current_schema, upgrade
from gateway.store.sharing import all_agreement_events, all_switch_events
from gateway.store.tables import recall
from gateway.store.vault import Vault
from tests.postgres import PostgresServer

START = datetime(2026, 11, 1, tzinfo=UTC)
ONE, TWO, OH, RX = OdsCode("G99001"), OdsCode("G99002"), OdsCode("RX901"), OdsCode("RX902")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, on each engine in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    fresh = server.fresh_database()
    yield fresh
    server.drop_database(fresh)


@pytest.fixture
def old(url: str) -> Iterator[Engine]:
    """A database as the first release left it."""
    engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=2)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    yield engine
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    vault = Vault({"k1": bytes(32)}, bytes(32), bytes)
    opened = Store(
        url, vault=vault, ledger_origin="x.example/l", timeout=timedelta(seconds=5), pool_size=2
    )
    yield opened
    opened.close()


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def keep(
    engine: Engine, kind: str, body: dict[str, Any], version: int, start: int, end: int | None
) -> None:
    """Keep a version of a record, valid from one day to another."""
    key = body["ods"] if kind != "agreement" else body["id"]
    stored = {
        "kind": kind, "key": key, "version": version, "body": json.dumps(body),
        "from": _told(engine, day(start)), "to": None if end is None else _told(engine, day(end)),
    }  # fmt: skip
    statement = (
        "INSERT INTO directory_record (kind, key, version, valid_from, valid_to, recorded_at, body)"
        " VALUES (:kind, :key, :version, :from, :to, :from, :body)"
    )
    with engine.begin() as connection:
        connection.execute(text(statement), stored)


def _told(engine: Engine, at: datetime) -> datetime | str:
    if engine.dialect.name == "postgresql":
        return at
    return at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def practice(ods: str, **switches: str) -> dict[str, Any]:
    return {"ods": ods, "name": f"Surgery {ods}", "switches": switches}


def agreement(name: str, status: str = "active", **changed: Any) -> dict[str, Any]:
    return {
        "id": name, "practice": ONE, "counterparty": OH, "kind": "direct",
        "purposes": ["occupational-health"], "status": status,
    } | changed  # fmt: skip


def standing(store: Store, at: int, here: OdsCode = ONE, there: OdsCode = OH) -> list[str]:
    """How the agreements of two stand on a day, by id."""
    with store.reading() as view:
        found = DirectoryAsOf(view, day(at)).parties(here, there).agreements
    return [f"{each.id} {each.status}" for each in found]


def test_each_version_of_an_agreement_becomes_an_event(old: Engine, store: Store) -> None:
    keep(old, "practice", practice(ONE), 1, 0, None)
    for number, (status, start, end) in enumerate(
        [("proposed", 0, 2), ("active", 2, 5), ("suspended", 5, 7), ("active", 7, None)], start=1
    ):
        keep(old, "agreement", agreement("dsa", status), number, start, end)
    upgrade(old)
    require_current_schema(old)
    assert [standing(store, n) for n in (0, 3, 6, 8)] == [
        ["dsa proposed"], ["dsa active"], ["dsa suspended"], ["dsa active"],
    ]  # fmt: skip
    with store.reading() as view:
        events = sorted(all_agreement_events(view), key=lambda event: event.seq)
    assert [(e.seq, e.effective_at, e.recorded_at) for e in events] == [
        (n, day(at), day(at)) for n, at in enumerate((0, 2, 5, 7), start=1)
    ]
    assert {(e.origin, e.actor) for e in events} == {(Origin.IMPORT, "operator")}
    assert events[0].terms.purposes == {"occupational-health"}


def test_an_agreement_that_was_ended_stays_ended(old: Engine, store: Store) -> None:
    keep(old, "practice", practice(ONE), 1, 0, None)
    keep(old, "agreement", agreement("dsa-gone"), 1, 0, 4)
    keep(old, "agreement", agreement("dsa-back"), 1, 0, 4)
    keep(old, "agreement", agreement("dsa-back"), 2, 6, None)
    upgrade(old)
    assert standing(store, 3) == ["dsa-back active", "dsa-gone active"]
    assert standing(store, 5) == ["dsa-back withdrawn", "dsa-gone withdrawn"]
    assert standing(store, 7) == ["dsa-back active", "dsa-gone withdrawn"]


def test_an_agreement_whose_parties_changed_is_withdrawn_between_the_old_ones(
    old: Engine, store: Store
) -> None:
    for ods in (ONE, TWO):
        keep(old, "practice", practice(ods), 1, 0, None)
    keep(old, "agreement", agreement("dsa"), 1, 0, 2)
    keep(old, "agreement", agreement("dsa", counterparty=RX), 2, 2, 4)
    keep(old, "agreement", agreement("dsa", practice=TWO, counterparty=RX), 3, 4, None)
    upgrade(old)
    assert [standing(store, n) for n in (1, 3)] == [["dsa active"], ["dsa withdrawn"]]
    assert [standing(store, n, ONE, RX) for n in (3, 5)] == [["dsa active"], ["dsa withdrawn"]]
    assert standing(store, 5, TWO, RX) == ["dsa active"]


def test_two_versions_of_one_instant_leave_the_last(old: Engine, store: Store) -> None:
    keep(old, "practice", practice(ONE), 1, 0, None)
    keep(old, "agreement", agreement("dsa"), 1, 0, 0)
    keep(old, "agreement", agreement("dsa", "withdrawn"), 2, 0, None)
    upgrade(old)
    assert standing(store, 0) == ["dsa withdrawn"]
    assert standing(store, 9) == ["dsa withdrawn"]


def test_each_change_of_a_switch_becomes_an_event(old: Engine, store: Store) -> None:
    keep(old, "practice", practice(ONE, update_record="on", shared_care="off"), 1, 0, 3)
    keep(old, "practice", practice(ONE, update_record="off", shared_care="off"), 2, 3, 6)
    keep(old, "practice", practice(ONE, shared_care="off"), 3, 6, None)
    upgrade(old)

    def switches(at: int) -> dict[Switch, str]:
        with store.reading() as view:
            found = DirectoryAsOf(view, day(at)).parties(ONE, None).practice
        assert found is not None
        return {switch: value.value for switch, value in found.switches.items()}

    assert switches(1) == {Switch.UPDATE_RECORD: "on", Switch.SHARED_CARE: "off"}
    assert switches(7) == {Switch.UPDATE_RECORD: "off", Switch.SHARED_CARE: "off"}
    with store.reading() as view:
        events = all_switch_events(view)
        kept = DirectoryAsOf(view, day(7)).practice(ONE)
    assert sorted((e.switch.value, e.seq, e.effective_at) for e in events) == [
        ("shared_care", 1, day(0)),
        ("update_record", 1, day(0)),
        ("update_record", 2, day(3)),
    ]
    assert kept is not None
    assert (kept.name, kept.switches) == ("Surgery G99001", {})


def test_a_switch_that_a_later_version_left_out_is_off_from_then_on(
    old: Engine, store: Store
) -> None:
    keep(old, "practice", practice(ONE, update_record="on"), 1, 0, 3)
    keep(old, "practice", practice(ONE), 2, 3, None)
    upgrade(old)
    with store.reading() as view:
        events = sorted(all_switch_events(view), key=lambda event: event.seq)
    assert [(e.value.value, e.effective_at) for e in events] == [("on", day(0)), ("off", day(3))]


FILLED: dict[type[Any], Any] = {str: "x", int: 1, bytes: b"x", bool: False}


def insert(engine: Engine, name: str, **told: Any) -> None:
    """Insert a row of which only some columns matter."""
    with engine.begin() as connection:
        table = Table(name, MetaData(), autoload_with=connection)
        row = {
            column.name: START
            if isinstance(column.type, DateTime)
            else FILLED[column.type.python_type]
            for column in table.c
            if not column.nullable
        }
        connection.execute(table.insert().values(row | told))


def test_a_recall_of_the_first_release_is_told_what_it_is_for(old: Engine, store: Store) -> None:
    insert(old, "person", handle="h")
    insert(old, "referral", id="r", subject="h", state="delivered")
    for name, kind, state, more in (
        ("d1", "referral", "delivered", {"service": "s1"}),
        ("c1", "recall", "delivered", {"service": "s1", "reason": "CANCELLED"}),
        ("d2", "referral", "delivered", {"service": "s2"}),
        ("c2", "recall", "queued", {"service": "s2", "reason": "CANCELLED"}),
        ("d3", "referral", "delivered", {"service": "s3"}),
    ):
        insert(old, "delivery", id=name, kind=kind, referral="r", state=state, **more)
    before = datetime.now(UTC)
    upgrade(old)
    with old.connect() as connection:
        rows = connection.execute(select(recall).order_by(recall.c.id)).all()
    assert [(r.id, r.recalled, r.cause, r.sent_at) for r in rows] == [
        ("c1", "d1", "CANCELLED", START),
        ("c2", "d2", "CANCELLED", None),
    ]
    assert all(r.due >= before + timedelta(days=2) for r in rows)
    assert all(r.answer is None for r in rows)


def test_a_database_without_agreements_is_brought_up_to_date(old: Engine, store: Store) -> None:
    upgrade(old)
    with store.reading() as view:
        assert (all_agreement_events(view), all_switch_events(view)) == ([], [])
    assert standing(store, 1) == []
