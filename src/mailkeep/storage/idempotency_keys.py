"""idempotency_keys: requests that are done once. Keys are kept as digests, because a client may write anything."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.idempotency import UNDER_WAY, Claim, KeptAnswer
from mailkeep.storage.schema import idempotency_keys as keys


async def get(connection: AsyncConnection, account_id: str, key_sha256: str, *, now: datetime) -> Claim | None:
    """None for a key that was never used, or whose time is over."""
    query = select(keys).where(keys.c.account_id == account_id, keys.c.key_sha256 == key_sha256)
    row = (await connection.execute(query)).one_or_none()
    if row is None or row.expires_at <= now:
        return None
    answer = None if row.status is None else KeptAnswer(row.status, row.body, row.location)
    is_under_way = answer is None and now - row.claimed_at < UNDER_WAY
    return Claim(fingerprint=row.fingerprint, is_done=row.is_done, is_under_way=is_under_way, answer=answer)


async def claim(
    connection: AsyncConnection,
    account_id: str,
    key_sha256: str,
    *,
    fingerprint: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Take the key anew. The caller holds the account's lock, so nobody else takes it at this moment."""
    await connection.execute(delete(keys).where(keys.c.account_id == account_id, keys.c.key_sha256 == key_sha256))
    await connection.execute(
        insert(keys).values(
            account_id=account_id,
            key_sha256=key_sha256,
            fingerprint=fingerprint,
            claimed_at=now,
            expires_at=expires_at,
            is_done=False,
        )
    )


async def mark_done(connection: AsyncConnection, account_id: str, key_sha256: str) -> None:
    """For the transaction of the deed itself."""
    await connection.execute(
        update(keys).where(keys.c.account_id == account_id, keys.c.key_sha256 == key_sha256).values(is_done=True)
    )


async def keep(connection: AsyncConnection, account_id: str, key_sha256: str, answer: KeptAnswer) -> None:
    await connection.execute(
        update(keys)
        .where(keys.c.account_id == account_id, keys.c.key_sha256 == key_sha256)
        .values(is_done=True, status=answer.status, body=answer.body, location=answer.location)
    )


async def release(connection: AsyncConnection, account_id: str, key_sha256: str) -> None:
    """Forget a key under which nothing was done."""
    await connection.execute(
        delete(keys).where(keys.c.account_id == account_id, keys.c.key_sha256 == key_sha256, keys.c.is_done.is_(False))
    )


async def trim(connection: AsyncConnection, account_id: str, *, keep_count: int) -> None:
    """Forget the oldest of an account that has more than `keep_count`."""
    count = select(func.count()).select_from(keys).where(keys.c.account_id == account_id)
    surplus = (await connection.execute(count)).scalar_one() - keep_count
    if surplus <= 0:
        return
    oldest = select(keys.c.key_sha256).where(keys.c.account_id == account_id).order_by(keys.c.claimed_at).limit(surplus)
    found = (await connection.execute(oldest)).scalars().all()
    await connection.execute(delete(keys).where(keys.c.account_id == account_id, keys.c.key_sha256.in_(found)))


async def remove_expired(connection: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Remove up to `limit` keys whose time is over; returns how many it were."""
    query = select(keys.c.account_id, keys.c.key_sha256).where(keys.c.expires_at <= now).limit(limit)
    expired = (await connection.execute(query)).all()
    for row in expired:
        await connection.execute(
            delete(keys).where(keys.c.account_id == row.account_id, keys.c.key_sha256 == row.key_sha256)
        )
    return len(expired)
