"""The schema that migrations make is the one that the tables describe, on both engines."""

from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from gateway.errors import SchemaOutdatedError, StoreUnavailableError
from gateway.store.engine import make_engine
from gateway.store.schema import NEWEST, migrations, require_current_schema, upgrade
from gateway.store.tables import metadata
from tests.builders.evidence import execute
from tests.builders.house import House
from tests.builders.messages import service_request


def test_the_migrated_schema_is_the_one_that_the_tables_describe(house: House) -> None:
    with house.gateway.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(house: House) -> None:
    assert upgrade(house.gateway.store.engine) == NEWEST
    require_current_schema(house.gateway.store.engine)


def test_the_newest_revision_is_the_last_migration_that_there_is() -> None:
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]


def test_a_schema_of_another_revision_is_refused(house: House) -> None:
    execute(house, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaOutdatedError, match="gateway db upgrade"):
        require_current_schema(house.gateway.store.engine)


def test_a_database_that_does_not_answer_is_not_taken_for_an_old_one() -> None:
    engine = make_engine(
        "sqlite:////no/such/folder/gateway.sqlite3", timeout=timedelta(seconds=1), pool_size=1
    )
    with pytest.raises(StoreUnavailableError):
        require_current_schema(engine)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE referral SET state = 'held'",
        "UPDATE referral SET state = 'closed'",
        "UPDATE referral SET hold_code = 'X', hold_owner = 'x', hold_due = received_at",
        "UPDATE delivery SET state = 'in-flight'",
        "UPDATE delivery SET lease_owner = 'w', lease_until = next_at",
        "DELETE FROM referral",
        "DELETE FROM person",
    ],
)
def test_the_database_itself_refuses_a_row_that_contradicts_itself(
    door: House, statement: str
) -> None:
    door.post("/ServiceRequest", service_request())
    with pytest.raises(IntegrityError):
        execute(door, statement)
