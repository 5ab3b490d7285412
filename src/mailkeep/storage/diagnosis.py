"""What the tables say of an address's receiving. Every query is bounded, and led by the account."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.diagnosis import RefusalCount
from mailkeep.storage.schema import messages, refusals

MAX_KINDS = 20


async def received(connection: AsyncConnection, account_id: str, address_id: str, *, limit: int) -> list[datetime]:
    """When the newest messages came, newest first."""
    query = (
        select(messages.c.received_at)
        .where(messages.c.account_id == account_id, messages.c.address_id == address_id)
        .order_by(messages.c.seq.desc())
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def stored(connection: AsyncConnection, account_id: str, address_id: str) -> int:
    """How many messages there are still. Answered from an index alone."""
    mine = messages.c.account_id == account_id, messages.c.address_id == address_id
    return int((await connection.execute(select(func.count()).select_from(messages).where(*mine))).scalar_one())


async def received_since(
    connection: AsyncConnection, account_id: str, address_id: str, *, since: datetime, limit: int
) -> int:
    """How many of the newest `limit` messages came after `since`."""
    newest = (
        select(messages.c.received_at)
        .where(messages.c.account_id == account_id, messages.c.address_id == address_id)
        .order_by(messages.c.seq.desc())
        .limit(limit)
        .subquery()
    )
    query = select(func.count()).select_from(newest).where(newest.c.received_at > since)
    return int((await connection.execute(query)).scalar_one())


async def refusal_counts(
    connection: AsyncConnection, account_id: str, address_id: str, *, since: datetime
) -> tuple[RefusalCount, ...]:
    """By reply, the latest first."""
    mine = refusals.c.account_id == account_id, refusals.c.address_id == address_id, refusals.c.minute >= since
    last_id = func.max(refusals.c.id).label("last_id")
    kinds = (
        select(func.sum(refusals.c.count).label("total"), last_id)
        .where(*mine)
        .group_by(refusals.c.code, refusals.c.status)
        .order_by(last_id.desc())
        .limit(MAX_KINDS)
        .subquery()
    )
    latest = refusals.c.code, refusals.c.status, refusals.c.reason, refusals.c.last_at
    query = select(*latest, kinds.c.total).join(kinds, kinds.c.last_id == refusals.c.id).order_by(refusals.c.id.desc())
    rows = (await connection.execute(query.where(*mine))).all()
    return tuple(RefusalCount(row.code, row.status, row.reason, int(row.total), row.last_at) for row in rows)
