"""Every accepted referral is in exactly one state, and whatever contradicts that is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journey.check_ledger import check_ledger
from gateway.journey.reconcile import reconcile
from gateway.referral.lifecycle import ReferralState
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute
from tests.builders.house import House
from tests.builders.lives import States, one_in_each_state


@pytest.fixture
def mixed(house: House) -> tuple[House, States]:
    """A house with one referral in each state, and what they were when they came."""
    return house, one_in_each_state(house)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[tuple[House, States]]:
    """The same on SQLite alone: what reconciliation makes of rows, no engine can change."""
    with embedded_house(tmp_path) as house:
        yield house, one_in_each_state(house)


def faults(house: House) -> list[tuple[str, str]]:
    return [(d.reference, d.text) for d in reconcile(house.gateway).discrepancies]


def test_a_mixed_run_leaves_everything_in_order(mixed: tuple[House, States]) -> None:
    house, _ = mixed
    result = reconcile(house.gateway)
    assert result.states == dict.fromkeys(ReferralState, 1)
    assert (result.discrepancies, result.overdue_holds, result.lapsed_leases) == ((), 0, 0)


def test_the_ledger_of_a_mixed_run_verifies_and_the_check_is_recorded(
    mixed: tuple[House, States],
) -> None:
    house, _ = mixed
    (report,) = check_ledger(house.gateway, lambda _rows: None)
    assert report.ok
    assert entries(house, "ledger.verified")[0]["size"] == report.size


def test_an_empty_database_has_no_ledger_to_check(house: House) -> None:
    for table in ("ledger_entry", "ledger_head"):
        execute(house, f"DELETE FROM {table}")  # noqa: S608  # our own names
    assert check_ledger(house.gateway, lambda _rows: None) == []


S = ReferralState


@pytest.mark.parametrize(
    ("state", "statement", "text"),
    [
        (
            S.QUEUED,
            "DELETE FROM delivery WHERE referral = :id",
            "it is queued, but 0 deliveries are live, or in another state",
        ),
        (
            S.QUEUED,
            "UPDATE delivery SET state = 'refused' WHERE referral = :id",
            "it is queued, but 0 deliveries are live, or in another state",
        ),
        (
            S.DELIVERED,
            "UPDATE referral SET state = 'queued' WHERE id = :id",
            "it is queued, but 1 deliveries are live, or in another state",
        ),
        (
            S.RECALLING,
            "UPDATE delivery SET state = 'stopped' WHERE referral = :id AND kind = 'recall'",
            "it is recalling, and yet no recall, or not only recalls, are on their way",
        ),
        (
            S.RECALLING,
            "UPDATE referral SET status = 'active' WHERE id = :id",
            "rows and ledger disagree on whether it was taken back",
        ),
        (
            S.DELIVERED,
            "DELETE FROM ledger_entry WHERE referral = :id AND kind = 'delivery.delivered'",
            "rows and ledger disagree on whether the referral was delivered",
        ),
        (
            S.HELD,
            "UPDATE delivery SET state = 'queued' WHERE referral = :id",
            "it is held, and yet a delivery is queued",
        ),
        (
            S.CLOSED,
            "UPDATE delivery SET state = 'queued' WHERE referral = :id",
            "it is closed, and yet a delivery is queued",
        ),
        (
            S.HELD,
            (
                "UPDATE referral SET state = 'queued', hold_code = NULL, hold_owner = NULL,"
                " hold_due = NULL WHERE id = :id"
            ),
            "rows and ledger disagree on whether it is held",
        ),
        (
            S.QUEUED,
            "UPDATE referral SET state = 'closed', closed_because = 'X' WHERE id = :id",
            "rows and ledger disagree on whether it was closed",
        ),
    ],
)
def test_a_referral_whose_rows_contradict_each_other_is_named(
    embedded: tuple[House, States], state: ReferralState, statement: str, text: str
) -> None:
    house, at = embedded
    execute(house, statement, id=at[state].id)
    assert (at[state].reference, text) in faults(house)
    assert {reference for reference, _ in faults(house)} == {at[state].reference}


@pytest.mark.parametrize(
    ("state", "statement", "text"),
    [
        (
            S.HELD,
            "UPDATE referral SET hold_code = NULL WHERE id = :id",
            "it is held without a reason, an owner and a date",
        ),
        (
            S.CLOSED,
            "UPDATE referral SET closed_because = NULL WHERE id = :id",
            "it is closed without a reason",
        ),
        (
            S.IN_FLIGHT,
            "UPDATE delivery SET lease_until = NULL WHERE referral = :id",
            "it is in flight without a lease",
        ),
    ],
)
def test_what_the_database_itself_refuses_would_be_found_too(
    embedded: tuple[House, States], state: ReferralState, statement: str, text: str
) -> None:
    house, at = embedded
    with house.gateway.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql(statement.replace(":id", f"'{at[state].id}'"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = OFF")
    assert faults(house) == [(at[state].reference, text)]


def test_a_referral_that_only_the_ledger_knows_is_found(embedded: tuple[House, States]) -> None:
    house, at = embedded
    gone = at[S.QUEUED].id
    for table, column in (
        ("delivery", "referral"), ("decision", "referral"), ("request", "referral"),
        ("referral_identifier", "referral"), ("referral", "id"),
    ):  # fmt: skip
        execute(house, f"DELETE FROM {table} WHERE {column} = :id", id=gone)  # noqa: S608  # ours
    assert faults(house) == [("RG-0000-0000", "the ledger names a referral without a row")]
