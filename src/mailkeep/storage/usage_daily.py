"""usage_daily: what an account received on a day in UTC, added up in the transaction that stores or refuses it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.usage import UsageDay
from mailkeep.storage.schema import usage_daily

_COUNTS: Final = "messages", "bytes", "refusals"


async def add(connection: AsyncConnection, counted: Iterable[tuple[str, UsageDay]]) -> None:
    """Add each (account id, counts) to its day; one statement. With many of a day, they are added up first."""
    rows = _added_up(counted)
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        of_sqlite = sqlite.insert(usage_daily).values(rows)
        await connection.execute(
            of_sqlite.on_conflict_do_update(index_elements=("account_id", "day"), set_=_increased(of_sqlite.excluded))
        )
    else:
        of_mysql = mysql.insert(usage_daily).values(rows)
        await connection.execute(of_mysql.on_duplicate_key_update(_increased(of_mysql.inserted)))


async def since(connection: AsyncConnection, account_id: str, first: date) -> dict[date, UsageDay]:
    """The days on which there was something."""
    query = select(usage_daily).where(usage_daily.c.account_id == account_id, usage_daily.c.day >= first)
    return {
        row.day: UsageDay(row.day, row.messages, row.bytes, row.refusals) for row in await connection.execute(query)
    }


async def remove_before(connection: AsyncConnection, first_kept: date, *, limit: int) -> int:
    """Remove up to `limit` rows of earlier days; returns how many it were."""
    key = usage_daily.c.account_id, usage_daily.c.day
    rows = (await connection.execute(select(*key).where(usage_daily.c.day < first_kept).limit(limit))).all()
    for account_id, day in rows:
        await connection.execute(delete(usage_daily).where(key[0] == account_id, key[1] == day))
    return len(rows)


def _added_up(counted: Iterable[tuple[str, UsageDay]]) -> list[dict[str, Any]]:
    """In one order, so that two transactions cannot wait for each other."""
    sums: dict[tuple[str, date], list[int]] = {}
    for account_id, usage in counted:
        counts = sums.setdefault((account_id, usage.day), [0, 0, 0])
        for position, name in enumerate(_COUNTS):
            counts[position] += getattr(usage, name)
    return [
        {"account_id": account_id, "day": day, **dict(zip(_COUNTS, sums[account_id, day], strict=True))}
        for account_id, day in sorted(sums)
    ]


def _increased(new: Any) -> dict[str, Any]:
    return {name: usage_daily.c[name] + new[name] for name in _COUNTS}
