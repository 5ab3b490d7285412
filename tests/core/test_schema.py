"""Migrations lead to exactly the tables that the code uses, on each engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from core.conftest import settings_for
from mailkeep.bootstrap import open_core
from mailkeep.config import Database
from mailkeep.errors import ConfigurationError, DatabaseUnavailable, SchemaOutdated
from mailkeep.storage import database as engines
from mailkeep.storage.database import open_database, parse_url
from mailkeep.storage.schema import metadata
from mailkeep.storage.upgrade import head_revision, upgrade_schema


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return [change for change in compare_metadata(context, metadata) if change[0] != "remove_table"]


async def test_the_migrations_make_the_schema(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url)
    assert await upgrade_schema(settings) == head_revision()
    assert await upgrade_schema(settings) == head_revision()  # nothing to do
    async with open_database(settings.database_url, settings.database) as database, database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_upgrades_at_once_do_not_disturb_each_other(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url)
    await asyncio.gather(*(upgrade_schema(settings) for _ in range(3)))
    async with open_core(settings):
        pass


async def test_an_old_schema_is_refused(tmp_path: Path, database_url: str) -> None:
    with pytest.raises(SchemaOutdated, match="mailkeep db upgrade"):
        async with open_core(settings_for(tmp_path, database_url)):
            pass


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_database(settings.database_url, settings.database) as database:
        with pytest.raises(ZeroDivisionError):
            await _fail_after_writing(database)
        async with database.read() as connection:
            assert (
                await connection.execute(text("SELECT value FROM counters WHERE name = 'recipients'"))
            ).scalar_one() == 0


async def _fail_after_writing(database: engines.Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE counters SET value = 7"))
        raise ZeroDivisionError


async def test_sqlite_is_durable(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await upgrade_schema(settings)
    async with open_database(settings.database_url, settings.database) as database, database.read() as connection:
        pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        values = [(await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() for pragma in pragmas]
        assert values == ["wal", 2, 1, 1]


async def test_a_database_that_is_down() -> None:
    async with open_database("mysql+aiomysql://u:p@127.0.0.1:1/x", Database()) as database:
        with pytest.raises(DatabaseUnavailable):
            async with database.read():
                pass


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://a/b", "://"])
def test_a_url_of_no_database(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url"):
        parse_url(url)
