"""The schema's version: brought up to date by Alembic, and checked before anything starts."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import OperationalError

from gateway.errors import SchemaOutdatedError, StoreUnavailableError
from gateway.store.engine import without_time_limit

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0005"
"""The revision that this version needs: the newest of `migrations/versions`."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> str:
    """Bring the schema up to date, in one transaction; return its revision."""
    from alembic import command  # noqa: PLC0415  # only this needs Alembic, which starts slowly

    with engine.begin() as connection:
        without_time_limit(connection)
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return NEWEST


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
