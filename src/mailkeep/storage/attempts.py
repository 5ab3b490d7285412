"""attempts: how often somebody tried something of late, by the digest of who and what; see services/lockout.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import attempts


@dataclass(frozen=True, slots=True)
class Tries:
    """How many there were, and when the last one was."""

    count: int
    last_at: datetime


async def load(connection: AsyncConnection, digests: Collection[str], *, now: datetime) -> dict[str, Tries]:
    """What is known and has not expired."""
    query = select(attempts.c.digest, attempts.c.tries, attempts.c.last_at).where(
        attempts.c.digest.in_(digests), attempts.c.expires_at > now
    )
    return {row.digest: Tries(row.tries, row.last_at) for row in await connection.execute(query)}


async def add(
    connection: AsyncConnection,
    digests: Collection[str],
    *,
    now: datetime,
    forget_before: datetime,
    expires_at: datetime,
) -> None:
    """One more try for each. The count begins anew when the last one was before `forget_before`."""
    # In one order, so that two transactions cannot wait for each other.
    rows = [{"digest": digest, "tries": 1, "last_at": now, "expires_at": expires_at} for digest in sorted(set(digests))]
    # In the order in which MySQL assigns: the count looks at the time before it is changed.
    changes: list[tuple[str, Any]] = [*_one_more(forget_before), ("last_at", now), ("expires_at", expires_at)]
    await _upsert(connection, rows, changes)


async def add_to_known(connection: AsyncConnection, digest: str, *, now: datetime, forget_before: datetime) -> None:
    """One more try, where there is a row already; it expires when it did."""
    changes = (*_one_more(forget_before), ("last_at", now))
    await connection.execute(
        update(attempts).where(attempts.c.digest == digest).ordered_values(*changes)  # as MySQL assigns
    )


async def begin(connection: AsyncConnection, digest: str, *, now: datetime, expires_at: datetime) -> None:
    """A row without tries, whatever it held."""
    values: dict[str, Any] = {"tries": 0, "last_at": now, "expires_at": expires_at}
    await _upsert(connection, [{"digest": digest, **values}], list(values.items()))


async def remove(connection: AsyncConnection, digest: str) -> None:
    await connection.execute(delete(attempts).where(attempts.c.digest == digest))


async def remove_expired(connection: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Remove up to `limit` rows whose time is over; returns how many it were."""
    query = select(attempts.c.digest).where(attempts.c.expires_at <= now).limit(limit)
    expired = (await connection.execute(query)).scalars().all()
    if expired:
        await connection.execute(delete(attempts).where(attempts.c.digest.in_(expired)))
    return len(expired)


def _one_more(forget_before: datetime) -> list[tuple[str, Any]]:
    return [("tries", case((attempts.c.last_at < forget_before, 1), else_=attempts.c.tries + 1))]


async def _upsert(connection: AsyncConnection, rows: list[dict[str, Any]], changes: list[tuple[str, Any]]) -> None:
    if connection.dialect.name == "sqlite":
        of_sqlite = sqlite.insert(attempts).values(rows)
        await connection.execute(of_sqlite.on_conflict_do_update(index_elements=["digest"], set_=dict(changes)))
    else:
        await connection.execute(mysql.insert(attempts).values(rows).on_duplicate_key_update(changes))
