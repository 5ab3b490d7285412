"""The recipients feed: addresses and their accounts, in the order in which they changed.

Every change of an address takes the next value of one counter, whose row stays locked until the transaction
commits. So the order of the values is the order of the commits, and a reader that has seen a value has seen all
smaller ones: it can go on from there and miss nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.domain.account import AccountStatus
from mailkeep.domain.address import AddressStatus
from mailkeep.domain.recipient import Recipient, RecipientChanges
from mailkeep.domain.tier import Tier
from mailkeep.storage.schema import accounts, addresses, counters

COUNTER: Final = "recipients"


# What a recipient needs and no more: a first sync reads every row there is.
_COLUMNS: Final = (
    addresses.c.id,
    addresses.c.account_id,
    addresses.c.address,
    addresses.c.status,
    addresses.c.deleted_at.is_not(None).label("is_deleted"),
    addresses.c.change_seq,
    accounts.c.status.label("account_status"),
    accounts.c.tier,
    accounts.c.storage_bytes,
)


async def next_change(connection: AsyncConnection, *, count: int = 1) -> int:
    """Take `count` values of the counter; returns the first."""
    await connection.execute(update(counters).where(counters.c.name == COUNTER).values(value=counters.c.value + count))
    return await last_change(connection) - count + 1


async def last_change(connection: AsyncConnection) -> int:
    value = (await connection.execute(select(counters.c.value).where(counters.c.name == COUNTER))).scalar_one()
    return int(value)


async def touch_account(connection: AsyncConnection, account_id: str) -> None:
    """Put all addresses of an account into the feed again: something changed that concerns each of them."""
    query = select(addresses.c.id).where(addresses.c.account_id == account_id, addresses.c.deleted_at.is_(None))
    ids = (await connection.execute(query)).scalars().all()
    if not ids:
        return
    first = await next_change(connection, count=len(ids))
    await connection.execute(
        update(addresses)
        .where(addresses.c.account_id == account_id, addresses.c.id == bindparam("touched_id"))
        .values(change_seq=bindparam("touched_seq")),
        [{"touched_id": id_, "touched_seq": first + offset} for offset, id_ in enumerate(ids)],
    )


async def changes(
    connection: AsyncConnection, after: int, *, limit: int, tier_of: Callable[[str], Tier]
) -> RecipientChanges:
    """A page of changes after a cursor. From 0 it is a snapshot, which needs no tombstones.

    `cursor` is smaller than `after` when the database has forgotten `after`: it was restored from a backup.
    """
    query = (
        select(*_COLUMNS)
        .join(accounts, accounts.c.id == addresses.c.account_id)
        .where(addresses.c.change_seq > after)
        .order_by(addresses.c.change_seq)
        .limit(limit + 1)
    )
    if after == 0:
        query = query.where(addresses.c.deleted_at.is_(None))
    rows = (await connection.execute(query)).all()
    cursor = rows[:limit][-1].change_seq if rows else min(after, await last_change(connection))
    tiers = {name: tier_of(name) for name in {row.tier for row in rows}}
    recipients = tuple(_recipient(row, tiers[row.tier]) for row in rows[:limit])
    return RecipientChanges(recipients, cursor=cursor, more=len(rows) > limit)


def _recipient(row: Row[tuple[object, ...]], tier: Tier) -> Recipient:
    return Recipient(
        address=row.address,
        address_id=row.id,
        account_id=row.account_id,
        active=row.status == AddressStatus.ACTIVE and row.account_status == AccountStatus.ACTIVE,
        per_hour=tier.received_per_hour,
        over_quota=row.storage_bytes >= tier.storage_bytes,
        deleted=bool(row.is_deleted),
    )
