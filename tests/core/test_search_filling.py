"""The index of messages from before there was one, and an index that is made anew."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import delete
from typer.testing import CliRunner

from core.conftest import Customer, deliver, new_customer, settings_for
from core.test_search import count, fill, find, mail
from mailkeep.bootstrap import Core, open_core
from mailkeep.services.search_filling import SearchFilling
from mailkeep.storage.schema import counters, search_blocks, search_entries, search_queue
from mailkeep.storage.search_blocks import BLOCK
from mailkeep.storage.upgrade import _config, upgrade_schema
from mailkeep_cli.main import app


def filling_of(core: Core) -> SearchFilling:
    return SearchFilling(core.database, core.indexer, clock=core.inbox._clock)


async def forget(core: Core) -> None:
    """As after the migration: messages, and no index."""
    async with core.database.write() as connection:
        for table in (search_entries, search_blocks, search_queue):
            await connection.execute(delete(table))
        await connection.execute(counters.insert().values(name="search_to_fill", value=1))


async def test_messages_from_before_the_index_get_into_it(core: Core, alice: Customer, bob: Customer) -> None:
    local_part, _, domain = alice.address.address.partition("@")
    await deliver(core, mail("Tagged", "old words"), alice.recipient(), f"{local_part}+ci@{domain}")
    await fill(alice, [mail(f"Number {number}", "older words") for number in range(BLOCK)])
    await deliver(core, mail("For Bob", "old words"), bob.recipient())
    questions = [
        "old",
        '"old words"',
        "tag:ci",
        f"to:{alice.address.address}",
        "from:sender",
        "subject:7",
        "header:From",
    ]
    before = {question: await find(alice, question, limit=200) for question in questions}
    await forget(core)
    assert await find(alice, "old") == []
    assert await filling_of(core).is_needed()
    reports: list[tuple[int, int]] = []
    assert await filling_of(core).fill(lambda *report: reports.append(report), rebuild=False) == BLOCK + 2
    assert (reports[0], reports[-1]) == ((0, 2), (2, 2))
    assert not await filling_of(core).is_needed()
    assert {question: await find(alice, question, limit=200) for question in questions} == before
    assert await find(bob, "old") == ["For Bob"]
    assert await count(core, search_blocks) > 0
    assert await filling_of(core).fill(lambda *_: None, rebuild=False) == 0


async def test_mail_comes_in_while_the_index_is_filled(core: Core, alice: Customer) -> None:
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(120)])
    await forget(core)
    work = [deliver(core, mail(f"New {number}", "some words"), alice.recipient()) for number in range(20)]
    filling = asyncio.ensure_future(filling_of(core).fill(lambda *_: None, rebuild=False))
    assert await asyncio.gather(*work) == [[None]] * 20
    assert await filling >= 120
    assert len(await find(alice, "some words", limit=200)) == 140
    assert await count(core, search_entries) == 140


async def test_an_index_is_made_anew(core: Core, alice: Customer) -> None:
    await fill(alice, [mail(f"Number {number}", "some words") for number in range(BLOCK)])
    assert await filling_of(core).fill(lambda *_: None, rebuild=True) == BLOCK
    assert await find(alice, "subject:42") == ["Number 42"]
    assert await count(core, search_entries) == BLOCK


async def test_the_migration_asks_for_it(tmp_path: Path, database_url: str) -> None:
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        alice = await new_customer(core, "alice@customer.test")
        await deliver(core, mail("Old", "words"), alice.recipient())
        assert not await filling_of(core).is_needed()
        async with core.database.write() as connection:
            await connection.run_sync(lambda sync: _migrate(sync, "0003", up=False))
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        assert await filling_of(core).is_needed()


def _migrate(connection: object, revision: str, *, up: bool) -> None:
    config = _config()
    config.attributes["connection"] = connection
    (command.upgrade if up else command.downgrade)(config, revision)


def test_the_commands_fill_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    environment = {"MAILKEEP_DATA_DIR": str(settings.data_dir)}
    asyncio.run(_old_installation(tmp_path))
    upgraded = CliRunner().invoke(app, ["db", "upgrade"], env=environment)
    assert upgraded.exit_code == 0, upgraded.output
    with closing(sqlite3.connect(settings.data_dir / "mailkeep.db")) as connection:
        assert connection.execute("SELECT count(*) FROM search_entries").fetchone() == (1,)
    anew = CliRunner().invoke(app, ["db", "reindex", "--rebuild"], env=environment)
    assert "put into the search index: 1" in anew.output


async def _old_installation(directory: Path) -> None:
    settings = settings_for(directory)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        alice = await new_customer(core, "alice@customer.test")
        await deliver(core, mail("Old", "words"), alice.recipient())
        async with core.database.write() as connection:
            await connection.run_sync(lambda sync: _migrate(sync, "0003", up=False))
