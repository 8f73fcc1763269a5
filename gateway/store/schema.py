"""The schema's version: brought up to date by Alembic, and checked before anything starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from gateway.errors import SchemaOutdatedError, StoreUnavailableError
from gateway.store.engine import without_time_limit

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0008"
"""The revision that this version needs: the newest of `migrations/versions`."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> str:
    """Bring the schema up to date, in one transaction; return its revision."""
    from alembic import command  # noqa: PLC0415  # only this needs Alembic, which starts slowly

    with engine.connect() as connection, _tables_may_be_made_anew(connection), connection.begin():
        without_time_limit(connection)
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _check_references(connection)
    return NEWEST


@contextmanager
def _tables_may_be_made_anew(connection: Connection) -> Iterator[None]:
    """Let a table be dropped and made anew to which rows of others refer.

    SQLite changes few things of a table otherwise, and lets the rule that would forbid it be
    switched off only outside of a transaction. Source: SQLite, ALTER TABLE, section 7.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    """See that every row that another refers to is still there."""
    if connection.dialect.name != "sqlite":
        return
    lost = connection.execute(text("PRAGMA foreign_key_check")).first()
    if lost is not None:
        msg = f"the upgrade would lose what {lost[0]} refers to; nothing was changed"
        raise SchemaOutdatedError(msg)


def require_current_schema(engine: Engine) -> None:
    """Check that the database has the schema that this version needs.

    Raises:
        SchemaOutdatedError: it has another.
        StoreUnavailableError: the database did not answer.
    """
    try:
        with engine.connect() as connection:
            present = None
            if inspect(connection).has_table("alembic_version"):
                present = connection.execute(
                    text("SELECT version_num FROM alembic_version")
                ).scalar_one_or_none()
    except OperationalError as error:
        msg = "the database did not answer: check GATEWAY_DATABASE_URL"
        raise StoreUnavailableError(msg) from error
    if present != NEWEST:
        msg = "the database schema is not the one this version needs: run `gateway db upgrade`"
        raise SchemaOutdatedError(msg)


def migrations() -> "Config":
    """Return Alembic's configuration, without a connection."""
    from alembic.config import Config  # noqa: PLC0415  # as in upgrade

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
