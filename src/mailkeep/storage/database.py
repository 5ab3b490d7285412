"""The engines, and everything that SQLite and MySQL do differently, behind one name: `Database`."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mailkeep.config import Database as DatabaseSettings
from mailkeep.errors import ConfigurationError, DatabaseUnavailable, StorageUnavailable

SUPPORTED: Final = {"sqlite": "sqlite+aiosqlite", "mysql": "mysql+aiomysql", "mariadb": "mysql+aiomysql"}
# As short as JSON can be: a letter that is not ASCII would take six bytes as an escape, and a packet has its limit.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
SQLITE_BUSY_TIMEOUT_MS: Final = 10_000
# To the driver for MySQL almost every error is an OperationalError; these speak of what was to be stored: a row or a
# packet too large, an invalid string, a trigger's SIGNAL, invalid JSON (MySQL's and MariaDB's numbers).
OF_THE_STATEMENT: Final = frozenset({1118, 1153, 1300, 1301, 1436, 1644, 3140, 3141, 3156, 4025, 4037, 4038})


class Database:
    """One pool of connections. `read` is for queries, `write` is one transaction that commits when its block ends."""

    def __init__(self, engine: AsyncEngine, *, connections: int, timeout_s: float) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(connections)
        # SQLite has one writer. Waiting here is fair and costs nothing; waiting in SQLite is a sleep and a retry.
        self._writer = asyncio.Lock() if self.dialect == "sqlite" else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries. Raises DatabaseUnavailable when there is none, or no answer in time."""
        async with self._connection(self._timeout_s) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, *, timeout_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction: commits when the block ends, rolls back when it raises.

        Raises DatabaseUnavailable when the engine does not answer, or not within `timeout_s` (None: as configured);
        nothing of the transaction is then stored, or its commit was not acknowledged.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        if self._writer is None:
            async with self._transaction(timeout_s) as connection:
                yield connection
            return
        async with self._writer, self._transaction(timeout_s) as connection:
            yield connection

    @asynccontextmanager
    async def _transaction(self, timeout_s: float) -> AsyncIterator[AsyncConnection]:
        async with self._connection(timeout_s) as connection, connection.begin():
            if self.dialect == "sqlite":
                # Take the write lock first: a transaction that began by reading cannot always be upgraded.
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @asynccontextmanager
    async def _connection(self, timeout_s: float) -> AsyncIterator[AsyncConnection]:
        """A connection that must have done its work in `timeout_s`.

        The drivers wait for ever for an engine that hangs. When the time is over, the statement under way is
        cancelled and its connection closed, because nobody knows what is still to come on it.
        """
        with translated_errors():
            async with self._slot(), asyncio.timeout(self._timeout_s) as limit:
                connection = await self.engine.connect()
                try:
                    limit.reschedule(asyncio.get_running_loop().time() + timeout_s)
                    yield connection
                finally:
                    # The time may be over already, and the way back into the pool asks the engine once more.
                    async with asyncio.timeout(self._timeout_s):
                        if self.dialect == "sqlite" and limit.expired():
                            await _interrupt(connection)
                        await connection.close()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """A place in the pool, so that nobody has to wait within it: there a cancellation can get lost
        (`asyncio.wait_for` of Python 3.11), and whoever lost it waits for a hanging engine without a limit."""
        async with asyncio.timeout(self._timeout_s):
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()


async def _interrupt(connection: AsyncConnection) -> None:
    """End the statement under way, which would keep its lock for as long as it lasts; nobody waits for it any more."""
    raw = await connection.get_raw_connection()
    if raw.driver_connection is not None:
        await raw.driver_connection.interrupt()


@asynccontextmanager
async def open_database(url: str, settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Raises ConfigurationError for a URL that names no supported engine."""
    # hide_parameters: an error's text must not hold what a customer stored.
    options = _engine_options(parse_url(url), settings)
    engine = create_async_engine(parse_url(url), hide_parameters=True, json_serializer=_JSON.encode, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    try:
        connections = options["pool_size"] + options["max_overflow"]
        yield Database(engine, connections=connections, timeout_s=settings.timeout_s)
    finally:
        await engine.dispose()


def parse_url(url: str) -> URL:
    """The database URL with the driver that we use. Raises ConfigurationError; never shows the password."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "database.url is not a URL: write sqlite+aiosqlite:///path or mysql+aiomysql://…"
        ) from error
    driver = SUPPORTED.get(parsed.get_backend_name())
    if driver is None:
        raise ConfigurationError(
            f"database.url names {parsed.get_backend_name()!r}: supported are sqlite+aiosqlite and mysql+aiomysql"
        )
    if driver.startswith("mysql") and "charset" not in parsed.query:
        parsed = parsed.update_query_dict({"charset": "utf8mb4"})
    return parsed.set(drivername=driver)


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL, None for another engine."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def _engine_options(url: URL, settings: DatabaseSettings) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"pool_size": 5, "max_overflow": 5, "pool_timeout": settings.timeout_s}
    return {
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.timeout_s,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "isolation_level": "READ COMMITTED",
        "connect_args": {
            "connect_timeout": settings.timeout_s,
            # Strict: a value that does not fit is an error, not silently another value. UTC, as everywhere.
            "init_command": "SET SESSION sql_mode='TRADITIONAL', time_zone='+00:00', innodb_lock_wait_timeout=5",
            # A rogue server must not be able to ask for local files (attack case 97).
            "local_infile": False,
        },
    }


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: `Database.write` says BEGIN IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is deleted is overwritten; elsewhere it would stay in the file until its page is used again.
        "secure_delete=ON",
        f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns what the drivers raise when the engine is gone into DatabaseUnavailable; faults of a statement pass."""
    try:
        yield
    except (TimeoutError, PoolTimeout, OSError, sqlite3.OperationalError) as error:
        raise DatabaseUnavailable("the database does not answer") from error
    except DBAPIError as error:
        if _disk_full(error):
            raise StorageUnavailable("the database's disk is full") from error
        if _engine_gone(error):
            raise DatabaseUnavailable("the database does not answer") from error
        raise


def _engine_gone(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = next(iter(getattr(error.orig, "args", ())), None)
    return isinstance(error, OperationalError) and code not in OF_THE_STATEMENT


def _disk_full(error: DBAPIError) -> bool:
    text = str(error.orig)
    return "disk is full" in text or f"Errcode: {errno.ENOSPC}" in text
