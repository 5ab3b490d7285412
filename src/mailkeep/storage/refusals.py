"""refusals: a row for each address, reply and minute, so that a flood of them stays small; the owner in every WHERE."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.ids import new_id
from mailkeep.domain.refusal import Refusal, StoredRefusal
from mailkeep.storage.schema import accounts, addresses, refusals

_ONE_ROW = "account_id", "address_id", "minute", "code", "status"


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """A refusal with its owner and the time until which it is kept."""

    account_id: str
    refusal: Refusal
    expires_at: datetime


async def owners(connection: AsyncConnection, address_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """The account and its tier of each address, deleted ones included. Missing is an id that is no address's, and
    what belongs to an account that is deleted."""
    query = (
        select(addresses.c.id, addresses.c.account_id, accounts.c.tier)
        .join(accounts, accounts.c.id == addresses.c.account_id)
        .where(addresses.c.id.in_(address_ids), accounts.c.status != AccountStatus.DELETED)
    )
    return {row.id: (row.account_id, row.tier) for row in await connection.execute(query)}


async def add_all(connection: AsyncConnection, batch: Sequence[NewRefusal]) -> None:
    """Insert refusals, or add them to the row of their address, reply and minute."""
    # In one order, so that two transactions cannot wait for each other.
    rows = sorted((_values(new) for new in batch), key=lambda row: [str(row[name]) for name in _ONE_ROW])
    if connection.dialect.name == "sqlite":
        of_sqlite = sqlite.insert(refusals).values(rows)
        await connection.execute(
            of_sqlite.on_conflict_do_update(index_elements=_ONE_ROW, set_=_added(of_sqlite.excluded))
        )
    else:
        of_mysql = mysql.insert(refusals).values(rows)
        await connection.execute(of_mysql.on_duplicate_key_update(_added(of_mysql.inserted)))


async def page(
    connection: AsyncConnection, account_id: str, address_id: str, *, limit: int, before: str | None, now: datetime
) -> list[StoredRefusal]:
    """Newest first, without what has expired. Ids grow with time, so the id is the cursor."""
    query = (
        select(refusals)
        .where(refusals.c.account_id == account_id, refusals.c.address_id == address_id, refusals.c.expires_at > now)
        .order_by(refusals.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(refusals.c.id < before)
    return [_refusal(row) for row in await connection.execute(query)]


async def remove_expired(connection: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Remove up to `limit` refusals whose time is over; returns how many it were."""
    query = select(refusals.c.id).where(refusals.c.expires_at <= now).limit(limit)
    expired = (await connection.execute(query)).scalars().all()
    if expired:
        await connection.execute(delete(refusals).where(refusals.c.id.in_(expired)))
    return len(expired)


def _added(new: Any) -> dict[str, Any]:
    return {"count": refusals.c.count + new["count"], "last_at": new.last_at, "expires_at": new.expires_at}


def _values(new: NewRefusal) -> dict[str, Any]:
    refusal = new.refusal
    return {
        "id": new_id(),
        "account_id": new.account_id,
        "address_id": refusal.address_id,
        "minute": refusal.first_at.replace(second=0, microsecond=0),
        "code": refusal.code,
        "status": refusal.status,
        "reason": refusal.reason,
        "mail_from": refusal.mail_from,
        "rcpt_to": refusal.rcpt_to,
        "client_ip": refusal.client_ip,
        "client_name": refusal.client_name,
        "first_at": refusal.first_at,
        "last_at": refusal.last_at,
        "count": refusal.count,
        "expires_at": new.expires_at,
    }


def _refusal(row: Row[tuple[object, ...]]) -> StoredRefusal:
    # By name: `count` is a method of every row.
    values = row._mapping  # noqa: SLF001  SQLAlchemy's public name for it
    return StoredRefusal(
        id=values["id"], refusal=Refusal(**{name: values[name] for name in Refusal.__dataclass_fields__})
    )
