"""retention_tallies: what retention has removed of an account since its last receipt; the owner in every WHERE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import accounts, messages, retention_tallies


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages removed since `started_at`, and their bytes."""

    started_at: datetime
    messages: int = 0
    bytes: int = 0

    def plus(self, messages: int, size_bytes: int) -> Tally:
        return replace(self, messages=self.messages + messages, bytes=self.bytes + size_bytes)


async def due(connection: AsyncConnection, now: datetime, *, after: str, limit: int) -> list[str]:
    """Accounts in order that hold something expired, or that a run which was killed owes a receipt."""
    # A subquery for each account, so that the index is asked for one entry of it and not walked.
    first = (
        select(messages.c.expires_at)
        .where(messages.c.account_id == accounts.c.id)
        .order_by(messages.c.expires_at)
        .limit(1)
        .scalar_subquery()
    )
    owed = select(retention_tallies.c.account_id)
    query = select(accounts.c.id).where(accounts.c.id > after, (first <= now) | accounts.c.id.in_(owed))
    return list((await connection.execute(query.order_by(accounts.c.id).limit(limit))).scalars())


async def get(connection: AsyncConnection, account_id: str) -> Tally | None:
    query = select(retention_tallies).where(retention_tallies.c.account_id == account_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Tally(row.started_at, row.messages, row.bytes)


async def add(connection: AsyncConnection, account_id: str, tally: Tally) -> None:
    values = {"started_at": tally.started_at, "messages": tally.messages, "bytes": tally.bytes}
    await connection.execute(insert(retention_tallies).values(account_id=account_id, **values))


async def change(connection: AsyncConnection, account_id: str, tally: Tally) -> None:
    values = {"messages": tally.messages, "bytes": tally.bytes}
    mine = retention_tallies.c.account_id == account_id
    await connection.execute(update(retention_tallies).where(mine).values(values))


async def remove(connection: AsyncConnection, account_id: str) -> None:
    await connection.execute(delete(retention_tallies).where(retention_tallies.c.account_id == account_id))
