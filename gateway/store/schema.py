"""The schema's version: brought up to date by Alembic, and checked before anything starts."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from gateway.errors import SchemaOutdatedError, StoreUnavailableError

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> str:
    """Bring the schema up to date, in one transaction; return its revision."""
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


def newest_revision() -> str:
    """Return the revision that this version needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def require_current_schema(engine: Engine) -> None:
    """Check that the database has the schema that this version needs.

    Raises:
        SchemaOutdatedError: it has another.
        StoreUnavailableError: the database did not answer.
    """
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        msg = "the database did not answer: check GATEWAY_DATABASE_URL"
        raise StoreUnavailableError(msg) from error
    if present != newest_revision():
        msg = "the database schema is not the one this version needs: run `gateway db upgrade`"
        raise SchemaOutdatedError(msg)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
