"""Pages of a mailbox of a million messages: the newest, and by cursors at random places, both ways."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import text

from bench.mailboxes import account_id, load
from mailkeep.config import Settings
from mailkeep.domain.clock import utc_now
from mailkeep.domain.message import MessageQuery
from mailkeep.domain.query_parser import parse_query
from mailkeep.services.search import find_page
from mailkeep.storage.database import Database, open_database
from mailkeep.storage.upgrade import upgrade_schema
from services.daemon import ServiceMissing
from services.mariadb import running_mariadb
from services.plans import noted_statements, plans_of

ASKED: Final = 500  # pages of each kind
KINDS: Final = ("the newest", "before", "after", "after, of one address", "before, is:unread", "after, is:read")
OWNER: Final = account_id(0)


def measure_listing(count: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory, ExitStack() as stack:
        yield from asyncio.run(_measure("SQLite", Path(directory), "", count))
        try:
            url = stack.enter_context(running_mariadb()).create_database()
        except ServiceMissing as missing:
            sys.stderr.write(f"without MariaDB: {missing}\n")
            return
        yield from asyncio.run(_measure("MariaDB", Path(directory), url, count))


async def _measure(engine: str, directory: Path, url: str, count: int) -> list[str]:
    settings = Settings.model_validate({"data_dir": directory / engine, "database": {"url": url}})
    await upgrade_schema(settings)
    await asyncio.to_thread(load, settings.database_url, messages=count, customers=1)
    lines = ["", f"## {engine}", "", "| page | median ms | 99 % ms | longest ms |", "|---|---|---|---|"]
    async with open_database(settings.database_url, settings.database) as database:
        if database.dialect == "mysql":
            async with database.read() as connection:
                await connection.execute(text("ANALYZE TABLE messages"))
        for kind in KINDS:
            lines.append(await _time(database, kind, count))
            sys.stderr.write(f"{engine}: {lines[-1]}\n")
        for kind in ("before", "after, of one address"):
            lines += await _explained(database, kind, count)
    return lines


async def _time(database: Database, kind: str, count: int) -> str:
    rng = random.Random(5321)  # noqa: S311 - places, no secret
    address_id = await _address_id(database)
    milliseconds = []
    for _ in range(ASKED):
        query = _query(kind, rng.randrange(count), address_id)
        started = time.perf_counter()
        async with database.read() as connection:
            await find_page(connection, OWNER, query)
        milliseconds.append((time.perf_counter() - started) * 1000)
    ordered = sorted(milliseconds)
    return f"| {kind} | {median(ordered):.1f} | {ordered[int(ASKED * 0.99)]:.1f} | {ordered[-1]:.1f} |"


def _query(kind: str, place: int, address_id: str) -> MessageQuery:
    _, _, search = kind.partition(", ")
    return MessageQuery(
        address_id=address_id if search == "of one address" else None,
        search=parse_query(search if search.startswith("is:") else "", now=utc_now()),
        after=place if kind.startswith("after") else None,
        before=place if kind.startswith("before") else None,
    )


async def _address_id(database: Database) -> str:
    query = text("SELECT id FROM addresses WHERE account_id = :owner")
    async with database.read() as connection:
        return str((await connection.execute(query, {"owner": OWNER})).scalar_one())


async def _explained(database: Database, kind: str, count: int) -> list[str]:
    """The plans of a page's statements."""
    query = _query(kind, count // 2, await _address_id(database))
    async with database.read() as connection:
        with noted_statements(database) as statements:
            await find_page(connection, OWNER, query)
        plans = await plans_of(connection, statements)
    return ["", f"How the page `{kind}` is read:", "", "```", *plans, "```"]
