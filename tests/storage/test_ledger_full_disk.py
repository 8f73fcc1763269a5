"""No room, or no ledger: the act does not happen, the sender is told so, and nothing is damaged.

"If it cannot be written, the act does not happen": section 11, item 21 of the sharing rules, and
the first rule of its recommended format.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError
from gateway.journey.agreements import Wish, set_agreement
from gateway.journey.check_ledger import check_ledger
from gateway.journey.cosign import Cosigner, cosign
from gateway.journey.deliver import deliver_next
from gateway.journey.erase import Authority, erase_subject
from gateway.journey.hand_out import export_log, newest_log, prove_entry
from gateway.journey.notices import notices_of, record_sent
from gateway.journey.opt_outs import load_answer
from gateway.journey.policies import put_in_force
from gateway.journey.publish import publish
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.identifiers import AgreementId, NhsNumber, OdsCode
from gateway.referral.sharing import AgreementMove
from gateway.store import persons
from tests.builders.canary import NUMBER, canary_referral
from tests.builders.database import every_value
from tests.builders.embedded import furnished_sqlite
from tests.builders.evidence import execute, id_in, referral, work
from tests.builders.house import House, build_house
from tests.builders.messages import PRACTICE, bars_headers, consent, service_request
from tests.builders.register import NHS, register, to_register
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, set_to
from tests.builders.signed import SIGNER
from tests.builders.witnesses import grow, near, notary_of


def is_whole(house: House) -> bool:
    reports = check_ledger(house.gateway, lambda _rows: None)
    return all(each.ok for each in reports) and reconcile(house.gateway).discrepancies == ()


def is_told_to_come_again(answer: Any) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.get_json()["resourceType"] == "OperationOutcome"


@contextmanager
def limited_to(engine: Engine, pages: int) -> Iterator[None]:
    """Let SQLite's file grow no further than so many pages."""

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine.dispose()
    event.listen(engine, "connect", limit)
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


def until_full(house: House) -> Any:
    """Send referrals until one is not taken; return what it was answered."""
    for _ in range(400):
        answer = house.post("/ServiceRequest", service_request(), **bars_headers())
        if answer.status_code != 201:
            return answer
    pytest.fail("it never became full")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sqlite_database_that_may_not_grow_refuses_and_goes_on_when_it_may(house: House) -> None:
    house.bearer()
    with house.gateway.store.reading() as view:
        pages = view.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with limited_to(house.gateway.store.engine, pages + 8):
        is_told_to_come_again(until_full(house))
    assert is_whole(house)
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    work(house)
    assert is_whole(house)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own that is soon full; skips where none may be mounted."""
    folder.mkdir()
    options = f"size={kilobytes}k,mode=0777"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"NOT TESTED ON A FULL DISK. mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_sqlite_database_on_a_full_disk_refuses_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    content = furnished_sqlite()
    with small_disk(tmp_path / "small", len(content) // 1024 + 900) as disk:
        path, filler = disk / "gateway.sqlite3", disk / "filler"
        path.write_bytes(content)
        house = build_house(f"sqlite:///{path}", is_furnished=True)
        try:
            assert house.post("/ServiceRequest", service_request()).status_code == 201
            _fill(filler)
            is_told_to_come_again(until_full(house))
            filler.unlink()
            assert house.post("/ServiceRequest", service_request()).status_code == 201
            work(house)
            assert is_whole(house)
        finally:
            house.gateway.store.close()


def _fill(filler: Path) -> None:
    """Leave no byte free."""
    with filler.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                return


REFUSES_ROOM = (
    "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
    " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
)


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_head", "ledger_detail", "referral"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_postgresql_without_room_refuses_and_goes_on_when_there_is_some(
    house: House, table: str
) -> None:
    house.bearer()
    execute(house, REFUSES_ROOM)
    execute(
        house,
        f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION no_room()",
    )
    before = acts_of(house)
    is_told_to_come_again(house.post("/ServiceRequest", service_request(), **bars_headers()))
    assert acts_of(house) == before
    execute(house, f"DROP TRIGGER full_disk ON {table}")
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    assert is_whole(house)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_postgresql_on_a_full_disk_refuses_and_goes_on_when_there_is_room(
    house: House, tmp_path: Path
) -> None:
    """The ledger's entries on a disk of their own, which is really full (SQLSTATE 53100)."""
    house.bearer()
    socket = parse_qs(urlsplit(house.settings.database_url).query)["host"][0]
    with small_disk(Path(socket) / "small", 1200) as disk:
        place, filler = disk / "entries", disk / "filler"
        place.mkdir()
        owner = Path(socket).stat()
        os.chown(place, owner.st_uid, owner.st_gid)
        engine = house.gateway.store.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{place}'"))
            connection.execute(text("ALTER TABLE ledger_entry SET TABLESPACE small"))
        _fill(filler)
        is_told_to_come_again(until_full(house))
        filler.unlink()
        assert house.post("/ServiceRequest", service_request()).status_code == 201
        work(house)
        assert is_whole(house)
        with engine.connect() as connection:
            connection.execute(text("ALTER TABLE ledger_entry SET TABLESPACE pg_default"))
            connection.execute(text("DROP TABLESPACE small"))
    (Path(socket) / "small").rmdir()


@contextmanager
def unwritable(house: House) -> Iterator[None]:
    """Let nothing be written into the ledger."""
    if house.gateway.store.engine.dialect.name == "sqlite":
        execute(
            house,
            "CREATE TRIGGER sealed_off BEFORE INSERT ON ledger_entry"
            " BEGIN SELECT RAISE(ABORT, 'no entry'); END",
        )
        yield
        execute(house, "DROP TRIGGER sealed_off")
        return
    execute(house, REFUSES_ROOM)
    execute(
        house,
        "CREATE TRIGGER sealed_off BEFORE INSERT ON ledger_entry FOR EACH ROW"
        " EXECUTE FUNCTION no_room()",
    )
    yield
    execute(house, "DROP TRIGGER sealed_off ON ledger_entry")


def _is_sent(house: House, **more: Any) -> str:
    return id_in(house.post("/ServiceRequest", service_request(**more)).headers["Location"])


def _take_back(house: House) -> Callable[[], Any]:
    own = _is_sent(house)
    read = house.get(f"/ServiceRequest/{own}")
    tree = read.get_json() | {"status": "revoked"}
    return lambda: house.put(f"/ServiceRequest/{own}", tree, If_Match=read.headers["ETag"])


def _replay(house: House) -> Callable[[], Any]:
    own = referral(house, _is_sent(house, consents=[consent(status="proposed")]))
    return lambda: replay_referral(own.reference, house.gateway)


def _read(house: House) -> Callable[[], Any]:
    own = _is_sent(house)
    return lambda: house.get(f"/ServiceRequest/{own}")


def _change(house: House) -> Callable[[], Any]:
    kept = register(house, to_register())
    read = house.get(f"/Consent/{kept}")
    tree = read.get_json() | {"status": "inactive"}
    return lambda: house.put(f"/Consent/{kept}", tree, If_Match=read.headers["ETag"])


def _withdraw(house: House) -> Callable[[], Any]:
    wish = Wish(agreement=AgreementId("dsa-one-oh"), move=AgreementMove.WITHDRAWN)
    return lambda: set_agreement(PRACTICE_ODS, wish, OPERATOR, house.gateway)


def _send_notice(house: House) -> Callable[[], Any]:
    set_to(house, "secondary_sharing", "off")
    (notice,) = notices_of(PRACTICE_ODS, house.gateway)
    return lambda: record_sent(notice.id, house.gateway, actor="operator")


def _erase(house: House) -> Callable[[], Any]:
    house.post("/ServiceRequest", canary_referral())
    work(house)
    with house.gateway.store.reading() as view:
        handle = persons.find_handle(view, OdsCode(PRACTICE), NhsNumber(NUMBER))
    assert handle is not None
    return lambda: erase_subject(house.gateway, handle, authority=Authority.COURT_ORDER)


def _publish(house: House) -> Callable[[], Any]:
    grow(house, by=3)
    return lambda: publish(house.gateway, [SIGNER])


def _cosign(house: House, folder: Path) -> Callable[[], Any]:
    publish(house.gateway, [SIGNER])
    witness = near(notary_of(house, folder))
    return lambda: cosign(house.gateway, Cosigner(witness=witness))


def _export(house: House) -> Callable[[], Any]:
    publish(house.gateway, [SIGNER])
    log = newest_log(house.gateway, None)
    return lambda: list(export_log(house.gateway, log, [], lambda _done, _all: None))


def _prove(house: House) -> Callable[[], Any]:
    publish(house.gateway, [SIGNER])
    log = newest_log(house.gateway, None)
    return lambda: prove_entry(house.gateway, log, 0, [], with_detail=False)


Prepare = Callable[[House], Callable[[], Any]]
ACTS: dict[str, Prepare] = {
    "accept": lambda h: lambda: h.post("/ServiceRequest", service_request(), **bars_headers()),
    "hold": lambda h: (
        lambda: h.post("/ServiceRequest", service_request(consents=[consent(status="proposed")]))
    ),
    "refuse": lambda h: lambda: h.post("/ServiceRequest", service_request(consents=[])),
    "reject": lambda h: lambda: h.post("/ServiceRequest", b"{"),
    "take-back": _take_back,
    "replay": _replay,
    "read": _read,
    "search": lambda h: (
        lambda: h.get("/ServiceRequest", **{"patient:identifier": f"{NHS}|{NUMBER}"})
    ),
    "read-the-ledger": lambda h: lambda: h.get("/AuditEvent"),
    "explain": lambda h: lambda: h.post("/ServiceRequest/$explain", service_request()),
    "register": lambda h: lambda: h.post("/Consent", to_register()),
    "change-consent": _change,
    "switch": lambda h: lambda: set_to(h, "secondary_sharing", "off"),
    "withdraw-agreement": _withdraw,
    "send-notice": _send_notice,
    "directory": lambda h: lambda: h.apply(commissioners=[{"ods": "QX9", "name": "Another"}]),
    "rules": lambda h: lambda: put_in_force(h.gateway),
    "opt-outs": lambda h: lambda: load_answer(f"{NUMBER},".encode(), b"", h.clock.now, h.gateway),
    "erase": _erase,
    "publish": _publish,
    "export": _export,
    "prove": _prove,
    "check": lambda h: lambda: check_ledger(h.gateway, lambda _rows: None),
    "token": lambda h: lambda: h.ask_for_token(h.assertion()),
}


@pytest.mark.parametrize("name", [*ACTS, "cosign"])
def test_an_act_that_cannot_be_recorded_does_not_happen(
    house: House, tmp_path: Path, name: str
) -> None:
    house.bearer()
    act = _cosign(house, tmp_path) if name == "cosign" else ACTS[name](house)
    with unwritable(house):
        # A request's claim, and tiles, are no acts: they are made ahead, and made again.
        before = acts_of(house)
        try:
            answer = act()
        except (GatewayError, SQLAlchemyError, sqlite3.Error):
            pass
        else:
            assert answer.status_code >= 500
            assert answer.get_json()["resourceType"] == "OperationOutcome" if name != "token" else 1
        assert acts_of(house) == before
    assert is_whole(house)
    repeated = act() if name != "token" else house.ask_for_token(house.assertion())
    assert getattr(repeated, "status_code", 0) < 500
    assert acts_of(house) != before


def test_what_cannot_be_released_on_record_does_not_leave(house: House) -> None:
    """A claim is no act: it ends with its lease, and another worker goes on from there."""
    _is_sent(house)
    with unwritable(house):
        with pytest.raises((GatewayError, SQLAlchemyError, sqlite3.Error)):
            deliver_next("worker", house.gateway)
        assert house.destination.received == []
    assert is_whole(house)
    house.clock.move(minutes=1)
    work(house)
    assert len(house.destination.received) == 1
    assert is_whole(house)


def acts_of(house: House) -> list[tuple[str, bytes]]:
    return every_value(house, but=("request", "ledger_tile", "client_assertion"))
