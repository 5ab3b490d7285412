"""Searches of one customer's mail among everybody's: how long they take, and which rows they read."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
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
from services.plans import handler_reads, noted_statements, plans_of

ASKED: Final = 100  # searches of each kind, each by another customer where there are so many
SEARCHES: Final = {
    "the newest page, no search": "",
    "a word in every message of everybody": "everyone",
    "a word in one message, the oldest but 136": "needle",
    "a word in none": "absent",
    "two frequent words": "word1 word2",
    "two rare words": "word4001 word4002",
    "a phrase in every message": '"dear customer"',
    "a phrase in one message": '"golden ticket"',
    "frequent words that are never a phrase": '"everyone customer"',
    "not a frequent word": "-word1",
    "no message is left": "-everyone",
    "a word of the subject, unread, with a file": "subject:order is:unread has:attachment",
    "a header": "header:X-Campaign=word1",
    "a size that none has": "everyone larger:1m",
}
EXPLAINED: Final = ('"golden ticket" -absent', "everyone is:unread")


@dataclass(frozen=True, slots=True)
class Timed:
    milliseconds: list[float]
    found: int

    def row(self, name: str, search: str) -> str:
        ordered = sorted(self.milliseconds)
        p95 = ordered[int(len(ordered) * 0.95)]
        query = f"`{search}`" if search else ""
        return f"| {name} | {query} | {self.found} | {median(ordered):.1f} | {p95:.1f} | {ordered[-1]:.1f} |"


def measure_search(messages: int, customers: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    with tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory, ExitStack() as stack:
        yield from asyncio.run(_measure("SQLite", Path(directory), "", messages, customers))
        try:
            url = stack.enter_context(running_mariadb()).create_database()
        except ServiceMissing as missing:
            sys.stderr.write(f"without MariaDB: {missing}\n")
            return
        yield from asyncio.run(_measure("MariaDB", Path(directory), url, messages, customers))


async def _measure(engine: str, directory: Path, url: str, messages: int, customers: int) -> list[str]:
    settings = Settings.model_validate({"data_dir": directory / engine, "database": {"url": url}})
    await upgrade_schema(settings)
    started = time.monotonic()
    await asyncio.to_thread(load, settings.database_url, messages=messages, customers=customers)
    sys.stderr.write(f"{engine}: loaded in {time.monotonic() - started:.0f} s\n")
    lines = [
        "",
        f"## {engine}",
        "",
        "| what | search | found | median ms | 95 % ms | longest ms |",
        "|---|---|---|---|---|---|",
    ]
    async with open_database(settings.database_url, settings.database) as database:
        if database.dialect == "mysql":
            async with database.read() as connection:
                await connection.execute(text("ANALYZE TABLE messages, search_entries, search_blocks"))
        for name, search in SEARCHES.items():
            timed = await _time(database, search, customers)
            lines.append(timed.row(name, search))
            sys.stderr.write(f"{engine}: {lines[-1]}\n")
        for search in EXPLAINED:
            lines += await _explained(database, search, customers)
    return lines


async def _time(database: Database, search: str, customers: int) -> Timed:
    """A page of 50, by customers from all over the table: what one has read into memory helps the next but little."""
    milliseconds, found = [], 0
    for number in range(ASKED):
        owner = account_id(number * 7919 % customers)
        started = time.perf_counter()
        query = MessageQuery(search=parse_query(search, now=utc_now()), limit=50)
        async with database.read() as connection:
            page = await find_page(connection, owner, query)
        milliseconds.append((time.perf_counter() - started) * 1000)
        found = len(page.items)
    return Timed(milliseconds, found)


async def _explained(database: Database, search: str, customers: int) -> list[str]:
    """The plans of a search's statements, and on MariaDB how many rows it read, by the way of getting at them."""
    query = MessageQuery(search=parse_query(search, now=utc_now()), limit=50)
    lines = ["", f"How `{search}` is carried out:", "", "```"]
    async with database.read() as connection:
        before = await handler_reads(connection) if database.dialect == "mysql" else {}
        with noted_statements(database) as statements:
            await find_page(connection, account_id(customers // 2), query)
        after = await handler_reads(connection) if database.dialect == "mysql" else {}
        lines += await plans_of(connection, statements)
    read = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    return [*lines, *([f"rows read: {read}"] if read else []), "```"]
