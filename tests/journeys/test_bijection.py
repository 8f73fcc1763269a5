"""Each row that says what was done has its entry, and each entry its row: whichever side is lost
or altered, reconciliation names it."""

# ruff: noqa: S608, ISC004  # statements of our own, each a whole sentence
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.journey.reconcile import MOST, NOBODY, Discrepancy, reconcile
from gateway.journey.reconcile_sides import compare
from gateway.ledger.entry import DirectoryApplied
from gateway.ledger.merkle import Frontier
from gateway.ledger.seal import seal
from gateway.store.bijection_rows import Fact, Pair
from gateway.store.engine import make_engine
from gateway.store.schema import migrations, upgrade
from tests.builders.canary import WORDS
from tests.builders.embedded import furnished_sqlite
from tests.builders.evidence import entries, execute
from tests.builders.house import House, build_house
from tests.builders.lives import live_through_everything
from tests.builders.sharing import set_to

KINDS_WITH_ROWS = {
    "referral.received", "referral.cancelled", "referral.closed", "decision.made",
    "delivery.queued", "delivery.delivered", "delivery.refused", "delivery.stopped",
    "delivery.replayed", "recall.queued", "hold.opened", "hold.resolved", "consent.recorded",
    "consent.superseded", "consent.withdrawn", "consent.error", "agreement.signed",
    "agreement.suspended", "agreement.reinstated", "agreement.withdrawn", "switch.changed",
    "icb.notice.drafted", "icb.notice.sent", "icb.notice.acknowledged", "icb.notice.reinstated",
    "policy.changed", "checkpoint.published", "checkpoint.cosigned", "key.rotated",
    "withdrawal.acknowledged", "recall.sent", "recall.acknowledged", "recall.overdue",
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Path, bytes]]:
    """A house in which everything has happened, its database, and what that holds."""
    folder = tmp_path_factory.mktemp("lives")
    path = folder / "gateway.sqlite3"
    path.write_bytes(furnished_sqlite())
    house = build_house(f"sqlite:///{path}", is_furnished=True)
    live_through_everything(house, folder)
    house.gateway.store.close()
    yield house, path, path.read_bytes()
    house.gateway.store.close()


@pytest.fixture
def embedded(shared: tuple[House, Path, bytes]) -> House:
    """It, with its database as it was when everything had just happened."""
    house, path, content = shared
    house.gateway.store.close()
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.write_bytes(content)
    return house


def damage(house: House, *statements: str) -> None:
    """Change rows behind the program's back, and behind the database's: no foreign key holds them."""
    path = house.gateway.store.engine.url.database
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, "the test changes nothing"
        connection.commit()


def found(house: House) -> list[Discrepancy]:
    return list(reconcile(house.gateway).discrepancies)


def told(house: House) -> str:
    return "\n".join(f"{each.about}: {each.text}" for each in found(house))


def test_a_house_in_which_everything_has_happened_is_in_order(house: House, tmp_path: Path) -> None:
    live_through_everything(house, tmp_path)
    assert found(house) == []
    assert {each["kind"] for each in entries(house)} >= KINDS_WITH_ROWS


DROP = "DELETE FROM {} WHERE rowid = (SELECT max(rowid) FROM {})"
DELIVERY_COLUMNS = (
    "{}, kind, referral, part, {}, provider, state, attempts, next_at, give_up_at, lease_owner,"
    " lease_until, reason, may_have_arrived, lane, released_at, lapses, withdrawn, version,"
    " created_at, updated_at"
)
NO_ENTRY = "the row has no entry"
NO_ROW = "the ledger names it, and there is no row"
A_REFERRAL = "SELECT id FROM referral WHERE state = 'delivered' LIMIT 1"

ROWS: dict[str, tuple[str, str]] = {
    "referral-altered": (
        f"UPDATE referral SET body_sha256 = 'x' WHERE id = ({A_REFERRAL})",
        "its row and its receipt in the ledger differ in body_sha256",
    ),
    "referral-of-another-sender": (
        f"UPDATE referral SET sender = 'gp-two' WHERE id = ({A_REFERRAL})",
        "its row and its receipt in the ledger differ in sender",
    ),
    "referral-lost": (
        f"DELETE FROM referral WHERE id = ({A_REFERRAL})",
        "the ledger names a referral without a row",
    ),
    "change-lost": ("DELETE FROM referral_change", "its sender's later messages differ"),
    "change-altered": (
        "UPDATE referral_change SET body_sha256 = 'x'",
        "its sender's later messages differ",
    ),
    "content-version-altered": (
        f"UPDATE referral SET content_version = 7 WHERE id = ({A_REFERRAL})",
        "the version of its content is not that of its sender's last message",
    ),
    "closing-altered": (
        "UPDATE referral SET closed_because = 'X' WHERE state = 'closed'",
        "rows and ledger disagree on why it was closed",
    ),
    "hold-altered": (
        "UPDATE referral SET hold_owner = 'x' WHERE state = 'held'",
        "rows and ledger disagree on why it is held",
    ),
    "decision-lost": (
        "DELETE FROM decision WHERE referral IS NOT NULL",
        "is in the ledger once more than there are rows",
    ),
    "decision-altered": (
        "UPDATE decision SET effect = 'HOLD' WHERE referral IS NOT NULL",
        "and its entry differ in effect",
    ),
    "decision-on-other-bytes": (
        "UPDATE decision SET payload_sha256 = 'x' WHERE stage = 'release'",
        "and its entry differ in payload_sha256",
    ),
    "decision-made-up": (
        "INSERT INTO decision SELECT 'x', stage, referral, delivery, practice, subject, service,"
        " provider, purpose, effect, primary_rule, code, policy_version, payload_sha256,"
        " sealed_detail, decided_at FROM decision WHERE referral IS NOT NULL LIMIT 1",
        "decision x has a row, and the ledger never made it",
    ),
    "refusal-lost": ("DELETE FROM decision WHERE referral IS NULL", NO_ROW),
    "refusal-altered": (
        "UPDATE decision SET code = 'x', provider = NULL WHERE referral IS NULL",
        "its row and its entry differ in provider, code",
    ),
    "refusal-of-another-referral": (
        f"UPDATE decision SET referral = ({A_REFERRAL}) WHERE referral IS NULL",
        "the ledger never made it",
    ),
    "delivery-lost": ("DELETE FROM delivery", "is in the ledger, and there is no row"),
    "delivery-made-up": (
        f"INSERT INTO delivery ({DELIVERY_COLUMNS.format('id', 'service')}) SELECT"
        f" {DELIVERY_COLUMNS.format(repr('x'), repr('another'))} FROM delivery"
        " WHERE state = 'refused' LIMIT 1",
        "delivery x has a row, and the ledger never queued it",
    ),
    "delivery-to-another": (
        "UPDATE delivery SET provider = 'RX902' WHERE state = 'refused'",
        "and its entry differ in provider",
    ),
    "delivery-of-another-service": (
        "UPDATE delivery SET service = 'x' WHERE state = 'refused'",
        "and its entry differ in service",
    ),
    "recall-for-another-cause": (
        "UPDATE delivery SET reason = 'x' WHERE kind = 'recall'",
        "and its entry differ in cause",
    ),
    "delivery-ended-otherwise": (
        "UPDATE delivery SET state = 'dead-lettered' WHERE state = 'refused'",
        "is dead-lettered, and its last entry is delivery.refused",
    ),
    "delivery-in-more-attempts": (
        "UPDATE delivery SET attempts = 9 WHERE state = 'refused'",
        "rows and ledger disagree on how many attempts",
    ),
    "recall-lost": ("DELETE FROM recall", "and there is no row that says what it is for"),
    "recall-of-another": (
        "UPDATE recall SET recalled = (SELECT id FROM delivery WHERE state = 'refused' LIMIT 1)"
        " WHERE rowid = (SELECT max(rowid) FROM recall)",
        "and its entries differ in what it recalls",
    ),
    "recall-brought-unsaid": (
        "UPDATE recall SET sent_at = due WHERE rowid = (SELECT max(rowid) FROM recall)",
        "and its entries differ in when it was brought",
    ),
    "recall-answered-unsaid": (
        "UPDATE recall SET answer = 'stopped', answered_at = due WHERE answer IS NULL",
        "and its entries differ in its answer, when it was answered",
    ),
    "recall-answer-altered": (
        "UPDATE recall SET answer = 'returned' WHERE answer = 'retained'",
        "and its entries differ in its answer",
    ),
    "recall-due-altered": (
        "UPDATE recall SET due = '2030-01-01 00:00:00.000000' WHERE overdue_at IS NOT NULL",
        "and its entries differ in when its answer is due",
    ),
    "recall-made-up": (
        "INSERT INTO recall (id, recalled, cause, due) SELECT id, id, 'X', next_at FROM delivery"
        " WHERE state = 'refused' LIMIT 1",
        "has a row, and the ledger never queued it",
    ),
    "withdrawal-lost": ("DELETE FROM withdrawal", NO_ROW),
    "withdrawal-of-another": (
        "UPDATE withdrawal SET about = 'x'", "its row and its entry differ in about",
    ),
    "withdrawal-made-up": (
        "INSERT INTO withdrawal SELECT 'x', cause, about, practice, recipient, subject, actor,"
        " withdrawn_at, acknowledged_at FROM withdrawal LIMIT 1",
        NO_ENTRY,
    ),
    "withdrawal-that-still-leaves": (
        "UPDATE withdrawal_delivery SET standing = 'leaving'",
        "of what it covers may leave or has no recall",
    ),
    "consent-lost": ("DELETE FROM consent", NO_ROW),
    "consent-of-another": (
        "UPDATE consent SET practice = 'G99002'",
        "its row and its entries name another practice or person",
    ),
    "consent-status-altered": (
        "UPDATE consent SET status = 'active'",
        "it stands in another version or status than its newest version has",
    ),
    "version-lost": (
        "DELETE FROM consent_version WHERE version = 2",
        "the ledger names version 2, and there is no row",
    ),
    "version-altered": (
        "UPDATE consent_version SET effective_at = recorded_at WHERE version = 1",
        "version 1 and its entry differ in status, time or client",
    ),
    "version-made-up": (
        "INSERT INTO consent_version SELECT consent, 3, status, effective_at, recorded_at, client,"
        " body_sha256, sealed_body FROM consent_version WHERE version = 2",
        "version 3 has no entry",
    ),
    "agreement-event-lost": (DROP.format(*["agreement_event"] * 2), NO_ROW),
    "agreement-event-altered": (
        "UPDATE agreement_event SET type = 'renewed' WHERE type = 'withdrawn'",
        "its row and its entry differ in type",
    ),
    "agreement-event-made-up": (
        "INSERT INTO agreement_event SELECT practice, agreement, 9, counterparty, type, terms,"
        " effective_at, recorded_at, actor, source, reason, document_sha256 FROM agreement_event"
        " WHERE type = 'withdrawn'",
        NO_ENTRY,
    ),
    "switch-event-lost": (DROP.format(*["switch_event"] * 2), NO_ROW),
    "switch-event-altered": (
        "UPDATE switch_event SET value = 'off' WHERE value = 'on'",
        "its row and its entry differ in value",
    ),
    "notice-lost": ("DELETE FROM icb_notice", NO_ROW),
    "notice-not-sent": ("UPDATE icb_notice SET sent_at = NULL WHERE sent_at IS NOT NULL", NO_ROW),
    "notice-sent-unsaid": (
        "UPDATE icb_notice SET sent_at = created_at WHERE sent_at IS NULL",
        NO_ENTRY,
    ),
    "notice-letter-altered": (
        "UPDATE icb_notice SET letter_sha256 = 'x'",
        "its row and its entry differ in letter_sha256",
    ),
    "rules-lost": ("DELETE FROM policy_in_force", NO_ROW),
    "rules-altered": (
        "UPDATE policy_in_force SET version = 'x'",
        "its row and its entry differ in version",
    ),
    "checkpoint-lost": (
        "DELETE FROM checkpoint WHERE size = (SELECT min(size) FROM checkpoint)",
        NO_ROW,
    ),
    "checkpoint-altered": (
        "UPDATE checkpoint SET root = x'00'",
        "its row and its entry differ in root",
    ),
    "cosignature-lost": ("DELETE FROM cosignature", NO_ROW),
    "cosignature-of-another": ("UPDATE cosignature SET witness = 'x'", NO_ENTRY),
    "key-lost": ("DELETE FROM ledger_key", NO_ROW),
    "key-altered": ("UPDATE ledger_key SET public_key = randomblob(32) WHERE since = (SELECT max(since) FROM"
        " ledger_key)", NO_ENTRY),
    "gate-lost": ("DELETE FROM gate WHERE kind = 'practice'", NO_ROW),
    "gate-set-back": ("UPDATE gate SET epoch = epoch - 1", NO_ROW),
    "gate-set-forward": ("UPDATE gate SET epoch = epoch + 1", NO_ENTRY),
    "gate-beyond-all": ("UPDATE gate SET epoch = 2000000000 WHERE kind = 'subject'", NO_ENTRY),
    "gate-made-up": ("UPDATE gate SET epoch = 1 WHERE kind = 'recipient'", NO_ENTRY),
    "detail-lost": ("DELETE FROM ledger_detail", "it commits to a sealed detail that is not there"),
    "detail-of-another": (
        "UPDATE ledger_detail SET subject = 'x'",
        "the sealed detail beside it is another person's",
    ),
    "detail-beside-none": (
        "UPDATE ledger_detail SET idx = 0 WHERE rowid = (SELECT max(rowid) FROM ledger_detail)",
        "a sealed detail stands beside it, and it commits to none",
    ),
    "detail-without-entry": (
        "UPDATE ledger_detail SET idx = 9999 WHERE rowid = (SELECT max(rowid) FROM ledger_detail)",
        "a sealed detail stands beside no entry",
    ),
    "detail-emptied": (
        "UPDATE ledger_detail SET sealed_detail = NULL WHERE sealed_detail IS NOT NULL",
        "the sealed detail beside it is not kept where its kind has it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_was_lost_altered_or_made_up_is_named(embedded: House, name: str) -> None:
    statement, says = ROWS[name]
    damage(embedded, statement)
    assert says in told(embedded)


@pytest.mark.parametrize("kind", sorted(KINDS_WITH_ROWS))
def test_an_entry_that_was_lost_is_named(embedded: House, kind: str) -> None:
    damage(
        embedded,
        f"DELETE FROM ledger_entry WHERE rowid = (SELECT max(rowid) FROM ledger_entry"  # ours
        f" WHERE kind = '{kind}')",
    )
    assert found(embedded) != []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("practice", "'G99002'"), ("subject", "NULL"), ("kind", "'x'"), ("referral", "'x'"),
        ("consent", "'x'"), ("at", "NULL"), ("actor", "'x'"), ("effect", "'DENY'"),
        ("policy", "'x'"),
    ],
)  # fmt: skip
def test_a_copy_that_is_not_what_the_body_says_is_named(
    embedded: House, column: str, value: str
) -> None:
    damage(embedded, f"UPDATE ledger_entry SET {column} = {value}")  # our own names
    assert "its columns do not repeat what its body says" in told(embedded)
    assert f": {column}" in told(embedded)


def test_a_body_that_cannot_be_read_is_named(embedded: House) -> None:
    damage(embedded, "UPDATE ledger_entry SET body = x'7b7d' WHERE idx = 1")
    assert "entry 1 of gateway.example/ledger/2026: its body cannot be read" in told(embedded)


def test_an_entry_that_was_made_up_is_named(embedded: House) -> None:
    (closed,) = (each for each in entries(embedded, "switch.changed") if each["version"] == 1
                 and each["switch"] == "new_agreements")  # fmt: skip
    assert closed["idx"]
    damage(
        embedded,
        "INSERT INTO ledger_entry (log, idx, practice, subject, kind, referral, consent, at,"
        " actor, effect, policy, body, leaf_hash) SELECT log, 9999, practice, subject, kind, referral, consent, at,"
        f" actor, effect, policy, body, leaf_hash FROM ledger_entry WHERE idx = {closed['idx']}",
    )
    assert "switch event G99001/new_agreements/1: the ledger names it, and there is no row" in told(
        embedded
    )


ON_BOTH = (
    "decision-altered", "version-lost", "delivery-ended-otherwise", "notice-letter-altered",
    "checkpoint-altered", "gate-set-back", "detail-emptied", "agreement-event-altered",
    "refusal-altered", "hold-altered", "cosignature-lost", "rules-altered",
    "recall-answer-altered", "withdrawal-of-another",
)  # fmt: skip


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_postgresql_is_read_the_same_way(house: House, tmp_path: Path) -> None:
    live_through_everything(house, tmp_path)
    for name in ON_BOTH:
        execute(house, ROWS[name][0].replace("x'00'", "'\\x00'"))
    all_told = told(house)
    assert [name for name in ON_BOTH if ROWS[name][1] not in all_told] == []


def test_every_discrepancy_says_what_it_is_about_and_how_to_mend_it(embedded: House) -> None:
    more = ("version-altered", "notice-not-sent", "change-altered", "detail-of-another")
    damage(embedded, *(ROWS[name][0] for name in (*ON_BOTH, *more)))
    discrepancies = found(embedded)
    assert len(discrepancies) > 50
    for each in discrepancies:
        assert each.about
        assert each.mend.endswith((".", "`)"))
        assert not [word for word in WORDS if word in each.text + each.about]
    assert any(each.reference != NOBODY for each in discrepancies)


def test_the_command_tells_what_is_wrong_as_text_and_as_json(
    embedded: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = embedded.gateway.store.engine.url.database
    assert damaged is not None
    own = shutil.copy(damaged, tmp_path / "own.sqlite3")
    for name, value in (
        ("DATABASE_URL", f"sqlite:///{own}"),
        ("KEY_ENCRYPTION_KEYS", "k1:" + "A" * 43 + "="),
        ("LOOKUP_KEY", "B" * 43 + "="),
        ("PUBLIC_URL", "http://gateway.example"),
    ):
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    well = CliRunner().invoke(main, ["reconcile"])
    assert well.exit_code == 0
    assert "each row with its entry and each entry with its row" in well.stdout
    with closing(sqlite3.connect(own)) as connection:
        connection.execute(ROWS["refusal-lost"][0])
        connection.execute(ROWS["hold-altered"][0])
        connection.commit()
    text_of = CliRunner().invoke(main, ["reconcile"])
    assert text_of.exit_code == 1
    assert "decision that let no referral in" in text_of.stdout
    assert "RG-" in text_of.stdout
    assert str(NOBODY) not in text_of.stdout
    answer = json.loads(CliRunner().invoke(main, ["reconcile", "--json"]).stdout)
    assert answer.keys() == {
        "states", "overdue_holds", "overdue_recalls", "lapsed_leases", "discrepancies", "entries",
    }  # fmt: skip
    assert {frozenset(each) for each in answer["discrepancies"]} == {
        frozenset({"reference", "text", "about", "mend"})
    }


def fact(number: int, *told: str) -> Fact:
    return Fact(Pair.GATE, str(number), told)


def test_two_equal_sides_differ_in_nothing_whatever_their_order() -> None:
    facts = [fact(number) for number in range(5000)]
    unequal = compare(lambda: facts, lambda: reversed(facts))
    assert (unequal.rows, unequal.entries, unequal.unopened) == ({}, {}, 0)


def test_what_one_side_has_more_often_is_found_among_many() -> None:
    facts = [fact(number) for number in range(5000)]
    unequal = compare(lambda: [*facts, facts[7]], lambda: [*facts, fact(8), fact(8), fact(9, "x")])
    assert unequal.rows == {fact(7): 1}
    assert unequal.entries == {fact(8): 2, fact(9, "x"): 1}


def test_so_many_differences_that_not_all_are_told_are_admitted() -> None:
    unequal = compare(lambda: [fact(n) for n in range(500)], list, opened=10)
    assert 10 <= len(unequal.rows) < 100
    assert unequal.unopened > 300


def test_no_more_is_told_than_a_person_can_use(embedded: House) -> None:
    damage(
        embedded,
        "INSERT INTO gate WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 200) SELECT 'practice', 'Y' || i, 100 FROM n",
    )
    started = time.monotonic()
    discrepancies = found(embedded)
    assert len(discrepancies) <= MOST + 1
    assert "so many differ that not all are named here" in {
        each.text for each in discrepancies
    } or (discrepancies[-1].text.endswith("which are not told here"))
    assert time.monotonic() - started < 20


MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[House]:
    """A database of the first release, brought up to date: its directory came before the entries."""
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    applied = DirectoryApplied(actor="operator", file_sha256="0" * 64, added=2, changed=0, ended=0)
    log = "gateway.example/ledger/2026"
    sealed = seal(
        applied, log=log, index=0, at=MORNING, prev_subject=None, prev_practice=None, version=1
    )
    head = Frontier().append(sealed.leaf_hash)
    at = MORNING.strftime("%Y-%m-%d %H:%M:%S.%f")
    surgery = {"ods": "G99001", "name": "One Surgery", "switches": {"update_record": "on"}}
    agreed = {
        "id": "dsa-one-oh", "practice": "G99001", "counterparty": "RX901", "kind": "direct",
        "purposes": ["occupational-health"], "status": "active",
    }  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "old.sqlite3")) as connection:
        connection.execute(
            "INSERT INTO ledger_head VALUES (?, ?, ?)", (log, head.size, head.to_bytes())
        )
        connection.execute(
            "INSERT INTO ledger_entry VALUES (?, 0, NULL, NULL, 'directory.applied', NULL, ?, ?)",
            (log, sealed.body, sealed.leaf_hash),
        )
        for kind, key, body in (
            ("practice", "G99001", surgery),
            ("agreement", "dsa-one-oh", agreed),
        ):
            connection.execute(
                "INSERT INTO directory_record (kind, key, version, valid_from, recorded_at, body)"
                " VALUES (?, ?, 1, ?, ?, ?)",
                (kind, key, at, at, json.dumps(body)),
            )
        connection.commit()
    upgrade(engine)
    engine.dispose()
    house = build_house(url, is_furnished=True)
    yield house
    house.gateway.store.close()


def test_what_a_file_said_before_there_were_entries_is_no_discrepancy(upgraded: House) -> None:
    assert found(upgraded) == []
    upgraded.apply()
    set_to(upgraded, "update_record", "off")
    assert found(upgraded) == []
    assert entries(upgraded, "agreement.withdrawn") == []


@pytest.mark.parametrize(
    "changed",
    [
        "source = 'practice'",
        "actor = 'gp-one'",
        "recorded_at = '2026-03-02 09:00:00.000001'",
        "recorded_at = '2027-03-02 09:00:00.000000'",
    ],
)
def test_an_event_without_an_entry_is_excused_only_as_a_migration_writes_it(
    upgraded: House, changed: str
) -> None:
    damage(upgraded, f"UPDATE switch_event SET {changed}")
    assert [each.about for each in found(upgraded)] == ["switch event G99001/update_record/1"]


def test_an_event_by_file_needs_its_entry_once_there_are_any(upgraded: House) -> None:
    upgraded.apply()
    when = entries(upgraded, "agreement.signed")
    assert when == [], "the file says what stands already"
    set_to(upgraded, "new_agreements", "on")
    upgraded.clock.move(days=1)
    upgraded.apply(commissioners=[{"ods": "QX9", "name": "Another ICB"}])
    at = upgraded.clock.now.strftime("%Y-%m-%d %H:%M:%S.%f")
    damage(
        upgraded,
        "INSERT INTO switch_event SELECT practice, 'shared_care', 1, 'on', effective_at,"
        f" '{at}', 'operator', 'import', NULL FROM switch_event LIMIT 1",
    )
    assert [each.about for each in found(upgraded)] == ["switch event G99001/shared_care/1"]
