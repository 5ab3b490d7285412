"""Bringing the schema up to date, and refusing to work on an old one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mailkeep.config import Settings
from mailkeep.errors import ConfigurationError, SchemaOutdated
from mailkeep.storage.database import Database, open_database, sqlite_path

MIGRATIONS: Final = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S: Final = 60
# A change of a large table copies it.
MIGRATION_TIMEOUT_S: Final = 24 * 3600


async def upgrade_schema(settings: Settings) -> str:
    """Apply the migrations that are missing; returns the revision. Makes the SQLite file when there is none.

    Raises DatabaseUnavailable, ConfigurationError.
    """
    _make_sqlite_directory(settings)
    async with (
        open_database(settings.database_url, settings.database) as database,
        database.write(timeout_s=MIGRATION_TIMEOUT_S) as connection,
    ):
        if database.dialect == "mysql":
            # Data definition commits by itself there, so the transaction does not keep a second upgrade out.
            await connection.execute(text("SELECT GET_LOCK('mailkeep_upgrade', :seconds)"), {"seconds": LOCK_TIMEOUT_S})
        await connection.run_sync(_upgrade)
        if database.dialect == "mysql":
            await connection.execute(text("SELECT RELEASE_LOCK('mailkeep_upgrade')"))
    return head_revision()


async def require_current_schema(database: Database) -> None:
    """Raises SchemaOutdated when the database has another revision than this version needs."""
    async with database.read() as connection:
        revision = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    if revision != head_revision():
        raise SchemaOutdated(
            f"the database schema is at revision {revision or 'none'}, this version needs {head_revision()}: "
            "run `mailkeep db upgrade`"
        )


def head_revision() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaOutdated("this installation holds no migrations: install it again")
    return head


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _make_sqlite_directory(settings: Settings) -> None:
    path = sqlite_path(settings.database_url)
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the directory {path.parent}: {error.strerror}; set data_dir or database.url"
        ) from error
