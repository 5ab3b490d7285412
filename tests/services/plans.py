"""How an engine carries out the statements of a piece of work: its plans, and what MariaDB counts while it reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.database import Database


@dataclass(slots=True)
class Statements:
    """Statements as they went to the driver, each once, with the parameters of the first time."""

    seen: dict[str, Any] = field(default_factory=dict)


@contextmanager
def noted_statements(database: Database) -> Iterator[Statements]:
    """Notes what is sent to the engine while the block lasts."""
    statements = Statements()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        statements.seen.setdefault(statement, parameters)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plans_of(connection: AsyncConnection, statements: Statements) -> list[str]:
    """A line for each table that each statement reads: how it gets at the rows."""
    return [
        line
        for statement, parameters in statements.seen.items()
        if statement.startswith("SELECT")
        for line in await _plan(connection, statement, parameters)
    ]


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> list[str]:
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row.detail for row in rows]
    rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return [f"{row.table}: {row.type}, key {row.key} ({row.ref}), {row.rows} rows, {row.Extra}" for row in rows]


async def handler_reads(connection: AsyncConnection) -> dict[str, int]:
    """MariaDB's counts of rows read, by the way of getting at them, in this session."""
    rows = await connection.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'"))
    return {name: int(value) for name, value in rows}
