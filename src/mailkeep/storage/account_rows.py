"""What an account owns in every table, and taking it away.

By the tenant wall each table with a customer's data has `account_id`. So a table that is added later is emptied too,
unless it is named here as one that is kept, with the reason in docs/PRIVACY.md.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Table, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import account_deletions, addresses, audit_log, messages, metadata

# Tombstones, so that nobody else is given the address; records without their places; the deletion itself, until done.
KEPT: Final = frozenset({addresses, audit_log, account_deletions})
# In the order in which foreign keys let them go. Messages go another way: with what only they refer to.
ERASED: Final = tuple(
    table
    for table in reversed(metadata.sorted_tables)
    if "account_id" in table.c and table not in KEPT and table is not messages
)


async def count(connection: AsyncConnection, table: Table, account_id: str) -> int:
    query = select(func.count()).select_from(table).where(table.c.account_id == account_id)
    return int((await connection.execute(query)).scalar_one())


async def erase(connection: AsyncConnection, table: Table, account_id: str, *, limit: int) -> int:
    """Delete up to `limit` rows of an account; returns how many it were."""
    own, key = table.c.account_id == account_id, tuple(table.primary_key.columns)
    rows = (await connection.execute(select(*key).where(own).limit(limit))).all()
    if rows:
        # SQLite knows no row of one value.
        these = (
            key[0].in_([row[0] for row in rows]) if len(key) == 1 else tuple_(*key).in_([tuple(row) for row in rows])
        )
        await connection.execute(delete(table).where(own, these))
    return len(rows)


async def erase_all(connection: AsyncConnection, table: Table, account_id: str) -> None:
    """Delete all rows of an account, where there are few."""
    await connection.execute(delete(table).where(table.c.account_id == account_id))
