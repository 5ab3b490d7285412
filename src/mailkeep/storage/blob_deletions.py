"""blob_deletions: bytes that nothing refers to any more and that are still to be removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import blob_deletions


async def queue(connection: AsyncConnection, blob_keys: Collection[str], *, now: datetime) -> None:
    if blob_keys:
        await connection.execute(insert(blob_deletions), [{"blob_key": key, "queued_at": now} for key in blob_keys])


async def oldest(connection: AsyncConnection, *, limit: int) -> Sequence[str]:
    query = select(blob_deletions.c.blob_key).order_by(blob_deletions.c.queued_at).limit(limit)
    return (await connection.execute(query)).scalars().all()


async def done(connection: AsyncConnection, blob_keys: Collection[str]) -> None:
    await connection.execute(delete(blob_deletions).where(blob_deletions.c.blob_key.in_(blob_keys)))
