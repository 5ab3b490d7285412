"""account_deletions: accounts that were deleted and are still being emptied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import account_deletions


@dataclass(frozen=True, slots=True)
class Deletion:
    """An account to be emptied."""

    account_id: str
    deleted_at: datetime


async def add(connection: AsyncConnection, deletion: Deletion) -> None:
    values = {"account_id": deletion.account_id, "deleted_at": deletion.deleted_at}
    await connection.execute(insert(account_deletions).values(values))


async def pending(connection: AsyncConnection, *, after: str, limit: int) -> list[Deletion]:
    """In the order of the accounts' ids."""
    query = select(account_deletions).where(account_deletions.c.account_id > after)
    query = query.order_by(account_deletions.c.account_id).limit(limit)
    return [Deletion(row.account_id, row.deleted_at) for row in await connection.execute(query)]


async def done(connection: AsyncConnection, account_id: str) -> None:
    await connection.execute(delete(account_deletions).where(account_deletions.c.account_id == account_id))
